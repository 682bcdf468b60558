"""Asking a judge by OpenAI's protocol, which most servers speak, through the ``openai`` package."""

import threading
import time
from typing import TYPE_CHECKING, Any

from lm_eval_ja.errors import JudgeError
from lm_eval_ja.judge._client import Dialect, JudgeClient, plain_messages, refused_setting
from lm_eval_ja.judge._config import Endpoint, JudgeConfig, read_key
from lm_eval_ja.judge._faults import CallError, PermanentError, Scope, from_status
from lm_eval_ja.judge._secrets import scrub
from lm_eval_ja.judge._transport import MOST_BYTES, Connection
from lm_eval_ja.judge._types import Messages

if TYPE_CHECKING:
    from lm_eval_ja.judge._reply import Reply


class OpenAIClient(JudgeClient):
    """Asks a judge at an OpenAI-compatible server, or on Azure."""

    def __init__(self, config: JudgeConfig, endpoint: Endpoint, most_bytes: int = MOST_BYTES) -> None:
        """Set up the ``openai`` package; nothing is sent.

        Raises:
            JudgeError: The ``openai`` package or the key is missing.
        """
        super().__init__(config, endpoint, most_bytes)
        key = read_key(config, endpoint)
        self._headers = {"authorization": f"Bearer {key}"}  # for what the package's client isn't used for
        self._api = self._set_up(key)
        for name in ("organization", "project"):  # as the package has them from its variables
            if value := getattr(self._api, name, None):
                self._headers[f"openai-{name}"] = value
        self._own = threading.local()

    def _set_up(self, key: str | None) -> Any:
        """The package's client for this endpoint."""
        openai, config, endpoint = self._openai, self._config, self._endpoint
        options: dict[str, Any] = {
            "api_key": key,
            "max_retries": 0,  # retries are the engine's
            "timeout": self._timeout,
            "http_client": self._connections.own().client,
        }
        try:
            if endpoint.kind == "azure":
                return openai.AzureOpenAI(azure_endpoint=endpoint.base_url, **options)
            return openai.OpenAI(base_url=endpoint.base_url, **options)
        except (openai.OpenAIError, ValueError) as exc:
            message = scrub(
                f"the judge at {endpoint.url}: the openai package cannot be set up: {exc}", config
            )
        raise JudgeError(message)

    def body(self, messages: Messages, max_tokens: int) -> dict[str, Any]:
        """A request's fields but for the model, in the judge's dialect."""
        return self._body(messages, self.dialect, max_tokens)

    def _body(self, messages: Messages, dialect: Dialect, max_tokens: int) -> dict[str, Any]:
        body: dict[str, Any] = {"messages": plain_messages(messages), dialect.token_field: max_tokens}
        if dialect.temperature:
            body["temperature"] = self._config.temperature
        return body

    def _send(
        self, messages: Messages, dialect: Dialect, max_tokens: int
    ) -> "Reply | tuple[CallError, str | None]":
        from lm_eval_ja.judge._reply import read_reply

        connection, api = self._line()
        start = time.perf_counter()
        try:
            with connection.call(time.monotonic() + self._config.timeout):
                answer = api.chat.completions.with_raw_response.create(
                    model=self._config.model,
                    messages=[],
                    # Replaces the field above: the package's walk through typed messages costs a third of a call's
                    # CPU time.
                    extra_body=self._body(messages, dialect, max_tokens),
                )
            return read_reply(answer.http_response.content, time.perf_counter() - start, self._config)
        except self._openai.APIStatusError as exc:
            fault = from_status(exc.status_code, exc.body, exc.response.headers, self._config)
            rejected = isinstance(fault, PermanentError) and fault.scope is Scope.REQUEST
            refused = refused_setting(exc.body, dialect.token_field, "temperature") if rejected else None
            return fault, refused
        except Exception as exc:  # noqa: BLE001 -- a server may provoke any; it costs one call
            return self._classify(exc, connection), None

    def _line(self) -> tuple[Connection, Any]:
        """This thread's connection, and the package's client that sends over it."""
        connection = self._connections.own()
        api = getattr(self._own, "api", None)
        if api is None:
            api = self._own.api = self._api.with_options(http_client=connection.client)
        return connection, api
