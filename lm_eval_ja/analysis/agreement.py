"""How far raters agree, and how their scales are related. Pure functions over ratings."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]  # scipy has no types

Floats = NDArray[np.float64]

LEVEL = 0.95
_LEAST_RATED = 10
_NO_MATTER = 0.05  # points
_MOST_APART = 0.75  # of half an interval: beyond, coverage suffers (benchmarks/judges.py)


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval.

    Attributes:
        value: The number.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Mapped:
    """A mean rating on another rater's scale.

    Attributes:
        given: The mean rating as given.
        mapped: The estimate of what the other rater's mean would be; None if the fit cannot say.
        refusal: Why it must not be used; None if it may.
    """

    given: float
    mapped: Estimate | None
    refusal: str | None

    def diluted(self, share: float, fixed: float) -> "Mapped":
        """The same where only a ``share`` of the ratings is mapped, and the others are ``fixed`` on both scales."""

        def mix(value: float) -> float:
            return share * value + (1 - share) * fixed

        own = self.mapped
        mapped = None if own is None else Estimate(mix(own.value), mix(own.low), mix(own.high))
        return Mapped(mix(self.given), mapped, self.refusal)


def krippendorff_alpha(ratings: Sequence[Sequence[float]]) -> float:
    """Krippendorff's alpha for interval data: 1 for full agreement, 0 for what chance gives; NaN if nothing differs.

    K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), with the squared difference.

    Args:
        ratings: For each unit the ratings it got; units with fewer than two are left out.

    >>> krippendorff_alpha([[1, 1], [5, 5], [9, 9]])
    1.0
    """
    units = [np.asarray(unit, dtype=float) for unit in ratings if len(unit) > 1]
    if not units:
        return math.nan
    everything = np.concatenate(units)
    total = len(everything)
    expected = 2 * float(everything.var()) * total / (total - 1)
    observed = sum(2 * len(unit) * float(unit.var(ddof=1)) for unit in units) / total
    return 1 - observed / expected if expected else math.nan


def weighted_kappa(first: Sequence[float], second: Sequence[float]) -> float:
    """Cohen's kappa with quadratic weights, for ratings of any spacing; NaN if neither rater's ratings differ.

    >>> weighted_kappa([1, 5, 9], [1, 5, 9])
    1.0
    """
    one, two = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    expected = float(one.var() + two.var() + (one.mean() - two.mean()) ** 2)
    return 1 - float(((one - two) ** 2).mean()) / expected if expected else math.nan


@dataclass(frozen=True)
class Line:
    """A straight line through points of which those of a group depend on each other.

    Attributes:
        coefficients: Intercept first, then one per column.
        covariance: Of the coefficients, robust to dependence within groups and to unequal spread (CR2).
        freedom: Degrees of freedom for Student's t.
        group_variance: Variance of a group's mean residual.
        groups: How many groups there are.
    """

    coefficients: Floats
    covariance: Floats
    freedom: float
    group_variance: float
    groups: int

    def estimate(self, index: int) -> Estimate:
        """One coefficient with its interval."""
        value = float(self.coefficients[index])
        margin = quantile(self.freedom) * math.sqrt(max(0.0, float(self.covariance[index, index])))
        return Estimate(value, value - margin, value + margin)


def fit_line(
    columns: Sequence[Sequence[float]], target: Sequence[float], groups: Sequence[Hashable]
) -> Line | None:
    """Least squares with a covariance that holds for dependent points, also with few groups.

    The "bias-reduced linearization" CR2 of Bell and McCaffrey (2002): residuals of each group are divided by the square
    root of what the fit takes from their variance. Degrees of freedom are groups less coefficients.

    Args:
        columns: Explaining values, without the constant.
        target: What is explained.
        groups: Of each point.

    Returns:
        The line; None if it cannot be told (no spread, or too few groups).
    """
    design = np.column_stack([np.ones(len(target)), *(np.asarray(column, dtype=float) for column in columns)])
    y = np.asarray(target, dtype=float)
    names = list(dict.fromkeys(groups))
    number = {name: index for index, name in enumerate(names)}
    of = np.array([number[name] for name in groups], dtype=int)
    width = design.shape[1]
    if len(names) < width + 2 or np.linalg.matrix_rank(design) < width:
        return None
    bread = np.linalg.inv(design.T @ design)
    coefficients = bread @ design.T @ y
    residuals = y - design @ coefficients
    meat = np.zeros((width, width))
    means = []
    for index in range(len(names)):
        own = design[of == index]
        rest = np.eye(len(own)) - own @ bread @ own.T
        values, vectors = np.linalg.eigh(rest)
        root = vectors @ np.diag(1 / np.sqrt(np.clip(values, 1e-9, None))) @ vectors.T
        corrected = root @ residuals[of == index]
        score = own.T @ corrected
        meat += np.outer(score, score)
        means.append(float(corrected.mean()))
    return Line(
        coefficients,
        bread @ meat @ bread,
        float(len(names) - width),
        float(np.mean(np.square(means))),
        len(names),
    )


def quantile(freedom: float) -> float:
    """Student's quantile of our level."""
    return float(stats.t.ppf((1 + LEVEL) / 2, freedom))


def map_back(
    line: Line, given: float, groups: int, widest: float, reach: tuple[float, float], inverse: float
) -> Mapped:
    """What the mean of x must have been where that of y was ``given``: calibration by Fieller's theorem.

    The interval holds the uncertainty of offset, slope and their correlation, and that of how far ``groups`` new groups
    stray from the line. It takes x for exact. Were x as noisy as y, the truth would lie between this line and that of x
    by y (Frisch): where the two are so far apart that it matters, the estimate is refused.

    Args:
        line: y by x.
        given: A mean of y over new points.
        groups: How many groups these points are of.
        widest: Largest width of an interval that may be used.
        reach: Smallest and largest y that the line was made of.
        inverse: What the line of x by y gives for ``given``.
    """
    t2 = quantile(line.freedom) ** 2
    a, b = (float(value) for value in line.coefficients)
    (v_aa, v_ab), (_, v_bb) = line.covariance.tolist()
    # (given - a - b x)^2 = t^2 (v_aa + 2 x v_ab + x^2 v_bb + strays), solved for x
    strays = line.group_variance / groups
    square = b * b - t2 * v_bb
    linear = -2 * (given - a) * b - 2 * t2 * v_ab
    constant = (given - a) ** 2 - t2 * (v_aa + strays)
    inside = linear * linear - 4 * square * constant
    if square <= 0 or b <= 0 or inside < 0:
        return Mapped(given, None, "the two judges' ratings are not clearly related: any old score would do")
    root = math.sqrt(inside)
    mapped = Estimate((given - a) / b, (-linear - root) / (2 * square), (-linear + root) / (2 * square))
    width = mapped.high - mapped.low
    refusal = None
    if not reach[0] <= given <= reach[1]:
        refusal = f"{given:.2f} is outside the frozen answers' new ratings ({reach[0]:.2f} to {reach[1]:.2f})"
    elif width > widest:
        refusal = f"the interval is {width:.2f} wide, more than {widest:g}"
    elif abs(mapped.value - inverse) > max(_NO_MATTER, _MOST_APART * width / 2):
        refusal = (
            f"too far from the frozen answers' mean: were the old ratings as noisy as the new ones, it could be "
            f"{inverse:.2f}; freeze answers of models nearer to this score"
        )
    return Mapped(given, mapped, refusal)


def prediction_powered_mean(
    rated: Sequence[float], predicted: Sequence[float], others: Sequence[float]
) -> Estimate:
    """Mean of human ratings, known for some answers, with a judge's ratings known for all of them.

    Power-tuned prediction-powered inference (Angelopoulos, Duchi, Zrnic, "PPI++: Efficient Prediction-Powered
    Inference", 2023): never wider, for many ratings, than the human ratings alone would have it, whatever the judge is
    worth.

    Args:
        rated: Human ratings, of answers that were chosen by chance.
        predicted: The judge's ratings of the same answers.
        others: The judge's ratings of the answers that no human rated.

    Raises:
        ValueError: There are fewer than ten of either kind: the interval rests on many.
    """
    y, seen, unseen = (np.asarray(values, dtype=float) for values in (rated, predicted, others))
    if min(len(y), len(unseen)) < _LEAST_RATED:
        raise ValueError(
            f"{_LEAST_RATED} answers with human ratings and {_LEAST_RATED} without are the least"
        )
    n, more = len(y), len(unseen)
    spread = float(np.concatenate([seen, unseen]).var(ddof=1))
    covariance = float(np.cov(y, seen, ddof=0)[0, 1])
    power = min(1.0, max(0.0, covariance / ((1 + n / more) * spread))) if spread else 0.0
    value = float(power * unseen.mean() + (y - power * seen).mean())
    variance = power**2 * float(unseen.var()) / more + float((y - power * seen).var()) / n
    margin = float(stats.norm.ppf((1 + LEVEL) / 2)) * math.sqrt(variance)
    return Estimate(value, value - margin, value + margin)
