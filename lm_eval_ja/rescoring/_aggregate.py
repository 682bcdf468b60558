"""From values of questions to a task's entry in the results, in the harness's own arithmetic."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lm_eval_ja.judge import rating_average, rating_average_stderr, rating_mean, rating_stderr
from lm_eval_ja.protocols import Score

Aggregation = tuple[Callable[[Sequence[Any]], float], Callable[[Sequence[Any]], Any] | None]


def mean_score_of(items: Sequence[float]) -> Score:
    """Mean and standard error in the harness's own arithmetic, so that its results come out to the last bit."""
    mean = sum(items) / len(items)
    if len(items) == 1:
        return Score(mean)
    deviation = math.sqrt(sum([(item - mean) ** 2 for item in items]) / (len(items) - 1))
    return Score(mean, deviation / math.sqrt(len(items)))


def mean_and_error(name: str, items: Sequence[float]) -> dict[str, Any]:
    """A metric's entries in the results: its mean, and the standard error or ``"N/A"``.

    >>> mean_and_error("exact_match", [1.0])
    {'exact_match,none': 1.0, 'exact_match_stderr,none': 'N/A'}
    """
    score = mean_score_of(items)
    return {
        f"{name},none": score.value,
        f"{name}_stderr,none": "N/A" if score.stderr is None else score.stderr,
    }


def mtbench_entry(samples: Sequence[Mapping[str, Any]], categories: Sequence[str]) -> dict[str, Any]:
    """An MT-Bench task's entries in the results.

    Args:
        samples: What `lm_eval_ja.judge.mtbench.question_values` gave for each question.
        categories: Categories that are metrics of the task.
    """
    functions: dict[str, Aggregation] = {
        **dict.fromkeys((*categories, "turn_1", "turn_2"), (rating_mean, rating_stderr)),
        "score": (rating_average, rating_average_stderr),
        "unscored": (sum, None),
    }
    entry: dict[str, Any] = {}
    for name, (mean, stderr) in functions.items():
        items = [sample[name] for sample in samples]
        entry[f"{name},none"] = mean(items)
        entry[f"{name}_stderr,none"] = "N/A" if stderr is None or len(items) < 2 else stderr(items)  # noqa: PLR2004
    return entry
