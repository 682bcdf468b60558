"""Strict and loose verdicts on a response, and how they add up."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from lm_eval_ja.metrics.m_ifeval._instructions import Instruction


@dataclass(frozen=True)
class Verdict:
    """Whether one instruction is followed.

    Attributes:
        instruction: The instruction's id.
        strict: By the response as it is.
        loose: By the response or one of its variants, see `variants`.
    """

    instruction: str
    strict: bool
    loose: bool


def evaluate(instructions: Sequence[Instruction], response: str) -> tuple[Verdict, ...]:
    r"""Judge a response by every instruction of its prompt.

    Args:
        instructions: The prompt's instructions.
        response: What the model answered, unmodified.

    Returns:
        One verdict for each instruction, in their order.

    Raises:
        OptionError: A package that a checker needs is missing.

    Examples:
        >>> evaluate([Instruction("ja:detectable_format:json_format", {})], "結果です。\n[1]")
        (Verdict(instruction='ja:detectable_format:json_format', strict=False, loose=True),)
    """
    further = variants(response)
    verdicts = []
    for instruction in instructions:
        strict = instruction.followed(response)
        loose = strict or any(map(instruction.followed, further))
        verdicts.append(Verdict(instruction.id, strict, loose))
    return tuple(verdicts)


def variants(response: str) -> tuple[str, ...]:
    r"""What the loose verdict looks at besides the response, each text once.

    The response without its first line, without its last line and without both (stripped), and these and the response
    without asterisks (not stripped again). Lines end with ``\n`` only.

    >>> variants("**題**\n本文")
    ('題\n本文', '本文', '**題**', '題')
    """
    lines = response.split("\n")
    shortened = ["\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1])]
    plain = [text.replace("*", "") for text in (response, *shortened)]
    texts = dict.fromkeys((plain[0], *shortened, *plain[1:]))
    return tuple(text for text in texts if text != response and text.strip())


class Followed(float):
    """How many of a prompt's instructions are followed: as a number their share.

    It is a float so that it can be logged, tabulated and sent between ranks like any per-question value, and still
    tell how many instructions it stands for.

    Attributes:
        followed: Instructions that are followed.
        total: All instructions of the prompt, 1 or more.
    """

    followed: int
    total: int

    def __new__(cls, followed: int, total: int) -> "Followed":  # noqa: PYI034  # no class derives from it
        """Make the number."""
        self = super().__new__(cls, followed / total)
        self.followed = followed
        self.total = total
        return self

    def __getnewargs__(self) -> tuple[int, int]:  # type: ignore[override]  # float's own takes a float
        """Arguments that rebuild the value, for pickle and copy."""
        return self.followed, self.total


METRICS: tuple[str, ...] = ("instruction_strict", "prompt_strict", "instruction_loose", "prompt_loose")
"""The four scores; the first is what the authors' table and Nejumi Leaderboard 4 show."""


def values(verdicts: Sequence[Verdict]) -> dict[str, float]:
    """One prompt's value of each of `METRICS`.

    >>> values([Verdict("a", strict=True, loose=True), Verdict("b", strict=False, loose=True)])
    {'instruction_strict': 0.5, 'prompt_strict': 0.0, 'instruction_loose': 1.0, 'prompt_loose': 1.0}
    """
    strict = Followed(sum(verdict.strict for verdict in verdicts), len(verdicts))
    loose = Followed(sum(verdict.loose for verdict in verdicts), len(verdicts))
    return {
        "instruction_strict": strict,
        "prompt_strict": float(strict.followed == strict.total),
        "instruction_loose": loose,
        "prompt_loose": float(loose.followed == loose.total),
    }


def instruction_accuracy(items: Sequence[Followed]) -> float:
    """Share of all prompts' instructions that are followed: over instructions, not over prompts.

    >>> instruction_accuracy([Followed(1, 1), Followed(0, 3)])
    0.25
    """
    return sum(item.followed for item in items) / sum(item.total for item in items)


def instruction_stderr(items: Sequence[Followed]) -> float:
    """Standard error of `instruction_accuracy`. A prompt's instructions share one response: prompts are what is drawn.

    The usual one of a ratio of two sums over prompts (to first order). With one instruction in each prompt it is the
    standard error of a mean.

    Returns:
        The error, NaN for fewer than two prompts.
    """
    if len(items) < 2:  # noqa: PLR2004  # no spread without two
        return math.nan
    accuracy = instruction_accuracy(items)
    residuals = [item.followed - accuracy * item.total for item in items]  # they add up to 0
    return statistics.stdev(residuals) * math.sqrt(len(items)) / sum(item.total for item in items)


# The harness's hook in ``plugin`` looks here.
instruction_accuracy.stderr = instruction_stderr  # type: ignore[attr-defined]  # a function may carry attributes
