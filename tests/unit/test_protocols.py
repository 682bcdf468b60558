"""Definitions, averages, groups: published rows, missing members, standard errors, malformed definitions."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_eval_ja.errors import DataError, OptionError
from lm_eval_ja.metrics import METRICS
from lm_eval_ja.protocols import (
    Category,
    Member,
    Missing,
    Score,
    average,
    category_scores,
    group_score,
    load_protocol,
    macro_average,
    overall,
    parse_protocol,
    protocol_names,
)

NEO = load_protocol("neo")
LLM_JP_EVAL = load_protocol("llm_jp_eval")
WITHOUT_FUNCTION_HERE = {"comet_wmt22"}  # a model, loaded on use

NEO_ROWS = """
.2669 .416 .3288 .8013 .26 0     .0023 .06
.4408 .75  .4454 .8917 .3  .4587 .2201 .02
.5082 .768 .4974 .894  .61 .4749 .2828 .03
.5527 .804 .501  .8931 .81 .5159 .3249 .02
"""
LLM_JP_ROWS = """
.269 .105 .067 .260 .203 .020 .597 .309 .303 .557
.382 .352 .176 .249 .203 .130 .787 .349 .469 .721
.507 .188 .071 .301 .884 .136 .604 .911 .544 .923
.536 .276 .140 .307 .849 .168 .714 .909 .535 .924
"""


def rows(text: str):
    return [[float(number) for number in line.split()] for line in text.strip().splitlines()]


@pytest.mark.parametrize("row", rows(NEO_ROWS))
def test_published_neo_rows_follow_from_their_categories(row):
    names = ["NLI", "QA", "RC", "MC", "EL", "FA", "MR"]
    result = average(NEO, {name: Score(value) for name, value in zip(names, row[1:], strict=True)})
    assert isinstance(result, Score)
    assert round(result.value, 4) == row[0]


@pytest.mark.parametrize("row", rows(LLM_JP_ROWS))
def test_published_llm_jp_rows_follow_from_their_categories(row):
    names = ["EL", "FA", "HE", "MC", "MR", "MT", "NLI", "QA", "RC"]
    result = average(LLM_JP_EVAL, {name: Score(value) for name, value in zip(names, row[1:], strict=True)})
    assert isinstance(result, Score)
    assert round(result.value, 3) == row[0]


def test_definitions_agree_with_the_protocol_constants(spec: Path):
    constants = json.loads((spec / "instructions.json").read_text(encoding="utf-8"))
    expected = {name: (entry["category"], entry["metric"]) for name, entry in constants["neo"].items()}
    assert expected == {m.dataset: (c.name, m.metric) for c in NEO.categories for m in c.members}

    section = constants["llm_jp_eval_1_3_0"]
    averaged = {m.dataset: (c.name, m.metric) for c in LLM_JP_EVAL.categories for m in c.members}
    assert averaged.keys() == {name for name, entry in section.items() if entry["category"] is not None}
    for name, (category, metric) in averaged.items():
        assert section[name]["category"] == category
        assert metric in section[name]["metrics"]
    outside = {member.dataset for member in LLM_JP_EVAL.outside_average}
    assert outside == {name for name, entry in section.items() if entry["category"] is None}


def test_every_metric_in_a_definition_exists():
    for protocol in (NEO, LLM_JP_EVAL):
        members = [m for c in protocol.categories for m in c.members] + list(protocol.outside_average)
        assert {member.metric for member in members} <= METRICS.keys() | WITHOUT_FUNCTION_HERE


def test_group_and_task_names_do_not_collide():
    names = []
    for protocol in map(load_protocol, protocol_names()):
        names += [protocol.group, *(category.group for category in protocol.categories)]
        names += [protocol.task(m.dataset) for c in protocol.categories for m in c.members]
        names += [protocol.task(member.dataset) for member in protocol.outside_average]
        names += [protocol.overall.group] if protocol.overall else []
    assert len(names) == len(set(names))


def test_categories_are_means_of_their_datasets():
    scores = {m.dataset: Score(0.5) for c in NEO.categories for m in c.members}
    scores |= {"jemhopqa": Score(0.2), "niilc": Score(0.4), "jsts": Score(1.0), "unknown": Score(1.0)}
    categories = category_scores(NEO, scores)
    assert list(categories) == ["NLI", "QA", "RC", "MC", "MR", "EL", "FA"]
    assert categories.pop("QA") == Score(pytest.approx(0.3))
    assert set(categories.values()) == {Score(0.5)}


def test_a_missing_dataset_makes_category_and_average_missing():
    scores = {m.dataset: Score(0.5) for c in NEO.categories for m in c.members}
    scores["wiki_ner"] = Score(math.nan)
    del scores["wiki_pas"]
    categories = category_scores(NEO, scores)
    assert categories["FA"] == Missing(("wiki_ner", "wiki_pas"), 5)
    assert categories["NLI"] == Score(0.5)
    assert average(NEO, categories) == Missing(("FA",), 7)
    assert str(average(NEO, categories)) == "missing: FA (6 of 7 present)"
    assert average(NEO, {}) == Missing(("NLI", "QA", "RC", "MC", "MR", "EL", "FA"), 7)


def test_zero_is_a_score_and_not_missing():
    assert macro_average({"a": Score(0.0, 0.0), "b": Score(1.0, 0.0)}) == Score(0.5, 0.0)


@pytest.mark.parametrize(
    "absent", [None, Missing(("x",), 1), Score(math.nan, 0.1), Score(math.inf), Score(-math.inf)]
)
def test_what_is_no_number_is_missing(absent):
    assert macro_average({"a": Score(1.0), "b": absent}) == Missing(("b",), 2)


def test_nothing_at_all_is_missing():
    assert macro_average({}) == Missing((), 0)


def test_the_standard_error_is_that_of_a_mean_of_means():
    result = macro_average({"a": Score(0.2, 0.03), "b": Score(0.4, 0.04), "c": Score(0.6, 0.12)})
    assert result == Score(pytest.approx(0.4), pytest.approx(math.sqrt(0.03**2 + 0.04**2 + 0.12**2) / 3))


@pytest.mark.parametrize("stderr", [None, math.nan, math.inf])
def test_the_standard_error_is_unknown_if_one_is(stderr):
    assert macro_average({"a": Score(0.2, 0.03), "b": Score(0.4, stderr)}) == Score(pytest.approx(0.3), None)


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1), min_size=1, max_size=20))
def test_the_average_stays_between_its_members(values):
    result = macro_average({name: Score(value, value) for name, value in values.items()})
    assert isinstance(result, Score)
    assert min(values.values()) - 1e-12 <= result.value <= max(values.values()) + 1e-12
    assert result.stderr == pytest.approx(math.sqrt(math.fsum(v * v for v in values.values())) / len(values))


def test_overall_puts_mtbench_on_the_scale_of_jaster():
    assert overall(Score(0.5, 0.03), Score(6.0, 0.4)) == Score(0.55, pytest.approx(0.025))
    assert overall(Score(0.5, 0.03), Score(6.0)) == Score(0.55, None)
    assert overall(Missing(("FA",), 7), Score(6.0)) == Missing(("nejumi_jaster",), 2)
    assert overall(None, None) == Missing(("nejumi_jaster", "nejumi_mtbench"), 2)


def neo_children(group: str):
    for category in NEO.categories:
        if category.group == group:
            return {
                NEO.task(m.dataset): {
                    f"{m.metric},none": 0.25,
                    f"{m.metric}_stderr,none": 0.1,
                    "alias": m.dataset,
                }
                for m in category.members
            }
    raise AssertionError(group)


@pytest.mark.parametrize("category", NEO.categories, ids=lambda category: category.name)
def test_category_groups_average_their_tasks(category):
    children = neo_children(category.group)
    assert group_score(category.group, children) == Score(0.25, pytest.approx(0.1 / math.sqrt(len(children))))


def test_groups_add_up_to_what_the_protocol_says():
    values = {category.group: 0.1 * i for i, category in enumerate(NEO.categories)}
    children = {
        name: {"score,none": v, "score_stderr,none": 0.02, "sample_len": 100} for name, v in values.items()
    }
    jaster = group_score("nejumi_jaster", children)
    assert jaster == Score(pytest.approx(0.3), pytest.approx(0.02 / math.sqrt(7)))
    parts = {
        "nejumi_jaster": {"score,none": 0.3},
        "nejumi_mtbench": {"score,none": 7.0, "score_stderr,none": "N/A"},
    }
    assert group_score("nejumi", parts) == Score(pytest.approx(0.5), None)


def test_groups_ignore_children_that_belong_to_no_average():
    children = neo_children("nejumi_jaster_qa") | {"nejumi_jaster_jsts": {"pearson,none": 1.0}}
    assert group_score("nejumi_jaster_qa", children) == Score(0.25, pytest.approx(0.1 / math.sqrt(2)))


@pytest.mark.parametrize("value", [math.nan, math.inf, "N/A", None, [], pytest.param(10**400, id="huge")])
def test_groups_name_children_without_a_number(value):
    children = neo_children("nejumi_jaster_qa")
    children["nejumi_jaster_niilc"]["char_f1,none"] = value
    assert group_score("nejumi_jaster_qa", children) == Missing(("nejumi_jaster_niilc",), 2)


def test_groups_read_only_the_primary_metric():
    children = neo_children("nejumi_jaster_qa")
    del children["nejumi_jaster_niilc"]["char_f1,none"]
    children["nejumi_jaster_niilc"]["exact_match,none"] = 1.0
    assert group_score("nejumi_jaster_qa", children) == Missing(("nejumi_jaster_niilc",), 2)


@pytest.mark.parametrize("stderr", ["N/A", None, math.nan])
def test_groups_accept_a_missing_standard_error(stderr):
    children = neo_children("nejumi_jaster_rc")
    children["nejumi_jaster_jsquad"]["char_f1_stderr,none"] = stderr
    assert group_score("nejumi_jaster_rc", children) == Score(0.25, None)


def test_groups_accept_numpy_numbers():
    children = {
        "nejumi_jaster_jsquad": {"char_f1,none": np.float32(0.5), "char_f1_stderr,none": np.float64(0.1)}
    }
    assert group_score("nejumi_jaster_rc", children) == Score(0.5, pytest.approx(0.1))


@pytest.mark.parametrize(
    "children", [{}, {"nejumi_jaster_jsquad": {}}, {"nejumi_jaster_jsquad": {"bypass,none": 999}}]
)
def test_groups_without_results_are_missing(children):
    assert group_score("nejumi_jaster_rc", children) == Missing(("nejumi_jaster_jsquad",), 1)


def test_an_unknown_group_is_missing_and_says_why():
    assert str(group_score("nejumi_jaster_xx", {})).startswith(
        "missing: definition of group nejumi_jaster_xx"
    )


def test_unknown_protocol_is_named_with_the_choices():
    with pytest.raises(OptionError, match="'jglue': choose from llm_jp_eval, neo"):
        load_protocol("jglue")


def test_definitions_ship_with_an_installed_package(tmp_path):
    """The wheel's content decides, so ask a fresh interpreter far from the repository."""
    code = "from lm_eval_ja.protocols import load_protocol; print(load_protocol('neo').title)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "Nejumi LLM Leaderboard Neo"


def minimal(**changes):
    raw = {
        "name": "mine",
        "title": "Mine",
        "average": {"name": "AVG", "group": "mine", "formula": "mean_of_categories"},
        "categories": {"A": [{"dataset": "x", "metric": "char_f1"}]},
    }
    return {**raw, **changes}


def test_a_minimal_definition_needs_one_category():
    protocol = parse_protocol(minimal(), "mine.yaml")
    assert protocol.categories == (Category("A", "mine_a", (Member("x", "char_f1", 1.0),)),)
    assert protocol.overall is None


def test_scales_divide_before_averaging():
    raw = minimal(categories={"A": [{"dataset": "x", "metric": "bleu_en", "scale": 100}]})
    protocol = parse_protocol(raw, "mine.yaml")
    assert category_scores(protocol, {"x": Score(50.0, 10.0)}) == {"A": Score(0.5, 0.1)}


PART = {"group": "g", "metric": "score"}
OVERALL = {"name": "O", "group": "o", "formula": "mean_of_parts", "parts": [PART, PART]}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (None, "mine.yaml: expected a mapping"),
        ({"name": "x"}, r"mine.yaml: missing keys: \['title', 'average', 'categories'\]"),
        (minimal(weights={}), r"unknown keys: \['weights'\]"),
        (minimal(name=""), "expected a name, found ''"),
        (
            minimal(average={"name": "A", "group": "g", "formula": "median"}),
            "formula must be mean_of_categories",
        ),
        (minimal(categories={}), "categories must map"),
        (minimal(categories={"A": []}), "category A: expected a list of 1 or more"),
        (minimal(categories={"A": ["x"]}), "category A: expected a mapping with dataset, metric"),
        (minimal(categories={"A": [{"dataset": "x"}]}), r"category A: missing keys: \['metric'\]"),
        (minimal(categories={"A": [{"dataset": 1, "metric": "m"}]}), "category A: expected a name, found 1"),
        (
            minimal(categories={"A": [{"dataset": "x", "metric": "m", "scale": 0}]}),
            "scale must be a number above 0",
        ),
        (
            minimal(categories={"A": [{"dataset": "x", "metric": "m", "scale": "1"}]}),
            "scale must be a number above 0",
        ),
        (minimal(outside_average=[{"dataset": "x", "metric": "m"}]), "listed more than once: x"),
        (minimal(overall={**OVERALL, "parts": [PART]}), "overall: expected a list of 2 or more"),
        (minimal(overall={**OVERALL, "formula": "sum"}), "formula must be mean_of_parts, found 'sum'"),
    ],
)
def test_malformed_definitions_are_refused(raw, message):
    with pytest.raises(DataError, match=message):
        parse_protocol(raw, "mine.yaml")
