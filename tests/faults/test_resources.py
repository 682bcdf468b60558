"""A disk that is full, and a clock that jumps, while data is fetched and converted and while answers are judged.

The disk is a small tmpfs (needs root; skipped with that reason otherwise). The clock is libfaketime's, preloaded into
real processes: it moves the wall clock as ``settimeofday`` does and leaves the monotonic one alone, as kernels do.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from lm_eval_ja.datasets import (
    Catalog,
    DatasetSplit,
    Files,
    Retry,
    Sample,
    Settings,
    Source,
    Unit,
    fetch,
    load_mtbench,
)
from lm_eval_ja.datasets.store import Store
from lm_eval_ja.errors import DataError
from lm_eval_ja.judge import JudgeStopped, JudgmentStore, judge
from lm_eval_ja.prompts import Conversation
from lm_eval_ja.results import read_runs
from lm_eval_ja.results._stamps import stamp_after
from tests.support.judge_server import JudgeServer, fault, rate, requests, say, set_environment

REPOSITORY = Path(__file__).resolve().parents[2]
BODY = "質問：湖は？\t琵琶湖\n".encode() * 20_000  # 0.6 MB
LINES = BODY.decode().splitlines()


# ------------------------------------------------------------------------------------------------ the full disk


class Disk:
    """A mounted file system of a few pages that can be made larger."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)],
            capture_output=True,
            check=False,
        )
        if done.returncode:
            pytest.skip(
                f"no small file system can be mounted here (needs root): {done.stderr.decode().strip()}"
            )

    def resize(self, size: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", str(self.path)], check=True)

    def files(self) -> list[str]:
        """Names of all files with something in them, and of all that are only passing."""
        found = [path for path in self.path.rglob("*") if path.is_file()]
        return sorted(
            path.name for path in found if path.stat().st_size or path.suffix in {".part", ".tmp", ".draft"}
        )


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[int], Disk]]:
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a small file system needs Linux and root")
    path = tmp_path / "disk"
    path.mkdir()
    mounted: list[Disk] = []

    def mount(size: int) -> Disk:
        mounted.append(Disk(path, size))
        return mounted[-1]

    yield mount
    for _ in mounted:
        subprocess.run(["umount", "-l", str(path)], check=True)


class _Files(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        answers = self.server.answers  # type: ignore[attr-defined]
        code, headers = answers.pop(0) if answers else (200, {})
        body = BODY if code == 200 else b""
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def files() -> Iterator[ThreadingHTTPServer]:
    """A server with one file, for every path. ``answers`` holds statuses and headers to answer with before."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Files)
    server.daemon_threads = True
    server.asked, server.answers = [], []  # type: ignore[attr-defined]
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


URL = "https://files.example/lines.txt"


def convert(found: Files) -> dict[DatasetSplit, list[Sample]]:
    lines = next(iter(found.values())).read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines]
    return {("lakes", "test"): [Sample(str(i), question, gold) for i, (question, gold) in enumerate(rows)]}


CATALOG = Catalog(
    sources={URL: Source(URL, "CC0", sha256=sha256(BODY).hexdigest(), size=len(BODY))},
    units={"lakes": Unit("lakes", (URL,), (("lakes", "test"),), convert)},
    digests={},
    variants={},
    sample_files=Path(),
)


def record_answers(path: Path) -> None:
    """Answers for ``--model recorded`` to MT-Bench's sample questions."""
    answer = "答え" + "です" * 100
    conversations = [
        Conversation(tuple(doc["turns"]), chat=False) for doc in load_mtbench("neo", data="sample")
    ]
    prompts = [prompt for asked in conversations for prompt in (asked.first(), asked.second(answer))]
    path.write_text(
        "".join(json.dumps({"prompt": prompt, "output": answer}) + "\n" for prompt in prompts),
        encoding="utf-8",
    )


def settings_for(cache: Path, server: ThreadingHTTPServer) -> Settings:
    retry = Retry(attempts=3, backoff=0.01, longest_wait=5)
    return Settings(cache=cache, mirror=f"http://127.0.0.1:{server.server_port}", retry=retry)


def test_a_disk_that_fills_up_during_a_download(
    disk: Callable[[int], Disk], files: ThreadingHTTPServer
) -> None:
    small = disk(200_000)
    settings = settings_for(small.path, files)
    for _ in range(2):
        with pytest.raises(DataError, match="No space left on device") as error:
            fetch(URL, settings=settings, catalog=CATALOG)
        assert str(small.path) in str(error.value)
        assert "LM_EVAL_JA_CACHE" in str(error.value)
        assert small.files() == [], "nothing half-written is left to take up room"
    small.resize(4_000_000)
    assert fetch(URL, settings=settings, catalog=CATALOG).read_bytes() == BODY
    assert len(files.asked) == 3, "a full disk is not a fault of the network: no retries"


def test_a_disk_that_fills_up_during_conversion(
    disk: Callable[[int], Disk], files: ThreadingHTTPServer
) -> None:
    small = disk(len(BODY) + 100_000)  # room for the raw file alone
    settings = settings_for(small.path, files)
    for _ in range(2):
        with pytest.raises(DataError, match="No space left on device") as error:
            Store(settings, CATALOG).table("lakes", "test")
        assert "LM_EVAL_JA_CACHE" in str(error.value)
        assert [name for name in small.files() if not name.endswith(".json")] == ["lines.txt"]
        assert list((small.path / "converted").iterdir()) == []
    small.resize(8_000_000)
    table = Store(settings, CATALOG).table("lakes", "test")
    assert table.num_rows == len(LINES)
    assert len(files.asked) == 1, "the file that was there is not fetched again"


def test_a_disk_that_is_full_leaves_no_marks_half_written(
    disk: Callable[[int], Disk], files: ThreadingHTTPServer
) -> None:
    small = disk(len(BODY) // 4096 * 4096 + 4096)  # the file fits, and not a page more
    settings = settings_for(small.path, files)
    path = fetch(URL, settings=settings, catalog=CATALOG)
    assert path.read_bytes() == BODY
    assert small.files() == ["lines.txt"], (
        "that it was verified could not be noted, which is no reason to fail"
    )
    assert fetch(URL, settings=settings, catalog=CATALOG) == path
    assert len(files.asked) == 1


def test_a_disk_that_fills_up_during_judging(
    disk: Callable[[int], Disk], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch)
    small = disk(64 * 1024)
    path = small.path / "judgments.jsonl"

    def long(call):
        return say("理由を述べます。" * 200 + "[[7]]")  # 5 kB: about a dozen fit

    with JudgeServer(long) as server:
        with pytest.raises(JudgeStopped, match="No space left on device") as stopped:
            judge(requests(60), server.config(concurrency=4), path)
        done = [judgment for judgment in stopped.value.judgments if judgment.rating is not None]
        saved = len(path.read_bytes().splitlines())
        assert 5 <= saved <= len(done) <= saved + 4, (
            "what was paid for when the disk refused it is in the exception"
        )
        assert len(server.calls) <= saved + 8
        assert all(json.loads(line)["rating"] == 7 for line in path.read_bytes().splitlines())
        small.resize(4_000_000)
        before = len(server.calls)
        assert all(
            judgment.rating == 7 for judgment in judge(requests(60), server.config(concurrency=4), path)
        )
        assert len(server.calls) - before == 60 - saved


def test_a_run_whose_cache_disk_is_full_when_it_comes_to_judging_keeps_its_answers(
    disk: Callable[[int], Disk], tmp_path: Path
) -> None:
    """The harness's own files stand on another disk: the answers are there, unscored with the reason."""
    small = disk(16_384)
    record_answers(tmp_path / "answers.jsonl")
    (small.path / "filler").write_bytes(b"x" * 16_000)
    with JudgeServer() as server:
        env = {
            **os.environ,
            "LM_EVAL_JA_CACHE": str(small.path),
            "LM_EVAL_JA_OFFLINE": "1",
            "OPENAI_API_KEY": "any",
        }
        command = [
            *(
                sys.executable,
                "-m",
                "lm_eval",
                "run",
                "--model",
                "recorded",
                "--model_args",
                "path=answers.jsonl",
            ),
            *("--tasks", "nejumi_mtbench", "--output_path", "out", "--log_samples", "--metadata"),
            json.dumps({"data": "sample", "judge_base_url": server.url}),
        ]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        output = done.stdout + done.stderr
        assert done.returncode == 0, output[-4000:]
        assert "the answers could not be saved ahead of judging" in output
        assert "No space left on device" in output
        (path,) = (tmp_path / "out").rglob("samples_*.jsonl")
        samples = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
        assert all(sample["resps"][0][0][0].startswith("答え") for sample in samples)
        (small.path / "filler").unlink()
        small.resize(4_000_000)
        judged = subprocess.run(
            [sys.executable, "-m", "lm_eval_ja.cli", "judge", "out", "--judge_base_url", server.url],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
    assert judged.returncode == 0, judged.stdout + judged.stderr


# ------------------------------------------------------------------------------------------- the jumping clock

FAKETIME = next(
    (
        str(path)
        for folder in ("/usr/lib", "/usr/local/lib")
        for path in sorted(Path(folder).glob("**/faketime/libfaketimeMT.so.1"))
    ),
    "",
)
YEAR = 365 * 24 * 3600


class Clock:
    """The wall clock of the processes that a test starts."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.set(0)

    def set(self, seconds: int) -> None:
        """Let it be this many seconds ahead of the true time, for processes that run as well."""
        draft = self._file.with_suffix(".draft")
        draft.write_text(f"{seconds:+d}s", encoding="utf-8")
        draft.replace(self._file)

    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": FAKETIME,
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # its name in older releases
            "NO_FAKE_STAT": "1",
        }

    def run(self, program: str, *arguments: str, jumps: tuple[int, ...] = ()) -> str:
        """Run a program under this clock, which makes the jumps one after the other, half a second apart."""
        process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            env={**os.environ, **self.environment(), "PYTHONPATH": str(REPOSITORY), "OPENAI_API_KEY": "any"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for jump in jumps:
            time.sleep(0.5)
            self.set(jump)
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output[-4000:]
        return output


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    if not FAKETIME:
        if os.environ.get("LM_EVAL_JA_REQUIRE_FAKETIME"):
            pytest.fail("libfaketime is missing where the clock tests must run")
        pytest.skip("no libfaketime: apt-get install faketime runs the tests with a jumping clock")
    return Clock(tmp_path)


JUDGING = """
import sys, time
print(time.time(), flush=True)
from lm_eval_ja.judge import JudgeConfig, judge, preflight
from tests.support.judge_server import requests
config = JudgeConfig(base_url=sys.argv[1], concurrency=4, backoff=0.05, timeout=5)
preflight(config)
start = time.perf_counter()
judgments = judge(requests(400), config, sys.argv[2], progress=False)
assert all(judgment.rating for judgment in judgments)
print(sum(judgment.cached for judgment in judgments), max(j.latency for j in judgments), time.perf_counter() - start)
"""


def test_judging_goes_on_when_the_clock_jumps(clock: Clock, tmp_path: Path) -> None:
    faults = [fault(429, headers={"retry-after": "1"}), fault(500), fault(429), fault(503)]

    def script(call):  # each fault once, spread over the run
        return faults.pop() if faults and call.number % 60 == 0 else rate(call)

    with JudgeServer(script, latency=0.05) as server:
        store = str(tmp_path / "judgments.jsonl")
        jumps = (3600, -3600, 20 * YEAR, -20 * YEAR, 0, 86400, -5)
        output = clock.run(JUDGING, server.url, store, jumps=jumps)
        start, (cached, latency, seconds) = output.split("\n")[0], map(float, output.split("\n")[1].split())
        assert abs(float(start) - time.time()) < 120
        assert not faults
        assert cached == 0
        assert 0 <= latency < 900, "no jump shows in what is measured"
        assert 0 <= seconds < 900, "nor in what is waited"
        asked = server.asked()
        assert sum(asked.values()) == 1 + 400 + 4, (
            "preflight, judgments, faults: no call timed out or was doubled"
        )
        clock.set(-30 * YEAR)
        before = len(server.calls)
        output = clock.run(JUDGING, server.url, store)
        assert abs(float(output.split("\n")[0]) - time.time() + 30 * YEAR) < 120, (
            "the clock was indeed set back"
        )
        assert output.split("\n")[1].startswith("400 "), "all from the store"
        assert len(server.calls) - before == 1


@pytest.mark.parametrize("ahead", [-YEAR, -3600, 3600, YEAR])
def test_a_date_to_wait_for_is_read_by_the_servers_clock(
    ahead: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours may be wrong: an hour behind, a date in two seconds would look like an hour's wait, and end the run."""
    set_environment(monkeypatch)
    there = datetime.now(timezone.utc) + timedelta(seconds=ahead)
    headers = {
        "retry-after": format_datetime(there + timedelta(seconds=1), usegmt=True),
        "date": format_datetime(there, usegmt=True),
    }
    with JudgeServer(lambda call: fault(429, headers=headers) if call.number == 1 else rate(call)) as server:
        (judgment,) = judge(requests(1), server.config(), tmp_path / "store.jsonl")
        assert judgment.rating
        first, second = server.calls
        assert 0.9 < second.time - first.time < 3


@pytest.mark.parametrize("ahead", [-YEAR, -3600, 3600, YEAR])
def test_downloads_wait_by_the_servers_clock_as_well(
    ahead: int, files: ThreadingHTTPServer, tmp_path: Path
) -> None:
    there = datetime.now(timezone.utc) + timedelta(seconds=ahead)

    class Elsewhere(_Files):
        def date_time_string(self, timestamp: object = None) -> str:
            return format_datetime(there, usegmt=True)

    files.RequestHandlerClass = Elsewhere
    later = format_datetime(there + timedelta(seconds=1), usegmt=True)
    files.answers[:] = [(429, {"Retry-After": later})]  # type: ignore[attr-defined]
    start = time.monotonic()
    assert fetch(URL, settings=settings_for(tmp_path, files), catalog=CATALOG).read_bytes() == BODY
    assert 0.9 < time.monotonic() - start < 900, "a second is asked for; the clocks are hours apart"


LOADING = """
import sys, threading, time
from pathlib import Path
# libfaketime 0.9.10 spoils the deadline that Python's sleep hands to the kernel by the (true) monotonic clock.
time.sleep = lambda seconds: threading.Event().wait(seconds)
from lm_eval_ja.datasets import Retry, Settings, fetch
from lm_eval_ja.datasets.store import Store
from tests.faults.test_resources import CATALOG, URL
settings = Settings(cache=Path(sys.argv[1]), mirror=sys.argv[2], retry=Retry(attempts=6, backoff=0.4))
start = time.perf_counter()
fetch(URL, settings=settings, catalog=CATALOG)
rows = Store(settings, CATALOG).table("lakes", "test").num_rows
print("\\nloaded", rows, time.perf_counter() - start, flush=True)
"""


def test_files_stay_verified_and_converted_whatever_the_clock_says(
    clock: Clock, files: ThreadingHTTPServer, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    url = f"http://127.0.0.1:{files.server_port}"
    files.answers[:] = [(503, {})] * 3  # type: ignore[attr-defined]
    output = clock.run(LOADING, str(cache), url, jumps=(YEAR, -YEAR, 10 * YEAR, 0))
    # Progress bars of a busy machine stand in the output, too.
    rows, seconds = output.partition("\nloaded ")[2].split()[:2]
    assert int(rows) == len(LINES)
    assert float(seconds) < 30, "the waits between tries are not measured by the wall clock"
    assert len(files.asked) == 4  # type: ignore[attr-defined]
    (entry,) = (cache / "converted").iterdir()
    made = entry.stat().st_ino
    raw = cache / "raw" / "files.example" / "lines.txt"
    for ahead in (-30 * YEAR, 10 * YEAR):
        clock.set(ahead)
        os.utime(
            raw, (time.time() + 50 * YEAR,) * 2
        )  # a file from the future: copied from a machine set wrongly
        clock.run(LOADING, str(cache), url)
    assert len(files.asked) == 4, "nothing was fetched again"  # type: ignore[attr-defined]
    assert entry.stat().st_ino == made, "nor converted again"


@pytest.mark.parametrize(
    "old",
    [
        "2999-01-01T00-00-00.000000",
        "2999-01-01T00-00-00",
        "2999-12-31T23-59-59.999999",
        "2020-01-01T00-00-00",
    ],
)
def test_what_is_judged_again_is_newer_than_what_it_came_from(old: str) -> None:
    """Readers tell the newest results by the date in the name: a clock that was set back must not hide them."""
    new = stamp_after(old)
    assert new > old
    assert datetime.fromisoformat(new.partition("T")[0]).year >= 2024
    assert len(new) == len("2999-01-01T00-00-00.000000") or "." not in new


def test_judging_again_under_a_clock_that_was_set_back_shows_the_new_ratings(
    clock: Clock, tmp_path: Path
) -> None:
    record_answers(tmp_path / "answers.jsonl")
    env = {
        **os.environ,
        "LM_EVAL_JA_CACHE": str(tmp_path / "cache"),
        "LM_EVAL_JA_OFFLINE": "1",
        "OPENAI_API_KEY": "x",
    }
    command = [
        *(
            sys.executable,
            "-m",
            "lm_eval",
            "run",
            "--model",
            "recorded",
            "--model_args",
            "path=answers.jsonl",
        ),
        *("--tasks", "nejumi_mtbench", "--output_path", "out", "--log_samples"),
        *("--metadata", '{"data": "sample", "judge_model": "none"}'),
    ]
    subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, check=True)
    clock.set(-YEAR)
    with JudgeServer() as server:
        done = subprocess.run(
            [sys.executable, "-m", "lm_eval_ja.cli", "judge", "out", "--judge_base_url", server.url],
            cwd=tmp_path,
            env={**env, **clock.environment()},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = read_runs([tmp_path / "out"]).runs
    assert run.tasks["nejumi_mtbench"].score is not None


def test_the_store_knows_no_dates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch)
    with JudgeServer() as server:
        judge(requests(3), server.config(), tmp_path / "store.jsonl")
        os.utime(tmp_path / "store.jsonl", (0, 0))
        judge(requests(3), server.config(), JudgmentStore(tmp_path / "store.jsonl"))
        assert len(server.calls) == 3
