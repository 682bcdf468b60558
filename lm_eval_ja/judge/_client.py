"""One judge at one endpoint: a request in, a reply or a classified failure out, whatever protocol it speaks."""

import json
import re
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lm_eval_ja._unicode import well_formed
from lm_eval_ja.errors import JudgeError
from lm_eval_ja.judge._config import Endpoint, JudgeConfig
from lm_eval_ja.judge._faults import CallError, Cause, TransientError, from_connection, from_status
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
class Dialect:
    """How this judge wants its settings."""

    token_field: str = "max_tokens"  # noqa: S105 -- a field's name
    temperature: bool = True


class JudgeClient(ABC):
    """Asks one judge; many threads may use it, each over a connection of its own.

    Attributes:
        adaptations: Deviations from the configured settings that the judge has forced so far.
        dialect: How it wants its settings, as far as is known.
    """

    def __init__(self, config: JudgeConfig, endpoint: Endpoint, most_bytes: int) -> None:
        """Set up the connections; nothing is sent.

        Args:
            config: The judge.
            endpoint: Its address.
            most_bytes: Largest answer that is read.

        Raises:
            JudgeError: The ``openai`` package or the key is missing.
        """
        try:
            import openai
        except ImportError:
            raise JudgeError('the judge needs the openai package: pip install "lm-eval-ja[judge]"') from None
        quiet_loggers()
        self._config = config
        self._endpoint = endpoint
        self.dialect = Dialect()
        self._lock = threading.Lock()
        self.adaptations: tuple[str, ...] = ()
        self._openai = openai
        self._timeout = openai.Timeout(config.timeout, connect=min(config.timeout, _CONNECT_TIMEOUT))
        self._connections = Connections(openai, most_bytes)
        self._headers: dict[str, str] = {}  # what proves who asks
        http = self._connections.http
        self._timeouts = (openai.APITimeoutError, http.TimeoutException)
        self._broken = (openai.APIConnectionError, http.TransportError)

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
            sent = self.dialect
            result = self._send(messages, sent, max_tokens)
            if not isinstance(result, tuple):
                return result
            fault, refused = result
            if refused is None or (sent == self.dialect and not self._adapt(refused)):
                raise fault

    @abstractmethod
    def body(self, messages: Messages, max_tokens: int) -> dict[str, Any]:
        """A request's fields but for the model, in the judge's dialect."""

    def exchange(self, method: str, url: str, **content: Any) -> bytes:
        """Any other call than a question: its answer's body.

        Args:
            method: Of HTTP.
            url: Whole address.
            content: What the HTTP package takes: ``json``, ``files``, ``data``, ``params``.

        Raises:
            CallError: It failed.
        """
        result = self._exchange(method, url, **content)
        if isinstance(result, tuple):
            raise result[0]
        return result

    def _exchange(self, method: str, url: str, **content: Any) -> bytes | tuple[CallError, object]:
        """The answer's body, or a failure with the server's own words about it."""
        connection = self._connections.own()
        try:
            with connection.call(time.monotonic() + self._config.timeout):
                answer = connection.client.request(
                    method,
                    url,
                    headers=self._headers,
                    timeout=self._timeout,
                    follow_redirects=False,  # the key would go along
                    **content,
                )
            body: bytes = answer.content
            if answer.is_success:
                return body
            error = read_error(body)
            return from_status(answer.status_code, error, answer.headers, self._config), error
        except Exception as exc:  # noqa: BLE001 -- a server may provoke any; it costs one call
            return self._classify(exc, connection), None

    @abstractmethod
    def _send(
        self, messages: Messages, dialect: Dialect, max_tokens: int
    ) -> "Reply | tuple[CallError, str | None]":
        """A reply, or a failure with the setting that the judge refuses, if that is why.

        Failures are returned: raised inside an ``except`` they would drag the HTTP packages' exceptions, which
        quote requests, into every traceback.
        """

    def _adapt(self, refused: str) -> bool:
        """Do without a refused setting from now on. False if that has been tried already."""
        with self._lock:
            known = self.dialect
            if refused == "temperature" and known.temperature:
                self.dialect = Dialect(known.token_field, temperature=False)
                self.adaptations += (
                    f"temperature={self._config.temperature:g} refused: judge's default used",
                )
            elif refused == "max_tokens" and known.token_field == "max_tokens":  # noqa: S105 -- a field's name
                self.dialect = Dialect("max_completion_tokens", known.temperature)
                self.adaptations += ("max_tokens refused: max_completion_tokens used",)
            return self.dialect != known

    def _classify(self, exc: Exception, connection: Connection) -> CallError:
        """What a call failed of that brought no HTTP error."""
        cause: BaseException | None = exc
        while cause is not None:  # older releases of the openai package wrap whatever comes up on the way
            if isinstance(cause, CallError):
                return cause
            cause = cause.__cause__
        if connection.cut or isinstance(exc, self._timeouts):
            return TransientError(
                f"no reply within {self._config.timeout:g} s (judge timeout)", Cause.TIMEOUT
            )
        if isinstance(exc, self._broken):
            return from_connection(exc, self._endpoint.url, self._config)
        return TransientError(scrub(f"{type(exc).__name__}: {exc}", self._config)[:300])


def read_error(body: bytes) -> object:
    """The error object of an answer, or whatever stands in its place."""
    text = body.decode("utf-8-sig", errors="replace")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return data.get("error", data) if isinstance(data, dict) else data


def plain_messages(messages: Messages) -> list[dict[str, str]]:
    """The messages as JSON can carry them."""
    return [{name: well_formed(text) for name, text in message.items()} for message in messages]


def refused_setting(body: object, *names: str) -> str | None:
    """Which of some settings a rejection is about, if it is about one."""
    fields: dict[str, Any] = body if isinstance(body, dict) else {}
    message = str(fields.get("message") or body or "")
    if not _REFUSAL.search(
        f"{fields.get('code')} {message}"
    ):  # "max_tokens is too large" refuses a value only
        return None
    for name in names:
        if fields.get("param") == name or re.search(rf"\b{name}\b", message):
            return name
    return None
