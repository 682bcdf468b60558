"""Metrics of one prediction against one gold answer (PROTOCOL, section 5)."""

import re

from rapidfuzz.distance import Indel

# fuzzywuzzy deletes these (`force_ascii` is on by default in token_sort_ratio), although its name says
# "ASCII".
_LATIN_1 = re.compile("[\u0080-\u00ff]+")
_NON_WORD = re.compile(r"\W+")


def exact_match(prediction: str, gold: str) -> float:
    """Tell whether the prediction is the gold answer, character by character.

    Nothing is stripped or folded here: that is the business of `normalize`. Source: PROTOCOL section 5.

    Args:
        prediction: The normalised prediction.
        gold: The gold answer.

    Returns:
        1.0 or 0.0.

    Examples:
        >>> exact_match("neutral", "neutral"), exact_match("neutral ", "neutral")
        (1.0, 0.0)
    """
    return float(prediction == gold)


def exact_match_figure(prediction: str, gold: str) -> float:
    """Tell whether two texts are the same number to Python's ``float`` (Nejumi 3 and 4).

    Oddities of the reference that are kept: what ``float`` accepts is a number, so ``1_000``, ``1e3`` and digits of any
    script are; ``1,000`` and ``3個`` are none, and ``nan`` equals nothing, itself included.

    Source: NEJUMI34 section 2.

    Args:
        prediction: The normalised prediction.
        gold: The gold answer.

    Returns:
        1.0 or 0.0.

    Examples:
        >>> exact_match_figure("12.0", "12"), exact_match_figure("12個", "12")
        (1.0, 0.0)
    """
    try:
        return float(float(prediction) == float(gold))
    except ValueError:
        return 0.0


def _sorted_words(text: str) -> str:
    # Lower-casing comes after the split into words, as in fuzzywuzzy: it can create non-word characters
    # ("İ" becomes "i" and a combining dot), which then stay.
    words = _NON_WORD.sub(" ", text if text.isascii() else _LATIN_1.sub("", text)).lower().split()
    return " ".join(sorted(words))


def char_f1(prediction: str, gold: str) -> float:
    """Score the likeness of two answers as fuzzywuzzy's ``token_sort_ratio / 100`` does.

    Both texts are prepared alike: characters U+0080 to U+00FF are deleted; every character that is not a word
    character of ``re`` (so ``_`` stays) becomes a space; lower case; the words are sorted and joined with a
    space. Equal texts score 1.0, also two empty ones; one empty text scores 0.0. Otherwise the score is
    ``round(100 * similarity) / 100`` with Python's rounding (half to even), and the similarity is
    ``1 - (n - 2 * LCS) / n`` in floating point, with *n* the sum of both lengths and *LCS* the length of the
    longest common subsequence.

    Oddities of the reference that are kept: the score has two decimals; two answers that differ only in
    symbols (``"+1"``, ``"-1"``) score 1.0, two that consist of symbols only as well; ``é`` vanishes but ``ē``
    counts; in spite of the name it is no F1 over characters.

    Source: PROTOCOL section 5: fuzzywuzzy 0.18.0 with python-Levenshtein (without it fuzzywuzzy falls back to
    difflib, which gives other numbers).

    Args:
        prediction: The normalised prediction.
        gold: The gold answer.

    Returns:
        A multiple of 0.01 from 0.0 to 1.0.

    Examples:
        >>> char_f1("東京都", "東京")
        0.8
        >>> char_f1("Tokyo, Japan", "japan tokyo")
        1.0
        >>> char_f1("", "。"), char_f1("", "東京")
        (1.0, 0.0)
    """
    a, b = _sorted_words(prediction), _sorted_words(gold)
    if a == b:
        return 1.0
    if not a or not b:
        return 0.0
    n = len(a) + len(b)
    # Not 2 * LCS / n: that differs in the last bit, and so after rounding.
    return round(100 * (1 - Indel.distance(a, b) / n)) / 100


def set_f1(prediction: str, gold: str) -> float:
    r"""Score the overlap of two sets of lines.

    The texts are split at newlines (only ``\n``) and each line is stripped. With *P* the set of predicted
    lines and *T* the **list** of gold lines, hits are the members of *P* that occur in *T*; precision is
    hits/|P|, recall is hits/|T|, and the score is their harmonic mean, 0.0 if both are 0.

    Oddities of the reference that are kept: empty lines count, so that two empty texts score 1.0 and a
    trailing newline on both sides is a hit; a gold line that occurs twice is hit once but counted twice, so
    that a perfect answer to it stays below 1.0.

    Source: PROTOCOL section 5. Time is linear in the number of lines.

    Args:
        prediction: The normalised prediction.
        gold: The gold answer.

    Returns:
        A number from 0.0 to 1.0.

    Examples:
        >>> set_f1("A positive\nB negative", "B negative\nA positive")
        1.0
        >>> set_f1("a", "a\na")
        0.6666666666666666
        >>> set_f1("", "")
        1.0
    """
    predicted = {line.strip() for line in prediction.split("\n")}
    wanted = [line.strip() for line in gold.split("\n")]
    hits = len(predicted.intersection(wanted))
    precision, recall = hits / len(predicted), hits / len(wanted)
    return 2 * precision * recall / (precision + recall) if hits else 0.0
