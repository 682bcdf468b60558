"""Checkers of the groups ``keywords`` and ``language``, and of endings in nouns: what needs words or languages.

A keyword is found only where janome cuts a whole token that equals it.
"""

import itertools
from collections.abc import Sequence

from lm_eval_ja.metrics.m_ifeval._text import Relation, holds, without_quotations
from lm_eval_ja.metrics.m_ifeval._tokens import detect_language, tokens

_TO_KATAKANA = 96
"""Distance from a hiragana's code point to the full-width katakana's."""


def existence(response: str, *, keywords: Sequence[str]) -> bool:
    """Every keyword is a token of the response.

    Quirk: a keyword that the dictionary splits can't be found (``創造性``: 創造, 性), so two of the real prompts can't
    be followed.
    """
    surfaces = {token.surface for token in tokens(response)}
    return all(keyword in surfaces for keyword in keywords)


def forbidden_words(response: str, *, forbidden_words: Sequence[str]) -> bool:
    """No forbidden word is a token of the response.

    Quirks: within a longer token it is allowed (``大雨`` for ``雨``); a compound that the dictionary splits is caught
    (``健康的`` for ``健康``).
    """
    surfaces = {token.surface for token in tokens(response)}
    return not any(word in surfaces for word in forbidden_words)


def frequency(response: str, *, keyword: str, frequency: int, relation: Relation) -> bool:
    """The keyword is a token less than, or at least, so many times.

    Quirk: as for `existence`; two of the real prompts ask for at least one of a word that is never a token.
    """
    keyword = keyword.strip()
    return holds(sum(token.surface == keyword for token in tokens(response)), relation, frequency)


def letter_frequency(response: str, *, letter: str, let_frequency: int, let_relation: Relation) -> bool:
    """A hiragana and its full-width katakana occur less than, or at least, so many times.

    Quirk: neither the half-width katakana nor voiced or small variants count.
    """
    count = response.count(letter) + response.count(chr(ord(letter) + _TO_KATAKANA))
    return holds(count, let_relation, let_frequency)


def response_language(response: str, *, language: str) -> bool:
    """The response is in the language, by langdetect (see `detect_language` for the seed).

    Quirk: where nothing can be detected (only digits or punctuation), the instruction counts as followed.
    """
    return detect_language(response) in {language, None}


def nominal_ending(response: str, *, count: int) -> bool:
    """At least so many sentences end in a noun, quotations left out: ``。``, ``！`` or ``？`` right after a noun.

    Quirks: a noun at the end of a line or of the text without such a mark doesn't count, nor does one before ASCII
    ``!`` or ``?``, or one in brackets; ``こと``, numbers, counters and the stem of an adjective (``きれい。``) do.
    Asterisks hide the mark (``**夢**。``), as janome takes them for one word with it.
    """
    found = tokens(without_quotations(response))
    nouns = sum(
        token.surface in "。！？" and before.part_of_speech.startswith("名詞")
        for before, token in itertools.pairwise(found)
    )
    return nouns >= count
