"""OpenAI's Batch API.

Source: OpenAI's API reference ("Files", "Batch") and guide "Batch API", read in November 2026.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from lm_eval_ja.errors import JudgeError
from lm_eval_ja.judge._batch_api import BATCH_ID, BatchApi, Progress, Requests, Unclear
from lm_eval_ja.judge._client import JudgeClient
from lm_eval_ja.judge._config import Endpoint, JudgeConfig
from lm_eval_ja.judge._faults import CallError, from_status
from lm_eval_ja.judge._ledger import Batch
from lm_eval_ja.judge._reply import Reply, read_reply
from lm_eval_ja.judge._secrets import scrub

_TAG = "lm_eval_ja"  # key of our tag in a batch's metadata


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
            if isinstance(metadata, dict) and metadata.get(_TAG) == batch.tag and BATCH_ID.fullmatch(name):
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
                file
                for file in (batch.output_file_id, batch.error_file_id)
                if file and BATCH_ID.fullmatch(file)
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
