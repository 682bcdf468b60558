"""Prompt templates: the protocol's own, and a checked form of the user's."""

from dataclasses import dataclass
from string import Formatter
from typing import NamedTuple

from lm_eval_ja._unicode import shown, well_formed
from lm_eval_ja.errors import OptionError

PREAMBLE = (
    "以下は、タスクを説明する指示と、文脈のある入力の組み合わせです。要求を適切に満たす応答を書きなさい。"
)
"""First sentence of every prompt of llm-jp-eval 1.1 to 1.3 (protocol constant, verified)."""

PROMPT_TEMPLATE = (
    PREAMBLE + "\n\n### 指示:\n{instruction}{few_shots_text}\n\n### 入力:\n{input}\n\n### 応答:\n"
)
"""The Alpaca prompt of both protocols; the few-shot chunks follow the instruction (protocol constant)."""

FEW_SHOT_TEMPLATE = "\n\n### 入力:\n{input}\n\n### 応答:\n{output}"
"""One few-shot chunk; chunks are joined with nothing (protocol constant)."""

PROMPT_2_1 = "### 指示\n{instruction}\n{few_shots_text}### 入力:\n{input}\n### 応答:"
"""llm-jp-eval 2.1's default prompt for Japanese datasets (text verified; white space inferred)."""

EXAMPLE_2_1 = "<example_{number}>\n### 入力:\n{input}\n### 応答:\n{output}\n</example_{number}>\n"
"""One worked example in it."""


class Shot(NamedTuple):
    """A worked example: question and gold answer, both as in the source (no normalisation)."""

    input: str
    output: str


@dataclass(frozen=True)
class Template:
    """A parsed template with named placeholders.

    Placeholders are written as for :meth:`str.format` (``{name}``; literal braces doubled), but are filled in one
    pass: braces inside the data are data.

    >>> Template.parse("Q: {input}", option="custom_prompt_template", allowed={"input"}).fill(input="{x}")
    'Q: {x}'
    """

    parts: tuple[tuple[str, str | None], ...]

    @classmethod
    def parse(
        cls,
        text: str,
        *,
        option: str,
        allowed: set[str] | frozenset[str],
        required: set[str] | frozenset[str] = frozenset(),
    ) -> "Template":
        """Check ``text`` and take it apart.

        Args:
            text: The template.
            option: The option's name, for messages.
            allowed: Placeholders that may occur.
            required: Placeholders that must occur.

        Raises:
            OptionError: Stray brace, unknown or missing placeholder, or a format specification.
        """
        known = ", ".join(f"{{{name}}}" for name in sorted(allowed))
        if not isinstance(text, str):
            raise OptionError(f"{option} must be a text with the placeholders {known}, not {shown(text)}")
        if well_formed(text) != text:
            raise OptionError(f"{option} holds half of a surrogate pair, which no model takes: {shown(text)}")
        try:
            fields = list(Formatter().parse(text))
        except ValueError as error:
            raise OptionError(
                f"{option} has a stray brace ({error}): write {{{{ and }}}} for literal braces. Got: {shown(text)}"
            ) from error
        parts: list[tuple[str, str | None]] = []
        for literal, name, spec, conversion in fields:
            if name is not None and (name not in allowed or spec or conversion):
                raise OptionError(
                    f"{option} has the unknown placeholder {{{name}}}; it may use {known}. Got: {shown(text)}"
                )
            parts.append((literal, name))
        missing = sorted(required - {name for _, name in parts})
        if missing:
            lacking = ", ".join(f"{{{name}}}" for name in missing)
            raise OptionError(f"{option} lacks {lacking}. Got: {shown(text)}")
        return cls(tuple(parts))

    def has(self, name: str) -> bool:
        """Whether the placeholder occurs."""
        return any(field == name for _, field in self.parts)

    def fill(self, **values: str) -> str:
        """Fill every placeholder."""
        return "".join(literal + ("" if name is None else values[name]) for literal, name in self.parts)
