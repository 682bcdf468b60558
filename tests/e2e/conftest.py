"""The real command lines, run as a user runs them, each in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass
class Finished:
    """A process that has ended."""

    code: int
    output: str
    folder: Path

    def results(self) -> dict[str, Any]:
        (path,) = self.folder.rglob("results_*.json")
        return json.loads(path.read_text(encoding="utf-8"))

    def samples(self, task: str) -> list[dict[str, Any]]:
        (path,) = self.folder.rglob(f"samples_{task}_20[0-9][0-9]-*.jsonl")
        return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]

    def score(self, name: str, metric: str = "score") -> float:
        return self.results()["results"][name][f"{metric},none"]


Run = Callable[..., Finished]


def environment(tmp_path: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A clean environment: nothing of the developer's own LM_EVAL_JA_* reaches the tests."""
    env = {
        name: value for name, value in os.environ.items() if not name.startswith(("LM_EVAL_JA_", "OPENAI_"))
    }
    return {
        **env,
        "LM_EVAL_JA_CACHE": str(tmp_path / "cache"),
        "LM_EVAL_JA_OFFLINE": "1",
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        **(extra or {}),
    }


@pytest.fixture
def command(tmp_path: Path) -> Run:
    """Run a command of the environment's own bin folder."""

    def run(*args: str, env: Mapping[str, str] | None = None, ok: bool = True) -> Finished:
        program = [sys.executable, "-m", "lm_eval" if args[0] == "lm_eval" else "lm_eval_ja.cli"]
        done = subprocess.run(
            [*program, *args[1:]],
            env=environment(tmp_path, env),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=850,
            check=False,
        )
        finished = Finished(done.returncode, done.stdout + done.stderr, tmp_path)
        assert not ok or done.returncode == 0, finished.output[-6000:]
        return finished

    return run


@pytest.fixture
def lm_eval(command: Run) -> Run:
    """``lm_eval run`` with results under a folder of its own."""

    def run(*args: str, output: str = "out", **kwargs: Any) -> Finished:
        finished = command("lm_eval", "run", *args, "--output_path", output, "--log_samples", **kwargs)
        return Finished(finished.code, finished.output, finished.folder / output)

    return run


@pytest.fixture
def lm_eval_ja(command: Run) -> Run:
    """``lm-eval-ja``."""
    return lambda *args, **kwargs: command("lm-eval-ja", *args, **kwargs)


@pytest.fixture
def evaluate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """``lm_eval.simple_evaluate`` in this process with our tasks only: seconds faster than a command of its own."""
    for name in os.environ:
        if name.startswith(("LM_EVAL_JA_", "OPENAI_")):
            monkeypatch.delenv(name)
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)

    def run(task: str, answers: str, metadata: Mapping[str, Any]) -> Any:
        import lm_eval
        from lm_eval.tasks import TaskManager

        from lm_eval_ja.plugin import TASKS_PATH

        manager = TaskManager(include_path=str(TASKS_PATH), include_defaults=False, metadata=dict(metadata))
        return lm_eval.simple_evaluate(
            model="recorded", model_args={"path": answers}, tasks=[task], task_manager=manager
        )

    return run


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Directory of a real (tiny, random) Hugging Face model."""
    if find_spec("torch") is None or find_spec("transformers") is None:
        if os.environ.get("LM_EVAL_JA_REQUIRE_TORCH"):
            pytest.fail("torch or transformers is missing where the model tests must run")
        pytest.skip('no torch or transformers: pip install "lm-eval-ja[hf]" runs the model tests')
    folder = tmp_path_factory.mktemp("tiny-model")
    subprocess.run(
        [sys.executable, str(REPOSITORY / "scripts" / "make_tiny_model.py"), str(folder)],
        check=True,
        capture_output=True,
    )
    return str(folder)


@pytest.fixture(scope="session")
def sample_answers() -> str:
    """The made-up answers to the sample questions that ship in examples/."""
    return str(REPOSITORY / "examples" / "sample_answers.jsonl")


SAMPLE = json.dumps({"data": "sample"})
