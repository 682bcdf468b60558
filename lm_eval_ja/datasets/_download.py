"""One file over HTTP into a partial file: patient with what passes, quick to give up on what does not."""

import os
import random
import re
import time
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import requests

from lm_eval_ja import __version__
from lm_eval_ja.datasets._files import logger, progress
from lm_eval_ja.datasets._settings import Retry
from lm_eval_ja.errors import DataError

if TYPE_CHECKING:
    from tqdm import tqdm

_CHUNK = 1 << 16
_MAX_BYTES = 1 << 30
"""Far above the largest file (the Kyoto corpus); a server that sends without end must not fill the disk."""
_PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


class _PassingError(Exception):
    """Something that another attempt may get past."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


def download(url: str, part: Path, *, size: int | None, retry: Retry, fix: str) -> None:
    """Bring the whole body of ``url`` into the file ``part``, which is made new.

    Connection errors, timeouts, broken or short bodies, 408, 429 and 5xx are tried again with exponential
    backoff and jitter, or after the server's ``Retry-After``; a partial body is resumed with a Range request
    where the server can. Any other status ends the download at once. Proxies and certificates are as
    ``requests`` has them.

    Args:
        url: What to ask for.
        part: Written to, flushed to disk at the end, and left half-written on an error.
        size: Bytes expected if known beforehand.
        retry: How patiently.
        fix: What the user can do if it fails; ends every message.

    Raises:
        DataError: The file cannot be had.
        OSError: ``part`` cannot be written.
    """
    transfer = _Transfer(url, part, size)
    part.write_bytes(b"")
    with requests.Session() as session, progress(url.rsplit("/", 1)[-1], size, "B", scale=True) as bar:
        session.headers["User-Agent"] = f"lm-eval-ja/{__version__}"
        for attempt in range(1, retry.attempts + 1):
            try:
                transfer.attempt(session, (retry.connect_timeout, retry.read_timeout), bar)
            except _PassingError as error:  # noqa: PERF203 - a loop of attempts
                wait = retry.backoff * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)
                wait = wait if error.wait is None else error.wait
                if attempt == retry.attempts or wait > retry.longest_wait:
                    raise DataError(f"Cannot download {url}: {error} (attempt {attempt}). {fix}") from error
                logger.info("Download of %s: %s; trying again in %.1f s.", url, error, wait)
                time.sleep(wait)
            except (requests.RequestException, _FinalError) as error:
                raise DataError(f"Cannot download {url}: {error}. {fix}") from error
            else:
                return


class _FinalError(Exception):
    """Something that no further attempt will change."""


class _Transfer:
    """The state that outlives a broken attempt: what the server said about the file it was sending."""

    def __init__(self, url: str, part: Path, size: int | None) -> None:
        self._url = url
        self._part = part
        self._size = size
        self._etag: str | None = None

    def attempt(self, session: requests.Session, timeout: tuple[float, float], bar: "tqdm[NoReturn]") -> None:
        """Bring what is missing, or raise ``_PassingError``, ``_FinalError`` or a ``requests`` error."""
        have = self._part.stat().st_size
        # Bytes as stored: lengths and ranges mean nothing for a body compressed on its way.
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
            if self._etag:
                headers["If-Range"] = self._etag
        try:
            with self._open(session, headers, timeout) as response:
                start, total = self._agree(response, have)
                with self._part.open("r+b") as file:
                    file.truncate(start)
                    file.seek(start)
                    bar.total = total
                    bar.n = start
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
        except (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,
        ) as error:
            raise _PassingError(_reason(error)) from error
        if total is not None and received < total:
            raise _PassingError(f"the body ended after {received} of {total} bytes")

    def _open(
        self, session: requests.Session, headers: dict[str, str], timeout: tuple[float, float]
    ) -> requests.Response:
        try:
            return session.get(self._url, headers=headers, stream=True, timeout=timeout)
        except requests.RequestException:
            raise
        except OSError as error:  # REQUESTS_CA_BUNDLE names no file; must not pass for a full disk
            raise _FinalError(str(error)) from error

    def _agree(self, response: requests.Response, have: int) -> tuple[int, int | None]:
        """Find the offset at which this response starts and the size of the whole file, None if unknown."""
        status = response.status_code
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            self._part.write_bytes(b"")
            raise _PassingError("the server cannot continue the broken download")
        if status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _PassingError(_named(response), _retry_after(response))
        if status == HTTPStatus.PARTIAL_CONTENT and have:
            match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
            if match and int(match[1]) == have:
                return have, int(match[2]) if match[2] != "*" else self._size
            self._part.write_bytes(b"")
            raise _PassingError("the server continued the broken download at the wrong place")
        if status != HTTPStatus.OK:
            raise _FinalError(_named(response))
        etag = response.headers.get("ETag", "")
        self._etag = etag if etag.startswith('"') else None  # only a strong validator may stand in If-Range
        if response.headers.get("Content-Encoding", "identity") != "identity":
            return 0, self._size
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdecimal() else self._size


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
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
