"""Whether promises about power are kept: ``python benchmarks/power.py CALIBRATION``.

CALIBRATION is the folder of ``coverage.py``. Prints the spreads of differences that
`lm_eval_ja.analysis._calibration` holds, then two checks, both with intervals as `compare` makes them:

1. `lm-eval-ja power` says what difference is found in 8 of 10 comparisons of typical models. Pairs whose true
   difference is about that large are drawn again and again, and found or not.
2. `compare` says how many times the questions would show a difference. For pairs whose true difference is known, that
   many are drawn.

Questions are drawn with replacement, as in ``coverage.py``.
"""

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from coverage import CATEGORIES, DATASETS, WEIGHTS, read
from lm_eval_ja.analysis._calibration import SPREADS
from lm_eval_ja.analysis._leaf_intervals import (
    METRIC,
    Floats,
    difference_margins,
    difference_moments,
    sum_margins,
)
from lm_eval_ja.analysis._power import Spread, _least, times_the_questions
from lm_eval_ja.protocols import Leaf

DRAWS = 400
LEVEL = 0.95
KINDS = ("alike", "typical", "unlike")
Cells = dict[str, Floats]


def pairs_of(cells: Cells) -> list[tuple[int, int]]:
    return list(itertools.combinations(range(len(cells["jnli"])), 2))


def deviations(cells: Cells) -> dict[str, Floats]:
    """Standard deviation of a question's difference, by dataset and pair."""
    return {
        name: np.array([np.std(own[a] - own[b], ddof=1) for a, b in pairs_of(cells)])
        for name, own in cells.items()
    }


def found(cells: Cells, pair: tuple[int, int], weights: Floats, n: int, rng: np.random.Generator) -> float:
    """Share of comparisons whose interval leaves out 0."""
    used = [(name, weight) for name, weight in zip(DATASETS, weights, strict=True) if weight]
    parts = []
    for name, _ in used:
        drawn = rng.integers(cells[name].shape[1], size=(DRAWS, n))
        parts.append(difference_moments(cells[name][pair[0]][drawn], cells[name][pair[1]][drawn], METRIC))
    own = np.array([weight for _, weight in used])
    value = sum(weight * part.mean for weight, part in zip(own, parts, strict=True))
    low, high = sum_margins(own, parts, difference_margins)
    return float(((value - low > 0) | (value + high < 0)).mean())


def scores() -> dict[str, Floats]:
    """Weights of the datasets in the scores that are looked at."""
    chosen = {"average of four categories": WEIGHTS}
    for label, members in CATEGORIES.items():
        chosen[label] = np.array([1 / len(members) if name in members else 0 for name in DATASETS])
    chosen |= {name: np.array([float(name == own) for own in DATASETS]) for name in ("jnli", "niilc")}
    return chosen


def visible_difference(weights: Floats, n: int) -> float:
    """What the package says of typical models."""
    known = [(Leaf(name, name, name, "score"), Spread(SPREADS[name], ""), n) for name in DATASETS]
    least, _ = _least(weights, known, 1.0, np.eye(len(known)))
    return least[1]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("calibration", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    cells, rng = read(given.calibration), np.random.default_rng(given.seed)
    spread = deviations(cells)
    print("| dataset | alike | typical | unlike |\n| :-- | --: | --: | --: |")
    for name in DATASETS:
        now = np.quantile(spread[name], (0.25, 0.5, 0.75)).round(3)
        same = "" if np.allclose(now, SPREADS[name], atol=6e-4) else " (the package has other numbers)"
        print(f"| {name} | {' | '.join(f'{value:.3f}' for value in now)} |{same}")
    print(
        "\n| score, n | pairs | true difference / visible | found, promised 80 % |\n| :-- | --: | --: | --: |"
    )
    for label, weights in scores().items():
        truth = np.array(
            [weights @ [(cells[d][b] - cells[d][a]).mean() for d in DATASETS] for a, b in pairs_of(cells)]
        )
        for n in (20, 100):
            visible = visible_difference(weights, n)
            near = np.flatnonzero((abs(truth) > 0.9 * visible) & (abs(truth) < 1.1 * visible))
            if len(near) > 5:
                shares = [found(cells, pairs_of(cells)[index], weights, n, rng) for index in near]
                ratio = np.mean(abs(truth[near])) / visible
                print(f"| {label}, {n} | {len(near)} | {ratio:.2f} | {100 * np.mean(shares):.0f} % |")
    print("\n| score | pairs | times | found, promised 80 % |\n| :-- | --: | --: | --: |")
    for label, weights in scores().items():
        own = []
        for index, (a, b) in enumerate(pairs_of(cells)):
            truth = weights @ [(cells[d][b] - cells[d][a]).mean() for d in DATASETS]
            error = np.sqrt(
                sum((w * spread[d][index]) ** 2 / 100 for d, w in zip(DATASETS, weights, strict=True))
            )
            times = times_the_questions(error, truth)
            if 1.5 < times < 20:
                own.append((times, found(cells, (a, b), weights, int(np.ceil(100 * times)), rng)))
        chosen = [own[i] for i in rng.permutation(len(own))[:40]]
        times, shares = np.array(chosen).T
        print(
            f"| {label} | {len(chosen)} | {times.min():.1f} to {times.max():.1f} | {100 * shares.mean():.0f} % |"
        )


if __name__ == "__main__":
    main()
