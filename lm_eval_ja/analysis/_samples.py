"""Several samples of an answer: what part of a score's error is theirs, and what part the questions'."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, variance
from typing import Literal, TypeVar

from lm_eval_ja.analysis._leaderboards import evaluate_trees, run_protocols
from lm_eval_ja.protocols import Score, mean_score
from lm_eval_ja.results import Question, Run, TaskResult

T = TypeVar("T")

_TWO = 2


@dataclass(frozen=True)
class SamplingError:
    """The standard error of a score from several samples of every answer, in its two parts.

    With other questions the score would differ by ``questions``, with other samples of the same questions by
    ``sampling``; the whole is the root of the sum of their squares.

    Attributes:
        score: The score (avg@n).
        repeats: Samples of every answer; of several numbers the smallest.
        questions: Standard error from the questions: ``sqrt(variance between questions / questions)``.
        sampling: Standard error from the samples: ``sqrt(variance within questions / (questions * repeats))``.
        further: Majority vote and pass@k, by name, where the score has them.
    """

    score: float
    repeats: int
    questions: float
    sampling: float
    further: Mapping[str, float]

    @property
    def total(self) -> float:
        """The whole standard error."""
        return math.hypot(self.questions, self.sampling)

    @property
    def increase(self) -> Literal["repeats", "questions"]:
        """Which number to increase for a smaller error: the one behind the larger part."""
        return "repeats" if self.sampling > self.questions else "questions"

    def with_twice(self, what: Literal["repeats", "questions"]) -> float:
        """The standard error to expect of twice the repeats, or twice the questions."""
        halved = self.sampling / math.sqrt(2)
        return math.hypot(self.questions if what == "repeats" else self.questions / math.sqrt(2), halved)


def sampling_errors(run: Run) -> dict[str, SamplingError]:
    """Split the standard errors of a run's scores.

    Args:
        run: The run.

    Returns:
        By the score's name: every task with several samples of two questions or more, and every average all of whose
        members are such. Datasets are taken for independent, as in the harness's errors.
    """
    own: dict[str, SamplingError] = {}
    for protocol in run_protocols(run):
        metrics = {leaf.task: (leaf.name, leaf.metric) for leaf in protocol.leaves()}
        for task in run.tasks.values():
            name, metric = metrics.get(task.task, (task.task, task.metric))
            found = _of_task(task) if metric == task.metric else None
            if found is not None and (task.task in metrics or task.task in protocol.tasks):
                own[name] = found
    parts = [
        evaluate_trees(
            run, {name: Score(error.score, part(error)) for name, error in own.items()}, mean_score
        )
        for part in (_questions, _sampling)
    ]
    repeats = min((error.repeats for error in own.values()), default=1)
    for name in parts[0]:
        questions, sampling = parts[0][name].stderr, parts[1][name].stderr
        if name not in own and questions is not None and sampling is not None:
            own[name] = SamplingError(parts[0][name].value, repeats, questions, sampling, {})
    return own


def _questions(error: SamplingError) -> float:
    return error.questions


def _sampling(error: SamplingError) -> float:
    return error.sampling


def _of_task(task: TaskResult) -> SamplingError | None:
    """One-way analysis of variance: the spread of the questions' means holds ``1 / repeats`` of that within them."""
    scores = [
        [sample.score for sample in question.samples if sample.score is not None]
        for question in task.questions
    ]
    repeats = min(map(len, scores), default=0)
    if len(scores) < _TWO or repeats < _TWO:
        return None
    means = [fmean(own) for own in scores]
    sampling = fmean(variance(own) / len(own) for own in scores) / len(scores)
    both = variance(means) / len(scores)
    prefix = f"{task.metric}_"
    return SamplingError(
        score=fmean(means),
        repeats=repeats,
        questions=math.sqrt(max(both - sampling, 0.0)),
        sampling=math.sqrt(sampling),
        further={
            name.removeprefix(prefix): value
            for name, value in task.values.items()
            if name.startswith((f"{prefix}majority", f"{prefix}pass@"))
        },
    )


# ------------------------------------------------------------------------------------------------ every sample


def each_sample(task: TaskResult) -> TaskResult:
    """The task with every sample as a question of its own, one after the other."""
    if not any(question.samples for question in task.questions):
        return task
    return replace(task, questions=tuple(one for question in task.questions for one in _each(question)))


def _each(question: Question) -> Sequence[Question]:
    return [
        replace(
            question,
            output=sample.output,
            prediction=sample.prediction,
            score=sample.score,
            samples=(),
        )
        for sample in question.samples
    ] or [question]


def each_question(task: TaskResult, found: Sequence[T], kind: Callable[[T], object]) -> tuple[T, ...]:
    """Of what was found about every sample, what stands for the question: the first of the most frequent kind.

    Args:
        task: The task.
        found: Something about each question of `each_sample`.
        kind: What makes two of them alike.
    """
    chosen = []
    place = 0
    for question in task.questions:
        own = found[place : place + (len(question.samples) or 1)]
        place += len(own)
        chosen.append(most_frequent(own, kind))
    return tuple(chosen)


def most_frequent(found: Sequence[T], kind: Callable[[T], object]) -> T:
    """The first of the most frequent kind."""
    counts = Counter(map(kind, found))
    return max(found, key=lambda one: counts[kind(one)])
