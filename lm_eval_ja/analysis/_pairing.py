"""Which questions of two runs can be compared, what forbids it, and what its reader has to know."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lm_eval_ja.analysis._intervals import Leaf, in_order, make_leaf, task_questions
from lm_eval_ja.errors import DataError, OptionError
from lm_eval_ja.results import Question, Run, TaskResult, Turn

Common = Sequence[tuple[TaskResult, TaskResult]]
"""The tasks that both runs have."""

_SETTINGS = {
    "version": "version of lm-eval-ja",
    "shots": "shots",
    "style": "prompt style",
    "norm": "normalization",
    "thoughts": "handling of thoughts",
    "gen": "generation settings",
    "sys": "system instruction",
    "template": "arguments of the chat template",
    "bos": "forced BOS",
    "judge": "judge",
    "judge_prompts": "judge prompts",
    "judge_repeats": "judgments per answer",
    "judge_strict": "strict judging",
}
"""Fields of a signature that runs may differ in and still be compared, if whoever reads the numbers knows."""

_SHOWN = 5


@dataclass(frozen=True, eq=False)
class Pair:
    """A leaf of both runs: the same questions in the same order, the same turns scored.

    Attributes:
        a: The first run's.
        b: The second run's.
    """

    a: Leaf
    b: Leaf

    @property
    def questions(self) -> str:
        """What identifies the questions."""
        return "\n".join((self.a.name.name, *self.a.ids))


def refuse(a: Run, b: Run, common: Common) -> None:
    """Refuse what no number could be true of.

    Raises:
        OptionError: The runs have no task in common, or the same task with other questions, references or metric.
        DataError: Samples are missing.
    """
    if not common:
        protocols = [", ".join(sorted({task.protocol for task in run.tasks.values()})) for run in (a, b)]
        raise OptionError(
            f"{a.key} ({protocols[0]}: {_some(a.tasks)}) and {b.key} ({protocols[1]}: {_some(b.tasks)}) have no task "
            "in common; scores of different protocols can't be compared"
        )
    for run, tasks in ((a, [own for own, _ in common]), (b, [own for _, own in common])):
        if not any(task.questions for task in tasks):
            raise DataError(
                f"{run.key} has no samples ({', '.join(str(file) for file in run.files)}): run it again with "
                "--log_samples"
            )
    for own, other in common:
        for field in ("protocol", "data"):
            values = own.signature.get(field), other.signature.get(field)
            if values[0] != values[1] and not (field == "data" and _same_questions(own, other)):
                raise OptionError(
                    f"{own.task} was run on different {'data' if field == 'data' else 'protocols'}: {values[0]} in "
                    f"{a.key}, {values[1]} in {b.key}. Run both with the same data (version of lm-eval-ja, split)"
                )
        if own.metric != other.metric:
            raise OptionError(
                f"{own.task} is scored by {own.metric} in {a.key} and by {other.metric} in {b.key}"
            )
        for first, second in _common_questions(own, other):
            if _content(first) != _content(second):
                raise OptionError(
                    f"question {first.id} of {own.task} isn't the same text in {a.key} and {b.key}: one of them "
                    "was run on other data; run it again"
                )


def _same_questions(a: TaskResult, b: TaskResult) -> bool:
    """Whether the data differ only in how many of the questions were taken (``max_samples``)."""
    samples = [task.is_sample for task in (a, b)]
    return a.available != b.available and samples[0] == samples[1] and bool(_common_questions(a, b))


def _content(question: Question) -> tuple[object, ...]:
    turns = tuple((turn.question, turn.reference) for turn in question.turns)
    return question.category, question.instruction, question.input, question.gold, turns


def _common_questions(a: TaskResult, b: TaskResult) -> list[tuple[Question, Question]]:
    others = {question.id: question for question in b.questions}
    return [(question, others[question.id]) for question in a.questions if question.id in others]


def find_warnings(a: Run, b: Run, common: Common) -> list[str]:
    """Say in what the runs differ besides the model: tasks, questions, settings."""
    warnings = []
    if set(a.files) == set(b.files):
        warnings.append("both are the same results")
    for run, other in ((a, b), (b, a)):
        alone = [task for task in run.tasks if task not in other.tasks]
        if alone:
            warnings.append(f"only {run.key} has {_some(alone)}: not compared")
        bare = [
            task
            for task in run.tasks.values()
            if task.task in other.tasks and other.tasks[task.task].questions and not task.questions
        ]
        if bare:
            warnings.append(f"{run.key} has no samples of {_some(task.task for task in bare)}: not compared")
    asked = [sum(len(pair[side].questions) for pair in common) for side in (0, 1)]
    both = sum(len(_common_questions(*pair)) for pair in common)
    if both < max(asked):
        warnings.append(
            f"{a.key} has answered {asked[0]} and {b.key} {asked[1]} of the compared tasks' questions (--limit?); only "
            f"the {both} that both have answered count, so the scores here differ from those of the runs alone"
        )
    versions = [task for task, other in common if task.version != other.version]
    if versions:
        warnings.append(f"different versions of {_some(task.task for task in versions)}: scoring may differ")
    for field, what in _SETTINGS.items():
        values = [
            (own.task, own.signature.get(field, "none"), other.signature.get(field, "none"))
            for own, other in common
            if own.signature.get(field) != other.signature.get(field)
        ]
        if values:
            task, value_a, value_b = values[0]
            of = task if len(values) == 1 else f"{len(values)} tasks, such as {task}"
            warnings.append(f"different {what}: {value_a} in {a.key}, {value_b} in {b.key} ({of})")
    if a.backend != b.backend:
        warnings.append(f"different backends: {a.backend} and {b.backend}")
    return warnings


def unscored(common: Common, pairs: Sequence[Pair]) -> list[str]:
    """Say how many common questions or turns have no score in one of the runs."""
    there = sum(
        max(1, len(question.turns))
        for own, other in common
        if task_questions(own)
        for question, _ in _common_questions(own, other)
    )
    scored = sum(int(np.isfinite(pair.a.values).any(axis=-1).sum()) for pair in pairs)
    if scored == there:
        return []
    return [
        (
            f"{there - scored} of {there} answers to common questions have no score in one of the runs and are left out"
            "; scores of `lm-eval-ja report` count them where a run has one, and differ for that reason"
        )
    ]


def _some(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def make_pairs(common: Common) -> list[Pair]:
    """Pair the questions that both runs have a score for, by the score that they make up."""
    pairs: dict[str, Pair] = {}
    for own, other in sorted(common, key=lambda tasks: in_order(tasks[0])):
        others = {question.id: question for question in other.questions}
        for name, questions in task_questions(own):
            scored = [
                pair
                for question in questions
                if question.id in others and (pair := _both_scored(question, others[question.id])) is not None
            ]
            if scored:
                leaves = (make_leaf(name, [pair[side] for pair in scored]) for side in (0, 1))
                pairs[name.name] = Pair(*leaves)
    return list(pairs.values())


def _both_scored(a: Question, b: Question) -> tuple[Question, Question] | None:
    """Both questions with the turns only that both have a rating for; None if nothing is left."""
    if not a.turns:
        return None if a.score is None or b.score is None else (a, b)
    turns = [(own, other) for own, other in zip(a.turns, b.turns, strict=True)]
    kept = [own.rating is not None and other.rating is not None for own, other in turns]
    if not any(kept):
        return None
    return (
        replace(a, turns=tuple(_masked(own, keep) for (own, _), keep in zip(turns, kept, strict=True))),
        replace(b, turns=tuple(_masked(other, keep) for (_, other), keep in zip(turns, kept, strict=True))),
    )


def _masked(turn: Turn, keep: bool) -> Turn:
    return turn if keep else replace(turn, rating=None, judgments=())


def only_compared(task: TaskResult, pairs: Sequence[Pair]) -> TaskResult:
    """The task with the compared questions only."""
    names = {name.name for name, _ in task_questions(task)}
    questions = [question for pair in pairs if pair.a.name.name in names for question in pair.a.questions]
    return replace(task, questions=tuple(questions))
