"""Checkers of the groups ``letters`` and ``punctuation``: which characters a response holds.

Kanji are U+4E00 to U+9FAF and nothing else: not ``々``, not ``〇``, no extension block. A letter is a character whose
Unicode category starts with L.
"""

import re
import unicodedata

from lm_eval_ja.metrics.m_ifeval._text import Relation, holds

_KANJI = re.compile("[\u4e00-\u9faf]")
_KANJI_RUN = re.compile("[\u4e00-\u9faf]+")
_READING_OF_KANJI = re.compile("(?<=[\u4e00-\u9faf])（[ぁ-ん]+）")
_HIRAGANA_ONLY = re.compile("[ぁ-んー]+")
_KATAKANA_ONLY = re.compile("[ァ-ンー・\uff66-\uff9f]+")
_ANY_HIRAGANA = re.compile("[\u3041-\u3096]")
_ANY_KATAKANA = re.compile("[\u30a1-\u30fa\uff66-\uff9f]")
_DIGIT = re.compile(r"\d")


def furigana(response: str) -> bool:
    """Every run of kanji is followed by its reading in hiragana, in full-width round brackets.

    Quirks: a response without kanji passes; ``人々（ひとびと）`` fails, for ``々`` is no kanji, and so does a reading
    with anything but ``ぁ`` to ``ん`` in it (katakana, ``ー``, spaces).
    """
    return len(_KANJI_RUN.findall(response)) == len(_READING_OF_KANJI.findall(response))


def hiragana_only(response: str) -> bool:
    """All letters are ``ぁ`` to ``ん`` or ``ー``.

    Quirks: digits, punctuation, emoji and ``〇`` are no letters and pass; ``ゔ ゕ ゖ ゝ ゞ 々`` and half-width ``ｰ``
    fail.
    """
    return not _has_letter(_HIRAGANA_ONLY.sub("", response))


def katakana_only(response: str) -> bool:
    """All letters are ``ァ`` to ``ン``, ``ー``, ``・`` or half-width katakana.

    Quirk: ``ヴ ヵ ヶ``, ``ヷ`` to ``ヺ``, ``ヽ ヾ`` and the small letters of Ainu fail.
    """
    return not _has_letter(_KATAKANA_ONLY.sub("", response))


def _has_letter(text: str) -> bool:
    return any(unicodedata.category(character).startswith("L") for character in set(text))


def kanji(response: str, *, kanji_limit: int, relation: Relation) -> bool:
    """The response has less than, or at least, so many kanji."""
    return holds(len(_KANJI.findall(response)), relation, kanji_limit)


def kansuuji(response: str) -> bool:
    """Numbers are written in kanji: the response has no decimal digit of any script.

    Quirks: a response without any number passes, as do ``①`` and ``Ⅲ``; the digits of a numbered list fail.
    """
    return _DIGIT.search(response) is None


def no_hiragana(response: str) -> bool:
    """No hiragana. Quirk: ``ゝ``, ``ゞ`` and ``ー`` are allowed."""
    return _ANY_HIRAGANA.search(response) is None


def no_katakana(response: str) -> bool:
    """No katakana, full or half width. Quirk: ``ー`` and ``・`` are allowed, half-width ``ｰ`` is not."""
    return _ANY_KATAKANA.search(response) is None


def no_comma(response: str) -> bool:
    """No ``、``. Quirk: ``，``, ``,`` and ``､`` are allowed."""
    return "、" not in response


def no_period(response: str) -> bool:
    """No ``。``. Quirk: ``．``, ``.`` and ``｡`` are allowed."""
    return "。" not in response
