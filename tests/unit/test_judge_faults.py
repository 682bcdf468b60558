"""Every way a judge can fail, against a real server on 127.0.0.1."""

import itertools
import re
import time
from dataclasses import replace
from email.utils import formatdate

import pytest

from lm_eval_ja.judge import JudgeStopped, JudgmentStore, judge
from tests.support.judge_server import (
    JudgeServer,
    fault,
    rate,
    raw,
    requests,
    reset,
    say,
    set_environment,
    stall,
    trickle,
)


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    set_environment(monkeypatch)


@pytest.fixture
def store(tmp_path):
    return JudgmentStore(tmp_path / "store.jsonl")


def on_calls(answers):
    """A script: these answers to the calls with these numbers, ordinary ones to the others."""
    return lambda call: answers.get(call.number) or rate(call)


def on_prompts(answers):
    """A script: these answers to these prompts, ordinary ones to the others."""
    return lambda call: answers.get(call.prompt) or rate(call)


TRANSIENT = {
    "429": fault(429),
    "429 with Retry-After": fault(429, headers={"retry-after": "0"}),
    "500": fault(500),
    "503": fault(503),
    "503 that is not JSON": raw(b"<html>upstream</html>", 503),
    "connection reset": reset(),
    "invalid JSON": raw(b'{"choices": [{"mess'),
    "not a completion": raw(b"[]"),
    "no choices": raw(b'{"choices": []}'),
    "error with status 200": raw(b'{"error": {"message": "overloaded", "code": 503}}'),
    "stalled": stall(),
    "trickling": trickle(),
}


def limit(name):
    """Seconds for a call: few where the limit is what the test is about, and many where it is not."""
    return {"timeout": 2 if name in {"stalled", "trickling"} else 60}


@pytest.mark.parametrize("name", TRANSIENT)
def test_what_may_pass_is_tried_again(name, store):
    with JudgeServer(on_calls({2: TRANSIENT[name], 3: TRANSIENT[name]})) as server:
        judgments = judge(requests(3), server.config(**limit(name)), store)
        assert [judgment.reason for judgment in judgments] == [None] * 3
        assert len(server.calls) == 5


@pytest.mark.parametrize("name", TRANSIENT)
def test_what_does_not_pass_is_unscored_with_a_reason_until_the_next_run(name, store):
    with JudgeServer(on_prompts({"q1": TRANSIENT[name]})) as server:
        judgments = judge(requests(4), server.config(**limit(name), max_retries=2), store)
        assert [judgment.rating is None for judgment in judgments] == [False, True, False, False]
        assert judgments[1].reason.endswith("(3 tries)")
        assert len(server.calls) == 6
        server.script = rate
        assert all(judgment.rating for judgment in judge(requests(4), server.config(), store))
        assert len(server.calls) == 7


def test_rate_limits_cost_no_retries_while_other_calls_get_through(store):
    refusals = 0

    def script(call):
        nonlocal refusals
        if call.prompt == "q0" and refusals < 8:
            refusals += 1
            # Once the other worker has come twice, the first of its answers is known to have got through.
            return replace(fault(429), until=lambda: len(server.calls) >= call.number + 2)
        return rate(call)

    with JudgeServer(script) as server:
        judgments = judge(requests(200), server.config(concurrency=2, max_retries=2), store)
    assert refusals == 8
    assert all(judgment.rating for judgment in judgments)


@pytest.mark.parametrize(
    ("headers", "at_least"),
    [
        ({"retry-after": "1"}, 1.0),
        ({"retry-after-ms": "700", "retry-after": "60"}, 0.7),
        ({"retry-after": "date"}, 0.9),
        ({"retry-after": "soon"}, 0.0),
    ],
)
def test_every_call_waits_as_long_as_the_server_asks(headers, at_least, store):
    def script(call):
        if call.number == 1:
            if headers["retry-after"] == "date":  # whole seconds: the next one but one is 1 to 2 s away
                headers["retry-after"] = formatdate(int(time.time()) + 2, usegmt=True)
            return replace(fault(429, headers=headers), until=lambda: len(server.calls) == 2)
        # The other worker's answer comes when the refusal is known; its next call has to wait, too.
        return replace(rate(call), delay=0.5 if call.number == 2 else 0)

    with JudgeServer(script) as server:
        judgments = judge(requests(6), server.config(concurrency=2), store)
        assert all(judgment.rating for judgment in judgments)
        first, _, *others = server.calls
    assert len(others) == 5
    assert min(call.time for call in others) - first.time >= at_least


def test_a_server_that_asks_to_wait_for_an_hour_is_not_waited_for(store):
    with (
        JudgeServer(lambda call: fault(429, headers={"retry-after": "3600"})) as server,
        pytest.raises(JudgeStopped, match="asks to wait 3600 s"),
    ):
        judge(requests(2), server.config(), store)
    assert len(server.calls) == 1


STOPPERS = {
    "wrong key": (
        fault(401, "Incorrect API key provided", code="invalid_api_key"),
        "check the value of OPENAI_API_KEY",
    ),
    "no quota": (fault(429, "You exceeded your current quota", code="insufficient_quota"), "no quota left"),
    "unpaid": (fault(402, "Payment required"), "no quota left"),
    "unknown model": (
        fault(404, "The model does not exist", code="model_not_found"),
        "model's name .'gpt-4'.",
    ),
    "no access": (fault(403, "No access to model"), "Check that the key may use the model 'gpt-4'"),
}


@pytest.mark.parametrize("name", STOPPERS)
def test_what_fails_for_every_call_stops_at_once(name, store):
    answer, advice = STOPPERS[name]
    with JudgeServer(lambda call: answer) as server:
        with pytest.raises(JudgeStopped, match=advice) as caught:
            judge(requests(20), server.config(), store)
        assert len(server.calls) == 1  # exactly: no retry, and no second item
    assert len(caught.value.judgments) == 20
    assert all(judgment.reason.startswith("not judged: HTTP") for judgment in caught.value.judgments)


def test_a_key_that_is_withdrawn_midway_keeps_what_is_finished(store):
    with JudgeServer(lambda call: rate(call) if call.number <= 5 else fault(401)) as server:
        with pytest.raises(JudgeStopped, match="5 of 9 judgments are done; run again") as caught:
            judge(requests(9), server.config(), store)
        assert len(server.calls) == 6
        assert [judgment.rating is not None for judgment in caught.value.judgments] == [True] * 5 + [
            False
        ] * 4
        server.script = rate
        judge(requests(9), server.config(), store)
        assert max(server.asked().values()) == 2  # the one that met the 401
        assert len(server.calls) == 10


@pytest.mark.parametrize(("answer", "most"), [(fault(500), 4), (reset(), 4), (stall(), 2), (fault(400), 5)])
def test_a_judge_that_never_answers_is_given_up_early(answer, most, store):
    with JudgeServer(lambda call: answer) as server:
        with pytest.raises(JudgeStopped, match="0 of 100 judgments are done"):
            judge(requests(100), server.config(timeout=0.3), store)
        assert len(server.calls) == most


def test_a_judge_that_dies_midway_is_given_up(store):
    with JudgeServer(lambda call: rate(call) if call.number <= 3 else fault(503)) as server:
        with pytest.raises(JudgeStopped, match="3 of 100 judgments are done"):
            judge(requests(100), server.config(max_retries=1), store)
        assert len(server.calls) == 3 + 5 * 2


def test_failures_among_successes_do_not_stop_the_run(store):
    with JudgeServer(on_prompts({f"q{i}": fault(500) for i in range(1, 40, 2)})) as server:
        judgments = judge(requests(40), server.config(max_retries=0), store)
    assert [judgment.rating is None for judgment in judgments] == [False, True] * 20


def test_a_refused_text_shows_that_the_judge_is_working(store):
    filtered, forbidden = fault(400, "filtered", code="content_filter"), fault(403, "flagged")
    with JudgeServer(on_prompts({"q0": filtered, "q1": forbidden})) as server:
        judgments = judge(requests(3), server.config(), store)
    assert [judgment.rating is None for judgment in judgments] == [True, True, False]


def test_nobody_listens(store):
    with JudgeServer() as server:
        pass
    with pytest.raises(JudgeStopped, match=rf"no answer from {server.url}: .*Check the base URL"):
        judge(requests(100), server.config(concurrency=32), store)


def test_single_rejected_requests_say_nothing_of_the_judge(store):
    rejected = {f"q{i}": fault(400, "this one is odd") for i in range(2, 12)}
    with JudgeServer(on_prompts(rejected)) as server:
        judgments = judge(requests(20), server.config(), store)
        assert sum(judgment.rating is None for judgment in judgments) == 10
        assert judgments[2].reason == "HTTP 400: this one is odd"
        assert len(server.calls) == 20


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (fault(400, "filtered", code="content_filter"), "content filter refused the request"),
        (
            fault(400, "response was filtered due to Azure's content management policy"),
            "content filter refused",
        ),
        (fault(400, "maximum context length is 8192 tokens", code="context_length_exceeded"), "too long"),
        (fault(413, "entity too large"), "too long for the judge"),
    ],
)
def test_a_request_refused_for_its_text_is_unscored_and_not_retried(answer, reason, store):
    with JudgeServer(lambda call: answer) as server:
        judgments = judge(requests(30), server.config(), store)  # all of them, and yet the judge is working
        assert len(server.calls) == 30
    assert all(reason in judgment.reason for judgment in judgments)


NO_RATING = {
    "empty": (say(""), "the reply was empty"),
    "null": (say(None), "the reply was empty"),
    "filtered reply": (say("", finish_reason="content_filter"), r"withheld its reply \(content_filter\)"),
    "refusal": (say(None, refusal="I cannot"), r"withheld its reply \(refusal\)"),
    "cut off": (say("長い説明", finish_reason="length"), "cut off at max_tokens=2048"),
    "no rating": (say("良い回答です。"), "holds no rating"),
    "full-width brackets": (say("［［9］］"), "holds no rating"),
    "rating 11": (say("[[11]]"), "rating 11 is outside 1 to 10"),
    "rating 0": (say("[[0]]"), "rating 0 is outside 1 to 10"),
}


@pytest.mark.parametrize("name", NO_RATING)
def test_a_reply_without_a_rating_is_asked_for_again_then_unscored(name, store):
    answer, reason = NO_RATING[name]
    with JudgeServer(on_calls(dict.fromkeys((1, 2, 3), answer))) as server:
        first, second = judge(requests(2), server.config(rating_retries=2), store)
        assert first.rating is None
        assert second.rating
        assert re.search(reason, first.reason)
        assert len(server.calls) == 4
        assert (first.prompt_tokens, first.completion_tokens) == (300, 60)  # all that was paid for
        again = judge(requests(2), server.config(rating_retries=2), store)  # unscored ones get another chance
        assert again[0].rating
        assert len(server.calls) == 5


@pytest.mark.parametrize(
    ("name", "rating"), [(n, {"rating 11": 11, "rating 0": 0}.get(n, -1)) for n in NO_RATING]
)
def test_strict_mode_rates_as_the_reference_did_and_asks_once(name, rating, store):
    with JudgeServer(lambda call: NO_RATING[name][0]) as server:
        for _ in range(2):  # the second time from the store
            assert judge(requests(1), server.config(strict=True), store)[0].rating == rating
        assert len(server.calls) == 1


def test_a_call_that_fails_is_unscored_in_strict_mode_too(store):
    with JudgeServer(on_prompts({"q1": fault(400, "filtered", code="content_filter")})) as server:
        judgments = judge(requests(3), server.config(strict=True), store)
    assert [judgment.rating is None for judgment in judgments] == [False, True, False]
    assert "content filter" in judgments[1].reason


def test_pauses_grow_until_the_call_gets_through(store, monkeypatch):
    monkeypatch.setattr("random.uniform", lambda low, high: high)
    with JudgeServer(lambda call: fault(503) if call.number <= 3 else rate(call)) as server:
        assert judge(requests(1), server.config(backoff=0.1), store)[0].rating
        times = [call.time for call in server.calls]
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(pauses) == 3
    assert pauses[1] >= 0.2
    assert pauses[2] >= 0.4
