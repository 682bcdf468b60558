"""Two runs on the same questions: how far apart they are, how sure that is, and which questions made the difference.

Everything is paired. The interval of a difference comes from each question's difference, through the macro average;
the p-value asks how often a difference at least as large, either way, comes about if for every question it is left to
chance which run gave which answer. It is seeded.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from lm_eval_ja.analysis._differences import Paired, pair_runs
from lm_eval_ja.analysis._intervals import RATING_SCALE, Interval, mean_array, stack
from lm_eval_ja.analysis._leaderboards import RANKED, Column, evaluate_trees, run_columns, run_protocols
from lm_eval_ja.analysis._lenient import right_or_wrong
from lm_eval_ja.analysis._pairing import Pair
from lm_eval_ja.analysis._power import times_the_questions
from lm_eval_ja.analysis._resampling import Floats, holm, sign_flips, turn_sums, two_sided_p
from lm_eval_ja.results import Question, Run

Kind = Literal["right_to_wrong", "wrong_to_right", "worse", "better"]

_SAME = 1e-9

SIGNIFICANT = 0.05
"""A p-value below it makes a difference significant."""


@dataclass(frozen=True)
class Difference:
    """One score of both runs, on the questions that both answered.

    Attributes:
        name: The score.
        a: The first run's score; None if a member is missing.
        b: The second run's.
        difference: ``b - a``: positive means that the second run is better.
        low: Lower end of the difference's 95 % interval; None if it has no spread (fewer than two questions).
        high: Upper end.
        p: Two-sided p-value of the sign-flip permutation test.
        p_holm: The same, adjusted (Holm) for all scores of its level; the averages and the overall score are one level.
        questions: Questions compared.
        better: Of those, how many the second run answered better.
        worse: How many the first run did.
        times_questions: For a difference that is not significant (p of 0.05 or more): how many times the questions
            would show it with a chance of 80 %, if it is as large as it looks. None where it is significant or 0, or
            where so few questions tell nothing of their spread.
        times_judgings: The same with more judgings of every answer and no more questions; infinite where no number of
            them would do. None where the judge's part is not known (one judging per answer) or there is no judge.
    """

    name: Column
    a: float | None
    b: float | None
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    questions: int
    better: int
    worse: int
    times_questions: float | None = None
    times_judgings: float | None = None


@dataclass(frozen=True)
class Change:
    """A question that the two runs answered differently well.

    Attributes:
        kind: ``right_to_wrong`` or ``wrong_to_right`` for exact match (of several samples only if
            all were right or all wrong), else ``worse`` or ``better``.
        a: The first run's question, with its answer and score.
        b: The second run's.
        score_a: Its score in the first run (for MT-Bench over the turns that both runs have rated).
        score_b: Its score in the second.
    """

    kind: Kind
    a: Question
    b: Question
    score_a: float
    score_b: float

    @property
    def flipped(self) -> bool:
        """Whether the question went from right to wrong or back."""
        return self.kind in ("right_to_wrong", "wrong_to_right")

    @property
    def size(self) -> float:
        """Size of the change as a share of the best score, so that ratings and metrics can be sorted together."""
        return abs(self.score_a - self.score_b) / (RATING_SCALE if self.a.turns else 1)


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side.

    Attributes:
        a: Key of the first run.
        b: Key of the second.
        differences: From the overall score down to the datasets.
        changes: Every question with different scores: flipped ones first, then by the size of the change.
        warnings: What makes the comparison less than straightforward.
        permutations: Permutations behind every p-value.
        seed: Its seed.
    """

    a: str
    b: str
    differences: tuple[Difference, ...]
    changes: tuple[Change, ...]
    warnings: tuple[str, ...]
    permutations: int
    seed: int


def compare_runs(a: Run, b: Run, *, permutations: int = 10_000, seed: int = 0) -> Comparison:
    """Compare two runs on the questions that both have answered.

    Args:
        a: The first run.
        b: The second run.
        permutations: Permutations; the smallest possible p-value is ``1 / (permutations + 1)``.
        seed: Its seed.

    Returns:
        The comparison.

    Raises:
        OptionError: The runs have no task in common, or the same task with other questions, references or metric.
        DataError: Samples are missing, or no question was answered by both.
    """
    paired = pair_runs(a, b)
    return Comparison(
        a=a.key,
        b=b.key,
        differences=_differences(paired, permutations=permutations, seed=seed),
        changes=_changes(paired.pairs),
        warnings=paired.warnings,
        permutations=permutations,
        seed=seed,
    )


def _differences(paired: Paired, *, permutations: int, seed: int) -> tuple[Difference, ...]:
    run, a, b, apart = paired.run, paired.a, paired.b, paired.differences
    flipped: dict[str, Floats] = {}
    counts: dict[str, tuple[int, int, int]] = {}
    for pair in paired.pairs:
        leaf = pair.a.name.name
        sums, turns = turn_sums(stack([pair.a.values, pair.b.values]))
        change = sums[1] - sums[0]
        flipped[leaf] = sign_flips(
            change, turns[0], permutations=permutations, seed=seed, name=pair.questions
        )
        counts[leaf] = (len(change), int((change > _SAME).sum()), int((change < -_SAME).sum()))
    intervals = paired.intervals()
    flipped = evaluate_trees(run, flipped, mean_array)
    for node in {node.name: node for protocol in run_protocols(run) for node in protocol.nodes()}.values():
        below = [counts[leaf.name] for leaf in node.leaves() if leaf.name in counts]
        counts[node.name] = tuple(map(sum, zip(*below, strict=True))) if below else (0, 0, 0)  # type: ignore[assignment]  # three sums
    judged = paired.judge_variances()
    found = []
    for name in run_columns(run):
        key = name.name
        there = key in a and key in b
        interval = intervals.get(key)
        number, better, worse = counts.get(key, (0, 0, 0))
        p = two_sided_p(apart[key], flipped[key]) if there else None
        more = _more(interval, judged.get(key)) if p is not None and p >= SIGNIFICANT else (None, None)
        found.append(
            Difference(
                name=name,
                a=a.get(key),
                b=b.get(key),
                difference=apart[key] if there else None,
                low=interval.low if interval else None,
                high=interval.high if interval else None,
                p=p,
                p_holm=None,
                questions=number,
                better=better,
                worse=worse,
                times_questions=more[0],
                times_judgings=more[1],
            )
        )
    return _adjusted(found)


def _more(interval: Interval | None, judged: float | None) -> tuple[float | None, float | None]:
    """How many times the questions, or the judgings, would show a difference; see `Difference`."""
    if interval is None or abs(interval.value) <= _SAME:
        return None, None
    questions = times_the_questions(interval.stderr, interval.value)
    if questions <= 1:  # so few questions, or so much alike, that their spread says nothing
        return None, None
    if not judged:
        return questions, None
    whole = interval.stderr**2
    # What the judge adds must fall until the whole is 1 / questions of what it is.
    left = whole / questions - (whole - judged)
    return questions, judged / left if left > 0 else math.inf


def _adjusted(differences: Sequence[Difference]) -> tuple[Difference, ...]:
    """Fill in the p-values adjusted for all scores of a level."""
    adjusted = list(differences)
    for levels in (RANKED, ("category",), ("dataset",)):
        family = [
            index for index, own in enumerate(differences) if own.name.level in levels and own.p is not None
        ]
        p_values = [own.p for own in differences if own.name.level in levels and own.p is not None]
        for index, p_holm in zip(family, holm(p_values), strict=True):
            adjusted[index] = replace(adjusted[index], p_holm=p_holm)
    return tuple(adjusted)


def _changes(pairs: Sequence[Pair]) -> tuple[Change, ...]:
    changes: list[Change] = []
    for pair in pairs:
        sums, turns = turn_sums(stack([pair.a.values, pair.b.values]))
        for a, b, scores in zip(pair.a.questions, pair.b.questions, (sums / turns).T.tolist(), strict=True):
            score_a, score_b = scores
            if abs(score_a - score_b) > _SAME:
                changes.append(Change(_kind(a, score_a, score_b), a, b, score_a, score_b))
    return tuple(sorted(changes, key=_order))


def _kind(question: Question, a: float, b: float) -> Kind:
    better = b > a
    if right_or_wrong(question.metric) and {a, b} == {0.0, 1.0}:  # of several samples all or none
        return "wrong_to_right" if better else "right_to_wrong"
    return "better" if better else "worse"


def _order(change: Change) -> tuple[bool, float, str, str]:
    return not change.flipped, -change.size, change.a.dataset, change.a.id
