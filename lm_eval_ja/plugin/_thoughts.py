"""A look at answers as they come: thoughts that a run does not expect are told while it can still be stopped."""

import functools
import logging
import sys
from collections.abc import Mapping
from typing import Any

from lm_eval_ja.plugin._marks import is_hooked, mark
from lm_eval_ja.thoughts import AS_FOUND, ServerAnswer, State

_log = logging.getLogger(__name__)

_REASONING = ("reasoning_content", "reasoning")
"""Fields of a chat completion's message that hold thoughts (vLLM, SGLang, llama.cpp, OpenRouter)."""


class _Watch:
    """What is looked for in this process.

    Attributes:
        expected: None before a task of ours builds its requests; then whether every one of them expects thoughts.
        told: Whether the warning was given.
    """

    expected: bool | None = None
    told = False


_watch = _Watch()


def watch_thoughts(*, expected: bool) -> None:
    """Look for thoughts in the answers from now on.

    Args:
        expected: Whether the task that asks for it handles them. If not, the first answer that has some is warned of,
            once in a process.
    """
    _watch.expected = expected and _watch.expected is not False
    _read_reasoning()


def install_first_look() -> None:
    """Have every answer of a backend looked at where the backend hands it to the cache, batch by batch.

    Retires when upstream tells tasks of answers as they come.
    """
    from lm_eval.api.model import CacheHook

    upstream = CacheHook.add_partial
    if is_hooked(upstream):
        return

    @functools.wraps(upstream)
    def add_partial(self: Any, attr: str, req: Any, res: Any) -> None:
        if attr == "generate_until" and _watch.expected is False and not _watch.told:
            _look(res)
        upstream(self, attr, req, res)

    mark(add_partial, "first_look")
    CacheHook.add_partial = add_partial


def warn_of_thoughts(what: str) -> None:
    """Say, once in a process, that there are thoughts and how to run with them."""
    if _watch.told:
        return
    _watch.told = True
    _log.warning(
        "\nWARNING: %s, but the run does not expect thoughts: the protocol's stop strings and token limits cut them, "
        "and what is cut has no answer. Stop it (Ctrl-C) and run it again with --metadata "
        '\'{"thoughts": "separate", "token_budget": "+4096"}\' (docs/thoughts.md)',
        what,
    )


def _look(answer: Any) -> None:
    if isinstance(answer, ServerAnswer):
        warn_of_thoughts("the server separates thoughts from answers")
    elif isinstance(answer, str) and AS_FOUND.read(answer).state is not State.NONE:
        warn_of_thoughts(f"the model's answers begin with thoughts ({answer.strip()[:30]!r})")


def _read_reasoning() -> None:
    """Tell answers of a chat server that separates thoughts from those of one that does not, for tasks of ours only.

    Retires when upstream reads ``reasoning_content``: it drops it, so that thoughts that never end look like an empty
    answer.
    """
    module = sys.modules.get("lm_eval.models.openai_completions")  # in use, if it is in use at all
    if module is None:
        return
    own = module.LocalChatCompletion
    upstream = own.parse_generations  # a method in 0.4.13, static before and in 0.5
    if is_hooked(upstream):
        return
    static = isinstance(vars(own)["parse_generations"], staticmethod)

    @functools.wraps(upstream)
    def parse_generations(*args: Any, **kwargs: Any) -> list[Any]:
        texts = upstream(*args, **kwargs)
        outputs = kwargs["outputs"] if "outputs" in kwargs else args[-1]
        return texts if _watch.expected is None else _with_reasoning(texts, outputs)

    mark(parse_generations, "reasoning")
    own.parse_generations = staticmethod(parse_generations) if static else parse_generations


def _with_reasoning(texts: list[Any], outputs: Any) -> list[Any]:
    try:
        choices = [
            (choice, output)
            for output in (outputs if isinstance(outputs, list) else [outputs])
            for choice in sorted(output["choices"], key=lambda choice: choice["index"])
        ]
        return [
            _with_thought(text, choice, output) for text, (choice, output) in zip(texts, choices, strict=True)
        ]
    except (KeyError, TypeError, ValueError, AttributeError):  # no reply of the form that is expected
        return texts


def _with_thought(text: Any, choice: Mapping[str, Any], output: Mapping[str, Any]) -> Any:
    """The answer of one choice, marked if the server has separated thoughts from it."""
    message = choice["message"]
    thought = next((message[name] for name in _REASONING if isinstance(message.get(name), str)), "")
    details = (output.get("usage") or {}).get("completion_tokens_details") or {}
    hidden = choice.get("finish_reason") == "length" and bool(details.get("reasoning_tokens"))
    if not thought and not (hidden and not text):
        return text
    return ServerAnswer(
        text or "", text or "", thought, finished=bool(text) or choice.get("finish_reason") != "length"
    )
