"""How far a mean of questions, and a mean of such means, can be from what all questions of the kind would give.

A *leaf* is a dataset or an MT-Bench category: a mean over questions. Each leaf gives a margin below and one above its
mean, by a method that fits its kind; a score over several leaves is put together from their margins (MOVER: "method of
variance estimates recovery", Donner and Zou, Statistical Methods in Medical Research 21, 2012), with Student's quantile
for the degrees of freedom that the leaves have together (Welch and Satterthwaite). Nothing is drawn: the same answers
give the same interval. ``benchmarks/coverage.py`` measures how often such intervals hold, and against what they were
chosen.

In a sum of scores the leaves' own method is too narrow by what a single interval makes up for by its uneven ends (it
shrinks the variance of ten questions by a fifth); part of that is put back for each leaf, the more the less of the sum
rests on it alone.

Every function takes arrays of any shape and works element by element; :func:`combine` sums over the last axis.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import special  # type: ignore[import-untyped]  # scipy has no types

Floats = npt.NDArray[np.float64]

LEVEL = 0.95
"""Confidence level of every interval that is shown."""

_PSEUDO = 0.4
"""Weight of the one made-up question that every leaf is given, so that no leaf is without spread."""

_RESTORED = 0.4
"""Share of the variance that a leaf's method takes away which is put back where many leaves are summed up. All of it is
more than is needed: what is left of the ends' unevenness does the rest."""

_PRIOR = 1 / 3
"""Both parameters of the beta prior: Kerman's neutral one (Electronic Journal of Statistics 5, 2011), which keeps the
median where the data are. Jeffreys' 1/2 is up to 15 % wider near 0 and 1, and holds less often in averages."""

_NONE = 1e-12


@dataclass(frozen=True)
class Scale:
    """What the questions of a leaf can score.

    Attributes:
        worst: The least.
        best: The most.
        jump: How far one question's score typically moves when it moves, as a share of the whole: 1 for right or
            wrong, 1.5 of 9 points for ratings.
    """

    worst: float
    best: float
    jump: float

    @property
    def width(self) -> float:
        """From worst to best."""
        return self.best - self.worst


METRIC = Scale(0.0, 1.0, jump=1.0)
RATING = Scale(1.0, 10.0, jump=1.5 / 9)


def scale_of(best: float) -> Scale:
    """What questions of a score with this best value can score."""
    if best == RATING.best:
        return RATING
    return METRIC if best == METRIC.best else Scale(0.0, best, jump=1.0)


@dataclass(frozen=True, eq=False)
class Moments:
    """What is known of a leaf, or of the difference of two runs in it.

    Attributes:
        mean: Mean over the questions.
        squares: Sum over the questions of the squared deviation from it.
        questions: Their number, at least 2.
        binary: Whether every question is wholly right or wholly wrong.
        scale: What a question can score.
    """

    mean: Floats
    squares: Floats
    questions: Floats
    binary: npt.NDArray[np.bool_]
    scale: Scale

    @property
    def variance(self) -> Floats:
        """Variance of the mean, as the harness estimates it: that of the questions over their number."""
        variance: Floats = self.squares / (self.questions * (self.questions - 1))
        return variance


def moments(values: Floats, scale: Scale, weights: Floats | None = None) -> Moments:
    """Sum up one leaf.

    Args:
        values: ``(..., questions)``: each question's score, or with ``weights`` the sum of its turns' scores.
        scale: What a question can score.
        weights: ``(..., questions)``: number of turns in that sum; questions then count by their turns.

    Returns:
        The moments, ``(...,)``.
    """
    counts = np.ones_like(values) if weights is None else weights
    mean = values.sum(axis=-1) / counts.sum(axis=-1)
    # What each question pulls the ratio of the two sums away from its mean: deviations, where all have the same turns.
    pulls = (values - mean[..., None] * counts) / counts.mean(axis=-1)[..., None]
    ends = (np.abs(values) < _NONE) | (np.abs(values - counts) < _NONE)
    return Moments(
        mean=mean,
        squares=(pulls**2).sum(axis=-1),
        questions=np.full(mean.shape, float(values.shape[-1])),
        binary=np.asarray(ends.all(axis=-1) & (scale == METRIC)),
        scale=scale,
    )


def difference_moments(a: Floats, b: Floats, scale: Scale, weights: Floats | None = None) -> Moments:
    """Sum up the difference ``b - a`` of two runs on the same questions; arguments as for `moments`."""
    own = moments(b - a, scale, weights)
    return replace(
        own, binary=np.zeros(own.mean.shape, dtype=bool)
    )  # a share of discordant pairs tells no variance


def score_margins(own: Moments, level: float = LEVEL, part: Floats | float = 1.0) -> tuple[Floats, Floats]:
    """Margins of a leaf's mean: a beta posterior, for as many right-or-wrong questions as would be as uncertain.

    Graded answers vary less than right and
    wrong with the same mean, by a factor that is estimated from them and from one made-up question of small weight.

    Args:
        own: The leaf.
        level: Confidence level.
        part: How much of the sum rests on this leaf: 1 where it stands alone.

    Returns:
        The distance from the mean to the lower and to the upper end of an interval that takes the variance for known;
        Student's quantile comes in where leaves are combined.
    """
    scale, n = own.scale, own.questions
    share = np.clip((own.mean - scale.worst) / scale.width, 0.0, 1.0)
    most = n * share * (1 - share)
    shrunk = (n * share + _PSEUDO / 2) / (n + _PSEUDO)
    added = _PSEUDO * shrunk * (1 - shrunk)
    typical = min(1.0, 4 * scale.jump**2)
    factor = np.minimum((own.squares / scale.width**2 + typical * added) / (most + added), 1.0)
    alike = np.where(own.binary, n, (n - 1) / factor)
    tail = (1 - level) / 2
    at_end = (share <= _NONE) | (share >= 1 - _NONE)
    prior = np.where(at_end, 0.5, _PRIOR)  # 0 of 100 rules a rate of 2 % out no more than it should
    right, wrong = alike * share + prior, alike * (1 - share) + prior
    low = np.where(share <= _NONE, 0.0, special.betaincinv(right, wrong, tail))
    high = np.where(share >= 1 - _NONE, 1.0, special.betaincinv(right, wrong, 1 - tail))
    whole = np.where(own.binary, n - 1, alike)  # where the variance would be without bias
    shrunk = (alike + 1 + 2 * prior) / whole
    wider = np.sqrt(1 + _RESTORED * (1 - part) * (shrunk - 1)) * scale.width
    return (share - low) * wider, (high - share) * wider


def difference_margins(
    own: Moments, level: float = LEVEL, _part: Floats | float = 1.0
) -> tuple[Floats, Floats]:
    """Margins of the mean difference of two runs on the same questions: a score interval, as Wilson's is for a share.

    The differences' mean square is held fixed, with one made-up question of small weight that moved by the scale's
    `Scale.jump`, and the variance that goes with it taken at the end of the interval, not at the mean.

    Args:
        own: The differences, between ``-scale.width`` and ``scale.width``.
        level: Confidence level.
        _part: How much of the sum rests on this leaf; of no account, since what is shrunk here is shrunk towards 0,
            where most differences of many leaves lie.

    Returns:
        As `score_margins`.
    """
    n, width = own.questions, own.scale.width
    squared = special.ndtri((1 + level) / 2) ** 2
    mean = own.mean / width
    square = (own.squares / width**2 + _PSEUDO * own.scale.jump**2) / n + mean**2
    centre = n * mean / (n + squared)
    half = np.sqrt(np.maximum(centre**2 - n * (mean**2 - squared * square / n) / (n + squared), 0.0))
    return (mean - centre + half) * width, (centre + half - mean) * width


Margins = Callable[[Moments, float, Floats | float], tuple[Floats, Floats]]
"""`score_margins` or `difference_margins`."""


def sum_margins(
    weights: Floats,
    leaves: Sequence[Moments],
    margins: Margins,
    correlations: Floats | None = None,
    level: float = LEVEL,
) -> tuple[Floats, Floats]:
    """Margins of a weighted sum of leaves.

    Args:
        weights: ``(leaves,)``.
        leaves: What is known of each, all of one shape ``(...,)``.
        margins: `score_margins` or `difference_margins`.
        correlations: ``(leaves, leaves)``; None where no two leaves have questions in common.
        level: Confidence level.

    Returns:
        Margins below and above, ``(...,)``.
    """
    sizes = [
        (weight * leaf.scale.width) ** 2 / leaf.questions
        for weight, leaf in zip(weights, leaves, strict=True)
    ]
    whole = np.sum(sizes, axis=0)
    below, above = zip(
        *(margins(leaf, level, size / whole) for leaf, size in zip(leaves, sizes, strict=True)), strict=True
    )
    degrees = np.stack([freedom(leaf) for leaf in leaves], axis=-1)
    return combine(weights, np.stack(below, axis=-1), np.stack(above, axis=-1), degrees, correlations, level)


def freedom(own: Moments) -> Floats:
    """Degrees of freedom of a leaf's variance: infinite where the mean itself tells it (right or wrong)."""
    degrees: Floats = np.where(own.binary, np.inf, own.questions - 1)
    return degrees


def combine(
    weights: Floats,
    below: Floats,
    above: Floats,
    degrees: Floats,
    correlations: Floats | None = None,
    level: float = LEVEL,
) -> tuple[Floats, Floats]:
    """Put the margins of leaves together to those of a weighted sum.

    Args:
        weights: ``(leaves,)``.
        below: ``(..., leaves)``: margins below.
        above: ``(..., leaves)``: margins above.
        degrees: ``(..., leaves)``: degrees of freedom.
        correlations: ``(leaves, leaves)``; None where no two leaves have questions in common.
        level: Confidence level, the margins' own.

    Returns:
        Margins of the sum, ``(...,)``.
    """
    lower, upper = below * weights, above * weights
    middle = ((lower + upper) / 2) ** 2
    shared = (middle**2 / degrees).sum(axis=-1)
    total = np.where(shared > 0, middle.sum(axis=-1) ** 2 / np.maximum(shared, 1e-300), np.inf)
    tail = (1 + level) / 2
    student = np.where(
        np.isinf(total), 1.0, special.stdtrit(np.minimum(total, 1e9), tail) / special.ndtri(tail)
    )
    return tuple(student * np.sqrt(sum_of_squares(margin, correlations)) for margin in (lower, upper))  # type: ignore[return-value]  # two


def sum_of_squares(margins: Floats, correlations: Floats | None) -> Floats:
    """Square of the length of the margins together, ``(..., leaves)`` to ``(...,)``."""
    if correlations is None:
        total: Floats = (margins**2).sum(axis=-1)
        return total
    total = np.einsum("...i,ij,...j->...", margins, correlations, margins)
    return np.maximum(total, 0.0)
