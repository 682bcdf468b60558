r"""What an answer says if its form is forgiven: the rules behind the *lenient score*.

No rule looks at the gold answer. Each finds, in the whole output, the one thing that would have been the answer had the
model kept to the instruction; where that is not clear there is no reading and there is no lenient score.

>>> read_leniently("jnli", "exact_match", "Sure, I can help! The answer is **entailment**.")
'entailment'
>>> read_leniently("jnli", "exact_match", "neutral か contradiction のどちらか") is None
True
>>> read_leniently("mawps", "exact_match", "52-17=35\n\n答えは35台です。")
'35'
>>> read_leniently("jemhopqa", "char_f1", "もちろんです。\n答えは「東京タワー」です。")
'東京タワー'
>>> read_leniently("wiki_dependency", "set_f1", "以下の通りです：\n- 川の -> 清掃を\n")
'川の -> 清掃を'
"""

import re

from lm_eval_ja.datasets import format_ok
from lm_eval_ja.metrics import METRICS, nfkc
from lm_eval_ja.thoughts import AS_FOUND

_WORD = re.compile(r"[A-Za-z]+(?:-[A-Za-z]+)*|[-+]?\d+(?:,\d{3})*(?:\.\d+)?")
_NEGATION = re.compile(r"\b(?:not|neither|nor)\b|n't\b|ではな|じゃな|でない", re.IGNORECASE)
_FENCE = re.compile(r"^\s*```.*$", re.MULTILINE)
_BULLET = re.compile(r"^\s*(?:[-*・•●]\s+|・|\(?\d{1,2}[.)]\s+)")
_ENTITY_TYPE = re.compile(r"[(](?:組織名|人名|地名|固有物名|日付表現|時刻表現|金額表現|割合表現)[)]")
_BEFORE_ENTITY = re.compile(r"[\s、,:]")
_ANNOUNCED = re.compile(
    r"(?:答え|回答|解答|正解|(?:the )?(?:final )?answer)\s*(?:は|:|is|=)\s*:?\s*", re.IGNORECASE
)
_OPENING = re.compile(
    r"^(?:sure|certainly|of course|okay|ok\b|here (?:is|are)|i (?:can|will|would)"
    r"|もちろん|はい[、。]|承知|かしこまり|以下|わかりました|了解)",
    re.IGNORECASE,
)
_QUOTES = (
    ("「", "」"),
    ("『", "』"),
    ("“", "”"),
    ('"', '"'),
    ("'", "'"),
    ("**", "**"),
    ("`", "`"),
    ("(", ")"),
    ("[", "]"),
)
_COPULAS = ("です", "である", "でした", "だ")


def visible(output: str) -> str:
    """The output without a reasoning model's thoughts."""
    return AS_FOUND.read(output).answer


def right_or_wrong(metric: str) -> bool:
    """Whether an answer is wholly right or wholly wrong by a metric."""
    return metric in METRICS and METRICS[metric].right_or_wrong


def read_leniently(dataset: str, metric: str, output: str) -> str | None:
    """Read an answer out of an output, whatever stands around it.

    - A dataset with a closed set of answers (labels, digits, letters): the one allowed answer that the output contains
      as a word. None with several different ones, or if anything is negated.
    - A number: the last one of the output.
    - Lines or items of a set: every line that has the required form, without bullets, code fences and opening
      phrases.
    - Free text: what follows 答えは or the like, otherwise the first line that is no opening phrase; without
      quotation marks and a closing です.

    Args:
        dataset: The dataset's name in the protocol.
        metric: Its metric.
        output: What the model wrote.

    Returns:
        The answer in NFKC form, None where no reading is clear.
    """
    text = nfkc(visible(output)).strip()
    if not text:
        return None
    if right_or_wrong(metric):
        return _one_allowed(dataset, text)
    if metric == "set_f1":
        return _lines(dataset, text)
    return _phrase(text)


def _one_allowed(dataset: str, text: str) -> str | None:
    words: list[str] = [word.replace(",", "") for word in _WORD.findall(text)]
    for candidates in (words, [word.lower() for word in words]):
        allowed = [word for word in candidates if format_ok(dataset, word)]
        if not allowed:
            continue
        if format_ok(dataset, "12345"):  # any number will do: the result stands last
            return allowed[-1].removeprefix("+")
        return allowed[0] if len(set(allowed)) == 1 and not _NEGATION.search(text) else None
    return None


def _lines(dataset: str, text: str) -> str | None:
    lines = [_BULLET.sub("", line).strip() for line in _FENCE.sub("", text).split("\n")]
    lines = [line for line in lines if line]
    if format_ok(dataset, "川(地名)"):  # items on one line
        return " ".join(_entities(text)) or None
    if format_ok(dataset, "") is None:  # no form is defined
        return "\n".join(line for line in lines if not _is_opening(line)) or None
    return "\n".join(line for line in lines if format_ok(dataset, line)) or None


def _entities(text: str) -> list[str]:
    """Every ``entity(type)``, the entity being what stands before the type without a break."""
    found = []
    start = 0
    for match in _ENTITY_TYPE.finditer(text):
        entity = _BEFORE_ENTITY.split(text[start : match.start()])[-1]
        if entity:
            found.append(entity + match[0])
        start = match.end()
    return found


def _is_opening(line: str) -> bool:
    return bool(_OPENING.match(line)) or line.endswith(":")


def _phrase(text: str) -> str | None:
    announced = list(_ANNOUNCED.finditer(text))
    if announced:
        text = text[announced[-1].end() :]
    lines = [line.strip() for line in text.split("\n")]
    lines = [line for line in lines if line and not _is_opening(line)]
    if not lines:
        return None
    line = _BULLET.sub("", lines[0]).rstrip("。.!")
    line = next((line.removesuffix(copula) for copula in _COPULAS if line.endswith(copula)), line).strip()
    return _unquoted(line) or None


def _unquoted(line: str) -> str:
    """The line without the quotation marks around it. Copies nothing on the way: there may be a million."""
    first, last = 0, len(line)
    changed = True
    while changed:
        changed = False
        for opening, closing in _QUOTES:
            if (
                line.startswith(opening, first, last)
                and line.endswith(closing, first, last)
                and last - first > len(opening + closing)
            ):
                first, last = first + len(opening), last - len(closing)
                while first < last and line[first].isspace():
                    first += 1
                while first < last and line[last - 1].isspace():
                    last -= 1
                changed = True
    return line[first:last]
