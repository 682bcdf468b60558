"""From a model's raw output to the text that is compared with the gold answer (PROTOCOL, section 4)."""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType

from lm_eval_ja.errors import OptionError
from lm_eval_ja.metrics import _extract
from lm_eval_ja.thoughts import NoAnswer

CUT = "cut_at_blank_line"
NFKC = "nfkc"
STRIP = "strip"
LOWER = "lower"
DROP_ANSWER_PREFIX = "drop_answer_prefix"

# Order matters: the form with a space can only still be found where an earlier removal has put it together.
_ANSWER_PREFIXES = ("回答:", "回答: ", "答え:", "答え: ")
_NEJUMI_PREFIXES = ("応答:", "回答:", "答え:")
_LONG = 2_000
_UNCUT = "uncut"


def _drop_answer_prefix(text: str) -> str:
    for prefix in _ANSWER_PREFIXES:
        text = text.replace(prefix, "")
    return text


def _drop_response_prefix(text: str) -> str:
    for prefix in _NEJUMI_PREFIXES:
        text = text.replace(prefix, "")
    return text


def _strip_quotes(text: str) -> str:
    return text.strip().strip("'").strip('"').strip()


def apply_steps(output: str, steps: Sequence[str]) -> str:
    r"""Turn a raw model output into a prediction by the named steps, in the order given.

    - ``cut_at_blank_line``: what comes before the first blank line (two newlines in a row). An output that *starts*
    with
      a blank line gives ``""``; before NFKC only real newlines count.
    - ``nfkc``: Unicode NFKC.
    - ``strip``: white space off both ends.
    - ``lower``: lower case.
    - ``drop_answer_prefix``: every ``回答:``, ``回答: ``, ``答え:``, ``答え: `` is deleted, wherever it stands, one
    after
      the other in this order; nothing is stripped afterwards. After NFKC the full-width colon has become ``:``.
    - ``drop_response_prefix``: every ``応答:``, ``回答:``, ``答え:`` is deleted, likewise (Nejumi 3 and 4).
    - ``strip_quotes``: white space, then ``'``, then ``"``, then white space again, off both ends (Nejumi 3 and 4).
    - ``answer_tags``, ``first_line``, ``json_block``, ``code_block``, ``boxed``: the part of the output that is the
      answer, ``""`` where there is none, without white space around it (llm-jp-eval 2.1's answer patterns).

    Which steps a protocol takes stands in its file (``normalization``); the gold answer is not normalized so, see
    `gold`.

    Args:
        output: What the model wrote, any string.
        steps: Names of steps.

    Returns:
        The prediction; a missing answer (`lm_eval_ja.thoughts.NoAnswer`) stays one.

    Raises:
        OptionError: A step has an unknown name.

    Examples:
        >>> apply_steps(" ＡＢＣ\n\n### 指示:", ["cut_at_blank_line", "nfkc", "strip", "lower"])
        'abc'
    """
    check_steps(steps)
    if isinstance(output, NoAnswer):
        return output
    for step in steps:
        output = _STEPS[step](output)
    return output


def check_steps(steps: Sequence[str]) -> None:
    """Check the names of steps.

    Raises:
        OptionError: One is unknown.
    """
    unknown = [step for step in steps if step not in _STEPS]
    if unknown:
        raise OptionError(f"unknown normalization step {unknown[0]!r}: choose from {', '.join(_STEPS)}")


def normalize(output: str, steps: Sequence[str] = ()) -> str:
    r"""Normalize as llm-jp-eval 1.x and neo do: cut at the first blank line, NFKC, then further steps.

    Source: PROTOCOL section 4. llm-jp-eval 1.3.0 uses no further step. neo uses ``strip`` everywhere and ``lower`` on
    NLI, QA and RC, then ``drop_answer_prefix`` on QA and RC.

    Args:
        output: What the model wrote, any string.
        steps: Further steps, see `apply_steps`.

    Returns:
        The prediction.

    Raises:
        OptionError: A step has an unknown name.

    Examples:
        >>> normalize("回答： 東京", [STRIP, LOWER, DROP_ANSWER_PREFIX])
        ' 東京'
        >>> normalize("\n\n東京")
        ''
    """
    return apply_steps(output, (CUT, NFKC, *steps))


def write_steps(steps: Sequence[str]) -> str:
    """Write steps as signatures have them: the usual cut is not named, its absence is where it could be overlooked.

    >>> write_steps(["cut_at_blank_line", "nfkc", "strip"]), write_steps(["nfkc"])
    ('nfkc+strip', 'uncut+nfkc')
    """
    if tuple(steps[:2]) == (CUT, NFKC):
        return "+".join(steps[1:])
    return "+".join((_UNCUT, *steps) if tuple(steps[:1]) == (NFKC,) or not steps else steps)


def read_steps(text: str) -> tuple[str, ...]:
    """Read the steps of a signature.

    Raises:
        OptionError: It names a step that this version does not know.

    Examples:
        >>> read_steps("nfkc+strip")
        ('cut_at_blank_line', 'nfkc', 'strip')
    """
    first, *rest = text.split("+")
    steps = tuple(rest) if first == _UNCUT else (CUT, NFKC, *rest) if first == NFKC else (first, *rest)
    check_steps(steps)
    return steps


def nfkc(text: str) -> str:
    """The text in Unicode normal form NFKC, in linear time whatever it holds.

    Python's own function brings combining marks into their order by an insertion sort: a model that got stuck on
    accents would hold a run up for hours. Equal to it on every text.
    """
    if len(text) >= _LONG and any(map(unicodedata.combining, text)):
        decomposed = "".join(unicodedata.normalize("NFKD", character) for character in text)
        runs = groupby(decomposed, key=lambda character: unicodedata.combining(character) > 0)
        text = "".join("".join(sorted(run, key=unicodedata.combining) if mark else run) for mark, run in runs)
    return unicodedata.normalize("NFKC", text)


def gold(output: str) -> str:
    """Turn a dataset's ``output`` field into the gold answer: NFKC and nothing else (PROTOCOL section 4).

    Examples:
        >>> gold("ＡＢＣ（人名）")
        'ABC(人名)'
    """
    return nfkc(output)


_EXTRACTIONS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {
        function.__name__: function
        for function in (
            _extract.answer_tags,
            _extract.first_line,
            _extract.json_block,
            _extract.code_block,
            _extract.boxed,
        )
    }
)

EXTRACTIONS: tuple[str, ...] = tuple(_EXTRACTIONS)
"""Names of the steps that take the answer out of an output, see `apply_steps`."""

_STEPS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {
        CUT: lambda text: text.partition("\n\n")[0],
        NFKC: nfkc,
        STRIP: str.strip,
        LOWER: str.lower,
        DROP_ANSWER_PREFIX: _drop_answer_prefix,
        "drop_response_prefix": _drop_response_prefix,
        "strip_quotes": _strip_quotes,
        **_EXTRACTIONS,
    }
)

STEPS: tuple[str, ...] = (STRIP, LOWER, DROP_ANSWER_PREFIX)
"""Names of the further steps of llm-jp-eval 1.x and neo, see `normalize`."""
