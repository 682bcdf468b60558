"""The ruler for judges: agreement, maps between scales, human ratings; by known values and by simulation."""

import json
import math
import os
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lm_eval_ja.analysis.agreement import (
    fit_line,
    krippendorff_alpha,
    map_back,
    prediction_powered_mean,
    weighted_kappa,
)
from lm_eval_ja.errors import DataError, OptionError
from lm_eval_ja.judge import JudgeConfig, Judgment
from lm_eval_ja.rescoring import (
    FrozenAnswer,
    calibrate,
    calibration_requests,
    human_mean,
    map_scores,
    read_frozen,
    read_human,
    write_frozen,
)

TRIALS = int(os.environ.get("LM_EVAL_JA_CALIBRATION_TRIALS", "300"))


# --- agreement --------------------------------------------------------------------------------------------------


def test_alpha_of_krippendorffs_own_example():
    """Krippendorff (2011), example C: four observers, twelve units, with gaps; interval alpha 0.849."""
    gap = None
    observers = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, gap, gap, gap],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, gap, 3],
        [gap, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, gap],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, gap],
    ]
    units = [[own for own in unit if own is not gap] for unit in zip(*observers, strict=True)]
    assert krippendorff_alpha(units) == pytest.approx(0.849, abs=5e-4)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 10), st.integers(1, 10)), min_size=3, max_size=40))
def test_kappa_is_scikit_learns(pairs):
    from sklearn.metrics import cohen_kappa_score

    first, second = zip(*pairs, strict=True)
    own = weighted_kappa(first, second)
    if math.isnan(own):
        assert len({*first, *second}) == 1
    else:
        expected = cohen_kappa_score(first, second, weights="quadratic", labels=list(range(1, 11)))
        assert own == pytest.approx(expected, abs=1e-9)


def test_agreement_where_nothing_differs_is_unknown():
    assert math.isnan(krippendorff_alpha([[5, 5], [5, 5]]))
    assert math.isnan(krippendorff_alpha([[5], [6]]))
    assert math.isnan(weighted_kappa([5, 5], [5, 5]))


# --- lines and maps ---------------------------------------------------------------------------------------------


def test_the_line_is_that_of_least_squares():
    x, y = [1.0, 2.0, 4.0, 7.0, 8.0], [2.0, 2.5, 5.0, 6.0, 9.0]
    line = fit_line([x], y, range(5))
    assert list(line.coefficients[::-1]) == pytest.approx(list(np.polyfit(x, y, 1)))


@pytest.mark.parametrize(
    ("x", "groups"), [([5, 5, 5, 5], [0, 1, 2, 3]), ([1, 2, 3, 4], [0, 0, 1, 1]), ([], [])]
)
def test_a_line_that_cannot_be_told_is_none(x, groups):
    assert fit_line([x], [1] * len(x), groups) is None


def ratings(rng, mean, questions=80):
    """Old ratings of a model: of two turns of each question, whole numbers."""
    base = rng.normal(mean, 1.6, (questions, 1))
    return np.clip(np.round(base + rng.normal(0, 1.2, (questions, 2))), 1, 10)


def new_ratings(rng, old, offset, slope, noise):
    """A judge with a known offset and slope, that strays by conversation and by turn."""
    stray = rng.normal(0, 0.6 * noise, (len(old), 1)) + rng.normal(0, 0.8 * noise, old.shape)
    return offset + slope * old + stray


@pytest.mark.parametrize(
    ("offset", "slope", "noise", "mean"), [(0.5, 0.9, 1.0, 6.5), (-1.0, 1.0, 1.5, 7.0), (1.5, 0.7, 0.7, 6.0)]
)
def test_intervals_hold_for_simulated_judges(offset, slope, noise, mean):
    """Offset, slope and mapped score; 95 %, give or take what so few trials leave to chance."""
    rng = np.random.default_rng(7)
    groups = [place // 2 for place in range(160)]
    hits = {"offset": 0, "slope": 0, "score": 0}
    used = 0
    for _ in range(TRIALS):
        old = ratings(rng, 6.5)
        new = new_ratings(rng, old, offset, slope, noise)
        line = fit_line([old.ravel()], new.ravel(), groups)
        hits["offset"] += line.estimate(0).low <= offset <= line.estimate(0).high
        hits["slope"] += line.estimate(1).low <= slope <= line.estimate(1).high
        truth = ratings(rng, mean)
        given_ = new_ratings(rng, truth, offset, slope, noise).mean()
        inverse = float(np.polyval(np.polyfit(new.ravel(), old.ravel(), 1), given_))
        score = map_back(line, given_, 80, 2.0, (-20, 30), inverse)
        if score.refusal is None:
            used += 1
            hits["score"] += score.mapped.low <= truth.mean() <= score.mapped.high
    chance = 3 * math.sqrt(0.95 * 0.05 / TRIALS)
    assert 0.94 - chance < hits["offset"] / TRIALS < 0.96 + chance
    assert 0.94 - chance < hits["slope"] / TRIALS < 0.96 + chance
    assert used > TRIALS / 3
    assert 0.93 - chance < hits["score"] / used < 0.97 + chance


def test_the_map_is_refused_where_it_says_too_little():
    rng = np.random.default_rng(1)
    groups = [place // 2 for place in range(160)]
    old = ratings(rng, 6.5)
    new = new_ratings(rng, old, 0.5, 0.9, 0.5)
    line = fit_line([old.ravel()], new.ravel(), groups)

    def refusal(given_, widest=1.0, reach=(1.0, 10.0), inverse=None, line=line):
        plain = map_back(line, given_, 80, 9.0, reach, 0.0).mapped
        return map_back(line, given_, 80, widest, reach, plain.value if inverse is None else inverse).refusal

    assert refusal(6.5) is None
    assert "wide, more than 0.1" in refusal(6.5, widest=0.1)
    assert "outside the frozen answers' new ratings (2.00 to 6.00)" in refusal(6.5, reach=(2.0, 6.0))
    assert "too far from the frozen answers' mean" in refusal(6.5, inverse=6.1)
    unrelated = fit_line([old.ravel()], rng.normal(5, 1, 160), groups)
    assert "not clearly related" in map_back(unrelated, 5.0, 80, 1.0, (1, 10), 5.0).refusal
    opposite = fit_line([old.ravel()], 11 - new.ravel(), groups)
    assert "not clearly related" in map_back(opposite, 5.0, 80, 1.0, (1, 10), 5.0).refusal


# --- human ratings ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seed", "expected"),
    # ppi_py.ppi_mean_pointestimate and ppi_mean_ci (ppi-python 0.2.3) of the same numbers
    [
        (0, [5.993524385505468, 5.574746169167936, 6.412302601843001]),
        (1, [5.252015348813547, 4.7269039250557245, 5.7771267725713695]),
        (2, [5.665431595366275, 5.049714437183382, 6.281148753549169]),
        (5, [6.083780293908858, 5.265025271129595, 6.902535316688121]),
    ],
)
def test_prediction_powered_inference_is_ppi_pythons(seed, expected):
    rated, predicted, others = ppi_numbers(seed)
    estimate = prediction_powered_mean(rated, predicted, others)
    assert [estimate.value, estimate.low, estimate.high] == pytest.approx(expected, abs=1e-9)


def ppi_numbers(seed):
    rng = random.Random(seed)
    truth = [rng.uniform(1, 10) for _ in range(160)]
    judge = [value + 1 + rng.gauss(0, 0.3 + seed) for value in truth]
    return truth[:40], judge[:40], judge[40:]


def test_human_ratings_tighten_with_a_good_judge_and_never_mislead_with_a_bad_one():
    rng = np.random.default_rng(3)
    wide = {"good": [], "bad": [], "alone": []}
    hits = dict.fromkeys(wide, 0)
    for _ in range(TRIALS):
        truth = rng.uniform(1, 10, 160)
        for name, noise in (("good", 0.5), ("bad", 50.0)):
            judge = truth + 2 + rng.normal(0, noise, 160)
            estimate = prediction_powered_mean(truth[:40], judge[:40], judge[40:])
            wide[name].append(estimate.high - estimate.low)
            hits[name] += estimate.low <= 5.5 <= estimate.high
        alone = prediction_powered_mean(truth[:40], [0.0] * 40, [0.0] * 120)
        wide["alone"].append(alone.high - alone.low)
    assert np.mean(wide["good"]) < 0.6 * np.mean(wide["alone"])
    assert np.mean(wide["bad"]) < 1.05 * np.mean(wide["alone"])
    assert min(hits["good"], hits["bad"]) > (0.94 - 3 * math.sqrt(0.05 * 0.95 / TRIALS)) * TRIALS


# --- from answers to a calibration ------------------------------------------------------------------------------


@pytest.fixture
def prompts():
    from lm_eval_ja.judge.options import JudgeOptions

    return JudgeOptions(data="sample").prompts()


def frozen_answers(seed=0, questions=40, repeats=1):
    rng = np.random.default_rng(seed)
    old = ratings(rng, 6.5, questions)
    return [
        FrozenAnswer(
            str(place),
            "model",
            ("writing", "math")[place % 2],
            ("質問1", "質問2"),
            ("参考1", "参考2"),
            ("あ" * int(rng.integers(10, 2000)), "い" * int(rng.integers(10, 2000))),
            turn,
            (float(old[place, turn - 1]),) * repeats,
            "gpt-4",
            "sample",
        )
        for place in range(questions)
        for turn in (1, 2)
    ]


def judged(requests, rate, repeats=1):
    return [
        Judgment(rate(place, repeat), None, "", "new")
        for place in range(len(requests))
        for repeat in range(repeats)
    ]


def test_a_judge_that_is_one_higher(prompts):
    frozen = frozen_answers()
    requests, probed = calibration_requests(frozen, prompts)
    assert len(requests) == len(frozen) + 20
    assert len({json.dumps(request) for request in requests}) == len(requests)
    assert sum("[[10]]" in request[-1]["content"] for request in requests) >= 20
    assert all(own.turn == 1 and own.rating < 9 for own in probed)

    def rate(place, _repeat):
        return frozen[place].rating + 1 if place < len(frozen) else probed[place - len(frozen)].rating + 4

    found = calibrate(frozen, probed, judged(requests, rate), JudgeConfig(model="new"))
    own = found.agreement
    assert (own.answers, own.questions, own.unrated) == (80, 40, 0)
    assert [own.difference.value, own.offset.value, own.slope.value] == pytest.approx([1, 1, 1])
    assert (own.exact, own.near) == (0, 1)
    assert found.probe.change == pytest.approx(3)
    assert (found.probe.answers, found.probe.raised, found.probe.lowered) == (20, 20, 0)
    assert (found.self_new, found.self_old) == (None, None)
    run = [FrozenAnswer(**{**vars_of(own), "ratings": (own.rating + 1,), "judge": "new"}) for own in frozen]
    scores = map_scores(found, run, 1.0)
    assert set(scores) == {"score", "math", "writing"}
    assert scores["score"].mapped.value == pytest.approx(np.mean([own.rating for own in frozen]))


def vars_of(answer):
    from dataclasses import fields

    return {own.name: getattr(answer, own.name) for own in fields(answer)}


def test_what_moves_a_judge_is_found(prompts):
    """A judge that adds half a point for each doubling of the answer, and takes one from second turns."""
    frozen = frozen_answers(questions=80, repeats=2)
    requests, probed = calibration_requests(frozen, prompts)
    rng = np.random.default_rng(5)

    def rate(place, _repeat):
        own = (frozen + probed)[place]
        return own.rating + 0.5 * math.log2(own.length) - (own.turn == 2) - 4 + rng.normal(0, 0.3)

    found = calibrate(frozen, probed, judged(requests, rate, 3), JudgeConfig(model="new", repeats=3))
    assert found.length.low <= 0.5 <= found.length.high
    assert found.length.low > 0.3
    assert found.second_turn.value == pytest.approx(-1, abs=0.3)
    assert 0.9 < found.self_new < 1
    assert found.self_old == 1


def test_answers_without_a_rating_are_counted(prompts):
    frozen = frozen_answers()
    requests, probed = calibration_requests(frozen, prompts)
    found = calibrate(
        frozen,
        probed,
        judged(requests, lambda place, _: None if place < 5 else (frozen + probed)[place].rating),
        JudgeConfig(model="new"),
    )
    assert (found.agreement.answers, found.agreement.unrated) == (75, 5)


@pytest.mark.parametrize("rate", [lambda place, _: None, lambda place, _: None if place > 3 else 5.0])
def test_too_little_to_tell_is_an_error(prompts, rate):
    frozen = frozen_answers()
    requests, probed = calibration_requests(frozen, prompts)
    with pytest.raises(DataError, match="do not tell how the two are related"):
        calibrate(frozen, probed, judged(requests, rate), JudgeConfig(model="new"))


def test_categories_with_few_questions_are_refused(prompts):
    frozen = frozen_answers(questions=10)
    requests, probed = calibration_requests(frozen, prompts)
    rng = np.random.default_rng(2)
    rate = lambda place, _: (frozen + probed)[place].rating + rng.normal(0, 0.2)  # noqa: E731
    found = calibrate(frozen, probed, judged(requests, rate), JudgeConfig(model="new"))
    scores = map_scores(found, frozen, 5.0)
    assert scores["math"].refusal == "only 5 frozen questions"


def test_turns_without_an_answer_keep_their_rating(prompts):
    """They are rated 1 whoever the judge is: only the rest is mapped."""
    frozen = frozen_answers(questions=80)
    requests, probed = calibration_requests(frozen, prompts)
    rng = np.random.default_rng(9)
    found = calibrate(
        frozen,
        probed,
        judged(requests, lambda place, _: (frozen + probed)[place].rating + 1 + rng.normal(0, 0.3)),
        JudgeConfig(model="new"),
    )
    run = [FrozenAnswer(**{**vars_of(own), "ratings": (own.rating + 1,)}) for own in frozen]
    kept = [own for own in run if not (own.category == "math" and int(own.id) < 40)]
    missing = {"math": len(run) - len(kept), "writing": 0}
    score = map_scores(found, kept, 1.0, missing)["score"]
    math_mean = np.mean([own.rating for own in kept if own.category == "math"])
    writing = np.mean([own.rating for own in kept if own.category == "writing"])
    assert score.given == pytest.approx(((math_mean + 1) / 2 + writing) / 2)
    assert score.mapped.value == pytest.approx(((math_mean - 1 + 1) / 2 + writing - 1) / 2, abs=0.15)
    only = map_scores(found, [own for own in run if own.category == "math"], 9.0, {"writing": 80})["score"]
    plain = map_scores(found, [own for own in run if own.category == "math"], 9.0)["score"]
    assert only.given == pytest.approx(plain.given), "one category is a score of its own"


def test_the_file_comes_back_as_it_was(tmp_path):
    frozen = frozen_answers(repeats=2)
    path = tmp_path / "ruler.jsonl"
    write_frozen(frozen, path)
    assert read_frozen(path) == frozen
    with pytest.raises(OptionError, match="give a new file"):
        write_frozen(frozen, path)


@pytest.mark.parametrize(
    "change",
    [
        {"ratings": []},
        {"ratings": ["high"]},
        {"ratings": [math.nan]},
        {"turn": 3},
        {"turn": 2, "answers": ["one"]},
        {"turns": [1, 2]},
        {"judge": ...},
        {"answers": None},
    ],
)
def test_wrong_lines_are_named(tmp_path, change):
    path = tmp_path / "ruler.jsonl"
    write_frozen(frozen_answers()[:2], path)
    first, second = path.read_text(encoding="utf-8").splitlines()
    values = {name: own for name, own in {**json.loads(second), **change}.items() if own is not ...}
    path.write_text(first + "\n" + json.dumps(values) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"line 2: no answer with known ratings"):
        read_frozen(path)


def test_files_without_answers_are_named(tmp_path):
    with pytest.raises(OptionError, match="--calibrate"):
        read_frozen(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(DataError, match="--from-run RUN --freeze"):
        read_frozen(tmp_path / "empty.jsonl")


def test_human_ratings_are_joined_by_id_and_turn(tmp_path):
    frozen = frozen_answers()
    path = tmp_path / "human.csv"
    lines = [f"{own.id},{own.turn},{own.rating + 1}" for own in frozen[:30]]
    path.write_text(
        "\n".join(["id,turn,rating", *lines, "unknown,1,3", f"{frozen[0].id},1,{frozen[0].rating - 1}"])
    )
    human = read_human(path)
    assert human[frozen[0].id, 1] == frozen[0].rating, "two ratings of one turn: their mean"
    estimate, known, others = human_mean(frozen, human)
    assert (known, others) == (30, 50)
    assert estimate.value == pytest.approx(np.mean([own.rating for own in frozen]) + 1, abs=0.3)


@pytest.mark.parametrize(
    "text",
    ["id,turn\n1,1", "id,turn,rating\n1,3,5", "id,turn,rating\n1,1,x", "id,turn,rating\n1,1,nan", "a\nb\n"],
)
def test_wrong_human_ratings_are_named(tmp_path, text):
    path = tmp_path / "human.csv"
    path.write_text(text)
    with pytest.raises(OptionError, match="line 2: columns id"):
        read_human(path)


def test_human_ratings_of_other_answers_are_an_error():
    with pytest.raises(DataError, match="match 0 of 80 judged turns"):
        human_mean(frozen_answers(), {("x", 1): 5.0})
