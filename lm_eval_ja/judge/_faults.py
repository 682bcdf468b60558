"""Failed calls: what went wrong, and what to do about it."""

import json
import ssl
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from typing import Any

from lm_eval_ja.judge._config import JudgeConfig, scrub

_QUOTA_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
_FILTER_SIGNS = ("content_filter", "content management policy", "responsibleaipolicyviolation")
_LENGTH_SIGNS = (
    "context_length_exceeded",
    "context length",
    "context window",
    "context size",
    "string_above_max_length",
)
_BODY_SHOWN = 300


class Kind(Enum):
    """What a failed call says about the calls to come."""

    FATAL = auto()  # none can succeed: stop now
    SETUP = auto()  # none can succeed, unless one has: some gateways use these codes for single requests
    REJECTED = auto()  # this one cannot succeed
    ITEM = auto()  # this one cannot succeed because of its text; the judge itself works
    RATE = auto()  # later
    TRANSIENT = auto()  # perhaps the next time
    TIMEOUT = auto()  # likewise, but dear


class CallError(Exception):
    """A call that brought no reply. The message holds no key.

    Attributes:
        kind: What to do.
        retry_after: Seconds the server asks to wait, if it does.
    """

    def __init__(self, kind: Kind, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.retry_after = retry_after


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
    codes = {str(fields.get("code")), str(fields.get("type"))}
    signs = f"{codes} {text} {fields.get('innererror', '')}".lower()
    wait = retry_after(headers)

    if status == 401:  # noqa: PLR2004
        return CallError(
            Kind.FATAL, f"{said}. The key is refused: check the value of {config.api_key_env or 'the key'}"
        )
    if status == 402 or (status == 429 and codes & _QUOTA_CODES):  # noqa: PLR2004
        return CallError(Kind.FATAL, f"{said}. The account has no quota left: check its plan and billing")
    if status == 403:  # noqa: PLR2004
        return CallError(Kind.SETUP, f"{said}. Check that the key may use the model {config.model!r}")
    if status == 404:  # noqa: PLR2004
        return CallError(Kind.SETUP, f"{said}. Check the model's name ({config.model!r}) and the base URL")
    if status == 429:  # noqa: PLR2004
        return CallError(Kind.RATE, said, wait)
    if status in {408, 409, 425} or status >= 500:  # noqa: PLR2004
        return CallError(Kind.TRANSIENT, said, wait)
    if any(sign in signs for sign in _FILTER_SIGNS):
        return CallError(Kind.ITEM, f"the judge's content filter refused the request ({said})")
    if status == 413 or any(sign in signs for sign in _LENGTH_SIGNS):  # noqa: PLR2004
        return CallError(Kind.ITEM, f"the request is too long for the judge ({said})")
    return CallError(Kind.REJECTED, said)


def from_connection(exc: BaseException, url: str, config: JudgeConfig) -> CallError:
    """Classify a connection that failed, naming the innermost cause."""
    cause = exc
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    detail = scrub(str(cause), config) or type(cause).__name__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return CallError(
            Kind.SETUP,
            f"no answer from {url}: {detail}. Check the base URL; if the server, or a proxy on the way, has a"
            " certificate of its own, name that in SSL_CERT_FILE",
        )
    return CallError(
        Kind.TRANSIENT, f"no answer from {url}: {detail}. Check the base URL and that the server is up"
    )


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
        except (TypeError, ValueError):
            pass
    return None


def _sent_at(headers: Mapping[str, str]) -> float:
    """When the server says it answered, in seconds since the epoch; now, if it does not say."""
    try:
        return parsedate_to_datetime(headers.get("date", "")).timestamp()
    except (TypeError, ValueError):
        return time.time()
