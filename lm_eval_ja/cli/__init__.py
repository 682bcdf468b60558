"""The command line ``lm-eval-ja``: what has to happen before and after ``lm_eval`` itself."""

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import lm_eval_ja
from lm_eval_ja._unicode import visible
from lm_eval_ja.errors import LmEvalJaError

_DESCRIPTION = """\
Nejumi Leaderboard Neo and llm-jp-eval as tasks of lm-evaluation-harness.

The evaluation itself is the harness's own command; nothing here has to be run before it:

  lm_eval --model hf --model_args pretrained=MODEL --tasks nejumi_jaster --output_path out --log_samples

The commands below prepare data and config files ahead of time (and for machines without internet), write prompts
for engines that the harness doesn't drive, show and compare results, and diagnose problems."""

_EPILOG = """\
environment:
  LM_EVAL_JA_CACHE     where raw and converted data are kept (default: the user's cache folder)
  LM_EVAL_JA_MIRROR    a directory or base URL laid out as <host>/<path>, used in place of the network
  LM_EVAL_JA_OFFLINE   1: never use the network
  LM_EVAL_JA_AUTOLOAD  0: don't attach to lm_eval at interpreter start (then use --include_path)

docs: https://github.com/lm-eval-ja/lm-eval-ja/tree/main/docs"""


def build_parser() -> argparse.ArgumentParser:
    """Build the parser with all commands."""
    from lm_eval_ja.cli import (  # here, so that Ctrl-C while they are imported is met by `main`
        _compare,
        _doctor,
        _export_tuning,
        _gate,
        _judge,
        _make_tasks,
        _power,
        _prepare,
        _prompts,
        _publish,
        _report,
        _rescore,
        _run_config,
        _sweep,
        _tasks_path,
        _verify,
    )

    parser = argparse.ArgumentParser(
        prog="lm-eval-ja",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"lm-eval-ja {lm_eval_ja.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for module in (
        _prepare,
        _run_config,
        _prompts,
        _sweep,
        _judge,
        _report,
        _compare,
        _power,
        _gate,
        _rescore,
        _verify,
        _publish,
        _export_tuning,
        _doctor,
        _make_tasks,
        _tasks_path,
    ):
        module.add_parser(commands)
    return parser


def _harmless(message: str) -> str:
    return "\n".join(map(visible, message.split("\n")))


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        0 on success, 1 if the command ran and found something wrong, 2 for an error that the user can fix.
    """
    for stream in (sys.stdout, sys.stderr):  # file names and questions are Japanese whatever the locale
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    command = "lm-eval-ja"
    try:
        args = build_parser().parse_args(argv)
        command += f" {args.command}"
        status: int = args.run(args)
        sys.stdout.flush()
    except LmEvalJaError as error:
        print(f"{command}: {_harmless(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{command}: interrupted; what was finished is kept", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `… | head`: the reader has what it wanted
        _let_go_of_stdout()
        return 0
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # the same, met by rich
            return 0
        raise
    except OSError as error:  # standard output on a full disk
        _let_go_of_stdout()
        print(f"{command}: {_harmless(str(error))}", file=sys.stderr)
        return 2
    return status


def _let_go_of_stdout() -> None:
    """Have what still waits to be printed go nowhere, so that the interpreter's exit doesn't fail with it."""
    with suppress(OSError, ValueError):  # no file behind it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
