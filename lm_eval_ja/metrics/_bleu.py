"""BLEU of one translation, as sacrebleu computes it, and the references' accident of the same name."""

import functools
import math
from typing import Any, Literal

from lm_eval_ja.errors import OptionError

Language = Literal["ja", "en"]


@functools.cache
def _scorer(lang: str) -> Any:
    if lang not in ("ja", "en"):
        raise OptionError(f"unknown BLEU target language {lang!r}: choose ja or en")
    from sacrebleu.metrics import BLEU

    try:
        return BLEU(effective_order=True, trg_lang=lang)
    except RuntimeError as error:  # sacrebleu's answer to a missing MeCab
        raise OptionError(
            'metric bleu_ja needs the MeCab tokenizer with the IPA dictionary: pip install "sacrebleu[ja]"'
        ) from error


def _sentence_bleu(lang: Language, prediction: str, gold: str) -> float:
    return float(_scorer(lang).sentence_score(prediction, [gold]).score)


def _for_mecab(text: str) -> str:
    # MeCab takes C strings of valid UTF-8: NUL would end the text, a lone surrogate would raise.
    return text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")


def bleu_ja(prediction: str, gold: str) -> float:
    """Score a Japanese translation with sacrebleu's sentence BLEU, words cut by MeCab (``ja-mecab``).

    ``effective_order=True`` leaves out the n-gram orders that the prediction is too short for. An empty
    prediction or gold answer scores 0.0, and so does a text that MeCab gives up on (a path cost overflows;
    seen from 89,000 characters on, in one endless run of digits). The dataset's score is the mean over
    sentences. Source: PROTOCOL section 5, which wants the correct per-sentence value and not what the
    references compute (see `bleu_reference_quirk`).

    Args:
        prediction: The normalised prediction.
        gold: The gold translation.

    Returns:
        A number from 0 to 100, up to the last bits of floating point.

    Raises:
        OptionError: MeCab is not installed. ``bleu_signature("ja")`` raises the same, and can be called
            beforehand.
    """
    texts = _for_mecab(prediction), _for_mecab(gold)
    try:
        return _sentence_bleu("ja", *texts)
    except AttributeError:  # sacrebleu trips over the None with which MeCab gives up
        return 0.0


def bleu_en(prediction: str, gold: str) -> float:
    """Score an English translation with sacrebleu's sentence BLEU (``13a``); otherwise as `bleu_ja`.

    Examples:
        >>> round(bleu_en("The cat sat on the mat.", "The cat sat on a mat."), 2)
        48.89
        >>> bleu_en("", "The cat.")
        0.0
    """
    return _sentence_bleu("en", prediction, gold)


def bleu_signature(lang: Language) -> str:
    """Return sacrebleu's own signature of `bleu_ja` (``"ja"``) or `bleu_en` (``"en"``).

    Raises:
        OptionError: The language is neither, or MeCab is not installed.

    Examples:
        >>> bleu_signature("en").rpartition("|")[0]
        'nrefs:1|case:mixed|eff:yes|tok:13a|smooth:exp'
    """
    scorer = _scorer(lang)
    scorer.sentence_score("a", ["a"])  # sacrebleu knows the number of references only after a score
    return str(scorer.get_signature())


def bleu_reference_quirk(prediction: str, gold: str) -> float:
    """Score a translation the way the references do by accident, in either language.

    They call ``BLEU(effective_order=True, ...).corpus_score(prediction, [gold])``. sacrebleu wants a list of
    sentences and a list of lists, and a string is a sequence too, so every *character* is taken for a
    sentence: the i-th character of the prediction is compared with the i-th character of the gold answer, up
    to the end of the shorter one. A one-character sentence has no bigram, so with ``effective_order`` only
    the unigram precision is left: the value is 100 times the share of equal positions, white space aside. One
    inserted character ruins all that follows, a short prefix of the gold answer is perfect, and word order or
    tokenizers play no part. The brevity penalty sees only the characters compared, and so only white space
    that faces something else.

    Nothing is stripped: a space before a translation shifts every position, as it does in the program. Where either
    text is empty sacrebleu raises an error, which ends the program; here that counts 0.0.

    Source: PROTOCOL section 5.

    Args:
        prediction: The normalised prediction.
        gold: The gold translation.

    Returns:
        A number from 0 to 100, up to the last bits of floating point.

    Examples:
        >>> round(bleu_reference_quirk("猫が魚を食べた", "猫が魚を食べる"), 2)
        85.71
        >>> round(bleu_reference_quirk("猫", "猫が魚を食べる"), 2), bleu_reference_quirk("子猫が", "猫が魚")
        (100.0, 0.0)
    """
    pairs = list(zip(prediction, gold, strict=False))
    predicted = sum(not a.isspace() for a, _ in pairs)
    wanted = sum(not b.isspace() for _, b in pairs)
    equal = sum(a == b and not a.isspace() for a, b in pairs)
    if not equal:
        return 0.0
    brevity_penalty = math.exp(1 - wanted / predicted) if predicted < wanted else 1.0
    # exp(log(x)) is not x in the last bits, and sacrebleu takes this way.
    return brevity_penalty * math.exp(math.log(100.0 * equal / predicted))
