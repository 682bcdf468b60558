"""``lm-eval-ja verify``."""

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_eval_ja._unicode import visible
from lm_eval_ja.errors import OptionError

if TYPE_CHECKING:
    from lm_eval_ja.rescoring import Finding, Verified

_DESCRIPTION = """\
Work every score of a run out again from its logged answers, and name every number that does not follow from them:
answers are normalized and scored, judges' replies are read again, averages follow the protocol's tree. Questions and
gold answers are held against the digests that results and samples keep of them. It needs no model, judge or network.

  lm-eval-ja verify out/
  lm-eval-ja verify out/model/results_2026-01-01T00-00-00.json --json

Nothing in the files vouches for the raw answers and the judge's words themselves."""

_EPILOG = """\
Exit status: 0 all follows from the answers, 1 something does not, 3 nothing is wrong but a part could not be verified
(it says which; samples are needed: lm_eval ... --log_samples).
docs: https://github.com/lm-eval-ja/lm-eval-ja/tree/main/docs/verifying.md"""

_UNVERIFIED = 3
_LONGEST = 60


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "verify",
        help="check that a run's scores follow from its answers",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", metavar="RUN", help="a folder under --output_path, or a results file")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument(
        "--show", type=int, default=20, metavar="N", help="differences to list for each file (default: 20)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Verify.

    Returns:
        0 if everything follows from the answers, 1 if something doesn't, 3 if a part could not be verified.

    Raises:
        OptionError: The path doesn't exist, or an option can't work.
        DataError: There is nothing to verify, or a results file can't be read.
    """
    from lm_eval_ja.report import printable_json
    from lm_eval_ja.rescoring import verify_runs

    if args.show < 0:
        raise OptionError(f"--show is {args.show}; it must be 0 or more")
    verified = verify_runs(Path(args.path))
    if args.json:
        print(printable_json(json.dumps([_as_data(own) for own in verified], ensure_ascii=False, indent=2)))
    else:
        for own in verified:
            _show(own, args.show)
    if any(own.findings for own in verified):
        return 1
    return _UNVERIFIED if any(own.unverified for own in verified) else 0


def _show(own: "Verified", number: int) -> None:
    print(f"{visible(own.model)} ({own.file})")
    for finding in own.findings[:number]:
        print(f"  {_line(finding)}")
    if len(own.findings) > number:
        print(f"  and {len(own.findings) - number} more (--show, --json)")
    for text in own.unverified:
        print(f"  not verified: {visible(text)}")
    told = f"{len(own.findings):,} of them do not follow" if own.findings else "all follow"
    print(
        f"  {own.values:,} values of {own.questions:,} questions in {len(own.tasks)} tasks: {told} from the answers"
    )


def _line(finding: "Finding") -> str:
    where = " ".join(filter(None, (finding.file.name, finding.task, finding.question)))
    return visible(
        f"{where}: {finding.field} is {_short(finding.found)}, but should be {_short(finding.expected)}"
    )


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _as_data(own: "Verified") -> dict[str, Any]:
    return {
        "file": str(own.file),
        "model": own.model,
        "tasks": own.tasks,
        "questions": own.questions,
        "values": own.values,
        "findings": [
            {
                "file": str(finding.file),
                "task": finding.task,
                "question": finding.question,
                "field": finding.field,
                "found": _plain(finding.found),
                "expected": _plain(finding.expected),
            }
            for finding in own.findings
        ],
        "unverified": own.unverified,
    }


def _plain(value: Any) -> Any:
    """The value as JSON can hold it: NaN and infinity become null."""
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value
