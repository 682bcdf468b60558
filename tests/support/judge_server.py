"""A real OpenAI-compatible chat server on 127.0.0.1 that replies as a test tells it to.

In a test::

    with JudgeServer() as server:                       # rates every request by its text, 1 to 10
        judge(items, JudgeConfig(base_url=server.url), ...)
        assert len(server.calls) == 2

    with JudgeServer(lambda call: fault(500) if call.number == 1 else say("[[7]]")) as server: ...

As a process of its own (for benchmarks)::

    python tests/support/judge_server.py --latency 0.5          # prints its base URL

It is written on bare sockets so that it can also reset connections, stall and send garbage.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest
    from typing_extensions import Self

    from lm_eval_ja.judge import JudgeConfig


@dataclass(frozen=True)
class Call:
    """One request as it arrived."""

    number: int  # from 1
    time: float  # time.monotonic()
    path: str
    headers: dict[str, str]
    body: dict[str, Any]  # empty if it is no JSON
    method: str = "POST"
    raw: bytes = b""

    @property
    def messages(self) -> list[dict[str, str]]:
        messages: list[dict[str, str]] = self.body["messages"]
        return messages

    @property
    def prompt(self) -> str:
        """Text of the last message."""
        return self.messages[-1]["content"]

    @property
    def identity(self) -> str:
        """What was asked: equal for equal messages."""
        return json.dumps(self.messages, sort_keys=True)


@dataclass(frozen=True)
class Answer:
    """What the server does with a request."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    until: Callable[[], bool] | None = None  # do nothing before this is true
    broken: bool = False  # reset the connection instead of answering
    stalled: bool = False  # send half an answer and then nothing
    trickling: bool = False  # after the answer send a little now and then, for ever
    drop: bytes = b" "  # what trickles
    flooding: bool = False  # after the answer send blanks as fast as they are taken, for ever
    head: bytes = b""  # sent as it is, in place of status and headers

    @property
    def open_ended(self) -> bool:
        """Whether the body that was announced never comes."""
        return self.stalled or self.trickling


def say(text: str | None, *, finish_reason: str = "stop", delay: float = 0.0, **message: Any) -> Answer:
    """A chat completion; further keywords become fields of its message."""
    return Answer(delay=delay, body=json.dumps(completion(text, finish_reason, **message)).encode())


def completion(text: str | None, finish_reason: str = "stop", **message: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-test",
        "object": "chat.completion",
        "created": 0,
        "model": "judge-0001",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, **message},
                "finish_reason": finish_reason,
            }
        ],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
    }


def fault(
    status: int,
    message: str = "scripted fault",
    *,
    code: str | None = None,
    param: str | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    """An HTTP error in OpenAI's form."""
    error = {"message": message, "type": code or "error", "param": param, "code": code}
    return Answer(status, json.dumps({"error": error}).encode(), headers or {})


def raw(body: bytes, status: int = 200) -> Answer:
    """Any bytes at all."""
    return Answer(status, body)


def reset() -> Answer:
    """A connection torn down without an answer."""
    return Answer(broken=True)


def stall() -> Answer:
    """An answer that begins and never ends."""
    return Answer(stalled=True)


def trickle() -> Answer:
    """An answer that never ends, although something arrives all the time."""
    return Answer(trickling=True)


def endless() -> Answer:
    """An answer that never ends, as fast as it is taken."""
    return Answer(flooding=True)


def rating_of(messages: list[dict[str, str]]) -> int:
    """The rating that an unscripted server gives: fixed by the text, spread over 1 to 10."""
    return 1 + int(hashlib.sha256(json.dumps(messages, sort_keys=True).encode()).hexdigest(), 16) % 10


def rate(call: Call) -> Answer:
    """The default script."""
    return say(f"根拠を述べます。Rating: [[{rating_of(call.messages)}]]")


KEY = "sk-proj-VerySecretKey0123456789"


def set_environment(monkeypatch: "pytest.MonkeyPatch") -> None:
    """The environment of a user of OpenAI, whatever the one of the test run is."""
    for name in ("API_TYPE", "BASE_URL", "API_VERSION"):
        monkeypatch.delenv(f"OPENAI_{name}", raising=False)
    for name in ("ENDPOINT", "API_KEY", "AD_TOKEN"):
        monkeypatch.delenv(f"AZURE_OPENAI_{name}", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def requests(number: int) -> list[list[dict[str, str]]]:
    """Requests with the prompts q0, q1, ..."""
    return [
        [{"role": "system", "content": "s"}, {"role": "user", "content": f"q{index}"}]
        for index in range(number)
    ]


Script = Callable[[Call], Answer]


class JudgeServer:
    """The server, in a thread of its own between ``with`` and its end.

    Attributes:
        url: Base URL for clients (``http://127.0.0.1:port/v1``).
        calls: Every request so far, in order.
        connections: How many connections there have been.
        most_at_once: The largest number of requests that were open at the same time.
    """

    def __init__(self, script: Script = rate, *, latency: float = 0.0, port: int = 0) -> None:
        self.script = script
        self.latency = latency
        self.calls: list[Call] = []
        self.connections = 0
        self.most_at_once = 0
        self._open = 0
        self._port = port
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> "Self":
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def config(self, **settings: Any) -> "JudgeConfig":
        """A judge at this server: one call at a time and hardly any waiting, unless said otherwise."""
        from lm_eval_ja.judge import JudgeConfig

        return JudgeConfig(base_url=self.url, **{"concurrency": 1, "backoff": 0.01, **settings})

    def asked(self) -> Counter[str]:
        """How often each request was made."""
        return Counter(call.identity for call in self.calls)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._clients: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._client, "127.0.0.1", self._port, limit=2**24, backlog=1024)
        self._port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        self.connections += 1
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._clients.discard(task)
            with contextlib.suppress(Exception):
                writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; False when the connection is over."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request, *lines = head.rstrip("\r\n").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        arrived = time.monotonic()
        method, path, _ = request.split(" ")
        data = json.loads(body or b"{}") if "multipart" not in headers.get("content-type", "") else {}
        call = Call(len(self.calls) + 1, arrived, path, headers, data, method, body)
        self.calls.append(call)
        self._open += 1
        self.most_at_once = max(self.most_at_once, self._open)
        try:
            answer = self.script(call)
            while answer.until is not None and not answer.until():  # noqa: ASYNC110 -- any condition will do
                await asyncio.sleep(0.005)
            if answer.broken:
                # Linger of 0 s: closing sends RST instead of FIN.
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()
                return False
            # From the arrival on, so that the server's own work is part of the latency, not added to it.
            await asyncio.sleep(max(0.0, self.latency + answer.delay - (time.monotonic() - arrived)))
        finally:
            self._open -= 1
        lines = [
            f"HTTP/1.1 {answer.status} {_phrase(answer.status)}",
            *(["content-type: application/json"] if "content-type" not in answer.headers else []),
            f"content-length: {len(answer.body) + (2**40 if answer.flooding else 100 * answer.open_ended)}",
            *(f"{name}: {value}" for name, value in answer.headers.items()),
        ]
        writer.write((answer.head or "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n") + answer.body)
        await writer.drain()
        while answer.trickling:
            await asyncio.sleep(0.05)
            writer.write(answer.drop)
            await writer.drain()
        while answer.flooding:
            writer.write(b" " * 2**16)
            await writer.drain()
        if answer.stalled:
            await asyncio.sleep(3600)
        return True


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else "Own"  # Anthropic's 529


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description="A local OpenAI-compatible judge that rates by text.")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds per answer")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    with JudgeServer(latency=options.latency, port=options.port) as server:
        print(server.url, flush=True)  # noqa: T201 -- its only output
        with contextlib.suppress(KeyboardInterrupt):
            input()


if __name__ == "__main__":
    with contextlib.suppress(EOFError):
        main()
