"""What every layer of tests shares: the command lines, the real raw files, a cache of its own for each session."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.support.commands import REPOSITORY, Run, environment, evaluate_command, run_command

# What is tried is the same in every run of the suite; `make fuzz` tries something else each time.
settings.register_profile("fixed", derandomize=True)
if "LM_EVAL_JA_FUZZ_SECONDS" not in os.environ:
    settings.load_profile("fixed")

_DEFAULT_MIRROR = Path(__file__).resolve().parents[2] / "shared" / "mirror"


def _mirror_path() -> Path | None:
    configured = os.environ.get("LM_EVAL_JA_MIRROR")
    path = Path(configured) if configured else _DEFAULT_MIRROR
    return path if path.is_dir() else None


@pytest.fixture(scope="session")
def mirror() -> Path:
    """Folder with the real raw files, laid out as ``<host>/<path>``."""
    path = _mirror_path()
    if path is None:
        if os.environ.get("LM_EVAL_JA_REQUIRE_MIRROR"):
            pytest.fail("the mirror of the raw files is missing where the real-data tests must run")
        pytest.skip("no mirror of the raw files: set LM_EVAL_JA_MIRROR to a folder laid out as <host>/<path>")
    return path


@pytest.fixture(scope="session")
def spec() -> Path:
    """Folder with the protocol's golden values (``neo_items.json``, ``splits_1_3_0.json``, ``instructions.json``)."""
    return Path(__file__).parent / "golden"


@pytest.fixture(scope="session")
def real_cache(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cache folder that the session's real-data tests share, so that each dataset is converted once."""
    return tmp_path_factory.mktemp("real-cache")


@pytest.fixture(autouse=True)
def _no_width_of_the_runners(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of pytest-xdist have the width of the terminal that started them in ``COLUMNS``."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def command(tmp_path: Path) -> Run:
    """``lm_eval`` or ``lm-eval-ja`` in a folder of its own."""
    return lambda *args, **kwargs: run_command(*args, folder=tmp_path, **kwargs)


@pytest.fixture
def lm_eval(tmp_path: Path) -> Run:
    """``lm_eval run`` with results under a folder of its own."""
    return lambda *args, **kwargs: evaluate_command(*args, folder=tmp_path, **kwargs)


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
