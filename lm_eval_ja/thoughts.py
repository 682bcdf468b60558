"""What a reasoning model thinks and what it answers: pure functions from a text to the answer in it.

Thoughts begin where the text begins, or in the prompt: some chat templates end with the opening tag, and only the
closing one is generated. What stands elsewhere is the answer's own, so that a text without thoughts stays as it is.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, unquote

from lm_eval_ja._unicode import shown
from lm_eval_ja.errors import OptionError

AUTO = "auto"
KEEP = "keep"
SEPARATE = "separate"


@dataclass(frozen=True)
class Tags:
    """What stands before and after thoughts.

    Attributes:
        opening: Begins thoughts.
        closing: Ends them; the answer follows.
    """

    opening: str
    closing: str


HARMONY = Tags("<|channel|>analysis<|message|>", "<|channel|>final<|message|>")
"""gpt-oss (https://cookbook.openai.com/articles/openai-harmony). Any other channel before the final one is thoughts."""

FAMILIES: Mapping[str, Tags] = MappingProxyType(
    {
        "think": Tags("<think>", "</think>"),  # DeepSeek R1, Qwen 3, QwQ and most others
        "thinking": Tags("<thinking>", "</thinking>"),
        "reasoning": Tags("<reasoning>", "</reasoning>"),
        "mistral": Tags("[THINK]", "[/THINK]"),  # Magistral
        "harmony": HARMONY,
    }
)
"""Tags by the name that the option ``thoughts`` knows them under."""

_OWN = re.compile(r"(?:separated|auto)\((.+?) (.+?)\)(?:\+|$)")
_FAMILY = re.compile(rf"\(({'|'.join(FAMILIES)})\)")
_BREAKS = re.compile(r"[\s%()]")
_BACKEND = "think_end_token"
_CHANNEL = "<|channel|>"
_HARMONY_ENDS = ("<|return|>", "<|end|>")
_SEPARATED = ("separated", "auto", "server")
_BARE_HARMONY = Tags("analysis", "assistantfinal")
"""gpt-oss where the backend leaves special tokens out of the text."""


class State(str, Enum):
    """What a text has of thoughts."""

    NONE = "none"
    """None: the text is the answer."""
    SEPARATED = "separated"
    """Thoughts, and then the answer."""
    UNFINISHED = "unfinished"
    """Thoughts that do not end: there is no answer."""


@dataclass(frozen=True)
class Reading:
    """A text, read.

    Attributes:
        answer: The answer: without thoughts the text itself, after thoughts what follows them without white space at
            its beginning; `NoAnswer` if they do not end.
        thought: The thoughts with their tags as generated; empty without any.
        state: What there is of them.
    """

    answer: str
    thought: str
    state: State


@dataclass(frozen=True)
class Thoughts:
    """How thoughts are handled: the option ``thoughts``.

    Attributes:
        expected: Whether the user has said that there may be some. The protocol's stop strings are then not sent.
        tags: Those that are looked for.
        own: Whether the tags are the user's.
    """

    expected: bool
    tags: tuple[Tags, ...]
    own: bool = False

    def read(self, text: str, opened: Tags | None = None) -> Reading:
        r"""Separate thoughts from the answer, in time linear in the text.

        Args:
            text: What a model wrote.
            opened: Tags whose opening one ends the prompt, see `opened_by`.

        Examples:
            >>> AS_FOUND.read("<think>9 と 9\n\nだから</think>\n\n18")
            Reading(answer='18', thought='<think>9 と 9\n\nだから</think>', state=<State.SEPARATED: 'separated'>)
            >>> AS_FOUND.read("<think>それで、").state.value, AS_FOUND.read("東京").answer
            ('unfinished', '東京')
        """
        found = _begun(text, self.tags) or opened or _ended(text, self.tags)
        if found is None and self.tags == (HARMONY,) and text.lstrip().startswith(_BARE_HARMONY.opening):
            found = _BARE_HARMONY  # only where the user says so: an answer may begin with that word
        if found is None:
            return Reading(text, "", State.NONE)
        thought, closing, rest = text.rpartition(found.closing)
        if not closing or _begun(rest, self.tags):
            return Reading(NoAnswer(), text, State.UNFINISHED)
        if found in (HARMONY, _BARE_HARMONY):
            for end in _HARMONY_ENDS:
                rest = rest.partition(end)[0]
        return Reading(rest.lstrip(), thought + closing, State.SEPARATED)

    def opened_by(self, prompt: str) -> Tags | None:
        r"""The tags whose opening one ends a prompt; None if none does.

        >>> AS_FOUND.opened_by("<|im_start|>assistant\n<think>\n")
        Tags(opening='<think>', closing='</think>')
        """
        end = prompt.rstrip()
        return next((tags for tags in self.tags if end.endswith(tags.opening)), None)


class NoAnswer(str):
    """The answer where thoughts did not end: an empty text that is told from one that was given.

    Gold answers may be empty, so that an empty text can be right. This never is.
    """

    __slots__ = ()


class ServerAnswer(str):  # noqa: SLOT000  # it has attributes; the harness hands it on as the text it is
    """An answer of a server that separates thoughts itself.

    As a text it is what the harness makes of the content.

    Attributes:
        content: The content; empty if there is none.
        thought: The thoughts, empty if the server keeps them to itself.
        finished: Whether the thoughts ended.
    """

    content: str
    thought: str
    finished: bool

    def __new__(cls, text: str, content: str, thought: str, *, finished: bool) -> "ServerAnswer":  # noqa: PYI034  # no class derives from it
        """Make the text."""
        self = super().__new__(cls, text)
        self.content, self.thought, self.finished = content, thought, finished
        return self

    def __getnewargs_ex__(self) -> tuple[tuple[str, str, str], dict[str, bool]]:
        """Arguments that rebuild it, for ``--use_cache``."""
        return (str(self), self.content, self.thought), {"finished": self.finished}

    def raw(self, tags: Sequence[Tags]) -> str:
        """What goes into the samples: the content, or unfinished thoughts behind a tag by which they are known.

        Args:
            tags: Those that are looked for; without any there are no thoughts, and the content is the answer.
        """
        return self.content if self.finished or not tags else f"{tags[0].opening}{self.thought}"


AS_FOUND = Thoughts(False, tuple(FAMILIES.values()))
"""``auto``: asked as the protocol asks, separated where an answer has thoughts."""


def parse_thoughts(value: Any) -> Thoughts:
    """Read the option ``thoughts``.

    Args:
        value: ``auto``, ``keep``, ``separate``, a name of `FAMILIES`, or a list of an opening and a closing tag.

    Raises:
        OptionError: It is none of them.
    """
    if value == AUTO:
        return AS_FOUND
    if value == KEEP:
        return Thoughts(False, ())
    if value == SEPARATE:
        return Thoughts(True, tuple(FAMILIES.values()))
    if isinstance(value, str) and value in FAMILIES:
        return Thoughts(True, (FAMILIES[value],))
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2:  # noqa: PLR2004  # a pair
        opening, closing = value
        if isinstance(opening, str) and isinstance(closing, str) and opening.strip() and closing.strip():
            return Thoughts(True, (Tags(opening.strip(), closing.strip()),), own=True)
    raise OptionError(
        f"thoughts is {shown(value)}; it may be {AUTO}, {SEPARATE}, {KEEP}, {', '.join(FAMILIES)}, or the tags "
        'themselves, e.g. ["<thought>", "</thought>"]'
    )


def write_field(how: str, thoughts: Thoughts) -> str:
    """How a signature names the handling of thoughts: with the user's tags or a family's name, if only they counted.

    Args:
        how: ``separated`` (thoughts were expected) or ``auto`` (asked as if there were none).
        thoughts: What was looked for.
    """
    if not thoughts.own:
        name = next((name for name, tags in FAMILIES.items() if thoughts.tags == (tags,)), None)
        return f"{how}({name})" if name else how
    (tags,) = thoughts.tags
    return f"{how}({_whole(tags.opening)} {_whole(tags.closing)})"


def read_field(field: str) -> Thoughts:
    """How thoughts are told from answers by a signature's field ``thoughts``: where it names none, by all known.

    >>> read_field("separated(<t> </t>)").read("<t>hm</t>はい").answer
    'はい'
    """
    if field.startswith(KEEP):
        return parse_thoughts(KEEP)
    if (family := _FAMILY.search(field)) is not None:
        return parse_thoughts(family[1])
    given = _OWN.match(field)
    return parse_thoughts([unquote(given[1]), unquote(given[2])]) if given else AS_FOUND


def model_free(field: str) -> str:
    """A signature's field ``thoughts`` without what is a model's own: runs are ranked together whatever tags it has.

    >>> model_free("separated(think)"), model_free("auto+think_end_token")
    ('separated', 'auto+think_end_token')
    """
    return _FAMILY.sub("", field)


def read_logged(output: str, prompt: str, field: str, handling: Thoughts | None = None) -> Reading:
    """Separate thoughts from a logged answer.

    Args:
        output: The answer as generated.
        prompt: What was asked; it may end with the opening tag.
        field: The field ``thoughts`` of the signature, empty without one.
        handling: How; by default as the field says.
    """
    handling = handling or read_field(field)
    # Where the backend has taken thoughts off, the text behind an opening tag in the prompt is the answer.
    return handling.read(output, None if _BACKEND in field else handling.opened_by(prompt))


def scored_text(output: str, prompt: object, field: str) -> str:
    """The part of a logged answer that its run has scored; `NoAnswer` where thoughts did not end.

    Args:
        output: The answer as generated.
        prompt: What was asked.
        field: The field ``thoughts`` of the signature, empty without one.
    """
    if not field.startswith(_SEPARATED):
        return output
    return read_logged(output, prompt if isinstance(prompt, str) else "", field).answer


def _whole(tag: str) -> str:
    """A tag without what ends one in a signature's field: white space and brackets, percent-encoded."""
    return _BREAKS.sub(lambda found: quote(found[0], safe=""), tag)


def _begun(text: str, tags: Sequence[Tags]) -> Tags | None:
    """The tags whose opening one begins a text."""
    start = text.lstrip()
    for own in tags:
        if start.startswith(own.opening):
            return own
        if own is HARMONY and start.startswith(_CHANNEL) and not start.startswith(own.closing):
            return own
    return None


def _ended(text: str, tags: Sequence[Tags]) -> Tags | None:
    """The tags whose closing one is the last in a text that no thoughts begin."""
    last = max(tags, key=lambda own: text.rfind(own.closing), default=None)
    if last is not None and last.closing in text:
        return last
    if HARMONY in tags and text.lstrip().startswith(_BARE_HARMONY.opening) and _BARE_HARMONY.closing in text:
        return _BARE_HARMONY
    return None
