"""``lm-eval-ja publish``."""

import argparse
import sys
from pathlib import Path
from typing import Any

_DESCRIPTION = """\
Write results in the forms that others read, every score with its interval, standard error, number of questions and
signature. Nothing is uploaded.

  lm-eval-ja publish out/model --format model-index -o public
      the metadata of a model card: public/org/model/model-index.yaml
  lm-eval-ja publish out/model --format eval-results --benchmark my-org/nejumi-neo -o public
      .eval_results/*.yaml of the Hugging Face Hub, which its benchmark pages collect
  lm-eval-ja publish out/model --format every-eval-ever --organization "My Lab" -o public
      records of the Every Eval Ever datastore: public/data/<protocol>/<developer>/<model>/<uuid>.json
  lm-eval-ja publish out/ --format leaderboard -o public
      a folder that is a website: index.html, leaderboard.json, leaderboard.csv; without questions and answers

Check the run first: lm-eval-ja verify out/model"""

_EPILOG = "docs: https://github.com/lm-eval-ja/lm-eval-ja/tree/main/docs/publishing.md"


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "publish",
        help="write results for the Hugging Face Hub, Every Eval Ever, or a website",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "paths", metavar="RUN", nargs="+", help="folders under --output_path, or results files"
    )
    parser.add_argument(
        "--format",
        action="append",
        required=True,
        choices=("eval-results", "model-index", "every-eval-ever", "leaderboard"),
        dest="formats",
        help="may be given more than once",
    )
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder to write to")
    parser.add_argument(
        "--model-id", metavar="ORG/MODEL", help="the model's id on the Hub (default: its name)"
    )
    parser.add_argument(
        "--benchmark", metavar="ORG/DATASET", help="eval-results: the Hub's dataset that is the benchmark"
    )
    parser.add_argument("--source-url", metavar="URL", help="where the results can be seen")
    parser.add_argument("--organization", metavar="NAME", help="every-eval-ever: who ran the evaluation")
    parser.add_argument(
        "--relationship",
        choices=("first_party", "third_party", "collaborative", "other"),
        default="other",
        help="every-eval-ever: what the organization is to the model's developer (default: other)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Publish.

    Raises:
        OptionError: A path doesn't exist, something that a format needs is not given, or nothing can be written.
        DataError: There are no results, or they are of the sample data.
    """
    from lm_eval_ja._unicode import visible
    from lm_eval_ja.analysis import analyse_runs
    from lm_eval_ja.report import Publisher, publish
    from lm_eval_ja.results import read_runs

    runs = read_runs(args.paths)
    for problem in runs.problems:
        print(f"note: {visible(str(problem.path))}: {visible(problem.text)}", file=sys.stderr)
    analysis = analyse_runs(runs, tokenizers=False)
    publisher = Publisher(
        args.model_id, args.benchmark, args.source_url, args.organization, args.relationship
    )
    for path in publish(analysis, args.formats, Path(args.output), publisher):
        print(path)
    return 0
