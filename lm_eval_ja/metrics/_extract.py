"""Where the answer stands in an output: steps of normalization that take a part of it.

The patterns are llm-jp-eval 2.1's, each a function of its own in linear time. As there, the first place that fits is
taken, white space around the answer is dropped, and where nothing fits the answer is empty.
"""

import re

_BOXED = re.compile(r"\\boxed\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}")
_LANGUAGE = re.compile(r"\w*")
_FENCE = "```"


def answer_tags(output: str) -> str:
    """What stands between the first ``<answer>`` that is closed and the ``</answer>`` after it.

    Examples:
        >>> answer_tags("前提から… <answer> neutral </answer>です"), answer_tags("neutral")
        ('neutral', '')
    """
    return _between(output, "<answer>", "</answer>").strip()


def first_line(output: str) -> str:
    r"""What stands before the first newline; an output that starts with one gives ``""``.

    Examples:
        >>> first_line("3\n理由は"), first_line("\n3")
        ('3', '')
    """
    return output.partition("\n")[0].strip()


def json_block(output: str) -> str:
    r"""What stands in the first code block that begins with three backticks and ``json``.

    Examples:
        >>> json_block('はい。\n```json\n{"a": 1}\n```')
        '{"a": 1}'
    """
    return _between(output, f"{_FENCE}json", _FENCE).strip()


def code_block(output: str) -> str:
    r"""What stands in the first code block.

    As in the reference a word right after the backticks is taken for the name of a language, even if it is the answer.

    Examples:
        >>> code_block("```python\nprint(1)\n```"), code_block("```42```")
        ('print(1)', '')
    """
    inside = _between(output, _FENCE, _FENCE)
    language = _LANGUAGE.match(inside)
    return inside[language.end() if language else 0 :].strip()


def boxed(output: str) -> str:
    r"""What stands in the first LaTeX ``\boxed{}`` whose braces are nested once at most.

    Examples:
        >>> boxed(r"よって $\boxed{\frac{1}{2}}$ です"), boxed("42")
        ('\\frac{1}{2}', '')
    """
    found = _BOXED.search(output)
    return found[1].strip() if found else ""


def _between(text: str, start: str, end: str) -> str:
    _, opened, rest = text.partition(start)
    inside, closed, _ = rest.partition(end)
    return inside if opened and closed else ""
