"""Judging through batch APIs: same store and ratings as direct judging, nothing paid for twice, whatever happens."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lm_eval_ja.errors import JudgeError
from lm_eval_ja.judge import JudgeConfig, JudgmentStore, batches, judge
from tests.support.batch_servers import (
    BROKEN,
    CANCELLED,
    EXPIRED,
    MISSING,
    AnthropicProvider,
    OpenAIProvider,
    by_text,
    say_json,
)
from tests.support.judge_server import KEY, Answer, JudgeServer, fault, rating_of, requests, set_environment

REPOSITORY = Path(__file__).resolve().parents[2]
PROVIDERS = [OpenAIProvider, AnthropicProvider]
ITEMS = requests(6)


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    set_environment(monkeypatch)
    monkeypatch.delenv("ANTHROPIC_BASE_URL", raising=False)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setattr(batches, "_SETTLING", 0.0)


@pytest.fixture
def store(tmp_path):
    return JudgmentStore(tmp_path / "store.jsonl")


def config(server, provider, **settings):
    if isinstance(provider, AnthropicProvider):
        settings = {"api": "anthropic", "model": "claude-judge-1", **settings}
    return server.config(**{"max_retries": 1, **settings})


def record(store):
    """What the store has, but for what no two calls have in common."""
    lines = [json.loads(line) for line in store.path.read_text().splitlines()]
    for line in lines:
        line.pop("latency")
        line.pop("check")
    return sorted(lines, key=lambda line: line["key"])


def run(items, provider, server, store, **settings):
    """Submit, wait a day, collect."""
    own = config(server, provider, **settings)
    batches.submit(items, own, store)
    provider.finish()
    assert batches.collect(items, own, store) == []
    return batches.from_store(items, own, store)


each_provider = pytest.mark.parametrize("make", PROVIDERS)


@each_provider
def test_the_store_is_that_of_direct_judging(make, store, tmp_path):
    direct = JudgmentStore(tmp_path / "direct.jsonl")
    provider = make()
    with JudgeServer(provider) as server:
        judged = judge(ITEMS, config(server, provider, repeats=2), direct)
        provider.rated.clear()
        collected = run(ITEMS, provider, server, store, repeats=2)
        assert [j.rating for j in collected] == [j.rating for j in judged]
        assert record(store) == record(direct)
        assert set(provider.rated.values()) == {2}, "two repeats of each"
        again = judge(ITEMS, config(server, provider, repeats=2), store)
        assert all(judgment.cached for judgment in again)


@each_provider
def test_submitting_again_submits_nothing(make, store):
    provider = make()
    with JudgeServer(provider) as server:
        own = config(server, provider)
        first = batches.submit(ITEMS, own, store)
        assert (len(first.batches), first.judgments, first.waiting, first.cached) == (1, 6, 0, 0)
        second = batches.submit(ITEMS, own, store)
        assert (second.batches, second.judgments, second.waiting, second.cached) == ((), 0, 6, 0)
        (state,) = batches.status(ITEMS, own, store)
        assert not state.ended
        assert [state.name for state in batches.collect(ITEMS, own, store)] == list(first.batches)
        provider.finish()
        (state,) = batches.status(ITEMS, own, store)
        assert state.ended
        assert batches.status(requests(9)[7:], own, store) == [], "not theirs"
        assert batches.collect(ITEMS, own, store) == []
        assert batches.collect(ITEMS, own, store) == [], "collected once"
        third = batches.submit(ITEMS, own, store)
        assert (third.judgments, third.cached) == (0, 6)
        assert len(provider.batches) == 1


@each_provider
def test_only_what_is_missing_is_submitted(make, store):
    provider = make()
    with JudgeServer(provider) as server:
        own = config(server, provider)
        judge(ITEMS[:2], own, store)
        batches.submit(ITEMS[:4], own, store)
        batches.submit(ITEMS, own, store)
        provider.finish()
        batches.collect(ITEMS, own, store)
        assert [len(made.requests) for made in provider.batches] == [2, 2]
        assert {j.rating for j in batches.from_store(ITEMS, own, store)} == {
            rating_of(item) for item in ITEMS
        }
        assert max(provider.rated.values()) == 1


@each_provider
def test_direct_judging_leaves_alone_what_a_batch_was_asked_for(make, store):
    provider = make()
    with JudgeServer(provider) as server:
        own = config(server, provider)
        batches.submit(ITEMS[:4], own, store)
        judgments = judge(ITEMS, own, store)
        assert ["asked for in batch" in str(j.reason) for j in judgments] == [True] * 4 + [False] * 2
        provider.finish()
        batches.collect(ITEMS, own, store)
        assert all(j.rating for j in judge(ITEMS, own, store))
        assert max(provider.rated.values()) == 1


@each_provider
@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (EXPIRED, "the batch ended before its turn came"),
        (CANCELLED, "the batch ended before its turn came"),
        (BROKEN, "bad request"),
        (MISSING, "has no result for it"),
        ("no rating", "the reply holds no rating"),
    ],
)
def test_what_has_no_rating_says_why_and_is_asked_for_again(make, store, outcome, reason):
    provider = make(
        lambda messages: outcome if messages[-1]["content"] in {"q1", "q4"} else by_text(messages)
    )
    with JudgeServer(provider) as server:
        own = config(server, provider)
        judgments = run(ITEMS, provider, server, store)
        assert [j.rating is None for j in judgments] == [False, True, False, False, True, False]
        assert reason in judgments[1].reason
        provider.outcome = by_text
        assert batches.submit(ITEMS, own, store).judgments == 2
        provider.finish()
        assert batches.collect(ITEMS, own, store) == []
        assert [j.rating for j in batches.from_store(ITEMS, own, store)] == [
            rating_of(item) for item in ITEMS
        ]
    assert len(provider.batches[1].requests) == 2


def test_strict_mode_reads_the_first_of_several_replies(store, tmp_path):
    """As direct judging does: the reference asks once."""
    provider = OpenAIProvider(lambda messages: "no rating")
    with JudgeServer(provider) as server:
        run(ITEMS, provider, server, store)
        provider.outcome = by_text
        run(ITEMS, provider, server, store)
        own = config(server, provider)
        assert all(j.rating > 0 for j in batches.from_store(ITEMS, own, store))
        strict = batches.from_store(ITEMS, config(server, provider, strict=True), store)
        assert {(j.rating, j.text) for j in strict} == {(-1.0, "no rating")}


def test_a_batch_that_failed_as_a_whole_says_why(store):
    provider = OpenAIProvider()
    with JudgeServer(provider) as server:
        own = config(server, provider)
        batches.submit(ITEMS, own, store)
        provider.finish("failed")
        (state,) = batches.status(ITEMS, own, store)
        assert "failed: token_limit_exceeded: Enqueued token limit reached" in str(state)
        batches.collect(ITEMS, own, store)
        (reason,) = {j.reason for j in batches.from_store(ITEMS, own, store)}
        assert "token_limit_exceeded" in reason
        assert batches.submit(ITEMS, own, store).judgments == 6


@each_provider
@pytest.mark.parametrize("lost", ["request", "answer"])
def test_a_submission_of_unclear_end_is_looked_up(make, store, lost):
    """The server hangs up at the order, before or after it has taken it."""
    provider = make()

    def hang_up(call):
        if call.method == "POST" and call.path.endswith("/batches"):
            provider.before = lambda call: None
            if lost == "answer":
                provider.serve(call)
            return Answer(broken=True)
        return None

    provider.before = hang_up
    with JudgeServer(provider) as server:
        own = config(server, provider)
        with pytest.raises(JudgeError, match="run the same command again"):
            batches.submit(ITEMS, own, store)
        assert any("asked for in batch" in j.reason for j in judge(ITEMS[:1], own, store)), "may be paid for"
        if isinstance(provider, AnthropicProvider) and lost == "answer":
            # It cannot be recognised before it has ended.
            again = batches.submit(ITEMS, own, store)
            assert (again.judgments, again.waiting) == (0, 6)
            (state,) = batches.collect(ITEMS, own, store)
            assert "may be it, which will be known once that has ended" in str(state)
            provider.finish()
        assert batches.submit(ITEMS, own, store).judgments == (6 if lost == "request" else 0)
        provider.finish()
        assert batches.collect(ITEMS, own, store) == []
        assert [j.rating for j in batches.from_store(ITEMS, own, store)] == [
            rating_of(item) for item in ITEMS
        ]
    assert len(provider.batches) == 1
    assert set(provider.rated.values()) == {1}


def test_batches_of_others_are_not_taken_for_ours(store, tmp_path):
    """Anthropic's have no names of ours: another of the same size is told by what it answers."""
    provider = AnthropicProvider()
    with JudgeServer(provider) as server:
        own = config(server, provider)
        other = JudgmentStore(tmp_path / "other.jsonl")
        batches.submit(requests(12)[6:], own, other)  # older
        provider.finish()

        def hang_up(call):
            if call.method == "POST" and call.path.endswith("/batches"):
                provider.before = lambda call: None
                batch = {"custom_id": "x" * 64, "params": call.body["requests"][0]["params"]}
                six = [{**batch, "custom_id": f"{i}" * 64} for i in range(6)]
                provider.serve(type(call)(0, 0, call.path, call.headers, {"requests": six}))  # theirs, newer
                return Answer(broken=True)
            return None

        provider.before = hang_up
        with pytest.raises(JudgeError):
            batches.submit(ITEMS, own, store)
        assert batches.submit(ITEMS, own, store).judgments == 0, "it may be ours"
        provider.finish()
        assert batches.submit(ITEMS, own, store).judgments == 6, "it was not"


def test_a_batch_just_sent_is_looked_for_as_long_as_it_may_not_be_listed(store, monkeypatch):
    provider = OpenAIProvider()
    monkeypatch.setattr(batches, "_SETTLING", 60.0)
    slept = []
    monkeypatch.setattr(batches.time, "sleep", slept.append)

    def hang_up(call):
        if call.method == "POST" and call.path.endswith("/batches"):
            provider.before = lambda call: None
            return Answer(broken=True)
        return None

    provider.before = hang_up
    with JudgeServer(provider) as server:
        own = config(server, provider)
        with pytest.raises(JudgeError):
            batches.submit(ITEMS, own, store)
        (state,) = batches.status(ITEMS, own, store)
        assert "which is known in" in str(state)
        assert batches.submit(ITEMS, own, store).judgments == 6
    (wait,) = slept
    assert 0 < wait <= 60


@each_provider
@pytest.mark.parametrize(
    ("trouble", "calls"),
    [(fault(401, "no"), 1), (fault(400, "no"), 1), (fault(413, "no"), 1), (fault(429, "no"), 2)],
)
def test_a_refused_batch_leaves_nothing_behind(make, store, trouble, calls):
    """A plain refusal: tried again where that may help, and otherwise free to be asked for."""
    provider = make()
    seen = []

    def refuse(call):
        if call.method == "POST" and call.path.endswith("/batches"):
            seen.append(call)
            return trouble
        return None

    provider.before = refuse
    with JudgeServer(provider) as server:
        own = config(server, provider)
        with pytest.raises(JudgeError, match="cannot take a batch: "):
            batches.submit(ITEMS, own, store)
        assert len(seen) == calls
        assert batches.status(ITEMS, own, store) == []
        provider.before = lambda call: None
        assert batches.submit(ITEMS, own, store).judgments == 6


@each_provider
def test_passing_troubles_while_asking_and_collecting_are_tried_again(make, store):
    provider = make()
    seen = set()

    def stumble(call):
        if call.method == "GET" and call.path not in seen:
            seen.add(call.path)
            return fault(503, "later")
        return None

    provider.before = stumble
    with JudgeServer(provider) as server:
        judgments = run(ITEMS, provider, server, store)
    assert [j.rating for j in judgments] == [rating_of(item) for item in ITEMS]
    assert len(seen) >= 2


@each_provider
def test_damaged_lines_of_results_cost_what_they_hold(make, store):
    provider = make()
    with JudgeServer(provider) as server:
        own = config(server, provider)
        batches.submit(ITEMS, own, store)
        provider.finish()

        def damage(call):
            if call.path.endswith(("/content", "/results")):
                lines = provider.serve(call).body.splitlines()
                odd = [
                    b"",
                    b"[]",
                    b"nonsense",
                    b'{"custom_id": 5}',
                    b"[" * 5000,
                    lines[0][:-9],
                    *lines[1:],
                    lines[1],
                ]
                return Answer(body=b"\n".join(odd))
            return None

        provider.before = damage
        batches.collect(ITEMS, own, store)
        judgments = batches.from_store(ITEMS, own, store)
    assert sum(j.rating is not None for j in judgments) == 5
    assert len(record(store)) == 5


@each_provider
def test_the_judges_dialect_is_found_before_anything_is_submitted(make, store):
    provider = make()

    def picky(call):
        body = call.body
        if "temperature" in body:
            return fault(400, "temperature is deprecated for this model", param="temperature")
        return None

    provider.before = picky
    with JudgeServer(provider) as server:
        judgments = run(ITEMS, provider, server, store)
    assert all("temperature" not in str(made.requests) for made in provider.batches)
    assert {j.adaptations for j in judgments} == {("temperature=0 refused: judge's default used",)}


@each_provider
def test_a_judge_that_cannot_be_used_gets_no_batch(make, store):
    provider = make()
    provider.before = lambda call: fault(401, "no") if "messages" in call.body else None
    with JudgeServer(provider) as server, pytest.raises(JudgeError, match="The key is refused"):
        batches.submit(ITEMS, config(server, provider), store)
    assert provider.batches == []
    assert not list(store.path.parent.glob("*.batches/*.json"))


@each_provider
def test_many_requests_become_several_batches(make, store, monkeypatch):
    monkeypatch.setattr(batches, "_BATCH_REQUESTS", 4)
    provider = make()
    with JudgeServer(provider) as server:
        judgments = run(ITEMS, provider, server, store)
        assert [len(made.requests) for made in provider.batches] == [4, 2]
    assert all(j.rating for j in judgments)


def test_the_listing_is_read_to_its_end(store, monkeypatch):
    """A hundred batches of others came after ours."""
    provider = OpenAIProvider()

    def hang_up(call):
        if call.method == "POST" and call.path.endswith("/batches"):
            provider.before = lambda call: None
            answer = provider.serve(call)
            made = provider.batches[-1]
            provider.batches += [type(made)(f"batch_x{i}", {}, "completed") for i in range(250)]
            assert answer
            return Answer(broken=True)
        return None

    provider.before = hang_up
    with JudgeServer(provider) as server:
        own = config(server, provider)
        with pytest.raises(JudgeError):
            batches.submit(ITEMS, own, store)
        assert batches.submit(ITEMS, own, store).waiting == 6


def test_a_batch_that_is_gone_is_named_with_its_file(store):
    provider = OpenAIProvider()
    with JudgeServer(provider) as server:
        own = config(server, provider)
        batches.submit(ITEMS, own, store)
        provider.batches.clear()
        with pytest.raises(JudgeError, match=r"another account's key.*store\.jsonl\.batches/\w+\.json"):
            batches.collect(ITEMS, own, store)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"tag": 1}', "null"])
def test_a_damaged_note_stops_everything_that_could_pay_twice(store, content):
    provider = OpenAIProvider()
    with JudgeServer(provider) as server:
        own = config(server, provider)
        batches.submit(ITEMS, own, store)
        (note,) = store.path.parent.glob("*.batches/*.json")
        note.write_text(content)
        for action in (batches.submit, batches.collect, batches.status, judge):
            with pytest.raises(JudgeError, match="cannot be read"):
                action(ITEMS, own, store)
    assert sum(provider.rated.values()) == 0


def test_azure_has_no_batches_here(monkeypatch, store):
    monkeypatch.setenv("OPENAI_API_TYPE", "azure")
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OPENAI_API_VERSION", "2024-06-01")
    with pytest.raises(JudgeError, match="batches on Azure are not supported"):
        batches.submit(ITEMS, JudgeConfig(), store)


def test_odd_answers_of_the_provider_are_errors_with_its_name(store):
    provider = OpenAIProvider()
    with JudgeServer(provider) as server:
        own = config(server, provider)
        provider.before = lambda call: say_json({"id": "../../x"}) if call.path.endswith("/batches") else None
        with pytest.raises(JudgeError, match="did not name the batch"):
            batches.submit(ITEMS, own, store)
        provider.before = lambda call: Answer(body=b"[" * 9999) if call.method == "GET" else None
        with pytest.raises(JudgeError, match="gives an answer that cannot be read"):
            batches.submit(ITEMS, own, store)


def test_two_submissions_at_once_submit_each_judgment_once(store):
    provider = OpenAIProvider()
    with JudgeServer(provider, latency=0.05) as server:
        own = config(server, provider)
        threads = [threading.Thread(target=batches.submit, args=(ITEMS, own, store)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        provider.finish()
        batches.collect(ITEMS, own, store)
    assert set(provider.rated.values()) == {1}


KILLER = """
import os, sys
import openai
from lm_eval_ja.judge import JudgeConfig, JudgmentStore, batches
from lm_eval_ja.judge import _client, _transport
from tests.support.judge_server import requests

batches._SETTLING = 0.0
api, url, path = sys.argv[1:4]
settings = {"api": "anthropic", "model": "claude-judge-1"} if api == "anthropic" else {}
config = JudgeConfig(base_url=url, max_retries=0, **settings)
_transport.Connections(openai)  # reads certificates, once for all
steps = {"submit": batches.submit, "collect": batches.collect}

def go(step, fatal):
    'One command in a process of its own that is killed at one of its calls and writes; how many it made, or None.'
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        count = 0

        def deadly(function):
            def call(*args, **more):
                nonlocal count
                count += 1
                if count == fatal:
                    os.kill(os.getpid(), 9)
                return function(*args, **more)
            return call

        _client.JudgeClient.exchange = deadly(_client.JudgeClient.exchange)
        os.replace, os.fsync, os.unlink = deadly(os.replace), deadly(os.fsync), deadly(os.unlink)
        steps[step](requests(3), config, JudgmentStore(path))
        os.write(write, str(count).encode())
        os._exit(0)
    os.close(write)
    status = os.waitpid(child, 0)[1]
    made = os.read(read, 100).decode()
    os.close(read)
    return int(made) if made and status == 0 else (None if os.WIFSIGNALED(status) else -1)

for line in sys.stdin:
    step, fatal = line.split()
    print(go(step, int(fatal)), flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@each_provider
def test_killed_at_any_point_nothing_is_paid_for_twice(make, tmp_path):
    """kill -9 before every call to the provider and every step of every durable write, of both commands."""
    provider = make()
    points = {"submit": 0, "collect": 0}
    with JudgeServer(provider) as server:
        api = "anthropic" if make is AnthropicProvider else "openai"
        store = JudgmentStore(tmp_path / "store.jsonl")
        process = subprocess.Popen(
            [sys.executable, "-c", KILLER, api, server.url, str(store.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
        )

        def command(step, fatal=0):
            process.stdin.write(f"{step} {fatal}\n")
            process.stdin.flush()
            result = process.stdout.readline().strip()
            assert result != "-1", "it failed otherwise"
            return result != "None"

        own = JudgeConfig(
            base_url=server.url, api=api, **({"model": "claude-judge-1"} if api != "openai" else {})
        )
        for step in list(points):
            while True:
                points[step] += 1
                survived = command("submit", points[step] if step == "submit" else 0)
                provider.finish()
                if step == "collect":
                    survived = command("collect", points[step])
                else:
                    command("submit")  # finds the batch, or submits it
                    provider.finish()
                command("collect")
                judgments = batches.from_store(requests(3), own, store)
                reasons = (step, points[step], [j.reason for j in judgments])
                assert [j.rating for j in judgments] == [rating_of(item) for item in requests(3)], reasons
                assert set(provider.rated.values()) == {1}, (step, points[step], provider.rated)
                assert len(record(store)) == 3
                provider.rated.clear()
                store.path.unlink()
                for left in store.path.parent.glob("*.batches/*/*.json"):
                    left.unlink()
                if survived:
                    break
        process.stdin.close()
        process.wait(10)
    assert min(points.values()) > 5, points  # an older filelock removes no lock files: fewer steps
