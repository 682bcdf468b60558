"""Reading a protocol file: its datasets' rules, conversations and instructions."""

from collections.abc import Callable, Mapping
from typing import Any

from lm_eval_ja.errors import DataError
from lm_eval_ja.protocols._schema import (
    STATUSES,
    ConversationRules,
    DatasetRules,
    InstructionRules,
    Protocol,
    task_name,
)
from lm_eval_ja.protocols._trees import TreeReader
from lm_eval_ja.protocols._values import At, take


def parse_protocol(raw: Any, source: str, others: Callable[[str], Protocol]) -> Protocol:
    """Check what a protocol file holds and turn it into a `Protocol`.

    Args:
        raw: What a YAML reader made of the file.
        source: Where it came from, for the error messages.
        others: Looks another protocol up by its name.

    Returns:
        The protocol.

    Raises:
        DataError: A key is missing or unknown, a value is wrong, or a name is used twice.
    """
    at = take(
        raw,
        source,
        ("name", "title", "prefix", "scores"),
        ("order", "asked", "datasets", "conversation", "instructions", "wandb_tables"),
    )
    name, prefix = at.text("name"), at.text("prefix")
    if ("datasets" in at.raw) != ("asked" in at.raw):
        raise DataError(f"{source}: `datasets` and `asked` (how they are asked) go together")
    usual: dict[str, tuple[DatasetRules, ...]] = {}
    if "datasets" in at.raw:
        if not isinstance(at.raw["datasets"], Mapping):
            raise DataError(
                f"{source}: datasets must map each dataset to its rules, found {at.raw['datasets']!r}"
            )
        for dataset in at.raw["datasets"]:
            if not isinstance(dataset, str):  # `no` and `1` are none in YAML
                raise DataError(
                    f"{source}, datasets: a dataset's name must be a text, found {dataset!r}: quote it"
                )
            usual[dataset] = _rules(at, dataset, name, prefix)
    conversation = _conversation(at) if "conversation" in at.raw else None
    reader = TreeReader(name, prefix, usual, others)
    if not isinstance(at.raw["scores"], list):
        raise DataError(f"{source}: scores must be a list of trees, found {at.raw['scores']!r}")
    scores = tuple(reader.node(tree, f"{source}, scores") for tree in at.raw["scores"])
    return Protocol(
        name=name,
        title=at.text("title"),
        order=at.whole("order", 100),
        prefix=prefix,
        scores=scores,
        tasks=reader.tasks(scores),
        conversation=conversation,
        instructions=_instructions(at) if "instructions" in at.raw else None,
        wandb_tables=at.text("wandb_tables") if "wandb_tables" in at.raw else None,
    )


def _rules(at: At, dataset: str, protocol: str, prefix: str) -> tuple[DatasetRules, ...]:
    """A dataset's rules with each usual number of shots; what it doesn't say is said by ``asked``."""
    asked = at.below(
        "asked",
        ("split", "questions", "shots", "prompt_style", "generation"),
        ("variant", "normalization", "status"),
    )
    generation = asked.below("generation", (), ("until", "temperature"))
    own = At(at.raw["datasets"], f"{at.where}, datasets").below(
        dataset,
        ("metrics", "output_length", "instruction"),
        ("normalization", "questions", "split", "questions_of", "shots", "status"),
    )
    metrics = own.texts("metrics")
    borrowed = "questions_of" in own.raw
    numbers = _shots(own if "shots" in own.raw else asked)
    return tuple(
        DatasetRules(
            task=task_name(prefix, dataset, shots if len(numbers) > 1 else None),
            protocol=own.text("questions_of") if borrowed else protocol,
            dataset=dataset,
            split=own.text("split") if "split" in own.raw else asked.text("split"),
            questions=own.whole("questions", asked.raw["questions"], least=1),
            variant=asked.text("variant") if "variant" in asked.raw and not borrowed else None,
            category=None,
            metric=metrics[0],
            metrics=metrics,
            shots=shots,
            output_length=own.whole("output_length", least=1),
            normalization=own.texts("normalization", asked.raw.get("normalization")),
            instruction=own.text("instruction"),
            prompt_style=asked.text("prompt_style"),
            generation=dict(generation.raw),
            status=next(
                status
                for status in STATUSES
                if status == own.choice("status", STATUSES[:-1], asked.raw.get("status", "reconstructed"))
            ),
        )
        for shots in numbers
    )


def _shots(at: At) -> tuple[int, ...]:
    """The usual numbers of worked examples: one, or a list of several, each a task of its own."""
    given = at.raw["shots"]
    numbers = given if isinstance(given, list) else [at.whole("shots")]
    if (
        not all(type(number) is int and number >= 0 for number in numbers)
        or len({*numbers}) < len(numbers)
        or not numbers
    ):
        raise DataError(f"{at.where}: shots must be whole numbers from 0, each once, found {given!r}")
    return tuple(numbers)


def _conversation(at: At) -> ConversationRules:
    own = at.below(
        "conversation", ("dataset", "revision", "max_new_tokens", "temperatures"), ("category_tasks",)
    )
    temperatures = own.raw["temperatures"]
    if not isinstance(temperatures, Mapping) or not all(
        isinstance(value, int | float) and value >= 0 for value in temperatures.values()
    ):
        raise DataError(f"{own.where}: temperatures must map categories to numbers, found {temperatures!r}")
    return ConversationRules(
        dataset=own.text("dataset"),
        revision=own.text("revision"),
        max_new_tokens=own.whole("max_new_tokens", least=1),
        temperatures={str(name): float(value) for name, value in temperatures.items()},
        category_tasks=own.raw.get("category_tasks", False) is True,
    )


def _instructions(at: At) -> InstructionRules:
    own = at.below("instructions", ("dataset", "max_new_tokens", "temperature"))
    temperature = own.raw["temperature"]
    if isinstance(temperature, bool) or not isinstance(temperature, int | float) or temperature < 0:
        raise DataError(f"{own.where}: temperature must be a number from 0, found {temperature!r}")
    return InstructionRules(
        dataset=own.text("dataset"),
        max_new_tokens=own.whole("max_new_tokens", least=1),
        temperature=float(temperature),
    )
