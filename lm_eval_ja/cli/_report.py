"""``lm-eval-ja report``."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_eval_ja._unicode import visible
from lm_eval_ja.errors import OptionError

if TYPE_CHECKING:
    from lm_eval_ja.analysis import Analysis
    from lm_eval_ja.report import Facts
    from lm_eval_ja.results import RunSet

_DESCRIPTION = """\
Show what runs of the harness scored: in the terminal, or as one HTML file with ranking, charts, failure analysis and
every answer, which needs no network and no account.

  lm-eval-ja report out/                              ranking and categories in the terminal
  lm-eval-ja report out/ other/ -o report.html        everything in one file; open it in a browser
  lm-eval-ja report out/ --csv > scores.csv
  lm-eval-ja report --scores leaves.csv --protocol nejumi4

Runs count once per model, the newest; runs that differ only in the seed are joined into one row. Questions, failure
analysis and intervals need samples (lm_eval ... --output_path out --log_samples). Only runs whose signatures agree are
ranked together."""

_EPILOG = "docs: https://github.com/lm-eval-ja/lm-eval-ja/tree/main/docs/report.md"


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "report",
        help="show results: ranking in the terminal, or everything as one HTML file",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="DIR",
        help="folders under --output_path, or results files; searched whole",
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="write a report to this HTML file")
    parser.add_argument(
        "--scores",
        metavar="FILE",
        help="CSV with the columns name and score: compute --protocol's scores from these (nan: left out), and from "
        "those of a run if one is named",
    )
    parser.add_argument("--protocol", metavar="NAME", help="the protocol of --scores, such as nejumi4")
    parser.add_argument(
        "--all-runs",
        action="store_true",
        help="every run by itself, not only each model's newest, and no seeds joined",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="print one line per run, scores unrounded")
    form.add_argument("--json", action="store_true", help="print everything but the questions as JSON")
    form.add_argument("--markdown", action="store_true", help="print Markdown tables")
    form.add_argument("--latex", action="store_true", help="print LaTeX tables (booktabs)")
    parser.add_argument(
        "--export",
        metavar="DIR",
        help="write tables (CSV, Markdown, LaTeX) and, where Chromium or Chrome is installed, charts (SVG, PNG)",
    )
    parser.add_argument(
        "--models",
        metavar="FILE",
        help="models.yaml: size, licence, organisation, release and labels of models, to filter the ranking by",
    )
    parser.add_argument(
        "--wandb",
        metavar="KEY=VALUE,…",
        help="log to Weights & Biases: project=…,entity=…,name=… (or id=… to add to a run)",
    )
    parser.add_argument(
        "--resamples",
        type=int,
        default=2000,
        metavar="N",
        help="bootstrap resamples behind the ranges of places (default: 2000; 0: no intervals)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the bootstrap (default: 0)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Report on runs.

    Returns:
        0.

    Raises:
        OptionError: A path doesn't exist, the file can't be written, or an option can't work.
        DataError: There are no results of this package's tasks.
    """
    if args.scores is not None or args.protocol is not None:
        return _given_scores(args)
    if not args.paths:
        raise OptionError("name a folder of results, such as out/")
    from lm_eval_ja.analysis import analyse_runs, join_seeds
    from lm_eval_ja.report import export, write_html
    from lm_eval_ja.results import read_runs

    if args.resamples < 0 or args.seed < 0:
        raise OptionError("--resamples and --seed must be 0 or more")
    settings = _settings(args.wandb)
    runs = read_runs(args.paths, all_runs=args.all_runs)
    shown = runs if args.all_runs else join_seeds(runs)
    facts = _models(args.models, shown)
    _note_problems(shown)
    tokenizers = bool(args.output or args.export or args.json)
    analysis = analyse_runs(shown, resamples=args.resamples, seed=args.seed, tokenizers=tokenizers)
    if args.output:
        size = write_html(analysis, Path(args.output), facts)
        print(f"{args.output}: {len(shown.runs)} runs, {size / 1e6:.1f} MB", file=sys.stderr)
    if args.export:
        files, why = export(analysis, Path(args.export), facts)
        print(f"{args.export}: {', '.join(sorted(file.name for file in files))}", file=sys.stderr)
        if why:
            print(f"note: {visible(why)}", file=sys.stderr)
    _note_thoughts(analysis)
    _print(args, analysis, facts, quiet=bool(args.output or args.export or settings))
    if settings:
        from lm_eval_ja.report import log_to_wandb

        log_to_wandb(runs, settings)
    return 0


def _print(args: argparse.Namespace, analysis: "Analysis", facts: "dict[str, Facts]", *, quiet: bool) -> None:
    from lm_eval_ja.report import (
        as_csv,
        as_json,
        as_latex,
        as_markdown,
        print_grid,
        report_tables,
        terminal_width,
    )

    if args.csv:
        print(as_csv(analysis, facts), end="")
    elif args.json:
        print(as_json(analysis, facts))
    elif args.markdown:
        print(as_markdown(report_tables(analysis)))
    elif args.latex:
        print(as_latex(report_tables(analysis)))
    elif not quiet:
        for grid in report_tables(analysis):
            print_grid(grid, terminal_width())


def _given_scores(args: argparse.Namespace) -> int:
    """Compute a protocol's scores from given ones."""
    from lm_eval_ja.analysis import given_tree, leaf_scores, read_given
    from lm_eval_ja.protocols import load_protocol
    from lm_eval_ja.report import given_csv, given_json, given_lines
    from lm_eval_ja.results import read_runs

    if args.scores is None or args.protocol is None:
        raise OptionError("--scores FILE and --protocol NAME go together")
    if args.output or args.export or args.markdown or args.latex or args.wandb or args.models:
        raise OptionError("--scores prints text, --csv or --json; leave out the other forms")
    protocol = load_protocol(args.protocol)
    given: dict[str, float] = {}
    if args.paths:
        runs = read_runs(args.paths)
        _note_problems(runs)
        if len(runs.runs) != 1:
            raise OptionError(
                f"--scores adds to the scores of one run, and {len(runs.runs)} were found: name its folder"
            )
        given = {name: score.value for name, score in leaf_scores(runs.runs[0], protocol).items()}
    given |= read_given(Path(args.scores), protocol)
    lines = given_tree(protocol, given)
    if args.csv:
        print(given_csv(lines), end="")
    else:
        print(given_json(lines) if args.json else "\n".join(given_lines(lines)))
    return 0


def _settings(text: str | None) -> dict[str, str]:
    """Read ``key=value,key=value``."""
    settings: dict[str, str] = {}
    for part in text.split(",") if text else ():
        name, equals, value = part.partition("=")
        if not equals or not name.strip() or not value:
            raise OptionError(
                f"--wandb {text!r}: {part!r} is not KEY=VALUE; example: project=nejumi,name=my-model"
            )
        settings[name.strip()] = value
    return settings


def _models(path: str | None, runs: "RunSet") -> "dict[str, Facts]":
    from lm_eval_ja.report import match_models, read_models

    if path is None:
        return {}
    facts, unused = match_models(read_models(Path(path)), (run.key for run in runs.runs))
    if unused:
        print(f"note: {visible(path)}: no run is called {visible(', '.join(unused))}", file=sys.stderr)
    return facts


def _note_thoughts(analysis: "Analysis") -> None:
    """Say how many answers never came because thoughts did not end."""
    from lm_eval_ja.analysis import Outcome

    for key, tasks in analysis.failures.items():
        missing = sum(own.counts.get(Outcome.THINKING, 0) for own in tasks.values())
        if missing:
            answers = sum(len(own.findings) for own in tasks.values())
            print(
                f"note: {visible(key)} ran out of tokens while thinking in {missing} of {answers} answers, which count "
                "as not given (docs/thoughts.md)",
                file=sys.stderr,
            )


def _note_problems(runs: "RunSet") -> None:
    counts: dict[str, int] = {}
    for problem in runs.problems:
        counts[problem.kind] = counts.get(problem.kind, 0) + 1
        if counts[problem.kind] == 1:
            print(f"note: {visible(str(problem.path))}: {visible(problem.text)}", file=sys.stderr)
    for kind, count in counts.items():
        if count > 1:
            print(
                f"note: {count - 1} more of the same kind ({kind}); the HTML report lists all",
                file=sys.stderr,
            )
