"""The engine's own cost, with generous limits; ``benchmarks/judge.py`` measures it exactly."""

import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from lm_eval_ja.judge import JudgeConfig, JudgmentStore, judge, preflight
from lm_eval_ja.judge._store import Record
from tests.judge_server import requests, set_environment

LATENCY = 0.5


@pytest.fixture
def address():
    """A server in a process of its own, so that CPU time here is the engine's alone."""
    script = Path(__file__).parents[1] / "judge_server.py"
    command = [sys.executable, str(script), "--latency", str(LATENCY)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().strip()
        process.stdin.close()


@pytest.mark.slow
@pytest.mark.parametrize(("number", "concurrency", "limit"), [(160, 32, 1.5), (6, 1, 1.1)])
def test_calls_overlap_and_cost_little(address, tmp_path, monkeypatch, number, concurrency, limit):
    set_environment(monkeypatch)
    config = JudgeConfig(base_url=address, concurrency=concurrency)
    preflight(config)
    wall, cpu = time.perf_counter(), time.process_time()
    judge(requests(number), config, tmp_path / "store.jsonl")
    assert time.perf_counter() - wall < limit * number / concurrency * LATENCY
    assert time.process_time() - cpu < 2


def test_memory_does_not_grow_with_the_store(tmp_path):
    store = JudgmentStore(tmp_path / "store.jsonl")
    for number in range(0, 10_000, 1_000):
        store.append(
            [
                Record(f"{n:064x}", "gpt-4", "", "", 0, "x" * 2_000, "stop", 5.0, None, 1, 1, 0.1, ())
                for n in range(number, number + 1_000)
            ]
        )
    tracemalloc.start()
    try:
        reader = JudgmentStore(store.path)
        (found,) = reader.find([f"{9_999:064x}"]).values()
        assert found.rating == 5.0
        size, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size < 20_000  # of 20 MB
    assert peak < 100_000  # a few lines
