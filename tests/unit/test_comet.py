"""COMET: what happens without it, and its real code on a tiny checkpoint where an environment with it is at hand."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lm_eval_ja.errors import OptionError
from lm_eval_ja.metrics.comet import comet_wmt22

PYTHON = os.environ.get("LM_EVAL_JA_TEST_COMET_PYTHON")
ITEMS = (["猫が魚を食べた。"] * 3, ["The cat ate the fish.", "Dogs.", ""], ["The cat ate the fish."] * 3)

needs_comet = pytest.mark.skipif(
    PYTHON is None,
    reason="set LM_EVAL_JA_TEST_COMET_PYTHON to the Python of an environment with unbabel-comet",
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("comet")
    script = Path(__file__).parents[1] / "support" / "comet_checkpoint.py"
    subprocess.run([str(PYTHON), "-W", "ignore", str(script), str(folder)], check=True)
    return str(folder)


@pytest.mark.slow
@needs_comet
def test_scores_come_from_comet_in_the_items_order(checkpoint: str) -> None:
    found = comet_wmt22(*ITEMS, model=checkpoint, python=PYTHON)
    again = comet_wmt22(*([part[1]] for part in ITEMS), model=checkpoint, python=PYTHON)
    assert len(set(found.scores)) == 3
    assert again.scores[0] == pytest.approx(found.scores[1], abs=1e-5)
    assert found.signature == f"model={checkpoint},comet={found.version}"
    assert found.version >= "2.2"


@pytest.mark.slow
@needs_comet
def test_texts_that_break_lines_are_texts(checkpoint: str) -> None:
    odd = (["a\u2028b\x85"], ["\n\n{}"], ['"\\'])
    assert len(comet_wmt22(*odd, model=checkpoint, python=PYTHON).scores) == 1


@pytest.mark.slow
@needs_comet
def test_a_model_that_cannot_be_had_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(OptionError, match=r"COMET model .*nowhere can't be loaded in .*--comet-model"):
        comet_wmt22(*ITEMS, model=str(tmp_path / "nowhere"), python=PYTHON)


@pytest.mark.parametrize("python", [sys.executable, None])
def test_a_missing_comet_is_told_with_the_way_to_get_it(python: str | None) -> None:
    if importlib.util.find_spec("comet") is not None:
        pytest.skip("this environment has COMET")
    with pytest.raises(OptionError, match=r"COMET is missing in .*ModuleNotFoundError.*pip install") as error:
        comet_wmt22(*ITEMS, python=python)
    assert (python or "this environment") in str(error.value)


def test_a_python_that_does_not_exist_is_named() -> None:
    with pytest.raises(OptionError, match="--python /nowhere/python can't be run"):
        comet_wmt22(*ITEMS, python="/nowhere/python")


def test_a_python_that_dies_is_told() -> None:
    with pytest.raises(OptionError, match="/bin/false ended with status 1"):
        comet_wmt22(*ITEMS, python="/bin/false")


def test_nothing_to_score_needs_no_comet() -> None:
    assert comet_wmt22([], [], [], python="/nowhere/python").scores == ()
