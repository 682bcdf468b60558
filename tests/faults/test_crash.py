"""Killed with ``kill -9`` at random points of a full run, run again to the end: same results, nothing paid for twice.

Everything is real: the raw files come over HTTP from a server with a little delay, the model and the judge are servers
that count what they are asked. "Finished" means: the raw file is in the cache under its name, the converted dataset is
in its place, the harness's answer cache (``--use_cache``) has the answer, the judgment store has the judgment. Nothing
finished may be fetched, converted, generated or judged again; what was in flight may.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lm_eval_ja.plugin import TASKS_PATH
from tests.support.judge_server import Answer, Call, JudgeServer, rating_of, say
from tests.support.model_server import ModelServer, answer_to, prompt_of

pytestmark = [pytest.mark.mirror, pytest.mark.slow]

SEED = 20240701
LIMIT = 16  # questions per dataset, two of each MT-Bench category: 256 + 32 answers, 32 judgments
CONCURRENCY = 4
LATENCY = 0.02
CHUNK = 1 << 15
PREFLIGHT = "1"  # what the judge is asked to see whether it is there


# The command line as it is, but without indexing the harness's own 14,000 task files, which takes longer than the run.
LM_EVAL = """
from lm_eval.tasks import manager
init = manager.TaskManager.__init__
manager.TaskManager.__init__ = lambda *args, **kwargs: init(*args, **{**kwargs, "include_defaults": False})
from lm_eval.__main__ import cli_evaluate
cli_evaluate()
"""


class MirrorServer(ThreadingHTTPServer):
    """Serves a folder, slowly enough to be caught at it."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.asked: list[str] = []
        self.sent = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """Clients that die are the point."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server: MirrorServer = self.server  # type: ignore[assignment]  # the handler runs in no other server
        server.asked.append(self.path.lstrip("/"))
        body = (server.folder / self.path.lstrip("/")).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for start in range(0, len(body), CHUNK):
            time.sleep(0.002)
            self.wfile.write(body[start : start + CHUNK])
            server.sent += CHUNK

    def log_message(self, *_: object) -> None:
        pass


def rate(call: Call) -> Answer:
    """A rating and a digest, both fixed by the request."""
    return say(f"{digest_of(call)} Rating: [[{rating_of(call.messages)}]]")


def digest_of(call: Call) -> str:
    return hashlib.sha256(call.identity.encode()).hexdigest()


@dataclass
class World:
    """The servers, and the command under test."""

    mirror: MirrorServer
    model: ModelServer
    judge: JudgeServer

    def start(self, folder: Path, *, tasks: str = "nejumi", chat: bool = False) -> "Running":
        folder.mkdir(parents=True, exist_ok=True)
        env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("LM_EVAL_JA_", "OPENAI_"))
        }
        env |= {
            "LM_EVAL_JA_CACHE": str(folder / "cache"),
            "LM_EVAL_JA_MIRROR": self.mirror.url,
            "OPENAI_API_KEY": "any",
            "HF_HUB_OFFLINE": "1",
        }
        url = self.model.chat_url if chat else self.model.text_url
        arguments = f"model=m,base_url={url},num_concurrent={CONCURRENCY}"
        arguments += "" if chat else ",tokenizer_backend=None,tokenized_requests=False"
        metadata = {"judge_base_url": self.judge.url, "judge_concurrency": CONCURRENCY}
        before = (len(self.mirror.asked), len(self.model.calls), len(self.judge.calls))
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", LM_EVAL, "run", "--include_path", str(TASKS_PATH)),
                *(
                    "--model",
                    "local-chat-completions" if chat else "local-completions",
                    "--model_args",
                    arguments,
                ),
                *("--tasks", tasks, "--limit", str(LIMIT), "--metadata", json.dumps(metadata)),
                *("--use_cache", "answers", "--output_path", "out", "--log_samples"),
                *(["--apply_chat_template"] if chat else []),
            ],
            env=env,
            cwd=folder,
            stdout=(folder / "log").open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        return Running(self, folder, process, before)


@dataclass
class Running:
    """One process, and what it has asked of the servers."""

    world: World
    folder: Path
    process: "subprocess.Popen[bytes]"
    before: tuple[int, int, int]

    @property
    def fetched(self) -> list[str]:
        return self.world.mirror.asked[self.before[0] :]

    @property
    def generated(self) -> Counter[str]:
        return Counter(prompt_of(call) for call in self.world.model.calls[self.before[1] :])

    @property
    def judged(self) -> Counter[str]:
        calls = self.world.judge.calls[self.before[2] :]
        return Counter(digest_of(call) for call in calls if call.prompt != PREFLIGHT)

    def finish(self) -> None:
        code = self.process.wait(timeout=600)
        assert code == 0, (self.folder / "log").read_text(encoding="utf-8", errors="replace")[-4000:]

    def kill_when(self, condition: Callable[["Running"], bool], delay: float) -> None:
        """Wait for the moment, and a little longer, and send SIGKILL to the process and all it has started."""
        while not condition(self):
            assert self.process.poll() is None, (
                "it ended before it could be killed: "
                + (self.folder / "log").read_text(encoding="utf-8", errors="replace")[-4000:]
            )
            time.sleep(0.001)
        time.sleep(delay)
        os.killpg(self.process.pid, signal.SIGKILL)
        assert self.process.wait() == -signal.SIGKILL
        time.sleep(0.2)  # what had been sent arrives at the servers


@dataclass
class Finished:
    """What a folder holds of finished work."""

    files: set[str]
    converted: Mapping[str, int]
    answers: set[str]
    judgments: set[str]

    @classmethod
    def of(cls, folder: Path) -> "Finished":
        from sqlitedict import SqliteDict

        cache = folder / "cache"
        raw = cache / "raw"
        answers: set[str] = set()
        if (folder / "answers_rank0.db").exists():
            with SqliteDict(
                str(folder / "answers_rank0.db")
            ) as table:  # rolls back what was torn, as the rerun would
                # One entry of ours says whose answers these are.
                answers = {answer for key, answer in table.items() if not key.startswith("lm_eval_ja:")}
        store = cache / "judgments.jsonl"
        lines = store.read_bytes().split(b"\n") if store.exists() else []
        return cls(
            files={
                str(path.relative_to(raw))
                for path in raw.rglob("*")
                if path.is_file() and path.suffix != ".part"
            },
            converted={
                path.name: path.stat().st_ino
                for path in (cache / "converted").glob("*")
                if not path.name.endswith(".draft")
            },
            answers=answers,
            judgments={json.loads(line)["text"].split()[0] for line in lines if _whole(line)},
        )


def _whole(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def results_of(folder: Path) -> dict[str, Any]:
    """The newest results file, without dates, times and what the machine was."""
    path = max((folder / "out").rglob("results_*.json"))
    results = json.loads(path.read_text(encoding="utf-8"))
    for name in ("date", "start_time", "end_time", "total_evaluation_time_seconds", "pretty_env_info"):
        results.pop(name, None)
    return results


def samples_of(folder: Path) -> dict[str, list[Any]]:
    """All samples of the newest run, without what a judgment's reply took and whether it was there already."""
    stamp = max((folder / "out").rglob("results_*.json")).stem.removeprefix("results_")
    found = {}
    for path in (folder / "out").rglob(f"samples_*_{stamp}.jsonl"):
        samples = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
        for sample in samples:
            if "mtbench" in path.name:
                record = json.loads(sample["filtered_resps"][0])
                for turn in record["judgments"]:
                    for judgment in turn["judgments"]:
                        del judgment["latency"], judgment["cached"]
                sample["filtered_resps"] = record
        found[path.name.removesuffix(f"_{stamp}.jsonl")] = samples
    return found


@pytest.fixture(scope="module")
def world(mirror: Path) -> Iterator[World]:
    server = MirrorServer(mirror)
    with ModelServer(latency=LATENCY) as model, JudgeServer(rate, latency=LATENCY) as judge:
        yield World(server, model, judge)
    server.shutdown()


@dataclass
class Reference:
    """The undisturbed run, and what it took."""

    folder: Path
    sent: int
    generated: Counter[str]
    judged: Counter[str]
    results: dict[str, Any]
    samples: dict[str, list[Any]]


@pytest.fixture(scope="module")
def reference(world: World, tmp_path_factory: pytest.TempPathFactory) -> Reference:
    folder = tmp_path_factory.mktemp("undisturbed")
    sent = world.mirror.sent
    run = world.start(folder)
    run.finish()
    results = results_of(folder)
    assert results["results"]["nejumi_jaster"]["score,none"] > 0
    assert results["results"]["nejumi_mtbench"]["unscored,none"] == 0
    assert sum(run.generated.values()) == 16 * LIMIT + 2 * LIMIT
    return Reference(folder, world.mirror.sent - sent, run.generated, run.judged, results, samples_of(folder))


CHOICE = random.Random(SEED)
FIRST_TURNS = 16 * LIMIT
SECOND_TURNS = FIRST_TURNS + LIMIT
POINTS = [
    ("download", CHOICE.uniform(0.05, 0.5)),
    ("download", CHOICE.uniform(0.5, 0.95)),
    ("conversion", CHOICE.uniform(0.0, 0.8)),
    ("writing", CHOICE.randint(1, 8)),
    ("generation", CHOICE.randint(1, FIRST_TURNS // 2)),
    ("generation", CHOICE.randint(FIRST_TURNS // 2, FIRST_TURNS)),
    ("generation", CHOICE.randint(FIRST_TURNS + 1, SECOND_TURNS)),
    ("generation", CHOICE.randint(SECOND_TURNS + 1, SECOND_TURNS + LIMIT)),
    ("judging", CHOICE.randint(1, LIMIT)),
    ("judging", CHOICE.randint(LIMIT, 2 * LIMIT)),
]
WIKI = "codeload.github.com"


def moment(phase: str, number: float, reference: Reference) -> Callable[[Running], bool]:
    """The condition under which the process is killed."""
    if phase == "download":
        start = None

        def downloaded(run: Running) -> bool:
            nonlocal start
            start = run.world.mirror.sent if start is None else start
            return run.world.mirror.sent - start >= number * reference.sent

        return downloaded
    if phase == "conversion":  # between the arrival of the archive that takes longest and its converted form

        def converting(run: Running) -> bool:
            raw = run.folder / "cache" / "raw" / WIKI
            return any(path.is_file() and path.suffix != ".part" for path in raw.rglob("*"))

        return converting
    if phase == "writing":
        seen: set[str] = set()

        def writing(run: Running) -> bool:
            seen.update(path.name for path in (run.folder / "cache" / "converted").glob("*.draft"))
            return len(seen) >= number

        return writing
    if phase == "generation":
        return lambda run: len(run.world.model.calls) - run.before[1] >= number
    return lambda run: len(run.world.judge.calls) - run.before[2] - 1 >= number  # one is the preflight


@pytest.mark.parametrize(
    ("phase", "number"), POINTS, ids=[f"{i}-{phase}" for i, (phase, _) in enumerate(POINTS)]
)
def test_a_killed_run_goes_on_and_pays_for_nothing_twice(
    world: World,
    reference: Reference,
    tmp_path: Path,
    phase: str,
    number: float,
    record_property: Callable[[str, object], None],
) -> None:
    if phase in {"generation", "judging"}:  # the data is there already
        for part in ("raw", "converted"):
            shutil.copytree(reference.folder / "cache" / part, tmp_path / "cache" / part)
    delay = {"conversion": number, "writing": 0.0}.get(phase, CHOICE.uniform(0, LATENCY))
    first = world.start(tmp_path)
    first.kill_when(moment(phase, number, reference), delay)
    done = Finished.of(tmp_path)
    assert not (tmp_path / "out").exists()
    # Where it struck, and what was lost: answers and judgments that were under way, no more than run at a time.
    lost_answers = {prompt for prompt in first.generated if answer_to(prompt) not in done.answers}
    lost_judgments = set(first.judged) - done.judgments
    assert len(lost_answers) <= CONCURRENCY
    assert len(lost_judgments) <= CONCURRENCY
    landed = {
        "download": len(done.files) < len(reference_files(reference)),
        "conversion": not any(name.startswith("wiki") for name in done.converted),
        "writing": len(done.converted) < len(list((reference.folder / "cache" / "converted").iterdir())),
        "generation": not done.judgments and bool(first.generated),
        "judging": len(done.judgments) < 2 * LIMIT and bool(first.judged),
    }
    assert landed[phase]
    second = world.start(tmp_path)
    second.finish()
    for name, value in {
        "files": len(done.files),
        "converted": len(done.converted),
        "answers": len(done.answers),
        "judgments": len(done.judgments),
        "answers in flight": len(lost_answers),
        "judgments in flight": len(lost_judgments),
    }.items():
        record_property(name, value)
        print(f"{name}: {value}", end="; ")  # noqa: T201  # shown with -s

    assert not set(second.fetched) & done.files
    again = Finished.of(tmp_path).converted
    assert {name: again[name] for name in done.converted} == done.converted, "nothing was converted again"
    assert second.generated == Counter(
        {
            prompt: times
            for prompt, times in reference.generated.items()
            if answer_to(prompt) not in done.answers
        }
    )
    assert second.judged == Counter(
        {request: times for request, times in reference.judged.items() if request not in done.judgments}
    )
    assert results_of(tmp_path) == reference.results
    assert samples_of(tmp_path) == reference.samples


def reference_files(reference: Reference) -> set[str]:
    return Finished.of(reference.folder).files


def test_chat_answers_are_kept_as_well(world: World, reference: Reference, tmp_path: Path) -> None:
    shutil.copytree(reference.folder / "cache" / "raw", tmp_path / "cache" / "raw")
    first = world.start(tmp_path, tasks="nejumi_mtbench", chat=True)
    first.kill_when(lambda run: sum(run.generated.values()) >= LIMIT + LIMIT // 2, LATENCY / 2)
    done = Finished.of(tmp_path).answers
    assert LIMIT + LIMIT // 2 - CONCURRENCY <= len(done) < 2 * LIMIT
    second = world.start(tmp_path, tasks="nejumi_mtbench", chat=True)
    second.finish()
    assert sum(second.generated.values()) == 2 * LIMIT - len(done)
    assert not {answer_to(prompt) for prompt in second.generated} & done
    assert results_of(tmp_path)["results"]["nejumi_mtbench"]["unscored,none"] == 0
