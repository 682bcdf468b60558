#!/usr/bin/env python3
"""The same prompts, scores, samples and tables on every supported lm-eval: compare environments that hold one each.

    python .ci/same_results.py .ci/env-new/bin/python .ci/env-old/bin/python …

Each runs nejumi_jaster on the recorded sample answers, through its own command line; the first is the standard.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SAME = ("results", "groups", "group_subtasks", "versions", "n-shot", "higher_is_better", "n-samples")


def main() -> int:
    """Print what differs; the exit status is 1 if anything does."""
    with tempfile.TemporaryDirectory() as name:
        found = {python: run(python, Path(name) / str(number)) for number, python in enumerate(sys.argv[1:])}
    first, *others = found
    count = sum(len(samples) for task, samples in found[first].items() if task.startswith("samples"))
    well = count > 0
    for python in others:
        differing = sorted(
            key for key in {*found[first], *found[python]} if found[first].get(key) != found[python].get(key)
        )
        well = well and not differing
        print(
            f"{python}: {count} samples, {'differs in ' + ', '.join(differing) if differing else 'the same'}"
        )
    return 0 if well else 1


def run(python: str, folder: Path) -> dict[str, Any]:
    """What one lm-eval made of the same answers."""
    folder.mkdir()
    done = subprocess.run(
        [
            *(str(Path(python).absolute()), "-m", "lm_eval", "run", "--model", "recorded"),
            *("--model_args", f"path={ROOT / 'examples' / 'sample_answers.jsonl'}"),
            *("--tasks", "nejumi_jaster", "--metadata", '{"data": "sample"}'),
            *("--output_path", "out", "--log_samples"),
        ],
        cwd=folder,
        env={**os.environ, "LM_EVAL_JA_CACHE": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{python}: {done.stderr[-3000:]}")
    (path,) = folder.rglob("results_*.json")
    results = json.loads(path.read_text(encoding="utf-8"))
    return {
        "table": [line for line in done.stdout.splitlines() if line.startswith("|")],
        **{key: results.get(key) for key in SAME},
        **{
            f"signature of {task}": config["metadata"]["signature"]
            for task, config in results["configs"].items()
        },
        **{
            path.name.rsplit("_", 1)[0]: [
                json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line
            ]
            for path in folder.rglob("samples_*.jsonl")
        },
    }


if __name__ == "__main__":
    sys.exit(main())
