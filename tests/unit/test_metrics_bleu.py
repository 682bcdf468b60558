"""BLEU: what only it needs (a tokenizer, a signature, a language)."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu import __version__
from sacrebleu.metrics import BLEU

from lm_eval_ja.errors import OptionError
from lm_eval_ja.metrics import bleu_en, bleu_ja, bleu_reference_quirk, bleu_signature

NEEDS_MECAB = 'bleu_ja needs MeCab: pip install "sacrebleu[ja]"'


def test_japanese_is_cut_into_words():
    pytest.importorskip("MeCab", reason=NEEDS_MECAB)
    # With 13a each sentence would be one word and the score 0.
    assert bleu_en("猫が魚を食べた。", "猫が魚を食べる。") == 0.0
    assert bleu_ja("猫が魚を食べた。", "猫が魚を食べる。") == pytest.approx(43.472, abs=1e-3)


def test_text_that_mecab_cannot_take_is_scored_nevertheless():
    pytest.importorskip("MeCab", reason=NEEDS_MECAB)
    assert bleu_ja("猫\0が", "猫 が") == pytest.approx(100)
    assert 0 < bleu_ja("猫が\ud800", "猫が") < 100
    assert bleu_ja("猫が" + "0" * 200_000, "猫が") == 0.0


def test_signatures_name_tokenizer_and_version():
    pytest.importorskip("MeCab", reason=NEEDS_MECAB)
    assert bleu_signature("en") == f"nrefs:1|case:mixed|eff:yes|tok:13a|smooth:exp|version:{__version__}"
    assert "|tok:ja-mecab-" in bleu_signature("ja")


def test_signature_refuses_another_language():
    with pytest.raises(OptionError, match="'zh': choose ja or en"):
        bleu_signature("zh")  # type: ignore[arg-type]


def test_without_mecab_the_error_says_what_to_install():
    code = (
        "import sys; sys.modules['MeCab'] = None\n"
        "from lm_eval_ja.metrics import bleu_en, bleu_ja, bleu_reference_quirk\n"
        "print(round(bleu_en('a b', 'a b')), round(bleu_reference_quirk('猫', '猫')))\n"
        "bleu_ja('猫', '猫')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["100", "100"]
    assert done.returncode == 1
    message = "OptionError: metric bleu_ja needs the MeCab tokenizer with the IPA dictionary: pip install"
    assert f'{message} "sacrebleu[ja]"' in done.stderr


def test_the_quirk_ignores_languages_and_words():
    assert bleu_reference_quirk("猫が好き", "犬が好き") == pytest.approx(75)
    assert bleu_reference_quirk(" b a", "a b ") == 0.0


REFERENCE = BLEU(effective_order=True)
WITH_SPACES = st.text(st.sampled_from("猫犬がab.  \t\n\u3000"), min_size=1, max_size=12)


def in_the_programs_way(prediction: str, gold: str) -> float:
    """The program hands sacrebleu strings where it wants lists."""
    return REFERENCE.corpus_score(prediction, [gold]).score


@pytest.mark.parametrize(
    ("prediction", "gold"),
    [
        (" 猫が好き", "猫が好き"),
        ("猫が好き", "\u3000猫が好き"),
        ("\n A cat.", "A cat."),
        (" A cat.", " A cat."),
        ("A cat. ", "A cat.  It"),
        ("猫 が", "猫が "),
        (" ", "\u3000 "),
    ],
)
def test_the_quirk_strips_nothing_as_the_program_strips_nothing(prediction, gold):
    expected = in_the_programs_way(prediction, gold)
    assert bleu_reference_quirk(prediction, gold) == pytest.approx(expected, abs=1e-9)


def test_a_space_before_a_translation_costs_all_of_it():
    assert bleu_reference_quirk("猫が好き", "猫が好き") == pytest.approx(100)
    assert bleu_reference_quirk(" 猫が好き", "猫が好き") == 0.0


@settings(max_examples=1000, deadline=None)
@given(WITH_SPACES, WITH_SPACES)
def test_the_quirk_equals_sacrebleu_whatever_white_space_there_is(prediction, gold):
    expected = in_the_programs_way(prediction, gold)
    assert bleu_reference_quirk(prediction, gold) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("prediction", "gold"), [("", "猫"), ("猫", ""), ("", "")])
def test_an_empty_text_counts_0_where_the_program_raises(prediction, gold):
    with pytest.raises(IndexError):
        in_the_programs_way(prediction, gold)
    assert bleu_reference_quirk(prediction, gold) == 0.0
