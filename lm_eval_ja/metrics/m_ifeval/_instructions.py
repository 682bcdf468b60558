"""The 33 instructions of M-IFEval's Japanese part: which checker each has, and which arguments that takes."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from lm_eval_ja.errors import DataError
from lm_eval_ja.metrics.m_ifeval import _format, _length, _letters, _words
from lm_eval_ja.metrics.m_ifeval._text import RELATIONS

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Kind:
    """What an argument may be, in words and as a test."""

    words: str
    fits: Callable[[Any], bool]


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_section(value: Any) -> bool:
    if not _is_text(value):
        return False
    try:
        re.compile(_format.section_pattern(value))
    except re.error:
        return False
    return True


_COUNT = _Kind("a whole number from 0", _is_count)
_ORDINAL = _Kind("a whole number from 1", lambda value: _is_count(value) and value >= 1)
_TEXT = _Kind("a text that is not blank", _is_text)
_TEXTS = _Kind(
    "a list of texts", lambda value: isinstance(value, list) and bool(value) and all(map(_is_text, value))
)
_RELATION = _Kind(" or ".join(map(repr, RELATIONS)), lambda value: value in RELATIONS)
_LETTER = _Kind(
    "one hiragana", lambda value: isinstance(value, str) and re.fullmatch("[ぁ-ん]", value) is not None
)
_SECTION = _Kind("a text that can stand in a regular expression", _is_section)


class _Checker:
    """A checker and the kinds of its arguments."""

    def __init__(self, function: Callable[..., bool], **arguments: _Kind) -> None:
        self.function = function
        self.arguments = arguments


_CHECKERS: Mapping[str, _Checker] = {
    "ja:combination:repeat_prompt": _Checker(_format.repeat_prompt, prompt_to_repeat=_TEXT),
    "ja:combination:two_responses": _Checker(_format.two_responses),
    "ja:detectable_content:number_placeholders": _Checker(
        _format.number_placeholders, num_placeholders=_COUNT
    ),
    "ja:detectable_content:postscript": _Checker(_format.postscript, postscript_marker=_TEXT),
    "ja:detectable_format:constrained_response": _Checker(_format.constrained_response),
    "ja:detectable_format:json_format": _Checker(_format.json_format),
    "ja:detectable_format:multiple_sections": _Checker(
        _format.multiple_sections, section_spliter=_SECTION, num_sections=_COUNT
    ),
    "ja:detectable_format:nominal_ending": _Checker(_words.nominal_ending, count=_COUNT),
    "ja:detectable_format:number_bullet_lists": _Checker(_format.number_bullet_lists, num_bullets=_COUNT),
    "ja:detectable_format:number_highlighted_sections": _Checker(
        _format.number_highlighted_sections, num_highlights=_COUNT
    ),
    "ja:detectable_format:number_numbered_lists": _Checker(_format.number_numbered_lists, num_items=_COUNT),
    "ja:detectable_format:title": _Checker(_format.title),
    "ja:keywords:existence": _Checker(_words.existence, keywords=_TEXTS),
    "ja:keywords:forbidden_words": _Checker(_words.forbidden_words, forbidden_words=_TEXTS),
    "ja:keywords:frequency": _Checker(_words.frequency, keyword=_TEXT, frequency=_COUNT, relation=_RELATION),
    "ja:keywords:letter_frequency": _Checker(
        _words.letter_frequency, letter=_LETTER, let_frequency=_COUNT, let_relation=_RELATION
    ),
    "ja:language:response_language": _Checker(_words.response_language, language=_TEXT),
    "ja:length_constraints:nth_paragraph_first_word": _Checker(
        _length.nth_paragraph_first_word, num_paragraphs=_COUNT, nth_paragraph=_ORDINAL, first_word=_TEXT
    ),
    "ja:length_constraints:number_letters": _Checker(
        _length.number_letters, num_letters=_COUNT, relation=_RELATION
    ),
    "ja:length_constraints:number_paragraphs": _Checker(_length.number_paragraphs, num_paragraphs=_COUNT),
    "ja:length_constraints:number_sentences": _Checker(
        _length.number_sentences, num_sentences=_COUNT, relation=_RELATION
    ),
    "ja:letters:furigana": _Checker(_letters.furigana),
    "ja:letters:hiragana_only": _Checker(_letters.hiragana_only),
    "ja:letters:kanji": _Checker(_letters.kanji, kanji_limit=_COUNT, relation=_RELATION),
    "ja:letters:kansuuji": _Checker(_letters.kansuuji),
    "ja:letters:katakana_only": _Checker(_letters.katakana_only),
    "ja:letters:no_hiragana": _Checker(_letters.no_hiragana),
    "ja:letters:no_katakana": _Checker(_letters.no_katakana),
    "ja:punctuation:no_comma": _Checker(_letters.no_comma),
    "ja:punctuation:no_period": _Checker(_letters.no_period),
    "ja:startend:end_checker": _Checker(_length.end_checker, end_phrase=_TEXT),
    "ja:startend:quotation": _Checker(_length.quotation),
    "ja:startend:sentence_unified_end": _Checker(_length.sentence_unified_end, ending=_TEXT),
}

INSTRUCTION_IDS: tuple[str, ...] = tuple(_CHECKERS)
"""Every instruction there is, sorted."""


@dataclass(frozen=True)
class Instruction:
    """Something that a prompt asks for and that can be checked.

    Attributes:
        id: One of `INSTRUCTION_IDS`.
        arguments: What its checker takes, by name.
    """

    id: str
    arguments: Mapping[str, Any]

    def __post_init__(self) -> None:
        """Check id and arguments. An argument that is null counts as not given.

        The original draws a missing argument by chance; here it is an error.

        Raises:
            DataError: The id is unknown, or an argument is missing, unknown or not what it must be.
        """
        checker = _CHECKERS.get(self.id)
        if checker is None:
            raise DataError(
                f"unknown instruction {self.id!r}: the Japanese part of M-IFEval has {', '.join(INSTRUCTION_IDS)}"
            )
        given = {name: value for name, value in self.arguments.items() if value is not None}
        if given.keys() != checker.arguments.keys():
            takes = ", ".join(checker.arguments) or "nothing"
            raise DataError(f"{self.id} takes {takes}, not {', '.join(given) or 'nothing'}")
        for name, kind in checker.arguments.items():
            if not kind.fits(given[name]):
                raise DataError(f"{self.id}: {name} is {given[name]!r}; it must be {kind.words}")
        object.__setattr__(self, "arguments", MappingProxyType(given))

    def followed(self, response: str) -> bool:
        """Whether a response follows the instruction, as it stands. No text raises an error.

        Args:
            response: The response, unmodified. One without anything but whitespace follows nothing.

        Raises:
            OptionError: A package that the checker needs is missing.
        """
        if not response.strip():
            return False
        try:
            return _CHECKERS[self.id].function(response, **self.arguments)
        except UnicodeEncodeError:  # lone surrogates; the original ends with this error
            _log.warning("M-IFEval: %s counts as not followed by a response that is no valid text", self.id)
            return False


def parse_instructions(ids: Sequence[str], arguments: Sequence[Mapping[str, Any]]) -> tuple[Instruction, ...]:
    """Read a prompt's instructions as the data has them: ids, and the arguments of each.

    Raises:
        DataError: One of them is not as it must be, or the numbers differ.
    """
    if len(ids) != len(arguments) or not ids:
        raise DataError(
            f"{len(ids)} instructions and {len(arguments)} sets of arguments: a prompt needs one of each, or more"
        )
    return tuple(map(Instruction, ids, arguments))
