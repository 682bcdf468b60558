"""What differences can be seen, and what `compare` says it would take to see one."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from lm_eval_ja.analysis import (
    calibrated,
    compare_runs,
    spreads_of_runs,
    times_the_questions,
    visible_differences,
)
from lm_eval_ja.cli import main
from lm_eval_ja.errors import OptionError
from lm_eval_ja.protocols import load_protocol, protocol_names
from lm_eval_ja.results import Sample
from tests.support import small_runs as s
from tests.support.made_up_runs import CATEGORIES, jaster_task, mtbench_task, run, whole_run


def by_label(found):
    return {own.column.label: own for own in found}


def drawn(rng, share, questions):
    """Two models that differ on a quarter of the questions; the second is right on ``share`` of those."""
    old = rng.random(questions) < 0.6
    differ = rng.random(questions) < 0.25
    new = np.where(differ, rng.random(questions) < share, old)
    old = np.where(differ, ~new, old)
    return two(old.astype(float).tolist(), new.astype(float).tolist())


def two(old, new):
    return [run(key, [jaster_task("jcommonsenseqa", own)]) for key, own in (("old", old), ("new", new))]


def mc(comparison):
    return next(own for own in comparison.differences if own.name.label == "MC")


def test_four_times_the_questions_halve_the_visible_difference():
    assert times_the_questions(0.01, 0.01) == pytest.approx(4 * times_the_questions(0.01, 0.02))
    assert times_the_questions(0.01, 0) == math.inf
    protocol, spreads = calibrated("neo")
    few, many = (by_label(visible_differences(protocol, spreads, n)) for n in (25, 100))
    for label in ("jnli", "NLI"):
        assert few[label].least[1] / many[label].least[1] == pytest.approx(2, rel=0.15)


def test_every_score_of_neo_and_what_is_not_known():
    found = by_label(visible_differences(*calibrated("neo")))
    assert found["jnli"].source == "measured"
    assert found["mawps"].source == "borrowed (exact_match)"
    assert found["AVG_jaster"].questions == 1200
    assert found["wiki_ner"].questions == 20
    assert found["Overall"].least is None
    assert found["AVG_jaster"].least[0] < found["AVG_jaster"].least[1] < found["AVG_jaster"].least[2]
    assert found["AVG_jaster"].least[1] < found["NLI"].least[1] < found["jnli"].least[1]


def test_questions_are_never_more_than_there_are():
    protocol, spreads = calibrated("neo")
    there = by_label(visible_differences(protocol, spreads, 10**6))["jcommonsenseqa"].questions
    assert 100 < there < 10**6


def test_every_protocol_with_datasets_has_a_table_or_says_what_it_needs(capsys):
    for name in protocol_names():
        if load_protocol(name).tasks:
            assert main(["power", "--protocol", name]) == 0, name
    capsys.readouterr()


def test_the_same_questions_asked_twice_do_not_count_twice():
    found = by_label(visible_differences(*calibrated("nejumi4")))
    mean = found["JCommonsenseQA"] if "JCommonsenseQA" in found else found["jcommonsenseqa"]
    once = by_label(visible_differences(*calibrated("neo")))["jcommonsenseqa"]
    assert mean.least == pytest.approx(once.least, rel=0.15)


def test_spreads_of_runs_include_conversations():
    rng = np.random.default_rng(0)
    runs = [whole_run(f"model-{index}", rng) for index in range(3)]
    found = by_label(visible_differences(*spreads_of_runs(runs)))
    assert found["AVG_mtbench"].source == "3 pairs of the runs given"
    assert found["coding"].questions == 10
    assert found["Overall"].least is not None
    with pytest.raises(OptionError, match="two runs or more"):
        spreads_of_runs(runs[:1])


def test_a_visible_difference_is_found_in_eight_of_ten_comparisons():
    rng = np.random.default_rng(1)
    share, questions = 0.75, 100  # a quarter of the questions differ, three quarters of those for the better
    spread = math.sqrt(0.25 - (0.25 * 0.5) ** 2)
    needed = times_the_questions(spread / math.sqrt(questions), 0.25 * 0.5) * questions
    hits = [mc(compare_runs(*drawn(rng, share, round(needed)), permutations=1)).low > 0 for _ in range(300)]
    assert np.mean(hits) == pytest.approx(0.8, abs=0.08)


def test_what_is_not_significant_says_how_many_times_the_questions_show_it():
    old = [1.0] * 55 + [0.0] * 45
    new = [1.0] * 52 + [0.0] * 6 + [1.0] * 6 + [0.0] * 36
    own = mc(compare_runs(*two(old, new)))
    assert own.p > 0.05
    assert own.times_repeats is None
    times = math.ceil(own.times_questions)
    more = mc(compare_runs(*two(old * times, new * times)))  # as large as it looked
    assert more.low > 0
    assert more.times_questions is None


def test_two_questions_that_moved_alike_say_nothing():
    own = mc(compare_runs(*two([1.0, 1.0], [0.0, 0.0])))
    assert own.p > 0.05
    assert own.times_questions is None


def rated(key, rng, shift, noise, judgings):
    """Ratings around one per question, the judge's own noise around those."""
    level = np.random.default_rng(5).uniform(4, 7, size=(len(CATEGORIES), 10, 2))
    ratings = level[..., None] + shift + noise * rng.standard_normal((*level.shape, judgings))
    return run(
        key, [mtbench_task({name: own.tolist() for name, own in zip(CATEGORIES, ratings, strict=True)})]
    )


def test_more_judgings_help_where_the_judge_is_the_noise():
    rng = np.random.default_rng(2)
    comparison = compare_runs(rated("old", rng, 0, 2.5, 2), rated("new", rng, 0.25, 2.5, 2))
    own = next(own for own in comparison.differences if own.name.label == "AVG_mtbench")
    assert own.p > 0.05
    assert 1 < own.times_repeats < 3 * own.times_questions  # all of the spread is the judge's own
    once = compare_runs(rated("old", rng, 0, 2.5, 1), rated("new", rng, 0.25, 2.5, 1))
    assert next(own for own in once.differences if own.name.label == "AVG_mtbench").times_repeats is None


def test_judgings_alone_never_do_where_the_questions_are_the_noise():
    flat = {name: [[[5.0, 5.0], [5.0, 5.0]]] * 10 for name in CATEGORIES}
    spread = {
        name: [[[5 + (-1) ** n, 5.1 + (-1) ** n], [5.0, 5.1]] for n in range(10)] for name in CATEGORIES
    }
    comparison = compare_runs(run("old", [mtbench_task(flat)]), run("new", [mtbench_task(spread)]))
    assert next(own for own in comparison.differences if own.name.label == "coding").times_repeats == math.inf


def test_more_samples_help_where_the_sampling_is_the_noise():
    """Both models are right half of the time on every question: only sampling tells them apart."""

    def sampled(key, seed, right):
        rng = np.random.default_rng(seed)
        scores = (rng.random((100, 4)) < right).astype(float)
        made = jaster_task("jcommonsenseqa", scores.mean(axis=1).tolist())
        answers = [tuple(Sample("", "", score) for score in row) for row in scores.tolist()]
        own = [replace(q, samples=answer) for q, answer in zip(made.questions, answers, strict=True)]
        return run(key, [replace(made, questions=tuple(own))])

    own = mc(compare_runs(sampled("old", 1, 0.5), sampled("new", 2, 0.53)))
    assert own.p > 0.05
    assert own.times_repeats is not None
    assert own.times_questions < own.times_repeats * 2  # nearly all of the spread is the sampling's


# ------------------------------------------------------------------------------------------------- the commands


@pytest.fixture
def folders(tmp_path):
    for model, number in (("old", 24), ("new", 26)):
        lines = [s.question(f"q-{n}", "東京" if n < number else "大阪", float(n < number)) for n in range(40)]
        s.write_run(tmp_path / model, [s.task("jcommonsenseqa", "exact_match", lines)], model=model)
    return str(tmp_path / "old"), str(tmp_path / "new")


def test_compare_says_what_it_would_take(folders, capsys):
    assert main(["compare", *folders]) == 0
    told = capsys.readouterr().out
    assert "If it is as large as it looks, " in told
    assert "× questions" in told
    assert main(["compare", *folders, "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["scores"]
    assert next(own for own in scores if own["label"] == "MC")["times_questions"] > 1


def test_the_power_command(folders, capsys):
    assert main(["power"]) == 0
    told = capsys.readouterr().out
    assert "AVG_jaster" in told
    assert "--runs takes their spread" not in told.split("Of conversations")[0]
    assert main(["power", "--difference", "0.02", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    average = next(own for own in data["scores"] if own["label"] == "AVG_jaster")
    assert average["times_the_questions"] > 1
    assert average["smallest_difference"]["typical"] == pytest.approx(0.04, abs=0.005)
    assert main(["power", "--runs", *folders]) == 0
    assert "1 pair of the runs given" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--questions", "1"], "--questions is 1"),
        (["--difference", "2"], "--difference is 2.0"),
        (["--difference", "nan"], "--difference is nan"),
        (["--runs", "nowhere", "x"], "nowhere doesn't exist"),
        (["--protocol", "neo", "--runs", "a", "b"], "leave out --protocol"),
    ],
)
def test_options_that_cannot_work(arguments, told, capsys):
    assert main(["power", *arguments]) == 2
    assert told in capsys.readouterr().err
