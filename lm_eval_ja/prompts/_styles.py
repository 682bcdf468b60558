"""Prompt styles: from instruction, shots and question to one text or a list of chat messages."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from lm_eval_ja._unicode import shown
from lm_eval_ja.errors import OptionError
from lm_eval_ja.prompts._templates import (
    EXAMPLE_2_1,
    FEW_SHOT_TEMPLATE,
    PREAMBLE,
    PROMPT_2_1,
    PROMPT_TEMPLATE,
    Shot,
    Template,
)

ONLY_THE_ANSWER = "回答以外には何も含めないことを厳守してください。"
"""What llm-jp-eval 2.1 adds to every instruction for base models (protocol constant, verified)."""

NEJUMI_PREAMBLE = (
    "以下に、あるタスクを説明する指示があり、それに付随する入力が更なる文脈を提供しています。"
    "リクエストを適切に完了するための回答を記述してください。"
)
"""What Nejumi 3 and 4 put before the instruction (protocol constant, verified)."""

Message = dict[str, str]
"""A chat message: ``role`` (``user`` or ``assistant``) and ``content``."""


class PromptStyle(Protocol):
    """How instruction, shots and question become a prompt."""

    @property
    def name(self) -> str:
        """What the signature calls the style."""

    def text(self, instruction: str, shots: Sequence[Shot], question: str) -> str:
        """The whole prompt as one text, ready for a model without chat template.

        Raises:
            OptionError: The style has no such form.
        """

    def messages(
        self, instruction: str, shots: Sequence[Shot], question: str, *, multiturn: bool
    ) -> list[Message]:
        """The prompt as chat messages, the last of them the user's.

        Args:
            instruction: The task's instruction.
            shots: Worked examples, in order.
            question: The question's input.
            multiturn: Whether each shot is a user and an assistant message, rather than part of one user message.

        Raises:
            OptionError: The style has no such form.
        """


@dataclass(frozen=True)
class AlpacaStyle:
    """The Alpaca prompt of both protocols, or the user's own template in its place."""

    prompt: Template
    few_shot: Template
    name: str = "alpaca"

    def text(self, instruction: str, shots: Sequence[Shot], question: str) -> str:
        """See :class:`PromptStyle`."""
        if shots and not self.prompt.has("few_shots_text"):
            raise OptionError(
                "custom_prompt_template has no {few_shots_text}, so few-shot examples have nowhere to go: add it, or "
                "run with --num_fewshot 0"
            )
        few_shots_text = "".join(self.few_shot.fill(input=shot.input, output=shot.output) for shot in shots)
        return self.prompt.fill(instruction=instruction, few_shots_text=few_shots_text, input=question)

    def messages(
        self, instruction: str, shots: Sequence[Shot], question: str, *, multiturn: bool
    ) -> list[Message]:
        """See :class:`PromptStyle`. Cut at its turns, the text stays the same: a shot's answer is the assistant's."""
        if not multiturn or not shots or self.name != "alpaca":
            return [{"role": "user", "content": self.text(instruction, shots, question)}]
        questions = [*(shot.input for shot in shots), question]
        turns = [f"### 入力:\n{text}\n\n### 応答:\n" for text in questions]
        turns[0] = f"{PREAMBLE}\n\n### 指示:\n{instruction}\n\n{turns[0]}"
        messages = [{"role": "user", "content": turns[0]}]
        for shot, turn in zip(shots, turns[1:], strict=True):
            messages += [{"role": "assistant", "content": shot.output}, {"role": "user", "content": turn}]
        return messages


@dataclass(frozen=True)
class BaseModelStyle(AlpacaStyle):
    """The template of llm-jp-eval 2.1 for base models: without shots it has one newline less, and none at its end."""

    def text(self, instruction: str, shots: Sequence[Shot], question: str) -> str:
        """See :class:`PromptStyle`."""
        text = super().text(f"{instruction}\n{ONLY_THE_ANSWER}", shots, question)
        if not shots:
            head = len(text) - len(f"\n### 入力:\n{question}\n\n### 応答:")
            text = text[: head - 1] + text[head:]
        return text


@dataclass(frozen=True)
class SectionsStyle(AlpacaStyle):
    """llm-jp-eval 2.1's default prompt: one text of sections, which a chat template makes one user message.

    The section on the answer's format is the end of the instruction. Jinja's usual handling of white space is inferred;
    of its result the newline at the beginning is dropped.
    """

    def text(self, instruction: str, shots: Sequence[Shot], question: str) -> str:
        """See :class:`PromptStyle`."""
        examples = "".join(
            self.few_shot.fill(number=str(number), input=shot.input, output=shot.output)
            for number, shot in enumerate(shots, 1)
        )
        few_shots_text = f"\n<examples>\n{examples}</examples>\n" if shots else ""
        return self.prompt.fill(instruction=instruction, few_shots_text=few_shots_text, input=question)


@dataclass(frozen=True)
class ChatStyle:
    """Instruction, blank line, question: for chat-tuned models, whose template marks the turns.

    Attributes:
        name: See `PromptStyle`.
        preamble: What stands on a line before the instruction, if anything.
    """

    name: str = "chat"
    preamble: str = ""

    def text(self, instruction: str, shots: Sequence[Shot], question: str) -> str:  # noqa: ARG002  # see PromptStyle
        """See :class:`PromptStyle`. Without a chat template nothing would mark where the answer begins."""
        raise OptionError(
            f"prompt_style={self.name} needs --apply_chat_template; without one use prompt_style=alpaca"
        )

    def messages(
        self, instruction: str, shots: Sequence[Shot], question: str, *, multiturn: bool
    ) -> list[Message]:
        """See :class:`PromptStyle`. The instruction stands once, in the first user message."""
        if shots and not multiturn:
            raise OptionError(
                f"prompt_style={self.name} asks few-shot examples as turns: run with --fewshot_as_multiturn true, or "
                "with prompt_style=alpaca"
            )
        questions = [*(shot.input for shot in shots), question]
        head = f"{self.preamble}\n{instruction}" if self.preamble else instruction
        messages = [{"role": "user", "content": f"{head}\n\n{questions[0]}"}]
        for shot, text in zip(shots, questions[1:], strict=True):
            messages += [{"role": "assistant", "content": shot.output}, {"role": "user", "content": text}]
        return messages


def make_style(
    prompt_style: str = "alpaca",
    custom_prompt_template: str | None = None,
    custom_fewshots_template: str | None = None,
) -> PromptStyle:
    """Build the style that the user's options ask for.

    Args:
        prompt_style: ``alpaca`` (most protocols'), ``chat``, ``chat_nejumi``, ``alpaca_2_1`` or
            ``default_2_1``.
        custom_prompt_template: The user's prompt, with ``{input}`` and, as wanted, ``{instruction}`` and
            ``{few_shots_text}``.
        custom_fewshots_template: The user's few-shot chunk, with ``{input}`` and ``{output}``.

    Raises:
        OptionError: Unknown style, malformed template, or options that contradict each other.
    """
    if prompt_style in ("alpaca_2_1", "default_2_1"):
        if custom_prompt_template is not None or custom_fewshots_template is not None:
            raise OptionError(
                f"prompt_style={prompt_style} has a template of its own: add prompt_style=alpaca to yours"
            )
        base = prompt_style == "alpaca_2_1"
        prompt = Template.parse(
            PROMPT_TEMPLATE.rstrip("\n") if base else PROMPT_2_1,
            option=prompt_style,
            allowed={"instruction", "input", "few_shots_text"},
        )
        few_shot = Template.parse(
            FEW_SHOT_TEMPLATE if base else EXAMPLE_2_1,
            option=prompt_style,
            allowed={"number", "input", "output"},
        )
        return (BaseModelStyle if base else SectionsStyle)(prompt, few_shot, name=prompt_style)
    if prompt_style not in ("alpaca", "chat", "chat_nejumi"):  # no set: JSON may hold what has no hash
        raise OptionError(f"prompt_style is {shown(prompt_style)}; it may be 'alpaca' (default) or 'chat'")
    custom = [text for text in (custom_prompt_template, custom_fewshots_template) if text is not None]
    if prompt_style != "alpaca":
        if custom:
            raise OptionError(
                f"prompt_style={prompt_style} and a custom template contradict each other: give one of them"
            )
        return ChatStyle(prompt_style, NEJUMI_PREAMBLE if prompt_style == "chat_nejumi" else "")
    prompt = Template.parse(
        PROMPT_TEMPLATE if custom_prompt_template is None else custom_prompt_template,
        option="custom_prompt_template",
        allowed={"instruction", "input", "few_shots_text"},
        required={"input"},
    )
    few_shot = Template.parse(
        FEW_SHOT_TEMPLATE if custom_fewshots_template is None else custom_fewshots_template,
        option="custom_fewshots_template",
        allowed={"input", "output"},
        required={"input", "output"},
    )
    if not custom:
        return AlpacaStyle(prompt, few_shot)
    digest = hashlib.sha256("\0".join(map(repr, (prompt.parts, few_shot.parts))).encode()).hexdigest()[:8]
    return AlpacaStyle(prompt, few_shot, name=f"custom-{digest}")
