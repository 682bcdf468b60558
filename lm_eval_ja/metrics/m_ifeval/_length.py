"""Checkers of the groups ``length_constraints`` and ``startend``: how long a response is, how it begins and ends."""

import re

from lm_eval_ja.metrics.m_ifeval._sentences import count_sentences
from lm_eval_ja.metrics.m_ifeval._text import Relation, holds, without_quotations

_PARAGRAPH_MARK = re.compile(r"\s?\*\*\*\s?")
_MARK = re.compile("[。！？]")
_CLOSING = "」』"


def number_letters(response: str, *, num_letters: int, relation: Relation) -> bool:
    """The response has less than, or at least, so many characters.

    Quirk: these are code points of the raw response; spaces, line breaks and Markdown count.
    """
    return holds(len(response), relation, num_letters)


def number_sentences(response: str, *, num_sentences: int, relation: Relation) -> bool:
    """The response has less than, or at least, so many sentences, see `count_sentences` for what these are."""
    return holds(count_sentences(response), relation, num_sentences)


def number_paragraphs(response: str, *, num_paragraphs: int) -> bool:
    """The response has exactly so many paragraphs, divided by ``***``.

    Quirks: blank lines divide nothing; one mark may stand before the first paragraph and one after the last, but two
    with nothing between them fail; ``***strong***`` divides too.
    """
    pieces = _PARAGRAPH_MARK.split(response)
    blank = [index for index, piece in enumerate(pieces) if not piece.strip()]
    if any(0 < index < len(pieces) - 1 for index in blank):
        return False
    return len(pieces) - len(blank) == num_paragraphs


def nth_paragraph_first_word(
    response: str, *, num_paragraphs: int, nth_paragraph: int, first_word: str
) -> bool:
    r"""The response has exactly so many paragraphs, divided by blank lines, and the n-th begins with the word.

    Quirks: a division is ``\n\n`` and nothing else; paragraphs are counted without the blank ones, but the n-th is
    looked up among all, so that further blank lines shift it; opening quotation marks before the word are ignored
    (``「`` and then ``『``), Markdown is not; the word is lowercased and the response isn't, so that an English word
    in capitals never fits.
    """
    pieces = response.split("\n\n")
    count = sum(bool(piece.strip()) for piece in pieces)
    if nth_paragraph > count:
        return False
    paragraph = pieces[nth_paragraph - 1].strip()
    if not paragraph:
        return False
    beginning = paragraph.lstrip("「").lstrip("『")
    return count == num_paragraphs and beginning.startswith(first_word.lower())


def end_checker(response: str, *, end_phrase: str) -> bool:
    """The response ends with the phrase.

    Outer whitespace, and then closing quotation marks (at both ends), are taken off both. Quirk: nothing more is taken
    off, so that a space before a closing mark fails.
    """
    return response.strip().strip(_CLOSING).endswith(end_phrase.strip().strip(_CLOSING))


def quotation(response: str) -> bool:
    """The whole response is in ``「」``. Quirk: ``「A」と「B」`` passes, and ``『』`` doesn't."""
    response = response.strip()
    return len(response) > 1 and response.startswith("「") and response.endswith("」")


def sentence_unified_end(response: str, *, ending: str) -> bool:
    """Every sentence outside quotations ends with the same words, just before its ``。``, ``！`` or ``？``.

    Quirks: nothing is stripped, so that a line break after the last mark fails, as ``。（笑）`` does; line breaks
    divide no sentences, so a list without marks is judged by its end; a response that is all quotation passes.
    """
    return all(piece.endswith(ending) for piece in _MARK.split(without_quotations(response)) if piece)
