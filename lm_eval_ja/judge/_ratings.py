"""How MT-Bench ratings add up: means over a category's ratings, and the protocol's tree over the categories."""

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Literal

from lm_eval_ja.protocols import Missing, Score, evaluate, find_node, mean_score

NOT_AVAILABLE: Literal["N/A"] = "N/A"
"""What the harness prints where there is no standard error."""


class QuestionRating(float):
    """The ratings of one question: as a number their mean, NaN if there are none.

    It is a float so that it can be logged, tabulated and sent between ranks like any per-question value, and still
    tell which ratings and which category it stands for.

    Attributes:
        ratings: Ratings of the turns that were scored.
        category: The question's category.
        average: Name of the protocol's score that it belongs to, such as ``nejumi_mtbench``.
    """

    ratings: tuple[float, ...]
    category: str
    average: str

    def __new__(cls, ratings: Iterable[float], category: str, average: str = "") -> "QuestionRating":  # noqa: PYI034  # final in practice
        """Make the number."""
        ratings = tuple(ratings)
        self = super().__new__(cls, statistics.fmean(ratings) if ratings else math.nan)
        self.ratings = ratings
        self.category = category
        self.average = average
        return self

    def __getnewargs__(self) -> tuple[tuple[float, ...], str, str]:  # type: ignore[override]  # float's own takes a float
        """Arguments that rebuild the value, for pickle and copy."""
        return self.ratings, self.category, self.average


def rating_mean(items: Sequence[float]) -> float:
    """Mean over all ratings, those of a question's two turns counted singly; NaN if there are none.

    >>> rating_mean([QuestionRating([8, 6], "math"), QuestionRating([1], "math"), math.nan])
    5.0
    """
    ratings = [rating for item in items for rating in _ratings(item)]
    return statistics.fmean(ratings) if ratings else math.nan


def rating_stderr(items: Sequence[float]) -> float | Literal["N/A"]:
    """Standard error of :func:`rating_mean`. A question's turns depend on each other: questions are what is drawn."""
    means = [float(item) for item in items if not math.isnan(item)]
    if len(means) < 2:  # noqa: PLR2004  # no spread without two
        return NOT_AVAILABLE
    return statistics.stdev(means) / math.sqrt(len(means))


def rating_average(items: Sequence[QuestionRating]) -> float:
    """AVG_mtbench: the protocol's mean of the category means over both turns (PROTOCOL section 7).

    NaN if a category has no rating or was not asked: it is never the mean of what happens to be there. Where all
    questions are of a category that is a task of its own, the category's mean.

    >>> rating_average([QuestionRating([8, 6], "math", "nejumi_mtbench")])
    nan
    """
    score = _average(items)
    return math.nan if score is None else score.value


def rating_average_stderr(items: Sequence[QuestionRating]) -> float | Literal["N/A"]:
    """Standard error of :func:`rating_average`: it follows the macro average."""
    score = _average(items)
    return NOT_AVAILABLE if score is None or score.stderr is None else score.stderr


def _average(items: Sequence[QuestionRating]) -> Score | None:
    by_category: dict[str, list[QuestionRating]] = {}
    for item in items:
        by_category.setdefault(item.category, []).append(item)
    scores = {category: _category(own) for category, own in by_category.items()}
    name = items[0].average if items else ""
    node = find_node(name)
    if node is None:  # one category
        return scores[items[0].category] if len(scores) == 1 else None
    found = evaluate(node, {leaf.name: scores.get(leaf.metric) for leaf in node.leaves()}, mean_score)[name]
    return None if isinstance(found, Missing) else found


def _category(items: Sequence[QuestionRating]) -> Score | None:
    mean, stderr = rating_mean(items), rating_stderr(items)
    return None if math.isnan(mean) else Score(mean, None if stderr == NOT_AVAILABLE else stderr)


# The harness's hook in ``plugin`` looks here.
rating_mean.stderr = rating_stderr  # type: ignore[attr-defined]  # a function may carry attributes
rating_average.stderr = rating_average_stderr  # type: ignore[attr-defined]


def _ratings(item: float) -> Sequence[float]:
    if isinstance(item, QuestionRating):
        return item.ratings
    return () if math.isnan(item) else (item,)
