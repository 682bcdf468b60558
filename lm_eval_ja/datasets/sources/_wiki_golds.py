"""Inputs and golds of the five wiki_* datasets for one document: PROTOCOL section 1, rows wiki_*."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from rhoknp import BasePhrase, Document, Morpheme, Sentence
from rhoknp.cohesion import EndophoraArgument, Pas

Pair = tuple[str, str]

# fmt: off
_LETTERS = {
    "A": "えー", "B": "びー", "C": "しー", "D": "でぃー", "E": "いー", "F": "えふ", "G": "じー",
    "H": "えいち", "I": "あい", "J": "じぇー", "K": "けー", "L": "える", "M": "えむ", "N": "えぬ",
    "O": "おー", "P": "ぴー", "Q": "きゅー", "R": "あーる", "S": "えす", "T": "てぃー", "U": "ゆー",
    "V": "ぶい", "W": "だぶりゅー", "X": "えっくす", "Y": "わい", "Z": "ぜっと",
}
# fmt: on
_ENTITY_TYPES = {
    "ORGANIZATION": "組織名",
    "PERSON": "人名",
    "LOCATION": "地名",
    "ARTIFACT": "固有物名",
    "DATE": "日付表現",
    "TIME": "時刻表現",
    "MONEY": "金額表現",
    "PERCENT": "割合表現",
}
"""By rhoknp's category; its OPTIONAL has no type here and is skipped."""
_CASES = {case: case for case in ("ガ", "デ", "ト", "ニ", "ヘ", "ヲ", "カラ", "ガ２", "マデ", "ヨリ")} | {
    "ガ２": "ガ"
}
"""The cases in the order they are written, and how."""
_PARENTHESIS = re.compile(r"括弧始:(?P<open>\S+) 括弧終:(?P<close>\S+) 括弧位置:(?P<at>\d+)")


def convert(document: Document) -> dict[str, Pair]:
    """All five datasets for one document.

    Args:
        document: The parsed document.

    Returns:
        Input and gold by dataset. A document with an empty gold is not part of that dataset.
    """
    plain = [sentence for sentence in document.sentences if not _in_parentheses(sentence)]
    plain_text = "".join(sentence.text for sentence in plain)
    full_text = _text_with_parentheses(document.sentences)
    # Entities span sentences, so without the parentheses they are computed again.
    whole = len(plain) == len(document.sentences)
    return {
        "wiki_reading": (plain_text, "".join(_reading(m) for sentence in plain for m in sentence.morphemes)),
        "wiki_ner": (full_text, _entities(document)),
        "wiki_dependency": (plain_text, _dependencies(plain)),
        "wiki_pas": (full_text, "\n".join(filter(None, map(_predicate, document.pas_list)))),
        "wiki_coreference": (plain_text, _coreference(document if whole else Document.from_sentences(plain))),
    }


def _in_parentheses(sentence: Sentence) -> bool:
    """Whether the corpus took this sentence out of another one's parentheses."""
    return "括弧始" in sentence.misc_comment


def _text_with_parentheses(sentences: Sequence[Sentence]) -> str:
    """The document's text with parentheses put back, but only the first one of each sentence.

    A sentence marked 括弧削除 absorbs the one sentence right after it; further 括弧始 sentences stay ordinary
    ones, as in the reference.
    """
    texts = []
    absorbed = False
    for sentence, following in zip(sentences, [*sentences[1:], None], strict=True):
        if absorbed:
            absorbed = False
            continue
        text = sentence.text
        mark = _PARENTHESIS.search(following.misc_comment) if following else None
        if mark and "括弧削除" in sentence.misc_comment:
            at = int(mark["at"])
            text = f"{text[:at]}{mark['open']}{following.text}{mark['close']}{text[at:]}"
            absorbed = True
        texts.append(text)
    return "".join(texts)


def _reading(morpheme: Morpheme) -> str:
    """The first of a morpheme's readings; Latin capitals are spelled, other Latin text stays as it is."""
    reading: str = morpheme.reading.split("/")[0]
    if reading.isspace() and not morpheme.text.isspace():
        return ""
    if all(character in _LETTERS for character in reading):
        return "".join(_LETTERS[character] for character in reading)
    return reading


def _entities(document: Document) -> str:
    return " ".join(
        f"{entity.text}（{_ENTITY_TYPES[entity.category.value]}）"
        for entity in document.named_entities
        if entity.category.value in _ENTITY_TYPES
    )


def _dependencies(sentences: Iterable[Sentence]) -> str:
    return "\n".join(
        f"{phrase.text} -> {phrase.parent.text}"
        for sentence in sentences
        for phrase in sentence.phrases
        if phrase.parent is not None
    )


def _predicate(pas: Pas) -> str:
    """A predicate's line, empty without arguments: those outside the text or in its phrase don't count."""
    own = pas.predicate.phrase
    arguments = [
        f"{shown}：{_mention(argument.base_phrase)}"
        for case, shown in _CASES.items()
        for argument in pas.get_arguments(case, relax=False)
        if isinstance(argument, EndophoraArgument) and argument.base_phrase.phrase != own
    ]
    if not arguments:
        return ""
    text = _trimmed(own.morphemes, start={"助詞", "特殊", "判定詞"}, end={"助詞", "特殊"})
    return " ".join([text, *arguments])


def _mention(base_phrase: BasePhrase) -> str:
    """A base phrase with the neighbours in its phrase that depend on it, without particles around."""
    parts = [base_phrase]
    siblings: list[BasePhrase] = base_phrase.phrase.base_phrases
    for neighbour in reversed(siblings[: siblings.index(base_phrase)]):
        if neighbour.parent not in parts:
            break
        parts.insert(0, neighbour)
    around = {"助詞", "特殊", "判定詞"}
    return _trimmed([m for part in parts for m in part.morphemes], start=around, end=around)


def _trimmed(morphemes: Sequence[Morpheme], start: set[str], end: set[str]) -> str:
    """The morphemes' text without those of some parts of speech at its ends, unless nothing would be left."""
    first, last = 0, len(morphemes)
    while first < last and morphemes[first].pos in start:
        first += 1
    while first < last and morphemes[last - 1].pos in end:
        last -= 1
    return "".join(m.text for m in morphemes[first:last] or morphemes)


def _coreference(document: Document) -> str:
    """Lines of two or more mentions of the same entities, in order of first mention."""
    clusters: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for base_phrase in document.base_phrases:
        if base_phrase.entities:
            clusters[tuple(sorted(entity.eid for entity in base_phrase.entities))].append(
                _mention(base_phrase)
            )
    return "\n".join(" ".join(mentions) for mentions in clusters.values() if len(mentions) > 1)
