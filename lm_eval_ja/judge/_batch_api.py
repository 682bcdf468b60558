"""The batch APIs: OpenAI's Batch API and Anthropic's Message Batches, each as four questions and one order.

Sources: OpenAI's API reference ("Files", "Batch") and guide "Batch API"; Anthropic's API reference ("Message Batches");
read in November 2026. Both answer within 24 hours for half the price; what is not answered by then has expired and
costs nothing.
"""

import json
import random
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from lm_eval_ja.errors import JudgeError
from lm_eval_ja.judge._client import JudgeClient, read_error
from lm_eval_ja.judge._config import Endpoint, JudgeConfig
from lm_eval_ja.judge._faults import CallError, Cause, TransientError, from_status
from lm_eval_ja.judge._ledger import Batch
from lm_eval_ja.judge._reply import Reply, read_message, read_reply
from lm_eval_ja.judge._secrets import scrub

Requests = Mapping[str, Mapping[str, Any]]
"""Bodies of requests by key of the judgment, which is also the request's ``custom_id``: 64 characters of 64 allowed."""

_PAGE = 100
_MOST_PAGES = 1000
_LONGEST_BACKOFF = 60.0
_LONGEST_WAIT = 600.0
_ID = re.compile(r"[\w.-]{1,200}")
_TAG = "lm_eval_ja"  # key of our tag in OpenAI's metadata


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
            page = self._read(_Page, self._get(address, **query))
            yield from page.data
            if not (page.has_more and page.data):
                return
            query[cursor] = page.last_id or str(page.data[-1].get("id"))
        raise self._error(f"lists more than {_PAGE * _MOST_PAGES} batches")

    def _read(self, model: type["_Model"], body: bytes) -> "_Model":
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
        if not _ID.fullmatch(name):
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


class _Page(BaseModel):
    data: list[dict[str, Any]]
    has_more: bool = False
    last_id: str | None = None


class _OpenAICounts(BaseModel):
    total: int = 0
    completed: int = 0
    failed: int = 0


class _Problem(BaseModel):
    code: str | None = None
    message: str | None = None
    line: int | None = None


class _Problems(BaseModel):
    data: list[_Problem] | None = None


class _OpenAIBatch(BaseModel):
    status: str
    output_file_id: str | None = None
    error_file_id: str | None = None
    request_counts: _OpenAICounts | None = None
    errors: _Problems | None = None


_Model = TypeVar("_Model", bound=BaseModel)


class OpenAIBatches(BatchApi):
    """OpenAI's Batch API: a file of requests is uploaded, a batch made of it, and two files come of that."""

    def __init__(self, config: JudgeConfig, endpoint: Endpoint, client: JudgeClient) -> None:
        super().__init__(config, endpoint, client)
        self._root = endpoint.url

    def newest(self) -> str:
        """Not needed: batches carry our tag."""
        return ""

    def create(self, batch: Batch, requests: Requests) -> str:
        """Upload the requests, and have a batch made of them. An upload alone costs nothing."""
        lines = [
            json.dumps(
                {
                    "custom_id": key,
                    "method": "POST",
                    "url": "/v1/chat/completions",
                    "body": {"model": self._config.model, **body},
                }
            )
            for key, body in requests.items()
        ]
        upload = ("\n".join(lines) + "\n").encode()
        try:
            file = self._made(
                self._order(
                    f"{self._root}/files",
                    files={"file": (f"lm-eval-ja-{batch.tag}.jsonl", upload, "application/jsonl")},
                    data={"purpose": "batch"},
                )
            )
        except Unclear as exc:
            raise JudgeError(str(exc)) from None
        return self._made(
            self._order(
                f"{self._root}/batches",
                json={
                    "input_file_id": file,
                    "endpoint": "/v1/chat/completions",
                    "completion_window": "24h",
                    "metadata": {_TAG: batch.tag},
                },
            )
        )

    def find(self, batch: Batch, known: frozenset[str]) -> tuple[str | None, str | None]:  # noqa: ARG002 -- tags do
        """Look for our tag."""
        for listed in self._pages(f"{self._root}/batches", "after"):
            metadata = listed.get("metadata")
            name = str(listed.get("id"))
            if isinstance(metadata, dict) and metadata.get(_TAG) == batch.tag and _ID.fullmatch(name):
                return name, None
        return None, None

    def progress(self, name: str) -> Progress:
        """How far a batch is."""
        batch = self._read(_OpenAIBatch, self._get(f"{self._root}/batches/{name}"))
        counts = batch.request_counts or _OpenAICounts()
        problems = batch.errors.data if batch.errors and batch.errors.data else []
        said = "; ".join(
            dict.fromkeys(f"{problem.code or 'error'}: {problem.message or ''}" for problem in problems[:5])
        )
        failed = batch.status == "failed"
        return Progress(
            batch.status,
            batch.status in {"completed", "failed", "expired", "cancelled"},
            counts.completed + counts.failed,
            counts.total,
            scrub(said or "the provider does not say why", self._config)[:300] if failed else "",
            tuple(
                file for file in (batch.output_file_id, batch.error_file_id) if file and _ID.fullmatch(file)
            ),
        )

    def results(
        self,
        name: str,  # noqa: ARG002 -- the files have names of their own
        progress: Progress,
    ) -> Iterator[tuple[str, Reply | CallError]]:
        """Lines of both files."""
        for file in progress.files:
            for line in self._lines(self._get(f"{self._root}/files/{file}/content")):
                yield str(line.get("custom_id")), self._result(line)

    def _result(self, line: Mapping[str, Any]) -> Reply | CallError:
        response, error = line.get("response"), line.get("error")
        status = response.get("status_code") if isinstance(response, dict) else None
        body = response.get("body") if isinstance(response, dict) else None
        try:
            if status == 200:  # noqa: PLR2004
                return read_reply(json.dumps(body).encode(), 0.0, self._config)
        except CallError as exc:
            return exc
        if isinstance(status, int) and isinstance(body, dict) and 400 <= status < 600:  # noqa: PLR2004
            return from_status(status, body.get("error", body), {}, self._config)
        fields = error if isinstance(error, dict) else {}
        if fields.get("code") in {"batch_expired", "batch_cancelled"}:
            return CallError(f"the batch ended before its turn came ({fields['code']})")
        said = scrub(str(fields.get("message") or error or "the provider does not say why"), self._config)
        return CallError(f"failed in the batch: {said[:300]}")


class _AnthropicCounts(BaseModel):
    processing: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0


class _AnthropicBatch(BaseModel):
    processing_status: str
    request_counts: _AnthropicCounts = _AnthropicCounts()


class AnthropicBatches(BatchApi):
    """Anthropic's Message Batches: one order with all requests in it, one file of results."""

    def __init__(self, config: JudgeConfig, endpoint: Endpoint, client: JudgeClient) -> None:
        super().__init__(config, endpoint, client)
        self._root = f"{endpoint.url}/batches"

    def newest(self) -> str:
        """The first of the list, which is the newest."""
        page = self._read(_Page, self._get(self._root, limit="1"))
        return str(page.data[0].get("id", "")) if page.data else ""

    def create(self, batch: Batch, requests: Requests) -> str:  # noqa: ARG002 -- nothing of ours is kept with it
        """Have a batch made."""
        items = [
            {"custom_id": key, "params": {"model": self._config.model, **body}}
            for key, body in requests.items()
        ]
        return self._made(self._order(self._root, json={"requests": items}))

    def find(self, batch: Batch, known: frozenset[str]) -> tuple[str | None, str | None]:
        """Look for one that is newer, as large and, once it has ended, answers our requests: batches carry no names.

        What they answer is known only when they have ended.
        """
        maybe = None
        for listed in self._pages(self._root, "after_id"):
            name = str(listed.get("id"))
            if name == batch.before:
                break
            if name in known or not _ID.fullmatch(name):
                continue
            try:
                state = _AnthropicBatch.model_validate(listed)
            except ValidationError:
                continue
            counts = state.request_counts.model_dump().values()
            if sum(counts) != len(batch.requests):
                continue
            if state.processing_status != "ended":
                maybe = name
            elif any(key in batch.requests for key, _ in self._raw_results(name)):
                return name, None
        return None, maybe

    def progress(self, name: str) -> Progress:
        """How far a batch is."""
        batch = self._read(_AnthropicBatch, self._get(f"{self._root}/{name}"))
        counts = batch.request_counts
        total = sum(counts.model_dump().values())
        ended = batch.processing_status == "ended"
        return Progress(batch.processing_status, ended, total - counts.processing, total)

    def results(
        self,
        name: str,
        progress: Progress,  # noqa: ARG002 -- the name says where
    ) -> Iterator[tuple[str, Reply | CallError]]:
        """Lines of the results. Their address is made from the name: the key goes to no address that a server gives."""
        for key, result in self._raw_results(name):
            yield key, self._result(result)

    def _raw_results(self, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for line in self._lines(self._get(f"{self._root}/{name}/results")):
            result = line.get("result")
            yield str(line.get("custom_id")), result if isinstance(result, dict) else {}

    def _result(self, result: Mapping[str, Any]) -> Reply | CallError:
        kind = result.get("type")
        if kind == "succeeded":
            try:
                return read_message(json.dumps(result.get("message")).encode(), 0.0, self._config)
            except CallError as exc:
                return exc
        if kind in {"expired", "canceled"}:
            return CallError(f"the batch ended before its turn came ({kind})")
        error = read_error(json.dumps(result.get("error")).encode())
        fields = error if isinstance(error, dict) else {}
        said = scrub(str(fields.get("message") or fields or "the provider does not say why"), self._config)
        return CallError(f"failed in the batch: {fields.get('type', 'error')}: {said[:300]}")


def batch_api(config: JudgeConfig, endpoint: Endpoint, client: JudgeClient) -> BatchApi:
    """The batches of a judge, asked through ``client``.

    Raises:
        JudgeError: There are none.
    """
    if endpoint.kind == "azure":
        raise JudgeError(
            "batches on Azure are not supported (deployments of another kind serve them): judge without --batch"
        )
    kind = AnthropicBatches if endpoint.kind == "anthropic" else OpenAIBatches
    return kind(config, endpoint, client)
