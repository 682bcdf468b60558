"""Asking a judge by Anthropic's protocol, the Messages API, over the same connections as every other judge.

The protocol is one request with three headers, so no further package is needed for it. Source: Anthropic's API
reference (platform.claude.com/docs, "Messages", "Errors", "Handling stop reasons"), read in November 2026.
"""

import json
import time
from typing import TYPE_CHECKING, Any

from lm_eval_ja.judge._client import Dialect, JudgeClient, plain_messages, refused_setting
from lm_eval_ja.judge._config import Endpoint, JudgeConfig, read_key
from lm_eval_ja.judge._faults import CallError, PermanentError, Scope, from_status
from lm_eval_ja.judge._types import Messages

if TYPE_CHECKING:
    from lm_eval_ja.judge._reply import Reply

_VERSION = "2023-06-01"


class AnthropicClient(JudgeClient):
    """Asks a judge at Anthropic, or at a server that speaks its protocol."""

    def __init__(self, config: JudgeConfig, endpoint: Endpoint) -> None:
        """Set up the connections; nothing is sent.

        Raises:
            JudgeError: The ``openai`` package, whose HTTP client is used, or the key is missing.
        """
        super().__init__(config, endpoint)
        http = self._connections.http
        self._timeout_error = http.TimeoutException
        self._connection_error = http.TransportError
        self._headers = {
            "x-api-key": read_key(config, endpoint) or "",
            "anthropic-version": _VERSION,
            "content-type": "application/json",
        }

    def body(self, messages: Messages, dialect: Dialect, max_tokens: int) -> dict[str, Any]:
        """A request's fields but for the model. System messages have a place of their own."""
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

        data = {"model": self._config.model, **self.body(messages, dialect, max_tokens)}
        connection = self._connections.own()
        start = time.perf_counter()
        try:
            with connection.call(time.monotonic() + self._config.timeout):
                answer = connection.client.post(
                    self._endpoint.url,
                    content=json.dumps(data, ensure_ascii=False).encode(),
                    headers=self._headers,
                    timeout=self._timeout,
                    follow_redirects=False,  # the key would go along
                )
            if answer.is_success:
                return read_message(answer.content, time.perf_counter() - start, self._config)
            error = read_error(answer.content)
            fault = from_status(answer.status_code, error, answer.headers, self._config)
            rejected = isinstance(fault, PermanentError) and fault.scope is Scope.REQUEST
            return fault, refused_setting(error, "temperature") if rejected else None
        except Exception as exc:  # noqa: BLE001 -- a server may provoke any; it costs one call
            return self._classify(exc, connection), None


def read_error(body: bytes) -> object:
    """The error object of an answer, or whatever stands in its place."""
    text = body.decode("utf-8-sig", errors="replace")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return data.get("error", data) if isinstance(data, dict) else data
