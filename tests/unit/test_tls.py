"""Certificates are checked: a server that nobody vouches for gets no request, until its certificate is named."""

import json
import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from lm_eval_ja.datasets import Catalog, Retry, Settings, Source, fetch
from lm_eval_ja.errors import DataError, JudgeError, LmEvalJaError
from lm_eval_ja.judge import JudgeConfig, preflight

BODY = b"a file"
REPLY = json.dumps(
    {
        "id": "1",
        "object": "chat.completion",
        "model": "gpt-4",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "1"}, "finish_reason": "length"}
        ],
    }
).encode()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.answer(BODY)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(REPLY)

    def answer(self, body: bytes) -> None:
        self.server.requests.append(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Its own authority."""

    daemon_threads = True

    def __init__(self, certificate: Path, key: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.certificate = certificate
        self.requests: list[str] = []
        self.url = f"https://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        """Clients that hang up are what is tested."""


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the program openssl, to make a certificate")
    folder = tmp_path_factory.mktemp("identity")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = [
        openssl,
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=127.0.0.1",
    ]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-out", str(certificate), "-keyout", str(key)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


@pytest.fixture
def server(identity: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    server = Server(*identity)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


Use = Callable[[Server, Path, pytest.MonkeyPatch], None]


def download(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source("https://files.example/a.txt", "CC0", sha256=sha256(BODY).hexdigest(), size=len(BODY))
    catalog = Catalog(sources={source.url: source}, units={}, digests={}, variants={}, sample_files=Path())
    settings = Settings(cache=folder, mirror=server.url, retry=Retry(attempts=3, backoff=0.01))
    assert fetch(source.url, settings=settings, catalog=catalog).read_bytes() == BODY


def judge(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-nobody")
    preflight(JudgeConfig(base_url=f"{server.url}/v1"))


@pytest.mark.parametrize(
    ("use", "error", "variable"),
    [(download, DataError, "REQUESTS_CA_BUNDLE"), (judge, JudgeError, "SSL_CERT_FILE")],
    ids=["download", "judge"],
)
def test_a_certificate_must_be_vouched_for(
    server: Server,
    use: Use,
    error: type[LmEvalJaError],
    variable: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(error, match=f"certificate verify failed.*{variable}") as caught:
        use(server, tmp_path, monkeypatch)
    assert server.url in str(caught.value)
    assert server.requests == []
    monkeypatch.setenv(variable, str(server.certificate))
    use(server, tmp_path, monkeypatch)
    assert len(server.requests) == 1
