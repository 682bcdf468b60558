"""The judge's prompts: where they come from, and the messages made with them.

The texts are not part of this package: the named sets are fetched from their projects at pinned commits.
"""

import hashlib
import json
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypedDict

from lm_eval_ja._unicode import shown, well_formed
from lm_eval_ja.errors import DataError, OptionError

PROMPT_SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "nejumi": (
            "https://raw.githubusercontent.com/wandb/llm-leaderboard/174c8889320a2b46af5bc7fc522e43a777c9c21b"
            "/scripts/fastchat/llm_judge/data/judge_prompts.jsonl"
        ),
        "fastchat": (
            "https://raw.githubusercontent.com/Stability-AI/FastChat/5d4f13a4731388ffe1453c459c357d863d87037a"
            "/fastchat/llm_judge/data/judge_prompts.jsonl"
        ),
    }
)
"""URL of each named prompt set."""

REFERENCE_CATEGORIES = frozenset({"math", "reasoning", "coding"})
"""Categories judged against a reference answer (FastChat's NEED_REF_CATS, English names)."""

_TURNS = 2
_ONE = frozenset({"question", "answer"})
_TWO = frozenset({"question_1", "question_2", "answer_1", "answer_2"})
# What FastChat hands to each template: a template that uses less judges blindly, one that uses more cannot be
# filled.
_FIELDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "single-v1": _ONE,
        "single-math-v1": _ONE | {"ref_answer_1"},
        "single-v1-multi-turn": _TWO,
        "single-math-v1-multi-turn": _TWO | {"ref_answer_1", "ref_answer_2"},
    }
)


class JudgedQuestion(TypedDict):
    """A question as in MT-Bench's question files; other keys are ignored."""

    category: str
    turns: Sequence[str]


@dataclass(frozen=True, slots=True)
class Template:
    """One judge prompt.

    Attributes:
        system: The system message, verbatim.
        parts: The user message in pieces: text to copy, then the name of the value that follows it (None at
            the end).
    """

    system: str
    parts: tuple[tuple[str, str | None], ...]

    def fill(self, values: Mapping[str, str]) -> str:
        """The user message. Values are copied, never scanned for placeholders."""
        return "".join(text + (values[name] if name is not None else "") for text, name in self.parts)


@dataclass(frozen=True, slots=True)
class JudgePrompts:
    """The four templates of single-answer grading.

    Attributes:
        source: Name of the set or path of the file.
        digest: SHA-256 (hex) of the file the templates were read from.
        templates: By FastChat's names: ``single-v1``, ``single-math-v1`` and the same with ``-multi-turn``.
    """

    source: str
    digest: str
    templates: Mapping[str, Template]


def load_prompts(source: str | Path = "nejumi") -> JudgePrompts:
    """Read the judge's prompts.

    Args:
        source: ``"nejumi"`` (Nejumi Leaderboard's prompts, which expect Japanese answers), ``"fastchat"``
            (FastChat's own) or the path of a file in the same format: JSON lines with ``name``,
            ``system_prompt`` and ``prompt_template``; doubled braces stand for single ones, as in
            ``str.format``.

    Returns:
        The checked prompts.

    Raises:
        OptionError: The file does not exist, is no valid prompt file, or lacks a template or a placeholder.
        DataError: A named set could not be fetched or is not the pinned file.
    """
    if str(source) in PROMPT_SOURCES:
        from lm_eval_ja.datasets import fetch

        path = fetch(PROMPT_SOURCES[str(source)])
    else:
        path = Path(source)
    try:
        path = path.expanduser()
        raw = path.read_bytes()
        lines = raw.decode("utf-8-sig").split("\n")
    except FileNotFoundError:
        known = ", ".join(repr(name) for name in PROMPT_SOURCES)
        raise OptionError(
            f"judge prompts {shown(str(source))}: no such file, and no known set ({known})"
        ) from None
    except (
        OSError,
        ValueError,
        RuntimeError,
    ) as exc:  # also a name that no file can have, a home that is nobody's
        raise OptionError(
            f"judge prompts {shown(str(source))}: cannot be read as UTF-8 text: {exc}"
        ) from None

    templates: dict[str, Template] = {}
    for number, line in enumerate(lines, start=1):
        where = f"judge prompts {path}, line {number}"
        entry = _entry(line, where)
        if entry is None or entry["name"] not in _FIELDS:  # pairwise prompts stand in the same files
            continue
        name = entry["name"]
        if name in templates:
            raise OptionError(f"{where}: a second template named {name!r}; keep one of the two")
        templates[name] = Template(entry["system_prompt"], _compile(entry["prompt_template"], name, where))
    missing = [name for name in _FIELDS if name not in templates]
    if missing:
        raise OptionError(
            f"judge prompts {path}: no template named {', '.join(missing)}; add a line for each"
        )
    return JudgePrompts(str(source), hashlib.sha256(raw).hexdigest(), MappingProxyType(templates))


def build_messages(
    prompts: JudgePrompts,
    question: JudgedQuestion,
    answers: Sequence[str],
    reference: Sequence[str] | None,
    turn: int,
) -> list[dict[str, str]]:
    """Messages that ask the judge to rate one turn, as FastChat builds them.

    Args:
        prompts: The judge's prompts.
        question: Category and both turns.
        answers: The model's answers, one per turn judged so far.
        reference: Reference answers per turn. Used, and needed, for math, reasoning and coding only.
        turn: 1 or 2. The second turn is judged with the whole conversation in view.

    Returns:
        The system message and the user message.

    Raises:
        DataError: A turn, an answer or a reference that the prompt needs is missing.
    """
    if turn not in range(1, _TURNS + 1):
        raise OptionError(f"turn must be 1 or 2, not {turn!r}")
    category = question["category"]
    with_reference = category in REFERENCE_CATEGORIES
    needed = {"question": question["turns"], "answer": answers}
    if with_reference:
        needed["reference answer"] = reference or ()
    for what, texts in needed.items():
        if len(texts) < turn:
            raise DataError(
                f"cannot judge turn {turn} of this {category} question: {what} {len(texts) + 1} is missing"
            )

    values = {"question": question["turns"][0], "answer": answers[0]}
    for index in range(turn):
        values[f"question_{index + 1}"] = question["turns"][index]
        values[f"answer_{index + 1}"] = answers[index]
        if with_reference and reference is not None:
            values[f"ref_answer_{index + 1}"] = reference[index]
    name = ("single-math-v1" if with_reference else "single-v1") + ("-multi-turn" if turn > 1 else "")
    template = prompts.templates[name]
    return [
        {"role": "system", "content": template.system},
        {"role": "user", "content": template.fill(values)},
    ]


def _entry(line: str, where: str) -> dict[str, Any] | None:
    """One line of a prompt file, checked; None for an empty line."""
    if not line.strip():
        return None
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise OptionError(f"{where}: not valid JSON ({exc})") from None
    if not isinstance(entry, dict):
        raise OptionError(f"{where}: a JSON object is expected, not {type(entry).__name__}")
    for field in ("name", "system_prompt", "prompt_template"):
        if not isinstance(entry.get(field), str):
            raise OptionError(f"{where}: the field {field!r} is missing or no text")
        if well_formed(entry[field]) != entry[field]:
            raise OptionError(
                f"{where}: the field {field!r} holds half of a surrogate pair, which no judge takes"
            )
    return entry


def _compile(template: str, name: str, where: str) -> tuple[tuple[str, str | None], ...]:
    """Split a template at its placeholders, and check that they are the ones it must have."""
    try:
        pieces = list(string.Formatter().parse(template))
    except ValueError as exc:
        raise OptionError(
            f"{where}: template {name!r}: {exc}; write {{{{ and }}}} for braces that are text"
        ) from None
    wanted = _FIELDS[name]
    found = set()
    for _, field, spec, conversion in pieces:
        if field is None:
            continue
        if field not in wanted or spec or conversion:
            allowed = ", ".join(f"{{{one}}}" for one in sorted(wanted))
            raise OptionError(
                f"{where}: template {name!r}: unknown placeholder {{{field}}}; it may use {allowed}"
            )
        found.add(field)
    if missing := sorted(wanted - found):
        raise OptionError(f"{where}: template {name!r} lacks {', '.join(f'{{{one}}}' for one in missing)}")
    return tuple((text, field) for text, field, _, _ in pieces)
