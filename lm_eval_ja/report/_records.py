"""Every score of a run with all that belongs to it: what the publishing formats write."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from lm_eval_ja.analysis import Analysis, Column, Leaderboard
from lm_eval_ja.metrics import METRICS
from lm_eval_ja.protocols import Leaf, Node, Score, load_protocol
from lm_eval_ja.results import Run, TaskResult

_COUNTS = ("unscored",)
"""Values of a task that are no scores."""


@dataclass(frozen=True)
class Record:
    """One score.

    Attributes:
        name: Unique in the run, such as ``nejumi_jaster_nli``.
        label: As published tables call it, such as ``NLI``.
        metric: The metric; ``mean`` for an average.
        best: The metric's highest value, the best of all metrics but ``ool``.
        worst: Its lowest.
        score: The score.
        interval: Lower and upper end of its 95 % interval; None where there is none.
        questions: Questions behind it; None if unknown.
        task: The task that it is from; None for an average.
        members: Names of the scores that an average is over.
    """

    name: str
    label: str
    metric: str
    best: float
    worst: float
    score: Score
    interval: tuple[float, float] | None
    questions: int | None
    task: TaskResult | None
    members: tuple[str, ...] = ()


def records_of(analysis: Analysis, run: Run) -> Iterator[tuple[Leaderboard, tuple[Record, ...]]]:
    """Every score of a run, by the leaderboard that shows it.

    A task's further metrics stand with the leaderboard that shows the task; each score is given once.

    Args:
        analysis: What was computed.
        run: One of its runs.

    Yields:
        Leaderboards and the run's scores there, from the overall score down. Missing scores are left out.
    """
    told: set[str] = set()
    for leaderboard in analysis.leaderboards:
        row = next((own for own in leaderboard.rows if own.run.key == run.key), None)
        if row is None:
            continue
        found = {}
        for column in leaderboard.columns:
            score = row.scores[column.name]
            if isinstance(score, Score) and column.name not in told:
                found[column.name] = _record(analysis, leaderboard, run, column, score)
        shown = {(own.task.task, own.metric) for own in found.values() if own.task is not None}
        for task in {task: run.tasks[task] for task, _ in sorted(shown)}.values():
            for metric, value in task.values.items():
                name = f"{task.task}_{metric}"
                if (task.task, metric) in shown or metric in _COUNTS or name in told:
                    continue
                if task.is_mtbench and metric == "score" and task.task in {*found, *told}:
                    continue  # it stands as the average, or the category, that it is
                found[name] = _further(task, metric, Score(value, task.stderrs.get(metric)))
        told |= found.keys()
        if found:
            yield leaderboard, tuple(found.values())


def shareable(analysis: Analysis) -> Analysis:
    """The analysis without questions and answers, and without names of folders of the machine that it was made on."""
    runs = replace(
        analysis.runs,
        runs=tuple(
            replace(
                run,
                model_args={},
                files=tuple(type(file)(file.name) for file in run.files),
                tasks={name: replace(task, questions=()) for name, task in run.tasks.items()},
            )
            for run in analysis.runs.runs
        ),
        problems=(),
    )
    return replace(analysis, runs=runs, tokens={run.key: "not published" for run in runs.runs})


def _record(analysis: Analysis, leaderboard: Leaderboard, run: Run, column: Column, score: Score) -> Record:
    part = _parts(leaderboard.protocol).get(column.name)
    intervals = analysis.intervals.get(run.key)
    interval = intervals.scores.get(column.name) if intervals else None
    ends = (interval.low, interval.high) if interval else None
    if isinstance(part, Node):
        tasks = {leaf.task: run.tasks.get(leaf.task) for leaf in part.leaves()}
        asked = [task.asked for task in tasks.values() if task is not None]
        number = sum(own or 0 for own in asked) if all(asked) else None
        members = tuple(child.name for child in part.children)
        worst = 1.0 if column.scale == 10 else 0.0  # noqa: PLR2004  # ratings
        return Record(
            column.name, column.label, "mean", column.scale, worst, score, ends, number, None, members
        )
    task, metric = _source(run, column, part)
    return replace(_further(task, metric, score), name=column.name, label=column.label, interval=ends)


def _source(run: Run, column: Column, leaf: Leaf | None) -> tuple[TaskResult, str]:
    """The task of a dataset's score, and its metric there."""
    if leaf is not None:
        return run.tasks.get(leaf.name) or run.tasks[leaf.task], leaf.metric
    if column.name in run.tasks:
        return run.tasks[column.name], run.tasks[column.name].metric
    return next(
        (task, task.metric) for task in run.tasks.values() if column.name == f"{task.task}_{task.metric}"
    )


def _parts(protocol: str) -> Mapping[str, Node | Leaf]:
    return {part.name: part for root in load_protocol(protocol).scores for part in root.walk()}


def _further(task: TaskResult, metric: str, score: Score) -> Record:
    worst, best = (
        (1.0, 10.0) if task.is_mtbench else METRICS[metric].scale if metric in METRICS else (0.0, 1.0)
    )
    of_category = sum(question.category == metric for question in task.questions)
    return Record(
        name=f"{task.task}_{metric}",
        label=f"{task.dataset} ({metric})",
        metric="rating" if task.is_mtbench else metric,
        best=best,
        worst=worst,
        score=score,
        interval=None,
        questions=of_category if task.is_mtbench and of_category else task.asked,
        task=task,
    )
