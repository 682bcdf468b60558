"""Comparing two runs: the numbers, the questions, what is refused and what is noted."""

from dataclasses import replace

import numpy as np
import pytest

from lm_eval_ja.analysis._compare import compare_runs
from lm_eval_ja.analysis._intervals import bootstrap_intervals
from lm_eval_ja.errors import DataError, OptionError
from tests.support.made_up_runs import CATEGORIES, METRICS, NEO, jaster_task, mtbench_task, run, whole_run


def by_name(comparison):
    return {own.name.name: own for own in comparison.differences}


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(0)
    return whole_run("a", rng), whole_run("b", rng, ability=0.55)


@pytest.fixture(scope="module")
def compared(pair):
    return compare_runs(*pair)


def test_scores_and_differences_are_those_of_the_runs(pair, compared):
    alone = bootstrap_intervals(pair)
    found = by_name(compared)
    assert set(found) == set(alone["a"].scores)
    for name, own in found.items():
        assert own.a == pytest.approx(alone["a"].scores[name].value), name
        assert own.b == pytest.approx(alone["b"].scores[name].value), name
        assert own.difference == pytest.approx(own.b - own.a), name
        assert own.low <= own.difference <= own.high, name
        assert own.p <= own.p_holm <= 1, name
    assert compared.warnings == ()
    assert [own.name.level for own in compared.differences][:3] == ["overall", "average", "average"]


def test_turning_the_runs_round_turns_everything_round(pair, compared):
    turned = by_name(compare_runs(*reversed(pair)))
    for name, own in by_name(compared).items():
        other = turned[name]
        assert other.difference == pytest.approx(-own.difference)
        assert (other.low, other.high) == pytest.approx((-own.high, -own.low), abs=1e-9)
        assert (other.p, other.p_holm) == (own.p, own.p_holm)
        assert (other.better, other.worse) == (own.worse, own.better)


def test_a_run_does_not_differ_from_itself(pair):
    own = compare_runs(pair[0], replace(pair[0], key="again"))
    assert all((row.difference, row.p) == (0, 1) for row in own.differences)
    assert all(row.low < 0 < row.high for row in own.differences), (
        "other questions could have told them apart"
    )
    assert own.changes == ()
    assert own.warnings == ("both are the same results",)


def test_pairing_sees_what_single_intervals_cannot():
    """The second run answers 6 more of 600 questions right and loses none: the intervals of the two overlap widely."""
    rng = np.random.default_rng(5)
    right = {name: rng.random(100) < 0.5 for name in METRICS}
    more = {name: values.copy() for name, values in right.items()}
    for values in more.values():
        values[np.flatnonzero(~values)[:3]] = True
    a, b = (
        run(key, [jaster_task(name, values.astype(float).tolist()) for name, values in own.items()])
        for key, own in (("a", right), ("b", more))
    )
    alone = bootstrap_intervals([a, b])
    assert alone["a"].avg_jaster.high > alone["b"].avg_jaster.value
    found = by_name(compare_runs(a, b))["nejumi_jaster"]
    assert found.low > 0
    assert found.p < 0.01
    assert (found.better, found.worse, found.questions) == (48, 0, 1600)


def test_holm_adjusts_within_a_level(compared):
    datasets = [own for own in compared.differences if own.name.level == "dataset"]
    least = min(datasets, key=lambda own: own.p)
    assert least.p_holm == pytest.approx(min(1.0, 16 * least.p))
    top = [own for own in compared.differences if own.name.level in ("overall", "average")]
    least = min(top, key=lambda own: own.p)
    assert least.p_holm == pytest.approx(min(1.0, 3 * least.p))


def test_changed_questions_are_listed_flips_first_and_largest_first():
    a = run("a", [jaster_task("jnli", [1.0, 0.0, 1.0]), jaster_task("chabsa", [0.9, 0.2, 0.5])])
    b = run("b", [jaster_task("jnli", [0.0, 1.0, 1.0]), jaster_task("chabsa", [0.8, 0.9, 0.5])])
    changes = compare_runs(a, b).changes
    assert [(own.a.id, own.kind) for own in changes] == [
        ("jnli-0000", "right_to_wrong"),
        ("jnli-0001", "wrong_to_right"),
        ("chabsa-0001", "better"),
        ("chabsa-0000", "worse"),
    ]
    assert (changes[2].score_a, changes[2].score_b) == (0.2, 0.9)
    assert changes[2].b.dataset == "chabsa"


def test_ratings_count_over_the_turns_that_both_have():
    rated = {name: [[[4], [6]], [[2], [2]], [[5], [5]]] for name in CATEGORIES}
    other = {name: [[[5], []], [[2], [3]], [[], []]] for name in CATEGORIES}
    comparison = compare_runs(run("a", [mtbench_task(rated)]), run("b", [mtbench_task(other)]))
    own = by_name(comparison)["nejumi_mtbench"]
    assert (own.a, own.b) == (pytest.approx((4 + 2 + 2) / 3), pytest.approx((5 + 2 + 3) / 3))
    assert (own.questions, own.better, own.worse) == (16, 16, 0)
    assert any(
        "24 of 48 answers to common questions have no score" in warning
        and "`lm-eval-ja report` count them" in warning
        for warning in comparison.warnings
    )
    assert [(c.score_a, c.score_b) for c in comparison.changes[:1]] == [(4.0, 5.0)]


def test_a_wholly_unscored_task_leaves_its_scores_missing():
    rated = {name: [[[4], [6]], [[2], [2]]] for name in CATEGORIES}
    unrated = {name: [[[], []], [[], []]] for name in CATEGORIES}
    jaster = [jaster_task(name, [1.0, 0.0]) for name in METRICS]
    comparison = compare_runs(
        run("a", [*jaster, mtbench_task(rated)]), run("b", [*jaster, mtbench_task(unrated)])
    )
    found = by_name(comparison)
    for name in ("nejumi", "nejumi_mtbench"):
        own = found[name]
        assert (own.a, own.b, own.difference, own.low, own.p, own.p_holm) == (None,) * 6
    assert found["nejumi_jaster"].difference == 0


def test_different_limits_are_compared_on_the_common_questions():
    rng = np.random.default_rng(1)
    scores = {name: rng.random(10).tolist() for name in METRICS}
    a = run("a", [jaster_task(name, own) for name, own in scores.items()])
    b = run("b", [jaster_task(name, own[:4], available=10) for name, own in scores.items()])
    comparison = compare_runs(a, b)
    own = by_name(comparison)["nejumi_jaster"]
    assert own.questions == 64
    assert own.difference == 0
    assert own.a == pytest.approx(bootstrap_intervals([b])["b"].avg_jaster.value)
    (warning,) = comparison.warnings
    assert "160" in warning
    assert "only the 64 that both have answered count" in warning


def test_part_of_the_tasks_leaves_the_averages_missing():
    a = run("a", [jaster_task(name, [1.0, 0.0]) for name in METRICS])
    b = run("b", [jaster_task(name, [1.0, 1.0]) for name in ("jemhopqa", "niilc", "jnli")])
    comparison = compare_runs(a, b)
    found = by_name(comparison)
    assert found["nejumi_jaster_qa"].difference == 0.5
    assert found["nejumi_jaster_nli"].difference is None
    assert found["nejumi_jaster"].difference is None
    assert any("only a has nejumi_jaster_jamp" in warning for warning in comparison.warnings)


def signed(name, key, **fields):
    task = jaster_task(name, [1.0, 0.0, 1.0])
    return run(key, [replace(task, signature={**task.signature, **fields})])


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("shots", "different shots: 0 in a, 4 in b (nejumi_jaster_jnli)"),
        ("style", "different prompt style"),
        ("judge", "different judge"),
        ("gen", "different generation settings"),
    ],
)
def test_different_settings_are_noted(field, expected):
    comparison = compare_runs(signed("jnli", "a", **{field: "0"}), signed("jnli", "b", **{field: "4"}))
    assert any(expected in warning for warning in comparison.warnings)
    assert by_name(comparison)["nejumi_jaster_jnli"].difference == 0


def with_task(key, **changes):
    return run(key, [jaster_task("jnli", [1.0, 0.0, 1.0], **changes)])


def with_questions(key, **changes):
    task = jaster_task("jnli", [1.0, 0.0, 1.0])
    return run(key, [replace(task, questions=tuple(replace(own, **changes) for own in task.questions))])


REFUSED = {
    "no common task": (run("b", [jaster_task("jamp", [1.0])]), OptionError, "no task in common"),
    "other data": (
        signed("jnli", "b", data="other"),
        OptionError,
        "different data: made-up-jnli in a, other in b",
    ),
    "sample data": (
        with_task("b", available=9, signature={"protocol": "neo", "data": "sample-0"}),
        OptionError,
        "different data",
    ),
    "other protocol": (
        signed("jnli", "b", protocol="llm_jp_eval"),
        OptionError,
        "different protocols: neo in a",
    ),
    "other metric": (with_task("b", metric="char_f1"), OptionError, "exact_match in a and by char_f1 in b"),
    "other text": (
        with_questions("b", input="別の質問"),
        OptionError,
        "question jnli-0000 .* isn't the same text",
    ),
    "other gold": (with_questions("b", gold="別の正解"), OptionError, "isn't the same text"),
    "no samples": (with_task("b", questions=()), DataError, "b has no samples .*--log_samples"),
    "other questions": (
        with_task("b", questions=jaster_task("jamp", [1.0]).questions),
        DataError,
        "no question in common",
    ),
    "nothing scored": (
        with_questions("b", score=None),
        DataError,
        "no question in common that both have a score for",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_number_could_be_true_of_is_refused(case):
    other, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        compare_runs(with_task("a"), other)


def test_another_number_of_samples_of_the_same_data_is_no_other_data():
    """``max_samples`` changes the digest; the questions that both have are the same, text by text."""
    other = with_task("b", available=2000, signature={"protocol": "neo", "data": "more"})
    assert by_name(compare_runs(with_task("a"), other))["nejumi_jaster_jnli"].questions == 3


def test_the_seed_decides_everything(pair):
    numbers = [
        [own.p for own in compare_runs(*pair, permutations=500, seed=seed).differences] for seed in (0, 0, 1)
    ]
    assert numbers[0] == numbers[1] != numbers[2]


def test_names_are_those_of_the_protocol(compared):
    labels = {own.name.label for own in compared.differences}
    assert labels >= {"Overall", "AVG_jaster", "AVG_mtbench", *METRICS, *CATEGORIES}
    assert labels >= {node.label for node in NEO.nodes()}
