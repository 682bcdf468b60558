"""A provider's batch API, as four questions and one order.

Providers answer within 24 hours for half the price; what is not answered by then has expired and costs nothing.
"""

import json
import random
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel

from lm_eval_ja.errors import JudgeError
from lm_eval_ja.judge._client import JudgeClient
from lm_eval_ja.judge._config import Endpoint, JudgeConfig
from lm_eval_ja.judge._faults import CallError, Cause, TransientError
from lm_eval_ja.judge._ledger import Batch
from lm_eval_ja.judge._reply import Reply
from lm_eval_ja.judge._secrets import scrub

Requests = Mapping[str, Mapping[str, Any]]
"""Bodies of requests by key of the judgment, which is also the request's ``custom_id``: 64 characters of 64 allowed."""

_Model = TypeVar("_Model", bound=BaseModel)
_PAGE = 100
_MOST_PAGES = 1000
_LONGEST_BACKOFF = 60.0
_LONGEST_WAIT = 600.0
BATCH_ID = re.compile(r"[\w.-]{1,200}")
"""What a provider may call a batch or a file: it becomes part of an address."""


@dataclass(frozen=True)
class Progress:
    """How far the provider is.

    Attributes:
        state: The provider's word for it.
        ended: Whether nothing will change any more.
        done: Requests that are finished, successfully or not, as far as the provider says.
        total: All requests, as the provider counts them.
        problem: Why the whole batch failed; empty if it did not.
        files: Where results are.
    """

    state: str
    ended: bool
    done: int
    total: int
    problem: str = ""
    files: tuple[str, ...] = ()


class Unclear(JudgeError):  # noqa: N818 -- says what is the matter
    """A batch was sent, and it is not known whether it arrived."""


class BatchApi(ABC):
    """One provider's batches, for one judge."""

    def __init__(self, config: JudgeConfig, endpoint: Endpoint, client: JudgeClient) -> None:
        self._config = config
        self._endpoint = endpoint
        self._client = client

    @abstractmethod
    def newest(self) -> str:
        """The newest batch there is, where :meth:`find` will want to know; else empty.

        Raises:
            JudgeError: The provider does not say.
        """

    @abstractmethod
    def create(self, batch: Batch, requests: Requests) -> str:
        """Have a batch made.

        Returns:
            The provider's name for it.

        Raises:
            Unclear: It may have been made, or not.
            JudgeError: It was not made.
        """

    @abstractmethod
    def find(self, batch: Batch, known: frozenset[str]) -> tuple[str | None, str | None]:
        """Look for a batch that may have been made.

        Args:
            batch: As written down before it was sent.
            known: Names of batches that are others.

        Returns:
            Its name, if it is there; otherwise the name of one that may be it, which will be known when that has ended.

        Raises:
            JudgeError: The provider does not say.
        """

    @abstractmethod
    def progress(self, name: str) -> Progress:
        """How far a batch is.

        Raises:
            JudgeError: The provider does not say.
        """

    @abstractmethod
    def results(self, name: str, progress: Progress) -> Iterator[tuple[str, Reply | CallError]]:
        """What came of the requests of a batch that has ended, by key, in any order; some may be missing.

        Raises:
            JudgeError: The results cannot be had.
        """

    def _get(self, address: str, **query: str) -> bytes:
        """Read something, trying again where that may help.

        Raises:
            JudgeError: It cannot be read.
        """
        try:
            return self._exchange("GET", address, frozenset(Cause), params=query)
        except CallError as exc:
            raise self._error(f"cannot be asked about batches: {exc}") from None

    def _exchange(self, method: str, address: str, passing: frozenset[Cause], **content: Any) -> bytes:
        """One call, tried again after troubles of the kinds that are ``passing``."""
        tries = 0
        while True:
            try:
                return self._client.exchange(method, address, **content)
            except TransientError as exc:
                fault = exc
            wait = fault.retry_after or 0.0
            if fault.cause not in passing or tries >= self._config.max_retries or wait > _LONGEST_WAIT:
                raise fault
            delay = min(_LONGEST_BACKOFF, self._config.backoff * 2.0 ** min(tries, 10))
            time.sleep(wait or delay * random.uniform(0.5, 1.0))
            tries += 1

    def _pages(self, address: str, cursor: str) -> Iterator[Mapping[str, Any]]:
        """All batches that the provider lists."""
        query = {"limit": str(_PAGE)}
        for _ in range(_MOST_PAGES):
            page = self._read(Page, self._get(address, **query))
            yield from page.data
            if not (page.has_more and page.data):
                return
            query[cursor] = page.last_id or str(page.data[-1].get("id"))
        raise self._error(f"lists more than {_PAGE * _MOST_PAGES} batches")

    def _read(self, model: type[_Model], body: bytes) -> _Model:
        try:
            return model.model_validate(json.loads(body))
        except (ValueError, RecursionError):
            shown = scrub(body.decode(errors="replace"), self._config)[:200]
        raise self._error(f"gives an answer that cannot be read: {shown!r}")

    def _lines(self, body: bytes) -> Iterator[Mapping[str, Any]]:
        for line in body.splitlines():
            try:
                values = json.loads(line)
            except (ValueError, RecursionError):
                continue  # its request has no result then, which is noticed
            if isinstance(values, dict):
                yield values

    def _made(self, body: bytes) -> str:
        """Name of a batch that was made, out of the answer to that order."""
        try:
            name = str(json.loads(body)["id"])
        except (ValueError, LookupError, TypeError, RecursionError):
            name = ""
        if not BATCH_ID.fullmatch(name):
            raise Unclear(f"the judge {self._config.model} at {self._endpoint.url} did not name the batch")
        return name

    def _order(self, address: str, **content: Any) -> bytes:
        """Have something made. Tried again only after a plain refusal: otherwise it may have been made.

        Raises:
            Unclear: That is not known.
            JudgeError: It was refused.
        """
        try:
            return self._exchange("POST", address, frozenset({Cause.RATE}), **content)
        except CallError as exc:
            said = f"the judge {self._config.model} at {self._endpoint.url} cannot take a batch: {exc}"
            unclear = isinstance(exc, TransientError) and exc.cause is not Cause.RATE
        raise Unclear(said) if unclear else JudgeError(said)

    def _error(self, problem: str) -> JudgeError:
        return JudgeError(f"the judge {self._config.model} at {self._endpoint.url} {problem}")


class Page(BaseModel):
    """Some of the batches that a provider lists."""

    data: list[dict[str, Any]]
    has_more: bool = False
    last_id: str | None = None
