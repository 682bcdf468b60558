"""Several samples of an answer: pass@k, majority, averages, and the two parts of the error."""

import itertools
import math
import random
import statistics
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lm_eval_ja.analysis import Outcome, analyse, sampling_errors
from lm_eval_ja.errors import DataError
from lm_eval_ja.metrics import METRICS, pass_at_k, sample_metrics, sample_score, sample_values
from lm_eval_ja.results import Sample
from tests.support.made_up_runs import jaster_task, run


@given(st.lists(st.booleans(), min_size=1, max_size=7), st.data())
def test_pass_at_k_is_the_share_of_sets_with_a_right_answer(right, data):
    k = data.draw(st.integers(1, len(right)))
    sets = list(itertools.combinations(right, k))
    assert pass_at_k(len(right), sum(right), k) == pytest.approx(sum(map(any, sets)) / len(sets))


@pytest.mark.parametrize("numbers", [(4, 5, 1), (4, 2, 5), (4, 2, 0), (0, 0, 1), (4, -1, 1)])
def test_pass_at_k_of_contradicting_numbers_is_refused(numbers):
    with pytest.raises(DataError, match="k must be from 1 to"):
        pass_at_k(*numbers)


@settings(max_examples=50)
@given(st.lists(st.sampled_from(["a", "b", "ab", ""]), min_size=1, max_size=6), st.permutations(range(6)))
def test_values_of_samples(predictions, order):
    for metric in ("exact_match", "char_f1", "set_f1"):
        per_item = METRICS[metric].per_item
        values = sample_values(metric, predictions, "ab")
        assert values[metric] == pytest.approx(statistics.fmean(per_item(text, "ab") for text in predictions))
        assert set(values) == {metric, *sample_metrics(metric, len(predictions))}
        shuffled = [predictions[place] for place in order if place < len(predictions)]
        again = sample_values(metric, shuffled, "ab")
        assert again == pytest.approx(values), "the order of samples says nothing"
    one = sample_values("exact_match", predictions[:1], "ab")
    assert one == {"exact_match": METRICS["exact_match"].per_item(predictions[0], "ab")}
    exact = sample_values("exact_match", predictions, "ab")
    if len(predictions) > 1:
        assert exact[f"exact_match_pass@{len(predictions)}"] == float("ab" in predictions)


def test_a_tie_of_the_majority_counts_in_part():
    assert sample_values("exact_match", ["a", "b"], "a")["exact_match_majority"] == 0.5
    assert sample_values("exact_match", ["a", "b", "b"], "a")["exact_match_majority"] == 0.0


def test_correlations_are_averaged_over_the_samples():
    golds = ["1", "2", "3"]
    first, second = ["1", "2", "3"], ["2", "2", "3"]
    together = sample_score("pearson", list(zip(first, second, strict=True)), golds)
    assert together == pytest.approx(
        (METRICS["pearson"].score(first, golds) + METRICS["pearson"].score(second, golds)) / 2
    )
    with pytest.raises(DataError, match=r"questions have \[1, 2\] samples"):
        sample_score("pearson", [["1"], ["1", "2"]], ["1", "2"])


def task_with_samples(scores, name="jnli"):
    """A task with these scores of samples, question by question."""
    task = jaster_task(name, [statistics.fmean(own) for own in scores])
    questions = tuple(
        replace(
            question,
            samples=tuple(
                Sample(
                    "entailment" if score else "わからない", "entailment" if score else "わからない", score
                )
                for score in own
            ),
            gold="entailment",
        )
        for question, own in zip(task.questions, scores, strict=True)
    )
    return replace(task, questions=questions)


def test_the_parts_of_the_error_are_those_the_scores_were_drawn_with():
    """Chances vary between questions with variance 1/12, answers around them with mean variance 1/6."""
    draw = random.Random(5)
    n, k = 4000, 4
    scores = []
    for _ in range(n):
        chance = draw.random()
        scores.append([float(draw.random() < chance) for _ in range(k)])
    (error,) = (
        own
        for name, own in sampling_errors(run("m", [task_with_samples(scores)])).items()
        if name == "nejumi_jaster_jnli"
    )
    assert error.repeats == k
    assert error.questions**2 == pytest.approx(1 / 12 / n, rel=0.1)
    assert error.sampling**2 == pytest.approx(1 / 6 / (n * k), rel=0.1)
    means = [statistics.fmean(own) for own in scores]
    assert error.total == pytest.approx(statistics.stdev(means) / math.sqrt(n)), (
        "together the harness's error"
    )
    assert error.increase == "questions"
    assert error.with_twice("repeats") == pytest.approx(math.sqrt(error.questions**2 + error.sampling**2 / 2))
    assert error.with_twice("questions") == pytest.approx(error.total / math.sqrt(2))


def test_samples_that_differ_while_questions_do_not_ask_for_repeats():
    scores = [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
    error = sampling_errors(run("m", [task_with_samples(scores)]))["nejumi_jaster_jnli"]
    assert (error.questions, error.increase) == (0.0, "repeats")


def test_an_average_has_parts_only_if_all_its_members_have():
    scores = [[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]
    tasks = [task_with_samples(scores, "jemhopqa"), task_with_samples(scores, "niilc")]
    errors = sampling_errors(run("m", tasks))
    member = errors["nejumi_jaster_niilc"]
    assert errors["nejumi_jaster_qa"].sampling == pytest.approx(member.sampling / math.sqrt(2))
    assert "nejumi_jaster" not in errors
    assert sampling_errors(run("m", [tasks[0], jaster_task("niilc", [1.0, 0.0])])).keys() == {
        "nejumi_jaster_jemhopqa"
    }
    assert sampling_errors(run("m", [jaster_task("niilc", [1.0, 0.0])])) == {}


def test_failures_count_every_sample_and_show_what_most_are():
    task = task_with_samples([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    failures = analyse(run("m", [task]))[task.task]
    assert failures.counts[Outcome.CORRECT] == 3
    assert sum(failures.counts.values()) == 6
    first, second = failures.findings
    assert first.outcome is Outcome.CORRECT
    assert second.outcome is not Outcome.CORRECT
    assert failures.score == failures.lenient == 0.5
