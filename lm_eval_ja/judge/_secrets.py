"""Keeping keys out of everything that is stored or shown, in whatever form a server sends them back."""

import base64
import os
import re
from functools import lru_cache

from lm_eval_ja.judge._config import KEY_VARIABLES, JudgeConfig

_SECRET_LENGTH = 8  # shorter values ("EMPTY", "none") are no secrets, and would be found in ordinary text


def scrub(text: str, config: JudgeConfig) -> str:
    """Text without the values of the key variables, for everything that is kept or shown.

    Found are the value itself, in any case, the value with any of its characters escaped as in JSON, programs,
    addresses or HTML (several times over included), and the whole of it in hex or base64.
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

    @classmethod
    @lru_cache(maxsize=8)
    def of(cls, secret: str) -> "_Secret":
        """The value's expressions, made once."""
        return cls(secret)

    def replaced(self, text: str, label: str) -> str:
        """The text with ``label`` wherever the value stood in it."""
        lowered = text.lower()
        if not any(sign in lowered for sign in self._signs):  # nearly always, and many times as fast
            return text
        return self._pattern.sub(label, text)


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
