"""Reading what a judge sends: one model for each protocol, through which every reply goes.

Needs pydantic; imported only where the openai package is.
"""

import json
import math
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, InstanceOf

from lm_eval_ja.judge._config import JudgeConfig
from lm_eval_ja.judge._faults import CallError, TransientError, from_status
from lm_eval_ja.judge._secrets import scrub

_BODY_SHOWN = 200
_NAME_SHOWN = 200
_MOST_TOKENS = 2**53  # beyond it JSON's numbers are no counts any more
_MOST_DIGITS = 400  # Python refuses to read whole numbers of thousands of digits


@dataclass(frozen=True, slots=True)
class Reply:
    """What the judge replied to one request, with what it cost. Holds no key.

    Attributes:
        text: Its words; empty if there are none.
        finish_reason: Why it ended, as the server reports it; empty if it does not say.
        served_model: The server's name for the model; empty if it does not say.
        prompt_tokens: Tokens sent, as the server counted them; 0 if it did not.
        completion_tokens: Tokens received, likewise.
        latency: Seconds from sending the request to having it all.
    """

    text: str
    finish_reason: str
    served_model: str
    prompt_tokens: int
    completion_tokens: int
    latency: float


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) < _MOST_DIGITS else math.inf


def _name(value: object) -> str:
    return value if isinstance(value, str) else ""


def _count(value: object) -> int:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if number and 0 <= value <= _MOST_TOKENS else 0  # type: ignore[call-overload,operator]  # a number


def _fields(value: object) -> object:
    return value if isinstance(value, dict) else {}


def _first(value: object) -> object:
    return value[:1] if isinstance(value, list) else value


# What a rating does not depend on is never a reason to throw one away that is paid for. Strings are taken as they are
# (InstanceOf): pydantic's own refuse lone surrogates, which judges do send.
_Name = Annotated[str, BeforeValidator(_name), InstanceOf[str]]
_Count = Annotated[int, BeforeValidator(_count)]


class _Part(BaseModel):
    text: InstanceOf[str] | None = None


class _Message(BaseModel):
    content: InstanceOf[str] | list[_Part] | None = None
    refusal: Any = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):  # parts, of which only text can hold a rating
            return "".join(part.text or "" for part in self.content)
        return self.content or ""


class _Choice(BaseModel):
    message: _Message
    finish_reason: _Name = ""


class _Usage(BaseModel):
    prompt_tokens: _Count = 0
    completion_tokens: _Count = 0


class _Completion(BaseModel):
    choices: Annotated[list[_Choice], BeforeValidator(_first), Field(min_length=1)]
    model: _Name = ""
    usage: Annotated[_Usage, BeforeValidator(_fields)] = _Usage()


def read_reply(body: bytes, latency: float, config: JudgeConfig) -> Reply:
    """Read a chat completion.

    Args:
        body: As it came. JSON is UTF-8, whatever the headers say.
        latency: Seconds that it took.
        config: The judge.

    Raises:
        CallError: It is none.
    """
    completion = _parse(body, _Completion, "chat completion", config)
    choice, usage = completion.choices[0], completion.usage
    return Reply(
        text=scrub(choice.message.text, config),
        finish_reason="refusal" if choice.message.refusal else _shown(choice.finish_reason, config),
        served_model=_shown(completion.model, config),
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        latency=latency,
    )


class _Block(BaseModel):
    type: _Name = ""
    text: InstanceOf[str] | None = None


class _Tokens(BaseModel):
    input_tokens: _Count = 0
    cache_creation_input_tokens: _Count = 0
    cache_read_input_tokens: _Count = 0
    output_tokens: _Count = 0


class _AnthropicMessage(BaseModel):
    content: list[_Block]
    stop_reason: _Name = ""
    model: _Name = ""
    usage: Annotated[_Tokens, BeforeValidator(_fields)] = _Tokens()


_STOP_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
}
"""Anthropic's words for what OpenAI's protocol names otherwise; ``refusal`` is the same in both."""


def read_message(body: bytes, latency: float, config: JudgeConfig) -> Reply:
    """Read an answer of Anthropic's Messages API. Thoughts are no part of the reply.

    Args:
        body: As it came.
        latency: Seconds that it took.
        config: The judge.

    Raises:
        CallError: It is none.
    """
    message = _parse(body, _AnthropicMessage, "message", config)
    usage = message.usage
    return Reply(
        text=scrub("".join(block.text or "" for block in message.content if block.type == "text"), config),
        finish_reason=_shown(_STOP_REASONS.get(message.stop_reason, message.stop_reason), config),
        served_model=_shown(message.model, config),
        prompt_tokens=usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens,
        completion_tokens=usage.output_tokens,
        latency=latency,
    )


_Protocol = TypeVar("_Protocol", bound=BaseModel)


def _parse(body: bytes, protocol: type[_Protocol], what: str, config: JudgeConfig) -> _Protocol:
    """The body as the protocol's model.

    Raises:
        CallError: It reports an error, or is none of the protocol's.
    """
    raw = body.decode("utf-8-sig", errors="replace")
    try:
        data = json.loads(raw, parse_int=_whole)
        if isinstance(data, dict) and data.get("error"):  # some gateways report errors with status 200
            raise _reported(data["error"], config)
        return protocol.model_validate(data)
    except (ValueError, RecursionError):  # pydantic's ValidationError is a ValueError
        shown = scrub(raw, config)[:_BODY_SHOWN]  # in this order: a cut key would not be recognised
        raise TransientError(f"the server's answer is no {what}: {shown!r}") from None


def _shown(name: str, config: JudgeConfig) -> str:
    return scrub(name, config)[:_NAME_SHOWN]


def _reported(error: object, config: JudgeConfig) -> CallError:
    """The failure that an answer with status 200 reports."""
    code = error.get("code") if isinstance(error, dict) else None
    status = code if isinstance(code, int) and not isinstance(code, bool) and 400 <= code < 600 else 500  # noqa: PLR2004
    return from_status(status, error, {}, config)
