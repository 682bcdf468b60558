"""``lm-eval-ja make-tasks``."""

import argparse
from pathlib import Path
from typing import Any

from lm_eval_ja.errors import OptionError

_DESCRIPTION = """\
Write the harness's task files of a protocol: one YAML per dataset and per average, each complete in itself, to be
run with --include_path or to be copied as the start of a task of your own.

  lm-eval-ja make-tasks my_protocol.yaml -o tasks/mine
  lm_eval --include_path tasks/mine --tasks my_protocol ...

The files of the package's own protocols are written in this way, too; --check says whether they are up to date."""


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "make-tasks",
        help="write the task files of a protocol",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "protocol", metavar="PROTOCOL", help="a protocol's name, or the path of its YAML file"
    )
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder to write to")
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; fail if a file differs from what would be written",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the files, or compare them.

    Raises:
        OptionError: There is no such protocol, or the folder cannot be read or written to.
        DataError: The protocol's file is not well-formed.
    """
    from lm_eval_ja.protocols import load_protocol, read_protocol
    from lm_eval_ja.tasks.generate import WRITTEN, task_files

    path = Path(args.protocol)
    protocol = read_protocol(path) if path.suffix == ".yaml" else load_protocol(args.protocol)
    folder = Path(args.output)
    wanted = task_files(protocol)
    try:
        there = {file.name: file.read_text(encoding="utf-8") for file in folder.glob("*.yaml")}
    except (OSError, ValueError) as error:
        raise OptionError(f"a .yaml in {folder} cannot be read ({error}): choose another -o") from error
    there = {name: text for name, text in there.items() if name in wanted or text.startswith(WRITTEN)}
    differing = sorted(name for name in {*wanted, *there} if wanted.get(name) != there.get(name))
    if args.check:
        for name in differing:
            print(f"{folder / name} differs from what {protocol.name} says")
        return 1 if differing else 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in wanted.items():
            (folder / name).write_text(text, encoding="utf-8")
        for name in there.keys() - wanted.keys():
            (folder / name).unlink()
    except OSError as error:
        raise OptionError(f"{folder} cannot be written to: {error}") from error
    print(f"{folder}: {len(wanted)} files, {len(differing)} changed")
    return 0
