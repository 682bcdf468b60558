"""``lm-eval-ja power``."""

import argparse
import json
from typing import TYPE_CHECKING, Any

from lm_eval_ja.cli._compare import load_one
from lm_eval_ja.errors import OptionError
from lm_eval_ja.protocols import load_protocol, protocol_names

if TYPE_CHECKING:
    from lm_eval_ja.analysis import Visible

_DESCRIPTION = """\
Say before a run what difference between two models a benchmark can see: for every score, the smallest true difference
that `compare` finds in 8 of 10 comparisons at the 95 % level.

  lm-eval-ja power                              neo, with its own numbers of questions
  lm-eval-ja power --questions 500              as with --metadata max_samples=500
  lm-eval-ja power --difference 0.02            how many times the questions show 2 points of 100
  lm-eval-ja power --runs out/a out/b out/c     from the spread between your own models, MT-Bench included

It depends on how differently two models answer: "alike" is a pair that agrees more than three quarters of all pairs do
(two versions of one model), "unlike" one that agrees less."""

_EPILOG = """\
The spreads are measured on 31 models and nine datasets; others borrow them from datasets with their kind of metric.
docs: https://github.com/lm-eval-ja/lm-eval-ja/tree/main/docs/comparing.md"""

_INDENT = {"overall": "", "average": "", "category": "  ", "dataset": "    "}


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "power",
        help="what difference between two models a benchmark can see",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [name for name in protocol_names() if load_protocol(name).tasks]
    parser.add_argument("--protocol", choices=names, help="default: neo, or that of --runs")
    parser.add_argument(
        "--questions", type=int, metavar="N", help="questions of each dataset (default: the protocol's)"
    )
    parser.add_argument(
        "--difference",
        type=float,
        metavar="D",
        help="also say how many times the questions show a difference of D, a share of the best value, such as 0.02",
    )
    parser.add_argument(
        "--runs",
        nargs="+",
        metavar="RUN",
        help="take the spreads from these runs (two or more, with samples)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the table.

    Raises:
        OptionError: An option can't work, or runs can't be compared.
        DataError: A path holds no results, or samples are missing.
    """
    from lm_eval_ja.analysis import calibrated, spreads_of_runs, visible_differences

    if args.questions is not None and args.questions < 2:  # noqa: PLR2004  # no spread without two
        raise OptionError(f"--questions is {args.questions}; it must be 2 or more")
    if args.difference is not None and not 0 < args.difference < 1:
        raise OptionError(f"--difference is {args.difference}; it must be above 0 and below 1, such as 0.02")
    if args.runs and args.protocol:
        raise OptionError("--runs are of a protocol already: leave out --protocol")
    if args.runs:
        protocol, spreads = spreads_of_runs([load_one(path)[0] for path in args.runs])
    else:
        protocol, spreads = calibrated(args.protocol or "neo")
    found = [own for own in visible_differences(protocol, spreads, args.questions) if own.questions]
    if args.json:
        data = [_as_data(own, args.difference) for own in found]
        print(json.dumps({"protocol": protocol.name, "scores": data}, ensure_ascii=False, indent=2))
        return 0
    from lm_eval_ja.report import Field, Grid, print_grid, terminal_width

    names = ["questions", "alike", "typical", "unlike"]
    if args.difference is not None:
        names.append(f"× questions for {args.difference:g}")
    fields = (Field("score", "label"), *map(Field, names), Field("spread", "label", spare=1))
    title = f"{protocol.title}: the smallest difference that 8 of 10 comparisons find"
    print_grid(Grid(title, (), fields, tuple(_row(own, args.difference) for own in found)), terminal_width())
    if not args.runs and any(own.least is None for own in found):
        print("Of conversations nothing was measured: --runs takes their spread from runs of yours.")
    return 0


def _row(own: "Visible", difference: float | None) -> tuple[str, ...]:
    digits = 3 if own.column.scale == 1 else 2
    least = [f"{value:.{digits}f}" for value in own.least] if own.least else ["–"] * 3
    times = None if difference is None else _times(own, difference)
    more = [] if difference is None else ["–" if times is None else f"{times:,.1f}"]
    return _INDENT[own.column.level] + own.column.label, f"{own.questions:,}", *least, *more, own.source


def _times(own: "Visible", difference: float) -> float | None:
    """How many times the questions show a difference between typical models."""
    from lm_eval_ja.analysis import times_the_questions

    return None if own.stderr is None else times_the_questions(own.stderr, difference * own.column.scale)


def _as_data(own: "Visible", difference: float | None) -> dict[str, Any]:
    least = dict(zip(("alike", "typical", "unlike"), own.least, strict=True)) if own.least else None
    data: dict[str, Any] = {
        "name": own.column.name,
        "label": own.column.label,
        "level": own.column.level,
        "scale": own.column.scale,
        "questions": own.questions,
        "smallest_difference": least,
        "spread": own.source,
    }
    if difference is not None:
        data["times_the_questions"] = _times(own, difference)
    return data
