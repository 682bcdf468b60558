"""``lm-eval-ja prepare``."""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lm_eval_ja.datasets import M_IFEVAL_JA, M_IFEVAL_JA_URL, SPLITS, Split
from lm_eval_ja.errors import LmEvalJaError, OptionError

_DESCRIPTION = """\
Download, verify and convert the data ahead of a run, and show what there is. A run does all this by itself; this
command is for seeing it happen, and for machines without internet:

  lm-eval-ja prepare --bundle nejumi.tar          on a machine with internet: one file with everything
  lm-eval-ja prepare --from-bundle nejumi.tar     on the other: unpack, verify, convert

Zero-shot runs need the test split only. For --num_fewshot add --splits train,test."""

MTBENCH = "mtbench"
"""Name under which this command knows Japanese MT-Bench, questions, references and judge prompts."""


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "prepare",
        help="download, verify and convert the data ahead of a run; pack it for a machine without internet",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--protocol",
        metavar="NAME",
        default="neo",
        help="whose datasets and splits (default: neo)",
    )
    parser.add_argument(
        "--datasets",
        metavar="NAMES",
        help=f"separated by commas (default: all of the protocol, with {MTBENCH} if its scores hold it)",
    )
    parser.add_argument("--splits", default="test", metavar="NAMES", help="train, dev, test (default: test)")
    bundle = parser.add_mutually_exclusive_group()
    bundle.add_argument("--bundle", metavar="FILE", help="also pack the raw files into this .tar")
    bundle.add_argument("--from-bundle", metavar="FILE", help="take the raw files from this .tar first")
    parser.add_argument(
        "--certify",
        metavar="DIR",
        nargs="?",
        const="",
        help="hold our dev splits against the SHA-256 of llm-jp-eval's own files that LLM-jp publishes, and keep the "
        "files that are equal in DIR if it is given; of --datasets, or of all that have one",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prepare and show the table.

    Returns:
        0 if all that was asked for is ready, else 1.

    Raises:
        OptionError: Unknown protocol, dataset or split.
        DataError: The bundle can't be written, read or trusted.
    """
    from lm_eval_ja.datasets import make_bundle, prepare, raw_urls, unpack_bundle

    if args.certify is not None:
        return _certify(args.datasets, args.certify)
    names = _names(args.protocol, args.datasets)
    splits = _splits(args.splits)
    datasets = [name for name in names if name not in (MTBENCH, M_IFEVAL_JA)]
    if args.from_bundle:
        files = unpack_bundle(args.from_bundle)
        print(f"{len(files)} raw files unpacked from {args.from_bundle}")
    rows: list[Sequence[str]] = []
    problems: list[str] = []
    for row in prepare(args.protocol, datasets, splits):
        count = "-" if row.count is None else str(row.count)
        state = "own data" if row.own_data else "ready" if row.ready else "missing"
        rows.append((row.dataset, row.split, count, ", ".join(row.licences), row.digest or "", state))
        if row.problem:
            problems.append(f"{row.dataset} {row.split}: {row.problem}")
    if MTBENCH in names:
        _prepare_mtbench(rows, problems)
    if M_IFEVAL_JA in names:
        _prepare_m_ifeval(rows, problems)
    print_table(("dataset", "split", "questions", "licence of the sources", "digest", "state"), rows)
    for problem in problems:
        print(f"- {problem}")
    if args.bundle and not problems:
        urls = raw_urls(args.protocol, datasets, splits)
        urls += _mtbench_urls() if MTBENCH in names else ()
        urls += (M_IFEVAL_JA_URL,) if M_IFEVAL_JA in names else ()
        print(f"packed into {make_bundle(args.bundle, urls)}")
    elif args.bundle:
        print(f"{args.bundle} was not written: first supply what is missing, or leave it out with --datasets")
    return 1 if problems else 0


def _certify(asked: str | None, folder: str) -> int:
    from lm_eval_ja.datasets import certify

    chosen = asked.split(",") if asked else None
    rows: list[Sequence[str]] = []
    problems: list[str] = []
    total: Counter[str] = Counter()
    equal: Counter[str] = Counter()
    for certificate in certify(chosen, folder=Path(folder) if folder else None):
        total.update(certificate.published.keys())
        equal.update(certificate.versions)
        state = "certified" if certificate.versions else "missing" if certificate.problem else "differs"
        rows.append((certificate.dataset, certificate.found, ", ".join(certificate.versions), state))
        if certificate.problem:
            problems.append(f"{certificate.dataset}: {certificate.problem}")
        elif not certificate.versions:
            expected = ", ".join(f"{digest} ({version})" for version, digest in certificate.published.items())
            problems.append(f"{certificate.dataset}: LLM-jp's file has SHA-256 {expected}")
    print_table(("dataset (dev)", "SHA-256 of the file", "equals llm-jp-eval", "state"), rows)
    for problem in problems:
        print(f"- {problem}")
    for version, count in sorted(total.items()):
        print(f"{equal[version]} of {count} files of llm-jp-eval {version} come out byte for byte")
    return 1 if problems else 0


def _names(protocol: str, asked: str | None) -> list[str]:
    from lm_eval_ja.protocols import load_protocol

    rules = load_protocol(protocol)
    parts = [load_protocol(name) for name in dict.fromkeys((protocol, *rules.related()))]
    judged = any(part.conversation for part in parts)
    checked = [part.instructions.dataset for part in parts if part.instructions]
    names = [*rules.datasets, *([MTBENCH] if judged else []), *checked]
    if not asked:
        return names
    unknown = [name for name in asked.split(",") if name not in names]
    if unknown:
        raise OptionError(f"--datasets: no {', '.join(unknown)} in {protocol}; there are {', '.join(names)}")
    return asked.split(",")


def _splits(asked: str) -> list[Split]:
    wrong = [name for name in asked.split(",") if name not in SPLITS]
    if wrong:
        raise OptionError(f"--splits: {', '.join(wrong)} is none of {', '.join(SPLITS)}")
    return [split for split in SPLITS if split in asked.split(",")]


def print_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table, as wide as it needs to be where the output is no terminal."""
    import sys

    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(*headers, box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 200, soft_wrap=True).print(table)


def _prepare_mtbench(rows: list[Sequence[str]], problems: list[str]) -> None:
    from lm_eval_ja.datasets import MTBENCH_REVISIONS, load_mtbench
    from lm_eval_ja.judge import load_prompts

    for revision in MTBENCH_REVISIONS:
        try:
            count, state = str(len(load_mtbench(revision))), "ready"
        except LmEvalJaError as error:
            count, state = "-", "missing"
            problems.append(f"{MTBENCH} {revision}: {error}")
        rows.append((f"{MTBENCH} ({revision})", "test", count, "Apache-2.0", "", state))
    for prompts in ("nejumi", "fastchat"):
        try:
            digest, state = load_prompts(prompts).digest[:12], "ready"
        except LmEvalJaError as error:
            digest, state = "", "missing"
            problems.append(f"judge prompts {prompts}: {error}")
        rows.append((f"judge prompts ({prompts})", "", "", "Apache-2.0", digest, state))


def _prepare_m_ifeval(rows: list[Sequence[str]], problems: list[str]) -> None:
    from lm_eval_ja.datasets import data_digest, load_m_ifeval, packaged

    try:
        prompts = load_m_ifeval()
        count, digest, state = str(len(prompts)), data_digest(prompts), "ready"
    except LmEvalJaError as error:
        count, digest, state = "-", "", "missing"
        problems.append(f"{M_IFEVAL_JA}: {error}")
    rows.append((M_IFEVAL_JA, "test", count, packaged().source(M_IFEVAL_JA_URL).licence, digest, state))


def _mtbench_urls() -> tuple[str, ...]:
    from lm_eval_ja.datasets import MTBENCH_REVISIONS
    from lm_eval_ja.judge import PROMPT_SOURCES

    return (*(url for revision in MTBENCH_REVISIONS.values() for url in revision), *PROMPT_SOURCES.values())
