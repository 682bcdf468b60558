"""What a chat template does, found out by rendering it."""

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

_QUESTION, _SYSTEM = "<<QUESTION>>", "<<SYSTEM>>"
_USER = {"role": "user", "content": _QUESTION}
_SWITCHES = ("enable_thinking", "thinking")
_OPENED = re.compile(r"(<think>|\[THINK\]|<reasoning>)\s*$")
_TRAINING = re.compile(r"{%-?\s*(?:end)?generation\s*-?%}")  # marks for training, unknown to jinja
_DAYS = (
    dt.datetime(2001, 2, 3, tzinfo=dt.timezone.utc),
    dt.datetime(2031, 12, 30, tzinfo=dt.timezone.utc),
)


@dataclass(frozen=True)
class ChatTemplate:
    """What a chat template does.

    Attributes:
        error: Why one question cannot be rendered; empty if it can. Nothing else is known then.
        prompt: One question, rendered, with ``<<QUESTION>>`` in its place.
        adds_bos: Whether the prompt begins with the BOS token.
        system: What becomes of a system message: ``kept``, ``refused`` (an error) or ``dropped``.
        second_turn: Whether a question, an answer and a question can be rendered.
        dated: Whether the prompt depends on the day.
        date_argument: Whether ``date_string`` fixes the day.
        switch: The argument that switches thoughts on and off; empty if there is none.
        thinks: Whether thoughts are on where the switch is not used.
        opens: The tag with which the prompt opens thoughts; empty if it does not.
        effort: Whether ``reasoning_effort`` says how long to think.
    """

    error: str = ""
    prompt: str = ""
    adds_bos: bool = False
    system: str = "kept"
    second_turn: bool = True
    dated: bool = False
    date_argument: bool = False
    switch: str = ""
    thinks: bool = False
    opens: str = ""
    effort: bool = False


def read_template(text: str, *, bos_token: str, eos_token: str) -> ChatTemplate:
    """Render a template with and without what it may depend on.

    Args:
        text: The template.
        bos_token: The tokenizer's BOS token, empty if it has none.
        eos_token: Likewise.
    """
    render = _Renderer(text, bos_token, eos_token)
    if render.error:
        return ChatTemplate(error=render.error)
    prompt, error = render([_USER])
    if error:
        return ChatTemplate(error=error)
    switch = next((name for name in _SWITCHES if name in render.reads), "")
    on, off = (render([_USER], arguments={switch: value})[0] if switch else "" for value in (True, False))
    switched, _ = render([{"role": "system", "content": _SYSTEM}, _USER])
    return ChatTemplate(
        prompt=prompt,
        adds_bos=bool(bos_token) and prompt.startswith(bos_token),
        system="kept" if _SYSTEM in switched else "dropped" if switched else "refused",
        second_turn=not render([_USER, {"role": "assistant", "content": "…"}, _USER])[1],
        dated=render([_USER], day=_DAYS[0]) != render([_USER], day=_DAYS[1]),
        date_argument="date_string" in render.reads,
        switch=switch if on != off else "",
        thinks=on not in (off, "") and prompt == on,
        opens=(_OPENED.findall(prompt) or [""])[0],
        effort="reasoning_effort" in render.reads,
    )


class _Renderer:
    """A template in the environment that transformers gives it.

    Attributes:
        error: What is wrong with the template itself; empty if nothing is.
        reads: The variables that it reads.
    """

    def __init__(self, text: str, bos_token: str, eos_token: str) -> None:
        self.error = ""
        self.reads: frozenset[str] = frozenset()
        self._tokens = {"bos_token": bos_token, "eos_token": eos_token}
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.filters["tojson"] = _to_json
        try:
            plain = _TRAINING.sub("", text)
            self.reads = frozenset(meta.find_undeclared_variables(environment.parse(plain)))
            self._template = environment.from_string(plain)
        except TemplateError as error:
            self.error = f"{type(error).__name__}: {error}"

    def __call__(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        day: dt.datetime = _DAYS[0],
        arguments: Mapping[str, Any] | None = None,
    ) -> tuple[str, str]:
        """The prompt and what went wrong; one of them is empty."""
        try:
            text = self._template.render(
                messages=[dict(message) for message in messages],
                add_generation_prompt=True,
                raise_exception=_refuse,
                strftime_now=day.strftime,
                tools=None,
                documents=None,
                **self._tokens,
                **(arguments or {}),
            )
        except Exception as error:  # noqa: BLE001  # a template may do anything within its sandbox
            return "", f"{type(error).__name__}: {error}"
        return text, ""


def _refuse(message: str) -> None:
    raise TemplateError(message)


def _to_json(value: Any, **options: Any) -> str:
    """As transformers' filter: without HTML escapes."""
    return json.dumps(
        value, ensure_ascii=False, **{key: options[key] for key in ("indent",) if key in options}
    )
