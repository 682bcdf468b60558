"""How scores add up: trees of means over leaves, and the one function that evaluates them.

The harness's groups, reports, intervals, comparisons, judging again and rescoring all call `evaluate`; they differ
in what
they put in (numbers, numbers with standard errors, arrays of bootstrap draws) and in the mean they hand over.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal, Protocol, TypeVar

Level = Literal["overall", "average", "category", "dataset"]
"""What tables call a score."""


class Scalable(Protocol):
    """A value that may be put on another scale: a number, a `Score`, an array."""

    def __truediv__(self, other: float, /) -> "Scalable":
        """The value divided by a number."""


T = TypeVar("T", bound=Scalable)


class Mean(Protocol[T]):
    """A weighted mean of values that are all there and on one scale."""

    def __call__(self, values: Sequence[T], weights: Sequence[float], /) -> T:
        """The mean."""


@dataclass(frozen=True)
class Score:
    """A score and its standard error.

    Attributes:
        value: The score, unrounded.
        stderr: Its standard error on the same scale; None if unknown.
    """

    value: float
    stderr: float | None = None

    def __truediv__(self, scale: float) -> "Score":
        return Score(self.value / scale, None if self.stderr is None else self.stderr / scale)


@dataclass(frozen=True)
class Missing:
    """What stands in the place of a score that cannot be computed.

    Attributes:
        names: Labels of the members that have no score.
        total: How many members there should be.

    Examples:
        >>> str(Missing(("MT",), 9))
        'missing: MT (8 of 9 present)'
    """

    names: tuple[str, ...]
    total: int

    def __str__(self) -> str:
        return f"missing: {', '.join(self.names)} ({self.total - len(self.names)} of {self.total} present)"


@dataclass(frozen=True)
class Leaf:
    """A score that a task's results hold.

    Attributes:
        name: Unique among all scores of all protocols: the task's name, or ``<task>_<metric>`` where several metrics of
            one task are leaves (MT-Bench's categories).
        label: As the published tables call it, such as ``jnli`` or ``coding``.
        task: The harness task that holds it.
        metric: The metric that counts.
        scale: The metric's best value.
        level: See `Level`.
        given: Whether it can be given by hand (``report --scores``) and no group runs a task for it.
    """

    name: str
    label: str
    task: str
    metric: str
    scale: float = 1.0
    level: Level = "dataset"
    given: bool = False


@dataclass(frozen=True)
class Member:
    """A node or leaf in a node, and how much it counts there.

    Attributes:
        child: What is averaged.
        weight: Its weight in the mean.
    """

    child: "Node | Leaf"
    weight: float = 1.0


@dataclass(frozen=True)
class Node:
    """A weighted mean of nodes and leaves.

    Attributes:
        name: Unique among all scores of all protocols; the harness's name of the group, where it has one.
        label: As the published tables call it, such as ``NLI`` or ``AVG_jaster``.
        members: What it is the mean of, each brought to the node's own scale.
        protocol: Name of the protocol that defines it.
        scale: Its best value.
        missing: What a member without score means: the node is ``missing`` too, or the member is left out (``skip``;
            the node is then missing only if all members are).
        level: See `Level`.
    """

    name: str
    label: str
    members: tuple[Member, ...]
    protocol: str
    scale: float = 1.0
    missing: Literal["missing", "skip"] = "missing"
    level: Level = "category"

    @property
    def children(self) -> tuple["Node | Leaf", ...]:
        """The members without their weights."""
        return tuple(member.child for member in self.members)

    def walk(self) -> Iterator["Node | Leaf"]:
        """This node and everything below it, parents first; what is a member twice comes twice."""
        yield self
        for child in self.children:
            if isinstance(child, Node):
                yield from child.walk()
            else:
                yield child

    def leaves(self) -> tuple[Leaf, ...]:
        """Every leaf below, once each, in the tree's order."""
        return tuple(dict.fromkeys(part for part in self.walk() if isinstance(part, Leaf)))


def evaluate(
    root: Node | Leaf, given: Mapping[str, T | Missing | None], mean: Mean[T]
) -> dict[str, T | Missing]:
    """Evaluate a tree.

    A node's value is the weighted mean of its members' values, each divided by ``member's scale / node's scale`` where
    that is not 1. A node without the members it needs is a `Missing` that names them, and so are the nodes above it.

    Args:
        root: The topmost score that is wanted.
        given: Values by the leaf's name. A value under a node's name is taken as that node's, and what is below it
            is not
            looked at. Absent and None mean that there is no value.
        mean: Mean of values that are there, such as `mean_score` or `mean_number`.

    Returns:
        Value, or what is missing for it, of the root and of everything below it, by name.

    Examples:
        >>> qa = Node("qa", "QA", (Member(Leaf("a", "a", "a", "f1")), Member(Leaf("b", "b", "b", "bleu", 100.0))), "x")
        >>> evaluate(qa, {"a": 0.5, "b": 30.0}, mean_number)["qa"]
        0.4
        >>> str(evaluate(qa, {"a": 0.5}, mean_number)["qa"])
        'missing: b (1 of 2 present)'
    """
    found: dict[str, T | Missing] = {}
    _evaluate(root, given, mean, found)
    return found


def _evaluate(
    part: Node | Leaf, given: Mapping[str, T | Missing | None], mean: Mean[T], found: dict[str, T | Missing]
) -> T | Missing:
    if part.name in found:  # a member of two nodes
        return found[part.name]
    value = given.get(part.name)
    if value is None:
        value = _mean(part, given, mean, found) if isinstance(part, Node) else Missing((part.label,), 1)
    found[part.name] = value
    return value


def _mean(
    node: Node, given: Mapping[str, T | Missing | None], mean: Mean[T], found: dict[str, T | Missing]
) -> T | Missing:
    values: list[T] = []
    weights: list[float] = []
    lacking: list[str] = []
    for member in node.members:
        value = _evaluate(member.child, given, mean, found)
        if isinstance(value, Missing):
            lacking.append(member.child.label)
            continue
        factor = member.child.scale / node.scale
        values.append(value if factor == 1 else value / factor)  # type: ignore[arg-type]  # T divided is a T
        weights.append(member.weight)
    if not values or (lacking and node.missing == "missing"):
        return Missing(tuple(lacking), len(node.members))
    return mean(values, weights)


def mean_number(values: Sequence[float], weights: Sequence[float]) -> float:
    """Weighted mean of numbers, rounded once.

    >>> mean_number([0.1, 0.2, 0.3], [1, 1, 2])
    0.225
    """
    if all(weight == 1 for weight in weights):
        return fmean(values)
    return math.fsum(weight * value for weight, value in zip(weights, values, strict=True)) / math.fsum(
        weights
    )


def mean_score(values: Sequence[Score], weights: Sequence[float]) -> Score:
    """Weighted mean of independent scores.

    The standard error is that of a mean of means, ``sqrt(sum of (weight * error)²) / sum of weights``, not that of the
    pooled items; it is None if any member has none.

    >>> mean_score([Score(0.5, 0.03), Score(0.3, 0.04)], [1, 1])
    Score(value=0.4, stderr=0.025)
    """
    errors = [
        weight * score.stderr
        for weight, score in zip(weights, values, strict=True)
        if score.stderr is not None
    ]
    stderr = math.hypot(*errors) / math.fsum(weights) if len(errors) == len(values) else math.nan
    return Score(
        mean_number([score.value for score in values], weights), stderr if math.isfinite(stderr) else None
    )
