"""One line that says how a score came to be, in the manner of sacrebleu's signatures."""

import re
from collections.abc import Mapping

from lm_eval_ja.errors import OptionError

KEY_ORDER: tuple[str, ...] = (
    "protocol",
    "version",
    "data",
    "split",
    "n",
    "shots",
    "style",
    "norm",
    "thoughts",
    "gen",
    "sys",
    "template",
    "bos",
    "judge",
    "judge_prompts",
    "judge_repeats",
    "judge_strict",
)
"""Keys in the order in which a signature shows them; any others follow, sorted."""

_KEY = re.compile(r"[A-Za-z0-9_.-]+")
_ESCAPES = re.compile(r"(?:%[0-9A-F]{2})+")


def _escape(value: str) -> str:
    # "|" would end the field; what cannot be printed would break the line or, as a lone surrogate, the file.
    return "".join(
        character
        if character.isprintable() and character not in "%|"
        else "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))
        for character in value
    )


def _unescape(value: str) -> str:
    if "%" in _ESCAPES.sub("", value):
        raise ValueError(value)
    return _ESCAPES.sub(
        lambda m: bytes.fromhex(m[0].replace("%", "")).decode("utf-8", "surrogatepass"), value
    )


def signature(fields: Mapping[str, str]) -> str:
    """Write a signature: ``key:value|key:value`` with the keys in a fixed order.

    In values ``%``, ``|`` and characters that cannot be printed are percent-encoded (UTF-8), so that every
    value comes back unchanged from `parse_signature` and a signature stays on one line.

    Args:
        fields: Values by key; see `KEY_ORDER` for the usual keys.

    Returns:
        The signature.

    Raises:
        OptionError: A key holds anything but letters, digits, ``_``, ``.`` and ``-``.

    Examples:
        >>> signature({"shots": "0", "protocol": "neo", "style": "my|own"})
        'protocol:neo|shots:0|style:my%7Cown'
    """
    for key in fields:
        if not _KEY.fullmatch(key):
            raise OptionError(f"signature key {key!r}: use only letters, digits, '_', '.' and '-'")
    known = [key for key in KEY_ORDER if key in fields]
    others = sorted(key for key in fields if key not in KEY_ORDER)
    return "|".join(f"{key}:{_escape(fields[key])}" for key in (*known, *others))


def parse_signature(text: str) -> dict[str, str]:
    """Read a signature back into its fields.

    Args:
        text: What `signature` returned.

    Returns:
        Values by key, in the signature's order.

    Raises:
        OptionError: The text is no signature: a field has no key, a key occurs twice, or an escape is
            malformed.

    Examples:
        >>> parse_signature("protocol:neo|style:my%7Cown")
        {'protocol': 'neo', 'style': 'my|own'}
    """
    fields: dict[str, str] = {}
    for field in text.split("|") if text else ():
        key, colon, value = field.partition(":")
        if not colon or not _KEY.fullmatch(key) or key in fields:
            raise OptionError(
                f"not a signature: field {field!r} of {text!r} must be key:value, with each key once"
            )
        try:
            fields[key] = _unescape(value)
        except ValueError:
            raise OptionError(f"not a signature: malformed escape in field {field!r} of {text!r}") from None
    return fields
