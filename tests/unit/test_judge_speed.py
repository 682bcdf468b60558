"""What the engine holds and how much it does at a time; ``benchmarks/parts/judge.py`` measures how fast."""

import threading
import tracemalloc
from dataclasses import replace

from lm_eval_ja.judge import JudgmentStore, _saver, judge
from lm_eval_ja.judge._store import Record
from tests.support.judge_server import JudgeServer, rate, requests, set_environment


def test_all_calls_that_are_allowed_are_made_at_once(tmp_path, monkeypatch):
    """No answer comes before all workers have asked: a run that held one back would not end."""
    set_environment(monkeypatch)

    def script(call):
        return replace(rate(call), until=lambda: len(server.calls) >= 32)

    with JudgeServer(script) as server:
        judge(requests(160), server.config(concurrency=32), tmp_path / "store.jsonl")
        assert len(server.calls) == 160
        assert server.most_at_once == 32


def test_one_connection_serves_all_calls_of_a_worker(tmp_path, monkeypatch):
    set_environment(monkeypatch)
    with JudgeServer() as server:
        judge(requests(40), server.config(concurrency=4), tmp_path / "store.jsonl")
        assert server.connections == 4


def test_one_flush_serves_all_judgments_that_wait_for_it(tmp_path, monkeypatch):
    set_environment(monkeypatch)
    waiting, batches = [], []
    all_wait = threading.Event()
    save = _saver.Saver.save

    def noted(self, record):
        waiting.append(record)
        if len(waiting) == 32:
            all_wait.set()
        save(self, record)

    class Store(JudgmentStore):
        def append(self, records):
            batches.append(len(records))
            assert all_wait.wait(120)
            super().append(records)

    monkeypatch.setattr(_saver.Saver, "save", noted)
    with JudgeServer() as server:
        judge(requests(32), server.config(concurrency=32), Store(tmp_path / "store.jsonl"))
    assert sum(batches) == 32
    assert len(batches) <= 3  # all that came during the first one, but for one that was late for its queue


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
