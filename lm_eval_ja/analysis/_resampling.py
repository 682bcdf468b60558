"""Resampling on plain arrays: bootstrap, sign flips, ranks.

Values of one dataset (or one MT-Bench category) are an array ``(models, questions, turns, judgings)`` with NaN where
there is no value; a dataset with one score per question has one turn and one judging. Every function that draws seeds
itself from the data's names, so that a number does not depend on what else is computed beside it.
"""

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LEVEL = 0.95
"""Confidence level of every interval here."""

_CHUNK = 250
_TIE = 1e-9  # sums of the same numbers in another order differ by rounding


def generator(seed: int, *names: str | bytes) -> np.random.Generator:
    """Independent random generator, seeded by ``seed`` and ``names``."""
    digest = sha256()
    for name in names:
        data = name.encode("utf-8", "surrogatepass") if isinstance(name, str) else name
        digest.update(len(data).to_bytes(8, "big") + data)
    return np.random.default_rng([seed, *np.frombuffer(digest.digest(), dtype=np.uint32).tolist()])


def turn_sums(values: Floats) -> tuple[Floats, Floats]:
    """Sum of each question's scored turns, a turn being the mean of its judgings, and their number.

    Args:
        values: ``(models, questions, turns, judgings)``.

    Returns:
        Both ``(models, questions)``.
    """
    there = np.isfinite(values)
    judgings = there.sum(axis=-1)
    turns = np.where(there, values, 0.0).sum(axis=-1) / np.maximum(judgings, 1)
    scored: Floats = (judgings > 0).astype(np.float64)
    sums: Floats = turns.sum(axis=-1)
    number: Floats = scored.sum(axis=-1)
    return sums, number


def question_means(values: Floats) -> Floats:
    """Mean over everything scored, a question's turns counted singly and its judgings averaged first.

    Args:
        values: ``(models, questions, turns, judgings)``.

    Returns:
        ``(models,)``, NaN where nothing is scored.
    """
    sums, counts = turn_sums(values)
    with np.errstate(invalid="ignore"):
        means: Floats = sums.sum(axis=1) / counts.sum(axis=1)
    return means


def bootstrap_means(values: Floats, *, resamples: int, seed: int, name: str) -> Floats:
    """Draw questions anew, with replacement, the same ones for all models; where judged repeatedly, judgings too.

    Of *n* questions *n* - 1 are drawn: the spread of their mean is then without bias that of the mean of *n* questions
    (Rao and Wu, JASA 83, 1988), where *n* draws are too narrow by the factor sqrt((n - 1) / n), 5 % for the ten
    questions of an MT-Bench category. Judgings of a drawn question's turn are drawn independently for each model.

    Args:
        values: ``(models, questions, turns, judgings)``.
        resamples: How many times to draw.
        seed: Seed; the draws also depend on ``name``, not on the models.
        name: What identifies the questions.

    Returns:
        ``(models, resamples)``: :func:`question_means` of each resample. NaN for a model with fewer than two scored
        questions (no spread without two) and for the rare resample none of whose questions is scored.
    """
    models, questions = values.shape[:2]
    means = np.full((models, resamples), np.nan)
    scored = np.isfinite(values).any(axis=(2, 3)).sum(axis=1) >= 2  # noqa: PLR2004  # no spread without two
    if not scored.any():
        return means
    rng = generator(seed, "questions", name)
    judged = [bool((np.isfinite(own).sum(axis=-1) > 1).any()) for own in values]
    packed = [_Judgings(own, generator(seed, "judgings", name, own.tobytes())) for own in values]
    sums, counts = turn_sums(values)
    plain = np.flatnonzero(scored & ~np.array(judged))
    for start in range(0, resamples, _CHUNK):
        rows = min(_CHUNK, resamples - start)
        chunk = slice(start, start + rows)
        drawn = rng.integers(questions, size=(rows, questions - 1))
        times = _times(drawn, questions)
        with np.errstate(invalid="ignore"):
            means[plain, chunk] = (sums[plain] @ times) / (counts[plain] @ times)
            for model in np.flatnonzero(scored & np.array(judged)):
                means[model, chunk] = packed[model].means(drawn)
    return means


def sign_flips(differences: Floats, weights: Floats, *, permutations: int, seed: int, name: str) -> Floats:
    """Means of paired differences after swapping the two sides of each question at random.

    Args:
        differences: ``(questions,)``: sum over the question's turns of one side's score minus the other's.
        weights: ``(questions,)``: number of turns in that sum.
        permutations: How many times to swap.
        seed: Seed; the swaps also depend on ``name``.
        name: What identifies the questions.

    Returns:
        ``(permutations,)``: mean difference per turn if the two sides were exchangeable.
    """
    rng = generator(seed, "flips", name)
    means = np.empty(permutations)
    for start in range(0, permutations, _CHUNK):
        chunk = slice(start, min(start + _CHUNK, permutations))
        signs = rng.integers(2, size=(chunk.stop - start, len(differences))) * 2.0 - 1.0
        means[chunk] = signs @ differences / weights.sum()
    return means


def two_sided_p(observed: float, permuted: Floats) -> float:
    """Share of permutations at least as far from zero as what was observed, itself counted in; never 0."""
    far = np.abs(permuted) >= abs(observed) - _TIE
    return float((1 + far.sum()) / (1 + len(permuted)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjustment: valid for all comparisons of the family together, whatever their dependence.

    >>> [round(p, 6) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def ranks(scores: Floats) -> npt.NDArray[np.int64]:
    """Rank each model, 1 the best; equals share the better rank.

    Args:
        scores: ``(models, resamples)``.

    Returns:
        ``(models, resamples)``.
    """
    return np.array([1 + (scores > own + _TIE).sum(axis=0) for own in scores], dtype=np.int64)


def rank_intervals(scores: Floats) -> list[tuple[int, int]]:
    """The central 95 % of each model's rank over the resamples, in whole ranks."""
    tail = (1 - LEVEL) / 2
    complete = scores[:, np.isfinite(scores).all(axis=0)]
    if not complete.size:
        return [(1, len(scores))] * len(scores)
    found = ranks(complete)
    low = np.quantile(found, tail, axis=1, method="inverted_cdf")
    high = np.quantile(found, 1 - tail, axis=1, method="inverted_cdf")
    return [(int(first), int(last)) for first, last in zip(low, high, strict=True)]


def _times(drawn: npt.NDArray[np.int64], questions: int) -> Floats:
    """How often each question was drawn, ``(questions, resamples)``."""
    rows = len(drawn)
    flat = drawn + questions * np.arange(rows)[:, None]
    times: Floats = np.bincount(flat.ravel(), minlength=rows * questions).astype(np.float64)
    by_question: Floats = times.reshape(rows, questions).T
    return by_question


class _Judgings:
    """One model's judgings, drawn anew for each drawn question."""

    def __init__(self, values: Floats, rng: np.random.Generator) -> None:
        self._rng = rng
        self._number = np.isfinite(values).sum(axis=-1)
        order = np.argsort(~np.isfinite(values), axis=-1, kind="stable")
        self._values = np.take_along_axis(values, order, axis=-1)  # what is there stands first

    def means(self, drawn: npt.NDArray[np.int64]) -> Floats:
        """Mean of each resample's ratings; ``drawn`` is ``(resamples, draws)``, the result ``(resamples,)``."""
        number = self._number[drawn]
        picks = (self._rng.random((*number.shape, self._values.shape[-1])) * number[..., None]).astype(
            np.int64
        )
        ratings = np.take_along_axis(self._values[drawn], picks, axis=-1)
        used = np.arange(ratings.shape[-1]) < number[..., None]
        turns = np.where(used, ratings, 0.0).sum(axis=-1) / np.maximum(number, 1)
        means: Floats = turns.sum(axis=(1, 2)) / (number > 0).sum(axis=(1, 2))
        return means
