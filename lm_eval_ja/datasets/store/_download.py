"""One file over HTTP into a partial file: patient with what passes, quick to give up on what does not."""

import os
import random
import time
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

import requests

from lm_eval_ja import __version__
from lm_eval_ja.datasets.store._files import logger, progress
from lm_eval_ja.datasets.store._settings import Retry, without_secret
from lm_eval_ja.errors import DataError

if TYPE_CHECKING:
    from tqdm import tqdm

_CHUNK = 1 << 16
_MAX_BYTES = 1 << 30
"""Far above the largest file (the Kyoto corpus); a server that sends without end must not fill the disk."""
_PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


_SILENCE = 60.0
"""Seconds for which a host that could not be reached is asked once only: many files of it may be wanted."""

_silent: dict[str, float] = {}  # host -> until when


class _PassingError(Exception):
    """Something that another attempt may get past."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class _FinalError(Exception):
    """Something that no further attempt will change."""


def download(url: str, part: Path, *, size: int | None, retry: Retry, fix: str) -> None:
    """Bring the whole body of ``url`` into the file ``part``, which is made new at each attempt.

    Connection errors, timeouts, broken or short bodies, 408, 429 and 5xx are tried again with exponential
    backoff and jitter, or after the server's ``Retry-After``; a host that could not be reached a moment ago has one
    attempt only. Any other status ends the download at once. Proxies and certificates are as ``requests`` has them.
    (urllib3's own retries end where the body begins.)

    Args:
        url: What to ask for.
        part: Written to, flushed to disk at the end, and left half-written on an error.
        size: Bytes expected if known beforehand.
        retry: How patiently.
        fix: What the user can do if it fails; ends every message.

    Raises:
        DataError: The file is unavailable.
        OSError: ``part`` cannot be written.
    """
    shown, host = without_secret(url), urlsplit(url).netloc
    attempts = 1 if _silent.get(host, 0) > time.monotonic() else retry.attempts
    timeout = (retry.connect_timeout, retry.read_timeout)
    with requests.Session() as session, progress(url.rsplit("/", 1)[-1], size, "B", scale=True) as bar:
        session.headers["User-Agent"] = f"lm-eval-ja/{__version__}"
        for attempt in range(1, attempts + 1):
            try:
                _attempt(session, url, part, timeout, size, bar)
            except _PassingError as error:  # noqa: PERF203 - a loop of attempts
                why = _without_secret_of(url, str(error))
                wait = retry.backoff * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)
                wait = wait if error.wait is None else error.wait
                if attempt == attempts or wait > retry.longest_wait:
                    if isinstance(error.__cause__, requests.ConnectionError):
                        _silent[host] = time.monotonic() + _SILENCE
                    raise DataError(f"Cannot download {shown}: {why} (attempt {attempt}). {fix}") from None
                logger.info("Download of %s: %s; trying again in %.1f s.", shown, why, wait)
                time.sleep(wait)
            except (requests.RequestException, _FinalError) as error:
                why = _without_secret_of(url, str(error))
                raise DataError(f"Cannot download {shown}: {why}. {fix}") from None
            else:
                _silent.pop(host, None)
                return


def _attempt(
    session: requests.Session,
    url: str,
    part: Path,
    timeout: tuple[float, float],
    size: int | None,
    bar: "tqdm[NoReturn]",
) -> None:
    """Bring the body once, or raise ``_PassingError``, ``_FinalError`` or a ``requests`` error."""
    try:
        with _open(session, url, timeout) as response, part.open("wb") as file:
            total = _total(response, size)
            bar.reset(total)
            for chunk in response.iter_content(_CHUNK):
                if file.tell() + len(chunk) > _MAX_BYTES:
                    raise _FinalError(f"the body goes on after {_MAX_BYTES} bytes")
                file.write(chunk)
                bar.update(len(chunk))
            file.flush()
            os.fsync(file.fileno())
            received = file.tell()
    except requests.exceptions.SSLError as error:
        if "CERTIFICATE_VERIFY_FAILED" not in str(error):
            raise _PassingError(_reason(error)) from error
        raise _FinalError(
            f"{_reason(error)}; if a proxy on the way has its own certificate, name that in REQUESTS_CA_BUNDLE"
        ) from error
    except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
        raise _PassingError(_reason(error)) from error
    if total is not None and received < total:
        raise _PassingError(f"the body ended after {received} of {total} bytes")


def _open(session: requests.Session, url: str, timeout: tuple[float, float]) -> requests.Response:
    try:
        # Bytes as stored: lengths mean nothing for a body compressed on its way.
        return session.get(url, headers={"Accept-Encoding": "identity"}, stream=True, timeout=timeout)
    except requests.RequestException:
        raise
    except OSError as error:  # REQUESTS_CA_BUNDLE names no file; must not pass for a full disk
        raise _FinalError(str(error)) from error


def _total(response: requests.Response, size: int | None) -> int | None:
    """Check the status and find the size of the whole file, None if unknown."""
    status = response.status_code
    if status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise _PassingError(_named(response), _retry_after(response))
    if status != HTTPStatus.OK:
        raise _FinalError(_named(response))
    length = response.headers.get("Content-Length", "")
    encoded = response.headers.get("Content-Encoding", "identity") != "identity"
    return int(length) if length.isdecimal() and not encoded else size


def _without_secret_of(url: str, text: str) -> str:
    """Take a URL's name and password out of what others say of it."""
    user = url.partition("://")[2].rpartition("@")[0]
    for secret in (user, *user.split(":", 1)):
        text = text.replace(secret, "***") if secret else text
    return text


def _reason(error: requests.RequestException) -> str:
    """Leave out what urllib3 wraps around the reason."""
    inner = error.args[0] if error.args else error
    return str(getattr(inner, "reason", error))


def _named(response: requests.Response) -> str:
    return f"the server answered HTTP {response.status_code} {response.reason or ''}".rstrip()


def _retry_after(response: requests.Response) -> float | None:
    """Seconds the server asks to wait (the header holds seconds or a date), None if it does not say.

    A date counts from the response's own ``Date``: the two clocks need not agree.
    """
    value = response.headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    until = _moment(value)
    if until is None:
        return None
    sent = _moment(response.headers.get("Date", "")) or datetime.now(timezone.utc)
    return max(0.0, (until - sent).total_seconds())


def _moment(date: str) -> datetime | None:
    """A header's date, None if it is none."""
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
