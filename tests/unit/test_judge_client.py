"""Settings, keys, dialects and the preflight of the judge's client."""

import base64
import html
import json
import logging
import os
import subprocess
import sys
import traceback
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_eval_ja.errors import JudgeError, OptionError
from lm_eval_ja.judge import JudgeConfig, JudgeStopped, JudgmentStore, judge, preflight
from lm_eval_ja.judge._secrets import scrub
from tests.support.judge_server import (
    KEY,
    Answer,
    JudgeServer,
    completion,
    fault,
    rate,
    raw,
    requests,
    reset,
    say,
    set_environment,
    stall,
)


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    set_environment(monkeypatch)


@pytest.fixture
def store(tmp_path):
    return JudgmentStore(tmp_path / "store.jsonl")


# --- settings ---------------------------------------------------------------------------------------------------


def test_requests_carry_the_protocols_settings(store):
    with JudgeServer() as server:
        judge(requests(1), server.config(), store)
        (call,) = server.calls
    assert call.path == "/v1/chat/completions"
    assert call.headers["authorization"] == f"Bearer {KEY}"
    assert call.body == {
        "model": "gpt-4",
        "messages": requests(1)[0],
        "temperature": 0.0,
        "max_tokens": 2048,
    }


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"model": ""}, "judge model"),
        ({"base_url": "localhost:8000"}, "judge base URL 'localhost:8000'"),
        ({"base_url": "http://"}, "judge base URL"),
        ({"base_url": "ftp://host/v1"}, "judge base URL 'ftp://host/v1'"),
        ({"base_url": 8000}, "judge base URL 8000: an address such as http://localhost:8000/v1 is expected"),
        ({"base_url": ["http://host"]}, "judge base URL"),
        ({"base_url": True}, "judge base URL True"),
        ({"base_url": b"http://host"}, "judge base URL"),
        ({"base_url": {}}, "judge base URL"),
        ({"base_url": ""}, "judge base URL ''"),
        ({"base_url": "http://host:80000/v1"}, "judge base URL 'http://host:80000/v1': its host or port"),
        ({"base_url": "http://host:port/v1"}, "judge base URL 'http://host:port/v1': its host or port"),
        ({"base_url": "http://host:-1/v1"}, "its host or port"),
        ({"base_url": "http://host:0/v1"}, "judge base URL"),
        ({"base_url": "http://[::1/v1"}, "its host or port"),
        ({"base_url": "http://ho st/v1"}, "judge base URL"),
        ({"base_url": "http://host/v1\n"}, "judge base URL"),
        ({"concurrency": 0}, "judge concurrency: a whole number, 1 to 1000, is expected, not 0"),
        ({"concurrency": 2000}, "judge concurrency"),
        ({"concurrency": "8"}, "judge concurrency.*not '8'"),
        ({"repeats": 0}, "judge repeats: a whole number, 1 to 1000, is expected, not 0"),
        ({"repeats": True}, "judge repeats"),
        ({"max_tokens": 0}, "judge max_tokens"),
        ({"max_retries": -1}, "judge max_retries"),
        ({"temperature": -0.1}, "judge temperature: a number, 0 to 1000000000"),
        ({"temperature": float("nan")}, "judge temperature"),
        ({"timeout": 0}, "judge timeout"),
        ({"strict": "yes"}, "judge strict"),
        ({"api_key_env": "two words"}, "api_key_env takes the name"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, expected):
    with pytest.raises(OptionError, match=expected):
        JudgeConfig(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"api_key_env": KEY},
        {
            "api_key_env": "a1b2c3d4e5f6a7b8c9d0a1b2c3d4e5f6"
        },  # Azure's keys have the form of a variable's name
        {"base_url": "https://user:a1b2c3d4e5f6@host/v1"},
        {"base_url": "https://host/v1?api-key=a1b2c3d4e5f6"},
        {"base_url": "https://user:a1b2c3d4e5f6@[host/v1"},
        {"base_url": "https://user:a1b2c3d4e5f6@host:port/v1"},
    ],
)
def test_a_key_in_the_wrong_place_is_refused_without_repeating_it(settings):
    with pytest.raises(OptionError) as caught:
        JudgeConfig(**settings)
    assert "a1b2c3" not in str(caught.value)
    assert KEY not in str(caught.value)


def test_openai_and_its_base_url_variable(monkeypatch, store):
    with JudgeServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        judge(requests(1), JudgeConfig(), store)
        judge(requests(1), server.config(), store)  # the same judge, so the same judgment
        assert len(server.calls) == 1


@pytest.mark.parametrize("address", ["localhost:8000", "http://host:port", "http://[::1"])
def test_an_address_in_a_variable_that_is_none_is_named(monkeypatch, address):
    monkeypatch.setenv("OPENAI_BASE_URL", address)
    with pytest.raises(JudgeError, match="variable OPENAI_BASE_URL holds no judge's address"):
        preflight(JudgeConfig())


@pytest.mark.parametrize("explicit", [True, False])
def test_azure_by_the_openai_packages_own_variables(monkeypatch, store, explicit):
    monkeypatch.delenv("OPENAI_API_KEY")
    with JudgeServer() as server:
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", server.url.removesuffix("/v1"))
        monkeypatch.setenv("AZURE_OPENAI_API_KEY", "azure-key-0123456789")
        if explicit:
            monkeypatch.setenv("OPENAI_API_TYPE", "azure")
        with pytest.raises(JudgeError, match="OPENAI_API_VERSION is not set"):
            preflight(JudgeConfig())
        monkeypatch.setenv("OPENAI_API_VERSION", "2024-06-01")
        assert judge(requests(1), JudgeConfig(model="my-deployment"), store)[0].rating
        (call,) = server.calls
    assert call.path == "/openai/deployments/my-deployment/chat/completions?api-version=2024-06-01"
    assert call.headers["api-key"] == "azure-key-0123456789"


def test_azure_with_the_key_in_a_variable_of_ones_own(monkeypatch, store):
    monkeypatch.setenv("OPENAI_API_TYPE", "azure")
    monkeypatch.setenv("OPENAI_API_VERSION", "2024-06-01")
    monkeypatch.setenv("MY_KEY", "own-key-0123456789")
    with JudgeServer() as server:
        config = JudgeConfig(base_url=server.url.removesuffix("/v1"), api_key_env="MY_KEY")
        assert judge(requests(1), config, store)[0].rating
        assert server.calls[0].headers["api-key"] == "own-key-0123456789"


def test_two_possible_judges_in_the_environment_are_not_guessed_between(monkeypatch):
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://x.openai.azure.com")
    with pytest.raises(JudgeError, match="set OPENAI_API_TYPE to 'openai' or 'azure'"):
        preflight(JudgeConfig())
    monkeypatch.setenv("OPENAI_API_TYPE", "bedrock")
    with pytest.raises(JudgeError, match="OPENAI_API_TYPE=bedrock"):
        preflight(JudgeConfig())


LOUD = """
import logging, sys
from lm_eval_ja.judge import JudgeConfig, judge
from tests.support.judge_server import requests
logging.basicConfig(level=logging.INFO)  # as the harness does
judge(requests(3), JudgeConfig(base_url=sys.argv[1]), sys.argv[2], progress=False)
"""


def test_requests_are_not_logged_one_by_one(store):
    with JudgeServer() as server:
        command = [sys.executable, "-c", LOUD, server.url, str(store.path)]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert len(server.calls) == 3
    assert "HTTP" not in done.stderr


def test_importing_the_judge_loads_no_openai():
    code = "import sys, lm_eval_ja.judge; sys.exit('openai' in sys.modules or 'torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- judges with a dialect of their own -------------------------------------------------------------------------


def modern(call):
    """A judge that refuses max_tokens and temperature, one at a time, in OpenAI's words."""
    if "max_tokens" in call.body:
        message = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. "
            "Use 'max_completion_tokens' instead."
        )
        return fault(400, message, code="unsupported_parameter", param="max_tokens")
    if "temperature" in call.body:
        message = (
            "Unsupported value: 'temperature' does not support 0 with this model. "
            "Only the default (1) value is supported."
        )
        return fault(400, message, code="unsupported_value", param="temperature")
    return rate(call)


def test_refused_settings_are_found_once_done_without_and_noted(store):
    with JudgeServer(modern) as server:
        judgments = judge(requests(10), server.config(), store)
        assert len(server.calls) == 10 + 2
        assert server.calls[-1].body.keys() == {"model", "messages", "max_completion_tokens"}
        assert server.calls[-1].body["max_completion_tokens"] == 2048
        again = judge(requests(10), server.config(), store)
        assert len(server.calls) == 10 + 2
    for judgment in (*judgments, *again):
        assert judgment.adaptations == (
            "max_tokens refused: max_completion_tokens used",
            "temperature=0 refused: judge's default used",
        )


def test_refused_settings_when_all_calls_start_at_once(store):
    with JudgeServer(modern, latency=0.05) as server:
        judgments = judge(requests(40), server.config(concurrency=20), store)
        assert all(judgment.rating for judgment in judgments)
        assert len(judgments[0].adaptations) == 2
        assert len(server.calls) <= 40 + 2 * 20


@pytest.mark.parametrize(
    "message",
    [
        "`temperature` is deprecated for this model.",
        "Unsupported parameter: 'temperature' is not supported with this model.",
        "temperature: Unrecognized request argument supplied",
    ],
)
def test_other_ways_of_refusing_a_temperature(store, message):
    with JudgeServer(
        lambda call: fault(400, message) if "temperature" in call.body else rate(call)
    ) as server:
        judgments = judge(requests(2), server.config(), store)
        assert len(server.calls) == 3
        assert "max_tokens" in server.calls[-1].body
    assert judgments[0].adaptations == ("temperature=0 refused: judge's default used",)


def test_a_value_that_is_too_large_is_no_refusal_of_the_setting(store):
    message = "max_tokens is too large: 2048. This model supports at most 1024 completion tokens"
    with JudgeServer(lambda call: fault(400, message, param="max_tokens")) as server:
        with pytest.raises(JudgeStopped, match="max_tokens is too large: 2048"):
            judge(requests(1), server.config(), store)
        assert len(server.calls) == 1


# --- keys -------------------------------------------------------------------------------------------------------


def echo_key(call):
    """A server that repeats the key wherever it can."""
    said = f"your key is {call.headers['authorization']}"
    return {
        "q0": say(f"{said} [[5]]"),
        "q1": fault(400, said),
        "q2": fault(500, said),
        "q3": raw(b"x" * 170 + said.encode()),  # cut off within the key where it is shown
        "q4": Answer(403, f'"{said}"'.encode()),
    }.get(call.prompt, fault(401, said))


def test_the_key_is_written_nowhere(store, caplog, capfd, monkeypatch):
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpx2", "httpcore"):  # as loud as can be
        monkeypatch.setattr(logging.getLogger(name), "level", logging.DEBUG)
    with JudgeServer(echo_key) as server:
        config = server.config(max_retries=1)
        try:
            judge(requests(6), config, store)
        except JudgeStopped as exc:
            stopped = exc
        with pytest.raises(JudgeError) as refused:
            preflight(config)
    seen = [
        store.path.read_text(encoding="utf-8"),
        repr(config),
        *map(repr, stopped.judgments),
        *("".join(traceback.format_exception(exc)) for exc in (stopped, refused.value)),
        caplog.text,
        *capfd.readouterr(),
    ]
    for exc in (stopped, refused.value):
        link = exc
        while link is not None:  # what a debugger or a crash reporter would find
            seen.append(f"{link.args} {vars(link)}")
            link = link.__cause__ or link.__context__
    assert stopped.judgments[0].text == "your key is Bearer <OPENAI_API_KEY> [[5]]"
    assert "HTTP 401" in str(stopped)
    assert not [text for text in seen if KEY[:12] in text]


def forms_of(secret):
    """The ways in which a server, a proxy or a judge may write a key."""
    encoded = secret.encode()
    return {
        "plain": secret,
        "upper case": secret.upper(),
        "JSON": "".join(f"\\u{ord(character):04x}" for character in secret),
        "JSON, capitals": "".join(f"\\u{ord(character):04X}" for character in secret),
        "JSON in JSON": "".join(f"\\\\u{ord(character):04x}" for character in secret),
        "JSON, partly": secret.replace("k", "\\u006b", 1),
        "JSON, slashes": secret.replace("/", "\\/").replace("-", "\\-"),
        "program": "".join(f"\\x{ord(character):02x}" for character in secret),
        "URL": quote(secret, safe=""),
        "URL, all": "".join(f"%{ord(character):02X}" for character in secret),
        "URL, twice": "".join(f"%25{ord(character):02x}" for character in secret),
        "HTML": html.escape(secret),
        "HTML, all": "".join(f"&#{ord(character)};" for character in secret),
        "HTML, hex": "".join(f"&#x{ord(character):X};" for character in secret),
        "hex": encoded.hex(),
        **{f"base64 after {n}": base64.b64encode(b"x" * n + encoded + b"y").decode() for n in range(4)},
        **{f"base64url after {n}": base64.urlsafe_b64encode(b"x" * n + encoded).decode() for n in range(3)},
        "base64 of a header": base64.b64encode(f"Bearer {secret}".encode()).decode(),
    }


ODD_KEY = "sk-a+b/c=d~e?f>g&h<i%j-0123456789"


@pytest.mark.parametrize("secret", [KEY, ODD_KEY])
@pytest.mark.parametrize("form", forms_of(KEY))
def test_a_key_is_stored_in_no_form_and_from_no_field(form, secret, store, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("OPENAI_API_KEY", secret)
    said = forms_of(secret)[form]
    answer = completion(f"before {said} after [[5]]", finish_reason=f"x{said}")

    def script(call):
        if call.prompt == "q0":
            return raw(json.dumps({**answer, "model": f"gpt {said} 4"}).encode())
        return fault(400, f"sent: {said}")

    with JudgeServer(script) as server:
        good, bad = judge(requests(2), server.config(), store)
    assert good.rating == 5
    assert good.text == "before <OPENAI_API_KEY> after [[5]]" or "base64" in form
    seen = f"{store.path.read_text(encoding='utf-8')} {good!r} {bad!r} {caplog.text}"
    for escaped in (said, json.dumps(said)[1:-1], repr(said)[1:-1]):
        assert escaped not in seen
    if "base64" in form:  # but for what depends on the neighbours
        assert not [n for n in range(len(said) - 12) if said[n : n + 12] in seen]


@given(
    st.text(max_size=50)
    | st.lists(st.sampled_from([KEY[:8], KEY[4:11], KEY, "\\", "%", "&#", "u00", "25"])).map("".join)
)
def test_text_without_a_key_is_left_alone_and_a_key_is_found_in_any(text):
    with pytest.MonkeyPatch.context() as patch:
        set_environment(patch)
        scrubbed = scrub(text, JudgeConfig())
        assert (scrubbed == text) == (KEY.lower() not in text.lower())
        assert KEY not in scrubbed


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "piece", ["\\", "%25", "&amp;", "s", KEY[:-1], KEY[8:12], KEY[:7], "\\u0073", "&#0", "c2st"]
)
def test_a_megabyte_of_anything_is_searched_for_keys_in_linear_time(piece):
    with pytest.MonkeyPatch.context() as patch:
        set_environment(patch)
        text = piece * (1_000_000 // len(piece))
        assert scrub(text, JudgeConfig()) == text.replace(KEY[:-1], "<OPENAI_API_KEY>")


PARTS = [KEY[first:last] for first in range(len(KEY)) for last in range(first + 8, len(KEY) + 1) if last > 8]


def test_no_part_of_a_key_is_kept(monkeypatch):
    """Eight characters or more of it, wherever they stand; several of them, cut by marks, or run into other text."""
    set_environment(monkeypatch)
    config = JudgeConfig()
    for part in PARTS:
        assert scrub(f"({part}) [[5]]", config) == "(<OPENAI_API_KEY>) [[5]]", part
    assert scrub(f"{KEY[:12]}…{KEY[-9:]}", config) == "<OPENAI_API_KEY>…<OPENAI_API_KEY>"
    assert scrub(KEY[:20] + KEY[10:], config) == "<OPENAI_API_KEY>"


@pytest.mark.parametrize(
    "text", [f"{KEY[:8]}***{KEY[-4:]}", f"{KEY[:5]}…{KEY[-7:]}", "sk-proj-", KEY[9:16].lower()]
)
def test_what_tells_nobody_a_key_is_kept(text, monkeypatch):
    """OpenAI's masked form, for instance, says which key is wrong."""
    set_environment(monkeypatch)
    assert scrub(text, JudgeConfig()) == text


def test_words_that_stand_in_a_key_are_kept(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "internal-gateway-key-2b7")
    assert scrub("The internal gateway: internal-gateway-key", JudgeConfig()).endswith("internal-gateway-key")
    assert scrub("y-key-2b7!", JudgeConfig()) == "<OPENAI_API_KEY>!"


def test_values_too_short_for_a_secret_are_left_alone(store, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "EMPTY")
    with JudgeServer(lambda call: say("EMPTY [[5]]")) as server:
        assert judge(requests(1), server.config(), store)[0].text == "EMPTY [[5]]"


def test_a_server_without_keys_is_sent_none_of_the_users(store):
    with JudgeServer() as server:
        assert judge(requests(1), server.config(api_key_env=""), store)[0].rating
        assert KEY not in str(server.calls[0].headers)


def test_white_space_around_a_key_is_not_part_of_it(store, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\n")
    with JudgeServer() as server:
        judge(requests(1), server.config(), store)
        assert server.calls[0].headers["authorization"] == f"Bearer {KEY}"


# --- preflight --------------------------------------------------------------------------------------------------


def test_preflight_asks_for_one_token():
    with JudgeServer() as server:
        assert preflight(server.config()) is None
        assert [call.body["max_tokens"] for call in server.calls] == [1]


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(lambda call: say(""), id="one token is not enough for words"),
        pytest.param(modern, id="own dialect"),
        pytest.param(lambda call: fault(429), id="busy"),
        pytest.param(lambda call: fault(500) if call.number < 3 else rate(call), id="hiccup"),
        pytest.param(
            lambda call: fault(
                400, "Could not finish the message because max_tokens or model output limit was reached"
            ),
            id="reasoning model",
        ),
    ],
)
def test_preflight_lets_a_usable_judge_pass(script):
    with JudgeServer(script) as server:
        preflight(server.config())


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (
            fault(401, "Incorrect API key provided"),
            "HTTP 401: Incorrect API key.*check the value of OPENAI_API_KEY",
        ),
        (
            fault(404, "no such model"),
            "HTTP 404: no such model. Check the model's name .'gpt-4'. and the base URL",
        ),
        (fault(429, "quota", code="insufficient_quota"), "no quota left"),
        (fault(503, "overloaded"), "HTTP 503: overloaded"),
        (raw(b"<html>login</html>"), "no chat completion: '<html>login"),
        (reset(), "no answer from http://127.0.0.1"),
        (stall(), "no reply within 0.5 s"),
    ],
)
def test_preflight_names_the_cause(answer, cause):
    with JudgeServer(lambda call: answer) as server:
        with pytest.raises(JudgeError, match=cause):
            preflight(server.config(timeout=0.5 if answer.stalled else 60))
        assert len(server.calls) <= 3


@pytest.mark.parametrize("value", [None, "", "  "])
def test_preflight_without_a_key(monkeypatch, value):
    if value is None:
        monkeypatch.delenv("OPENAI_API_KEY")
    else:
        monkeypatch.setenv("OPENAI_API_KEY", value)
    with JudgeServer() as server:
        with pytest.raises(JudgeError, match="variable OPENAI_API_KEY is not set: export it"):
            preflight(server.config())
        assert server.calls == []


def test_preflight_with_something_that_is_no_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "日本語のキー")
    with pytest.raises(JudgeError, match="the value of OPENAI_API_KEY is no key") as caught:
        preflight(JudgeConfig())
    assert "日本語" not in str(caught.value)


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/v1", "http://no-such-host.invalid/v1"])
def test_preflight_where_nobody_is(address):
    with pytest.raises(JudgeError, match=f"no answer from {address}: .*Check the base URL"):
        preflight(JudgeConfig(base_url=address))


def test_without_the_openai_package_it_is_named(tmp_path):
    (tmp_path / "openai.py").write_text("raise ImportError", encoding="utf-8")
    code = "from lm_eval_ja.judge import *; preflight(JudgeConfig())"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert 'pip install "lm-eval-ja[judge]"' in done.stderr
