"""Keeping keys out of everything that is stored or shown, in whatever form a server sends them back."""

import base64
import os
import re
from collections.abc import Iterator
from functools import lru_cache

from lm_eval_ja.judge._config import KEY_VARIABLES, JudgeConfig

_SECRET_LENGTH = 8  # shorter values ("EMPTY", "none") are no secrets, and would be found in ordinary text
_GRAM = 4  # half of it, less than one: each part holds a gram that begins at a multiple of four


def scrub(text: str, config: JudgeConfig) -> str:
    """Text without the values of the key variables, for everything that is kept or shown.

    Found are the value itself, in any case, the value with any of its characters escaped as in JSON, programs,
    addresses or HTML (several times over included), the whole of it in hex or base64, and parts of it: eight of its
    characters or more in a row, with a digit or a capital among them, as random text has and words have not.
    """
    for name in {config.api_key_env, *KEY_VARIABLES} - {""}:
        secret = os.environ.get(name, "").strip()
        if len(secret) >= _SECRET_LENGTH:
            text = _Secret.of(secret).replaced(text, f"<{name}>")
    return text


class _Secret:
    """One value that nobody may see."""

    def __init__(self, secret: str) -> None:
        encoded = secret.encode()
        wholes = [encoded.hex(), *(form for before in range(3) for form in _base64(encoded, before))]
        self._signs = (*_ESCAPES, secret.lower(), *(whole.lower() for whole in wholes))
        forms = ["".join(map(_any_form, secret)), *map(re.escape, wholes)]
        self._pattern = re.compile("|".join(forms), re.IGNORECASE)
        self._secret = secret
        varied = len(set(secret)) >= _SECRET_LENGTH  # else it is no random text
        self._grams = {
            at: secret[at : at + _GRAM] for at in range(0, len(secret) - _GRAM + 1 if varied else 0, _GRAM)
        }

    @classmethod
    @lru_cache(maxsize=8)
    def of(cls, secret: str) -> "_Secret":
        """The value's expressions, made once."""
        return cls(secret)

    def replaced(self, text: str, label: str) -> str:
        """The text with ``label`` wherever the value stood in it."""
        lowered = text.lower()
        if any(sign in lowered for sign in self._signs):  # hardly ever, and the search is slow
            text = self._pattern.sub(label, text)
        parts = sorted(
            part for at, gram in self._grams.items() if gram in text for part in self._parts(text, at)
        )
        kept, end = [], 0
        for first, last in parts:
            if last > end:
                kept += [text[end:first], label] if first >= end else []
                end = last
        return "".join((*kept, text[end:]))

    def _parts(self, text: str, at: int) -> Iterator[tuple[int, int]]:
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
_NAMES_IN_HTML = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}


def _any_form(character: str) -> str:
    """Expression for a character as it stands or escaped. Every repetition is bounded: the text may be anything."""
    code = ord(character)
    return (
        rf"(?:\\{{0,4}}{re.escape(character)}|\\{{1,4}}(?:u00|x){code:02x}|%(?:25){{0,3}}{code:02x}"
        rf"|&(?:amp;){{0,3}}(?:#0{{0,5}}{code}|#x0{{0,5}}{code:x}|{_NAMES_IN_HTML.get(character, '#')});)"
    )


def _base64(secret: bytes, before: int) -> tuple[str, str]:
    """The secret in base64, in both alphabets, where ``before`` bytes (modulo 3) stand ahead of it.

    The characters at the edges depend on the neighbours and are left out.
    """
    whole = base64.b64encode(bytes(before) + secret).decode()
    inner = whole[(before * 8 + 5) // 6 : (before + len(secret)) * 8 // 6]
    return inner, inner.replace("+", "-").replace("/", "_")
