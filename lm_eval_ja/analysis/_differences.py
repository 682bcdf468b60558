"""Two runs paired question by question, and the intervals of their differences: what `compare` and the gate share."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lm_eval_ja.analysis._intervals import Interval, Leaf, stack, tree_intervals
from lm_eval_ja.analysis._leaderboards import evaluate_trees
from lm_eval_ja.analysis._leaf_intervals import LEVEL, Moments, difference_margins, difference_moments
from lm_eval_ja.analysis._pairing import Pair, find_warnings, make_pairs, only_compared, refuse, unscored
from lm_eval_ja.analysis._resampling import turn_sums
from lm_eval_ja.errors import DataError
from lm_eval_ja.judge.mtbench import UNANSWERED_REASON
from lm_eval_ja.protocols import Score, mean_number, mean_score
from lm_eval_ja.results import Run


@dataclass(frozen=True, eq=False)
class Paired:
    """Two runs on the questions that both have answered.

    Attributes:
        run: The first run with those questions only: whose protocols' trees count.
        pairs: The leaves of both.
        a: The first run's scores, by name.
        b: The second run's.
        moments: What is known of each leaf's difference, by name; None with fewer than two questions.
        noise: The part of each leaf's variance that is the judge's or the sampling's own, by name: it shrinks with the
            judgings or samples of each answer. None for ratings of one judging, of which it is not known; 0 for
            scores of one answer.
        warnings: In what the runs differ besides the model.
    """

    run: Run
    pairs: tuple[Pair, ...]
    a: Mapping[str, float]
    b: Mapping[str, float]
    moments: Mapping[str, tuple[Leaf, Moments | None]]
    noise: Mapping[str, float | None]
    warnings: tuple[str, ...]

    @property
    def differences(self) -> dict[str, float]:
        """The second run's scores minus the first one's, of those that both have."""
        return {name: self.b[name] - value for name, value in self.a.items() if name in self.b}

    def intervals(self, level: float = LEVEL) -> dict[str, Interval]:
        """Intervals of the differences, by name; a score that needs a leaf without spread has none."""
        return tree_intervals(
            self.run, self.moments, self.differences, difference_margins, level, differences=True
        )

    def repeat_variances(self) -> dict[str, float]:
        """The part of each difference's variance that repeats would shrink, by name, where all of it is known."""
        known = {name: Score(0.0, math.sqrt(own)) for name, own in self.noise.items() if own is not None}
        found = evaluate_trees(self.run, known, mean_score)
        return {name: own.stderr**2 for name, own in found.items() if own.stderr is not None}


def pair_runs(a: Run, b: Run) -> Paired:
    """Pair two runs.

    Args:
        a: The first run.
        b: The second run.

    Raises:
        OptionError: The runs have no task in common, or the same task with other questions, references or metric.
        DataError: Samples are missing, or no question was answered by both.
    """
    common = [(a.tasks[name], b.tasks[name]) for name in a.tasks if name in b.tasks]
    refuse(a, b, common)
    warnings = find_warnings(a, b, common)
    pairs = make_pairs(common)
    if not pairs:
        raise DataError(
            f"{a.key} and {b.key} have no question in common that both have a score for: run both on the same split "
            "with --log_samples, with the same or no --limit, and have MT-Bench's answers judged"
        )
    warnings += unscored(common, pairs)
    compared = replace(a, tasks={own.task: only_compared(own, pairs) for own, _ in common})
    return Paired(
        run=compared,
        pairs=tuple(pairs),
        a=evaluate_trees(compared, {pair.a.name.name: pair.a.mean for pair in pairs}, mean_number),
        b=evaluate_trees(compared, {pair.b.name.name: pair.b.mean for pair in pairs}, mean_number),
        moments=_moments(pairs),
        noise={pair.a.name.name: _noise(pair) for pair in pairs},
        warnings=tuple(warnings),
    )


def _moments(pairs: Sequence[Pair]) -> dict[str, tuple[Leaf, Moments | None]]:
    known: dict[str, tuple[Leaf, Moments | None]] = {}
    for pair in pairs:
        sums, turns = turn_sums(stack([pair.a.values, pair.b.values]))
        enough = sums.shape[1] >= 2  # noqa: PLR2004  # no spread without two
        own = difference_moments(sums[0], sums[1], pair.a.scale, turns[0]) if enough else None
        known[pair.a.name.name] = pair.a, own
    return known


def _noise(pair: Pair) -> float | None:
    """Variance of a leaf's difference that comes from judging or sampling alone, from the spread of an answer's own."""
    if not pair.a.questions[0].turns:
        return sum(_sampling_noise(leaf) for leaf in (pair.a, pair.b))
    total = 0.0
    for leaf in (pair.a, pair.b):
        number = np.isfinite(leaf.values).sum(axis=-1)
        # What is rated without a judge, because there is no answer, would be rated so again.
        fixed = np.array(
            [
                [(turn.reason or "").startswith(UNANSWERED_REASON) for turn in own.turns]
                for own in leaf.questions
            ]
        )
        judged = (number > 0) & ~fixed
        if not (number[judged] > 1).all():
            return None
        spread = np.nanvar(leaf.values[judged], axis=-1, ddof=1)
        total += float((spread / number[judged]).sum()) / float((number > 0).sum()) ** 2
    return total


def _sampling_noise(leaf: Leaf) -> float:
    """Variance of a leaf's mean that comes from sampling: 0 with one answer per question."""
    scores = [[own.score for own in question.samples if own.score is not None] for question in leaf.questions]
    several = [own for own in scores if len(own) > 1]
    return float(sum(np.var(own, ddof=1) / len(own) for own in several)) / len(leaf.questions) ** 2
