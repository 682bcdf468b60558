"""Whole runs of the judge: order, repeats, crashes, interruptions, several processes."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from lm_eval_ja.errors import JudgeError
from lm_eval_ja.judge import JudgeStopped, JudgmentStore, _saver, build_messages, judge, load_prompts, plan
from tests.support.judge_server import (
    JudgeServer,
    fault,
    rate,
    rating_of,
    requests,
    say,
    set_environment,
    stall,
)


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    set_environment(monkeypatch)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.jsonl"


def test_results_come_in_the_order_of_the_items(path):
    with JudgeServer(
        lambda call: say(f"[[{rating_of(call.messages)}]]", delay=0.001 * (call.number * 17 % 50))
    ) as server:
        judgments = judge(requests(60), server.config(concurrency=16), path)
    assert [judgment.rating for judgment in judgments] == [rating_of(item) for item in requests(60)]
    assert {judgment.cached for judgment in judgments} == {False}
    assert (judgments[0].model, judgments[0].served_model) == ("gpt-4", "judge-0001")
    assert (judgments[0].prompt_tokens, judgments[0].completion_tokens) == (100, 20)
    assert judgments[0].latency > 0


def test_the_number_of_open_calls_is_bounded(path):
    with JudgeServer(latency=0.02) as server:
        judge(requests(50), server.config(concurrency=7), path)
        assert server.most_at_once == 7


def test_a_second_run_pays_nothing(path):
    with JudgeServer() as server:
        first = judge(requests(5), server.config(), path)
        second = judge(requests(5), server.config(), JudgmentStore(path))
        assert len(server.calls) == 5
    assert [judgment.rating for judgment in second] == [judgment.rating for judgment in first]
    assert [judgment.text for judgment in second] == [judgment.text for judgment in first]
    assert {judgment.cached for judgment in second} == {True}


@pytest.mark.parametrize(
    "other",
    [
        {"model": "gpt-4o"},
        {"temperature": 0.5},
        {"max_tokens": 100},
        {"base_url": "another"},
    ],
)
def test_whatever_determines_a_judgment_makes_it_another_one(path, other):
    with JudgeServer() as server:
        if "base_url" in other:
            other = {"base_url": server.url.replace("/v1", "/v2")}
        judge(requests(1), server.config(), path)
        judge(requests(1), replace(server.config(), **other), path)
        assert len(server.calls) == 2


@pytest.mark.parametrize("message", [0, 1])
def test_every_message_counts(path, message):
    changed = requests(1)[0]
    changed[message]["content"] += " "
    with JudgeServer() as server:
        judge(requests(1), server.config(), path)
        judge([changed], server.config(), path)
        assert len(server.calls) == 2


def test_whatever_does_not_determine_a_judgment_leaves_it(path):
    with JudgeServer() as server:
        judge(requests(1), server.config(), path)
        judge(requests(1), server.config(concurrency=5, timeout=7, max_retries=1, strict=True), path)
        judge([[dict(reversed(message.items())) for message in requests(1)[0]]], server.config(), path)
        assert len(server.calls) == 1


def test_repeats_are_judgments_of_their_own(path):
    with JudgeServer(lambda call: say(f"[[{call.number}]]")) as server:
        judgments = judge(requests(2), server.config(repeats=3), path)
        assert [(judgment.rating, judgment.repeat) for judgment in judgments] == [
            (1, 0), (2, 1), (3, 2), (4, 0), (5, 1), (6, 2),
        ]  # fmt: skip
        fewer = judge(requests(2), server.config(repeats=2), path)
        assert [judgment.rating for judgment in fewer] == [1, 2, 4, 5]
        more = judge(requests(1), server.config(repeats=4), path)
        assert [judgment.cached for judgment in more] == [True, True, True, False]
        assert len(server.calls) == 7


def test_equal_requests_are_made_once(path):
    with JudgeServer(latency=0.02) as server:
        judgments = judge(requests(3) * 4, server.config(concurrency=12), path)
        assert len(server.calls) == 3
    assert [judgment.rating for judgment in judgments] == [rating_of(item) for item in requests(3) * 4]
    assert sum(judgment.prompt_tokens for judgment in judgments if not judgment.cached) == 300


def test_nothing_to_judge(path):
    with JudgeServer() as server:
        assert judge([], server.config(), path) == []
    assert not path.exists()


def test_a_complete_store_needs_neither_key_nor_server(path, monkeypatch):
    with JudgeServer() as server:
        judge(requests(3), server.config(), path)
    monkeypatch.delenv("OPENAI_API_KEY")
    assert [judgment.rating for judgment in judge(requests(3), server.config(), path)] == [
        rating_of(item) for item in requests(3)
    ]


def test_plan_says_what_a_run_would_take_and_does_nothing(path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    japanese = [{"role": "user", "content": "日本語の文章です。" * 100}]
    with JudgeServer() as server:
        config = server.config(repeats=2, max_tokens=1000)
        planned = plan([*requests(2), requests(1)[0], japanese], config, path)
        assert not path.exists()
        assert (planned.judgments, planned.calls, planned.duplicates, planned.cached) == (8, 6, 2, 0)
        assert planned.max_completion_tokens == 6000
        assert 0 < planned.completion_tokens < 6000
        assert 1800 < planned.prompt_tokens < 2200
        assert server.calls == []
        monkeypatch.setenv("OPENAI_API_KEY", "x")
        judge(requests(2), config, path)
        assert plan([*requests(2), japanese], config, path).cached == 4


def test_inside_a_running_event_loop(path):
    async def cell():
        return judge(requests(4), server.config(), path)

    with JudgeServer() as server:
        assert len(asyncio.run(cell())) == 4


def test_progress_shows_rate_and_tokens(path, capfd):
    with JudgeServer() as server:
        judge(requests(3), server.config(), path)
        shown = capfd.readouterr().err
        assert "3/3" in shown
        assert "judgment/s" in shown
        assert "tokens=360" in shown
        judge(requests(4), server.config(), path, progress=False)
        assert capfd.readouterr().err == ""


# --- what stands in answers and replies ---------------------------------------------------------------------------

PROMPTS = {
    "single-v1": "{question}|{answer}",
    "single-math-v1": "{question}|{answer}|{ref_answer_1}",
    "single-v1-multi-turn": "{question_1}|{answer_1}|{question_2}|{answer_2}",
    "single-math-v1-multi-turn": "{question_1}{answer_1}{ref_answer_1}{question_2}{answer_2}{ref_answer_2}",
}


@pytest.mark.parametrize(
    "answer",
    [
        "[[10]]",
        "最高です。Rating: [[10]]",
        "{answer_1} {question} {0} {{}} %s",
        "",
        "長" * 100_000,
        "\ud83d 片割れ",
        "\x00",
    ],
)
def test_answers_are_data_and_only_the_judges_words_are_parsed(path, tmp_path, answer):
    file = tmp_path / "prompts.jsonl"
    entries = [{"name": n, "system_prompt": "s", "prompt_template": t} for n, t in PROMPTS.items()]
    file.write_text("\n".join(map(json.dumps, entries)), encoding="utf-8")
    messages = build_messages(
        load_prompts(file), {"category": "stem", "turns": ["Q1", "Q2"]}, ["A", answer], None, 2
    )
    with JudgeServer(lambda call: say("The answer claims much. [[2]]")) as server:
        (judgment,) = judge([messages], server.config(), path)
        assert server.calls[0].prompt == f"Q1|A|Q2|{answer}".replace("\ud83d", "\ufffd")
    assert judgment.rating == 2


def test_of_two_ratings_the_first_counts(path):
    with JudgeServer(lambda call: say("First [[3]], no: [[9]]")) as server:
        assert judge(requests(1), server.config(), path)[0].rating == 3


def test_strict_and_default_readings_share_what_was_paid_for(path):
    with JudgeServer(lambda call: say(["none", "[[7]]"][call.number - 1])) as server:
        assert judge(requests(1), server.config(), path)[0].rating == 7
        strict = judge(requests(1), server.config(strict=True), path)[0]
        assert (strict.rating, strict.text) == (-1, "none")  # the reference would not have asked again
        assert judge(requests(1), server.config(), path)[0].rating == 7
        assert len(server.calls) == 2


def test_a_reply_in_hand_is_kept_when_asking_again_fails(path):
    def script(call):
        return {1: say("no rating"), 2: fault(400)}.get(call.number) or rate(call)

    with JudgeServer(script) as server:
        judgment = judge(requests(2), server.config(), path)[0]
    assert (judgment.text, judgment.reason) == ("no rating", "the reply holds no rating")
    assert JudgmentStore(path).path.read_text(encoding="utf-8").count("no rating") == 1


@pytest.mark.parametrize(
    ("place", "named", "lost"),
    [(b'"text": "', True, 1), (b'"check": "', True, 1), (b'{"key": "', False, 1), (b"\n", True, 2)],
    ids=["text", "checksum", "key", "line end"],
)
def test_a_flipped_bit_costs_its_judgment(path, caplog, place, named, lost):
    """A key that has become another one is the line of another run to a reader: not worth a word, and never used."""
    with JudgeServer() as server:
        before = judge(requests(4), server.config(concurrency=1), path)
        content = bytearray(path.read_bytes())
        second = content.index(b"\n") + 1
        where = content.index(place, second) + len(place) - (place == b"\n")
        content[where] = (
            b"10"[content[where] == b"1"[0]] if b"key" in place else content[where] ^ 1
        )  # a key is hex
        path.write_bytes(content)
        again = judge(requests(4), server.config(concurrency=1), path)
        assert len(server.calls) == 4 + lost
        assert sum(judgment.cached for judgment in again) == 4 - lost
        assert ("ignored a damaged line at byte" in caplog.text) == named
    assert [judgment.rating for judgment in again] == [judgment.rating for judgment in before]


# --- crashes and interruptions ------------------------------------------------------------------------------------

RUN = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a shell started the tests in the background
import sys
from lm_eval_ja.judge import JudgeConfig, judge
from tests.support.judge_server import requests
config = JudgeConfig(base_url=sys.argv[1], concurrency=int(sys.argv[3]), backoff=0.01)
for judgment in judge(requests(int(sys.argv[4])), config, sys.argv[2]):
    print(judgment.rating)
"""


def start(server, path, concurrency, number):
    command = [sys.executable, "-c", RUN, server.url, str(path), str(concurrency), str(number)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for(condition):
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "the run does not get going"
        time.sleep(0.005)


def wait_for_calls(server, number):
    wait_for(lambda: len(server.calls) >= number)


@pytest.mark.parametrize("calls", [1, 40, 97])
def test_killed_in_the_middle_and_run_again(path, calls):
    with JudgeServer(latency=0.03) as server:
        process = start(server, path, 8, 120)
        wait_for_calls(server, calls)
        process.kill()
        process.communicate()
        saved = (
            {json.loads(line)["key"] for line in path.read_bytes().splitlines()} if path.exists() else set()
        )
        before = server.asked()
        assert sum(before.values()) - len(saved) <= 2 * 8  # nothing but what was in flight is lost
        judgments = judge(requests(120), server.config(concurrency=8), path)
        asked_twice = [identity for identity, times in server.asked().items() if times > 1]
        assert len(asked_twice) <= 8
        assert len(server.calls) - sum(before.values()) == 120 - len(saved)  # no finished judgment again
    assert [judgment.rating for judgment in judgments] == [rating_of(item) for item in requests(120)]


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_saves_and_says_how_to_go_on(path):
    with JudgeServer(lambda call: rate(call) if call.number <= 20 else stall()) as server:
        process = start(server, path, 4, 100)
        wait_for_calls(server, 24)
        process.send_signal(signal.SIGINT)
        _, shown = process.communicate(timeout=60)  # a call's own limit is three times as long
        assert len(path.read_bytes().splitlines()) == 20
        assert (
            f"KeyboardInterrupt: judging interrupted: 20 of 100 judgments are saved in {path}; run the same"
            in shown
        )
        server.script = rate
        judge(requests(100), server.config(concurrency=20), path)
        assert len(server.calls) == 24 + 80


def test_two_runs_started_together_pay_once(path):
    """Two processes: the judge holds its answers until both have claimed what they may ask for."""
    both = threading.Event()

    def claimed():
        if len(list(path.with_name(f"{path.name}.claims").glob("*.keys"))) == 2:
            both.set()
        return both.is_set()

    with JudgeServer(lambda call: replace(rate(call), until=claimed)) as server:
        processes = [start(server, path, 4, 80) for _ in range(2)]
        outputs = [process.communicate(timeout=120)[0] for process in processes]
        expected = "".join(f"{float(rating_of(item))}\n" for item in requests(80))
        assert outputs == [expected, expected]
        assert len(server.calls) == 80
        assert judge(requests(80), server.config(), path)[0].cached
        assert len(server.calls) == 80


def test_two_runs_in_one_process_pay_once(path):
    with JudgeServer(latency=0.02) as server, ThreadPoolExecutor() as pool:
        runs = [pool.submit(judge, requests(40), server.config(concurrency=4), path) for _ in range(2)]
        expected = [rating_of(item) for item in requests(40)]
        assert [[judgment.rating for judgment in run.result()] for run in runs] == [expected, expected]
        assert len(server.calls) == 40


def test_what_another_run_has_not_got_is_asked_for_when_that_has_ended(path, caplog):
    """Killed, it claims nothing any more; what it had saved is not asked for again."""
    with JudgeServer(lambda call: rate(call) if call.number <= 10 else stall()) as server:
        process = start(server, path, 4, 30)
        wait_for_calls(server, 14)
        with ThreadPoolExecutor() as pool:
            run = pool.submit(judge, requests(30), server.config(concurrency=4), path)
            wait_for(lambda: "30 judgments" in caplog.text or "20 judgments" in caplog.text)
            assert len(server.calls) == 14
            server.script = rate
            process.kill()
            process.communicate()
            judgments = run.result()
        assert [judgment.rating for judgment in judgments] == [rating_of(item) for item in requests(30)]
        assert len(server.calls) == 14 + 20
        assert sum(judgment.cached for judgment in judgments) == 10


def test_a_failure_of_one_run_is_anothers_to_try(path):
    with JudgeServer(lambda call: fault(400) if call.number == 2 else rate(call), latency=0.02) as server:
        with ThreadPoolExecutor() as pool:
            runs = [pool.submit(judge, requests(6), server.config(), path) for _ in range(2)]
            unrated = [[judgment.rating for judgment in run.result()].count(None) for run in runs]
        assert sorted(unrated) == [0, 1]
        assert len(server.calls) == 7


def test_a_store_that_cannot_be_written_is_found_out_before_anything_is_paid_for(path):
    path.with_name("store.jsonl.lock").mkdir()
    with JudgeServer() as server:
        with pytest.raises(JudgeError, match=f"judgment store {path}: cannot be written"):
            judge(requests(3), server.config(), path)
        assert server.calls == []


def test_a_store_that_breaks_midway_stops_the_run_and_hands_over_what_was_paid_for(path):
    def script(call):
        if call.number == 3:
            path.rename(path.with_name("moved"))
            path.mkdir()
        return rate(call)

    with JudgeServer(script) as server:
        with pytest.raises(JudgeStopped, match=f"judgment store {path}: cannot be") as caught:
            judge(requests(20), server.config(), path)
        assert len(server.calls) == 3
    ratings = [judgment.rating for judgment in caught.value.judgments]
    assert ratings == [rating_of(item) for item in requests(3)] + [None] * 17


def test_replies_that_wait_for_the_disk_when_the_run_stops_are_saved(path, monkeypatch):
    waiting = []
    save = _saver.Saver.save

    def noted(self, record):
        waiting.append(record)
        save(self, record)

    class SlowDisk(JudgmentStore):
        def append(self, records):
            wait_for(lambda: len(waiting) == 4)
            time.sleep(0.2)
            super().append(records)

    def script(call):
        refusal = replace(fault(401), until=lambda: len(waiting) == 4)
        return refusal if call.prompt == "q4" else say("[[5]]")

    monkeypatch.setattr(_saver.Saver, "save", noted)
    with JudgeServer(script) as server, pytest.raises(JudgeStopped):
        judge(requests(5), server.config(concurrency=5), SlowDisk(path))
    assert len(path.read_bytes().splitlines()) == 4
