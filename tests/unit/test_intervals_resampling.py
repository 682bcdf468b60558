"""The array functions: against slow loops, against enumeration, and in simulation against known truths."""

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lm_eval_ja.analysis._intervals import mean_array
from lm_eval_ja.analysis._leaf_intervals import (
    METRIC,
    RATING,
    combine,
    difference_margins,
    difference_moments,
    moments,
    score_margins,
    sum_margins,
)
from lm_eval_ja.analysis._resampling import (
    bootstrap_means,
    generator,
    holm,
    question_means,
    rank_intervals,
    ranks,
    sign_flips,
    two_sided_p,
)
from lm_eval_ja.protocols import Leaf, Member, Node, evaluate, mean_number


def loop_mean(questions):
    """Mean over all scored turns of questions, each a list of turns, each a list of ratings with None for none."""
    turns = []
    for question in questions:
        for turn in question:
            ratings = [rating for rating in turn if not np.isnan(rating)]
            if ratings:
                turns.append(sum(ratings) / len(ratings))
    return sum(turns) / len(turns) if turns else float("nan")


def some_values(rng, models=3, questions=7, turns=2, judgings=3, missing=0.2):
    values = rng.integers(1, 11, size=(models, questions, turns, judgings)).astype(float)
    values[rng.random(values.shape) < missing] = np.nan
    return values


@pytest.mark.parametrize("seed", range(5))
def test_means_agree_with_a_loop(seed):
    values = some_values(np.random.default_rng(seed))
    assert question_means(values) == pytest.approx([loop_mean(own.tolist()) for own in values], nan_ok=True)


@pytest.mark.parametrize("resamples", [1, 250, 611])
def test_resamples_agree_with_a_loop_over_the_same_draws(resamples):
    values = some_values(np.random.default_rng(1), judgings=1)
    found = bootstrap_means(values, resamples=resamples, seed=5, name="x")
    rng = generator(5, "questions", "x")
    expected = []
    for start in range(0, resamples, 250):
        drawn = rng.integers(7, size=(min(250, resamples - start), 6))
        expected += [[loop_mean([own[i].tolist() for i in row]) for own in values] for row in drawn]
    assert found.T.ravel() == pytest.approx(np.ravel(expected), nan_ok=True)


def test_judgings_are_drawn_as_a_loop_would():
    values = some_values(np.random.default_rng(3), models=1, questions=6, judgings=4, missing=0.3)
    found = bootstrap_means(values, resamples=20_000, seed=0, name="x")[0]
    rng, expected = random.Random(1), []
    for _ in range(20_000):
        questions = []
        for index in [rng.randrange(6) for _ in range(5)]:
            turns = [
                [rating for rating in turn if not np.isnan(rating)] for turn in values[0, index].tolist()
            ]
            questions.append([[rng.choice(turn) for _ in turn] for turn in turns])
        expected.append(loop_mean(questions))
    for quantile in (0.025, 0.25, 0.5, 0.75, 0.975):
        assert np.quantile(found, quantile) == pytest.approx(np.quantile(expected, quantile), abs=0.12)
    assert found.std() == pytest.approx(np.std(expected), rel=0.03)


def test_all_models_get_the_same_questions():
    values = np.random.default_rng(0).random((2, 30, 1, 1))
    values[1] = values[0] + 0.5
    found = bootstrap_means(values, resamples=100, seed=0, name="x")
    assert found[1] - found[0] == pytest.approx(np.full(100, 0.5))


def test_two_questions_are_the_least():
    values = np.array([[[[1.0]], [[np.nan]]], [[[1.0]], [[3.0]]]])
    found = bootstrap_means(values, resamples=2000, seed=0, name="x")
    assert np.isnan(found[0]).all()
    assert set(found[1]) == {1.0, 3.0}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(0, 4), min_size=5, max_size=5), min_size=1, max_size=5))
def test_ranks_agree_with_counting(rows):
    scores = np.array(rows, dtype=float)
    expected = [[1 + sum(other[i] > own[i] for other in rows) for i in range(5)] for own in rows]
    assert ranks(scores).tolist() == expected


def test_rank_intervals_are_whole_ranks():
    scores = np.array([[3.0] * 100, [2.0] * 60 + [0.0] * 40, [1.0] * 100])
    assert rank_intervals(scores) == [(1, 1), (2, 3), (2, 3)]
    scores = np.array([[3.0] * 100, [2.0] * 99 + [0.0], [1.0] * 100])
    assert rank_intervals(scores) == [(1, 1), (2, 2), (3, 3)]


# ------------------------------------------------------------------------------------------------------ p-values


def test_p_values_agree_with_all_swaps_there_are():
    differences = np.array([0.5, -0.1, 0.7, 0.4, 0.9, -0.2, 0.3, 0.6])
    swaps = [np.dot(signs, differences) / 8 for signs in itertools.product((-1, 1), repeat=8)]
    observed = differences.mean()
    exact = sum(abs(swap) >= abs(observed) - 1e-12 for swap in swaps) / len(swaps)
    permuted = sign_flips(differences, np.ones(8), permutations=40_000, seed=0, name="x")
    assert two_sided_p(observed, permuted) == pytest.approx(exact, abs=0.004)
    assert two_sided_p(-observed, permuted) == two_sided_p(observed, permuted)


def test_p_is_never_zero_and_nothing_is_certain_without_a_difference():
    far = sign_flips(np.full(100, 1.0), np.ones(100), permutations=999, seed=0, name="x")
    assert two_sided_p(1.0, far) == 0.001
    assert two_sided_p(0.0, sign_flips(np.zeros(5), np.ones(5), permutations=99, seed=0, name="x")) == 1.0


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0.0001, 1.0), max_size=8))
def test_holm_agrees_with_its_definition(p_values):
    order = np.argsort(p_values, kind="stable")
    steps = [min(1.0, (len(p_values) - place) * p_values[index]) for place, index in enumerate(order)]
    expected = {int(index): max(steps[: place + 1]) for place, index in enumerate(order)}
    assert holm(p_values) == pytest.approx([expected[index] for index in range(len(p_values))])


# ----------------------------------------------------------------------------------------------------- simulation

SIZES = (100, 100, 20, 100, 20)


def node(name, members, scale=1.0):
    return Node(name, name, tuple(map(Member, members)), "made-up", scale)


def leaves(*names, scale=1.0):
    return [Leaf(name, name, name, "score", scale) for name in names]


FIRST, SECOND = node("first", leaves("0", "1", "2")), node("second", leaves("3", "4"))
RATINGS = node("ratings", leaves(*(f"r{index}" for index in range(8)), scale=10.0), 10.0)
TREE = node("overall", [node("average", [FIRST, SECOND]), RATINGS])
TRUE_MEANS = (0.3, 0.55, 0.4, 0.9, 0.25)


def simulate(rng, judgings):
    """Scores of one model on questions drawn anew: right or wrong, or shares of 1, and ratings judged with noise."""
    leaves = {}
    for index, (size, mean) in enumerate(zip(SIZES, TRUE_MEANS, strict=True)):
        exact = index in (0, 3)
        scores = rng.random(size) < mean if exact else rng.beta(2 * mean, 2 - 2 * mean, size)
        leaves[str(index)] = scores.astype(float)[:, None, None]
    for index in range(8):
        question = rng.normal(5, 1.5, size=(10, 1, 1))
        turn = rng.normal(0, 1, size=(10, 2, 1))
        leaves[f"r{index}"] = question + turn + rng.normal(0, 0.7, size=(10, 2, judgings))
    return leaves


TRUTH = evaluate(
    TREE,
    {**{str(i): mean for i, mean in enumerate(TRUE_MEANS)}, **{f"r{i}": 5.0 for i in range(8)}},
    mean_number,
)


@pytest.mark.parametrize("judgings", [1, 3])
def test_intervals_cover_the_truth_as_often_as_they_say(judgings):
    rng = np.random.default_rng(20 + judgings)
    covered = dict.fromkeys(("first", "second", "ratings", "average", "overall"), 0)
    simulations = 300
    for _ in range(simulations):
        own = {
            name: moments(values.mean(axis=(1, 2)), scale(name))
            for name, values in simulate(rng, judgings).items()
        }
        for name, (low, high) in intervals(own, score_margins).items():
            if name in covered:
                covered[name] += low <= TRUTH[name] <= high
    assert all(0.92 <= number / simulations <= 0.98 for number in covered.values()), covered


def scale(name):
    return RATING if name.startswith("r") else METRIC


def intervals(own, margins):
    """Ends of every score of `TREE`, from the moments of its leaves."""
    units = dict(zip(own, np.eye(len(own)), strict=True))
    points = evaluate(TREE, {name: float(leaf.mean) for name, leaf in own.items()}, mean_number)
    found = {}
    for name, weights in evaluate(TREE, units, mean_array).items():
        lower, upper = sum_margins(weights, list(own.values()), margins)
        found[name] = points[name] - lower, points[name] + upper
    return found


def compare(first, second, seed):
    """p-value and interval of the difference between two simulated models, through the macro average."""
    known, flipped = {}, {}
    for name, values in first.items():
        pair = [own.mean(axis=(1, 2)) for own in (values, second[name])]
        known[name] = difference_moments(*pair, scale(name))
        change = (second[name] - values).mean(axis=-1).sum(axis=-1)
        turns = np.full(len(change), float(values.shape[1]))
        flipped[name] = sign_flips(change, turns, permutations=400, seed=seed, name=name)
    observed = evaluate(TREE, {name: float(own.mean) for name, own in known.items()}, mean_number)["overall"]
    flips = evaluate(TREE, flipped, mean_array)["overall"]
    return two_sided_p(observed, flips), intervals(known, difference_margins)["overall"]


def related(rng, lead=0.0):
    """Two models that find the same questions hard; the second is better by ``lead``."""
    first, second = {}, {}
    for name, values in simulate(rng, 2).items():
        for own, plus in ((first, 0.0), (second, lead)):
            own[name] = values + rng.normal(0, 0.3, size=values.shape) + plus
    return first, second


def test_p_values_are_uniform_and_intervals_cover_zero_where_nothing_differs():
    rng = np.random.default_rng(8)
    found = [compare(*related(rng), seed) for seed in range(400)]
    p_values = np.sort([p for p, _ in found])
    steps = np.arange(1, 401) / 400
    distance = max(np.abs(p_values - steps).max(), np.abs(p_values - steps + 1 / 400).max())
    assert distance < 1.63 / np.sqrt(400), "Kolmogorov-Smirnov, 1 %"
    covered = np.mean([low <= 0 <= high for _, (low, high) in found])
    assert 0.90 <= covered <= 0.99


def test_a_difference_that_is_there_is_found():
    rng = np.random.default_rng(9)
    found = [compare(*related(rng, lead=0.2), seed) for seed in range(20)]
    assert all(p < 0.05 and low > 0 for p, (low, _) in found)


# ------------------------------------------------------------------------------------------------ margins of leaves


@pytest.mark.parametrize("questions", [10, 20, 100, 1000])
@pytest.mark.parametrize("band", [(0.0, 0.02), (0.02, 0.1), (0.1, 0.4), (0.4, 0.6), (0.9, 0.98), (0.98, 1.0)])
def test_right_or_wrong_is_covered_at_every_rate(questions, band):
    rng = np.random.default_rng(questions)
    truth = rng.uniform(*band, 4000)
    own = moments((rng.random((4000, questions)) < truth[:, None]).astype(float), METRIC)
    below, above = score_margins(own)
    held = np.mean((own.mean - below <= truth) & (truth <= own.mean + above))
    assert 0.925 <= held <= 0.99


@pytest.mark.parametrize("questions", [10, 20, 100, 1000])
@pytest.mark.parametrize("moved", [0.01, 0.1, 0.5])
def test_differences_are_covered_however_few_questions_tell_two_runs_apart(questions, moved):
    rng = np.random.default_rng(questions)
    up = rng.uniform(0, 1, 4000)
    a = np.full((4000, questions), 0.5)
    change = rng.random((4000, questions))
    b = a + 0.5 * ((change < (moved * up)[:, None]) * 1.0 - (change > (1 - moved * (1 - up))[:, None]) * 1.0)
    own = difference_moments(a, b, METRIC)
    lower, upper = sum_margins(np.ones(1), [own], difference_margins)
    truth = 0.5 * moved * (2 * up - 1)
    assert np.mean((own.mean - lower <= truth) & (truth <= own.mean + upper)) >= 0.93


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 10**6).map(lambda number: number / 10**6), min_size=2, max_size=30))
def test_ends_stay_on_the_scale_and_turn_round_with_it(scores):
    values = np.array(scores)
    below, above = score_margins(moments(values, METRIC))
    other = score_margins(moments(1 - values, METRIC))
    assert -1e-9 <= values.mean() - below <= values.mean() + above <= 1 + 1e-9
    assert (below, above) == pytest.approx(other[::-1], abs=1e-6)


def test_leaves_that_ask_the_same_questions_do_not_average_their_luck_out():
    margin, degrees = np.array([0.1, 0.1]), np.array([np.inf, np.inf])
    alone, _ = combine(np.array([1.0, 0.0]), margin, margin, degrees)
    apart, _ = combine(np.array([0.5, 0.5]), margin, margin, degrees)
    alike, _ = combine(np.array([0.5, 0.5]), margin, margin, degrees, np.ones((2, 2)))
    assert (alone, apart, alike) == pytest.approx((0.1, 0.1 / np.sqrt(2), 0.1))


def binomial(questions, rates):
    """Chance of every count of right answers, ``(rates, counts)``."""
    counts = np.arange(questions + 1)
    ways = np.array([math.comb(questions, int(count)) for count in counts], dtype=float)
    return ways * rates[:, None] ** counts * (1 - rates[:, None]) ** (questions - counts)


def every_count(questions):
    """A dataset of right or wrong for every count of right answers."""
    right = np.tri(questions + 1, questions, -1)
    return moments(right, METRIC)


@pytest.mark.parametrize("questions", [10, 20, 50, 100])
@pytest.mark.parametrize(
    ("band", "most"), [((0, 0.02), 98.5), ((0.02, 0.1), 98.0), ((0.1, 0.3), 97.0), ((0.3, 0.7), 97.0)]
)
def test_right_or_wrong_is_covered_exactly_as_often_as_is_said(questions, band, most):
    """Summed over all counts, nothing drawn. Near 0 hardly an interval can hold for less."""
    rates = np.linspace(*band, 102)[1:-1]
    own = every_count(questions)
    below, above = score_margins(own)
    inside = (own.mean - below <= rates[:, None]) & (rates[:, None] <= own.mean + above)
    held = 100 * (binomial(questions, rates) * inside).sum(axis=1)
    assert 93 <= held.mean() <= most
    assert held.min() >= 86


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5])
def test_averages_of_small_datasets_are_covered(rate):
    """Nine datasets of ten questions: 92 of 100 before the variance that small datasets hide was put back."""
    rng = np.random.default_rng(int(100 * rate))
    leaves = [moments((rng.random((20_000, 10)) < rate).astype(float), METRIC) for _ in range(9)]
    weights = np.full(9, 1 / 9)
    below, above = sum_margins(weights, leaves, score_margins)
    mean = np.mean([leaf.mean for leaf in leaves], axis=0)
    assert 0.932 <= np.mean((mean - below <= rate) & (rate <= mean + above)) <= 0.97
