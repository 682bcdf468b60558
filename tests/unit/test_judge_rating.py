"""The rating rule, case by case, and against the reference's own expressions."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_eval_ja.judge import parse_rating

CASES = [
    # reply, default reading, strict reading
    ("Rating: [[5]]", 5.0, 5.0),
    ("[[10]]", 10.0, 10.0),
    ("[[1]]", 1.0, 1.0),
    ("[[7.5]]", 7.5, 7.5),
    ("[[8.]]", 8.0, 8.0),
    ("[[05]]", 5.0, 5.0),
    ("評価：[[8]]です。", 8.0, 8.0),
    ("line\n[[6]]\nline", 6.0, 6.0),
    # several: the first counts
    ("[[3]] and then [[9]]", 3.0, 3.0),
    ("[[0]] and then [[9]]", None, 0.0),
    # the backup form, only where the main form is nowhere
    ("Rating: [4]", 4.0, 4.0),
    ("[2] then [[9]]", 9.0, 9.0),
    ("[2] then [3]", 2.0, 2.0),
    ("[[4]", 4.0, 4.0),
    # out of range: no rating, except in strict mode
    ("[[0]]", None, 0.0),
    ("[[11]]", None, 11.0),
    ("[[10.5]]", None, 10.5),
    ("[100]", None, 100.0),
    # no rating at all
    ("", None, None),
    ("five", None, None),
    ("Rating: 5", None, None),
    ("[[rating]]", None, None),
    ("[[ 5 ]]", None, None),
    ("[[-3]]", None, None),
    ("[[5/10]]", None, None),
    ("［［5］］", None, None),
    ("【【5】】", None, None),
    ("[[.5]]", None, None),
    ("[[1,5]]", None, None),
    ("[[" + "9" * 400 + "]]", None, None),
]


@pytest.mark.parametrize(("text", "default", "strict"), CASES)
def test_rating_rule(text, default, strict):
    assert parse_rating(text) == default
    assert parse_rating(text, strict=True) == strict


@given(st.text(alphabet="[]0123456789.５［ \nx", max_size=40))
def test_any_text_gives_a_rating_in_range_or_none(text):
    rating = parse_rating(text)
    assert rating is None or 1 <= rating <= 10
    if rating is not None:
        assert parse_rating(text, strict=True) == rating


def as_the_reference(text):
    """FastChat's rule with FastChat's expressions; a number too large for a float is none, here and there."""
    match = re.search(r"\[\[(\d+\.?\d*)\]\]", text) or re.search(r"\[(\d+\.?\d*)\]", text)
    return float(match[1]) if match and math.isfinite(float(match[1])) else None


PIECES = [
    "[",
    "]",
    "[[",
    "]]",
    ".",
    "..",
    "1",
    "10",
    "05",
    "7.5",
    "８",
    "٣",
    "²",
    "［",
    "】",
    " ",
    "\n",
    "-",
    "x",
    "[[5]]",
    "[3.]",
]


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join) | st.text(max_size=60))
def test_every_text_is_read_as_the_reference_reads_it(text):
    assert parse_rating(text, strict=True) == as_the_reference(text)


MEGABYTE = 1_000_000


@pytest.mark.timeout(60)  # the reference's expressions need hours for the first of these
@pytest.mark.parametrize(
    ("text", "rating"),
    [
        ("[[" + "1" * MEGABYTE, None),
        ("[" + "1" * MEGABYTE + "x]", None),
        ("[[1." + "1" * MEGABYTE, None),
        ("[[1." + "0" * MEGABYTE + "]]", 1.0),
        ("[[" + "0" * MEGABYTE + "5]]", 5.0),
        ("[" * MEGABYTE, None),
        ("[[1" * (MEGABYTE // 3), None),
        ("[[1]" * (MEGABYTE // 4), 1.0),
        ("[[1.]" * (MEGABYTE // 5) + "[[7]]", 7.0),
        ("[1" * (MEGABYTE // 2) + "]", 1.0),
    ],
    ids=lambda value: f"{value[:6]}..." if isinstance(value, str) else None,
)
def test_a_megabyte_of_anything_is_read_in_linear_time(text, rating):
    assert parse_rating(text) == rating
