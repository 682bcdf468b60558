"""What the package depends on and never does: declared imports, no code from data, certificates checked."""

import ast
import re
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

import lm_eval_ja
from lm_eval_ja.datasets._download import download
from lm_eval_ja.datasets._settings import Retry
from lm_eval_ja.errors import DataError, JudgeError
from lm_eval_ja.judge import JudgeConfig, preflight
from tests.judge_server import KEY, completion

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(lm_eval_ja.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
DISTRIBUTIONS = {"yaml": "pyyaml", "comet": "unbabel-comet"}
"""Distributions that are not called what is imported."""


def requirements() -> dict[str, dict[str, str]]:
    """Names and requirements of pyproject.toml: ``"core"`` and each extra."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extras = text.partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    found = {"core": re.search(r"^dependencies = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)[1]}
    found |= dict(re.findall(r"^(\w+) = \[(.*?)\](?:  #[^\n]*)?$", extras, re.MULTILINE | re.DOTALL))
    return {
        name: {re.match(r"[\w-]+", own)[0].lower(): own for own in re.findall(r'"([^"]+)"', listed)}
        for name, listed in found.items()
    }


def imports(module: Path) -> Iterator[tuple[str, bool]]:
    """Distributions that a module imports, and whether that happens when it is imported itself."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module]
        else:
            continue
        for name in names:
            top = name.partition(".")[0]
            if top not in sys.stdlib_module_names and top != "lm_eval_ja":
                yield DISTRIBUTIONS.get(top, top), node in tree.body


def test_every_import_is_a_declared_dependency() -> None:
    declared = requirements()
    extras = {name for extra in ("hf", "judge", "wandb", "comet") for name in declared[extra]}
    extras |= {"transformers"}  # of lm_eval[hf]
    imported = {(name, top) for module in MODULES for name, top in imports(module)}
    assert {name for name, top in imported if top} <= declared["core"].keys()
    assert {name for name, _ in imported} <= declared["core"].keys() | extras
    assert declared["core"].keys() <= {name for name, _ in imported}  # nothing is declared for nothing


def test_the_documentation_gives_a_reason_for_every_requirement() -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    reasons = dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", text, re.MULTILINE))
    listed = {own for extra in requirements().values() for own in extra.values()}
    assert reasons.keys() == listed
    assert all(len(reason) > 20 for reason in reasons.values())


def test_no_upper_bound_without_a_reason() -> None:
    capped = {own for extra in requirements().values() for own in extra.values() if re.search("<|==|~=", own)}
    # pkg_resources, which COMET imports, is gone from later ones; fuzzywuzzy 0.18.0 is the reference itself.
    assert capped == {"setuptools<81", "fuzzywuzzy==0.18.0"}


FORBIDDEN_IMPORTS = {"pickle", "cPickle", "dill", "marshal", "shelve", "joblib"}
FORBIDDEN_CALLS = {
    "eval",
    "exec",
    "extractall",
    "extract",
    "unpack_archive",
    "system",
    "popen",
    "unsafe_load",
    "full_load",
}


def offences(tree: ast.AST) -> Iterator[str]:
    """Ways in which data could become code, or an endpoint go unchecked."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            yield from (name for name in names if name.partition(".")[0] in FORBIDDEN_IMPORTS)
        elif isinstance(node, ast.Call):
            function = node.func
            name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
            whose = getattr(getattr(function, "value", None), "id", "")
            if name in FORBIDDEN_CALLS or (whose, name) == ("torch", "load"):
                yield f"{whose}.{name}"
            if (whose, name) == ("yaml", "load") and not (len(node.args) > 1 or node.keywords):
                yield "yaml.load without a loader"
            for keyword in node.keywords:
                value = getattr(keyword.value, "value", None)
                if (keyword.arg, value) in {
                    ("verify", False),
                    ("shell", True),
                    ("allow_pickle", True),
                    ("trust_remote_code", True),
                }:
                    yield f"{name}({keyword.arg}={value})"
        elif isinstance(node, ast.Attribute) and node.attr in {"CERT_NONE", "_create_unverified_context"}:
            yield node.attr


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from dill import loads",
        "eval(text)",
        "tar.extractall(path)",
        "torch.load(path)",
        "yaml.load(text)",
        "requests.get(url, verify=False)",
        "subprocess.run(text, shell=True)",
        "numpy.load(path, allow_pickle=True)",
        "AutoTokenizer.from_pretrained(name, trust_remote_code=True)",
        "context.verify_mode = ssl.CERT_NONE",
    ],
)
def test_the_search_for_offences_finds_them(code: str) -> None:
    assert list(offences(ast.parse(code)))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_data_never_becomes_code(module: Path) -> None:
    assert list(offences(ast.parse(module.read_text(encoding="utf-8")))) == []


def test_the_yaml_loader_of_the_task_files_is_a_safe_one() -> None:
    import yaml

    from lm_eval_ja.tasks import catalog

    assert issubclass(catalog._Loader, yaml.SafeLoader)


# ---------------------------------------------------------------------------------------------------------- TLS


class Handler(BaseHTTPRequestHandler):
    """Answers as a file server and as a judge."""

    def do_GET(self) -> None:
        self.answer(b"a file")

    def do_POST(self) -> None:
        import json

        self.rfile.read(int(self.headers["content-length"]))
        self.answer(json.dumps(completion("1")).encode())

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key in the same file."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    path = tmp_path_factory.mktemp("tls") / "own.pem"
    command = [
        "openssl",
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
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(path), "-out", str(path) + ".crt"]
    subprocess.run(command, check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


@pytest.fixture
def https(certificate: Path) -> Iterator[str]:
    """A real HTTPS server that nobody has reason to trust."""
    server = HTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


RETRY = Retry(attempts=2, backoff=0.01)


@pytest.fixture
def no_bundles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but the packages' own list of authorities is trusted."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.mark.usefixtures("no_bundles")
def test_a_download_from_an_unknown_server_is_refused(https: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"(?is)certificate.*REQUESTS_CA_BUNDLE"):
        download(f"{https}/file", tmp_path / "part", size=None, retry=RETRY, fix="Fix.")
    assert (tmp_path / "part").read_bytes() == b""


@pytest.mark.usefixtures("no_bundles")
def test_a_download_from_a_server_that_the_user_trusts(
    https: str, certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    download(f"{https}/file", tmp_path / "part", size=None, retry=RETRY, fix="Fix.")
    assert (tmp_path / "part").read_bytes() == b"a file"


@pytest.mark.usefixtures("no_bundles")
def test_an_unknown_judge_is_refused_and_never_sees_the_key(https: str) -> None:
    with pytest.raises(JudgeError, match=r"(?is)certificate.*SSL_CERT_FILE") as error:
        preflight(JudgeConfig(base_url=f"{https}/v1", backoff=0.01))
    assert KEY not in str(error.value)


@pytest.mark.usefixtures("no_bundles")
def test_a_judge_that_the_user_trusts(https: str, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    preflight(JudgeConfig(base_url=f"{https}/v1"))
