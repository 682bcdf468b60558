"""The form that a dataset's answers have: golden cases, and what no answer may do to the check."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_eval_ja.datasets import answer_form, format_ok, packaged

CASES = json.loads((Path(__file__).parents[1] / "golden" / "metrics" / "format_ok.json").read_text("utf-8"))
FORMED = sorted(packaged().answer_forms)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["prediction"][:20])
def test_golden(case) -> None:
    for dataset in case["datasets"]:
        assert format_ok(dataset, case["prediction"]) is case["expected"], dataset


@pytest.mark.parametrize("dataset", ["jsquad", "wiki_pas", "no dataset at all"])
def test_without_a_form_nothing_is_said(dataset: str) -> None:
    assert answer_form(dataset) is None
    assert format_ok(dataset, "東京") is None


@pytest.mark.parametrize("dataset", FORMED)
def test_an_empty_answer_has_no_form(dataset: str) -> None:
    assert format_ok(dataset, "") is False


@given(
    st.sampled_from(FORMED), st.text() | st.from_regex(r"(\S+[（(]地名[)）] ?|\w+ -> \w+\n?|.* positive\n?)+")
)
def test_any_text_gets_a_yes_or_no(dataset: str, text: str) -> None:
    assert isinstance(format_ok(dataset, text), bool)


@pytest.mark.timeout(60)  # hours if the check looked back at each item
def test_a_long_answer_is_checked_in_one_pass() -> None:
    assert format_ok("wiki_ner", "東京(地名) " * 1_000_000 + "x") is False
    assert format_ok("chabsa", "a positive " * 1_000_000) is False
    assert format_ok("wiki_dependency", " -> " * 1_000_000) is False
