"""Intervals of runs: what they hold, what they leave out, and whether they agree with the protocol's definitions."""

import random
import statistics
from dataclasses import astuple, replace

import numpy as np
import pytest

from lm_eval_ja.analysis._intervals import bootstrap_intervals
from lm_eval_ja.analysis._leaderboards import make_leaderboards
from lm_eval_ja.results import RunSet
from tests.support.made_up_runs import (
    CATEGORIES,
    METRICS,
    jaster_task,
    mtbench_task,
    question,
    run,
    whole_run,
)


@pytest.fixture(scope="module")
def whole():
    return whole_run("model", np.random.default_rng(1))


@pytest.fixture(scope="module")
def found(whole):
    return bootstrap_intervals([whole])["model"]


MEMBERS = {
    "NLI": ("jamp", "janli", "jnli", "jsem", "jsick"),
    "QA": ("jemhopqa", "niilc"),
    "RC": ("jsquad",),
    "MC": ("jcommonsenseqa",),
    "MR": ("mawps",),
    "EL": ("chabsa",),
    "FA": ("wiki_reading", "wiki_ner", "wiki_dependency", "wiki_pas", "wiki_coreference"),
}


def mean(pairs):
    """Mean of (value, standard error) pairs of independent scores."""
    values, errors = zip(*pairs, strict=True)
    return statistics.fmean(values), sum(error**2 for error in errors) ** 0.5 / len(pairs)


def scores_of(own):
    """Neo's scores from plain lists of questions, by loops that share no code with the package."""
    scores = {}
    for task in own.tasks.values():
        if not task.is_mtbench:
            items = [question.score for question in task.questions]
            scores[task.task] = statistics.fmean(items), statistics.stdev(items) / len(items) ** 0.5
    for category, members in MEMBERS.items():
        scores[f"nejumi_jaster_{category.lower()}"] = mean(
            [scores[f"nejumi_jaster_{name}"] for name in members]
        )
    scores["nejumi_jaster"] = mean([scores[f"nejumi_jaster_{category.lower()}"] for category in MEMBERS])
    for category in CATEGORIES:
        questions = [
            question for question in own.tasks["nejumi_mtbench"].questions if question.category == category
        ]
        means = [statistics.fmean(turn.rating for turn in question.turns) for question in questions]
        scores[f"nejumi_mtbench_{category}"] = (
            statistics.fmean(means),
            statistics.stdev(means) / len(means) ** 0.5,
        )
    scores["nejumi_mtbench"] = mean([scores[f"nejumi_mtbench_{category}"] for category in CATEGORIES])
    rating, error = scores["nejumi_mtbench"]
    scores["nejumi"] = mean([scores["nejumi_jaster"], (rating / 10, error / 10)])
    return scores


def test_values_and_standard_errors_are_those_of_the_definitions(whole, found):
    expected = scores_of(whole)
    for name, (value, stderr) in expected.items():
        own = found.scores[name]
        assert own.value == pytest.approx(value), name
        assert own.stderr == pytest.approx(stderr), name
        assert own.low <= own.value <= own.high, name
        assert own.high - own.low == pytest.approx(2 * 1.96 * stderr, rel=0.2), name
    assert set(found.scores) == set(expected)
    assert [name.level for name in found.names] == [
        "overall",
        *["average"] * 2,
        *["category"] * 15,
        *["dataset"] * 16,
    ]


def test_published_names_find_their_intervals(found):
    assert found.overall is found.labelled("Overall") is found.scores["nejumi"]
    assert found.avg_jaster is found.labelled("AVG_jaster") is found.scores["nejumi_jaster"]
    assert found.avg_mtbench is found.labelled("AVG_mtbench") is found.scores["nejumi_mtbench"]
    assert found.labelled("NLI") is found.scores["nejumi_jaster_nli"]
    assert found.labelled("jamp") is found.scores["nejumi_jaster_jamp"]
    assert found.labelled("coding") is found.scores["nejumi_mtbench_coding"]
    assert found.labelled("HE") is None


def test_a_plain_loop_gives_the_same_interval():
    """Questions drawn one by one with Python's own generator, added up by loops: no code in common."""
    own = whole_run("model", np.random.default_rng(3))
    rng = random.Random(7)
    drawn = []
    for _ in range(1500):
        resampled = {}
        for task in own.tasks.values():
            if task.is_mtbench:
                questions = []
                for category in CATEGORIES:
                    members = [question for question in task.questions if question.category == category]
                    questions += [rng.choice(members) for _ in members[1:]]
            else:
                questions = [rng.choice(task.questions) for _ in task.questions[1:]]
            resampled[task.task] = replace(task, questions=tuple(questions))
        scores = scores_of(replace(own, tasks=resampled))
        drawn.append([scores[name][0] for name in ("nejumi", "nejumi_jaster", "nejumi_mtbench")])
    found = bootstrap_intervals([own], resamples=4000)["model"]
    for index, name in enumerate(("nejumi", "nejumi_jaster", "nejumi_mtbench")):
        values = sorted(row[index] for row in drawn)
        width = found.scores[name].high - found.scores[name].low
        assert statistics.quantiles(values, n=40)[0] == pytest.approx(
            found.scores[name].low, abs=0.05 * width
        ), name
        assert statistics.quantiles(values, n=40)[-1] == pytest.approx(
            found.scores[name].high, abs=0.05 * width
        ), name


def test_the_same_seed_gives_the_same_interval_whoever_else_is_in_the_report(whole, found):
    others = [whole_run(f"other-{number}", np.random.default_rng(number)) for number in range(3)]
    again = bootstrap_intervals(RunSet((*others, whole)))
    for name, interval in found.scores.items():
        assert astuple(again["model"].scores[name]) == pytest.approx(astuple(interval), abs=1e-12), name
    assert bootstrap_intervals([whole], seed=1)["model"].scores == found.scores, "only places are drawn"


def test_the_order_of_the_samples_does_not_matter(whole, found):
    tasks = {name: replace(task, questions=task.questions[::-1]) for name, task in whole.tasks.items()}
    again = bootstrap_intervals([replace(whole, tasks=tasks)])["model"]
    for name, interval in found.scores.items():
        assert (again.scores[name].low, again.scores[name].high) == pytest.approx(
            (interval.low, interval.high)
        )


def without(own, name):
    return replace(own, tasks={key: task for key, task in own.tasks.items() if key != name})


def changed(own, name, **changes):
    return replace(own, tasks={**own.tasks, name: replace(own.tasks[name], **changes)})


UNKNOWN = {
    "a task that was not run": lambda own: without(own, "nejumi_jaster_niilc"),
    "no samples": lambda own: changed(own, "nejumi_jaster_niilc", questions=()),
    "a torn samples file": lambda own: changed(
        own, "nejumi_jaster_niilc", questions=own.tasks["nejumi_jaster_niilc"].questions[:-1]
    ),
    "samples of other results": lambda own: changed(own, "nejumi_jaster_niilc", values={"char_f1": 0.123}),
    "a NaN score": lambda own: changed(own, "nejumi_jaster_niilc", score=None, values={}),
    "a question without score": lambda own: changed(
        own,
        "nejumi_jaster_niilc",
        questions=(question("niilc", 0, None), *own.tasks["nejumi_jaster_niilc"].questions[1:]),
    ),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_what_is_missing_has_no_interval_and_neither_has_what_needs_it(whole, found, case):
    own = bootstrap_intervals([UNKNOWN[case](whole)])["model"]
    gone = {name for name in found.scores if own.scores.get(name) is None}
    assert gone == {"nejumi", "nejumi_jaster", "nejumi_jaster_qa", "nejumi_jaster_niilc"}
    assert own.scores["nejumi_jaster_jemhopqa"] == found.scores["nejumi_jaster_jemhopqa"]
    assert set(own.ranks) == {"nejumi_mtbench"}


def test_one_question_has_no_spread():
    one = run("one", [jaster_task("jsquad", [0.5]), jaster_task("mawps", [1.0, 0.0])])
    scores = bootstrap_intervals([one])["one"].scores
    assert scores["nejumi_jaster_jsquad"] is scores["nejumi_jaster_rc"] is scores["nejumi_jaster"] is None
    assert scores["nejumi_jaster_mawps"].value == 0.5


def test_a_limited_mtbench_has_its_categories_but_no_average():
    rated = {"coding": [[[2], [4]], [[6], [8]]], "math": [[[1], [1]], [[3], [3]]]}
    own = bootstrap_intervals([run("limited", [mtbench_task(rated)])])["limited"]
    assert own.avg_mtbench is None
    assert (own.labelled("coding").value, own.labelled("math").value) == (5.0, 2.0)
    assert own.labelled("stem") is None


def test_unscored_turns_are_left_out_of_the_mean():
    rated = {name: [*[[[2], []], [[8], [5]]] * 4, [[], []]] for name in CATEGORIES}
    own = bootstrap_intervals([run("unscored", [mtbench_task(rated)])])["unscored"]
    assert own.avg_mtbench.value == pytest.approx(5.0)
    assert 2 <= own.avg_mtbench.low < 5 < own.avg_mtbench.high <= 8


def test_single_categories_make_up_the_average_and_the_whole_task_counts_where_there_is_one():
    rng = np.random.default_rng(5)
    rated = {name: rng.integers(1, 11, size=(10, 2, 1)).tolist() for name in CATEGORIES}
    whole = mtbench_task(rated)
    singles = [
        replace(mtbench_task({name: own}), task=f"nejumi_mtbench_{name}", category=name)
        for name, own in rated.items()
    ]
    together = bootstrap_intervals([run("m", [whole])])["m"].scores
    apart = bootstrap_intervals([run("m", singles)])["m"].scores
    assert apart["nejumi_mtbench"].value == pytest.approx(together["nejumi_mtbench"].value)
    other = replace(
        mtbench_task({"math": [[[1], [1]], [[2], [2]]]}), task="nejumi_mtbench_math", category="math"
    )
    for order in ([whole, other], [other, whole]):
        assert bootstrap_intervals([run("m", order)])["m"].scores == together
    assert bootstrap_intervals([run("m", singles[1:])])["m"].scores["nejumi_mtbench"] is None


def test_the_spread_of_repeated_judgings_is_counted_once():
    """The mean of a question's judgings already varies by what its judgings vary by."""
    rng = np.random.default_rng(11)
    rated = {name: rng.integers(1, 11, size=(10, 2, 4)).tolist() for name in CATEGORIES}
    own = bootstrap_intervals([run("judged", [mtbench_task(rated)])])["judged"].avg_mtbench
    variance = sum(np.mean(questions, axis=(1, 2)).var(ddof=1) / 10 for questions in rated.values())
    assert own.stderr == pytest.approx(np.sqrt(variance) / 8)
    averaged = {name: np.mean(questions, axis=2, keepdims=True).tolist() for name, questions in rated.items()}
    again = bootstrap_intervals([run("judged", [mtbench_task(averaged)])])["judged"].avg_mtbench
    assert astuple(again) == pytest.approx(astuple(own))


@pytest.mark.parametrize("right", [0.0, 1.0])
def test_all_right_or_all_wrong_is_not_certain(right):
    own = bootstrap_intervals([run("m", [jaster_task("jnli", [right] * 100)])])["m"].scores[
        "nejumi_jaster_jnli"
    ]
    assert own.value == right
    assert (own.low, own.high) == pytest.approx((0.0, 0.0247) if right == 0 else (0.9753, 1.0), abs=0.0001)


def test_correlations_have_no_interval():
    task = replace(
        jaster_task("jamp", [0.0, 1.0]), task="nejumi_jaster_jsts", dataset="jsts", metric="pearson"
    )
    assert bootstrap_intervals([run("m", [task])])["m"].scores == {"nejumi_jaster_jsts": None}


def test_ranks_hold_the_better_and_tell_what_is_too_close():
    scores = {dataset: (np.arange(100) < 40).astype(float) for dataset in METRICS}
    better = {name: np.maximum(values, np.arange(100) % 2) for name, values in scores.items()}
    swapped = {name: np.roll(values, 20) for name, values in scores.items()}
    runs = [
        run(key, [jaster_task(name, values.tolist()) for name, values in own.items()])
        for key, own in (("worse", scores), ("best", better), ("close", swapped))
    ]
    found = bootstrap_intervals(runs)
    places = {key: own.ranks["nejumi_jaster"] for key, own in found.items()}
    assert {(rank.runs) for rank in places.values()} == {3}
    assert (places["best"].rank, places["best"].low, places["best"].high) == (1, 1, 1)
    for key in ("worse", "close"):
        assert (places[key].rank, places[key].low, places[key].high) == (2, 2, 3), (
            "equal, so they share the place"
        )
    assert found["best"].rank == places["best"]


def test_ranks_are_paired():
    """A run that is better by the same question everywhere is ahead in every resample, however wide its interval."""
    rng = np.random.default_rng(2)
    scores = {dataset: rng.random(50) * 0.9 for dataset in METRICS}
    runs = [
        run(key, [jaster_task(name, (values + lead).tolist()) for name, values in scores.items()])
        for key, lead in (("ahead", 0.001), ("behind", 0.0))
    ]
    found = bootstrap_intervals(runs)
    ahead, behind = found["ahead"], found["behind"]
    assert ahead.avg_jaster.low < behind.avg_jaster.high
    assert (ahead.rank.high, behind.rank.low) == (1, 2)


def test_runs_of_different_leaderboards_are_not_ranked_together():
    rng = np.random.default_rng(4)
    shots = [
        run(
            key,
            [
                jaster_task(name, rng.random(10).tolist(), signature={"data": "d", "shots": n})
                for name in METRICS
            ],
        )
        for key, n in (("zero", "0"), ("zero too", "0"), ("four", "4"))
    ]
    assert len(make_leaderboards(shots)) == 2
    found = bootstrap_intervals(shots)
    assert {key: own.rank.runs for key, own in found.items()} == {"zero": 2, "zero too": 2, "four": 1}
