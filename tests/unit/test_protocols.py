"""Protocols and their trees: published rows, constants, what is missing, standard errors, the harness's groups."""

import json
import math
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_eval_ja.errors import OptionError
from lm_eval_ja.metrics import METRICS, apply_steps, check_steps
from lm_eval_ja.protocols import (
    Leaf,
    Member,
    Missing,
    Node,
    Score,
    evaluate,
    find_conversation,
    find_node,
    find_rules,
    group_score,
    load_protocol,
    mean_number,
    mean_score,
    protocol_names,
    reported_score,
)

NEO = load_protocol("neo")
LLM_JP_EVAL = load_protocol("llm_jp_eval")
EVERY = [load_protocol(name) for name in protocol_names()]
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


def rows(text: str) -> list[list[float]]:
    return [[float(number) for number in line.split()] for line in text.strip().splitlines()]


def node(name: str) -> Node:
    found = find_node(name)
    assert found is not None
    return found


def by_label(parent: Node, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a node's children, given by the labels that published tables have."""
    names = {child.label: child.name for child in parent.children}
    assert values.keys() <= names.keys()
    return {names[label]: value for label, value in values.items()}


def of_members(parent: Node, **scores: Score) -> Score | Missing:
    """The node's score from its children's scores."""
    return evaluate(parent, by_label(parent, scores), mean_score)[parent.name]


def leaf(name: str, **changes: Any) -> Leaf:
    return Leaf(**{"name": name, "label": name, "task": name, "metric": "m", **changes})


def mean_of(name: str, *members: Any, **changes: Any) -> Node:
    """A node; a member is a child, or a child and its weight."""
    pairs = [Member(*own) if isinstance(own, tuple) else Member(own) for own in members]
    return Node(name=name, label=name.upper(), members=tuple(pairs), protocol="mine", **changes)


# --------------------------------------------------------------------------------------------- published rows


@pytest.mark.parametrize("row", rows(NEO_ROWS))
def test_published_neo_rows_follow_from_their_categories(row):
    names = ["NLI", "QA", "RC", "MC", "EL", "FA", "MR"]
    scores = {name: Score(value) for name, value in zip(names, row[1:], strict=True)}
    result = of_members(node("nejumi_jaster"), **scores)
    assert isinstance(result, Score)
    assert round(result.value, 4) == row[0]


@pytest.mark.parametrize("row", rows(LLM_JP_ROWS))
def test_published_llm_jp_rows_follow_from_their_categories(row):
    names = ["EL", "FA", "HE", "MC", "MR", "MT", "NLI", "QA", "RC"]
    scores = {name: Score(value) for name, value in zip(names, row[1:], strict=True)}
    result = of_members(node("llm_jp_eval"), **scores)
    assert isinstance(result, Score)
    assert round(result.value, 3) == row[0]


def test_the_order_of_protocols_and_of_tables_is_as_published():
    assert protocol_names() == (
        *("neo", "llm_jp_eval", "mtbench-ja-neo", "mtbench-ja-2024"),
        *("llm_jp_eval_1_4", "llm_jp_eval_2_1", "llm_jp_eval_2_1_base", "nejumi3", "nejumi4", "m_ifeval_ja"),
    )
    assert [child.label for child in node("nejumi_jaster").children] == [
        *("NLI", "QA", "RC", "MC", "MR", "EL", "FA"),
    ]
    assert [child.label for child in node("llm_jp_eval").children] == [
        *("EL", "FA", "HE", "MC", "MR", "MT", "NLI", "QA", "RC"),
    ]
    assert [child.label for child in node("nejumi").children] == ["AVG_jaster", "AVG_mtbench"]


# -------------------------------------------------------------------------------------------------- constants


def categories_of(name: str) -> dict[str, tuple[str, str]]:
    """Category and metric that counts, by dataset, as the protocol's trees have it."""
    own = load_protocol(name)
    tasks = {rules.task: rules.dataset for rules in own.tasks.values()}
    found: dict[str, tuple[str, str]] = {}
    for parent in own.nodes():
        for child in parent.children:
            if isinstance(child, Leaf) and child.task in tasks:
                assert tasks[child.task] not in found, "in two averages"
                found[tasks[child.task]] = parent.label, child.metric
    return found


def test_neo_agrees_with_the_protocol_constants(spec: Path):
    constants = json.loads((spec / "instructions.json").read_text(encoding="utf-8"))["neo"]
    rules = {own.dataset: own for own in NEO.tasks.values() if own.category}
    found = {
        name: {
            "category": own.category,
            "metric": own.metric,
            "output_length": own.output_length,
            "instruction": own.instruction,
            "n": own.questions,
        }
        for name, own in rules.items()
    }
    assert found == constants
    assert categories_of("neo") == {name: (own["category"], own["metric"]) for name, own in constants.items()}
    assert {own.dataset for own in NEO.tasks.values() if own.category is None} == {"jsts"}


def test_llm_jp_eval_agrees_with_the_protocol_constants(spec: Path):
    constants = json.loads((spec / "instructions.json").read_text(encoding="utf-8"))["llm_jp_eval_1_3_0"]
    rules = {own.dataset: own for own in LLM_JP_EVAL.tasks.values()}
    assert rules.keys() == constants.keys()
    for name, entry in constants.items():
        own = rules[name]
        assert (own.category, own.output_length) == (entry["category"], entry["output_length"]), name
        assert own.instruction == entry["instruction"], name
        assert {own.metric, *own.metrics} <= set(entry["metrics"]), name
    averaged = {name: entry["category"] for name, entry in constants.items() if entry["category"] is not None}
    assert {name: category for name, (category, _) in categories_of("llm_jp_eval").items()} == averaged
    metrics = {name: metric for name, (_, metric) in categories_of("llm_jp_eval").items()}
    assert {metrics[name] for name in averaged if averaged[name] == "MT"} == {"comet_wmt22"}


def test_how_questions_are_asked_is_as_published():
    for own in NEO.tasks.values():
        assert (own.split, own.shots, own.prompt_style) == ("test", 0, "alpaca")
        assert own.generation == {"until": ["\n\n"], "temperature": 0.0}
        assert own.questions == (20 if own.dataset.startswith("wiki_") else 100)
        assert own.variant == (None if own.dataset == "jsts" else "neo")
        assert own.protocol == ("llm_jp_eval" if own.dataset == "jsts" else "neo")
    for own in LLM_JP_EVAL.tasks.values():
        assert (own.split, own.shots, own.questions, own.variant) == ("dev", 4, 100, None)
        assert (own.prompt_style, own.protocol) == ("alpaca", "llm_jp_eval")
        assert own.generation == {"until": ["\n\n"], "temperature": 0.0}


def test_answers_are_normalized_as_published():
    cut, lower, drop = ("cut_at_blank_line", "nfkc"), ("strip", "lower"), ("drop_answer_prefix",)
    expected = {"NLI": (*cut, *lower), "QA": (*cut, *lower, *drop), "RC": (*cut, *lower, *drop)}
    for own in NEO.tasks.values():
        assert own.normalization == expected.get(own.category or "", (*cut, "strip")), own.task
    assert {own.normalization for own in LLM_JP_EVAL.tasks.values()} == {cut}
    assert apply_steps(" 回答： ＹＥＳ\n\nx", NEO.tasks["nejumi_jaster_niilc"].normalization) == " yes"


def test_every_metric_and_step_exists():
    for protocol in EVERY:
        for own in protocol.tasks.values():
            assert {*own.metrics, own.metric} <= METRICS.keys() | WITHOUT_FUNCTION_HERE
            check_steps(own.normalization)


def test_names_are_unique_over_all_protocols():
    nodes: dict[str, Node] = {}
    leaves: dict[str, Leaf] = {}
    for protocol in EVERY:
        for own in protocol.nodes():
            assert nodes.setdefault(own.name, own) == own
        for leaf_ in protocol.leaves():
            assert leaves.setdefault(leaf_.name, leaf_) == leaf_
    assert not nodes.keys() & leaves.keys()
    assert not nodes.keys() & {task for protocol in EVERY for task in protocol.tasks}
    prefixes = [protocol.prefix for protocol in EVERY]
    tasks = [task for protocol in EVERY for task in protocol.tasks]
    assert len({*prefixes, *tasks}) == len(prefixes) + len(tasks)


def test_conversations_are_the_eight_categories():
    for name, revision in (("mtbench-ja-neo", "neo"), ("mtbench-ja-2024", "2024")):
        own = find_conversation(name)
        assert own is not None
        assert (own.revision, own.max_new_tokens) == (revision, 1024)
        assert own.temperatures == {
            **dict.fromkeys(("coding", "extraction", "math", "reasoning"), 0.0),
            **dict.fromkeys(("humanities", "stem"), 0.1),
            **dict.fromkeys(("roleplay", "writing"), 0.7),
        }
        (root,) = load_protocol(name).scores
        assert [leaf_.metric for leaf_ in root.leaves()] == sorted(own.temperatures)
        assert {leaf_.scale for leaf_ in root.leaves()} == {root.scale} == {10.0}
    assert find_conversation("neo") is None
    assert find_conversation("nothing") is None


def test_a_protocol_finds_its_parts():
    assert NEO.task("jnli") == "nejumi_jaster_jnli"
    assert NEO.task("jnli", 4) == "nejumi_jaster_jnli_4shot"
    assert find_rules("llm_jp_eval_jnli") == LLM_JP_EVAL.tasks["llm_jp_eval_jnli"]
    assert find_rules("hellaswag") is None
    assert NEO.related() == ("mtbench-ja-neo",)
    assert LLM_JP_EVAL.related() == ()
    assert "jsts" not in NEO.datasets, "its questions are another protocol's"
    assert "jsts" in LLM_JP_EVAL.datasets
    (root,) = NEO.scores
    assert NEO.parent(root) is None
    assert NEO.parent(node("nejumi_jaster_qa")) == node("nejumi_jaster")


# ------------------------------------------------------------------------------------------------ what is missing


def neo_leaves(value: float = 0.5) -> dict[str, Score]:
    return {own.name: Score(value) for own in node("nejumi_jaster").leaves()}


def test_categories_are_means_of_their_datasets():
    scores = neo_leaves()
    scores |= {"nejumi_jaster_jemhopqa": Score(0.2), "nejumi_jaster_niilc": Score(0.4)}
    scores |= {"nejumi_jaster_jsts": Score(1.0), "unknown": Score(1.0)}
    found = evaluate(node("nejumi_jaster"), scores, mean_score)
    categories = {child.label: found[child.name] for child in node("nejumi_jaster").children}
    assert categories.pop("QA") == Score(pytest.approx(0.3))
    assert set(categories.values()) == {Score(0.5)}
    assert found["nejumi_jaster"] == Score(pytest.approx((6 * 0.5 + 0.3) / 7))
    assert "nejumi_jaster_jsts" not in found


def test_what_is_missing_travels_up_the_tree():
    scores = neo_leaves()
    del scores["nejumi_jaster_wiki_ner"], scores["nejumi_jaster_wiki_pas"]
    found = evaluate(node("nejumi"), {**scores, "nejumi_mtbench": Score(6.0)}, mean_score)
    assert found["nejumi_jaster_wiki_ner"] == Missing(("wiki_ner",), 1)
    assert found["nejumi_jaster_fa"] == Missing(("wiki_ner", "wiki_pas"), 5)
    assert found["nejumi_jaster_nli"] == Score(0.5)
    assert found["nejumi_jaster"] == Missing(("FA",), 7)
    assert str(found["nejumi_jaster"]) == "missing: FA (6 of 7 present)"
    assert found["nejumi"] == Missing(("AVG_jaster",), 2)
    nothing = evaluate(node("nejumi"), {}, mean_score)
    assert nothing["nejumi_jaster"] == Missing(("NLI", "QA", "RC", "MC", "MR", "EL", "FA"), 7)
    assert nothing["nejumi"] == Missing(("AVG_jaster", "AVG_mtbench"), 2)


def test_a_part_of_mtbench_is_no_average():
    root = node("nejumi_mtbench")
    scores = {leaf_.name: Score(5.0) for leaf_ in root.leaves()}
    assert evaluate(root, scores, mean_score)[root.name] == Score(5.0)
    del scores["nejumi_mtbench_math"]
    assert str(evaluate(root, scores, mean_score)[root.name]) == "missing: math (7 of 8 present)"


def test_zero_is_a_score_and_not_missing():
    root = mean_of("root", leaf("a"), leaf("b"))
    assert evaluate(root, {"a": Score(0.0, 0.0), "b": Score(1.0, 0.0)}, mean_score)["root"] == Score(0.5, 0.0)
    assert evaluate(root, {"a": 0.0, "b": 0.0}, mean_number)["root"] == 0.0


@pytest.mark.parametrize("absent", [None, Missing(("x",), 1)])
def test_none_is_missing(absent):
    root = mean_of("root", leaf("a"), leaf("b"))
    assert evaluate(root, {"a": Score(1.0), "b": absent}, mean_score)["root"] == Missing(("b",), 2)


def test_what_is_given_for_a_node_is_taken_without_a_look_below():
    root = mean_of("root", mean_of("inner", leaf("a")), leaf("b"))
    found = evaluate(root, {"inner": 3.0, "a": 1.0, "b": 1.0}, mean_number)
    assert found == {"inner": 3.0, "b": 1.0, "root": 2.0}
    assert evaluate(root, {"inner": Missing(("x",), 1), "a": 1.0, "b": 1.0}, mean_number)["root"] == Missing(
        ("INNER",), 2
    )


def test_members_that_may_be_skipped_are_left_out_of_the_mean():
    root = mean_of("root", (leaf("a"), 2), (leaf("b"), 1), (leaf("c"), 1), missing="skip")
    assert evaluate(root, {"a": 1.0, "c": 4.0}, mean_number)["root"] == 2.0
    above = mean_of("above", root, leaf("d"))
    assert evaluate(above, {"d": 1.0}, mean_number)["root"] == Missing(("a", "b", "c"), 3)
    assert evaluate(above, {"d": 1.0}, mean_number)["above"] == Missing(("ROOT",), 2)


# ----------------------------------------------------------------------------------- weights, scales, errors


def test_the_standard_error_is_that_of_a_mean_of_means():
    scores = [Score(0.2, 0.03), Score(0.4, 0.04), Score(0.6, 0.12)]
    expected = math.sqrt(0.03**2 + 0.04**2 + 0.12**2) / 3
    assert mean_score(scores, [1, 1, 1]) == Score(pytest.approx(0.4), pytest.approx(expected))
    weighted = math.sqrt((2 * 0.03) ** 2 + 0.04**2 + 0.12**2) / 4
    assert mean_score(scores, [2, 1, 1]) == Score(pytest.approx(0.35), pytest.approx(weighted))


@pytest.mark.parametrize("stderr", [None, math.nan, math.inf])
def test_the_standard_error_is_unknown_if_one_is(stderr):
    scores = [Score(0.2, 0.03), Score(0.4, stderr)]
    assert mean_score(scores, [1, 1]) == Score(pytest.approx(0.3), None)


def test_overall_puts_mtbench_on_the_scale_of_jaster():
    root = node("nejumi")

    def overall(**given: Score) -> Score | Missing:
        return of_members(root, **given)

    jaster = Score(0.5, 0.03)
    assert overall(AVG_jaster=jaster, AVG_mtbench=Score(6.0, 0.4)) == Score(0.55, pytest.approx(0.025))
    assert overall(AVG_jaster=jaster, AVG_mtbench=Score(6.0)) == Score(0.55, None)
    assert overall(AVG_mtbench=Score(6.0)) == Missing(("AVG_jaster",), 2)


def test_scales_divide_before_averaging():
    root = mean_of("root", leaf("bleu", scale=100.0), leaf("f1"), scale=1.0)
    assert evaluate(root, {"bleu": Score(50.0, 10.0), "f1": Score(0.1, 0.0)}, mean_score)["root"] == Score(
        0.3, pytest.approx(0.05)
    )
    above = mean_of("above", root, scale=10.0)
    assert evaluate(above, {"bleu": 50.0, "f1": 0.1}, mean_number)["above"] == pytest.approx(3.0)


def test_weights_count_among_those_that_are_there():
    root = mean_of("root", (leaf("a"), 1), (leaf("b"), 2))
    assert evaluate(root, {"a": 0.0, "b": 0.9}, mean_number)["root"] == pytest.approx(0.6)
    assert evaluate(root, {"b": 0.9}, mean_number)["root"] == Missing(("a",), 2)


def test_a_node_may_be_a_member_of_two_trees():
    shared = mean_of("shared", leaf("a"), leaf("b"))
    calls: list[int] = []

    def counting(values: Any, weights: Any) -> float:
        calls.append(len(values))
        return mean_number(values, weights)

    root = mean_of("root", mean_of("left", shared), mean_of("right", (shared, 3), (leaf("c"), 1)))
    found = evaluate(root, {"a": 0.2, "b": 0.4, "c": 0.7}, counting)
    assert found["shared"] == found["left"] == pytest.approx(0.3)
    assert found["right"] == pytest.approx((3 * 0.3 + 0.7) / 4)
    assert found["root"] == pytest.approx((found["left"] + found["right"]) / 2)
    assert len(calls) == 4, "the shared node is evaluated once"
    assert root.leaves() == (leaf("a"), leaf("b"), leaf("c"))


# -------------------------------------------------------------------------------------------------- properties

UNIT = st.floats(0, 1)


@st.composite
def trees(draw: Any, depth: int = 3) -> tuple[Node, dict[str, float]]:
    """A tree of any shape on one scale, and a value for each leaf."""
    values: dict[str, float] = {}
    count = 0

    def grow(level: int) -> Node | Leaf:
        nonlocal count
        count += 1
        name = f"n{count}"
        if level == 0 or (level < depth and draw(st.booleans())):
            values[name] = draw(UNIT)
            return leaf(name)
        members = [
            (grow(level - 1), draw(st.sampled_from([1, 2, 0.5]))) for _ in range(draw(st.integers(1, 4)))
        ]
        return mean_of(name, *members, missing=draw(st.sampled_from(["missing", "skip"])))

    root = grow(depth)
    assert isinstance(root, Node)
    return root, values


@given(trees())
def test_the_mean_stays_between_its_members(tree):
    root, values = tree
    found = evaluate(root, values, mean_number)
    for part in root.walk():
        if isinstance(part, Node):
            below = [found[child.name] for child in part.children]
            assert min(below) - 1e-12 <= found[part.name] <= max(below) + 1e-12


@given(trees(), st.lists(UNIT, min_size=1, max_size=5))
def test_arrays_numbers_and_scores_agree(tree, factors):
    root, values = tree
    arrays = {name: np.array([value * factor for factor in factors]) for name, value in values.items()}

    def mean_array(own: Any, weights: Any) -> Any:
        return np.average(np.stack(own), axis=0, weights=weights)

    drawn = evaluate(root, arrays, mean_array)
    for place, factor in enumerate(factors):
        numbers = {name: value * factor for name, value in values.items()}
        plain = evaluate(root, numbers, mean_number)
        scores = evaluate(root, {name: Score(own, own) for name, own in numbers.items()}, mean_score)
        for name, number in plain.items():
            assert drawn[name][place] == pytest.approx(number, abs=1e-12)
            assert scores[name].value == number
            assert scores[name].stderr <= number + 1e-12, "independent errors never add up to more"


@given(trees(), st.data())
def test_a_node_is_there_exactly_if_the_members_it_needs_are(tree, data):
    root, values = tree
    gone = data.draw(st.sets(st.sampled_from(sorted(values))))
    found = evaluate(root, {name: own for name, own in values.items() if name not in gone}, mean_number)
    for part in root.walk():
        absent = isinstance(found[part.name], Missing)
        if isinstance(part, Leaf):
            assert absent == (part.name in gone)
            continue
        lacking = [isinstance(found[child.name], Missing) for child in part.children]
        assert absent == (all(lacking) if part.missing == "skip" else any(lacking))
        if absent:
            labels = [child.label for child, gap in zip(part.children, lacking, strict=True) if gap]
            assert found[part.name] == Missing(tuple(labels), len(part.members))


# --------------------------------------------------------------------------------------- the harness's groups


def neo_children(group: str) -> dict[str, dict[str, Any]]:
    return {
        child.task: {f"{child.metric},none": 0.25, f"{child.metric}_stderr,none": 0.1, "alias": child.label}
        for child in node(group).children
        if isinstance(child, Leaf)
    }


@pytest.mark.parametrize("category", node("nejumi_jaster").children, ids=lambda category: category.label)
def test_category_groups_average_their_tasks(category):
    children = neo_children(category.name)
    assert group_score(category.name, children) == Score(0.25, pytest.approx(0.1 / math.sqrt(len(children))))


def test_groups_add_up_to_what_the_protocol_says():
    children = {
        child.name: {"score,none": 0.1 * i, "score_stderr,none": 0.02, "sample_len": 100}
        for i, child in enumerate(node("nejumi_jaster").children)
    }
    jaster = group_score("nejumi_jaster", children)
    assert jaster == Score(pytest.approx(0.3), pytest.approx(0.02 / math.sqrt(7)))
    parts = {
        "nejumi_jaster": {"score,none": 0.3},
        "nejumi_mtbench": {"score,none": 7.0, "score_stderr,none": "N/A"},
    }
    assert group_score("nejumi", parts) == Score(pytest.approx(0.5), None)
    del parts["nejumi_mtbench"]
    assert group_score("nejumi", parts) == Missing(("AVG_mtbench",), 2)


def test_groups_read_a_category_of_mtbench_from_its_task():
    results = {f"{leaf_.metric},none": 6.0 for leaf_ in node("nejumi_mtbench").leaves()}
    assert group_score("nejumi_mtbench", {"nejumi_mtbench": results}) == Score(6.0, None)


def test_groups_ignore_children_that_belong_to_no_average():
    children = neo_children("nejumi_jaster_qa") | {"nejumi_jaster_jsts": {"pearson,none": 1.0}}
    assert group_score("nejumi_jaster_qa", children) == Score(0.25, pytest.approx(0.1 / math.sqrt(2)))


@pytest.mark.parametrize("value", [math.nan, math.inf, "N/A", None, [], pytest.param(10**400, id="huge")])
def test_groups_name_children_without_a_number(value):
    children = neo_children("nejumi_jaster_qa")
    children["nejumi_jaster_niilc"]["char_f1,none"] = value
    assert group_score("nejumi_jaster_qa", children) == Missing(("niilc",), 2)


def test_groups_read_only_the_metric_that_counts():
    children = neo_children("nejumi_jaster_qa")
    del children["nejumi_jaster_niilc"]["char_f1,none"]
    children["nejumi_jaster_niilc"]["exact_match,none"] = 1.0
    assert group_score("nejumi_jaster_qa", children) == Missing(("niilc",), 2)


def test_translation_without_its_metric_is_missing_whatever_else_was_computed():
    children = {
        child.task: {"bleu_ja,none": 18.0, "bleu_en,none": 18.0} for child in node("llm_jp_eval_mt").children
    }
    found = group_score("llm_jp_eval_mt", children)
    assert isinstance(found, Missing)
    assert len(found.names) == found.total == 4


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
    assert group_score("nejumi_jaster_rc", children) == Missing(("jsquad",), 1)


def test_an_unknown_group_is_missing_and_says_why():
    assert str(group_score("nejumi_jaster_xx", {})).startswith(
        "missing: definition of group nejumi_jaster_xx"
    )


def test_a_score_that_is_no_number_is_none():
    assert reported_score({"f1,none": 0.5, "f1_stderr,none": 0.1}, "f1") == Score(0.5, 0.1)
    assert reported_score({"f1,strict": 0.5}, "f1") is None
    for value in (math.nan, -math.inf, "0.5", None, 10**400):
        assert reported_score({"f1,none": value}, "f1") is None
    assert reported_score({"f1,none": 0.5, "f1_stderr,none": "N/A"}, "f1") == Score(0.5, None)


# ----------------------------------------------------------------------------------------------- where they are


@pytest.mark.parametrize("name", ["jglue", "", "../neo", "neo.yaml"])
def test_unknown_protocol_is_named_with_the_choices(name):
    with pytest.raises(OptionError, match=r"unknown protocol .*: choose from .*llm_jp_eval.*neo"):
        load_protocol(name)


def test_protocols_ship_with_an_installed_package(tmp_path):
    """The wheel's content decides, so ask a fresh interpreter far from the repository."""
    code = "from lm_eval_ja.protocols import load_protocol; print(load_protocol('neo').title)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "Nejumi LLM Leaderboard Neo"
