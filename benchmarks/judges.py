"""How well the ruler for judges measures: ``python benchmarks/judges.py [--trials N]``.

Simulated judges with a known offset and slope rate simulated models: 80 questions of two turns, ratings of 1 to 10
whose questions differ (standard deviation 1.6) and whose turns differ within a question (1.2). The new judge's rating
is offset + slope x old rating + what it strays by, by conversation and by turn. Rows:

  plain      the old ratings are exact, the new ones any number
  rounded    the new ratings are whole numbers from 1 to 10, as judges give them
  noisy old  both judges rate a hidden quality, each with noise of its own, as real ones do

Columns: how often the 95 % intervals hold the true offset, slope and mapped score of another model (in %), the mapped
score's mean width, and how often it was refused (in %) for being too wide or too far from the frozen answers. A mapped
score's coverage is among those that were not refused. Offset and slope have no true value where ratings are cut off at
10 or the old ones are noisy.
"""

import argparse

import numpy as np
from numpy.random import Generator

from lm_eval_ja.analysis.agreement import fit_line, map_back

QUESTIONS = 80
GROUPS = [place // 2 for place in range(2 * QUESTIONS)]
WORLDS = [  # name, offset, slope, strays, noise of the old judge, whole numbers, mean of the mapped model
    ("plain", 0.5, 0.9, 1.0, 0.0, False, 6.5),
    ("plain", -1.0, 1.0, 1.5, 0.0, False, 7.0),
    ("plain", 1.5, 0.7, 0.7, 0.0, False, 6.0),
    ("plain", 0.5, 0.9, 1.0, 0.0, False, 8.0),
    ("rounded", 0.5, 0.9, 1.0, 0.0, True, 6.5),
    ("rounded", -1.0, 1.0, 1.0, 0.0, True, 7.0),
    ("rounded", 1.5, 0.8, 0.7, 0.0, True, 7.5),
    ("noisy old", 0.5, 0.9, 1.0, 0.5, True, 6.5),
    ("noisy old", 0.5, 0.9, 1.0, 0.5, True, 7.0),
    ("noisy old", 0.5, 0.9, 1.0, 1.0, True, 7.0),
    ("noisy old", 0.5, 0.9, 1.0, 1.0, True, 7.5),
    ("noisy old", 0.5, 0.9, 1.0, 1.0, True, 8.5),
]


def model(
    rng: Generator, mean: float, offset: float, slope: float, strays: float, noise: float, *, whole: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Old and new ratings of one model's answers."""
    quality = rng.normal(mean, 1.6, (QUESTIONS, 1)) + rng.normal(0, 1.2, (QUESTIONS, 2))
    old = np.clip(np.round(quality + rng.normal(0, noise, quality.shape)), 1, 10)
    seen = quality if noise else old
    new = offset + slope * seen + rng.normal(0, 0.6 * strays, (QUESTIONS, 1))
    new = new + rng.normal(0, 0.8 * strays, new.shape)
    return old, np.clip(np.round(new), 1, 10) if whole else new


def main() -> None:
    parser = argparse.ArgumentParser(description="coverage of the ruler for judges, by simulation")
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    print(f"{'world':<10} offset slope strays old noise mean | offset  slope  score  width  refused")
    for name, offset, slope, strays, noise, whole, mean in WORLDS:
        hits = np.zeros(3)
        widths = []
        for _ in range(options.trials):
            old, new = model(rng, 6.5, offset, slope, strays, noise, whole=whole)
            truth, seen = model(rng, mean, offset, slope, strays, noise, whole=whole)
            line = fit_line([old.ravel().tolist()], new.ravel().tolist(), GROUPS)
            assert line is not None
            inverse = float(np.polyval(np.polyfit(new.ravel(), old.ravel(), 1), seen.mean()))
            score = map_back(line, float(seen.mean()), QUESTIONS, 1.0, (new.min(), new.max()), inverse)
            for place, true in enumerate((offset, slope)):
                estimate = line.estimate(place)
                hits[place] += estimate.low <= true <= estimate.high
            if score.refusal is None and score.mapped is not None:
                widths.append(score.mapped.high - score.mapped.low)
                hits[2] += score.mapped.low <= truth.mean() <= score.mapped.high
        used = len(widths)
        known = f"{100 * hits[0] / options.trials:6.1f} {100 * hits[1] / options.trials:6.1f}"
        mapped = f"{100 * hits[2] / used:6.1f} {np.mean(widths):6.2f}" if used else f"{'-':>6} {'-':>6}"
        if name != "plain":
            known = f"{'-':>6} {'-':>6}"
        world = f"{name:<10} {offset:6g} {slope:5g} {strays:6g} {noise:9g} {mean:4g}"
        print(f"{world} | {known} {mapped}  {100 * (1 - used / options.trials):7.1f}")


if __name__ == "__main__":
    main()
