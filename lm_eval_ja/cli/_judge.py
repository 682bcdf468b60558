"""``lm-eval-ja judge``."""

import argparse
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_eval_ja.errors import DataError, OptionError

if TYPE_CHECKING:
    from lm_eval_ja.judge.options import JudgeOptions
    from lm_eval_ja.rescoring import Rejudged
    from lm_eval_ja.results import ResultsFile

_DESCRIPTION = """\
Judge MT-Bench answers that a run has saved (lm_eval ... --tasks nejumi_mtbench --log_samples), for the first time or
with another judge. No model is needed: generate on a machine without internet and judge on another one:

  lm_eval --model vllm ... --tasks nejumi --metadata '{"judge_model": "none"}' --output_path out --log_samples
  lm-eval-ja judge out/ --judge_model gpt-4

At half price, within a day, through the batch APIs of OpenAI and Anthropic (give all commands the same options):

  lm-eval-ja judge out/ --batch submit      # killed at any point and run again, it pays for nothing twice
  lm-eval-ja judge out/ --batch status      # exit status 1 as long as there is something to wait for
  lm-eval-ja judge out/ --batch collect     # saves the judgments, and writes the results once all have ended

Another judge has another scale. Hold it against answers whose ratings are known, and map scores that it gave:

  lm-eval-ja judge --from-run old/ --judge_model NEW        # old/: runs that the old judge has rated
  lm-eval-ja judge new/ --from-run old/ --judge_model NEW   # new/: runs that NEW has rated, mapped onto the old scale
  lm-eval-ja judge --from-run old/ --freeze ruler.jsonl     # keep the ruler in a file, for --calibrate ruler.jsonl

New results and samples are written beside the old ones, with a new date. Judgments are kept in one store for all runs:
after an interruption the same command goes on where it stopped, and no judgment is paid for twice.

The key is read from the environment (OPENAI_API_KEY, with --judge_api anthropic ANTHROPIC_API_KEY, or the variable
that --judge_api_key_env names). Every --judge_ option can also be set by a variable LM_EVAL_JA_<OPTION IN CAPITALS>."""

_HELP = {
    "judge_model": "name of the judge (default: gpt-4)",
    "judge_api": "what the judge speaks: openai, which most servers do, or anthropic (default: openai)",
    "judge_base_url": "its address, e.g. http://localhost:8000/v1 (default: OpenAI, or Azure if set up; Anthropic)",
    "judge_api_key_env": "name of the variable that holds the key (default: OPENAI_API_KEY or ANTHROPIC_API_KEY)",
    "judge_concurrency": "most requests at a time (default: 32)",
    "judge_prompts": "nejumi, fastchat, or a file in the same format (default: nejumi)",
    "judge_repeats": "judgments per answer; the rating is their mean (default: 1)",
    "judge_strict": "rate unparsable replies -1, as Neo did, rather than leave them out",
    "judge_max_tokens": "most tokens of a reply (default: 2048; judges that reason need more)",
    "judge_thoughts": "show the judge what a reasoning model thought, too",
    "judge_preflight": "make sure first that the judge can be used (default: true)",
    "judge_dry_run": "say how many calls and tokens it would take, and stop",
    "judge_price": "dollars per million tokens sent and received, e.g. '[30, 60]'",
    "judge_max_cost": "judge nothing if the estimate is more dollars than this (needs --judge_price)",
}

_SWITCHES = ("judge_strict", "judge_thoughts", "judge_preflight", "judge_dry_run")


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "judge",
        help="judge saved MT-Bench answers, for the first time or with another judge",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folder",
        type=Path,
        nargs="?",
        help="--output_path of a run (every model below it is judged, or mapped)",
    )
    parser.add_argument(
        "--batch", choices=("submit", "status", "collect"), help="judge at half price through a batch API"
    )
    for name, text in _HELP.items():
        if name in _SWITCHES:
            parser.add_argument(f"--{name}", action=argparse.BooleanOptionalAction, help=text)
        else:
            parser.add_argument(f"--{name}", metavar="VALUE", help=text)
    _add_ruler(parser)
    parser.set_defaults(run=run)


def _add_ruler(parser: argparse.ArgumentParser) -> None:
    ruler = parser.add_argument_group(
        "a ruler for judges",
        "hold the judge against known ratings, and map scores that it gave onto the old scale",
    )
    add = ruler.add_argument
    add("--calibrate", type=Path, metavar="FILE", help="answers with known ratings, as --freeze writes them")
    add("--from-run", type=Path, metavar="RUN", help="the same out of judged runs: all below a folder")
    add("--freeze", type=Path, metavar="FILE", help="with --from-run: write such a file, and stop")
    add(
        "--human",
        type=Path,
        metavar="CSV",
        help="human ratings of some turns (columns id, turn, rating): estimates their mean over all turns",
    )
    add(
        "--max-width",
        type=float,
        default=1.0,
        metavar="POINTS",
        help="refuse mapped scores whose interval is wider (default: 1)",
    )
    add("--json", type=Path, metavar="FILE", help="write all that is printed, and every pair of ratings")


def _calibrating(args: argparse.Namespace) -> bool:
    """Whether the judge is to be held against known ratings.

    Raises:
        OptionError: The flags do not go together.
    """
    if args.calibrate and args.from_run:
        raise OptionError("--calibrate and --from-run are two sources of known ratings: give one")
    ruler = bool(args.calibrate or args.from_run)
    if (args.freeze and not args.from_run) or ((args.human or args.json) and not ruler):
        raise OptionError("--freeze needs --from-run; --human and --json need --calibrate or --from-run")
    if ruler and args.batch:
        raise OptionError("--batch does not go with --calibrate or --from-run")
    if not (math.isfinite(args.max_width) and args.max_width > 0):
        raise OptionError(f"--max-width {args.max_width}: a number of points above 0 is expected")
    if args.folder is None and not ruler:
        raise OptionError("name the folder of a run, or give known ratings with --calibrate or --from-run")
    return ruler


def run(args: argparse.Namespace) -> int:
    """Judge every model's newest run, or hold the judge against known ratings.

    Returns:
        0 if every turn has a rating (or after a dry run; with --batch submit or status, if there is nothing to wait for
        or to do; with known ratings, if every run's score could be mapped), else 1.

    Raises:
        OptionError: An option can't work.
        DataError: There are no saved answers.
        JudgeError: The judge can't be used.
    """
    from lm_eval_ja.cli._judge_batch import collect, status, submit
    from lm_eval_ja.judge import plan, preflight
    from lm_eval_ja.judge.mtbench import store_path
    from lm_eval_ja.judge.options import JudgeOptions, parse_value
    from lm_eval_ja.rescoring import find_runs

    calibrating = _calibrating(args)
    given = {
        field.name: value if isinstance(value, bool) else parse_value(field.name, value)
        for field in fields(JudgeOptions)
        if field.name in _HELP and (value := getattr(args, field.name)) is not None
    }
    options = JudgeOptions.from_run(given)
    if not options.judging:
        raise OptionError("judge_model=none judges nothing: name a judge with --judge_model")
    if calibrating:
        from lm_eval_ja.cli import _judge_calibrate

        return _judge_calibrate.run(args, options)
    runs, problems = find_runs(args.folder)
    for problem in problems:
        print(f"left out: {problem}", file=sys.stderr)
    plan([], options.config(), store_path())  # raises where the endpoint or the store can't be used
    if args.batch == "submit":
        return submit(runs, options, args.folder)
    if args.batch == "status":
        return status(runs, options)
    if args.batch == "collect":
        rejudged = collect(runs, options)
        return 1 if rejudged is None else _show(zip(runs, rejudged, strict=True), options)
    if options.judge_preflight and not options.judge_dry_run:
        preflight(options.config())
    return _show(_judge_each(runs, options), options)


def _judge_each(
    runs: Sequence["ResultsFile"], options: "JudgeOptions"
) -> Iterator[tuple["ResultsFile", "Rejudged"]]:
    """Judge one run after the other. One of several whose files are damaged is left as it is, and named."""
    from lm_eval_ja.rescoring import Rejudged, rejudge

    for saved in runs:
        try:
            judged = rejudge(saved, options)
        except DataError as error:
            if len(runs) == 1:
                raise
            judged = Rejudged({}, None, str(error))
        yield saved, judged


def _show(judged_runs: Iterable[tuple["ResultsFile", "Rejudged"]], options: "JudgeOptions") -> int:
    """Print each run as it has been judged; the exit status."""
    unscored = 0
    for saved, judged in judged_runs:
        if judged.path is None:
            print(f"{saved.path}: nothing written: {judged.reason}")
            unscored += not options.judge_dry_run
            continue
        from lm_eval.utils import make_table

        print(make_table(judged.results))
        print(f"written: {judged.path}")
        unscored += sum(entry.get("unscored,none", 0) for entry in judged.results["results"].values())
    return 1 if unscored else 0
