"""``lm_eval run``, the harness's own command, for one model after the other in one process."""

import argparse
from typing import Any


class _Only:
    """Stands in for argparse's sub-commands: every command is given the one parser there is."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._parser = parser

    def add_parser(self, name: str, **kwargs: Any) -> argparse.ArgumentParser:  # noqa: ARG002  # argparse's signature
        return self._parser


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Give a parser every option of ``lm_eval run``, as the installed lm-eval defines them.

    What is parsed is run by :func:`run_command`. Retires when upstream has a function that takes parsed options.

    Args:
        parser: Gets the options.
    """
    from lm_eval._cli.run import Run

    Run.create(_Only(parser))


def run_command(args: argparse.Namespace) -> None:
    """Do what ``lm_eval run`` does: evaluate one model, print its table and write its files.

    Args:
        args: Nothing but options of :func:`add_run_options`. Not changed by it, as long as the caller hands out a copy.
    """
    args.func(args)
