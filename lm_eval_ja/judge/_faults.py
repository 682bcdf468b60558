"""Failed calls: what went wrong, and what to do about it."""

import json
import ssl
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from typing import Any

from lm_eval_ja.judge._config import JudgeConfig
from lm_eval_ja.judge._secrets import scrub

_QUOTA_CODES = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",
        "enforced_spend_limit_reached",
    }
)
# Anthropic says these with status 400 and the type of any rejected request.
_QUOTA_SIGNS = ("credit balance is too low", "you have reached your specified api usage limits")
_FILTER_SIGNS = ("content_filter", "content management policy", "responsibleaipolicyviolation")
_LENGTH_SIGNS = (
    "context_length_exceeded",
    "context length",
    "context window",
    "context size",
    "prompt is too long",
    "string_above_max_length",
)
_BODY_SHOWN = 300


class CallError(Exception):
    """A call that brought no reply. The message holds no key."""


class Cause(Enum):
    """Why a call failed that may succeed later."""

    RATE = auto()  # too many calls at the moment
    TIMEOUT = auto()  # dear to try again
    OTHER = auto()


class TransientError(CallError):
    """The same call may succeed later.

    Attributes:
        cause: Why it failed.
        retry_after: Seconds the server asks to wait, if it does.
    """

    def __init__(self, message: str, cause: Cause = Cause.OTHER, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.cause = cause
        self.retry_after = retry_after


class Scope(Enum):
    """Which calls a permanent failure speaks of."""

    ALL = auto()  # none can succeed: stop now
    SETUP = auto()  # none can succeed, unless one has: some gateways use these codes for single requests
    REQUEST = auto()  # this one cannot succeed
    TEXT = auto()  # this one cannot succeed because of its text; the judge itself works


class PermanentError(CallError):
    """The same call will fail again.

    Attributes:
        scope: Whether others will, too.
    """

    def __init__(self, message: str, scope: Scope) -> None:
        super().__init__(message)
        self.scope = scope


def from_status(  # noqa: PLR0911 -- a table
    status: int, body: object, headers: Mapping[str, str], config: JudgeConfig
) -> CallError:
    """Classify an answer that is an HTTP error.

    Args:
        status: HTTP status code.
        body: The error object of the answer, or whatever stands in its place.
        headers: Of the answer.
        config: The judge, for the advice.
    """
    fields: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    text = fields.get("message") or body or ""
    shown = scrub(
        text if isinstance(text, str) else json.dumps(text, ensure_ascii=False, default=str), config
    )
    said = f"HTTP {status}" + (f": {shown[:_BODY_SHOWN]}" if shown else "")
    details = fields.get("details")
    detail = details.get("error_code") if isinstance(details, Mapping) else None
    codes = {str(fields.get("code")), str(fields.get("type")), str(detail)}
    signs = f"{codes} {text} {fields.get('innererror', '')}".lower()
    wait = retry_after(headers)

    if status == 401:  # noqa: PLR2004
        return PermanentError(
            f"{said}. The key is refused: check the value of {config.api_key_env or 'the key'}", Scope.ALL
        )
    if (
        status == 402  # noqa: PLR2004
        or (status == 429 and codes & _QUOTA_CODES)  # noqa: PLR2004
        or (status == 400 and any(sign in signs for sign in _QUOTA_SIGNS))  # noqa: PLR2004
    ):
        return PermanentError(f"{said}. The account has no quota left: check its plan and billing", Scope.ALL)
    if status == 403:  # noqa: PLR2004
        return PermanentError(f"{said}. Check that the key may use the model {config.model!r}", Scope.SETUP)
    if status == 404:  # noqa: PLR2004
        return PermanentError(
            f"{said}. Check the model's name ({config.model!r}) and the base URL", Scope.SETUP
        )
    if status == 429:  # noqa: PLR2004
        return TransientError(said, Cause.RATE, wait)
    if status in {408, 409, 425} or status >= 500:  # noqa: PLR2004
        return TransientError(said, retry_after=wait)
    if any(sign in signs for sign in _FILTER_SIGNS):
        return PermanentError(f"the judge's content filter refused the request ({said})", Scope.TEXT)
    if status == 413 or any(sign in signs for sign in _LENGTH_SIGNS):  # noqa: PLR2004
        return PermanentError(f"the request is too long for the judge ({said})", Scope.TEXT)
    return PermanentError(said, Scope.REQUEST)


def from_connection(exc: BaseException, url: str, config: JudgeConfig) -> CallError:
    """Classify a connection that failed, naming the innermost cause."""
    cause = exc
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    detail = scrub(str(cause), config) or type(cause).__name__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return PermanentError(
            f"no answer from {url}: {detail}. Check the base URL; if the server, or a proxy on the way, has a"
            " certificate of its own, name that in SSL_CERT_FILE",
            Scope.SETUP,
        )
    return TransientError(f"no answer from {url}: {detail}. Check the base URL and that the server is up")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that an answer asks to wait: ``retry-after-ms``, or ``Retry-After`` in seconds or as a date.

    A date counts from the answer's own ``Date``: the two clocks need not agree.
    """
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            return max(0.0, float(value) / unit)
        except ValueError:
            pass
        try:
            return max(0.0, parsedate_to_datetime(value).timestamp() - _sent_at(headers))
        except (TypeError, ValueError, LookupError, OverflowError):  # a header may hold anything
            pass
    return None


def _sent_at(headers: Mapping[str, str]) -> float:
    """When the server says it answered, in seconds since the epoch; now, if it does not say."""
    try:
        return parsedate_to_datetime(headers.get("date", "")).timestamp()
    except (TypeError, ValueError, LookupError, OverflowError):
        return time.time()
