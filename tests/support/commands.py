"""The real command lines, run as a user runs them, each in a process of its own.

A command starts from a Python that has imported the harness and indexed its tasks already (:mod:`tests.support.warm`),
unless it is about just that: ``fresh=True``, or an environment variable that is read while modules are imported.
``LM_EVAL_JA_FRESH=1`` starts every command from nothing.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
SAMPLE = json.dumps({"data": "sample"})
TIMEOUT = 850  # seconds; a little less than pytest's own
OFFLINE = {"LM_EVAL_JA_OFFLINE": "1", "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
READ_LATE = ("LM_EVAL_JA_", "OPENAI_", "AZURE_OPENAI_", "ANTHROPIC_", "WANDB_")
"""Variables that nothing reads before a command runs."""
READ_AT_START = ("LM_EVAL_JA_AUTOLOAD", "LM_EVAL_JA_SHARE_INCLUDES", "LM_EVAL_JA_INDEX_CACHE")
"""But for these: who sets them asks about the start."""


@dataclass
class Finished:
    """A process that has ended."""

    code: int
    output: str
    folder: Path

    def results(self) -> dict[str, Any]:
        (path,) = self.folder.rglob("results_*.json")
        results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return results

    def samples(self, task: str) -> list[dict[str, Any]]:
        (path,) = self.folder.rglob(f"samples_{task}_20[0-9][0-9]-*.jsonl")
        return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]

    def score(self, name: str, metric: str = "score") -> Any:
        return self.results()["results"][name][f"{metric},none"]


Run = Callable[..., Finished]


def environment(folder: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A clean environment: nothing of the developer's own LM_EVAL_JA_* reaches the tests."""
    return {**_clean(), "LM_EVAL_JA_CACHE": str(folder / "cache"), **OFFLINE, **(extra or {})}


def _clean() -> dict[str, str]:
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("LM_EVAL_JA_", "OPENAI_"))
    }


def run_command(
    *arguments: str,
    folder: Path,
    env: Mapping[str, str] | None = None,
    ok: bool = True,
    fresh: bool = False,
) -> Finished:
    """Run a command of the environment's own bin folder.

    Args:
        arguments: ``lm_eval`` or ``lm-eval-ja``, and its arguments.
        folder: Where it runs, and where its cache is unless ``env`` says otherwise.
        env: Variables besides those of :func:`environment`.
        ok: Whether it must succeed.
        fresh: Whether it must start from nothing.
    """
    module = {"lm_eval": "lm_eval", "lm-eval-ja": "lm_eval_ja.cli"}[arguments[0]]
    whole = environment(folder, env)
    if fresh or not _can_be_warm(whole):
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments[1:]],
            env=whole,
            cwd=folder,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT,
            check=False,
        )
        finished = Finished(done.returncode, done.stdout + done.stderr, folder)
    else:
        code, output = _warm().run(module, arguments[1:], whole, folder)
        finished = Finished(code, output, folder)
    assert not ok or finished.code == 0, finished.output[-6000:]
    return finished


def evaluate_command(*arguments: str, folder: Path, output: str = "out", **options: Any) -> Finished:
    """``lm_eval run`` with results under a folder of its own; options as for :func:`run_command`."""
    done = run_command(
        "lm_eval", "run", *arguments, "--output_path", output, "--log_samples", folder=folder, **options
    )
    return Finished(done.code, done.output, done.folder / output)


def _can_be_warm(env: Mapping[str, str]) -> bool:
    if sys.platform != "linux" or os.environ.get("LM_EVAL_JA_FRESH") == "1":  # elsewhere a fork is not safe
        return False
    started = {**_clean(), **OFFLINE}
    changed = {name for name in {*env, *started} if env.get(name) != started.get(name)}
    return all(name.startswith(READ_LATE) and name not in READ_AT_START for name in changed)


class _Warm:
    """The Python of :mod:`tests.support.warm`; one for each process of tests."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="warm-")
        atexit.register(self._end)
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("warm.py"))],
            env=environment(Path(self._folder.name)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=self._folder.name,
        )

    def run(
        self, module: str, arguments: tuple[str, ...], env: Mapping[str, str], cwd: Path
    ) -> tuple[int, str]:
        """Exit status and output of a module that is run with these arguments."""
        with tempfile.TemporaryDirectory(dir=self._folder.name) as place:
            out, err = Path(place) / "stdout", Path(place) / "stderr"
            out.touch()
            err.touch()
            request = {"module": module, "arguments": arguments, "env": {**env}, "cwd": str(cwd)}
            code = self._ask({**request, "stdout": str(out), "stderr": str(err)})
            said = "".join(path.read_text(encoding="utf-8", errors="replace") for path in (out, err))
        return code, said

    def _ask(self, request: dict[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        child = int(self._process.stdout.readline())
        too_late = threading.Timer(TIMEOUT, os.kill, (child, signal.SIGKILL))
        too_late.start()
        try:
            return int(self._process.stdout.readline())
        finally:
            too_late.cancel()

    def _end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        self._folder.cleanup()


_warm = cache(_Warm)
