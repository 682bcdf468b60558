"""Odd answers of a judge's server: each costs one judgment at most, never the run, and keeps to its time and size."""

import gzip
import json
import logging
import zlib
from dataclasses import replace

import pytest

from lm_eval_ja.judge import JudgmentStore, _engine, _transport, judge
from lm_eval_ja.judge import _openai as client_module
from tests.support.judge_server import (
    Answer,
    JudgeServer,
    completion,
    endless,
    fault,
    rate,
    raw,
    requests,
    say,
    set_environment,
    trickle,
)


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    set_environment(monkeypatch)


@pytest.fixture
def store(tmp_path):
    return JudgmentStore(tmp_path / "store.jsonl")


def changed(**fields):
    """A good rating in a completion with these fields."""
    return raw(json.dumps({**completion("Rating: [[7]]"), **fields}).encode())


def with_text(text, extra=b""):
    return raw(
        json.dumps(completion("Rating: [[7]]")).encode().replace(b'"usage": ', text + b'"usage": ') + extra
    )


def in_charset(name):
    return replace(say("Rating: [[7]]"), headers={"content-type": f"application/json; charset={name}"})


DEEP = b"[" * 100_000 + b"]" * 100_000

GOOD = {
    "usage 1e999": with_text(b"", b"").body.replace(b'"prompt_tokens": 100', b'"prompt_tokens": 1e999'),
    "usage NaN": with_text(b"").body.replace(b'"prompt_tokens": 100', b'"prompt_tokens": NaN'),
    "usage -1e999": with_text(b"").body.replace(b'"completion_tokens": 20', b'"completion_tokens": -1e999'),
    "usage of 4,000 digits": with_text(b"").body.replace(b"100,", b"1" * 4000 + b","),
    "usage of 5,000 digits": with_text(b"").body.replace(b"100,", b"1" * 5000 + b","),
}
GOOD_ANSWERS = {
    **{name: raw(body) for name, body in GOOD.items()},
    **{
        f"usage {value!r}": changed(usage=value)
        for value in ("abc", None, [], 5, {}, True, {"prompt_tokens": "x"}, {"prompt_tokens": [1]})
    },
    **{f"model {value!r}": changed(model=value) for value in (None, 5, [], {"a": 1}, "x" * 100_000)},
    **{
        f"charset {name}": in_charset(name)
        for name in (
            "idna",
            "utf-16",
            "utf-32",
            "undefined",
            "hex",
            "base64",
            "punycode",
            "rot13",
            "no-such",
            "",
            "utf_7",
        )
    },
    "charset in a content type of its own": replace(
        say("Rating: [[7]]"), headers={"content-type": "image/png; charset=\xff"}
    ),
    "byte order mark": raw(b"\xef\xbb\xbf" + json.dumps(completion("Rating: [[7]]")).encode()),
    "not UTF-8": raw(json.dumps(completion("Rating: [[7]] x")).encode().replace(b"] x", b"] \xff\xfe")),
    "lone surrogate": raw(json.dumps(completion("\ud83d Rating: [[7]]")).encode()),
    "parts": say([{"type": "image"}, {"type": "text", "text": "Rating: "}, {"text": "[[7]]"}]),  # type: ignore[arg-type]
    "a second choice that is none": changed(choices=[*completion("Rating: [[7]]")["choices"], 5]),
    "gzip": Answer(
        body=gzip.compress(json.dumps(completion("Rating: [[7]]")).encode()),
        headers={"content-encoding": "gzip"},
    ),
    "deflate": Answer(
        body=zlib.compress(json.dumps(completion("Rating: [[7]]")).encode()),
        headers={"content-encoding": "deflate"},
    ),
    **{
        f"finish reason {value!r:.20}": say("Rating: [[7]]", finish_reason=value)  # type: ignore[arg-type]
        for value in (None, 5, ["stop"], {"a": 1}, True, "x" * 100_000)
    },
}


@pytest.mark.parametrize("name", GOOD_ANSWERS)
def test_a_good_rating_counts_and_is_paid_once_whatever_stands_around_it(name, store):
    with JudgeServer(lambda call: GOOD_ANSWERS[name]) as server:
        judgments = judge(requests(2), server.config(), store)
        assert [judgment.rating for judgment in judgments] == [7, 7]
        again = judge(requests(2), server.config(), store)
        assert [judgment.rating for judgment in again] == [7, 7]
        assert len(server.calls) == 2
    assert all(0 <= judgment.prompt_tokens < 2**53 for judgment in judgments)
    assert store.path.stat().st_size < 3_000


BAD_ANSWERS = {
    "deep JSON": raw(DEEP),
    "deep JSON in a field": with_text(b'"x": ' + DEEP + b", "),
    **{
        f"content {value!r}": say(value)  # type: ignore[arg-type]
        for value in (5, True, {"text": "[[7]]"}, ["[[7]]"], [{"text": 5}], [None], 7.5)
    },
    **{
        f"choices {value!r}": changed(choices=value)
        for value in (None, 5, "[[7]]", {}, [], [5], [{}], [{"message": 5}])
    },
    **{
        f"body {value!r}": raw(value)
        for value in (b"", b"null", b"7", b'"[[7]]"', b"[[7]]", b"\x00", b"{" * 9)
    },
    "a list as error": raw(b'{"error": ["x"]}'),
    "a text as error": raw(b'{"error": "x"}'),
    "an error with an odd code": raw(b'{"error": {"code": 1e999, "message": {"a": []}}}'),
    "an error with a deep message": raw(b'{"error": ' + b"[" * 900 + b"]" * 900 + b"}"),
    "status 500, deep": raw(DEEP, 500),
    "status 400, deep": raw(DEEP, 400),
    "status 400, deep object": raw(b'{"error": {"message": ' + b"[" * 900 + b"]" * 900 + b"}}", 400),
    "status 400, charset": replace(fault(400), headers={"content-type": "application/json; charset=hex"}),
    "status 429, odd Retry-After": fault(429, headers={"retry-after": "Thu, 99 Xxx 99999 00:00:00"}),
    "status 302": replace(raw(b"", 302), headers={"location": "http://[::1"}),
    "status 302 to itself": replace(raw(b"", 302), headers={"location": "/v1/chat/completions"}),
    "status 302 to a file": replace(raw(b"", 302), headers={"location": "file:///etc/passwd"}),
    "not what the encoding says": Answer(body=b"plain", headers={"content-encoding": "gzip"}),
    "an encoding of its own": Answer(body=b"plain", headers={"content-encoding": "br, zstd"}),
    "broken status line": Answer(body=b"", head=b"HTTP/9.9 what\r\n\r\n"),
    "broken header": Answer(body=b"", head=b"HTTP/1.1 200 OK\r\n\x00: \x00\r\n\r\n"),
    "broken chunks": Answer(body=b"", head=b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"),
    "endless headers": Answer(body=b"", head=b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 100_000),
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_what_is_no_completion_costs_one_judgment(name, store):
    def script(call):
        return BAD_ANSWERS[name] if call.prompt == "q1" else rate(call)

    with JudgeServer(script) as server:
        judgments = judge(requests(4), server.config(max_retries=1), store)
    assert [judgment.rating is None for judgment in judgments] == [False, True, False, False]
    assert judgments[1].reason
    assert len(judgments[1].reason) < 1_000


def test_whatever_a_worker_meets_ends_one_judgment(store, monkeypatch, caplog):
    """Not even a defect of ours takes the others along."""
    real = _engine.assess

    def assess(text, *rest, **options):
        if "q1" in text:
            raise ZeroDivisionError("nobody has foreseen it")
        return real(text, *rest, **options)

    monkeypatch.setattr(_engine, "assess", assess)
    with JudgeServer(lambda call: say(f"{call.prompt} [[5]]")) as server:
        judgments = judge(requests(4), server.config(concurrency=2), store)
    assert [judgment.rating for judgment in judgments] == [5, None, 5, 5]
    assert judgments[1].reason == "not judged: ZeroDivisionError"
    assert "nobody has foreseen it" in caplog.text


def test_whatever_the_client_meets_is_a_failed_call(store, monkeypatch):
    monkeypatch.setattr(
        client_module.OpenAIClient, "_line", lambda self: (_ for _ in ()).throw(MemoryError("too much"))
    )
    with JudgeServer() as server:
        judgments = judge(requests(2), server.config(), store)
        assert server.calls == []
    assert {judgment.reason for judgment in judgments} == {"not judged: MemoryError"}


# --- size -----------------------------------------------------------------------------------------------------------


def bomb(size):
    """A body that is a thousandth of its size when compressed."""
    packer = zlib.compressobj(9, wbits=31)
    parts = [packer.compress(b'{"choices": "' + bytes(2**20).replace(b"\0", b"x"))]
    parts += [packer.compress(b"x" * 2**20) for _ in range(size // 2**20)]
    return Answer(body=b"".join([*parts, packer.flush()]), headers={"content-encoding": "gzip"})


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (bomb(200 * 2**20), "larger than 8 MiB"),
        (replace(bomb(200 * 2**20), status=500), "larger than 8 MiB"),
        (raw(b'{"x": "' + b"x" * 20 * 2**20 + b'"}'), "larger than 8 MiB"),
        (raw(b"x" * 20 * 2**20, 400), "larger than 8 MiB"),
        (endless(), "larger than 8 MiB"),
    ],
    ids=["bomb", "bomb with an error", "20 MiB", "20 MiB of error", "endless"],
)
def test_an_answer_is_read_to_a_limit(answer, reason, store, monkeypatch):
    taken = []
    real = _transport._Body.__iter__

    def count(self):
        for chunk in real(self):
            taken.append(len(chunk))
            yield chunk

    monkeypatch.setattr(_transport._Body, "__iter__", count)
    with JudgeServer(lambda call: answer if call.prompt == "q1" else rate(call)) as server:
        judgments = judge(requests(3), server.config(max_retries=0), store)
    assert [judgment.rating is None for judgment in judgments] == [False, True, False]
    assert reason in judgments[1].reason
    assert max(taken) <= 2**20
    assert sum(taken) <= _transport.MOST_BYTES + 2**20


def test_a_long_answer_within_the_limit_counts(store):
    text = "長" * 2**20 + "[[7]]"
    with JudgeServer(lambda call: say(text)) as server:  # six bytes for each character
        assert judge(requests(1), server.config(), store)[0].rating == 7
    assert judge(requests(1), server.config(), store)[0].text == text


# --- time -----------------------------------------------------------------------------------------------------------

SLOW = {
    "body": trickle(),
    "headers": Answer(head=b"HTTP/1.1 200 OK\r\nx: ", trickling=True),
    "interim answers": Answer(
        head=b"HTTP/1.1 100 Continue\r\n\r\n", trickling=True, drop=b"HTTP/1.1 103 Early\r\n\r\n"
    ),
    "an error's body": replace(trickle(), status=500),
}


@pytest.mark.parametrize("name", SLOW)
def test_a_time_limit_holds_whatever_trickles(name, store):
    with JudgeServer(lambda call: SLOW[name] if call.prompt == "q1" else rate(call)) as server:
        judgments = judge(requests(3), server.config(timeout=1, max_retries=0), store)
    assert [judgment.rating is None for judgment in judgments] == [False, True, False]
    assert judgments[1].reason == "no reply within 1 s (judge timeout)"


# --- keys -----------------------------------------------------------------------------------------------------------


def test_odd_names_are_not_logged_at_length(store, caplog):
    caplog.set_level(logging.INFO)
    with JudgeServer(lambda call: changed(model="m" * 10**6, finish="x")) as server:
        (judgment,) = judge(requests(1), server.config(), store)
    assert len(judgment.served_model) == 200
    assert len(caplog.text) < 10_000
