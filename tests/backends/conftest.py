"""Real backends of the harness: vLLM on CPU (in the environment of ``.ci/vllm-cpu-env``) and what hf offers besides."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import _mirror_path
from tests.support.commands import environment

TINY = "tiny"
"""Name under which the server serves the model."""

VLLM_CPU = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_LOGGING_LEVEL": "WARNING"}  # GiB: plenty for a tiny model
START_TIMEOUT = 400  # seconds; about 30 on an idle machine with two cores


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all runs in this process, so that lm_eval's own tasks are read once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def lm_eval_here(tmp_path: Path, shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The command ``lm_eval`` in this process: many runs in the time in which one imports torch."""
    for name in os.environ:
        if name.startswith(("LM_EVAL_JA_", "OPENAI_")):
            monkeypatch.delenv(name)
    own = {"LM_EVAL_JA_CACHE": str(shared_cache), "LM_EVAL_JA_INDEX_CACHE": "1"}
    for name, value in environment(tmp_path, own).items():
        monkeypatch.setenv(name, value)

    def run(*args: str) -> None:
        from lm_eval._cli.harness import HarnessCLI

        monkeypatch.setattr(sys, "argv", ["lm_eval", *args])
        cli = HarnessCLI()
        cli.execute(cli.parse_args())

    return run


@pytest.fixture(scope="session")
def backend_env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """One cache for the folder, the real raw files where they are at hand, and a key that any server takes."""
    mirror = _mirror_path()
    return {
        **VLLM_CPU,
        "OPENAI_API_KEY": "sk-anything",
        "LM_EVAL_JA_CACHE": str(tmp_path_factory.mktemp("cache")),
        **({"LM_EVAL_JA_MIRROR": str(mirror)} if mirror else {}),
    }


@pytest.fixture(scope="session")
def metadata() -> dict[str, str]:
    """``--metadata`` that chooses the made-up questions where the real ones are missing."""
    return {} if _mirror_path() else {"data": "sample"}


@pytest.fixture(scope="session")
def vllm() -> None:
    """Skips without vLLM."""
    if find_spec("vllm") is None:
        if os.environ.get("LM_EVAL_JA_REQUIRE_VLLM"):
            pytest.fail("vllm is missing where its tests must run")
        pytest.skip("no vllm: .ci/vllm-cpu-env makes an environment with it")


@pytest.fixture(scope="session")
def vllm_url(vllm: None, tiny_model: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Base URL of vLLM's OpenAI-compatible server, serving the tiny model."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", tiny_model),
                *("--served-model-name", TINY, "--host", "127.0.0.1", "--port", str(port)),
                *("--dtype", "bfloat16", "--enforce-eager", "--max-model-len", "32768"),
            ],
            env={**os.environ, **VLLM_CPU, "HF_HUB_OFFLINE": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # it starts workers of its own, which end with it
        )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_TIMEOUT
        while not _healthy(url):
            assert server.poll() is None, log.read_text(encoding="utf-8", errors="replace")[-4000:]
            assert time.monotonic() < deadline, log.read_text(encoding="utf-8", errors="replace")[-4000:]
            time.sleep(0.5)
        yield f"{url}/v1"
    finally:
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as response:  # noqa: S310  # our own URL
            return bool(response.status == 200)
    except OSError:
        return False


def outputs(run: Any) -> dict[tuple[str, str], str]:
    """First response of every question by task and our own id."""
    found = {}
    for path in Path(run.folder).rglob("samples_*.jsonl"):
        task = path.name[len("samples_") :].rpartition("_2")[0]
        for sample in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            response = sample["resps"][0][0]
            found[task, sample["doc"]["id"]] = response if isinstance(response, str) else response[0]
    return found
