"""Whether a candidate may replace a baseline: GO, NO-GO or INCONCLUSIVE, with a bound on being wrong.

Every rule asks whether the true difference (candidate minus baseline, over all questions of the kind) is above a limit.
GO needs every rule shown, each at one-sided error ``alpha``. That needs no adjustment: a wrong GO has to pass a rule
whose limit the candidate really misses, which alone happens with ``alpha`` at most (intersection-union test; Berger,
Technometrics 24, 1982). NO-GO needs one rule shown to be broken; there each rule is another chance of being wrong, so
that Holm's adjustment keeps all of them together within ``alpha``.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lm_eval_ja.analysis._differences import Paired, pair_runs
from lm_eval_ja.analysis._intervals import Interval
from lm_eval_ja.analysis._leaderboards import Column, comparable_settings, run_columns
from lm_eval_ja.analysis._policy import Policy, Rule
from lm_eval_ja.analysis._power import times_the_questions
from lm_eval_ja.errors import OptionError
from lm_eval_ja.results import Run

Verdict = Literal["GO", "NO-GO", "INCONCLUSIVE"]
Outcome = Literal["passed", "broken", "undecided"]

_NOT_SETTINGS = ("data", "n")
"""Parts of a signature that name the questions: those are paired one by one."""


@dataclass(frozen=True)
class Checked:
    """What became of a rule, for one score.

    Attributes:
        column: The score.
        rule: The rule.
        limit: The rule's limit in the score's points.
        difference: Candidate minus baseline; None if a member is missing.
        low: Above it the difference is with error ``alpha`` at most; None without an interval.
        high: Below it, likewise.
        outcome: Whether the difference is shown to be above the limit, below it, or neither.
        times: For an undecided rule: how many times the questions would likely decide it, if the difference is what it
            looks like; None where there is no interval or the difference is at the limit.
    """

    column: Column
    rule: Rule
    limit: float
    difference: float | None
    low: float | None
    high: float | None
    outcome: Outcome
    times: float | None


@dataclass(frozen=True)
class Gate:
    """A decision.

    Attributes:
        baseline: Key of the baseline.
        candidate: Key of the candidate.
        verdict: The decision.
        checked: Every rule's outcome, those for many scores unrolled.
        alpha: Most that a wrong GO happens, and a wrong NO-GO.
        notes: In what the runs differ besides the model.
    """

    baseline: str
    candidate: str
    verdict: Verdict
    checked: tuple[Checked, ...]
    alpha: float
    notes: tuple[str, ...]


def gate_runs(baseline: Run, candidate: Run, policy: Policy) -> Gate:
    """Decide.

    Args:
        baseline: The run of the model in use.
        candidate: The run of the model that is to replace it.
        policy: The rules.

    Raises:
        OptionError: A rule names no score of the runs, or the runs differ in settings or cannot be compared.
        DataError: Samples are missing, or no question was answered by both.
    """
    _refuse_other_settings(baseline, candidate, policy)
    paired = pair_runs(baseline, candidate)
    rules = _unrolled(policy, run_columns(paired.run))
    intervals = {
        divided: paired.intervals(1 - 2 * policy.alpha / divided) for divided in range(1, len(rules) + 1)
    }
    outcomes = _outcomes(rules, intervals)
    checked = tuple(
        _checked(paired, column, rule, outcome, intervals[1].get(column.name), policy.alpha)
        for (column, rule), outcome in zip(rules, outcomes, strict=True)
    )
    verdict: Verdict = "INCONCLUSIVE"
    if "broken" in outcomes:
        verdict = "NO-GO"
    elif all(outcome == "passed" for outcome in outcomes):
        verdict = "GO"
    return Gate(baseline.key, candidate.key, verdict, checked, policy.alpha, paired.warnings)


def _refuse_other_settings(baseline: Run, candidate: Run, policy: Policy) -> None:
    for name in baseline.tasks.keys() & candidate.tasks.keys():
        old, new = (comparable_settings(run.tasks[name]) for run in (baseline, candidate))
        for setting in sorted(old.keys() | new.keys()):
            if setting in _NOT_SETTINGS or setting in policy.allow_different:
                continue
            if old.get(setting) != new.get(setting):
                raise OptionError(
                    f"{name}: {setting} is {old.get(setting, 'none')} in {baseline.key} and {new.get(setting, 'none')} "
                    f"in {candidate.key}; a difference could come from that. Run both alike, or accept it with "
                    f"allow_different: [{setting}] in the policy"
                )


def _unrolled(policy: Policy, columns: Sequence[Column]) -> list[tuple[Column, Rule]]:
    """Every rule with the score that it is for."""
    found: list[tuple[Column, Rule]] = []
    for rule in policy.rules:
        own = _of_level(rule, columns) if rule.level else _named(rule.score, columns)
        if not own:
            there = ", ".join(f"{column.name} ({column.label})" for column in columns)
            where = f" below {rule.below}" if rule.below else ""
            what = f"score of level {rule.level}{where}" if rule.level else f"score {rule.score!r}"
            raise OptionError(f"policy: the runs have no {what} in common; they have {there}")
        scales = {column.scale: f"{column.label}: {column.scale:g}" for column in own}
        if len(scales) > 1 and not rule.share:
            raise OptionError(
                f"policy: scores of level {rule.level} have different scales ({', '.join(scales.values())}): give the "
                "margin as a percentage of the best value, such as 2%, or one rule for each scale (below)"
            )
        found += [(column, rule) for column in own]
    return found


def _named(score: str, columns: Sequence[Column]) -> list[Column]:
    own = [column for column in columns if score == column.name]
    own = own or [column for column in columns if score == column.label]
    if len(own) > 1:
        names = ", ".join(column.name for column in own)
        raise OptionError(f"policy: {score!r} may be {names}: give one of these names")
    return own


def _of_level(rule: Rule, columns: Sequence[Column]) -> list[Column]:
    """The scores that a rule for many is for; of datasets those that are in an average (jsts has no interval)."""
    parents = {column.name: column.parent for column in columns}
    roots = {column.name for column in _named(rule.below, columns)} if rule.below else set(parents)

    def inside(name: str) -> bool:
        return name in roots or (bool(parents.get(name)) and inside(parents[name]))

    own = [column for column in columns if column.level == rule.level and inside(column.name)]
    return [column for column in own if column.parent or rule.level != "dataset"]


def _outcomes(
    rules: Sequence[tuple[Column, Rule]], intervals: Mapping[int, Mapping[str, Interval]]
) -> list[Outcome]:
    limits = [rule.limit_of(column.scale) for column, rule in rules]

    def ends(divided: int) -> list[tuple[float, float]]:
        """Where each difference lies, with the error divided by that many."""
        found = [intervals[divided].get(column.name) for column, _ in rules]
        return [(own.low, own.high) if own else (-math.inf, math.inf) for own in found]

    passed = [low > limit for (low, _), limit in zip(ends(1), limits, strict=True)]
    broken: set[int] = set()
    while len(broken) < len(rules):  # Holm: each rule shown to be broken makes the rest easier to show
        highs = [high for _, high in ends(len(rules) - len(broken))]
        more = {index for index, high in enumerate(highs) if high < limits[index]} - broken
        if not more:
            break
        broken |= more
    return [
        "broken" if index in broken else "passed" if shown else "undecided"
        for index, shown in enumerate(passed)
    ]


def _checked(
    paired: Paired, column: Column, rule: Rule, outcome: Outcome, interval: Interval | None, alpha: float
) -> Checked:
    difference = paired.differences.get(column.name)
    limit = rule.limit_of(column.scale)
    times = None
    if outcome == "undecided" and interval is not None and interval.value != limit:
        times = times_the_questions(interval.stderr, interval.value - limit, alpha)
    return Checked(
        column=column,
        rule=rule,
        limit=limit,
        difference=difference,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        outcome=outcome,
        times=times,
    )
