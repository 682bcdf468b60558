"""All metrics by name, with what a table or a harness needs to know of each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from types import MappingProxyType

from lm_eval_ja.errors import DataError
from lm_eval_ja.metrics._bleu import bleu_en, bleu_ja, bleu_reference_quirk, bleu_signature
from lm_eval_ja.metrics._correlation import pearson, spearman
from lm_eval_ja.metrics._text import char_f1, exact_match, set_f1
from lm_eval_ja.thoughts import NoAnswer


def _worst_if_missing(per_item: Callable[[str, str], float], worst: float) -> Callable[[str, str], float]:
    def score(prediction: str, gold: str) -> float:
        return worst if isinstance(prediction, NoAnswer) else per_item(prediction, gold)

    return score


@dataclass(frozen=True)
class Metric:
    """A metric by its name in the protocols.

    Attributes:
        name: The metric's name, which is also its key in results.
        per_item: ``(prediction, gold) -> score`` of one item; None if only all items together have a score.
        scale: Worst and best value.
        higher_is_better: True for all metrics of the protocols.
        over_items: ``(predictions, golds) -> score`` where that is not the mean of ``per_item``.
        signature: Gives the signature of a metric whose settings have one (sacrebleu's).
    """

    name: str
    per_item: Callable[[str, str], float] | None
    scale: tuple[float, float]
    higher_is_better: bool = True
    over_items: Callable[[Sequence[str], Sequence[str]], float] | None = None
    signature: Callable[[], str] | None = None

    def __post_init__(self) -> None:
        """A missing answer has the worst score, also where the gold answer is empty and so is what would be right."""
        if self.per_item is not None:
            object.__setattr__(self, "per_item", _worst_if_missing(self.per_item, self.scale[0]))

    def score(self, predictions: Sequence[str], golds: Sequence[str]) -> float:
        """Score a whole dataset.

        Args:
            predictions: Normalised predictions, one for each gold answer.
            golds: Gold answers.

        Returns:
            The metric over all items, on the metric's scale.

        Raises:
            DataError: There are no items, or the lists differ in length.

        Examples:
            >>> METRICS["exact_match"].score(["yes", "no"], ["yes", "yes"])
            0.5
        """
        if not golds or len(predictions) != len(golds):
            raise DataError(
                f"{self.name}: {len(predictions)} predictions for {len(golds)} gold answers: give one item"
                " or more, and one prediction for each gold answer"
            )
        if self.over_items is not None:
            return self.over_items(predictions, golds)
        assert self.per_item is not None  # noqa: S101 - one of the two is always set, see METRICS
        return fmean(map(self.per_item, predictions, golds))


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric("exact_match", exact_match, (0.0, 1.0)),
            Metric("char_f1", char_f1, (0.0, 1.0)),
            Metric("set_f1", set_f1, (0.0, 1.0)),
            Metric("pearson", None, (-1.0, 1.0), over_items=pearson),
            Metric("spearman", None, (-1.0, 1.0), over_items=spearman),
            Metric("bleu_ja", bleu_ja, (0.0, 100.0), signature=partial(bleu_signature, "ja")),
            Metric("bleu_en", bleu_en, (0.0, 100.0), signature=partial(bleu_signature, "en")),
            Metric("bleu_reference_quirk", bleu_reference_quirk, (0.0, 100.0)),
        )
    }
)
"""Metric by name."""
