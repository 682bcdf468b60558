"""Two-turn conversations, with a chat template or in the Alpaca form that neo used without one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from lm_eval_ja._unicode import well_formed
from lm_eval_ja.prompts._templates import PREAMBLE
from lm_eval_ja.thoughts import AUTO, State, Tags, parse_thoughts

STOP = "###"
"""Ends an answer where no chat template does (protocol constant)."""


def visible_answer(answer: str, *, stop: str | None = None) -> str:
    """The part of an answer that the asker sees: what is judged, and what the second turn refers to.

    Args:
        answer: Text as generated, without thoughts.
        stop: Stop string; the answer is cut at its first occurrence and stripped (PROTOCOL section 7).

    >>> visible_answer(" はい ### 指示", stop="###")
    'はい'
    """
    if stop:
        answer = answer.split(stop, 1)[0]
    return answer.strip()


@dataclass(frozen=True)
class Conversation:
    """A two-turn question, as plain data that can be logged, pickled and rebuilt.

    Attributes:
        turns: What the user says, first and second.
        chat: Whether the backend's chat template is applied; otherwise the Alpaca conversation of neo is written.
        gen_kwargs: ``until``, ``max_gen_toks``, ``temperature`` (and what the user added), for both turns.
        system: System message, or a paragraph before the Alpaca text. None is the template's own default.
        thoughts: How thoughts are told from answers, see :func:`lm_eval_ja.thoughts.parse_thoughts`.
    """

    turns: tuple[str, str]
    chat: bool
    gen_kwargs: Mapping[str, Any] = field(default_factory=dict)
    system: str | None = None
    thoughts: str | Sequence[str] = AUTO

    def data(self) -> dict[str, Any]:
        """The fields as a dictionary of plain values."""
        return {**asdict(self), "turns": list(self.turns), "gen_kwargs": dict(self.gen_kwargs)}

    def visible(self, answer: str, opened: Tags | None = None) -> str | None:
        """The answer that the second turn refers to; None if there is none, because thoughts did not end.

        Args:
            answer: Text as generated.
            opened: Tags whose opening one ended the prompt.
        """
        reading = parse_thoughts(self.thoughts).read(answer, opened)
        if reading.state is State.UNFINISHED:
            return None
        return visible_answer(reading.answer, stop=None if self.chat else STOP)

    def first(self, apply_chat_template: Callable[..., Any] | None = None) -> Any:
        """The first prompt: a text, or what the backend's template makes of the messages."""
        if self.chat:
            assert apply_chat_template is not None  # noqa: S101  # the caller's job
            return apply_chat_template(self._messages())
        head = f"{self.system}\n\n" if self.system else ""
        return f"{head}{PREAMBLE}\n\n### {_ask(self.turns[0])}"

    def second(
        self,
        answer: str,
        apply_chat_template: Callable[..., Any] | None = None,
        opened: Tags | None = None,
    ) -> Any:
        """The second prompt, after ``answer`` (as generated) to the first.

        Args:
            answer: Text as generated.
            apply_chat_template: Turns messages into what the backend wants.
            opened: Tags whose opening one ended the first prompt.

        Returns:
            A text, or what the backend's template makes of the messages; None if there is no answer to refer to.
        """
        visible = self.visible(answer, opened)
        if visible is None:
            return None
        seen = well_formed(visible)
        if self.chat:
            assert apply_chat_template is not None  # noqa: S101  # the caller's job
            return apply_chat_template(
                [
                    *self._messages(),
                    {"role": "assistant", "content": seen},
                    {"role": "user", "content": self.turns[1]},
                ]
            )
        return f"{self.first()}{seen}\n\n### {_ask(self.turns[1])}"

    def _messages(self) -> list[dict[str, str]]:
        system = [{"role": "system", "content": self.system}] if self.system else []
        return [*system, {"role": "user", "content": self.turns[0]}]


def _ask(text: str) -> str:
    # The space after each colon is the protocol's.
    return f"指示: \n{text}\n\n### 応答: \n"
