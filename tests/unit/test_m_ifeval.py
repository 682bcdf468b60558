"""M-IFEval's checkers: worked examples, the described patterns, any text, and how verdicts add up."""

import functools
import json
import math
import pickle
import re
import statistics
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lm_eval_ja.errors import DataError, OptionError
from lm_eval_ja.metrics import m_ifeval
from lm_eval_ja.metrics.m_ifeval import (
    INSTRUCTION_IDS,
    METRICS,
    Followed,
    Instruction,
    Verdict,
    _format,
    _length,
    _letters,
    _text,
    _tokens,
    count_sentences,
    evaluate,
    instruction_accuracy,
    instruction_stderr,
    parse_instructions,
    values,
    variants,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "m_ifeval"
VERDICTS = json.loads((GOLDEN / "verdicts.json").read_text(encoding="utf-8"))
SENTENCES = json.loads((GOLDEN / "sentences.json").read_text(encoding="utf-8"))

EXAMPLES = {case["id"]: Instruction(case["id"], case["kwargs"]) for case in VERDICTS}
"""One instruction of each kind."""

ODD = (
    "のの。。！？!?「」「」（）()『』《》[]［］ 　\n\n\r\t\v\x85\u2028漢字仮名かなんカナァ・・ーｰ"
    "Aap.s.PS1１①Ａ｡｢｣､ﾊﾞ***~〜\"'、．々〇ゝ第章はい🙂\x1c\0"
)
texts = st.text(st.sampled_from(ODD), max_size=40) | st.text(max_size=40)


# ------------------------------------------------------------------------------------------------- worked examples


@pytest.mark.parametrize("case", VERDICTS, ids=lambda case: case["id"])
def test_verdicts_golden(case):
    instruction = Instruction(case["id"], case["kwargs"])
    assert evaluate([instruction], case["response"]) == (
        Verdict(case["id"], strict=case["strict"], loose=case["loose"]),
    )


@pytest.mark.parametrize("case", SENTENCES, ids=lambda case: repr(case["text"]))
def test_sentences_golden(case):
    assert count_sentences(case["text"]) == case["count"]


def test_every_instruction_has_a_worked_example():
    assert len(INSTRUCTION_IDS) == 33
    assert set(EXAMPLES) == set(INSTRUCTION_IDS)
    assert list(INSTRUCTION_IDS) == sorted(INSTRUCTION_IDS)


# ------------------------------------------------------------------------------------------ the described behavior


@functools.cache
def segmenter():
    """What the original counts sentences with, as described: a pipeline of ja_sentence_segmenter 0.0.2."""
    from ja_sentence_segmenter.common.pipeline import make_pipeline
    from ja_sentence_segmenter.concatenate.simple_concatenator import concatenate_matching
    from ja_sentence_segmenter.normalize.neologd_normalizer import normalize
    from ja_sentence_segmenter.split.simple_splitter import split_newline, split_punctuation

    return make_pipeline(
        normalize,
        split_newline,
        functools.partial(
            concatenate_matching, former_matching_rule="^(?P<result>.+)(の)$", remove_former_matched=False
        ),
        functools.partial(split_punctuation, punctuations="。!?"),
    )


@settings(max_examples=1500)
@given(texts)
@example(".『漢「（é」。漢）")  # two pairs that overlap
@example("の\n\nの\n本")
def test_sentences_are_those_of_the_segmenter(text):
    assert count_sentences(text) == len(list(segmenter()(text)))


@settings(max_examples=500)
@given(texts)
def test_the_patterns_that_run_in_linear_time_are_those_described(text):
    def found(pattern):
        return len(re.findall(pattern, text, re.MULTILINE))

    assert len(_format._BULLET.findall(text)) == found(r"^\s*・[^\・].*$")
    assert len(_format._NUMBERED.findall(text)) == found(r"^\s*\d+\.\s.*$")
    assert _text.count_pairs(text, "[", "]") == found(r"\[.*?\]")
    assert _text.without_pairs(text, "「", "」") == re.sub("「.*?」", "", text)
    assert _letters.furigana(text) == (found(r"[\u4e00-\u9faf]+") == found(r"[\u4e00-\u9faf]+（[ぁ-ん]+）"))
    titles = re.findall(r"『[^\n]+』", text)
    assert _format.title(text) == any(title.lstrip("『").rstrip("』").strip() for title in titles)
    for marker, pattern in (
        ("P.S.", r"\s*p\.\s?s\..*$"),
        ("P.P.S", r"\s*p\.\s?p\.\s?s.*$"),
        ("P.P.S.", r"\s*" + re.escape("P.P.S.") + ".*$"),
    ):
        expected = re.search(pattern, text, re.IGNORECASE | re.MULTILINE) is not None
        assert _format.postscript(text, postscript_marker=marker) == expected


@settings(max_examples=300)
@given(texts)
def test_letters_are_judged_one_by_one_as_described(text):
    def only(first, last, more):
        import unicodedata

        return all(
            first <= c <= last or c in more or not unicodedata.category(c).startswith("L") for c in text
        )

    half_width = "".join(map(chr, range(0xFF66, 0xFFA0)))
    assert _letters.hiragana_only(text) == only("\u3041", "\u3093", "ー")
    assert _letters.katakana_only(text) == only("\u30a1", "\u30f3", "ー・" + half_width)


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        (functools.partial(_length.number_paragraphs, "***", num_paragraphs=0), True),
        (functools.partial(_length.number_paragraphs, "一\n\n二", num_paragraphs=1), True),
        (functools.partial(_length.number_paragraphs, "一******二", num_paragraphs=2), False),
        (functools.partial(_length.number_paragraphs, "一****二", num_paragraphs=2), True),
        (functools.partial(_format.two_responses, "******一******二******"), True),
        (functools.partial(_format.two_responses, "一*******二"), True),
        (functools.partial(_format.json_format, "``` json\n1\n```"), False),
        (functools.partial(_format.json_format, "\ufeff1"), False),
        (functools.partial(_format.json_format, "```json```json 1"), False),
        (functools.partial(_format.postscript, "p. p. s です", postscript_marker="P.P.S"), True),
        (functools.partial(_length.end_checker, "「終わり。 」", end_phrase="終わり。"), False),
        (functools.partial(_length.sentence_unified_end, "「何か。」", ending="です"), True),
        (functools.partial(_letters.no_katakana, "ねー"), True),
    ],
)
def test_quirks_beyond_the_worked_examples(check, expected):
    assert check() is expected


def test_languages_are_detected_as_langdetect_does_with_seed_0(monkeypatch):
    import langdetect

    monkeypatch.setattr(langdetect.DetectorFactory, "seed", 0)
    for text in ("Hyvää huomenta, kaikki. Tänään on kaunis päivä.", "สวัสดีครับ", "hello 今日は world", "أهلا"):
        assert _tokens.detect_language(text) == langdetect.detect(text)
    assert _tokens.detect_language("https://example.com 123!") is None


def test_a_mixed_text_gets_the_same_verdict_every_time():
    text = "Bonjour hello ciao hola. " * 3
    assert len({_tokens.detect_language(text) for _ in range(20)}) == 1


def test_langdetect_keeps_its_users_seed():
    import langdetect

    before = langdetect.DetectorFactory.seed
    _tokens.detect_language("Bonjour tout le monde")
    assert langdetect.DetectorFactory.seed == before


# ------------------------------------------------------------------------------------------------------- any text


@pytest.mark.parametrize("name", INSTRUCTION_IDS)
@settings(max_examples=60, deadline=None)
@given(response=texts | st.text(st.characters(), max_size=12))  # lone surrogates too
def test_no_text_raises(name, response):
    (verdict,) = evaluate([EXAMPLES[name]], response)
    assert isinstance(verdict.strict, bool)
    assert isinstance(verdict.loose, bool)
    assert verdict.loose or not verdict.strict


@pytest.mark.parametrize("name", INSTRUCTION_IDS)
def test_what_says_nothing_follows_nothing(name):
    for blank in ("", " \n　\t"):
        assert evaluate([EXAMPLES[name]], blank) == (Verdict(name, strict=False, loose=False),)


def test_a_lone_surrogate_is_not_followed_and_reported(caplog):
    forbidden = Instruction("ja:keywords:forbidden_words", {"forbidden_words": ["雨"]})
    assert not forbidden.followed("晴れ\ud800")
    assert "no valid text" in caplog.text


def test_deep_nesting_is_not_followed_and_reported(caplog):
    depth = 100_000
    assert not _format.json_format("[" * depth + "]" * depth)
    assert f"{2 * depth} characters is nested too deeply" in caplog.text


HOSTILE = [*"[「『《（漢\n* ・1第a{。", "の\n", "　\n", "1.\n", "[]", "「『", "漢（"]
WORDS = {name for name in INSTRUCTION_IDS if ":keywords:" in name or name.endswith("nominal_ending")}
"""What janome looks at, whose own time grows with the square of a row of marks."""


@pytest.mark.timeout(300)  # in quadratic time one text alone would take minutes
@pytest.mark.parametrize("name", INSTRUCTION_IDS)
def test_a_long_answer_is_judged_at_once(name):
    size = 5_000 if name in WORDS else 100_000
    for unit in HOSTILE:
        EXAMPLES[name].followed("x" + unit * (size // len(unit.encode())) + "x")


@pytest.mark.timeout(300)
def test_a_long_answer_is_cut_into_words_once():
    _tokens.tokens.cache_clear()
    response = "静かな海の朝。「自由」とは、続けることだ！\n" * 1600
    assert len(response.encode()) > 100_000
    evaluate([EXAMPLES[name] for name in sorted(WORDS - {"ja:detectable_format:nominal_ending"})], response)
    assert _tokens.tokens.cache_info().misses <= 1 + len(variants(response))


# ------------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        (
            "ja:letters:kanji",
            {"kanji_limit": 3, "relation": "以下"},
            "relation is '以下'; it must be '未満' or '以上'",
        ),
        (
            "ja:letters:kanji",
            {"kanji_limit": -1, "relation": "以上"},
            "kanji_limit is -1; it must be a whole number",
        ),
        ("ja:letters:kanji", {"kanji_limit": True, "relation": "以上"}, "kanji_limit is True"),
        ("ja:letters:kanji", {"kanji_limit": 3}, "takes kanji_limit, relation, not kanji_limit"),
        (
            "ja:letters:kanji",
            {"kanji_limit": 3, "relation": None},
            "takes kanji_limit, relation, not kanji_limit",
        ),
        ("ja:letters:furigana", {"count": 1}, "takes nothing, not count"),
        ("ja:keywords:existence", {"keywords": []}, "must be a list of texts"),
        ("ja:keywords:existence", {"keywords": "海"}, "must be a list of texts"),
        (
            "ja:keywords:letter_frequency",
            {"letter": "カ", "let_frequency": 1, "let_relation": "以上"},
            "letter is 'カ'; it must be one hiragana",
        ),
        ("ja:combination:repeat_prompt", {"prompt_to_repeat": ""}, "must be a text that is not blank"),
        (
            "ja:detectable_format:multiple_sections",
            {"section_spliter": "(", "num_sections": 1},
            "regular expression",
        ),
        (
            "ja:length_constraints:nth_paragraph_first_word",
            {"num_paragraphs": 1, "nth_paragraph": 0, "first_word": "愛"},
            "nth_paragraph is 0; it must be a whole number from 1",
        ),
        ("en:letters:kanji", {}, "unknown instruction 'en:letters:kanji'"),
    ],
)
def test_arguments_that_cannot_be_meant_are_refused(name, arguments, message):
    with pytest.raises(DataError, match=re.escape(message)):
        Instruction(name, arguments)


def test_null_counts_as_not_given():
    padded = {"kanji_limit": 3, "relation": "以上", "num_sections": None, "keywords": None}
    assert dict(Instruction("ja:letters:kanji", padded).arguments) == {"kanji_limit": 3, "relation": "以上"}


def test_ids_and_arguments_come_in_pairs():
    with pytest.raises(DataError, match="1 instructions and 2 sets of arguments"):
        parse_instructions(["ja:letters:furigana"], [{}, {}])
    with pytest.raises(DataError, match="one of each, or more"):
        parse_instructions([], [])


def test_a_missing_package_is_named_with_the_fix(monkeypatch):
    monkeypatch.setitem(sys.modules, "janome.tokenizer", None)
    with pytest.raises(OptionError, match=re.escape('pip install "lm-eval-ja[ifeval]"')):
        m_ifeval.require_packages()


# --------------------------------------------------------------------------------------------------------- scores


@given(texts)
def test_variants_are_those_described(text):
    lines = text.split("\n")
    shorter = ["\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1])]
    described = [text, text.replace("*", ""), *shorter, *(part.replace("*", "") for part in shorter)]
    assert {text, *variants(text)} - {text} == {v for v in described if v.strip()} - {text}
    assert len(set(variants(text))) == len(variants(text))


def test_values_of_a_prompt():
    verdicts = [Verdict("a", strict=True, loose=True), Verdict("b", strict=False, loose=True)]
    found = values(verdicts)
    assert tuple(found) == METRICS
    assert found == {"instruction_strict": 0.5, "prompt_strict": 0, "instruction_loose": 1, "prompt_loose": 1}
    assert (found["instruction_strict"].followed, found["instruction_strict"].total) == (1, 2)


def test_a_value_survives_the_way_between_ranks():
    copy = pickle.loads(pickle.dumps(Followed(2, 3)))  # noqa: S301  # our own bytes
    assert (float(copy), copy.followed, copy.total) == (2 / 3, 2, 3)
    assert json.dumps(Followed(1, 2)) == "0.5"


def test_instructions_are_what_is_counted_and_prompts_what_is_drawn():
    items = [Followed(1, 1), Followed(0, 3), Followed(2, 2)]
    assert instruction_accuracy(items) == 0.5
    # The usual ratio estimator, written out: sqrt(n / (n - 1) * sum((followed - p * total) ** 2)) / sum(total)
    expected = math.sqrt(3 / 2 * (0.5**2 + 1.5**2 + 1.0**2)) / 6
    assert instruction_stderr(items) == pytest.approx(expected)
    assert math.isnan(instruction_stderr(items[:1]))


@given(st.lists(st.booleans(), min_size=2, max_size=30))
def test_with_one_instruction_each_the_error_is_that_of_a_mean(followed):
    items = [Followed(int(value), 1) for value in followed]
    assert instruction_accuracy(items) == pytest.approx(statistics.fmean(followed))
    assert instruction_stderr(items) == pytest.approx(
        statistics.stdev(map(float, followed)) / math.sqrt(len(followed))
    )
