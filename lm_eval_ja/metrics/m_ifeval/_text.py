r"""What several checkers do: relations between counts, and cutting quotations out.

All patterns of the checkers run in time that grows with the text's length alone. Where the described pattern would try
every start again (``\[.*?\]`` on a long row of brackets), an equal one, or plain searching, stands in its place.
"""

from typing import Literal, get_args

Relation = Literal["未満", "以上"]
"""Less than the number; greater than or equal to it."""

RELATIONS: tuple[Relation, ...] = get_args(Relation)


def holds(count: int, relation: Relation, number: int) -> bool:
    """Whether a count stands in a relation to a number.

    >>> holds(3, "未満", 3), holds(3, "以上", 3)
    (False, True)
    """
    return count < number if relation == "未満" else count >= number


def count_pairs(text: str, opening: str, closing: str) -> int:
    """Count pairs that don't overlap and lie on one line each: from an opening mark to the nearest closing one.

    >>> count_pairs("[a] [b[c]] ]", "[", "]")
    2
    """
    return sum(len(_pairs(line, opening, closing)) for line in text.split("\n"))


def without_pairs(text: str, opening: str, closing: str) -> str:
    """Delete such pairs, marks included.

    >>> without_pairs("「a」b「c", "「", "」")
    'b「c'
    """
    kept = []
    for line in text.split("\n"):
        end = 0
        rest = ""
        for first, last in _pairs(line, opening, closing):
            rest += line[end:first]
            end = last + 1
        kept.append(rest + line[end:])
    return "\n".join(kept)


def without_quotations(text: str) -> str:
    """Delete ``「…」`` and then ``『…』`` where they lie on one line."""
    return without_pairs(without_pairs(text, "「", "」"), "『", "』")


def _pairs(line: str, opening: str, closing: str) -> list[tuple[int, int]]:
    """Positions of the marks of every pair."""
    found = []
    first = line.find(opening)
    while first >= 0 and (last := line.find(closing, first + 1)) >= 0:
        found.append((first, last))
        first = line.find(opening, last + 1)
    return found
