"""Keeping keys out of everything that is stored or shown, in whatever form a server sends them back.

The text is read in every form that a key may have in it, and the key is looked for in what was read: so its parts are
found in each of them as well.
"""

import base64
import os
import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import lru_cache

from lm_eval_ja.judge._config import KEY_VARIABLES, JudgeConfig

_SECRET_LENGTH = 8  # shorter values ("EMPTY", "none") are no secrets, and would be found in ordinary text
_GRAM = 4  # half of it, less than one: each part holds a gram that begins at a multiple of four

_Span = tuple[int, int]
_Reading = tuple[str, Callable[[int, int], _Span]]
"""What a text says in one form, and where in the text the characters of that stand."""


def scrub(text: str, config: JudgeConfig) -> str:
    """Text without the values of the key variables, for everything that is kept or shown.

    Found are the value itself, in any case, and parts of it: eight of its characters or more in a row, with a digit or
    a capital among them, as random text has and words have not. Both as they stand, with any of their characters
    escaped as in JSON, programs, addresses or HTML (several times over included), in hex and in base64.
    """
    names = [name for name in dict.fromkeys((config.api_key_env, *KEY_VARIABLES)) if name]
    values = {name: os.environ.get(name, "").strip() for name in names}
    secrets = [(name, _Secret.of(value)) for name, value in values.items() if len(value) >= _SECRET_LENGTH]
    if not secrets:
        return text
    found = sorted(
        (*place(*span), name)
        for reading, place in _readings(text)
        for name, secret in secrets
        for span in secret.spans(reading)
    )
    kept, end = [], 0
    for first, last, name in found:
        if last > end:
            kept += [text[end:first], f"<{name}>"] if first >= end else []
            end = last
    return "".join((*kept, text[end:]))


class _Secret:
    """One value that nobody may see."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._whole = re.compile(re.escape(secret), re.IGNORECASE)
        varied = len(set(secret)) >= _SECRET_LENGTH  # else it is no random text
        self._grams = {
            at: secret[at : at + _GRAM] for at in range(0, len(secret) - _GRAM + 1 if varied else 0, _GRAM)
        }

    @classmethod
    @lru_cache(maxsize=8)
    def of(cls, secret: str) -> "_Secret":
        """The value's expressions, made once."""
        return cls(secret)

    def spans(self, text: str) -> Iterator[_Span]:
        """Where the value or a part of it stands in a text."""
        for match in self._whole.finditer(text):
            yield match.span()
        for at, gram in self._grams.items():
            if gram in text:
                yield from self._parts(text, at)

    def _parts(self, text: str, at: int) -> Iterator[_Span]:
        """Where parts of the value stand in the text that hold its gram at ``at``."""
        secret, gram = self._secret, self._grams[at]
        found = text.find(gram)
        while found >= 0:
            before, after = 0, _GRAM
            while before < min(at, found) and secret[at - before - 1] == text[found - before - 1]:
                before += 1
            while (
                after < min(len(secret) - at, len(text) - found) and secret[at + after] == text[found + after]
            ):
                after += 1
            part = text[found - before : found + after]
            if len(part) >= _SECRET_LENGTH and any(sign.isdigit() or sign.isupper() for sign in part):
                yield found - before, found + after
            found = text.find(gram, found + after)


_ESCAPES = ("\\", "%", "&")
_NAMES_IN_HTML = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
# Every repetition is bounded: the text may be anything.
_ESCAPED = re.compile(
    r"\\{1,4}(?:(?:u00|x)([0-9a-f]{2})|([^\\%&]))?|%(?:25){0,3}([0-9a-f]{2})"
    r"|&(?:amp;){0,3}(?:#x0{0,5}([0-9a-f]{2})|#0{0,5}([0-9]{1,3})|(amp|lt|gt|quot|apos));",
    re.IGNORECASE | re.ASCII,
)
_HEX = re.compile(rf"[0-9a-f]{{{2 * _SECRET_LENGTH},}}", re.IGNORECASE | re.ASCII)
_BASE64 = re.compile(rf"[0-9a-z+/_-]{{{(_SECRET_LENGTH * 8 + 5) // 6},}}", re.IGNORECASE | re.ASCII)
_ONE_ALPHABET = str.maketrans("-_", "+/")
_AS_IT_STANDS = -1


def _readings(text: str) -> Iterator[_Reading]:
    yield text, lambda first, last: (first, last)
    if any(sign in text for sign in _ESCAPES):
        yield _unescaped(text)
    for run in _HEX.finditer(text):
        for start in range(run.start(), run.start() + 2):
            digits = text[start : run.end() - (run.end() - start) % 2]
            yield bytes.fromhex(digits).decode("latin-1"), _placing(start, 2, 1)
    for run in _BASE64.finditer(text):
        for start in range(run.start(), run.start() + 4):
            digits = text[start : run.end() - ((run.end() - start) % 4 == 1)].translate(_ONE_ALPHABET)
            data = base64.b64decode(digits + "=" * (-len(digits) % 4))
            yield data.decode("latin-1"), _placing(start, 4, 3)


def _placing(start: int, characters: int, octets: int) -> Callable[[int, int], _Span]:
    """Where octets stand that so many characters each stand for."""
    return lambda first, last: (start + first * characters // octets, start - -last * characters // octets)


def _unescaped(text: str) -> _Reading:
    """The text with every escaped ASCII character as it is."""
    read: list[str] = []
    starts, firsts, lasts = array("q", [0]), array("q", [0]), array("q", [0])
    length = end = 0

    def add(piece: str, first: int, last: int) -> None:
        nonlocal length
        read.append(piece)
        starts.append(length)
        firsts.append(first)
        lasts.append(last)
        length += len(piece)

    for match in _ESCAPED.finditer(text):
        if match.start() > end:
            add(text[end : match.start()], end, _AS_IT_STANDS)
        add(_character(*match.groups()), *match.span())
        end = match.end()
    add(text[end:], end, _AS_IT_STANDS)

    def place(index: int) -> _Span:
        piece = bisect_right(starts, index) - 1
        first, last = firsts[piece], lasts[piece]
        if last == _AS_IT_STANDS:
            first += index - starts[piece]
            last = first + 1
        return first, last

    return "".join(read), lambda first, last: (place(first)[0], place(last - 1)[1])


def _character(
    program: str | None,
    plain: str | None,
    url: str | None,
    hexadecimal: str | None,
    decimal: str | None,
    name: str | None,
) -> str:
    digits = program or url or hexadecimal
    if digits:
        return chr(int(digits, 16))
    return chr(int(decimal)) if decimal else plain or _NAMES_IN_HTML.get((name or "").lower(), "")
