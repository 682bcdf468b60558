#!/usr/bin/env python3
"""Upstream's own tests, from the installed lm-eval's source archive: with and without the plugin the same result.

    python .ci/upstream_tests.py            # in an environment with lm_eval, lm-eval-ja and pytest

A guest that nobody notices changes nothing: every test must end in the same way when the bridge is on as when
``LM_EVAL_JA_AUTOLOAD=0`` keeps it out. Tests that need the network fail in both, which is the same.
"""

import os
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ET
from importlib.metadata import version
from pathlib import Path

# They load real models or data sets from the hub: minutes of time-outs each, and nothing of ours is in them.
LEFT_OUT = ("test_evaluator.py", "test_tasks.py", "test_unitxt_tasks.py", "test_requests_caching.py")


def main() -> int:
    """Print what differs; the exit status is 1 if anything does."""
    with tempfile.TemporaryDirectory() as folder:
        tests = fetch(Path(folder))
        outcomes = {switch: run(tests, Path(folder), switch) for switch in ("0", "1")}
    without, bridged = outcomes["0"], outcomes["1"]
    differing = sorted(name for name in {*without, *bridged} if without.get(name) != bridged.get(name))
    for name in differing:
        print(f"{name}: {without.get(name)} without the plugin, {bridged.get(name)} with it")
    passed = sum(outcome == "passed" for outcome in without.values())
    if not passed:
        sys.exit("no test of upstream's passes without the plugin: nothing can be learnt here")
    print(
        f"lm_eval {version('lm_eval')}: {len(without)} tests, {passed} pass, {len(differing)} differ with the plugin"
    )
    return 1 if differing else 0


def fetch(folder: Path) -> Path:
    """Download and unpack the source archive; its package is removed so that the installed one is tested."""
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "lm_eval"),
            *("-d", str(folder), f"lm_eval=={version('lm_eval')}"),
        ],
        check=True,
    )
    (archive,) = folder.glob("lm_eval-*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return next(folder.glob("lm_eval-*/tests"))


def run(tests: Path, folder: Path, switch: str) -> dict[str, str]:
    """Outcome by test."""
    report = folder / f"report-{switch}.xml"
    subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", "--tb=no"),
            *("--continue-on-collection-errors", f"--junit-xml={report}", "--import-mode=importlib"),
            *(f"--ignore={tests / name}" for name in LEFT_OUT),
            *("--rootdir", str(tests), str(tests)),
        ],
        cwd=folder,
        env={
            **os.environ,
            "LM_EVAL_JA_AUTOLOAD": switch,
            "HF_HUB_OFFLINE": "1",
            "HF_DATASETS_OFFLINE": "1",
            "HF_HOME": str(folder / "hub"),
        },
        check=False,
    )
    outcomes = {}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314  # written by pytest a moment ago
        kinds = [part.tag for part in case if part.tag in {"failure", "error", "skipped"}]
        outcomes[f"{case.get('classname')}::{case.get('name')}"] = kinds[0] if kinds else "passed"
    return outcomes


if __name__ == "__main__":
    sys.exit(main())
