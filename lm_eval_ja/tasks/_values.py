"""What a question contributes to a metric, in forms that the harness can log, send between ranks and aggregate."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from lm_eval_ja.datasets import answer_form
from lm_eval_ja.metrics import METRICS, parse_number, sample_score, sample_values


class Answered(float):
    """Predictions and gold answer of a question whose metric exists over all questions only (correlations).

    As a number it is the prediction, or the mean of several, so that it can be logged like any per-question value.

    Attributes:
        predictions: The normalized prediction of each sample.
        gold: The gold answer.
    """

    predictions: tuple[str, ...]
    gold: str

    def __new__(cls, predictions: Sequence[str], gold: str) -> "Answered":  # noqa: PYI034  # no class derives from it
        """Make the number."""
        self = super().__new__(cls, fmean(map(parse_number, predictions)))
        self.predictions = tuple(predictions)
        self.gold = gold
        return self

    def __getnewargs__(self) -> tuple[Sequence[str], str]:  # type: ignore[override]  # float's own takes a float
        """Arguments that rebuild the value, for pickle and copy."""
        return self.predictions, self.gold


def question_values(metric: str, dataset: str, predictions: Sequence[str], gold: str) -> Mapping[str, float]:
    """One question's values of a metric, by name, see `lm_eval_ja.metrics.sample_values`."""
    if METRICS[metric].per_item is None:
        return {metric: Answered(predictions, gold)}
    return sample_values(metric, predictions, gold, answer_form(dataset))


def aggregation(metric: str) -> str:
    """Name of the aggregation, as registered with the harness; of what several samples add, the mean."""
    return f"lm_eval_ja_{metric}" if metric in METRICS and METRICS[metric].per_item is None else "mean"


def pearson(items: Sequence[Any]) -> float:
    """Pearson's correlation over all questions."""
    return _over_items("pearson", items)


def spearman(items: Sequence[Any]) -> float:
    """Spearman's correlation over all questions."""
    return _over_items("spearman", items)


def total(items: Sequence[float]) -> float:
    """Sum over all questions. The builtin has no place for a standard error, and lm-eval 0.5 would make one up."""
    return sum(items)


def _over_items(metric: str, items: Sequence[Answered]) -> float:
    return sample_score(metric, [item.predictions for item in items], [item.gold for item in items])
