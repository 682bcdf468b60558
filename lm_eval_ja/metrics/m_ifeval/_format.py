r"""Checkers of the groups ``combination``, ``detectable_content`` and ``detectable_format``: the form of a response.

Lists begin with whitespace of their own line here (``[^\S\n]*``), where the description has ``\s*``, which reaches over
blank lines: the same items match, without trying every blank line again.
"""

import json
import logging
import re

from lm_eval_ja.metrics.m_ifeval._text import count_pairs

_log = logging.getLogger(__name__)

_RESPONSES = "******"
_CHOICES = ("はい、そうです。", "いいえ、違います。", "どちらとも言えません。")
_FENCES = ("```json", "```Json", "```JSON", "```")
_HIGHLIGHT = re.compile(r"《[^\n《》]*》")
_BULLET = re.compile(r"^[^\S\n]*・[^・].*$", re.MULTILINE)
_NUMBERED = re.compile(r"^[^\S\n]*\d+\.\s.*$", re.MULTILINE)
_POSTSCRIPTS = {"P.S.": r"p\.\s?s\.", "P.P.S": r"p\.\s?p\.\s?s"}


def repeat_prompt(response: str, *, prompt_to_repeat: str) -> bool:
    """The response begins with the given text, character by character, outer whitespace aside."""
    return response.strip().startswith(prompt_to_repeat.strip())


def two_responses(response: str) -> bool:
    """There are two different responses, divided by ``******``.

    Quirk: a mark before the first and one after the last is harmless; twelve asterisks between the two fail, and of
    seven one stays with the second.
    """
    pieces = [piece.strip() for piece in response.split(_RESPONSES)]
    if not all(pieces[1:-1]):
        return False
    texts = [piece for piece in pieces if piece]
    return len(texts) == 2 and texts[0] != texts[1]  # noqa: PLR2004  # the two responses


def number_placeholders(response: str, *, num_placeholders: int) -> bool:
    """At least so many ``[…]``, each on one line.

    Quirk: empty ones count, and so do the texts of Markdown links; ``［］`` and ``【】`` don't.
    """
    return count_pairs(response, "[", "]") >= num_placeholders


def postscript(response: str, *, postscript_marker: str) -> bool:
    """There is a postscript with the given marker, in any case.

    Quirks: the marker may stand anywhere, in a sentence too; ``P.P.S.`` has a ``P.S.`` in it; for the marker ``P.S.``
    (and ``P.P.S`` without the last dot, which is not in the data) a space may follow each dot, but not for ``P.P.S.``.
    """
    marker = postscript_marker.strip()
    pattern = _POSTSCRIPTS.get(marker, re.escape(marker))
    return re.search(pattern, response, re.IGNORECASE) is not None


def constrained_response(response: str) -> bool:
    """One of the three given answers stands in the response. Quirk: with other text too, or several of them."""
    return any(choice in response for choice in _CHOICES)


def json_format(response: str) -> bool:
    """The response is JSON, in a Markdown fence or not.

    Quirks: any JSON value passes, and so do ``NaN`` and ``Infinity``, which Python reads; of the fence's tag only
    ``json``, ``Json`` and ``JSON`` are known. JSON that is nested too deeply for Python counts as not followed, with a
    warning (the original ends with an error).
    """
    text = response.strip()
    for fence in _FENCES:
        text = text.removeprefix(fence)
    try:
        json.loads(text.removesuffix("```").strip())
    except ValueError:
        return False
    except RecursionError:
        _log.warning(
            "M-IFEval: a response of %d characters is nested too deeply to be read as JSON", len(text)
        )
        return False
    return True


def multiple_sections(response: str, *, section_spliter: str, num_sections: int) -> bool:
    """At least so many headings ``第…章``, with whatever splitter is asked for.

    Quirks: a mention within a sentence and a repetition count; numbers need no order; numbers in kanji (``第一章``) and
    spaces (``第 1 章``) don't count.
    """
    return len(re.findall(section_pattern(section_spliter), response)) >= num_sections


def section_pattern(section_spliter: str) -> str:
    """What a heading looks like. Quirk: the splitter is a part of the pattern, not a text."""
    return rf"\s?第[\d\uFF10-\uFF19]+{section_spliter.strip()}\s?"


def number_bullet_lists(response: str, *, num_bullets: int) -> bool:
    """Exactly so many list items with ``・``.

    Quirks: ``-``, ``*`` and ``•`` are no bullets, although some prompts don't say so; ``・・`` isn't one either; a
    ``・`` alone on its line takes the next line with it.
    """
    return len(_BULLET.findall(response)) == num_bullets


def number_numbered_lists(response: str, *, num_items: int) -> bool:
    """Exactly so many list items with a number, a full stop and whitespace.

    Quirks: indented items count; ``1.`` alone on its line takes the next line with it; ``1)``, ``①`` and
    ``**1. …**`` don't count.
    """
    return len(_NUMBERED.findall(response)) == num_items


def number_highlighted_sections(response: str, *, num_highlights: int) -> bool:
    """At least so many ``《…》`` with something in them, each on one line. Of nested ones the innermost counts."""
    return sum(bool(match.strip("《》").strip()) for match in _HIGHLIGHT.findall(response)) >= num_highlights


def title(response: str) -> bool:
    """There is a title in ``『』``. Quirk: anywhere, so that a book that is mentioned counts."""
    return any(map(_titled, response.split("\n")))


def _titled(line: str) -> bool:
    """Whether a line has a title: from its first ``『`` to its last ``』``."""
    first, last = line.find("『"), line.rfind("』")
    return 0 <= first < last - 1 and bool(line[first : last + 1].lstrip("『").rstrip("』").strip())
