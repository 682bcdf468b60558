"""How often 95 % intervals hold, and how wide they are: ``python benchmarks/coverage.py CALIBRATION``.

CALIBRATION is a folder with ``jaster_questions.csv``: per-question scores of real models, one row each, columns
``<dataset>-<index>``. The 100 questions of a cell (a model, a dataset) are taken as the whole: their mean is the truth,
and *n* questions are drawn from them **with replacement**, which makes them independent draws from a whole whose
truth is known, at any *n*. (Without replacement the mean of 50 of 100 varies only by the factor 1 - 50/100 as much, and
any interval would seem to hold too often. The last section draws that way and takes the factor out.) What the file does
not hold is made up: rates from 0 to 100 %, and ratings by conversation of two turns.

Each cell of a table is coverage in % / mean width. Methods:
  percentile   bootstrap over questions through the averages, n - 1 drawn (what was reported before)
  boot-t, BCa  the same draws, studentized; bias-corrected and accelerated
  Student      the harness's standard error, Student's quantile, Satterthwaite's degrees of freedom
  Wilson       score interval of each dataset (Tango's for a difference), put together by MOVER with the normal quantile
  beta         draws from each dataset's beta posterior (as many right-or-wrong questions as would be as uncertain)
  Newcombe     difference: margins of both runs and their correlation
  ours         lm_eval_ja.analysis._leaf_intervals
"""

import argparse
import csv
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from scipy import special

from lm_eval_ja.analysis._leaf_intervals import (
    METRIC,
    RATING,
    Floats,
    Moments,
    Scale,
    difference_margins,
    difference_moments,
    moments,
    score_margins,
    sum_margins,
)
from lm_eval_ja.analysis._resampling import rank_intervals

DRAWS = 2000
LEAST, MOST, WIDE = 93.0, 97.0, 1.05
Z = float(special.ndtri(0.975))
CATEGORIES = {
    "NLI": ("jamp", "janli", "jnli", "jsem", "jsick"),
    "QA": ("jemhopqa", "niilc"),
    "RC": ("jsquad",),
    "MC": ("jcommonsenseqa",),
}
"""Those of neo's categories and datasets that the file holds."""
DATASETS = [name for members in CATEGORIES.values() for name in members]
WEIGHTS = np.array([1 / len(CATEGORIES) / len(members) for members in CATEGORIES.values() for _ in members])


@dataclass(frozen=True)
class Leaf:
    """Simulated scores of a dataset: ``(simulations, questions)``, of two runs where a difference is looked at."""

    scores: Floats
    truth: Floats
    scale: Scale = METRIC
    other: Floats | None = None

    @property
    def shown(self) -> Floats:
        """What an interval is made from: scores, or differences."""
        return self.scores if self.other is None else self.other - self.scores

    @property
    def moments(self) -> Moments:
        """What the package knows of the leaf."""
        if self.other is None:
            return moments(self.scores, self.scale)
        return difference_moments(self.scores, self.other, self.scale)


@dataclass(frozen=True)
class Node:
    """A score over leaves, how much each weighs in it, and what an interval holds at least (see `attainable`)."""

    name: str
    leaves: Sequence[Leaf]
    weights: Floats
    least: float = 0.0

    @property
    def truth(self) -> Floats:
        """What intervals ought to contain."""
        return self.sum([leaf.truth for leaf in self.leaves])

    @property
    def value(self) -> Floats:
        """The scores as measured."""
        return self.sum([leaf.moments.mean for leaf in self.leaves])

    @property
    def range(self) -> tuple[float, float]:
        """The least and the most that the score can be: no method is given credit or blame for what lies beyond."""
        single = self.leaves[0].other is None
        ends = [
            (own.scale.worst, own.scale.best) if single else (-own.scale.width, own.scale.width)
            for own in self.leaves
        ]
        return tuple(self.weights @ np.array(ends))

    def sum(self, parts: Sequence[Floats], power: int = 1) -> Floats:
        """Weighted sum over the leaves, weights raised to a power."""
        return sum(weight**power * part for weight, part in zip(self.weights, parts, strict=True))


Ends = tuple[Floats, Floats]

# ------------------------------------------------------------------------------------------------------- methods


def times(rng: np.random.Generator, questions: int, drawn: int) -> Floats:
    """How often each question is drawn in each resample: the same resamples for all simulations of a leaf."""
    return rng.multinomial(drawn, np.full(questions, 1 / questions), size=DRAWS).T / drawn


def percentile(node: Node, rng: np.random.Generator) -> Ends:
    drawn = [leaf.shown @ times(rng, leaf.shown.shape[1], leaf.shown.shape[1] - 1) for leaf in node.leaves]
    return tuple(np.quantile(node.sum(drawn), (0.025, 0.975), axis=1))


def studentized(node: Node, rng: np.random.Generator) -> Ends:
    means, variances = [], []
    for leaf in node.leaves:
        questions = leaf.shown.shape[1]
        drawn = times(rng, questions, questions)
        mean = leaf.shown @ drawn
        means.append(mean)
        variances.append(np.maximum(leaf.shown**2 @ drawn - mean**2, 0) / (questions - 1))
    error = np.sqrt(node.sum(variances, power=2))
    spread = np.sqrt(node.sum([leaf.moments.variance for leaf in node.leaves], power=2))
    away = node.sum(means) - node.value[:, None]
    high, low = np.quantile(np.where(error > 1e-9, away / np.maximum(error, 1e-9), 0), (0.025, 0.975), axis=1)
    return node.value - low * spread, node.value - high * spread


def accelerated(node: Node, rng: np.random.Generator) -> Ends:
    drawn = node.sum(
        [leaf.shown @ times(rng, leaf.shown.shape[1], leaf.shown.shape[1]) for leaf in node.leaves]
    )
    below = ((drawn < node.value[:, None]).mean(axis=1) + (drawn <= node.value[:, None]).mean(axis=1)) / 2
    bias = special.ndtri(np.clip(below, 1 / DRAWS, 1 - 1 / DRAWS))
    deviations = [
        (leaf.shown - leaf.shown.mean(axis=1)[:, None]) / leaf.shown.shape[1] for leaf in node.leaves
    ]
    cubes, squares = (node.sum([(own**power).sum(axis=1) for own in deviations], power) for power in (3, 2))
    skew = np.where(squares > 1e-12, cubes / np.maximum(6 * squares**1.5, 1e-12), 0)
    ordered, rows = np.sort(drawn, axis=1), np.arange(len(drawn))
    ends = []
    for quantile in (-Z, Z):
        place = special.ndtr(bias + (bias + quantile) / (1 - skew * (bias + quantile)))
        ends.append(ordered[rows, np.clip((place * DRAWS).astype(int), 0, DRAWS - 1)])
    return ends[0], ends[1]


def student(node: Node, _: np.random.Generator) -> Ends:
    own = [leaf.moments for leaf in node.leaves]
    variance = node.sum([leaf.variance for leaf in own], power=2)
    shared = node.sum([leaf.variance**2 / (leaf.questions - 1) for leaf in own], power=4)
    degrees = np.where(shared > 0, variance**2 / np.maximum(shared, 1e-300), 1e9)
    half = special.stdtrit(degrees, 0.975) * np.sqrt(variance)
    return node.value - half, node.value + half


def mover(node: Node, margins: Callable[[Leaf], Ends]) -> Ends:
    below, above = zip(*map(margins, node.leaves), strict=True)
    squares = [node.sum([own**2 for own in side], power=2) for side in (below, above)]
    return node.value - np.sqrt(squares[0]), node.value + np.sqrt(squares[1])


def share(leaf: Leaf) -> tuple[Floats, Floats]:
    """The mean between worst and best, and the number of right-or-wrong questions that would be as uncertain."""
    own = leaf.moments
    mean = (own.mean - leaf.scale.worst) / leaf.scale.width
    most = own.questions * mean * (1 - mean)
    factor = np.where(most > 1e-9, own.squares / leaf.scale.width**2 / np.maximum(most, 1e-9), 1)
    return mean, own.questions / np.clip(factor, 1e-3, 1)


def score_interval(leaf: Leaf) -> Ends:
    if leaf.other is not None:
        own, n = leaf.moments, leaf.moments.questions
        mean, square = own.mean / leaf.scale.width, own.squares / leaf.scale.width**2 / n
        centre = n * mean / (n + Z**2)
        half = np.sqrt(np.maximum(centre**2 - (n * mean**2 - Z**2 * (square + mean**2)) / (n + Z**2), 0))
        return (mean - centre + half) * leaf.scale.width, (centre + half - mean) * leaf.scale.width
    mean, alike = share(leaf)
    centre = (mean + Z**2 / 2 / alike) / (1 + Z**2 / alike)
    half = Z / (1 + Z**2 / alike) * np.sqrt(mean * (1 - mean) / alike + Z**2 / 4 / alike**2)
    return (mean - centre + half) * leaf.scale.width, (centre + half - mean) * leaf.scale.width


def wilson(node: Node, _: np.random.Generator) -> Ends:
    return mover(node, score_interval)


def newcombe(node: Node, _: np.random.Generator) -> Ends:
    def margins(leaf: Leaf) -> Ends:
        a, b = (moments(values, leaf.scale) for values in (leaf.scores, leaf.other))
        (below_a, above_a), (below_b, above_b) = score_margins(a), score_margins(b)
        together = (a.squares + b.squares - leaf.moments.squares) / 2
        alike = together / np.maximum(np.sqrt(a.squares * b.squares), 1e-12)
        squares = below_b**2 + above_a**2 - 2 * alike * below_b * above_a
        other = above_b**2 + below_a**2 - 2 * alike * above_b * below_a
        return np.sqrt(np.maximum(squares, 0)), np.sqrt(np.maximum(other, 0))

    return mover(node, margins)


def posterior(node: Node, rng: np.random.Generator) -> Ends:
    drawn = []
    for leaf in node.leaves:
        mean, alike = share(leaf)
        right, wrong = (alike * part + 0.5 for part in (mean, 1 - mean))
        beta = rng.beta(right[:, None], wrong[:, None], (len(mean), DRAWS // 4))
        drawn.append(leaf.scale.worst + leaf.scale.width * beta)
    return tuple(np.quantile(node.sum(drawn), (0.025, 0.975), axis=1))


def ours(node: Node, _: np.random.Generator) -> Ends:
    single = node.leaves[0].other is None
    own = [leaf.moments for leaf in node.leaves]
    lower, upper = sum_margins(node.weights, own, score_margins if single else difference_margins)
    return node.value - lower, node.value + upper


BOOTSTRAPS = {"percentile": percentile, "boot-t": studentized, "BCa": accelerated}
SINGLE = BOOTSTRAPS | {"Student": student, "Wilson": wilson, "beta": posterior, "ours": ours}
PAIRED = BOOTSTRAPS | {"Student": student, "Wilson": wilson, "Newcombe": newcombe, "ours": ours}

# ---------------------------------------------------------------------------------------------------------- data


def read(folder: Path) -> dict[str, Floats]:
    """Scores by dataset, ``(models, questions)``."""
    with (folder / "jaster_questions.csv").open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    values = np.array([row[1:] for row in rows], dtype=float)
    names = np.array([column.rpartition("-")[0] for column in head[1:]])
    return {name: values[:, names == name] for name in DATASETS}


def real(
    cells: dict[str, Floats], rng: np.random.Generator, size: int, n: int, *, two: bool
) -> dict[str, Leaf]:
    """Questions of real cells, drawn with replacement; both runs of a pair get the same ones."""
    models = len(cells["jamp"])
    a = rng.integers(models, size=size)
    b = (a + rng.integers(1, models, size=size)) % models
    leaves = {}
    for name, values in cells.items():
        drawn = rng.integers(values.shape[1], size=(size, n))
        first, second, whole = values[a[:, None], drawn], values[b[:, None], drawn], values.mean(axis=1)
        leaves[name] = Leaf(first, whole[b] - whole[a], other=second) if two else Leaf(first, whole[a])
    return leaves


def rates(rng: np.random.Generator, size: int, n: int, band: tuple[float, float]) -> Leaf:
    """Right or wrong, at rates drawn evenly from a band."""
    truth = rng.uniform(*band, size)
    return Leaf((rng.random((size, n)) < truth[:, None]).astype(float), truth)


def discordant(rng: np.random.Generator, size: int, n: int, most: float) -> Leaf:
    """Two runs that differ in up to a share ``most`` of the questions, more or less to one side."""
    right, moved, up = rng.uniform(0.1, 0.98, size), rng.uniform(0, most, size), rng.uniform(0, 1, size)
    a = rng.random((size, n)) < right[:, None]
    move = rng.random((size, n))
    b = np.where(a, move >= (moved * (1 - up))[:, None], move < (moved * up)[:, None])
    return Leaf(a.astype(float), (1 - right) * moved * up - right * moved * (1 - up), other=b.astype(float))


def ratings(
    rng: np.random.Generator, size: int, band: tuple[float, float], *, two: bool, n: int = 10, count: int = 8
) -> list[Leaf]:
    """Categories of ``n`` conversations of two turns, rated 1 to 10; the truth is the mean of 4,000 of them."""
    level = rng.uniform(*band, (size, 1, 1))
    leaves = []
    for _ in range(count):
        own = np.clip(level + rng.normal(0, 1, (size, 1, 1)), 1, 10)
        lead = rng.normal(0, 0.5, (size, 1, 1))

        def draw(
            number: int, own: Floats = own, lead: Floats = lead
        ) -> tuple[Floats, Floats]:  # bound now, not when called
            hard = rng.normal(0, 1.3, (size, number, 1))
            noise = rng.normal(0, 1, (2, size, number, 2))
            a, b = (
                np.clip(np.rint(own + more + hard + part), 1, 10)
                for more, part in zip((0, lead), noise, strict=True)
            )
            return a.mean(axis=2), b.mean(axis=2)

        whole = np.mean([[part.mean(axis=1) for part in draw(200)] for _ in range(20)], axis=0)
        a, b = draw(n)
        leaves.append(Leaf(a, whole[1] - whole[0], RATING, b) if two else Leaf(a, whole[0], RATING))
    return leaves


def attainable(n: int, band: tuple[float, float]) -> float:
    """What an interval for a share holds at least, on average over a band, if it holds 93 % at every rate of it.

    Exactly, by enumeration: the counts whose intervals contain a rate are neighbours (ends rise with it), and the
    counts nearest to what is expected are among them. Of all such runs of counts the one is taken that holds least
    but not less than 93 %; no procedure without a random draw does with less.
    """
    counts, least = np.arange(n + 1), []
    for rate in np.linspace(*band, 201)[:-1] + (band[1] - band[0]) / 400:
        chance = np.exp(
            special.gammaln(n + 1) - special.gammaln(counts + 1) - special.gammaln(n - counts + 1)
            + special.xlogy(counts, rate) + special.xlog1py(n - counts, -rate)
        )  # fmt: skip
        below = np.concatenate([[0], np.cumsum(chance)])
        held = below[int(np.ceil(n * rate)) + 1 :][None] - below[: int(np.floor(n * rate)) + 1][:, None]
        least.append(100 * held[held >= LEAST / 100].min())
    return float(np.mean(least))


# -------------------------------------------------------------------------------------------------------- tables


class Table:
    """Prints rows as they are measured and keeps what the last lines say, and those of all tables."""

    IMPOSSIBLE: ClassVar[list[str]] = []
    OUTSIDE: ClassVar[list[str]] = []
    WIDER: ClassVar[list[str]] = []
    cells = 0

    def __init__(self, title: str, methods: dict[str, Callable[[Node, np.random.Generator], Ends]]) -> None:
        self.methods = methods
        self.found: list[tuple[Floats, Floats]] = []
        self.names: list[tuple[str, float]] = []
        print(
            f"\n### {title}\n\n| score | {' | '.join(methods)} |\n| :-- |{' --: |' * len(methods)}",
            flush=True,
        )

    def row(self, node: Node, rng: np.random.Generator) -> None:
        """Measure one score and print its row."""
        covered, widths = [], []
        for method in self.methods.values():
            low, high = (np.clip(end, *node.range) for end in method(node, rng))
            covered.append(100 * np.mean((low <= node.truth + 1e-9) & (node.truth - 1e-9 <= high)))
            widths.append(np.mean(high - low))
        self.found.append((np.array(covered), np.array(widths)))
        self.names.append((node.name, node.least))
        cells = (f"{hold:.1f} / {width:.3f}" for hold, width in zip(covered, widths, strict=True))
        print(f"| {node.name} | {' | '.join(cells)} |", flush=True)

    def close(self) -> None:
        """Print what the rows come to."""
        covered, widths = (np.array(part) for part in zip(*self.found, strict=True))
        inside = ((covered >= 93) & (covered <= 97)).sum(axis=0)
        print(f"| **in 93 to 97 %, of {len(covered)}** | {' | '.join(map(str, inside))} |")
        print(f"| **least** | {' | '.join(f'{least:.1f}' for least in covered.min(axis=0))} |")
        holds = np.where((covered >= 93), widths, np.inf)
        best = np.where(np.isfinite(holds.min(axis=1)), holds.min(axis=1), widths.min(axis=1))
        ratio = widths / best[:, None]
        middle = " | ".join(f"{own:.3f}" for own in np.median(ratio, axis=0))
        print(f"| **width / narrowest that holds 93 %, median** | {middle} |")
        if "ours" in self.methods:
            place = list(self.methods).index("ours")
            for (name, least), hold, wide in zip(
                self.names, covered[:, place].tolist(), ratio[:, place].tolist(), strict=True
            ):
                ends = self.OUTSIDE if least <= MOST else self.IMPOSSIBLE
                if not LEAST <= hold <= MOST:
                    ends.append(f"{name}: {hold:.1f}" + (f" (at least {least:.1f})" if least > MOST else ""))
                if wide > WIDE:
                    self.WIDER.append(f"{name}: {wide:.2f}")
            Table.cells += len(covered)


def nodes_of(leaves: dict[str, Leaf], n: int, more: Sequence[Leaf]) -> list[Node]:
    """Datasets, categories, the average and with MT-Bench the overall score."""
    found = [Node(f"{name}, n = {n}", [leaves[name]], np.ones(1)) for name in DATASETS]
    for category in ("NLI", "QA"):
        members = CATEGORIES[category]
        found.append(
            Node(
                f"{category}, n = {n}",
                [leaves[name] for name in members],
                np.full(len(members), 1 / len(members)),
            )
        )
    whole = [leaves[name] for name in DATASETS]
    found.append(Node(f"average, n = {n}", whole, WEIGHTS))
    if not more:
        return found
    parts = np.concatenate([WEIGHTS / 2, np.full(8, 1 / 160)])
    return [*found, Node(f"overall, n = {n}", [*whole, *more], parts)]


def without_replacement(cells: dict[str, Floats], rng: np.random.Generator, size: int) -> None:
    """The same by drawing n of the 100 without replacement, deviations stretched by what that takes out of them."""
    print(
        "\n### Without replacement, corrected for it: ours\n\n| score | n = 20 | n = 50 |\n| :-- | --: | --: |"
    )
    found: dict[str, list[float]] = {}
    for n in (20, 50):
        models = rng.integers(len(cells["jamp"]), size=size)
        leaves = {}
        for name, values in cells.items():
            drawn = rng.permuted(np.tile(np.arange(values.shape[1]), (size, 1)), axis=1)[:, :n]
            leaves[name] = Leaf(values[models[:, None], drawn], values.mean(axis=1)[models])
        for node in nodes_of(leaves, n, []):
            low, high = ours(node, rng)
            away = (node.truth - node.value) / np.sqrt(1 - n / 100) + node.value
            held = np.mean(
                (np.clip(low, *node.range) <= away + 1e-9) & (away - 1e-9 <= np.clip(high, *node.range))
            )
            found.setdefault(node.name.partition(",")[0], []).append(100 * float(held))
    for name, (few, half) in found.items():
        print(f"| {name} | {few:.1f} | {half:.1f} |")


def places(cells: dict[str, Floats], rng: np.random.Generator, size: int) -> None:
    """Ranges of places by the average, as `rank_intervals` gives them, against the places by all 100 questions."""
    print("\n### Places by the average: coverage / mean number of places in the range\n")
    print("| models | n = 20 | n = 100 |\n| :-- | --: | --: |")
    for models in (2, 5, 10, 31):
        shown = []
        for n in (20, 100):
            covered, widths = [], []
            for _ in range(max(1, 2 * size // models)):
                chosen = rng.choice(len(cells["jamp"]), models, replace=False)
                sampled, truth = np.zeros((models, DRAWS // 4)), np.zeros(models)
                for weight, (_, values) in zip(WEIGHTS, cells.items(), strict=True):
                    own = values[chosen][:, rng.integers(values.shape[1], size=n)]
                    sampled += weight * own @ times(rng, n, n - 1)[:, : DRAWS // 4]
                    truth += weight * values[chosen].mean(axis=1)
                for place, (low, high) in enumerate(rank_intervals(sampled)):
                    first = 1 + int((truth > truth[place] + 1e-9).sum())
                    last = int((truth >= truth[place] - 1e-9).sum())  # equals share their places
                    covered.append(low <= last and first <= high)
                    widths.append(high - low + 1)
            shown.append(f"{100 * np.mean(covered):.1f} / {np.mean(widths):.2f}")
        print(f"| {models} real ones | {' | '.join(shown)} |", flush=True)


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("calibration", type=Path, help="folder with jaster_questions.csv")
    parser.add_argument("--simulations", type=int, default=1000, help="intervals per cell (default 1000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--methods", nargs="+", metavar="NAME", help="only these (default: all)")
    options = parser.parse_args()
    rng, size, start = np.random.default_rng(options.seed), options.simulations, time.perf_counter()
    cells = read(options.calibration)
    for two, title, every in ((False, "Scores", SINGLE), (True, "Differences of two runs", PAIRED)):
        methods = {name: own for name, own in every.items() if name in (options.methods or every)}
        table = Table(f"{title}: real questions", methods)
        for n in (10, 20, 50, 100):
            rated = ratings(rng, size, (3, 9.5), two=two)
            for node in nodes_of(real(cells, rng, size, n, two=two), n, rated):
                table.row(node, rng)
        table.close()
        table = Table(f"{title}: made-up right or wrong", methods)
        for n in (10, 20, 100, 1000):
            for band in (
                (0.02, 0.1, 0.4)
                if two
                else ((0, 0.02), (0.02, 0.1), (0.1, 0.3), (0.3, 0.7), (0.9, 0.98), (0.98, 1))
            ):
                own = [discordant(rng, size, n, band) if two else rates(rng, size, n, band) for _ in DATASETS]
                what = f"{band:.0%} differ at most" if two else f"{band[0]:.0%} to {band[1]:.0%}"
                least = 0.0 if two else attainable(n, band)
                table.row(Node(f"{what}, n = {n}", own[:1], np.ones(1), least), rng)
                table.row(Node(f"average of nine, {what}, n = {n}", own, WEIGHTS), rng)
        table.close()
        table = Table(f"{title}: made-up ratings, ten conversations of two turns", methods)
        for band in ((2, 5), (5, 8.5), (8.5, 9.8)):
            own = ratings(rng, size, band, two=two)
            table.row(Node(f"category, {band[0]} to {band[1]}", own[:1], np.ones(1)), rng)
            table.row(Node(f"average of eight, {band[0]} to {band[1]}", own, np.full(8, 1 / 8)), rng)
        table.close()
    without_replacement(cells, rng, size)
    places(cells, rng, min(size, 1000))
    outside = len(Table.IMPOSSIBLE) + len(Table.OUTSIDE)
    print(
        f"\nours: {Table.cells - outside} of {Table.cells} cells in {LEAST:g} to {MOST:g} % (one standard error of a "
        f"cell at 95 %: {100 * np.sqrt(0.95 * 0.05 / size):.2f} points)"
    )
    for title, names in (
        ("no interval that holds 93 % at every rate can", Table.IMPOSSIBLE),
        ("others outside", Table.OUTSIDE),
        (f"wider than {WIDE:g} times the narrowest method here that holds 93 %", Table.WIDER),
    ):
        print(f"{title}: {len(names)}" + "".join(f"\n  {name}" for name in names))
    print(f"\n{time.perf_counter() - start:.0f} s, {size} intervals per cell, seed {options.seed}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
