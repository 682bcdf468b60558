"""Connections to the judge that keep to a time and to a size, whatever the server sends.

The HTTP package's own time limits are for single reads: a server that sends a byte now and then is never too slow for
them. Here a call has one limit for all of it, held by a watch that ends the connection; and what is read of an answer,
decoded, has a largest size.
"""

import logging
import math
import os
import socket
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any

from lm_eval_ja.judge._faults import TransientError

MOST_BYTES = 8 * 2**20
"""Largest answer, in bytes: a megabyte of text with every character escaped fits."""

_CHUNK = 2**16
_WATCH = 0.25  # seconds between looks at the calls under way
_NOISY_LOGGERS = ("openai", "httpx", "httpx2", "httpcore", "httpcore2")  # a line per request at INFO


def quiet_loggers() -> None:
    """Keep the HTTP packages from a line per request; whoever asked for more (``OPENAI_LOG``) gets it."""
    for name in _NOISY_LOGGERS:
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.WARNING)


class Connection:
    """One worker's connection, for one call at a time.

    Attributes:
        client: Sends over it; what the ``openai`` package takes as ``http_client``.
        cut: Whether the call under way, or the last one, was ended by :meth:`cut_off`.
    """

    def __init__(
        self, make_client: Callable[..., Any], body_class: type["_Body"], ended: threading.Event
    ) -> None:
        self._body_class = body_class
        self._ended = ended
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._deadline: float | None = None
        self.cut = False
        self.client = make_client(event_hooks={"request": [self._prepare], "response": [self._bound]})

    @contextmanager
    def call(self, deadline: float) -> Iterator[None]:
        """The time of one call, which ends by ``deadline`` (monotonic).

        Raises:
            TransientError: No calls are made any more.
        """
        with self._lock:
            if self._ended.is_set():
                raise TransientError("judging has ended")
            self._deadline, self.cut = deadline, False
        try:
            yield
        finally:
            with self._lock:
                self._deadline = None

    def cut_off(self, now: float) -> None:
        """End the call under way if its time is over: whoever reads or writes is told that the connection is gone."""
        with self._lock:
            if self._deadline is not None and self._deadline <= now:
                self.cut = True
                self._shut()

    def _shut(self) -> None:
        if self._socket is None:
            return
        with suppress(OSError):  # gone already
            # TLS sockets' own shutdown would pull the ground from under the thread that reads.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _prepare(self, request: Any) -> None:
        request.headers["accept-encoding"] = "identity"  # replies are small, and bombs are not
        request.extensions["trace"] = self._trace

    def _trace(self, event: str, info: Any) -> None:  # noqa: ARG002 -- the package's signature
        """Keep the socket of every stream that the package opens (plain, to a proxy, TLS on top)."""
        stream = info.get("return_value")
        if not hasattr(stream, "get_extra_info"):
            return
        with self._lock:
            self._socket = stream.get_extra_info("socket")
            if self.cut:
                self._shut()

    def _bound(self, response: Any) -> None:
        response.encoding = "utf-8"  # JSON is; a charset of the server's may be anything
        encodings = [name.strip().lower() for name in response.headers.pop("content-encoding", "").split(",")]
        response.stream = self._body_class(response.stream, [name for name in encodings if name])


class _Body:
    """An answer's body, decoded, of at most ``most`` bytes. Becomes a stream of the HTTP package by inheritance."""

    most = MOST_BYTES

    def __init__(self, stream: Any, encodings: list[str]) -> None:
        self._stream = stream
        self._encodings = [name for name in encodings if name != "identity"]

    def __iter__(self) -> Iterator[bytes]:
        if self._encodings not in ([], ["gzip"], ["x-gzip"], ["deflate"]):
            raise TransientError(
                f"the server's answer is encoded ({', '.join(self._encodings)!r:.80}), which was not asked for"
            )
        size = 0
        for chunk in self._decoded() if self._encodings else self._stream:
            size += len(chunk)
            if size > self.most:
                raise TransientError(f"the server's answer is larger than {self.most // 2**20} MiB")
            yield chunk

    def _decoded(self) -> Iterator[bytes]:
        """The plain bytes, never more than a little at a time: a small body may hold gigabytes."""
        decoder = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, by the header
        try:
            for chunk in self._stream:
                rest = chunk
                while rest:
                    yield decoder.decompress(rest, _CHUNK)
                    rest = decoder.unconsumed_tail
            yield decoder.flush()
        except zlib.error:
            raise TransientError("the server's answer is not what its content-encoding says") from None

    def close(self) -> None:
        """Close the stream below."""
        self._stream.close()


@lru_cache(maxsize=1)
def _tls(http: Any, *settings: str | None) -> Any:  # noqa: ARG001 -- other settings, another context
    """The certificates to trust, read once for preflight and judging: that takes longer than many calls."""
    return http.create_ssl_context()


class Connections:
    """All connections of one client, and the watch over them.

    A connection belongs to the thread that uses it; none waits for another's, and the package's pool, which goes
    through all it holds at every call, holds one.

    Attributes:
        http: The HTTP package.
    """

    def __init__(self, openai: Any, most_bytes: int = MOST_BYTES) -> None:
        # httpx, or its successor: whichever this release of the openai package uses
        self.http: Any = sys.modules[openai.DefaultHttpxClient.__base__.__module__.partition(".")[0]]
        self._context = _tls(self.http, *map(os.environ.get, ("SSL_CERT_FILE", "SSL_CERT_DIR")))
        self._make_client = openai.DefaultHttpxClient
        self._body_class: type[_Body] = type("_Body", (_Body, self.http.SyncByteStream), {"most": most_bytes})
        self._own = threading.local()
        self._all: list[Connection] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def own(self) -> Connection:
        """This thread's connection."""
        connection: Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = Connection(
                lambda **options: self._make_client(verify=self._context, **options),
                self._body_class,
                self._ended,
            )
            with self._lock:
                self._all.append(connection)
                if len(self._all) == 1:
                    threading.Thread(target=self._watch, name="judge watch", daemon=True).start()
        return connection

    def abort(self) -> None:
        """End all calls under way, and let none begin."""
        self._ended.set()
        for connection in list(self._all):
            connection.cut_off(math.inf)

    def close(self) -> None:
        """Close all connections. No call may be under way that anybody waits for."""
        self._ended.set()
        for connection in self._all:
            connection.client.close()

    def _watch(self) -> None:
        while not self._ended.wait(_WATCH):
            now = time.monotonic()
            for connection in list(self._all):
                connection.cut_off(now)
