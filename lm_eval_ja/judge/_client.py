"""One judge at one endpoint: a request in, a reply or a classified failure out."""

import re
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lm_eval_ja._unicode import well_formed
from lm_eval_ja.errors import JudgeError
from lm_eval_ja.judge._config import Endpoint, JudgeConfig, read_key
from lm_eval_ja.judge._faults import (
    CallError,
    Cause,
    PermanentError,
    Scope,
    TransientError,
    from_connection,
    from_status,
)
from lm_eval_ja.judge._secrets import scrub
from lm_eval_ja.judge._transport import Connection, Connections, quiet_loggers
from lm_eval_ja.judge._types import Messages

if TYPE_CHECKING:
    from lm_eval_ja.judge._reply import Reply

_CONNECT_TIMEOUT = 20.0
_REFUSAL = re.compile(
    r"unsupported|not support|does not allow|deprecated|unrecognized|unknown|only the default", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class _Dialect:
    """How this judge wants its settings."""

    token_field: str = "max_tokens"  # noqa: S105 -- a field's name
    temperature: bool = True


class JudgeClient:
    """Asks one judge; many threads may use it, each over a connection of its own.

    Attributes:
        adaptations: Deviations from the configured settings that the judge has forced so far.
    """

    def __init__(self, config: JudgeConfig, endpoint: Endpoint) -> None:
        """Set up the ``openai`` package; nothing is sent.

        Raises:
            JudgeError: The ``openai`` package or the key is missing.
        """
        self._config = config
        self._endpoint = endpoint
        self._dialect = _Dialect()
        self._lock = threading.Lock()
        self.adaptations: tuple[str, ...] = ()
        self._openai, self._api, self._connections = _set_up(config, endpoint)
        self._own = threading.local()

    def abort(self) -> None:
        """End all calls under way, and let none begin."""
        self._connections.abort()

    def close(self) -> None:
        """Close all connections."""
        self._connections.close()

    def ask(self, messages: Messages, *, max_tokens: int) -> "Reply":
        """Send one request once, or again at once where the judge refuses a setting it can do without.

        Raises:
            CallError: There is no reply.
        """
        while True:
            sent = self._dialect
            result = self._send(messages, sent, max_tokens)
            if not isinstance(result, tuple):
                return result
            fault, refused = result
            if refused is None or (sent == self._dialect and not self._adapt(refused)):
                raise fault

    def _adapt(self, refused: str) -> bool:
        """Do without a refused setting from now on. False if that has been tried already."""
        with self._lock:
            known = self._dialect
            if refused == "temperature" and known.temperature:
                self._dialect = _Dialect(known.token_field, temperature=False)
                self.adaptations += (
                    f"temperature={self._config.temperature:g} refused: judge's default used",
                )
            elif refused == "max_tokens" and known.token_field == "max_tokens":  # noqa: S105 -- a field's name
                self._dialect = _Dialect("max_completion_tokens", known.temperature)
                self.adaptations += ("max_tokens refused: max_completion_tokens used",)
            return self._dialect != known

    def _send(
        self, messages: Messages, dialect: _Dialect, max_tokens: int
    ) -> "Reply | tuple[CallError, str | None]":
        """A reply, or a failure with the setting that the judge refuses, if that is why.

        Failures are returned: raised inside an ``except`` they would drag the package's exceptions, which
        quote requests, into every traceback.
        """
        from lm_eval_ja.judge._reply import read_reply

        openai = self._openai
        body: dict[str, Any] = {
            "messages": [{name: well_formed(text) for name, text in message.items()} for message in messages],
            dialect.token_field: max_tokens,
        }
        if dialect.temperature:
            body["temperature"] = self._config.temperature
        connection, api = self._line()
        start = time.perf_counter()
        try:
            with connection.call(time.monotonic() + self._config.timeout):
                answer = api.chat.completions.with_raw_response.create(
                    model=self._config.model,
                    messages=[],
                    # Replaces the field above: the package's walk through typed messages costs a third of a call's
                    # CPU time.
                    extra_body=body,
                )
            return read_reply(answer.http_response.content, time.perf_counter() - start, self._config)
        except openai.APIStatusError as exc:
            fault = from_status(exc.status_code, exc.body, exc.response.headers, self._config)
            rejected = isinstance(fault, PermanentError) and fault.scope is Scope.REQUEST
            return fault, _refused_setting(exc.body, dialect) if rejected else None
        except Exception as exc:  # noqa: BLE001 -- a server may provoke any; it costs one call
            return self._classify(exc, connection), None

    def _line(self) -> tuple[Connection, Any]:
        """This thread's connection, and the package's client that sends over it."""
        connection = self._connections.own()
        api = getattr(self._own, "api", None)
        if api is None:
            api = self._own.api = self._api.with_options(http_client=connection.client)
        return connection, api

    def _classify(self, exc: Exception, connection: Connection) -> CallError:
        """What a call failed of that brought no HTTP error."""
        cause: BaseException | None = exc
        while cause is not None:  # older releases of the package wrap whatever comes up on the way
            if isinstance(cause, CallError):
                return cause
            cause = cause.__cause__
        if connection.cut or isinstance(exc, self._openai.APITimeoutError):
            return TransientError(
                f"no reply within {self._config.timeout:g} s (judge timeout)", Cause.TIMEOUT
            )
        if isinstance(exc, self._openai.APIConnectionError):
            return from_connection(exc, self._endpoint.url, self._config)
        return TransientError(scrub(f"{type(exc).__name__}: {exc}", self._config)[:300])


def _set_up(config: JudgeConfig, endpoint: Endpoint) -> tuple[Any, Any, Connections]:
    """The package, its client for this endpoint, and the connections for its copies."""
    try:
        import openai
    except ImportError:
        raise JudgeError('the judge needs the openai package: pip install "lm-eval-ja[judge]"') from None
    quiet_loggers()
    connections = Connections(openai)
    options: dict[str, Any] = {
        "api_key": read_key(config, endpoint),
        "max_retries": 0,  # retries are the engine's
        "timeout": openai.Timeout(config.timeout, connect=min(config.timeout, _CONNECT_TIMEOUT)),
        "http_client": connections.own().client,
    }
    try:
        if endpoint.kind == "azure":
            return openai, openai.AzureOpenAI(azure_endpoint=endpoint.base_url, **options), connections
        return openai, openai.OpenAI(base_url=endpoint.base_url, **options), connections
    except (openai.OpenAIError, ValueError) as exc:
        message = scrub(f"the judge at {endpoint.url}: the openai package cannot be set up: {exc}", config)
    raise JudgeError(message)


def _refused_setting(body: object, dialect: _Dialect) -> str | None:
    """Name of the sampling setting that a rejection is about, if it is about one."""
    fields = body if isinstance(body, dict) else {}
    message = str(fields.get("message") or body or "")
    if not _REFUSAL.search(
        f"{fields.get('code')} {message}"
    ):  # "max_tokens is too large" refuses a value only
        return None
    for name in (dialect.token_field, "temperature"):
        if fields.get("param") == name or re.search(rf"\b{name}\b", message):
            return name
    return None
