"""All metrics by name, with what a table or a harness needs to know of each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from types import MappingProxyType

from lm_eval_ja.errors import DataError
from lm_eval_ja.metrics._bleu import bleu_en, bleu_ja, bleu_reference_quirk, bleu_signature
from lm_eval_ja.metrics._correlation import pearson, spearman
from lm_eval_ja.metrics._form import in_form, ool
from lm_eval_ja.metrics._text import char_f1, exact_match, exact_match_figure, set_f1
from lm_eval_ja.metrics.mathematics import mathematical_equivalence, require_math_verify
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
        scale: Lowest and highest value.
        higher_is_better: True for all metrics that count.
        over_items: ``(predictions, golds) -> score`` where that is not the mean of ``per_item``.
        signature: Gives the signature of a metric whose settings have one (sacrebleu's).
        right_or_wrong: Whether an answer is wholly right or wholly wrong by it.
        of_form: For metrics that look at the answer's form only: the score of a prediction by whether it has the form
            that its dataset asks for. ``per_item`` is what they are where the dataset asks for none.
        require: Raises OptionError where a package that the metric needs is missing.
    """

    name: str
    per_item: Callable[[str, str], float] | None
    scale: tuple[float, float]
    higher_is_better: bool = True
    over_items: Callable[[Sequence[str], Sequence[str]], float] | None = None
    signature: Callable[[], str] | None = None
    right_or_wrong: bool = False
    of_form: Callable[[bool], float] | None = None
    require: Callable[[], None] = lambda: None

    def on(self, form: Callable[[str], bool] | None) -> Callable[[str, str], float] | None:
        """``per_item`` on a dataset.

        Args:
            form: Tells whether a prediction has the form that the dataset asks for; None where it asks for none.

        Examples:
            >>> METRICS["in_form"].on("01".__contains__)("2", "1")
            0.0
        """
        of_form = self.of_form
        if of_form is None or form is None:
            return self.per_item
        return lambda prediction, gold: of_form(form(prediction))  # noqa: ARG005  # a metric's

    def __post_init__(self) -> None:
        """A missing answer has the worst score, also where the gold answer is empty and so is what would be right."""
        if self.per_item is not None:
            worst = self.scale[0 if self.higher_is_better else 1]
            object.__setattr__(self, "per_item", _worst_if_missing(self.per_item, worst))

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
            Metric("exact_match", exact_match, (0.0, 1.0), right_or_wrong=True),
            Metric("exact_match_figure", exact_match_figure, (0.0, 1.0), right_or_wrong=True),
            Metric(
                "mathematical_equivalence",
                mathematical_equivalence,
                (0.0, 1.0),
                right_or_wrong=True,
                require=require_math_verify,
            ),
            Metric("char_f1", char_f1, (0.0, 1.0)),
            Metric("set_f1", set_f1, (0.0, 1.0)),
            Metric("in_form", in_form, (0.0, 1.0), of_form=float),
            Metric("ool", ool, (0.0, 1.0), higher_is_better=False, of_form=lambda formed: float(not formed)),
            Metric("pearson", None, (-1.0, 1.0), over_items=pearson),
            Metric("spearman", None, (-1.0, 1.0), over_items=spearman),
            Metric("bleu_ja", bleu_ja, (0.0, 100.0), signature=partial(bleu_signature, "ja")),
            Metric("bleu_en", bleu_en, (0.0, 100.0), signature=partial(bleu_signature, "en")),
            Metric("bleu_reference_quirk", bleu_reference_quirk, (0.0, 100.0)),
        )
    }
)
"""Metric by name."""
