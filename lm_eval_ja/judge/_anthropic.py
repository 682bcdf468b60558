"""Asking a judge by Anthropic's protocol, the Messages API, over the same connections as every other judge.

The protocol is one request with three headers, so no further package is needed for it. Source: Anthropic's API
reference (platform.claude.com/docs, "Messages", "Errors", "Handling stop reasons"), read in November 2026.
"""

import time
from typing import TYPE_CHECKING, Any

from lm_eval_ja.judge._client import Dialect, JudgeClient, plain_messages, refused_setting
from lm_eval_ja.judge._config import Endpoint, JudgeConfig, read_key
from lm_eval_ja.judge._faults import CallError, PermanentError, Scope
from lm_eval_ja.judge._transport import MOST_BYTES
from lm_eval_ja.judge._types import Messages

if TYPE_CHECKING:
    from lm_eval_ja.judge._reply import Reply

_VERSION = "2023-06-01"


class AnthropicClient(JudgeClient):
    """Asks a judge at Anthropic, or at a server that speaks its protocol."""

    def __init__(self, config: JudgeConfig, endpoint: Endpoint, most_bytes: int = MOST_BYTES) -> None:
        """Set up the connections; nothing is sent.

        Raises:
            JudgeError: The ``openai`` package, whose HTTP client is used, or the key is missing.
        """
        super().__init__(config, endpoint, most_bytes)
        self._headers = {"x-api-key": read_key(config, endpoint) or "", "anthropic-version": _VERSION}

    def body(self, messages: Messages, max_tokens: int) -> dict[str, Any]:
        """A request's fields but for the model, in the judge's dialect. System messages have a place of their own."""
        return self._body(messages, self.dialect, max_tokens)

    def _body(self, messages: Messages, dialect: Dialect, max_tokens: int) -> dict[str, Any]:
        plain = plain_messages(messages)
        body: dict[str, Any] = {"max_tokens": max_tokens}
        if dialect.temperature:
            body["temperature"] = self._config.temperature
        system = "\n\n".join(message["content"] for message in plain if message["role"] == "system")
        if system:  # an empty one is refused
            body["system"] = system
        body["messages"] = [message for message in plain if message["role"] != "system"]
        return body

    def _send(
        self, messages: Messages, dialect: Dialect, max_tokens: int
    ) -> "Reply | tuple[CallError, str | None]":
        from lm_eval_ja.judge._reply import read_message

        data = {"model": self._config.model, **self._body(messages, dialect, max_tokens)}
        start = time.perf_counter()
        answer = self._exchange("POST", self._endpoint.url, json=data)
        if isinstance(answer, bytes):
            try:
                return read_message(answer, time.perf_counter() - start, self._config)
            except CallError as unreadable:
                return unreadable, None
        fault, error = answer
        rejected = isinstance(fault, PermanentError) and fault.scope is Scope.REQUEST
        return fault, refused_setting(error, "temperature") if rejected else None
