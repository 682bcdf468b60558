"""Signatures: order, escapes, and that everything comes back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lm_eval_ja.errors import OptionError
from lm_eval_ja.protocols import KEY_ORDER, parse_signature, signature

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=20)  # lone surrogates included
KEYS = st.sampled_from(KEY_ORDER) | st.from_regex(r"[A-Za-z0-9_.-]+", fullmatch=True)


@settings(max_examples=1000)
@given(st.dictionaries(KEYS, ANY_TEXT, max_size=8))
def test_every_value_comes_back(fields):
    text = signature(fields)
    assert parse_signature(text) == fields
    assert text.isprintable()
    text.encode("utf-8")


@given(st.permutations([*KEY_ORDER, "zeta", "alpha"]))
def test_the_order_of_the_keys_is_fixed(keys):
    text = signature(dict.fromkeys(keys, "v"))
    assert list(parse_signature(text)) == [*KEY_ORDER, "alpha", "zeta"]


def test_usual_values_stay_readable():
    fields = {"judge": "gpt-4", "protocol": "neo", "data": "sha256:0f3a", "sys": "あなたは誠実な助手です。"}
    assert signature(fields) == "protocol:neo|data:sha256:0f3a|sys:あなたは誠実な助手です。|judge:gpt-4"


def test_escapes_are_percent_encoded_utf_8():
    assert signature({"sys": "100%|a\nb\u3000"}) == "sys:100%25%7Ca%0Ab%E3%80%80"


@pytest.mark.parametrize("key", ["", "a:b", "a|b", "a b", "日本", "a\n"])
def test_keys_with_other_characters_are_refused(key):
    with pytest.raises(OptionError, match="signature key"):
        signature({key: "v"})


@pytest.mark.parametrize(
    "text",
    ["neo", "protocol:neo|", "|protocol:neo", "a:1|a:2", ":x", "a b:1", "a:50%", "a:%zz", "a:%2", "a:%FF"],
)
def test_what_is_no_signature_is_refused(text):
    with pytest.raises(OptionError, match="not a signature"):
        parse_signature(text)
