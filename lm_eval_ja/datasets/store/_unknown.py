"""Errors for names that do not exist."""

from collections.abc import Iterable
from difflib import get_close_matches

from lm_eval_ja.errors import OptionError


def unknown(kind: str, value: object, known: Iterable[str]) -> OptionError:
    """Make the error for a name that does not exist: it suggests the closest one and lists all."""
    names = list(known)
    close = get_close_matches(str(value), names, n=1)
    suggestion = f" Did you mean {close[0]!r}?" if close else ""
    return OptionError(f"Unknown {kind} {value!r}.{suggestion} There are: {', '.join(names)}.")
