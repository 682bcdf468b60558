"""Reading the rating out of a judge's reply."""

import math
import re

LOWEST, HIGHEST = 1, 10

# The reference writes the number as \d+\.?\d*, which matches the same texts, but takes time that grows with the square
# of a row of digits: a reply of nothing else would hold everything up.
_NUMBER = r"\d+(?:\.\d*)?"
_RATING = re.compile(rf"\[\[({_NUMBER})\]\]")
_BACKUP = re.compile(rf"\[({_NUMBER})\]")


def parse_rating(text: str, *, strict: bool = False) -> float | None:
    """Rating in a judge's reply: the first ``[[number]]``, or else the first ``[number]``.

    This is FastChat's rule. Later ratings in the same reply are not looked at, full-width brackets are not
    brackets, and signs are not part of a number (``[[-3]]`` holds no rating).

    Args:
        text: The judge's reply, and nothing but it: an answer under judgment can then not smuggle a rating
            in.
        strict: Accept any number, as the reference does. Otherwise a first match outside 1 to 10 is no
            rating.

    Returns:
        The rating, or None if there is none.
    """
    match = _RATING.search(text) or _BACKUP.search(text)
    if match is None:
        return None
    rating = float(match[1])
    if not math.isfinite(rating) or not (strict or LOWEST <= rating <= HIGHEST):
        return None
    return rating


def assess(
    text: str, finish_reason: str, *, strict: bool, max_tokens: int
) -> tuple[float | None, str | None]:
    """Rating of a reply, and the reason if it has none.

    Args:
        text: The judge's reply.
        finish_reason: Why the judge stopped, as the API reports it; empty if unknown.
        strict: A reply without a rating counts as -1, as Nejumi Leaderboard Neo counted it.
        max_tokens: The limit the judge had, for the reason.

    Returns:
        ``(rating, reason)``. In default mode exactly one of the two is None.
    """
    rating = parse_rating(text, strict=strict)
    if rating is not None:
        return rating, None
    written = parse_rating(text, strict=True)
    if written is not None:
        reason = f"the rating {written:g} is outside {LOWEST} to {HIGHEST}"
    elif finish_reason in {"content_filter", "refusal"}:
        reason = f"the judge withheld its reply ({finish_reason})"
    elif finish_reason == "length":
        reason = f"the reply was cut off at max_tokens={max_tokens} before a rating"
    elif not text.strip():
        reason = "the reply was empty"
    else:
        reason = "the reply holds no rating"
    return (-1.0 if strict else None), reason
