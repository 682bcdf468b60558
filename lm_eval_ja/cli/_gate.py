"""``lm-eval-ja gate``."""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_eval_ja._unicode import visible
from lm_eval_ja.cli._compare import as_times, load_one

if TYPE_CHECKING:
    from lm_eval_ja.analysis import Checked, Gate

_DESCRIPTION = """\
Decide whether a candidate may replace a baseline: GO, NO-GO or INCONCLUSIVE, with reasons. The policy says what the
candidate may lose and what it must gain; both runs need samples (lm_eval ... --output_path out --log_samples).

  lm-eval-ja gate out/model-v1 out/model-v2 --policy policy.yaml

  # policy.yaml
  rules:
    - score: AVG_jaster          # a score's name or label, as `lm-eval-ja compare` shows it
      lose_at_most: 0.02         # GO needs the loss shown to be smaller, in the score's points
    - score: AVG_mtbench
      gain_more_than: 0          # GO needs a gain shown
    - every: category            # one rule for each score of a level: overall, average, category, dataset
      below: AVG_jaster          # of those below this one (default: all)
      lose_at_most: 10%          # of the score's best value (1, or 10 for ratings)
  alpha: 0.05                    # most that a wrong GO happens, and a wrong NO-GO (default: 0.05)
  allow_different: [shots]       # settings in which the runs may differ (default: none)

GO: every rule is shown to hold. NO-GO: one is shown to be broken. INCONCLUSIVE: neither, with these questions; the
table says how many times as many would likely decide it."""

_EPILOG = """\
Exit status: 0 GO, 1 NO-GO, 3 INCONCLUSIVE, 2 an error (a policy that is none, runs with other settings or data).
docs: https://github.com/lm-eval-ja/lm-eval-ja/tree/main/docs/gate.md"""

_STATUS = {"GO": 0, "NO-GO": 1, "INCONCLUSIVE": 3}


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "gate",
        help="decide by a policy whether a new model may replace the old one",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "baseline",
        metavar="BASELINE",
        help="the run of the model in use: its folder under --output_path, or a file",
    )
    parser.add_argument("candidate", metavar="CANDIDATE", help="the run of the model that is to replace it")
    parser.add_argument("--policy", metavar="FILE", required=True, help="the policy, a YAML file")
    parser.add_argument("--json", action="store_true", help="print the decision as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Decide.

    Returns:
        0 for GO, 1 for NO-GO, 3 for INCONCLUSIVE.

    Raises:
        OptionError: The policy is none, a path holds no single run, or the runs can't be compared.
        DataError: A path holds no results, or samples are missing.
    """
    from lm_eval_ja.analysis import gate_runs, read_policy
    from lm_eval_ja.report import printable_json

    policy = read_policy(Path(args.policy))
    (baseline, problems), (candidate, more) = load_one(args.baseline), load_one(args.candidate)
    if baseline.key == candidate.key:
        baseline = replace(baseline, key=f"{baseline.key} ({args.baseline})")
        candidate = replace(candidate, key=f"{candidate.key} ({args.candidate})")
    gate = gate_runs(baseline, candidate, policy)
    gate = replace(gate, notes=(*dict.fromkeys((*gate.notes, *problems, *more)),))
    if args.json:
        print(printable_json(json.dumps(_as_data(gate), ensure_ascii=False, indent=2, allow_nan=False)))
    else:
        _print(gate)
    return _STATUS[gate.verdict]


def _reason(own: "Checked") -> str:
    """Why a rule is as it is, in words."""
    limit = f"{own.limit:+g}" if own.limit else "0"
    if own.difference is None or own.low is None or own.high is None:
        return "no interval: a member is missing, has too few questions, or is no mean over questions"
    if own.outcome == "passed":
        return f"shown to be above {limit}"
    if own.outcome == "broken":
        return f"shown to be below {limit}"
    if own.times is None:
        return f"exactly at {limit}"
    side = "above" if own.difference > own.limit else "below"
    return f"looks {side} {limit}, not shown; {as_times(own.times)} the questions would likely show it"


def _print(gate: "Gate") -> None:
    from rich.console import Console
    from rich.text import Text

    from lm_eval_ja.report import Field, Grid, print_grid, terminal_width

    width = terminal_width()
    console = Console(width=width, highlight=False)
    heads = f"baseline:  {visible(gate.baseline)}\ncandidate: {visible(gate.candidate)}"
    console.print(Text(heads, style="bold"))
    for note in gate.notes:
        console.print(Text(f"note: {visible(note)}", style="yellow"))
    console.print()
    rows = tuple(
        (
            own.column.label,
            own.rule.text,
            "–" if own.difference is None else f"{own.difference:+.{_digits(own)}f}",
            _interval(own),
            own.outcome,
            _reason(own),
        )
        for own in gate.checked
    )
    level = f"{100 * (1 - 2 * gate.alpha):g} % interval"
    fields = ("rule", "difference", level, "outcome", "because")
    grid = Grid("", (), (Field("score", "label"), *(Field(name, "label") for name in fields)), rows)
    print_grid(grid, width)
    console.print(Text(f"{gate.verdict}: {_verdict(gate)}", style="bold"))


def _verdict(gate: "Gate") -> str:
    def of(outcome: str) -> str:
        return ", ".join(own.column.label for own in gate.checked if own.outcome == outcome)

    if gate.verdict == "GO":
        return "every rule is shown to hold"
    if gate.verdict == "NO-GO":
        return f"shown to be broken: {of('broken')}"
    return f"not shown either way: {of('undecided')}"


def _digits(own: "Checked") -> int:
    return 4 if own.column.scale == 1 else 2


def _interval(own: "Checked") -> str:
    if own.low is None or own.high is None:
        return "–"
    return f"[{own.low:+.{_digits(own)}f}, {own.high:+.{_digits(own)}f}]"


def _as_data(gate: "Gate") -> dict[str, Any]:
    return {
        "verdict": gate.verdict,
        "reason": _verdict(gate),
        "baseline": gate.baseline,
        "candidate": gate.candidate,
        "alpha": gate.alpha,
        "notes": list(gate.notes),
        "rules": [
            {
                "score": own.column.name,
                "label": own.column.label,
                "rule": own.rule.text,
                "limit": own.limit,
                "difference": own.difference,
                "level": 1 - 2 * gate.alpha,
                "low": own.low,
                "high": own.high,
                "outcome": own.outcome,
                "because": _reason(own),
                "times_the_questions": own.times,
            }
            for own in gate.checked
        ],
    }
