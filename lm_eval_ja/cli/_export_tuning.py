"""``lm-eval-ja export-tuning``."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lm_eval_ja.cli._prepare import print_table
from lm_eval_ja.protocols import load_protocol, protocol_names

if TYPE_CHECKING:
    from lm_eval_ja.tuning import Manifest

_DESCRIPTION = """\
Write instruction-tuning data ("jaster") from the training splits: one example per sample, in the words of the
evaluation's prompts.

  lm-eval-ja export-tuning -o jaster
  lm-eval-ja export-tuning -o jaster --splits train,dev --format chat --as dataset

Examples that occur among the questions that a protocol here evaluates (all test splits, and llm-jp-eval's dev split
unless it is exported) are listed in overlaps.jsonl and left out. manifest.json has counts, licences, digests, what was
checked against what, and how many character 13-grams the examples share with the held-out questions.
With --keep-overlaps the files hold just what llm-jp-eval 1.3.0 makes, test questions included."""

_EPILOG = "docs: https://github.com/lm-eval-ja/lm-eval-ja/tree/main/docs/tuning-data.md"


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "export-tuning",
        help="write instruction-tuning data from the training splits, free of evaluated questions",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder to write")
    parser.add_argument(
        "--protocol",
        choices=[name for name in protocol_names() if load_protocol(name).tasks],
        default="llm_jp_eval",
        help="whose datasets and instructions (default: llm_jp_eval)",
    )
    parser.add_argument(
        "--datasets", metavar="NAMES", help="separated by commas (default: all of the protocol)"
    )
    parser.add_argument(
        "--splits", default="train", metavar="NAMES", help="train, dev, dev_first100 (default: train)"
    )
    parser.add_argument(
        "--format",
        choices=["alpaca", "chat"],
        default="alpaca",
        help="alpaca: prompt and answer in `text`; chat: `messages` (default: alpaca)",
    )
    parser.add_argument(
        "--as",
        dest="container",
        choices=["jsonl", "dataset"],
        default="jsonl",
        help="JSON lines, or a folder for datasets.load_from_disk (default: jsonl)",
    )
    parser.add_argument(
        "--keep-overlaps", action="store_true", help="export what occurs among held-out questions, too"
    )
    parser.add_argument("--force", action="store_true", help="replace an earlier export")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Export and show the table.

    Returns:
        0 if all that was asked for is exported, 1 if some of it is unavailable.

    Raises:
        OptionError: An option can't work, or the folder can't be written.
        DataError: Nothing of what was asked for is available.
    """
    from lm_eval_ja.tuning import export_tuning

    manifest = export_tuning(
        args.output,
        protocol=args.protocol,
        datasets=args.datasets.split(",") if args.datasets else None,
        splits=args.splits.split(","),
        form=args.format,
        container=args.container,
        keep_overlaps=args.keep_overlaps,
        force=args.force,
    )
    _show(manifest, args.output)
    return 1 if manifest.missing else 0


def _show(manifest: "Manifest", output: str) -> None:
    rows: list[Sequence[str]] = [
        (
            file.dataset,
            file.split,
            str(file.available),
            ", ".join(f"{count} {kind}" for kind, count in file.overlapping.items() if count) or "-",
            str(file.exported),
            _per_cent(file.ngrams.half, file.ngrams.examples),
            _per_cent(file.ngrams.most, file.ngrams.examples),
            ", ".join(file.licences),
        )
        for file in manifest.files
    ]
    headers = (
        "dataset",
        "split",
        "samples",
        "held-out questions",
        "exported",
        "13-grams ≥ 50 %",
        "≥ 80 %",
        "licence",
    )
    print_table(headers, rows)
    left_out = sum(file.left_out for file in manifest.files)
    print(
        f"{manifest.read_back} examples written to {output}, {left_out} left out (overlaps.jsonl lists them)"
    )
    questions = sum(split.questions for split in manifest.held_out)
    print(
        f"{manifest.found} of them occur among {questions} held-out questions of {len(manifest.held_out)} splits"
    )
    if manifest.found:
        print(
            "- kept on request (--keep-overlaps): a model trained on them must not be scored on those questions"
        )
    if manifest.not_checked:
        names = ", ".join(f"{missing.dataset} {missing.split}" for missing in manifest.not_checked)
        print(f"- unavailable, so not checked against: {names} (`lm-eval-ja prepare` says what is missing)")
    for missing in manifest.missing:
        print(f"- not exported: {missing.dataset} {missing.split}: {missing.problem}")


def _per_cent(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"
