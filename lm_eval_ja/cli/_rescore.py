"""``lm-eval-ja rescore``."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lm_eval_ja.cli._prepare import print_table
from lm_eval_ja.errors import DataError
from lm_eval_ja.protocols import Leaf, load_protocol, protocol_names
from lm_eval_ja.thoughts import SEPARATE, parse_thoughts

if TYPE_CHECKING:
    from lm_eval_ja.protocols import Protocol
    from lm_eval_ja.rescoring import DatasetRescore, Rescored, RescoredMean

_DESCRIPTION = """\
Score logged answers again under another protocol's normalization, metrics and averages, and say what each difference in
the rules changed. It takes no model and no judge: only results and samples of a run (--output_path, --log_samples).

  lm-eval-ja rescore out/                         under the run's own protocol: must reproduce its scores
  lm-eval-ja rescore out/ --protocol llm_jp_eval  a neo run without neo's own normalization
  lm-eval-ja rescore out/ --strip-thoughts        a run of a reasoning model whose thoughts were scored
  lm-eval-ja rescore out/ --metric comet_wmt22 --python comet-env/bin/python --write

What was asked stays as it was (questions, shots, instructions, length limits): the table's notes say where another
protocol would have asked otherwise. MT-Bench is judged again with `lm-eval-ja judge`."""

_EPILOG = "docs: https://github.com/lm-eval-ja/lm-eval-ja/tree/main/docs/rescoring.md"


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "rescore",
        help="score logged answers under another protocol, or with COMET",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folder", metavar="DIR", help="folder of a run under --output_path, or a results file"
    )
    names = [name for name in protocol_names() if load_protocol(name).tasks]
    parser.add_argument("--protocol", choices=names, help="default: the run's own")
    parser.add_argument(
        "--metric",
        action="append",
        default=[],
        metavar="NAME",
        help="also score translations with comet_wmt22 or bleu_reference_quirk (may be repeated)",
    )
    parser.add_argument("--python", metavar="PATH", help="Python of an environment that has COMET")
    parser.add_argument(
        "--comet-model", metavar="NAME", help="model's name on the hub, or folder (default: the protocol's)"
    )
    parser.add_argument(
        "--comet-batch-size", type=int, default=8, metavar="N", help="translations at a time (default: 8)"
    )
    parser.add_argument(
        "--strip-thoughts",
        nargs="*",
        metavar="TAG",
        help="separate a reasoning model's thoughts from its answers first; with an opening and a closing tag, those",
    )
    parser.add_argument("--write", action="store_true", help="write new results and samples beside the old")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Rescore every run that is found.

    Returns:
        0, or 1 if a run's own rules do not reproduce its scores.

    Raises:
        OptionError: An option can't work, or COMET is missing.
        DataError: There are no logged answers.
    """
    from lm_eval_ja.metrics.comet import MODEL
    from lm_eval_ja.rescoring import Comet, rescore, write_results
    from lm_eval_ja.results import read_runs

    comet = Comet(args.python, args.comet_model or MODEL, args.comet_batch_size)
    thoughts = None
    if args.strip_thoughts is not None:
        thoughts = parse_thoughts(args.strip_thoughts or SEPARATE)
    runs = read_runs([args.folder])
    for problem in runs.problems:
        if problem.kind in {"older", "truncated", "duplicate", "unreadable"}:
            print(f"- {problem.path}: {problem.text}")
    wrong = False
    for found in runs.runs:
        try:
            rescored = rescore(found, args.protocol, metrics=args.metric, comet=comet, thoughts=thoughts)
        except DataError as error:
            if len(runs.runs) == 1:
                raise
            print(f"- {found.key} is left out: {error}")
            wrong = True
            continue
        _show(rescored)
        if args.write:
            print(f"written: {write_results(rescored)}")
        wrong |= any(
            dataset.before is not None and abs(dataset.before - dataset.reproduced) > 1e-12  # noqa: PLR2004  # rounding
            for dataset in rescored.datasets
        )
    return 1 if wrong else 0


def _show(rescored: "Rescored") -> None:
    protocol = rescored.protocol
    asked = " and ".join(rescored.asked_by)
    print(f"{rescored.run.key}: answers to {asked}'s questions, scored by {protocol.name} ({protocol.title})")
    if rescored.run.is_sample:
        print("sample data, not a benchmark")
    rows: list[Sequence[str]] = []
    by_task = {dataset.rules.task: dataset for dataset in rescored.datasets}
    nodes = {node.name: node for node in protocol.nodes()}
    for mean in rescored.means:
        indent = "  " * mean.depth
        rows.append((f"{indent}{mean.label}", "", *_mean(mean)))
        rows += [
            _row(by_task[leaf.task], leaf.label, indent)
            for leaf in nodes[mean.name].children
            if isinstance(leaf, Leaf) and not leaf.given and leaf.task in by_task
        ]
    if rescored.common is not None:
        common = rescored.common
        change = _signed(common.after - common.before)
        label = f"mean of these {common.categories}"
        rows.insert(1, (label, "", f"{common.before:.4f}", f"{common.after:.4f}", change, ""))
    outside = [dataset for dataset in rescored.datasets if dataset.rules.category is None]
    if outside:
        rows.append(("  in no average", "", "", "", "", ""))
        rows += [_row(dataset, _name(dataset, protocol), "  ") for dataset in outside]
    print_table(("", "metric", "before", "after", "change", "because"), rows)
    for dataset in rescored.datasets:
        for name, score in list(dataset.scores.items())[1:]:
            how = f" ({dataset.signatures[name]})" if name in dataset.signatures else ""
            print(f"  {_name(dataset, protocol)}: {name} {score.value:.4f}{how}")
    for note in rescored.notes:
        print(f"- {note}")


def _name(dataset: "DatasetRescore", protocol: "Protocol") -> str:
    """The dataset, with its number of shots where the protocol asks it with several."""
    own = dataset.rules
    several = sum(rules.dataset == own.dataset for rules in protocol.tasks.values()) > 1
    return f"{own.dataset}@{own.shots}shot" if several else own.dataset


def _row(dataset: "DatasetRescore", label: str, indent: str) -> tuple[str, ...]:
    after = dataset.after.value
    change = "" if dataset.before is None else _signed(after - dataset.before)
    return (
        f"{indent}  {label}",
        dataset.rules.metrics[0],
        "-" if dataset.before is None else f"{dataset.before:.4f}",
        f"{after:.4f}",
        change,
        _because(dataset),
    )


def _because(dataset: "DatasetRescore") -> str:
    reasons = []
    for step in dataset.steps:
        if step.questions is None:
            reasons.append(f"{step.what}: {_signed(step.change)}")
        elif step.questions:
            reasons.append(f"{step.what}: {_signed(step.change)} ({step.questions} questions)")
    if not reasons and dataset.steps:
        return f"{', '.join(step.what for step in dataset.steps)}: no change"
    return ", ".join(reasons)


def _mean(level: "RescoredMean") -> tuple[str, str, str, str]:
    from lm_eval_ja.protocols import Missing, Score

    before = level.before.value if isinstance(level.before, Score) else None
    after = level.after.value if isinstance(level.after, Score) else None
    return (
        "-" if before is None else f"{before:.4f}",
        "-" if after is None else f"{after:.4f}",
        "" if before is None or after is None else _signed(after - before),
        str(level.after) if isinstance(level.after, Missing) else "",
    )


def _signed(change: float) -> str:
    return "0" if change == 0 else f"{change:+.4f}"
