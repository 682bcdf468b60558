"""How sure a score is: 95 % intervals over questions, through the trees of the protocols, and ranges of places.

Every dataset and MT-Bench category gives its margins (:mod:`lm_eval_ja.analysis._leaf_intervals`); the trees, evaluated
over unit vectors, say how much each weighs in every score. Only the ranges of places are bootstrapped: all runs that
answered the same questions get the same draws.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lm_eval_ja.analysis._leaderboards import RANKED, Column, evaluate_trees, make_leaderboards, run_columns
from lm_eval_ja.analysis._leaf_intervals import (
    LEVEL,
    Margins,
    Moments,
    Scale,
    moments,
    scale_of,
    score_margins,
    sum_margins,
    sum_of_squares,
)
from lm_eval_ja.analysis._resampling import (
    Floats,
    bootstrap_means,
    question_means,
    rank_intervals,
    ranks,
    turn_sums,
)
from lm_eval_ja.metrics import METRICS
from lm_eval_ja.protocols import Leaf as TreeLeaf
from lm_eval_ja.protocols import find_rules, load_protocol, mean_number
from lm_eval_ja.results import Question, Run, RunSet, TaskResult

RATING_SCALE = 10.0
"""The best rating of a judge."""

_AGREES = 1e-6


@dataclass(frozen=True)
class Interval:
    """A score and how far it may be off because other questions could have been asked.

    Attributes:
        value: The score, on the scale on which the tables show it.
        low: Lower end of the 95 % interval.
        high: Upper end.
        stderr: Its standard error: the harness's kind of number, propagated through the averages.
    """

    value: float
    low: float
    high: float
    stderr: float


@dataclass(frozen=True)
class RankInterval:
    """A place among comparable runs.

    Attributes:
        rank: The place by the score itself, 1 the best; equals share the better one.
        low: Best place within the central 95 % of the resamples.
        high: Worst one.
        runs: How many runs were ranked.
    """

    rank: int
    low: int
    high: int
    runs: int


@dataclass(frozen=True)
class RunIntervals:
    """Intervals of one run's scores.

    Attributes:
        run: The run's key.
        names: The scores of the run, from the overall score down to the datasets.
        scores: Interval of each score, by `Column.name`. None where none can be given: a member is missing, samples
            are incomplete or don't agree with the results, or a dataset has fewer than two scored questions.
        ranks: Place in the overall score and in each average among the comparable runs (those of the same leaderboard,
            see `make_leaderboards`) that have an interval there, by `Column.name`.
    """

    run: str
    names: tuple[Column, ...]
    scores: Mapping[str, Interval | None]
    ranks: Mapping[str, RankInterval]

    @property
    def overall(self) -> Interval | None:
        """Nejumi's overall score."""
        return self.scores.get("nejumi")

    @property
    def avg_jaster(self) -> Interval | None:
        """AVG_jaster of neo."""
        return self.scores.get("nejumi_jaster")

    @property
    def avg_mtbench(self) -> Interval | None:
        """AVG_mtbench of neo, 1 to 10."""
        return self.scores.get("nejumi_mtbench")

    @property
    def rank(self) -> RankInterval | None:
        """Place in the highest score that the run has: overall, else AVG_jaster, else another average."""
        return next((self.ranks[name.name] for name in self.names if name.name in self.ranks), None)

    def labelled(self, label: str) -> Interval | None:
        """Interval of the score with a published name: a category (``NLI``, ``coding``), dataset or average."""
        return next((self.scores[name.name] for name in self.names if name.label == label), None)


@dataclass(frozen=True, eq=False)
class Leaf:
    """Per-question values of a dataset or of an MT-Bench category: what an average is made of.

    Attributes:
        name: The score they make up.
        questions: The questions, sorted by id.
        values: ``(questions, turns, judgings)``, NaN where there is none.
    """

    name: Column
    questions: tuple[Question, ...]
    values: Floats

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the questions."""
        return tuple(question.id for question in self.questions)

    @property
    def mean(self) -> float:
        """The score; NaN if nothing is scored."""
        return float(question_means(self.values[None])[0])

    @property
    def scale(self) -> Scale:
        """What a question can score."""
        return scale_of(self.name.scale)

    @property
    def turns(self) -> tuple[Floats, Floats]:
        """Sum of every question's scored turns and their number, ``(questions,)`` each."""
        sums, number = turn_sums(self.values[None])
        return sums[0], number[0]


def bootstrap_intervals(
    runs: RunSet | Iterable[Run],
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, RunIntervals]:
    """Compute the intervals of runs.

    A run's intervals depend on its own answers and the seed only, not on which other runs are in the report.

    Args:
        runs: The runs.
        resamples: How many times questions are drawn anew.
        seed: Seed of the draws.

    Returns:
        Intervals by the run's key.
    """
    runs = list(runs.runs if isinstance(runs, RunSet) else runs)
    leaves = {run.key: run_leaves(run) for run in runs}
    names = {run.key: run_columns(run) for run in runs}
    drawn = _draw(leaves, resamples, seed)
    samples = {run.key: evaluate_trees(run, drawn[run.key], mean_array) for run in runs}
    points = {
        run.key: evaluate_trees(run, {name: leaf.mean for name, leaf in leaves[run.key].items()}, mean_number)
        for run in runs
    }
    intervals: dict[str, dict[str, Interval | None]] = {}
    for run in runs:
        own = {name: (leaf, scored_moments(leaf)) for name, leaf in leaves[run.key].items()}
        found = tree_intervals(run, own, points[run.key], score_margins)
        intervals[run.key] = {column.name: found.get(column.name) for column in names[run.key]}
    places: dict[str, dict[str, RankInterval]] = {key: {} for key in names}
    for leaderboard in make_leaderboards(runs):
        keys = [row.run.key for row in leaderboard.rows]
        for column in leaderboard.columns:
            if column.level in RANKED:
                ranked = [key for key in keys if intervals[key].get(column.name)]
                _rank(ranked, column.name, points, samples, places)
    return {key: RunIntervals(key, own, intervals[key], places[key]) for key, own in names.items()}


def run_leaves(run: Run) -> dict[str, Leaf]:
    """Per-question values of every dataset and MT-Bench category of a run, by the score's name.

    A question of several parts (M-IFEval's instructions) counts by their number, and is drawn as a whole.

    Left out, so that nothing built on them has an interval, are datasets of which a question asked was not logged,
    whose mean is not what the results say, that have a question without score, or whose metric exists over all
    questions only (correlations). MT-Bench's unscored turns are left out of the mean, as in the score itself.
    """
    leaves: dict[str, Leaf] = {}
    for task in sorted(run.tasks.values(), key=in_order):
        if task.asked not in (None, len(task.questions)):
            continue
        for name, questions in task_questions(task):
            leaf = make_leaf(name, questions)
            reported = task.values.get(leaf.questions[0].category if task.is_mtbench else task.metric)
            whole = task.is_mtbench or np.isfinite(leaf.values).any(axis=(-1, -2)).all()
            if reported is not None and whole and math.isclose(leaf.mean, reported, abs_tol=_AGREES):
                leaves[name.name] = leaf
    return leaves


def task_questions(task: TaskResult) -> list[tuple[Column, list[Question]]]:
    """Group a task's questions by the score whose mean they make up; nothing if a mean is not what its metric is."""
    if task.is_mtbench:
        categories: dict[str, list[Question]] = {}
        for question in task.questions:
            categories.setdefault(question.category, []).append(question)
        leaves = {leaf.metric: leaf for leaf in load_protocol(task.protocol).leaves()}
        return [
            (_column(leaves[category]), categories[category])
            for category in sorted(categories)
            if category in leaves
        ]
    metric = METRICS.get(task.metric)
    if not task.questions or (metric is not None and metric.per_item is None):
        return []
    scale = 1.0 if metric is None else metric.scale[1]
    rules = find_rules(task.task)
    other = (rules is not None and rules.metric != task.metric) or any(q.parts for q in task.questions)
    name = (
        f"{task.task}_{task.metric}" if other else task.task
    )  # a leaf's name where a task's metrics are leaves
    return [(Column(name, task.dataset, "dataset", scale), list(task.questions))]


def _column(leaf: TreeLeaf) -> Column:
    return Column(leaf.name, leaf.label, leaf.level, leaf.scale)


def make_leaf(name: Column, questions: Iterable[Question]) -> Leaf:
    """Collect the values of the questions that make up a score."""
    ordered = tuple(sorted(questions, key=lambda question: question.id))
    ratings = [_ratings(question) for question in ordered]
    turns = max((len(row) for row in ratings), default=1)
    judgings = max((len(cell) for row in ratings for cell in row), default=1)
    values = np.full((len(ordered), turns, max(judgings, 1)), np.nan)
    for row, own in zip(values, ratings, strict=True):
        for cell, judged in zip(row, own, strict=False):
            cell[: len(judged)] = judged
    return Leaf(name, ordered, values)


def in_order(task: TaskResult) -> bool:
    """Sorts single categories of MT-Bench before the whole, which counts where both were run."""
    return task.is_mtbench and not task.category


def _ratings(question: Question) -> list[list[float]]:
    """Values of each turn, or of each part: one per judging, or the one that there is."""
    if question.parts:
        return [[part.value] for part in question.parts]
    if not question.turns:
        return [[] if question.score is None else [question.score]]
    ratings = []
    for turn in question.turns:
        own = [judgment.rating for judgment in turn.judgments if judgment.rating is not None]
        ratings.append(own or ([] if turn.rating is None else [turn.rating]))
    return ratings


def _draw(
    leaves: Mapping[str, Mapping[str, Leaf]], resamples: int, seed: int
) -> dict[str, dict[str, Floats]]:
    """Resampled means of every run's leaves: runs with the same questions are drawn together."""
    together: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for key, own in leaves.items():
        for name, leaf in own.items():
            together.setdefault((name, leaf.ids), []).append(key)
    drawn: dict[str, dict[str, Floats]] = {key: {} for key in leaves}
    for (name, ids), keys in together.items():
        stacked = stack([leaves[key][name].values for key in keys])
        sampled = bootstrap_means(stacked, resamples=resamples, seed=seed, name="\n".join((name, *ids)))
        for key, row in zip(keys, sampled, strict=True):
            if np.isfinite(row).any():
                drawn[key][name] = row
    return drawn


def stack(values: Sequence[Floats]) -> Floats:
    """Stack arrays ``(questions, turns, judgings)``, widened with NaN to the most judgings of all."""
    judgings = max(own.shape[-1] for own in values)
    turns = max(own.shape[-2] for own in values)
    stacked: Floats = np.stack(
        [
            np.pad(
                own,
                ((0, 0), (0, turns - own.shape[-2]), (0, judgings - own.shape[-1])),
                constant_values=np.nan,
            )
            for own in values
        ]
    )
    return stacked


def mean_array(arrays: Sequence[Floats], weights: Sequence[float]) -> Floats:
    """Element-wise weighted mean of arrays of one shape."""
    mean: Floats = np.average(np.stack(arrays), axis=0, weights=weights)
    return mean


def scored_moments(leaf: Leaf) -> Moments | None:
    """What is known of a leaf from its scored questions; None with fewer than two of them."""
    sums, number = leaf.turns
    there = number > 0
    return moments(sums[there], leaf.scale, number[there]) if there.sum() >= 2 else None  # noqa: PLR2004  # no spread without two


def tree_intervals(
    run: Run,
    leaves: Mapping[str, tuple[Leaf, Moments | None]],
    points: Mapping[str, float],
    margins: Margins,
    level: float = LEVEL,
    *,
    differences: bool = False,
) -> dict[str, Interval]:
    """Intervals of every score of a run's trees.

    Args:
        run: Whose protocols' trees.
        leaves: Leaves by name, and their moments; None for a leaf that has no interval.
        points: The scores (or differences) by name.
        margins: Margins of a leaf: `score_margins` or `difference_margins`.
        level: Confidence level.
        differences: Whether the scores are differences of two runs, which go from minus to plus the scale.

    Returns:
        Intervals by name; a score that needs a leaf without one has none.
    """
    known = [(leaf, own) for leaf, own in leaves.values() if own is not None]
    units = {leaf.name.name: row for (leaf, _), row in zip(known, np.eye(len(known)), strict=True)}
    if not known:
        return {}
    spreads = np.array([np.sqrt(own.variance) for _, own in known])
    ends = np.array([(-leaf.scale.width if differences else leaf.scale.worst,
                      leaf.scale.width if differences else leaf.scale.best) for leaf, _ in known])  # fmt: skip
    alike = _correlations([leaf for leaf, _ in known])
    found = {}
    for name, weights in evaluate_trees(run, units, mean_array).items():
        lower, upper = sum_margins(weights, [own for _, own in known], margins, alike, level)
        worst, best = weights @ ends
        found[name] = Interval(
            value=points[name],
            low=max(points[name] - float(lower), float(worst)),
            high=min(points[name] + float(upper), float(best)),
            stderr=float(np.sqrt(sum_of_squares(weights * spreads, alike))),
        )
    return found


def _correlations(leaves: Sequence[Leaf]) -> Floats | None:
    """Correlations of leaves that ask the same questions (with other worked examples); None where none do."""
    together: dict[tuple[str, ...], list[int]] = {}
    for index, leaf in enumerate(leaves):
        together.setdefault((leaf.questions[0].dataset, *leaf.ids), []).append(index)
    if len(together) == len(leaves):
        return None
    matrix: Floats = np.eye(len(leaves))
    for same in together.values():
        if len(same) > 1:
            sums, number = zip(*(leaves[index].turns for index in same), strict=True)
            means = np.stack(sums) / np.maximum(np.stack(number), 1)
            pulls = means - means.mean(axis=1, keepdims=True)
            norms = np.linalg.norm(pulls, axis=1)
            matrix[np.ix_(same, same)] = pulls @ pulls.T / np.maximum(np.outer(norms, norms), 1e-12)
    np.fill_diagonal(matrix, 1.0)
    return matrix


def _rank(
    keys: Sequence[str],
    score: str,
    points: Mapping[str, Mapping[str, float]],
    samples: Mapping[str, Mapping[str, Floats]],
    places: Mapping[str, dict[str, RankInterval]],
) -> None:
    if not keys:
        return
    now = ranks(np.array([[points[key][score]] for key in keys]))[:, 0]
    ends = rank_intervals(np.stack([samples[key][score] for key in keys]))
    for key, rank, (low, high) in zip(keys, now, ends, strict=True):
        places[key][score] = RankInterval(int(rank), low, high, len(keys))
