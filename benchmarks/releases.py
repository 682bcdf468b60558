"""How often the gate is wrong: ``python benchmarks/releases.py CALIBRATION``.

CALIBRATION is the folder of ``coverage.py``: per-question scores of 31 real models. A release is a pair of them,
baseline and candidate. Their scores on a dataset's 100 questions are taken as the whole, so that the true difference of
every score is known; the runs are questions drawn from them with replacement, the same for both, as many as neo asks.
What the file does not hold is drawn from a dataset that it holds: mawps from janli, chabsa and wiki_* from niilc. Every
release goes through `lm_eval_ja.analysis.gate_runs` with neo's own tree.

The first table has a policy as one would write it; a GO is wrong if a rule is truly broken, a NO-GO if none is. The
second has the worst case: each rule's limit is the pair's true difference, so that any decision on it is wrong.
"""

import argparse
import csv
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lm_eval_ja.analysis import Policy, Rule, gate_runs, parse_policy
from lm_eval_ja.protocols import evaluate, load_protocol, mean_number
from lm_eval_ja.results import Run
from tests.support.made_up_runs import jaster_task, run

NEO = load_protocol("neo")
RULES = {rules.dataset: rules for rules in NEO.tasks.values() if rules.category}
STANDS_FOR = {"mawps": "janli", "chabsa": "niilc"}
POLICIES = {
    "AVG_jaster loses at most 0.02": [{"score": "AVG_jaster", "lose_at_most": 0.02}],
    "the same, and every category at most 0.10": [
        {"score": "AVG_jaster", "lose_at_most": 0.02},
        {"every": "category", "lose_at_most": 0.1},
    ],
    "AVG_jaster gains, no category loses more than 0.15": [
        {"score": "AVG_jaster", "gain_more_than": 0},
        {"every": "category", "lose_at_most": 0.15},
    ],
}
AT_LIMIT = ("AVG_jaster", "NLI", "FA", "MC", "jnli", "jsquad", "wiki_ner")


@dataclass(frozen=True)
class Release:
    """A pair of runs and the truth about it.

    Attributes:
        baseline: The old model's run.
        candidate: The new one's.
        truth: True difference of every score, by name.
        labels: The score's name by its label.
    """

    baseline: Run
    candidate: Run
    truth: dict[str, float]
    labels: dict[str, str]


def read(path: Path) -> dict[str, np.ndarray]:
    """Scores by dataset, ``(models, questions)``."""
    with path.open(encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    columns = {name: [i for i, own in enumerate(header) if own.rpartition("-")[0] == name] for name in RULES}
    return {
        name: np.array([[float(row[i]) for i in own] for row in rows]) for name, own in columns.items() if own
    }


def draw(scores: dict[str, np.ndarray], rng: np.random.Generator) -> Release:
    """Draw a release."""
    old, new = rng.choice(len(scores["jnli"]), size=2, replace=False)
    tasks: tuple[list, list] = ([], [])
    truth = {}
    for dataset, rules in RULES.items():
        whole = scores.get(dataset, scores[STANDS_FOR.get(dataset, "niilc")])
        questions = 20 if dataset.startswith("wiki_") else 100
        drawn = rng.integers(whole.shape[1], size=questions)
        for own, model in zip(tasks, (old, new), strict=True):
            own.append(jaster_task(dataset, whole[model, drawn].tolist()))
        truth[rules.task] = float(whole[new].mean() - whole[old].mean())
    found: dict[str, float] = {}
    labels: dict[str, str] = {}
    for root in NEO.scores:
        values = evaluate(root, truth, mean_number)
        found |= {name: value for name, value in values.items() if isinstance(value, float)}
        labels |= {part.label: part.name for part in root.walk()}
    return Release(run("old", tasks[0]), run("new", tasks[1]), found, labels)


def level_of(release: Release, rule: Rule) -> list[str]:
    """Names of the scores that a rule is for."""
    if rule.score:
        return [release.labels[rule.score]]
    (average,) = (child for child in NEO.scores[0].children if child.label == "AVG_jaster")
    return [child.name for child in average.children]


def holds(release: Release, policy: Policy) -> bool:
    """Whether every rule of a policy is true."""
    return all(release.truth[name] > rule.limit for rule in policy.rules for name in level_of(release, rule))


def practice(scores: dict[str, np.ndarray], number: int, seed: int) -> None:
    """Policies as one would write them."""
    print("| policy | true | GO | INCONCLUSIVE | NO-GO | wrong |\n| :-- | :-- | --: | --: | --: | --: |")
    for name, rules in POLICIES.items():
        policy = parse_policy({"rules": rules})
        rng = np.random.default_rng(seed)
        found: Counter[tuple[bool, str]] = Counter()
        for _ in range(number):
            release = draw(scores, rng)
            found[holds(release, policy), gate_runs(release.baseline, release.candidate, policy).verdict] += 1
        for true, wrong in ((True, "NO-GO"), (False, "GO")):
            counts = [found[true, verdict] for verdict in ("GO", "INCONCLUSIVE", "NO-GO")]
            share = 100 * found[true, wrong] / max(1, sum(counts))
            what = "every rule holds" if true else "a rule is broken"
            print(f"| {name} | {what} | {' | '.join(map(str, counts))} | {share:.1f} % |")


def worst(scores: dict[str, np.ndarray], number: int, seed: int) -> None:
    """Limits at the true difference: each rule alone (without adjustment), and all in one policy."""
    wrong: dict[str, Counter[str]] = {name: Counter() for name in (*AT_LIMIT, "all of them")}
    rng = np.random.default_rng(seed)
    for _ in range(number):
        release = draw(scores, rng)
        rules = [
            Rule(name, "", "", release.truth[release.labels[name]], share=False, text="") for name in AT_LIMIT
        ]
        gate = gate_runs(release.baseline, release.candidate, Policy(tuple(rules)))
        for rule, own in zip(rules, gate.checked, strict=True):
            wrong[rule.score]["GO"] += own.low > own.limit
            wrong[rule.score]["NO-GO"] += own.high < own.limit
        wrong["all of them"][gate.verdict] += 1
    print("| limit at the truth | wrong GO | wrong NO-GO |\n| :-- | --: | --: |")
    for name, own in wrong.items():
        print(f"| {name} | {100 * own['GO'] / number:.1f} % | {100 * own['NO-GO'] / number:.1f} % |")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("calibration", type=Path)
    parser.add_argument("--releases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    start = time.perf_counter()
    scores = read(given.calibration / "jaster_questions.csv")
    practice(scores, given.releases, given.seed)
    print()
    worst(scores, given.releases, given.seed + 1)
    print(f"\n{time.perf_counter() - start:.0f} s, {given.releases} releases in each row, seed {given.seed}")


if __name__ == "__main__":
    main()
