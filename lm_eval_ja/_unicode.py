"""Text that a model may produce but no file, request, tokenizer or terminal can take."""

_SHOWN = 200
"""Characters of a value that stand in an error."""


def well_formed(text: str) -> str:
    r"""The text with halves of a surrogate pair joined where both are there, and replaced where one is alone.

    Lone surrogates are no Unicode text and have no UTF-8 form; JSON from an API can bring them in.

    >>> well_formed("\ud83d\ude00 \udc00")
    '😀 �'
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def shown(value: object) -> str:
    """How a value stands in an error: as Python writes it, but no longer than anybody reads.

    >>> shown("x" * 300)[-19:]
    'x… (302 characters)'
    """
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a whole number of thousands of digits, lists in lists without end
        return f"<{type(value).__name__} too large to be shown>"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"


def visible(text: str) -> str:
    r"""The text on one line, with everything that a terminal would obey rather than print made visible.

    That is control characters (C0, C1), direction marks and line separators, but not the ideographic space.

    >>> print(visible("名前　\x1b[31m \x9b \u202e \ud800"))
    名前　\x1b[31m \x9b \u202e \ud800
    """
    return "".join(
        c if c.isprintable() or c == "\u3000" else c.encode("unicode_escape").decode() for c in text
    )
