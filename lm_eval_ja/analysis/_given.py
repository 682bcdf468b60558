"""A protocol's scores computed from given ones, such as another program's: a calculator of its trees."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lm_eval_ja._unicode import shown
from lm_eval_ja.errors import DataError
from lm_eval_ja.protocols import Leaf, Missing, Node, Protocol, evaluate, mean_number

_COLUMNS = ("name", "score")


@dataclass(frozen=True)
class GivenLine:
    """A score of a tree.

    Attributes:
        name: Its name in the protocol's file.
        label: As the published tables call it.
        depth: How many scores stand above it.
        value: The score on its own scale; NaN where it was given so, and Missing where something is lacking.
        scale: Its best value.
        is_leaf: Whether it is the mean of nothing.
    """

    name: str
    label: str
    depth: int
    value: float | Missing
    scale: float
    is_leaf: bool


def read_given(path: Path, protocol: Protocol) -> dict[str, float]:
    """Read given scores.

    Args:
        path: A CSV file with the columns ``name`` (of a score of the protocol's trees; its prefix may be left out) and
            ``score`` (a number on the score's own scale, or ``nan`` for what the board itself had no value of).
        protocol: The protocol.

    Returns:
        Scores by name.

    Raises:
        DataError: The file cannot be read, or a line names no score of the protocol, one twice, or no number of its
            scale.
    """
    parts = {part.name: part for root in protocol.scores for part in root.walk()}
    given: dict[str, float] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if not rows or tuple(cell.strip() for cell in rows[0]) != _COLUMNS:
        found = shown(",".join(rows[0])) if rows else "nothing"
        raise DataError(f"{path}: the first line must be {','.join(_COLUMNS)}, found {found}")
    for number, row in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in row):
            continue
        where = f"{path}, line {number}"
        if len(row) != len(_COLUMNS):
            raise DataError(f"{where}: expected a name and a score, found {shown(row)}")
        name, text = row[0].strip(), row[1].strip()
        part = parts.get(name) or parts.get(f"{protocol.prefix}_{name}")
        if part is None:
            raise DataError(
                f"{where}: {protocol.name} has no score {shown(name)}; `lm-eval-ja report --scores` with a file of "
                "only the first line prints all names"
            )
        if part.name in given:
            raise DataError(f"{where}: {name} stands above already")
        given[part.name] = _number(text, part, where)
    return given


def _number(text: str, part: Node | Leaf, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise DataError(f"{where}: the score must be a number or nan, found {shown(text)}") from None
    if not (math.isnan(value) or 0 <= value <= part.scale):
        raise DataError(f"{where}: {part.name} is a score from 0 to {part.scale:g}, found {shown(text)}")
    return value


def given_tree(protocol: Protocol, given: Mapping[str, float]) -> tuple[GivenLine, ...]:
    """Compute every score of a protocol's trees.

    A score that is given as NaN is left out of the means above it, as Nejumi's boards do; one that is not given is
    missing, and so is everything above it.

    Args:
        protocol: The protocol.
        given: Scores by name, of leaves or of means; what stands below a given mean is not needed.

    Returns:
        The scores of each tree, parents first; in a second tree, scores that stood above already are not taken apart.
    """
    lines: list[GivenLine] = []
    shown: set[str] = set()

    def visit(part: Node | Leaf, values: Mapping[str, float | Missing], depth: int) -> None:
        value = values.get(part.name)
        if value is None:  # below a given mean
            return
        lines.append(
            GivenLine(part.name, part.label, depth, value, part.scale, is_leaf=isinstance(part, Leaf))
        )
        if isinstance(part, Node) and part.name not in shown:
            shown.add(part.name)
            for child in part.children:
                visit(child, values, depth + 1)

    for root in protocol.scores:
        visit(root, evaluate(root, given, _mean), 0)
    return tuple(lines)


def _mean(values: Sequence[float], weights: Sequence[float]) -> float:
    there = [(value, weight) for value, weight in zip(values, weights, strict=True) if not math.isnan(value)]
    return mean_number([value for value, _ in there], [weight for _, weight in there]) if there else math.nan
