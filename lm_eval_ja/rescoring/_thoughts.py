"""Logged answers without the thoughts before them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

from lm_eval_ja.results import Question, TaskResult
from lm_eval_ja.thoughts import NoAnswer, Thoughts, read_logged, scored_text, write_field


def own_answers(source: TaskResult) -> tuple[Question, ...]:
    """The answers that the run itself has scored: without thoughts if its signature says that it separated them."""
    return _read(source, lambda output, prompt: scored_text(output, prompt, _field(source)))


def without_thoughts(source: TaskResult, thoughts: Thoughts) -> tuple[Question, ...]:
    """The answers without thoughts, separated as the user says."""
    return _read(source, lambda output, prompt: read_logged(output, prompt, _field(source), thoughts).answer)


def _read(source: TaskResult, read: Callable[[str, str], str]) -> tuple[Question, ...]:
    """The questions with every answer, or each of its samples, as it is read."""
    return tuple(
        replace(
            question,
            output=read(question.output, question.prompt),
            samples=tuple(
                replace(sample, output=read(sample.output, question.prompt)) for sample in question.samples
            ),
        )
        for question in source.questions
    )


def lost_answers(source: TaskResult, questions: Sequence[Question]) -> list[str]:
    """What can't be brought back: answers of which only the beginning of the thoughts was generated."""
    answers = [answer.output for question in questions for answer in question.samples or (question,)]
    lost = sum(isinstance(answer, NoAnswer) for answer in answers)
    if not lost:
        return []
    if _field(source).startswith("separated"):
        why = "the thoughts did not end before the token limit"
    else:
        why = "the thoughts were cut off at a blank line or at the token limit"
    return [
        f"{source.task}: {lost} of {len(answers)} answers are lost: {why}. Run it again with --metadata "
        + json.dumps({"thoughts": "separate", "token_budget": "+4096"}).join("''")
    ]


def thoughts_field(source: TaskResult, thoughts: Thoughts | None, *, changed: bool) -> str:
    """The signature's field after rescoring: how the run was asked does not change."""
    field = _field(source)
    if thoughts is None or not changed:
        return field
    how = "separated" if field.startswith("separated") else "auto"
    backend = "+think_end_token" if field.endswith("think_end_token") else ""
    return write_field(how, thoughts) + backend


def _field(source: TaskResult) -> str:
    return source.signature.get("thoughts", "")
