"""The part of a task's YAML that is ours: which protocol's questions it asks and how."""

import difflib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeVar

from lm_eval_ja.errors import OptionError
from lm_eval_ja.metrics import METRICS, check_steps

T = TypeVar("T")


@dataclass(frozen=True)
class JasterBlock:
    """The ``jaster`` block: a dataset and how it is asked and scored. See `lm_eval_ja.protocols.DatasetRules`."""

    protocol: str
    dataset: str
    split: str
    metrics: tuple[str, ...]
    output_length: int
    normalization: tuple[str, ...]
    instruction: str
    category: str | None = None
    questions: int | None = None
    prompt_style: str = "alpaca"

    def __post_init__(self) -> None:
        """Check every value; JSON and YAML have lists only.

        Raises:
            OptionError: A value that cannot work, with those that can.
        """
        for name in ("metrics", "normalization"):
            value = getattr(self, name)
            if not isinstance(value, list | tuple) or not all(isinstance(text, str) for text in value):
                raise OptionError(f"{name} is {value!r}; it must be a list of names")
            object.__setattr__(self, name, tuple(value))
        for metric in self.metrics or ("",):
            if metric not in METRICS:
                raise OptionError(f"unknown metric {metric!r}: choose from {', '.join(METRICS)}")
        check_steps(self.normalization)
        for name in ("protocol", "dataset", "split", "instruction", "prompt_style"):
            if not isinstance(getattr(self, name), str):
                raise OptionError(f"{name} is {getattr(self, name)!r}; it must be a text")
        for name in ("output_length", "questions"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise OptionError(f"{name} is {value!r}; it must be a whole number from 1")


@dataclass(frozen=True)
class ConversationBlock:
    """The ``mtbench`` block. See `lm_eval_ja.protocols.ConversationRules`.

    Attributes:
        protocol: Name of the protocol.
        revision: Revision of the questions.
        max_new_tokens: Longest answer, in tokens.
        temperatures: Sampling temperature by category.
        category: The category that is asked; None for all.
    """

    protocol: str
    revision: str
    max_new_tokens: int
    temperatures: Mapping[str, float]
    category: str | None = None


@dataclass(frozen=True)
class InstructionBlock:
    """The ``m_ifeval`` block. See `lm_eval_ja.protocols.InstructionRules`; generation settings stand beside it.

    Attributes:
        protocol: Name of the protocol.
        dataset: What results call the prompts.
    """

    protocol: str
    dataset: str


def read_block(kind: type[T], raw: Any, where: str) -> T:
    """Read a block.

    Args:
        kind: What it is.
        raw: What the YAML says.
        where: The block's place, for messages.

    Raises:
        OptionError: A key is missing or unknown, or a value cannot work.
    """
    known = {field.name: field.default for field in fields(kind)}  # type: ignore[arg-type]  # a dataclass
    if not isinstance(raw, Mapping):
        raise OptionError(f"{where} must be a mapping with {', '.join(known)}, not {raw!r}")
    for key in raw:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f": did you mean {close[0]!r}?" if close else f"; its keys are {', '.join(known)}"
            raise OptionError(f"{where} has the unknown key {key!r}{hint}")
    lacking = [name for name, default in known.items() if default is MISSING and name not in raw]
    if lacking:
        raise OptionError(f"{where} lacks {', '.join(lacking)}")
    try:
        return kind(**raw)
    except OptionError as error:
        raise OptionError(f"{where}: {error}") from error
