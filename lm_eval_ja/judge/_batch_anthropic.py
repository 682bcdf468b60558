"""Anthropic's Message Batches.

Source: Anthropic's API reference ("Message Batches"), read in November 2026.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from lm_eval_ja.judge._batch_api import BATCH_ID, BatchApi, Page, Progress, Requests
from lm_eval_ja.judge._client import JudgeClient, read_error
from lm_eval_ja.judge._config import Endpoint, JudgeConfig
from lm_eval_ja.judge._faults import CallError
from lm_eval_ja.judge._ledger import Batch
from lm_eval_ja.judge._reply import Reply, read_message
from lm_eval_ja.judge._secrets import scrub


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
        page = self._read(Page, self._get(self._root, limit="1"))
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
            if name in known or not BATCH_ID.fullmatch(name):
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
