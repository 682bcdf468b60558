"""One judge at one endpoint: a request in, a reply or a classified failure out, whatever protocol it speaks."""

import re
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lm_eval_ja._unicode import well_formed
from lm_eval_ja.errors import JudgeError
from lm_eval_ja.judge._config import Endpoint, JudgeConfig
from lm_eval_ja.judge._faults import CallError, Cause, TransientError, from_connection
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
    """

    _timeout_error: type[Exception]
    _connection_error: type[Exception]

    def __init__(self, config: JudgeConfig, endpoint: Endpoint) -> None:
        """Set up the connections; nothing is sent.

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
        self._dialect = Dialect()
        self._lock = threading.Lock()
        self.adaptations: tuple[str, ...] = ()
        self._openai = openai
        self._timeout = openai.Timeout(config.timeout, connect=min(config.timeout, _CONNECT_TIMEOUT))
        self._connections = Connections(openai)

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
            known = self._dialect
            if refused == "temperature" and known.temperature:
                self._dialect = Dialect(known.token_field, temperature=False)
                self.adaptations += (
                    f"temperature={self._config.temperature:g} refused: judge's default used",
                )
            elif refused == "max_tokens" and known.token_field == "max_tokens":  # noqa: S105 -- a field's name
                self._dialect = Dialect("max_completion_tokens", known.temperature)
                self.adaptations += ("max_tokens refused: max_completion_tokens used",)
            return self._dialect != known

    def _classify(self, exc: Exception, connection: Connection) -> CallError:
        """What a call failed of that brought no HTTP error."""
        cause: BaseException | None = exc
        while cause is not None:  # older releases of the openai package wrap whatever comes up on the way
            if isinstance(cause, CallError):
                return cause
            cause = cause.__cause__
        if connection.cut or isinstance(exc, self._timeout_error):
            return TransientError(
                f"no reply within {self._config.timeout:g} s (judge timeout)", Cause.TIMEOUT
            )
        if isinstance(exc, self._connection_error):
            return from_connection(exc, self._endpoint.url, self._config)
        return TransientError(scrub(f"{type(exc).__name__}: {exc}", self._config)[:300])


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
