"""``lm-eval-ja sweep``."""

import argparse
import contextlib
import io
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_eval_ja.errors import DataError, LmEvalJaError, OptionError

if TYPE_CHECKING:
    from lm_eval_ja.judge.options import JudgeOptions
    from lm_eval_ja.results import ResultsFile
    from lm_eval_ja.sweep import Checkpoint, Judge, Sweep

_DESCRIPTION = """\
Evaluate many checkpoints as `lm_eval run` would evaluate each by itself: the same files, the same scores. What is the
same for all is done once: Python and torch are imported, tasks indexed, data read, the judge tried.

  lm-eval-ja sweep ckpts/* --tasks nejumi_jaster --batch_size 16 --output_path out
  lm-eval-ja sweep ckpts/* --tasks nejumi --model vllm --apply_chat_template --output_path out
  lm-eval-ja sweep adapters/* --model_args pretrained=BASE,peft={checkpoint} --tasks nejumi_jaster --output_path out
  lm-eval-ja sweep answers/*.jsonl --model recorded --tasks nejumi_jaster --output_path out

Every option of `lm_eval run` works, and stands below. The sweep itself sets --log_samples, and of --model_args the one
that names the model, or every {checkpoint} in it. --use_cache is given each checkpoint's name.

MT-Bench answers are judged (as by `lm-eval-ja judge`) while the next checkpoint generates.

Run the same command again after anything: checkpoints with complete results are skipped, judgments are paid for once.
A checkpoint in trouble is named and left out; the exit status is then 1. At the end: scores by checkpoint, a report."""

_EPILOG = "docs: https://github.com/lm-eval-ja/lm-eval-ja/tree/main/docs/sweep.md"

_PLACE = "{checkpoint}"
_OWN = ("checkpoints", "isolate", "report")
_APART = ("vllm", "sglang", "nemo", "megatron")
"""Backends, by the beginning of their names, whose engines do not give all memory back while their process lives."""

_UNIMPORTANT = frozenset(
    {
        *("output_path", "log_samples", "use_cache", "cache_requests", "check_integrity", "write_out"),
        *("show_config", "verbosity", "wandb_args", "wandb_config_args", "trackio_args", "hf_hub_log_args"),
        *("batch_size", "max_batch_size", "device", "config", "confirm_run_unsafe_code"),
    }
)
"""Settings that may change without a checkpoint being evaluated again."""

_HOW = frozenset({"judge_concurrency", "judge_preflight", "judge_dry_run", "judge_price", "judge_max_cost"})
"""Settings of the judge that no rating depends on."""


def add_parser(commands: Any) -> None:
    """Add the command. Its options are the harness's, which is imported only when the command is used."""
    parser = commands.add_parser(
        "sweep",
        help="evaluate many checkpoints in one go: resumable, one report",
        add_help=False,
        prefix_chars="\0",  # options are left to `build_parser`
    )
    parser.add_argument("words", nargs=argparse.REMAINDER)
    parser.set_defaults(run=run)


def build_parser() -> argparse.ArgumentParser:
    """The command's own parser: checkpoints, and all options of ``lm_eval run``."""
    from lm_eval_ja.plugin import add_run_options

    parser = argparse.ArgumentParser(
        prog="lm-eval-ja sweep",
        usage="%(prog)s CHECKPOINT [CHECKPOINT ...] --tasks TASK [TASK ...] --output_path DIR [options of lm_eval run]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "checkpoints",
        nargs="+",
        metavar="CHECKPOINT",
        help="folders, names on the hub, or files of recorded answers; before all options",
    )
    own = parser.add_argument_group("sweep")
    own.add_argument(
        "--isolate",
        action="store_true",
        help="a process of its own for every checkpoint: slower; always so for vllm and sglang",
    )
    own.add_argument(
        "--report", metavar="FILE", help="the HTML report (default: report.html in --output_path)"
    )
    add_run_options(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """Evaluate checkpoints.

    Returns:
        0 if all of them have complete results, else 1.

    Raises:
        OptionError: An option can't work.
        DataError: The questions are unavailable.
        JudgeError: The judge can't be used.
    """
    given = build_parser().parse_args(args.words)
    _refuse(given)
    from lm_eval.utils import setup_logging

    from lm_eval_ja._once import one_run
    from lm_eval_ja.plugin import index_kept
    from lm_eval_ja.sweep import Ledger, Sweep, Work, find_checkpoints

    setup_logging()
    checkpoints = find_checkpoints(given.checkpoints)
    isolate = given.isolate or str(given.model).startswith(_APART)
    folder = Path(given.output_path)
    report = Path(given.report) if given.report else folder / "report.html"
    options = argparse.Namespace(**{name: value for name, value in vars(given).items() if name not in _OWN})
    options.log_samples = True
    with index_kept(), one_run():
        plan = _Plan(options, isolate=isolate)
        ledger = Ledger(folder)
        sweep = Sweep(ledger, plan.judge)
        with ledger.alone():
            sweep.run(
                Work(checkpoint, plan.settings(checkpoint), partial(plan.evaluate, checkpoint))
                for checkpoint in checkpoints
            )
    _show(sweep, checkpoints, plan.tasks)
    _report(sweep, report)
    return 1 if sweep.problems else 0


def _refuse(given: argparse.Namespace) -> None:
    """Refuse what can't work, before anything is loaded.

    Raises:
        OptionError: See the message.
    """
    if not given.output_path:
        raise OptionError("name a folder for the results: --output_path out")
    if Path(given.output_path).suffix == ".json":
        raise OptionError(f"--output_path {given.output_path}: a folder is expected, each model gets its own")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise OptionError(
            "a sweep is one process: start it without accelerate or torchrun. For several GPUs use --model vllm with "
            "tensor_parallel_size or data_parallel_size, or one sweep per GPU, each with its part of the checkpoints "
            "and its own --output_path"
        )


class _Plan:
    """What is the same for all checkpoints, checked once."""

    def __init__(self, options: argparse.Namespace, *, isolate: bool) -> None:
        """Read the options as ``lm_eval run`` does, find the tasks, and try the judge.

        Raises:
            LmEvalJaError: Something is wrong; what and how to fix it.
        """
        from lm_eval.config.evaluate_config import EvaluatorConfig

        self._options, self._isolate = options, isolate
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said):  # with --config it prints itself
                config = EvaluatorConfig.from_cli(deepcopy(options))
            self._config = {name: value for name, value in asdict(config).items() if name not in _UNIMPORTANT}
            self._model, self._model_args = config.model, dict(config.model_args)
            self._names = _naming(self._model, self._model_args)
            manager = config.process_tasks(config.metadata)
        except LmEvalJaError:
            raise
        except (ValueError, TypeError, FileNotFoundError) as error:
            raise OptionError(str(error)) from error
        self._cache = config.use_cache
        metadata = dict(config.metadata)
        # The harness has merged the model's arguments in, and will again with the checkpoint's name.
        self._metadata = {
            name: value
            for name, value in metadata.items()
            if name not in self._model_args or value != self._model_args[name]
        }
        loaded = manager.load(config.tasks)
        self.tasks = [task for task in config.tasks if isinstance(task, str)] or list(loaded["tasks"])
        self.judge = None if config.predict_only else self._find_judge(loaded["tasks"].values())

    def _find_judge(self, tasks: Any) -> "Judge | None":
        from lm_eval_ja.judge import plan, preflight
        from lm_eval_ja.judge.mtbench import store_path
        from lm_eval_ja.judge.options import JudgeOptions
        from lm_eval_ja.sweep import Judge, digest, judge_command
        from lm_eval_ja.tasks.mtbench import MTBenchTask

        if not any(isinstance(task, MTBenchTask) for task in tasks):
            return None
        options = JudgeOptions.from_run(self._metadata)
        if not options.judging:
            return None
        plan([], options.config(), store_path())  # raises where the endpoint or the store can't be used
        if options.judge_preflight and not options.judge_dry_run:
            preflight(options.config())
        self._metadata["judge_model"] = "none"  # until the answers are there
        key = digest({name: value for name, value in asdict(options).items() if name not in _HOW})
        return Judge(key, partial(_command, judge_command, options))

    def settings(self, checkpoint: "Checkpoint") -> str:
        """Digest of all that the checkpoint's answers depend on."""
        from lm_eval import __version__ as harness

        import lm_eval_ja
        from lm_eval_ja.sweep import digest

        metadata = {name: value for name, value in self._metadata.items() if not name.startswith("judge_")}
        return digest(
            {**self._config, "metadata": metadata},
            checkpoint.name,
            checkpoint.fingerprint(),
            harness,
            lm_eval_ja.__version__,
        )

    def _arguments(self, checkpoint: "Checkpoint") -> argparse.Namespace:
        """Options of ``lm_eval run`` for one checkpoint."""
        own = deepcopy(self._options)
        own.model_args = {
            name: value.replace(_PLACE, checkpoint.name) if isinstance(value, str) else value
            for name, value in self._model_args.items()
        }
        if self._names is not None:
            own.model_args[self._names] = checkpoint.name
        own.metadata = deepcopy(self._metadata)
        if self._cache:
            own.use_cache = f"{self._cache}_{checkpoint.name.replace(os.sep, '__')}"
        return own

    def evaluate(self, checkpoint: "Checkpoint") -> str | None:
        """Evaluate one checkpoint; what goes wrong is returned."""
        from lm_eval_ja.plugin import run_command
        from lm_eval_ja.sweep import free_memory, run_apart

        arguments = self._arguments(checkpoint)
        if self._isolate:
            return run_apart(_evaluate_apart, arguments)
        try:
            run_command(arguments)
        except LmEvalJaError as error:
            return str(error)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever is wrong with it, the others go on
            traceback.print_exc()
            traceback.clear_frames(error.__traceback__)  # they hold the model
            return f"{type(error).__name__}: {error}"
        finally:
            free_memory()
        return None


def _command(make: Any, options: "JudgeOptions", results: Path) -> list[str]:
    command: list[str] = make(results, options)
    return command


def _evaluate_apart(arguments: argparse.Namespace) -> None:
    """In a process of its own."""
    from lm_eval.utils import setup_logging

    from lm_eval_ja.plugin import run_command

    setup_logging()
    run_command(arguments)


def _naming(model: str, model_args: Mapping[str, Any]) -> str | None:
    """The model argument that holds the checkpoint's name; None if the user has said where it stands.

    Raises:
        OptionError: The user has named one model for all.
    """
    if any(_PLACE in value for value in model_args.values() if isinstance(value, str)):
        return None
    if model == "recorded":
        name = "path"
    elif model.endswith(("completions", "completion", "chat")) or "anthropic" in model or "openai" in model:
        name = "model"  # of API backends
    else:
        name = "pretrained"
    if name in model_args:
        raise OptionError(
            f"--model_args {name}={model_args[name]}: the sweep sets {name} to each checkpoint in turn; leave it out, "
            f"or write {_PLACE} where the checkpoint's name belongs, e.g. peft={_PLACE}"
        )
    return name


# --------------------------------------------------------------------------------------------------- at the end


def _show(sweep: "Sweep", checkpoints: Sequence["Checkpoint"], tasks: Sequence[str]) -> None:
    """Print scores by checkpoint, in the order of their numbers, with the change from one to the next."""
    from lm_eval_ja.cli._prepare import print_table
    from lm_eval_ja.results import read_results

    read = {name: read_results(path) for name, path in sweep.results.items()}
    rows = []
    last: dict[str, float] = {}
    for checkpoint in checkpoints:
        cells = [checkpoint.name]
        for task in tasks:
            value = _score(read[checkpoint.name], task) if checkpoint.name in read else None
            change = "" if value is None or task not in last else f" ({value - last[task]:+.4f})"
            cells.append("-" if value is None else f"{value:.4f}{change}")
            if value is not None:
                last[task] = value
        rows.append(cells)
    print_table(("checkpoint", *tasks), rows)
    if sweep.skipped:
        print(f"{len(sweep.skipped)} of {len(checkpoints)} had complete results and were not evaluated again")
    for name, problem in sweep.problems.items():
        print(f"{name} is left out: {problem}", file=sys.stderr)
    if sweep.problems:
        print("the same command evaluates what is missing", file=sys.stderr)


def _score(file: "ResultsFile", task: str) -> float | None:
    """The group's or task's ``score``, or its first metric."""
    entry = file.raw["results"].get(task, {})
    numbers = [
        value
        for name, value in entry.items()
        if name.endswith(",none") and "_stderr" not in name and isinstance(value, int | float)
    ]
    score = entry.get("score,none")
    return score if isinstance(score, int | float) else next(iter(numbers), None)


def _report(sweep: "Sweep", path: Path) -> None:
    """Write the report over all checkpoints."""
    from lm_eval_ja.analysis import analyse_runs, join_seeds
    from lm_eval_ja.report import write_html
    from lm_eval_ja.results import read_runs

    if not sweep.results:
        return
    try:
        runs = join_seeds(read_runs(sweep.results.values()))
    except DataError as error:  # other tasks than ours
        print(f"no report: {error}", file=sys.stderr)
        return
    write_html(analyse_runs(runs, tokenizers=False), path, {})
    print(f"report: {path}")
