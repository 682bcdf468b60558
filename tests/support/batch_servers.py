"""Batch APIs on 127.0.0.1 that behave as OpenAI's and Anthropic's documentation says, faults included.

They are scripts for :class:`tests.support.judge_server.JudgeServer`::

    provider = OpenAIProvider()
    with JudgeServer(provider) as server:
        ...                     # submit
        provider.finish()       # a day passes
        ...                     # collect
        assert max(provider.rated.values()) == 1    # nothing was paid for twice

What a request of a batch comes to, ``outcome`` says: a rating's text, or one of the faults below.
"""

import email.parser
import email.policy
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.judge_server import Answer, Call, completion, fault, rating_of

EXPIRED, CANCELLED, BROKEN, MISSING = "expired", "cancelled", "broken", "missing"
"""Outcomes of requests: not answered in time, cancelled, an error of the request, no line at all."""

Outcome = Callable[[list[dict[str, str]]], str]


def by_text(messages: list[dict[str, str]]) -> str:
    """The usual outcome: the rating that JudgeServer gives the same messages."""
    return f"根拠を述べます。Rating: [[{rating_of(messages)}]]"


@dataclass
class Made:
    """A batch as its provider has it."""

    name: str
    requests: dict[str, dict[str, Any]]
    state: str
    metadata: dict[str, str] | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)


class Provider:
    """What both have in common.

    Attributes:
        outcome: What a request comes to, by its messages.
        batches: All batches, oldest first.
        rated: How often each judgment was paid for: answered directly or in a batch.
        before: May answer a call in place of the provider, or do something first.
        after: May do something once a call has been served, before its answer is sent.
    """

    def __init__(self, outcome: Outcome = by_text) -> None:
        self.outcome = outcome
        self.batches: list[Made] = []
        self.rated: Counter[str] = Counter()
        self.before: Callable[[Call], Answer | None] = lambda call: None
        self.after: Callable[[Call], None] = lambda call: None

    def __call__(self, call: Call) -> Answer:
        answer = self.before(call) or self.serve(call)
        self.after(call)
        return answer

    def serve(self, call: Call) -> Answer:
        raise NotImplementedError

    def finish(self, state: str = "") -> None:
        """Let a day pass."""
        raise NotImplementedError

    def pay(self, messages: list[dict[str, str]]) -> str:
        """What a request comes to; counted if that costs something."""
        said = self.outcome(messages)
        if said not in (EXPIRED, CANCELLED, BROKEN):
            self.rated[json.dumps(messages)] += 1
        return said

    def page(self, call: Call, describe: Callable[[Made], dict[str, Any]], cursor: str) -> Answer:
        """A page of the list of batches, newest first."""
        query = parse_qs(urlsplit(call.path).query)
        newest = self.batches[::-1]
        if cursor in query:
            start = next(i for i, made in enumerate(newest) if made.name == query[cursor][0]) + 1
            newest = newest[start:]
        limit = int(query.get("limit", ["20"])[0])
        data = [describe(made) for made in newest[:limit]]
        names = [entry["id"] for entry in data] or [None]
        return say_json(
            {"data": data, "first_id": names[0], "last_id": names[-1], "has_more": len(newest) > limit}
        )

    def find(self, name: str) -> Made | None:
        return next((made for made in self.batches if made.name == name), None)


class OpenAIProvider(Provider):
    """Files and batches of OpenAI."""

    def __init__(self, outcome: Outcome = by_text) -> None:
        super().__init__(outcome)
        self.files: dict[str, bytes] = {}

    def serve(self, call: Call) -> Answer:  # noqa: PLR0911 -- a table
        path = urlsplit(call.path).path.removeprefix("/v1/")
        first, _, rest = path.partition("/")
        if path == "chat/completions":
            if call.body["messages"][-1]["content"] == "1":  # the preflight
                return say_json(completion("1"))
            return say_json(completion(self.pay(call.messages)))
        if path == "files" and call.method == "POST":
            return self._upload(call)
        if first == "files" and rest.endswith("/content"):
            content = self.files.get(rest.removesuffix("/content"))
            return Answer(body=content) if content is not None else fault(404, "No such File object")
        if path == "batches" and call.method == "POST":
            return self._create(call)
        if path == "batches":
            return self.page(call, self._describe, "after")
        made = self.find(rest)
        return say_json(self._describe(made)) if made else fault(404, "No batch found")

    def _upload(self, call: Call) -> Answer:
        head = f"content-type: {call.headers['content-type']}\r\n\r\n".encode()
        form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + call.raw)
        parts = {part.get_param("name", header="content-disposition"): part for part in form.iter_parts()}
        assert parts["purpose"].get_payload(decode=True) == b"batch"
        assert parts["file"].get_filename().endswith(".jsonl")
        name = f"file-in{len(self.files)}"
        self.files[name] = parts["file"].get_payload(decode=True)
        return say_json({"id": name, "object": "file", "purpose": "batch", "status": "processed"})

    def _create(self, call: Call) -> Answer:
        assert call.body["completion_window"] == "24h"
        assert call.body["endpoint"] == "/v1/chat/completions"
        metadata = call.body["metadata"]
        assert all(len(key) <= 64 and len(value) <= 512 for key, value in metadata.items())
        lines = [json.loads(line) for line in self.files[call.body["input_file_id"]].splitlines()]
        assert all(
            (line["method"], line["url"]) == ("POST", "/v1/chat/completions") and len(line["custom_id"]) <= 64
            for line in lines
        )
        requests = {line["custom_id"]: line["body"] for line in lines}
        assert len(requests) == len(lines)
        made = Made(f"batch_{len(self.batches)}", requests, "validating", metadata)
        self.batches.append(made)
        return say_json(self._describe(made))

    def _describe(self, made: Made) -> dict[str, Any]:
        files = {
            f"{kind}_file_id": name if (name := f"file-{kind}-{made.name}") in self.files else None
            for kind in ("output", "error")
        }
        good = sum(bool(line["response"]) for line in made.lines)
        return {
            "id": made.name,
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "errors": {"object": "list", "data": made.errors} if made.errors else None,
            "status": made.state,
            "metadata": made.metadata,
            "request_counts": {
                "total": len(made.requests),
                "completed": good,
                "failed": len(made.lines) - good,
            },
            **files,
        }

    def finish(self, state: str = "") -> None:
        for made in self.batches:
            if made.state not in {"validating", "in_progress"}:
                continue
            if state == "failed":
                made.state = state
                made.errors = [{"code": "token_limit_exceeded", "message": "Enqueued token limit reached"}]
                continue
            for key, body in reversed(made.requests.items()):
                said = self.pay(body["messages"])
                line: dict[str, Any] = {"id": f"r_{key}", "custom_id": key, "response": None, "error": None}
                if said in {EXPIRED, CANCELLED}:
                    line["error"] = {"code": f"batch_{said}", "message": "This request was not executed."}
                elif said == BROKEN:
                    error = {"message": "bad request", "type": "invalid_request_error", "code": None}
                    line["response"] = {"status_code": 400, "request_id": "q", "body": {"error": error}}
                else:
                    line["response"] = {"status_code": 200, "request_id": "q", "body": completion(said)}
                if said != MISSING:
                    made.lines.append(line)
            states = {line["error"]["code"] for line in made.lines if line["error"]}
            made.state = state or ("expired" if "batch_expired" in states else "completed")
            for kind, wanted in (("output", True), ("error", False)):
                lines = [
                    json.dumps(line)
                    for line in made.lines
                    if bool(line["response"] and line["response"]["status_code"] == 200) == wanted
                ]
                if lines:
                    self.files[f"file-{kind}-{made.name}"] = "\n".join(lines).encode() + b"\n"


class AnthropicProvider(Provider):
    """Message Batches of Anthropic."""

    def serve(self, call: Call) -> Answer:  # noqa: PLR0911 -- a table
        path = urlsplit(call.path).path
        assert call.headers["anthropic-version"] == "2023-06-01"
        assert call.headers["x-api-key"]
        rest = path.removeprefix("/v1/messages/batches").strip("/")
        if path == "/v1/messages":
            if call.body["messages"][-1]["content"] == "1":  # the preflight
                return say_json(self._message("1"))
            return say_json(self._message(self.pay(conversation(call.body))))
        if path == "/v1/messages/batches" and call.method == "POST":
            requests = {entry["custom_id"]: entry["params"] for entry in call.body["requests"]}
            assert len(requests) == len(call.body["requests"])
            assert all(len(key) <= 64 for key in requests)
            made = Made(f"msgbatch_{len(self.batches)}", requests, "in_progress")
            self.batches.append(made)
            return say_json(self._describe(made))
        if path == "/v1/messages/batches":
            return self.page(call, self._describe, "after_id")
        made = self.find(rest.removesuffix("/results"))
        if made is None or (rest.endswith("/results") and made.state != "ended"):
            error = {"type": "not_found_error", "message": "no such batch, or no results yet"}
            return say_json({"type": "error", "error": error}, 404)
        if rest.endswith("/results"):
            return Answer(body="\n".join(map(json.dumps, made.lines)).encode())
        return say_json(self._describe(made))

    def _message(self, said: str) -> dict[str, Any]:
        return {
            "type": "message",
            "role": "assistant",
            "model": "judge-0001",
            "content": [{"type": "text", "text": said}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 100, "output_tokens": 20},
        }

    def _describe(self, made: Made) -> dict[str, Any]:
        kinds = Counter(line["result"]["type"] for line in made.lines)
        counts = {kind: kinds[kind] for kind in ("succeeded", "errored", "canceled", "expired")}
        counts["processing"] = len(made.requests) if made.state != "ended" else 0
        return {
            "id": made.name,
            "type": "message_batch",
            "processing_status": made.state,
            "request_counts": counts,
            "results_url": "http://127.0.0.1:9/elsewhere" if made.state == "ended" else None,
        }

    def finish(self, state: str = "") -> None:
        for made in self.batches:
            if made.state == "ended":
                continue
            for key, params in reversed(made.requests.items()):
                said = self.pay(conversation(params))
                result: dict[str, Any] = {"type": "succeeded", "message": self._message(said)}
                if said in {EXPIRED, CANCELLED}:
                    result = {"type": "expired" if said == EXPIRED else "canceled"}
                elif said == BROKEN:
                    error = {"type": "invalid_request_error", "message": "bad request"}
                    result = {"type": "errored", "error": {"type": "error", "error": error}}
                if said != MISSING:
                    made.lines.append({"custom_id": key, "result": result})
            made.state = "ended"


def conversation(params: dict[str, Any]) -> list[dict[str, str]]:
    """Messages as every judge has them."""
    return [{"role": "system", "content": params["system"]}, *params["messages"]]


def say_json(body: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(body).encode())
