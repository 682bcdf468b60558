"""Random answers of a judge's server. Quick by default; LM_EVAL_JA_FUZZ_SECONDS=3600 goes on for an hour."""

import json
import math
import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lm_eval_ja.judge import JudgeConfig, JudgmentStore, judge
from lm_eval_ja.judge._faults import CallError, from_status
from lm_eval_ja.judge._store import Record
from tests.support.judge_server import Answer, JudgeServer, completion, rate, requests, set_environment

SECONDS = float(os.environ.get("LM_EVAL_JA_FUZZ_SECONDS", "0"))
SEEDS = sorted((Path(__file__).parent / "seeds" / "judge_replies").iterdir())
CONFIG = JudgeConfig(api_key_env="")
calm = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))

read_reply = pytest.importorskip("lm_eval_ja.judge._reply").read_reply

NUMBERS = st.sampled_from([math.inf, -math.inf, math.nan, 0, -1, 2**70, 10**400, 1.5, True, None])
TEXTS = st.text(max_size=20) | st.sampled_from(["[[5]]", "\ud83d", "\x00", "[" * 3000, "1" * 3000])
VALUES = st.recursive(
    NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
PLACES = [
    ("model",), ("usage",), ("usage", "prompt_tokens"), ("usage", "completion_tokens"), ("choices",), ("choices", 0),
    ("choices", 0, "message"), ("choices", 0, "message", "content"), ("choices", 0, "message", "refusal"),
    ("choices", 0, "finish_reason"), ("error",), ("new",),
]  # fmt: skip


def changed(changes):
    """A completion with other values at some places, as bytes."""
    body = completion("Rating: [[5]]")
    for place, value in changes:
        inner = body
        for step in place[:-1]:
            known = isinstance(inner, dict) or (isinstance(inner, list) and inner and isinstance(step, int))
            inner = (inner.get(step) if isinstance(inner, dict) else inner[step]) if known else None
        if isinstance(inner, dict) or (isinstance(inner, list) and isinstance(place[-1], int) and inner):
            inner[place[-1]] = value
    return json.dumps(body).encode()


COMPLETIONS = st.lists(st.tuples(st.sampled_from(PLACES), VALUES), max_size=3).map(changed)
DAMAGED = st.tuples(COMPLETIONS, st.integers(0, 600), st.binary(max_size=8)).map(
    lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] + 1 :]
)
BODIES = COMPLETIONS | DAMAGED | st.binary(max_size=50) | VALUES.map(lambda value: json.dumps(value).encode())
HEADERS = st.dictionaries(
    st.sampled_from(
        ["content-type", "content-encoding", "retry-after", "retry-after-ms", "date", "location"]
    ),
    st.sampled_from(
        [
            "",
            "gzip",
            "br",
            "deflate",
            "hex",
            "0",
            "nan",
            "-1",
            "0.001",
            "/v1",
            "text/html; charset=hex",
            "Thu, 99 Xxx",
        ]
    ),
    max_size=3,
)


def for_long(check):
    """Run a test's property once more and again until the time asked for is over."""
    end = time.monotonic() + SECONDS
    check()
    while time.monotonic() < end:
        check()


def check_reply(body):
    try:
        reply = read_reply(body, 0.1, CONFIG)
    except CallError as error:
        reason = str(error)
    else:
        reason = ""
        check_fields(reply)
    assert len(reason) < 2_000


def check_fields(reply):
    assert isinstance(reply.text, str)
    assert all(
        isinstance(text, str) and len(text) <= 200 for text in (reply.finish_reason, reply.served_model)
    )
    assert all(type(n) is int and 0 <= n <= 2**53 for n in (reply.prompt_tokens, reply.completion_tokens))


@pytest.mark.parametrize("seed", SEEDS, ids=lambda path: path.name)
def test_what_once_broke_a_run_is_read_or_refused(seed):
    check_reply(seed.read_bytes())


def test_any_body_is_a_reply_or_a_failed_call():
    for_long(calm(given(BODIES)(check_reply)))


def test_any_error_is_classified():
    def check(status, body, headers):
        assert isinstance(from_status(status, body, headers, CONFIG), CallError)

    for_long(calm(given(st.integers(100, 999), VALUES, HEADERS)(check)))


def test_any_line_of_a_store_is_a_judgment_or_damaged():
    good = Record("0" * 64, "gpt-4", "gpt", "", 0, "[[5]]", "stop", 5.0, None, 1, 1, 0.1, ())

    def check(line):
        found = Record.from_line(line)
        assert found is None or (isinstance(found.text, str) and isinstance(found.adaptations, tuple))

    lines = st.tuples(st.integers(0, 400), st.binary(max_size=4)).map(
        lambda change: good.to_line()[: change[0]] + change[1] + good.to_line()[change[0] + len(change[1]) :]
    )
    for_long(calm(given(lines | BODIES)(check)))


def test_no_answer_of_a_server_ends_a_run(tmp_path, monkeypatch):
    """Through the real client: the odd answer costs its own judgment at most."""
    set_environment(monkeypatch)
    number = 0

    def check(body, headers, status):
        nonlocal number
        number += 1
        answer = Answer(status, body, headers)
        server.script = lambda call: answer if call.prompt == "q1" else rate(call)
        store = JudgmentStore(tmp_path / f"{number}.jsonl")
        judgments = judge(
            requests(3), server.config(max_retries=0, rating_retries=0, timeout=20), store, progress=False
        )
        assert [judgment.rating is not None for judgment in (judgments[0], judgments[2])] == [True, True]
        assert judgments[1].rating is not None or judgments[1].reason

    with JudgeServer() as server:
        statuses = st.sampled_from([200, 200, 200, 201, 302, 400, 404, 413, 429, 500, 503])
        for_long(settings(calm, max_examples=25)(given(BODIES, HEADERS, statuses)(check)))
