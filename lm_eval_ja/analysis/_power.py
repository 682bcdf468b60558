"""How many questions a difference takes to be seen."""

import math

from scipy import special  # type: ignore[import-untyped]  # scipy has no types

POWER = 0.8
"""Chance with which a difference of the size looked for is to be found."""


def times_the_questions(stderr: float, distance: float, alpha: float, *, power: float = POWER) -> float:
    """How many times the questions it would take to tell a score from a limit.

    The usual calculation with normal quantiles: it takes the distance for real and the spread of questions for known.

    Args:
        stderr: Standard error of the score (or difference) with today's questions.
        distance: How far it is from the limit.
        alpha: Error that is allowed on the side of the limit: 0.025 for a 95 % interval.
        power: Chance of telling it.

    Returns:
        The factor; infinite where there is no distance.

    Examples:
        >>> round(times_the_questions(0.01, 0.028, 0.025), 2)
        1.0
    """
    if distance == 0:
        return math.inf
    needed = float(special.ndtri(1 - alpha) + special.ndtri(power))
    return (needed * stderr / distance) ** 2
