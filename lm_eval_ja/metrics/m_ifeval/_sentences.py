"""The sentence counter of M-IFEval: what ja_sentence_segmenter 0.0.2 does with the original's settings.

Written from the description of its behavior, and compared with that release by the tests. The package itself is not
used: its later releases are free to segment better, which would change scores, and its time grows with the square of a
text's length.
"""

import re
import unicodedata

_TO_NFKC = re.compile("[０-９Ａ-Ｚａ-ｚ]+|[｡-ﾟ]+")
_NARROW = str.maketrans("！？（）", "!?()")

# Spaces vanish beside these. ASCII punctuation is among them because the original widens it while it removes spaces,
# all but the two quotation marks.
_JAPANESE = "\u4e00-\u9fff\u3040-\u309f\u30a0-\u30ff\u3000-\u303f\uff00-\uffef" + re.escape(
    "!#$%&()*+,-./:;<=>?@[\\]^_`{|}~"
)
_SPACE_BESIDE_JAPANESE = re.compile(
    f"(?<=[{_JAPANESE}]) (?=[{_JAPANESE}\\x00-\\x7f])|(?<=[\\x00-\\x7f]) (?=[{_JAPANESE}])"
)
_QUOTED = re.compile("「[^「」]*」")
_BRACKETED = re.compile(r"\([^()]*\)")
_ENDS = frozenset("。!?")


def count_sentences(text: str) -> int:
    r"""Count the sentences of a text, as ``number_sentences`` does.

    Every ``。``, ``！`` and ``？`` (also ASCII ``!`` and ``?``) ends one, and so does every line break. Quirks:

    - every line that is not empty counts at least one: headings, bullets, ``***``;
    - ``！？`` counts two, and so does ``。。``; ``.`` and ``…`` never end a sentence;
    - marks within ``「」`` or ``（）`` on one line end nothing, marks within ``『』`` do; of nested pairs of one kind
      only the innermost protects;
    - a line that ends in ``の`` goes on in the next one, over empty lines too;
    - a line of nothing but a space counts one if the space survives: it goes wherever it stands beside a Japanese
      character or ASCII punctuation.

    Args:
        text: Any text.

    Returns:
        The number of sentences.

    Examples:
        >>> count_sentences("本当！？すごい！"), count_sentences("「はい。いいえ。」と言った。")
        (3, 1)
    """
    return sum(map(_pieces, _joined_lines(_normalized(text))))


def _normalized(text: str) -> str:
    text = _TO_NFKC.sub(lambda run: unicodedata.normalize("NFKC", run[0]), text.strip())
    text = re.sub("[ \u3000]+", " ", text)
    return _SPACE_BESIDE_JAPANESE.sub("", text.translate(_NARROW)).strip()


def _joined_lines(text: str) -> list[str]:
    """Lines, each that ends in ``の`` joined to the next one."""
    lines: list[list[str]] = []
    goes_on = False
    for line in text.splitlines():
        if goes_on:
            lines[-1].append(line)
            goes_on = not line or line.endswith("の")
        else:
            lines.append([line])
            goes_on = len(line) > 1 and line.endswith("の")
    return ["".join(parts) for parts in lines]


def _pieces(line: str) -> int:
    """How many pieces a line falls into when it is cut after every mark that nothing protects."""
    if not line:
        return 0
    # The two kinds of pairs may overlap: a mark within either is protected.
    outside = (kind.sub(lambda pair: " " * len(pair[0]), line) for kind in (_QUOTED, _BRACKETED))
    ends = [first in _ENDS and second in _ENDS for first, second in zip(*outside, strict=True)]
    return sum(ends) + (not ends[-1])
