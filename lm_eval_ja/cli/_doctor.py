"""``lm-eval-ja doctor``."""

import argparse
import dataclasses
import os
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import lm_eval_ja
from lm_eval_ja.cli._prepare import print_table
from lm_eval_ja.errors import LmEvalJaError

_DESCRIPTION = """\
Say what is installed, whether lm_eval finds our tasks, where data comes from, and which dataset is ready to run;
with the fix for whatever is not.

With --tokenizer: for each dataset, how many gold answers don't fit into the protocol's limit of new tokens with
this tokenizer, and the best score that is left. The limits (1 to 25 tokens for most datasets) were set for one
family of tokenizers; with another one a correct answer may be truncated, which silently caps the score."""

_EXTRAS = {
    "torch": "hf",
    "transformers": "hf",
    "vllm": "vllm",
    "tenacity": "api",
    "openai": "judge",
    "janome": "ifeval",
    "langdetect": "ifeval",
}

_SUPPORTED = '"lm_eval>=0.4.12,<=0.5.0.dev1"'

Check = tuple[bool, str, str]
"""Whether it is well, what was looked at, what was found or how to fix it."""


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "doctor",
        help="diagnose problems: what is installed, connected and ready, and what to do about the rest",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--protocol", metavar="NAME", default="neo", help="whose datasets are shown (default: neo)"
    )
    parser.add_argument(
        "--tokenizer", metavar="DIR_OR_ID", help="check the token limits against this tokenizer"
    )
    parser.add_argument(
        "--tasks",
        default="nejumi_jaster",
        metavar="NAMES",
        help="tasks for --tokenizer (default: nejumi_jaster)",
    )
    parser.add_argument(
        "--metadata", nargs="+", metavar="K=V|JSON", help="task options for --tokenizer, as for lm_eval"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Look and report.

    Returns:
        0 if everything needed for a zero-shot run is there, else 1.

    Raises:
        OptionError: Unknown protocol; ``--tokenizer`` can't be loaded, or ``--tasks`` names an unknown task.
        DataError: With ``--tokenizer``: a dataset is unavailable.
    """
    if args.tokenizer:
        from lm_eval_ja.cli._budgets import report_budgets

        return report_budgets(args.tokenizer, args.tasks, args.metadata)
    well = True
    placed = True
    for ok, subject, finding in (*_installation(), *_bridge(), *_tasks(), *_places()):
        well = well and ok
        placed = placed and (ok or subject != "settings")
        print(f"{'ok  ' if ok else 'FIX '} {subject}: {finding}")
    if placed:
        well = _datasets(args.protocol) and well
    for ok, subject, finding in _judge():
        well = well and ok
        print(f"{'ok  ' if ok else 'FIX '} {subject}: {finding}")
    return 0 if well else 1


def _installation() -> Iterator[Check]:
    yield True, "python", f"{platform.python_version()} at {sys.executable}"
    yield True, "lm-eval-ja", lm_eval_ja.__version__
    found = _version("lm_eval")
    if found is None:
        yield False, "lm_eval", "not installed: pip install lm-eval-ja"
    elif tuple(int(part) for part in found.split(".")[:3] if part.isdigit()) < (0, 4, 12):
        yield False, "lm_eval", f"{found} is too old: pip install 'lm_eval>=0.4.12'"
    else:
        yield True, "lm_eval", found
    for package, extra in _EXTRAS.items():
        found = _version(package)
        yield (
            True,
            package,
            found or f'not installed (only needed for some runs: pip install "lm-eval-ja[{extra}]")',
        )


def _bridge() -> Iterator[Check]:
    try:
        from lm_eval.tasks import manager
    except Exception as error:  # noqa: BLE001  # a broken lm_eval is what the doctor is called for
        yield False, "bridge", f"lm_eval can't be imported ({type(error).__name__}: {error}): reinstall it"
        return
    from lm_eval_ja import plugin

    off = plugin.failures()
    if off:
        reasons = "; ".join(f"{what} ({type(error).__name__}: {error})" for what, error in off.items())
        yield (
            False,
            "hooks",
            f"this lm_eval is not supported entirely, off: {reasons}: pip install {_SUPPORTED}",
        )
    if _finds_our_tasks(manager):
        yield True, "bridge", "not needed: this lm_eval reads entry points"
    elif plugin.is_hooked(getattr(manager.TaskIndex, "build", None), "discovery"):
        yield True, "bridge", "on: lm_eval finds our tasks by itself"
    else:
        why = (
            "LM_EVAL_JA_AUTOLOAD=0"
            if os.environ.get("LM_EVAL_JA_AUTOLOAD") == "0"
            else "lm_eval_ja.pth was not read"
        )
        yield True, "bridge", f'off ({why}): give lm_eval --include_path "$(lm-eval-ja tasks-path)"'
    yield True, "task index", _index(manager)


def _finds_our_tasks(manager: Any) -> bool:
    from lm_eval_ja import plugin

    try:
        return plugin.finds_our_tasks(manager)
    except Exception:  # noqa: BLE001  # a harness that has changed; the hooks' findings say so
        return False


def _index(manager: Any) -> str:
    """How lm_eval's index of all tasks is built."""
    from lm_eval_ja import plugin

    if not plugin.is_hooked(getattr(manager.TaskIndex, "build", None), "index"):
        return "lm_eval's own"
    if os.environ.get(plugin.SHARE_SWITCH) == "0":
        return f"lm_eval's own ({plugin.SHARE_SWITCH}=0)"
    if os.environ.get(plugin.CACHE_SWITCH) == "1":
        return f"kept on disk, in the folder index of our cache ({plugin.CACHE_SWITCH}=1)"
    return f"shared includes are parsed once; {plugin.CACHE_SWITCH}=1 keeps it on disk, for starts without parsing"


def _tasks() -> Iterator[Check]:
    """Build every task of ours on the sample data: `lm_eval validate` only compares names."""
    try:
        from lm_eval.tasks import TaskManager
    except Exception:  # noqa: BLE001  # told by the check before
        return
    from lm_eval_ja.plugin import TASKS_PATH
    from lm_eval_ja.protocols import find_rules

    manager = TaskManager(include_path=str(TASKS_PATH), include_defaults=False, metadata={"data": "sample"})
    broken: list[str] = []
    for name in manager.all_subtasks:
        rules = find_rules(name)
        if rules is not None and rules.status == "own data":
            continue  # only its owner has it
        try:
            manager.load([name])
        except Exception as error:  # noqa: BLE001  # whatever is wrong with one task is what we report
            broken.append(f"{name} ({type(error).__name__}: {error})")
    yield (
        not broken and bool(manager.all_subtasks),
        "tasks",
        "; ".join(broken) or f"{len(manager.all_subtasks)} tasks and {len(manager.all_groups)} groups load",
    )


def _places() -> Iterator[Check]:
    from lm_eval_ja.datasets import Settings

    try:
        settings = Settings.from_env()
    except LmEvalJaError as error:
        yield False, "settings", str(error)
        return
    writable = _writable(settings.cache)
    yield (
        writable,
        "cache",
        str(settings.cache)
        if writable
        else f"{settings.cache} can't be written: set LM_EVAL_JA_CACHE to a folder that can",
    )
    if settings.mirror_folder is not None and not settings.mirror_folder.is_dir():
        yield (
            False,
            "mirror",
            f"{settings.mirror_folder} is no folder: set LM_EVAL_JA_MIRROR to one, or unset it",
        )
    else:
        yield (
            True,
            "mirror",
            settings.mirror_shown or "none: files come from their own sites",
        )
    yield True, "network", "off (LM_EVAL_JA_OFFLINE)" if settings.offline else "may be used"


def _writable(folder: Path) -> bool:
    probe = folder / f".doctor-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError:
        return False
    return True


def _datasets(protocol: str) -> bool:
    """Show the state of every dataset of a protocol."""
    from lm_eval_ja.datasets import SPLITS, certify, describe, packaged

    states: dict[str, dict[str, str]] = {}
    problems: list[str] = []
    well = True
    for row in describe(protocol):
        if row.ready:
            state = f"{row.count} (own data)" if row.own_data else str(row.count)
        elif row.obtainable:
            state = "on first use"
        else:
            problems.append(f"{row.dataset} {row.split}: {row.problem}")
            state = f"missing [{len(problems)}]"
            well = well and row.split != "test"
        states.setdefault(row.dataset, {})[row.split] = state
    well = _m_ifeval(protocol, states, problems) and well
    published = [dataset for dataset in states if dataset in packaged().certificates]
    equal = {each.dataset: ", ".join(each.versions) for each in certify(published, build=False)}
    print_table(
        ("dataset", *SPLITS, "dev equals llm-jp-eval"),
        [
            (dataset, *(found.get(split, "-") for split in SPLITS), equal.get(dataset) or "-")
            for dataset, found in states.items()
        ],
    )
    print("A number: ready. On first use: fetched or converted by the first run, or by `lm-eval-ja prepare`.")
    print("Last column: the versions whose file LLM-jp publishes the SHA-256 of that our dev split makes.")
    for number, problem in enumerate(problems, 1):
        print(f"[{number}] {problem}")
    return well


def _m_ifeval(protocol: str, states: dict[str, dict[str, str]], problems: list[str]) -> bool:
    """Add the state of M-IFEval's prompts, if the protocol asks them; whether a run can have them."""
    from lm_eval_ja.datasets import Settings, load_m_ifeval
    from lm_eval_ja.protocols import load_protocol

    rules = load_protocol(protocol).instructions
    if rules is None:
        return True
    settings = Settings.from_env()
    try:
        prompts = load_m_ifeval(settings=dataclasses.replace(settings, offline=True))
    except LmEvalJaError as error:
        if settings.may_download:
            states[rules.dataset] = {"test": "on first use"}
            return True
        problems.append(f"{rules.dataset} test: {error}")
        states[rules.dataset] = {"test": f"missing [{len(problems)}]"}
        return False
    states[rules.dataset] = {"test": str(len(prompts))}
    return True


def _judge() -> Iterator[Check]:
    """What MT-Bench needs besides a model. Only what is set can be wrong: a run of jaster needs none of it."""
    from lm_eval_ja.datasets import Settings, load_mtbench
    from lm_eval_ja.judge import plan
    from lm_eval_ja.judge.mtbench import store_path
    from lm_eval_ja.judge.options import JudgeOptions

    try:
        settings = dataclasses.replace(Settings.from_env(), offline=True)
        yield True, "mtbench", f"{len(load_mtbench(settings=settings))} questions on this machine"
    except LmEvalJaError:
        yield True, "mtbench", "its questions are downloaded on first use, or by `lm-eval-ja prepare`"
    try:
        options = JudgeOptions.from_run(None)
        if not options.judging:
            yield True, "judge", "none (LM_EVAL_JA_JUDGE_MODEL): answers are generated and logged only"
            return
        plan([], options.config(), store_path())
    except LmEvalJaError as error:
        yield False, "judge", str(error)
        return
    variable = options.config().api_key_env
    key = "is set" if os.environ.get(variable) else "is not set (only MT-Bench needs it)"
    where = f" at {options.judge_base_url}" if options.judge_base_url else ""
    yield True, "judge", f"{options.judge_model}{where}; {variable} {key}"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
