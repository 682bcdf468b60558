"""Downloads, against a real HTTP server on 127.0.0.1 that misbehaves in every way a server can."""

import gzip
import subprocess
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from lm_eval_ja.datasets import Catalog, Retry, Settings, Source, fetch
from lm_eval_ja.datasets.store import _download
from lm_eval_ja.errors import DataError

URL = "https://files.example/data/questions.txt"
LOCATION = "files.example/data/questions.txt"
BODY = "質問：日本で一番高い山は？\n".encode() * 20_000
SOURCE = Source(URL, "CC0", sha256=sha256(BODY).hexdigest(), size=len(BODY))

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Gives the answers laid out for it, one per request; the last one for ever."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server: Server = self.server  # type: ignore[assignment]  # the handler runs in no other server
        server.requests.append((self.path, dict(self.headers)))
        count = len([path for path, _ in server.requests if path == self.path])
        answers = server.answers[self.path] or [status(404)]
        answers[min(count, len(answers)) - 1](self)

    def start(self, code: int, length: int, **headers: str) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def cut(self) -> None:
        self.wfile.flush()
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, list[Answer]] = defaultdict(list)
        self.requests: list[tuple[str, dict[str, str]]] = []

    def handle_error(self, *_: object) -> None:
        """Clients that hang up are part of the tests."""

    def lay_out(self, *answers: Answer, location: str = LOCATION) -> None:
        self.answers[f"/{location}"] = list(answers)


def whole(handler: Handler) -> None:
    handler.start(200, len(BODY), ETag='"v1"')
    handler.wfile.write(BODY)


def status(code: int, **headers: str) -> Answer:
    return lambda handler: handler.start(code, 0, **headers)


def stall(handler: Handler) -> None:
    handler.start(200, len(BODY))
    handler.wfile.write(BODY[:1000])
    handler.wfile.flush()
    handler.connection.settimeout(300)
    handler.rfile.read(1)  # until the client hangs up
    handler.cut()


def broken_off(handler: Handler) -> None:
    handler.start(200, len(BODY), ETag='"v1"')
    handler.wfile.write(BODY[:100_000])
    handler.cut()


def reset(handler: Handler) -> None:
    handler.start(200, len(BODY), ETag='"v1"')
    handler.wfile.write(BODY[:100_000])
    handler.wfile.flush()
    time.sleep(0.1)
    # SO_LINGER with no time: the kernel sends RST instead of an orderly end.
    handler.connection.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")
    handler.connection.close()
    handler.close_connection = True


def slow(handler: Handler) -> None:
    handler.start(200, len(BODY))
    handler.wfile.write(BODY[:1000])
    handler.wfile.flush()
    time.sleep(0.5)
    handler.wfile.write(BODY[1000:])


def unsized_and_short(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(BODY[:5000])
    handler.cut()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def settings(server: Server, tmp_path: Path) -> Settings:
    retry = Retry(attempts=4, backoff=0.01, connect_timeout=5, read_timeout=30, longest_wait=5)
    return Settings(
        cache=tmp_path / "cache", mirror=f"http://127.0.0.1:{server.server_address[1]}/", retry=retry
    )


def catalog_of(*sources: Source) -> Catalog:
    named = {source.url: source for source in sources}
    return Catalog(sources=named, units={}, digests={}, variants={}, sample_files=Path())


def get(settings: Settings, source: Source = SOURCE) -> Path:
    return fetch(source.url, settings=settings, catalog=catalog_of(source))


def raw_files(settings: Settings) -> list[Path]:
    return [path for path in (settings.cache / "raw").rglob("*") if path.is_file()]


def test_downloads_once_and_keeps_the_file(server: Server, settings: Settings) -> None:
    server.lay_out(whole)
    path = get(settings)
    assert path == settings.cache / "raw" / LOCATION
    assert path.read_bytes() == BODY
    assert get(settings) == path
    assert len(server.requests) == 1


def test_downloads_from_the_source_itself_without_a_mirror(server: Server, settings: Settings) -> None:
    server.lay_out(whole, location="direct.txt")
    source = replace(SOURCE, url=f"{settings.mirror_url}/direct.txt")
    assert get(replace(settings, mirror=None), source).read_bytes() == BODY


@pytest.mark.parametrize("code", [403, 404, 410])
def test_a_refusal_ends_at_once_and_says_where_to_put_the_file(
    server: Server, settings: Settings, code: int
) -> None:
    server.lay_out(status(code))
    with pytest.raises(DataError) as error:
        get(settings)
    assert len(server.requests) == 1
    for part in (f"HTTP {code}", URL, str(settings.cache / "raw" / LOCATION), SOURCE.sha256):
        assert str(part) in str(error.value)
    assert raw_files(settings) == []


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503])
def test_passing_trouble_is_tried_again(server: Server, settings: Settings, code: int) -> None:
    server.lay_out(status(code), status(code), whole)
    assert get(settings).read_bytes() == BODY
    assert len(server.requests) == 3


def test_gives_up_after_the_last_attempt(server: Server, settings: Settings) -> None:
    server.lay_out(status(500))
    with pytest.raises(DataError, match=r"HTTP 500 .*\(attempt 4\)"):
        get(settings)
    assert len(server.requests) == 4
    assert raw_files(settings) == []


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_honoured(
    server: Server, settings: Settings, as_date: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(_download.time, "sleep", waits.append)

    def later(handler: Handler) -> None:
        moment = datetime.now(timezone.utc) + timedelta(seconds=3)  # whole seconds of it are sent
        status(429, Retry_After=format_datetime(moment, usegmt=True) if as_date else "1")(handler)

    server.lay_out(later, whole)
    assert get(settings).read_bytes() == BODY
    (wait,) = waits
    assert 1 < wait <= 3 if as_date else wait == 1


def test_a_server_that_asks_for_an_hour_ends_the_download(server: Server, settings: Settings) -> None:
    server.lay_out(status(429, Retry_After="3600"), whole)
    with pytest.raises(DataError, match="HTTP 429"):
        get(settings)
    assert len(server.requests) == 1


def test_a_stalled_body_is_abandoned_and_tried_again(server: Server, settings: Settings) -> None:
    server.lay_out(stall, whole)
    # As many attempts as a busy machine may need; the first waits for a server that waits for it to hang up.
    patience = replace(settings.retry, read_timeout=0.5, attempts=1000)
    assert get(replace(settings, retry=patience)).read_bytes() == BODY
    assert len(server.requests) >= 2


@pytest.mark.parametrize("trouble", [broken_off, reset])
def test_a_broken_download_starts_over(server: Server, settings: Settings, trouble: Answer) -> None:
    server.lay_out(trouble, trouble, whole)
    assert get(settings).read_bytes() == BODY
    assert len(server.requests) == 3


def test_a_body_that_is_always_short_is_an_error(server: Server, settings: Settings) -> None:
    server.lay_out(unsized_and_short)
    with pytest.raises(DataError, match=f"ended after 5000 of {len(BODY)} bytes"):
        get(settings)
    assert raw_files(settings) == []


def endless(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    with suppress(OSError):  # the client hangs up
        for _ in range(1000):
            handler.wfile.write(BODY)
    handler.cut()


INFLATING = gzip.compress(bytes(2**26))


def inflating(handler: Handler) -> None:
    handler.start(200, len(INFLATING), Content_Encoding="gzip")
    with suppress(OSError):
        handler.wfile.write(INFLATING)


@pytest.mark.parametrize("body", [endless, inflating])
def test_a_body_far_larger_than_any_file_is_given_up(
    server: Server, settings: Settings, body: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_download, "_MAX_BYTES", 2 * len(BODY))
    server.lay_out(body)
    with pytest.raises(DataError, match=f"goes on after {2 * len(BODY)} bytes"):
        get(settings)
    assert len(server.requests) == 1
    assert raw_files(settings) == []


def test_no_server_at_all(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many files of one host may be wanted: only the first has all attempts, for a while."""
    monkeypatch.setattr(_download, "_silent", {})
    nowhere = replace(settings, mirror="http://127.0.0.1:9")
    for attempts in (4, 1, 1):
        with pytest.raises(
            DataError, match=rf"Cannot download http://127\.0\.0\.1:9/files.*\(attempt {attempts}\)"
        ):
            get(nowhere)
    monkeypatch.setattr(_download, "_silent", dict.fromkeys(_download._silent, 0.0))
    with pytest.raises(DataError, match=r"\(attempt 4\)"):
        get(nowhere)


def test_a_wrong_checksum_is_an_error_and_nothing_is_kept(server: Server, settings: Settings) -> None:
    wrong = replace(SOURCE, sha256="0" * 64)
    server.lay_out(whole)
    with pytest.raises(DataError) as error:
        get(settings, wrong)
    for part in (LOCATION, "0" * 64, SOURCE.sha256, "SHA-256"):
        assert str(part) in str(error.value)
    assert raw_files(settings) == []


def test_a_file_known_by_its_git_blob_id(server: Server, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(BODY)
    git = subprocess.run(
        ["git", "hash-object", tmp_path / "body"], capture_output=True, text=True, check=True
    )
    server.lay_out(whole)
    right = replace(SOURCE, sha256=None, git_blob=git.stdout.strip())
    with pytest.raises(DataError, match="expected git blob id " + "1" * 40):
        get(settings, replace(right, git_blob="1" * 40))
    assert get(settings, right).read_bytes() == BODY


def test_a_damaged_file_in_the_cache_is_downloaded_again(
    server: Server, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    server.lay_out(whole)
    path = get(settings)
    path.write_bytes(BODY[:-1])
    assert get(settings).read_bytes() == BODY
    assert "downloaded again" in caplog.text
    path.write_bytes(BODY[:-1])
    with pytest.raises(DataError, match=r"expected SHA-256 .* found"):
        get(replace(settings, offline=True))


@pytest.mark.parametrize("obstacle", ["cache", "raw"])
def test_a_cache_that_cannot_be_written_to(server: Server, settings: Settings, obstacle: str) -> None:
    server.lay_out(whole)
    settings.cache.parent.mkdir(exist_ok=True)
    if obstacle == "cache":
        settings.cache.write_text("a file where the folder should be", encoding="utf-8")
    else:
        settings.cache.mkdir()
        (settings.cache / "raw").write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(DataError) as error:
        get(settings)
    assert str(settings.cache) in str(error.value)
    assert "LM_EVAL_JA_CACHE" in str(error.value)


def test_a_missing_certificate_bundle_is_not_blamed_on_the_cache(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent/ca.pem")
    with pytest.raises(DataError, match=r"ca\.pem") as error:
        get(replace(settings, mirror="https://127.0.0.1:9"))
    assert "cache folder" not in str(error.value)


_FETCH = """
import sys
from pathlib import Path
from lm_eval_ja.datasets import Catalog, Settings, Source, fetch
cache, mirror, url, digest = sys.argv[1:]
sources = {url: Source(url, "CC0", sha256=digest)}
catalog = Catalog(sources=sources, units={}, digests={}, variants={}, sample_files=Path())
print(fetch(url, settings=Settings(Path(cache), mirror), catalog=catalog))
"""


def test_processes_that_want_the_same_file_download_it_once(server: Server, settings: Settings) -> None:
    server.lay_out(slow)
    command = [sys.executable, "-c", _FETCH, settings.cache, settings.mirror, URL, SOURCE.sha256]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    paths = {run.communicate(timeout=60)[0].strip() for run in runs}
    assert paths == {str(settings.cache / "raw" / LOCATION)}
    assert len(server.requests) == 1


SECRET = "s3cret-t0ken"  # noqa: S105  # made up


@pytest.mark.parametrize("user", [f"user:{SECRET}", SECRET, f"user:a@{SECRET}", f"us/er:{SECRET}"])
@pytest.mark.parametrize("trouble", ["refused", "missing", "wrong", "busy"])
def test_the_mirrors_password_is_in_no_message(
    server: Server, settings: Settings, caplog: pytest.LogCaptureFixture, user: str, trouble: str
) -> None:
    caplog.set_level("DEBUG")
    answers = {"missing": [status(404)], "wrong": [whole], "busy": [status(503)]}
    server.lay_out(*answers.get(trouble, []))
    port = 9 if trouble == "refused" else server.server_address[1]
    mirror = f"http://{user}@127.0.0.1:{port}"
    with pytest.raises(DataError) as error:
        get(replace(settings, mirror=mirror), replace(SOURCE, sha256="0" * 64))
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("lm_eval_ja")]
    shown = "".join([*traceback.format_exception(error.value), *ours, repr(replace(settings, mirror=mirror))])
    assert SECRET not in shown
    assert "127.0.0.1" in str(error.value)


@pytest.mark.parametrize(
    ("mirror", "shown"),
    [
        ("https://user:pw@mirror.example/ja", "https://***@mirror.example/ja"),
        ("https://mirror.example/ja?sig=abc", "https://mirror.example/ja?***"),
        ("https://mirror.example/ja", "https://mirror.example/ja"),
        ("/data/a@b?c", "/data/a@b?c"),
        (None, ""),
    ],
)
def test_a_mirror_is_shown_without_its_secret(mirror: str | None, shown: str, tmp_path: Path) -> None:
    assert Settings(tmp_path, mirror).mirror_shown == shown
