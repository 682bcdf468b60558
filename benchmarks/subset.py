"""Which few questions rank models as all do: ``python benchmarks/subset.py QUESTIONS_CSV [--write]``.

QUESTIONS_CSV has a row per model and a column per question (``<dataset>-<index>``) with scores from 0 to 1. Of every
dataset the same number of questions is chosen, greedily: each next one brings the mean over the chosen closest to the
dataset's mean, over all models (least squares). Held against drawing them by chance and taking the first ones, on
models that had no part in the choice: half of them each time, runs of one family together (rows that correlate above
0.9).

``--write`` chooses on all models and writes the file that ``lm_eval_ja.callbacks`` uses.
"""

import argparse
import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import kendalltau, spearmanr

from lm_eval_ja.protocols import load_protocol

FILE = Path(__file__).resolve().parents[1] / "lm_eval_ja" / "callbacks" / "subset.json"
PER_DATASET = 8
SIZES = (3, 5, 8, 12, 20)
ALIKE = 0.9

Pick = Callable[[Any, int], Any]


class Questions:
    """Scores of models on questions."""

    def __init__(self, path: Path) -> None:
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        self.ids = header[1:]
        self.values = np.array([[float(value) for value in row[1:]] for row in rows])
        self.of = np.array([name.rpartition("-")[0] for name in self.ids])
        self.datasets = list(dict.fromkeys(self.of.tolist()))
        rules = load_protocol("neo").tasks.values()
        self.category = {
            own.dataset: own.category for own in rules if own.dataset in self.datasets and own.category
        }

    def score(self, models: Any, chosen: Any) -> Any:
        """Mean over categories of the mean over their datasets, for each model."""
        means: dict[str, list[Any]] = {}
        for dataset in self.datasets:
            columns = [column for column in chosen if self.of[column] == dataset]
            means.setdefault(self.category[dataset], []).append(self.values[models][:, columns].mean(1))
        return np.mean([np.mean(own, 0) for own in means.values()], 0)

    def columns(self, dataset: str) -> Any:
        return np.where(self.of == dataset)[0]

    def families(self) -> Any:
        """A number for each model, the same for runs that are nearly the same."""
        close = np.corrcoef(self.values) > ALIKE
        found = np.arange(len(close))
        for one, other in np.argwhere(close):
            found[found == found[one]] = found[other]
        return found

    def greedy(self, models: Any, size: int) -> Any:
        chosen: list[int] = []
        for dataset in self.datasets:
            columns = self.columns(dataset)
            own = self.values[models][:, columns]
            target, total = own.mean(1), np.zeros(len(own))
            taken: list[int] = []
            for number in range(1, size + 1):
                misses = (((total[:, None] + own) / number - target[:, None]) ** 2).sum(0)
                misses[taken] = np.inf
                taken.append(int(misses.argmin()))
                total = total + own[:, taken[-1]]
            chosen += columns[taken].tolist()
        return chosen

    def first(self, _: Any, size: int) -> Any:
        return [column for dataset in self.datasets for column in self.columns(dataset)[:size].tolist()]

    def by_chance(self, random: Any) -> Pick:
        def pick(_: Any, size: int) -> Any:
            return [
                column
                for dataset in self.datasets
                for column in random.choice(self.columns(dataset), size, replace=False).tolist()
            ]

        return pick


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("questions", type=Path, help="scores: a row per model, a column per question")
    parser.add_argument("--splits", type=int, default=100, help="halves of the models (default 100)")
    parser.add_argument("--write", action="store_true", help="write the questions chosen on all models")
    options = parser.parse_args()
    questions = Questions(options.questions)
    families = questions.families()
    everything = list(range(len(questions.ids)))
    print(
        f"{len(families)} models in {len(set(families.tolist()))} families, {options.splits} splits; held out: mean "
        "Kendall tau (worst tenth below) / Spearman / mean error of the score"
    )
    ways = ("chosen", "by chance", "first")
    print("questions | " + " | ".join(ways))
    for size in SIZES:
        found: dict[str, list[Any]] = {way: [] for way in ways}
        for split in range(options.splits):
            random = np.random.default_rng(split)
            order = random.permutation(sorted(set(families.tolist())))
            held = np.isin(families, order[: len(order) // 2])
            full = questions.score(held, everything)
            for way, pick in zip(
                ways, (questions.greedy, questions.by_chance(random), questions.first), strict=True
            ):
                part = questions.score(held, pick(~held, size))
                found[way].append(
                    (kendalltau(part, full)[0], spearmanr(part, full)[0], np.abs(part - full).mean())
                )
        cells = []
        for values in found.values():
            table = np.array(values)
            tau, rho, error = table.mean(0)
            cells.append(f"{tau:.3f} ({np.percentile(table[:, 0], 10):.3f}) / {rho:.3f} / {error:.3f}")
        print(f"{size * len(questions.datasets)} | " + " | ".join(cells))
    if options.write:
        chosen = questions.greedy(np.ones(len(families), dtype=bool), PER_DATASET)
        indices: dict[str, list[int]] = {}
        for column in sorted(chosen):
            indices.setdefault(str(questions.of[column]), []).append(
                int(questions.ids[column].rpartition("-")[2])
            )
        lines = ",\n".join(f'  "{dataset}": {json.dumps(own)}' for dataset, own in indices.items())
        FILE.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
        print(f"written: {FILE.name}, {len(chosen)} questions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
