"""How a task was asked where a protocol would have asked it otherwise: what no rescoring can change."""

from collections.abc import Iterator
from typing import Any

from lm_eval_ja.datasets import packaged
from lm_eval_ja.protocols import DatasetRules, find_rules
from lm_eval_ja.results import TaskResult


def asked_otherwise(source: TaskResult, rules: DatasetRules) -> Iterator[str]:
    """Name every difference.

    Args:
        source: The task, with its logged questions.
        rules: How the protocol asks the dataset.
    """
    facts = [
        ("split", source.signature.get("split", rules.split), rules.split),
        ("shots", str(source.shots), str(rules.shots)),
        ("prompt style", source.signature.get("style", rules.prompt_style).split("+")[0], rules.prompt_style),
    ]
    limits = {question.max_tokens for question in source.questions} - {None}
    facts += [("tokens", str(limit), str(rules.output_length)) for limit in limits]
    facts += [
        (name, _shown(source.generation.get(key)), _shown(rules.generation.get(key)))
        for name, key in (("temperature", "temperature"), ("stop strings", "until"))
        if key in source.generation
    ]
    for name, given, wanted in facts:
        if given != wanted:
            yield f"{name} {given}, not {wanted}"
    if any(question.instruction != rules.instruction for question in source.questions):
        yield "another instruction"
    if _variant(find_rules(source.task)) != _variant(rules):
        yield "another selection of questions"


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(repr, value)) or "none"
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _variant(rules: DatasetRules | None) -> tuple[str, ...]:
    """Ids of the questions that are asked, where they are not the first of the split."""
    return () if rules is None else packaged().variant(rules.variant, rules.dataset, "real")
