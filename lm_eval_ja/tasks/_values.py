"""What a question contributes to a metric, in forms that the harness can log, send between ranks and aggregate."""

from collections.abc import Sequence
from typing import Any

from lm_eval_ja.datasets import answer_form
from lm_eval_ja.metrics import METRICS, parse_number


class Answered(float):
    """Prediction and gold answer of a question whose metric exists over all questions only (correlations).

    As a number it is the prediction, so that it can be logged like any per-question value.

    Attributes:
        prediction: The normalised prediction.
        gold: The gold answer.
    """

    prediction: str
    gold: str

    def __new__(cls, prediction: str, gold: str) -> "Answered":  # noqa: PYI034  # no class derives from it
        """Make the number."""
        self = super().__new__(cls, parse_number(prediction))
        self.prediction = prediction
        self.gold = gold
        return self

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]  # float's own takes a float
        """Arguments that rebuild the value, for pickle and copy."""
        return self.prediction, self.gold


def question_value(metric: str, dataset: str, prediction: str, gold: str) -> float:
    """One question's value of a metric."""
    per_item = METRICS[metric].on(answer_form(dataset))
    return Answered(prediction, gold) if per_item is None else per_item(prediction, gold)


def aggregation(metric: str) -> str:
    """Name of the aggregation, as registered with the harness."""
    return f"lm_eval_ja_{metric}" if METRICS[metric].per_item is None else "mean"


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
    return METRICS[metric].score([item.prediction for item in items], [item.gold for item in items])
