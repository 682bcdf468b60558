"""A judge that speaks Anthropic's protocol, against a server that answers as its documentation says."""

import json
import re

import pytest

from lm_eval_ja.errors import JudgeError, OptionError
from lm_eval_ja.judge import JudgeConfig, JudgeStopped, JudgmentStore, judge, plan, preflight
from tests.support.judge_server import Answer, JudgeServer, rating_of, raw, requests, say, set_environment

KEY = "sk-ant-api03-VerySecretKey0123456789"
MODEL = "claude-judge-1"


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    set_environment(monkeypatch)
    monkeypatch.delenv("ANTHROPIC_BASE_URL", raising=False)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)


@pytest.fixture
def store(tmp_path):
    return JudgmentStore(tmp_path / "store.jsonl")


def message(text, stop_reason="end_turn", **more):
    """An answer of the Messages API."""
    body = {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "claude-judge-1-20260101",
        "content": [] if text is None else [{"type": "text", "text": text}],
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {"input_tokens": 70, "cache_read_input_tokens": 30, "output_tokens": 20},
        **more,
    }
    return Answer(body=json.dumps(body).encode())


def fault(status, kind, text="scripted fault", headers=None, **error):
    """An error in Anthropic's form."""
    body = {"type": "error", "error": {"type": kind, "message": text, **error}, "request_id": "req_1"}
    return Answer(status, json.dumps(body).encode(), headers or {})


def whole(call):
    """The conversation as every judge has it."""
    return [{"role": "system", "content": call.body["system"]}, *call.body["messages"]]


def rate(call):
    return message(f"根拠。Rating: [[{rating_of(whole(call))}]]")


def config(server, **settings):
    return server.config(api="anthropic", model=MODEL, **settings)


def test_requests_are_those_of_the_messages_api(store):
    with JudgeServer(rate) as server:
        (judgment,) = judge(requests(1), config(server), store)
        (call,) = server.calls
    assert call.path == "/v1/messages"
    assert call.headers["x-api-key"] == KEY
    assert call.headers["anthropic-version"] == "2023-06-01"
    assert "authorization" not in call.headers
    assert call.body == {
        "model": MODEL,
        "max_tokens": 2048,
        "temperature": 0.0,
        "system": "s",
        "messages": [{"role": "user", "content": "q0"}],
    }
    assert judgment.rating == rating_of(requests(1)[0])
    assert (judgment.served_model, judgment.prompt_tokens, judgment.completion_tokens) == (
        "claude-judge-1-20260101",
        100,
        20,
    )


def test_the_protocol_of_judging_is_the_clients_neither(store, tmp_path):
    """The same conversation, ratings and reasons, whichever protocol carries them."""
    with JudgeServer(rate) as server:
        theirs = judge(requests(4), config(server, concurrency=4), store)
    with JudgeServer() as server:
        ours = judge(requests(4), server.config(model=MODEL), tmp_path / "other.jsonl")
    assert [judgment.rating for judgment in theirs] == [judgment.rating for judgment in ours]


def test_a_judgment_is_paid_for_once(store):
    with JudgeServer(rate) as server:
        judge(requests(2), config(server), store)
        again = judge(requests(2), config(server), store)
        assert len(server.calls) == 2
    assert all(judgment.cached for judgment in again)


def test_one_address_with_two_protocols_has_two_judges(store):
    """Some gateways, and Anthropic, serve both below one root."""
    with JudgeServer(lambda call: rate(call) if call.path == "/v1/messages" else say("[[1]]")) as server:
        judge(requests(1), config(server), store)
        judge(requests(1), server.config(model=MODEL), store)
        assert [call.path for call in server.calls] == ["/v1/messages", "/v1/chat/completions"]


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/"])
def test_addresses_with_and_without_v1_are_one(monkeypatch, store, ending):
    with JudgeServer(rate) as server:
        judge(requests(1), config(server), store)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url.removesuffix("/v1") + ending)
        monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")  # not this judge's
        (judgment,) = judge(requests(1), JudgeConfig(api="anthropic", model=MODEL), store)
        assert judgment.cached
        assert len(server.calls) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (message("考え中", "max_tokens"), "cut off at max_tokens=2048"),
        (message("考え中", "model_context_window_exceeded"), "cut off at max_tokens"),
        (message(None, "refusal"), r"withheld its reply \(refusal\)"),
        (message(None), "the reply was empty"),
        (message("no rating", content=[{"type": "thinking", "thinking": "[[9]]"}]), "the reply was empty"),
        (message("[[11]]"), "the rating 11 is outside"),
    ],
)
def test_replies_without_a_rating_say_why(store, answer, reason):
    with JudgeServer(lambda call: answer) as server:
        (judgment,) = judge(requests(1), config(server, rating_retries=1), store)
        assert len(server.calls) == 2
    assert judgment.rating is None
    assert re.search(reason, judgment.reason)


def test_thoughts_are_no_part_of_the_reply(store):
    content = [
        {"type": "thinking", "thinking": "[[2]]", "signature": "x"},
        {"type": "text", "text": "Rating: "},
        {"type": "text", "text": "[[7]]"},
    ]
    with JudgeServer(lambda call: message("", content=content)) as server:
        (judgment,) = judge(requests(1), config(server), store)
    assert (judgment.rating, judgment.text) == (7, "Rating: [[7]]")


@pytest.mark.parametrize(
    "trouble",
    [
        fault(529, "overloaded_error", "Overloaded"),
        fault(429, "rate_limit_error", headers={"retry-after": "0"}),
        fault(500, "api_error"),
        fault(504, "timeout_error"),
        raw(b"<html>bad gateway</html>", 502),
        raw(b'{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}'),
        raw(b"[1"),
        Answer(broken=True),
    ],
)
def test_passing_troubles_are_tried_again(store, trouble):
    with JudgeServer(lambda call: trouble if call.number == 1 else rate(call)) as server:
        (judgment,) = judge(requests(1), config(server), store)
        assert len(server.calls) == 2
    assert judgment.rating == rating_of(requests(1)[0])


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (fault(401, "authentication_error", "invalid x-api-key"), "check the value of ANTHROPIC_API_KEY"),
        (fault(402, "billing_error"), "no quota left"),
        (fault(400, "invalid_request_error", "Your credit balance is too low to …"), "no quota left"),
        (
            fault(429, "rate_limit_error", details={"error_code": "enforced_spend_limit_reached"}),
            "no quota left",
        ),
        (fault(403, "permission_error"), "may use the model 'claude-judge-1'"),
        (fault(404, "not_found_error", "model: claude-judge-1"), "Check the model's name"),
        (Answer(307, b"", {"location": "http://127.0.0.1:9/v1/messages"}), "HTTP 307"),
    ],
)
def test_lasting_troubles_stop_at_once(store, trouble, said):
    with JudgeServer(lambda call: trouble) as server:
        with pytest.raises(JudgeStopped, match=said):
            judge(requests(6), config(server), store)
        assert len(server.calls) <= 5
        with pytest.raises(JudgeError, match=said):
            preflight(config(server))


@pytest.mark.parametrize(
    "trouble",
    [
        fault(413, "request_too_large", "Request exceeds the maximum size"),
        fault(400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
    ],
)
def test_a_text_that_is_too_long_costs_one_judgment(store, trouble):
    with JudgeServer(lambda call: trouble if "q1" in str(call.body) else rate(call)) as server:
        judgments = judge(requests(3), config(server), store)
    assert [judgment.rating is None for judgment in judgments] == [False, True, False]
    assert "too long for the judge" in judgments[1].reason


def test_a_refused_temperature_is_left_out_and_said(store):
    def picky(call):
        if "temperature" in call.body:
            return fault(400, "invalid_request_error", "`temperature` is deprecated for this model.")
        return rate(call)

    with JudgeServer(picky) as server:
        judgments = judge(requests(3), config(server), store)
        assert len(server.calls) == 4
    assert judgments[-1].adaptations == ("temperature=0 refused: judge's default used",)


def test_slow_answers_are_given_up_in_time(store):
    with (
        JudgeServer(lambda call: Answer(trickling=True)) as server,
        pytest.raises(JudgeStopped, match=r"no reply within 0\.5 s"),
    ):
        judge(requests(1), config(server, timeout=0.5, max_retries=0), store)


def test_the_key_is_kept_nowhere(store, caplog):
    with JudgeServer(lambda call: message(f"{KEY} [[5]]", model=KEY)) as server:
        judge(requests(1), config(server), store)
    with (
        JudgeServer(lambda call: fault(400, "invalid_request_error", KEY)) as server,
        pytest.raises(JudgeStopped) as caught,
    ):
        judge(requests(2), config(server), store)
    assert KEY not in store.path.read_text() + caplog.text + str(caught.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"api": "anthropic"}, "judge model: 'gpt-4' is OpenAI's"),
        ({"api": "Anthropic", "model": MODEL}, "judge api: openai or anthropic is expected, not 'Anthropic'"),
        ({"api": None}, "judge api"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, said):
    with pytest.raises(OptionError, match=said):
        JudgeConfig(**settings)


def test_a_missing_key_is_named(monkeypatch, store):
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    with pytest.raises(JudgeError, match="variable ANTHROPIC_API_KEY is not set"):
        preflight(JudgeConfig(api="anthropic", model=MODEL))
    assert plan(requests(2), JudgeConfig(api="anthropic", model=MODEL), store).calls == 2, "needs no key"


def test_an_address_in_the_variable_that_is_none_is_named(monkeypatch, store):
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "localhost")
    with pytest.raises(JudgeError, match="variable ANTHROPIC_BASE_URL holds no judge's address"):
        plan(requests(1), JudgeConfig(api="anthropic", model=MODEL), store)


def test_a_key_in_a_variable_of_another_name(monkeypatch, store):
    monkeypatch.setenv("MY_KEY", "sk-ant-another-0123456789")
    with JudgeServer(rate) as server:
        judge(requests(1), config(server, api_key_env="MY_KEY"), store)
        assert server.calls[0].headers["x-api-key"] == "sk-ant-another-0123456789"
