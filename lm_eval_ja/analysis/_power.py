"""What differences a benchmark can see, and how many questions a difference takes to be seen."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import special  # type: ignore[import-untyped]  # scipy has no types

from lm_eval_ja.analysis._calibration import BORROWED, SPREADS
from lm_eval_ja.analysis._differences import pair_runs
from lm_eval_ja.analysis._intervals import mean_array
from lm_eval_ja.analysis._leaderboards import Column, run_protocols
from lm_eval_ja.analysis._leaf_intervals import (
    Floats,
    Moments,
    difference_margins,
    scale_of,
    sum_margins,
)
from lm_eval_ja.analysis._lenient import right_or_wrong
from lm_eval_ja.datasets import packaged
from lm_eval_ja.errors import OptionError
from lm_eval_ja.protocols import (
    DatasetRules,
    Leaf,
    Missing,
    Node,
    Protocol,
    evaluate,
    load_protocol,
)
from lm_eval_ja.results import Run

POWER = 0.8
"""Chance with which a difference of the size looked for is to be found."""

TWO_SIDED = 0.025
"""Error on each side of a 95 % interval."""


def times_the_questions(stderr: float, distance: float, alpha: float = TWO_SIDED) -> float:
    """How many times the questions it would take to tell a score from a limit.

    The usual calculation with normal quantiles: it takes the distance for real and the spread of questions for known.

    Args:
        stderr: Standard error of the score (or difference) with today's questions.
        distance: How far it is from the limit.
        alpha: Error that is allowed on the side of the limit: 0.025 for a 95 % interval.

    Returns:
        The factor; infinite where there is no distance.

    Examples:
        >>> round(times_the_questions(0.01, 0.028), 2)
        1.0
    """
    if distance == 0:
        return math.inf
    return (float(special.ndtri(1 - alpha) + special.ndtri(POWER)) * stderr / distance) ** 2


@dataclass(frozen=True)
class Spread:
    """How much two models differ on a question of a dataset.

    Attributes:
        deviations: Standard deviation of a question's difference for models that answer alike, for typical ones and for
            unlike ones, in the score's points.
        source: Where it is from.
        questions: Questions that it was measured with; None where the protocol says how many there are.
    """

    deviations: tuple[float, float, float]
    source: str
    questions: int | None = None


@dataclass(frozen=True)
class Visible:
    """What difference of a score can be seen.

    Attributes:
        column: The score.
        questions: Questions asked for it.
        least: The smallest true difference that a comparison finds with a chance of `POWER` at the 95 % level, for
            models that answer alike, for typical ones and for unlike ones; None where a member's spread is not known.
        stderr: Standard error of the difference of typical models; None where it is not known.
        source: Where the spreads are from.
    """

    column: Column
    questions: int
    least: tuple[float, float, float] | None
    stderr: float | None
    source: str


def known_spreads(protocol: Protocol) -> dict[str, Spread]:
    """Spreads of a protocol's datasets from the calibration data, by leaf.

    A dataset that was not measured borrows the mean of those with its kind of metric. Conversations have none.
    """
    found = {}
    for leaf in protocol.leaves():
        rules = _rules(protocol, leaf)
        if rules is None:
            continue
        if rules.dataset in SPREADS:
            found[leaf.name] = Spread(SPREADS[rules.dataset], "measured")
        elif (kind := "exact_match" if right_or_wrong(rules.metric) else rules.metric) in BORROWED:
            means = np.mean([SPREADS[name] for name in BORROWED[kind]], axis=0)
            found[leaf.name] = Spread(_three(means), f"borrowed ({kind})")
    return found


def measured_spreads(runs: Sequence[Run]) -> dict[str, Spread]:
    """Spreads from runs: every pair of them on the questions that both have answered, by leaf.

    Args:
        runs: Two runs or more, with samples.

    Raises:
        OptionError: There are fewer, or two cannot be compared.
        DataError: Samples are missing.
    """
    if len(runs) < 2:  # noqa: PLR2004  # a pair
        raise OptionError("spreads of differences take two runs or more; give several, or none")
    deviations: dict[str, list[float]] = {}
    questions: dict[str, int] = {}
    for a, b in combinations(runs, 2):
        for name, (_, own) in pair_runs(a, b).moments.items():
            if own is not None:
                deviations.setdefault(name, []).append(float(np.sqrt(own.squares / (own.questions - 1))))
                questions[name] = max(questions.get(name, 0), int(own.questions))
    pairs = math.comb(len(runs), 2)
    source = f"{pairs} pair{'s' if pairs > 1 else ''} of the runs given"
    return {
        name: Spread(_three(np.quantile(own, (0.25, 0.5, 0.75))), source, questions[name])
        for name, own in deviations.items()
    }


def visible_differences(
    protocol: Protocol, spreads: Mapping[str, Spread], questions: int | None = None
) -> tuple[Visible, ...]:
    """What differences a protocol can see, from the overall score down.

    Args:
        protocol: The protocol.
        spreads: Spreads by leaf.
        questions: Questions of each dataset in place of the protocol's number; never more than there are.

    Returns:
        One entry for each score of its trees.
    """
    asked = {leaf.name: _asked(protocol, leaf, spreads, questions) for leaf in protocol.leaves()}
    known = [
        (leaf, spreads[leaf.name], asked[leaf.name])
        for leaf in protocol.leaves()
        if leaf.name in spreads and asked[leaf.name] > 1
    ]
    # The same questions asked twice, with other worked examples, are taken to tell the same.
    datasets = [own.dataset if (own := protocol.tasks.get(leaf.task)) else leaf.name for leaf, _, _ in known]
    alike = np.array([[float(one == other) for other in datasets] for one in datasets])
    units = {leaf.name: row for (leaf, _, _), row in zip(known, np.eye(len(known)), strict=True)}
    found: dict[str, Visible] = {}

    def visit(part: Node | Leaf, parent: str, weights: Mapping[str, Floats | Missing]) -> None:
        below = part.leaves() if isinstance(part, Node) else (part,)
        own = weights[part.name]
        least, stderr = (None, None) if isinstance(own, Missing) else _least(own, known, part.scale, alike)
        column = Column(part.name, part.label, part.level, part.scale, parent)
        number = sum(asked[leaf.name] for leaf in below)
        source = _source(spreads.get(leaf.name) for leaf in below)
        found.setdefault(part.name, Visible(column, number, least, stderr, source))
        for child in part.children if isinstance(part, Node) else ():
            visit(child, part.name, weights)

    for root in protocol.scores:
        visit(root, "", evaluate(root, units, mean_array))
    return tuple(found.values())


def _least(
    weights: Floats, known: Sequence[tuple[Leaf, Spread, int]], best: float, alike: Floats
) -> tuple[tuple[float, float, float] | None, float]:
    """The smallest visible difference for each kind of pair, and the standard error for typical ones.

    It is visible if the interval leaves out 0 even where the difference comes out as low as it does once in five
    comparisons. The intervals are those of `compare`, with the same difference in every dataset.
    """
    used = np.flatnonzero(weights)
    own = [(float(weights[index]), *known[index]) for index in used.tolist()]
    alike = alike[np.ix_(used, used)]
    grid = np.geomspace(1e-4, 1.0, 400) * best  # true differences
    least, errors = [], []
    for kind in range(3):
        error = math.hypot(*(weight * spread.deviations[kind] / math.sqrt(n) for weight, _, spread, n in own))
        seen = grid - float(special.ndtri(POWER)) * error
        parts = [
            Moments(
                mean=seen * leaf.scale / best,
                squares=np.full_like(grid, spread.deviations[kind] ** 2 * (n - 1)),
                questions=np.full_like(grid, float(n)),
                binary=np.zeros(grid.shape, dtype=bool),
                scale=scale_of(leaf.scale),
            )
            for _, leaf, spread, n in own
        ]
        lower, _ = sum_margins(np.array([weight for weight, *_ in own]), parts, difference_margins, alike)
        shown = np.flatnonzero((seen > 0) & (lower < seen))
        least.append(float(grid[shown[0]]) if len(shown) else math.inf)
        errors.append(error)
    return (_three(least) if all(map(math.isfinite, least)) else None), errors[1]


def spreads_of_runs(runs: Sequence[Run]) -> tuple[Protocol, dict[str, Spread]]:
    """The first protocol of the runs, and the spreads between them; see `measured_spreads`."""
    return run_protocols(runs[0])[0], measured_spreads(runs)


def calibrated(name: str) -> tuple[Protocol, dict[str, Spread]]:
    """A protocol by its name, and the spreads that are known without any run; see `known_spreads`.

    Raises:
        OptionError: There is no such protocol, or nothing is known of its datasets.
    """
    protocol = load_protocol(name)
    spreads = known_spreads(protocol)
    if not spreads:
        raise OptionError(
            f"nothing was measured about the questions of {name}: give two runs of it or more (--runs out/a out/b)"
        )
    return protocol, spreads


def _three(values: Iterable[float]) -> tuple[float, float, float]:
    alike, typical, unlike = (float(value) for value in values)
    return alike, typical, unlike


def _rules(protocol: Protocol, leaf: Leaf) -> DatasetRules | None:
    own = protocol.tasks.get(leaf.task)
    return own if own is not None and own.metric == leaf.metric else None


def _asked(protocol: Protocol, leaf: Leaf, spreads: Mapping[str, Spread], questions: int | None) -> int:
    """Questions of a leaf; of conversations as many as the runs had, 0 where that is not known."""
    rules = protocol.tasks.get(leaf.task)
    if rules is None:
        own = spreads.get(leaf.name)
        return (own.questions or 0) if own else 0
    there = [
        own.n
        for (dataset, split), own in packaged().digests.items()
        if (dataset, split) == (rules.dataset, rules.split)
    ]
    return min([questions or rules.questions, *there])


def _source(spreads: Iterable[Spread | None]) -> str:
    names = dict.fromkeys("not known" if own is None else own.source for own in spreads)
    kinds = dict.fromkeys(name.split(" (")[0] for name in names)
    return next(iter(names)) if len(names) == 1 else ", ".join(kinds)
