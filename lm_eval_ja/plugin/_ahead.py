"""What can go wrong with our tasks goes wrong before a model is loaded."""

import functools
import inspect
import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from lm_eval_ja._once import one_run
from lm_eval_ja.errors import DataError, LmEvalJaError
from lm_eval_ja.plugin._marks import is_hooked, mark
from lm_eval_ja.plugin._missing import leaving_out, settle, skips

_HOOK = "ahead"
_log = logging.getLogger(__name__)

_GROUP_KEYS = frozenset({"group", "group_alias", "task", "aggregate_metric_list", "metadata", "tag"})
"""Keys of a group's file that change nothing in its members."""


def check_ahead(evaluator: ModuleType) -> None:
    """Build and check the selected tasks of ours before ``simple_evaluate`` makes the model.

    Upstream makes the model first, so a misspelled option, a missing file or a judge without a key is told after the
    weights have been loaded. Each task of ours is asked to check what it can (its method ``before_model``), and then
    what the run will take is said once. Upstream then goes its own way with the same arguments and builds the tasks
    again; data and the judge's answer are kept for it (`lm_eval_ja._once`).

    Retires when upstream loads tasks before the model and lets them check the run's settings.

    Args:
        evaluator: The module ``lm_eval.evaluator``.

    Raises:
        AttributeError: This lm-eval evaluates in another way.
    """
    original = evaluator.simple_evaluate
    if is_hooked(original, _HOOK):
        return
    signature = inspect.signature(original)
    for name in ("model", "model_args", "tasks", "task_manager", "metadata"):
        if name not in signature.parameters:
            raise AttributeError(f"simple_evaluate has no argument {name}")

    @functools.wraps(original)
    def simple_evaluate(*args: Any, **kwargs: Any) -> Any:
        try:
            given = signature.bind(*args, **kwargs)
        except TypeError:  # upstream says it better
            return original(*args, **kwargs)
        given.apply_defaults()
        manager = given.arguments["task_manager"]
        if manager is None and given.arguments["tasks"]:
            manager = kwargs["task_manager"] = _manager(evaluator, given.arguments)
        with one_run(), leaving_out():
            _look_ahead(evaluator, manager, given.arguments)
            return original(*args, **kwargs)

    mark(simple_evaluate, _HOOK)
    vars(evaluator)["simple_evaluate"] = simple_evaluate


def _manager(evaluator: ModuleType, arguments: Mapping[str, Any]) -> Any:
    """The task manager that upstream would make, after the model."""
    model_args = arguments["model_args"]
    if isinstance(model_args, str):
        model_args = evaluator.simple_parse_args_string(model_args)
    model_args = model_args if isinstance(model_args, dict) else {}
    return evaluator.TaskManager(metadata=model_args | (arguments["metadata"] or {}))


def _look_ahead(evaluator: ModuleType, manager: Any, arguments: Mapping[str, Any]) -> None:
    """Check the selected tasks of ours.

    Raises:
        LmEvalJaError: Something is wrong; what and how to mend it.
    """
    names = list(dict.fromkeys(_ours(arguments["tasks"] or (), manager)))
    if not names:
        return
    loaded: Mapping[str, Any] = manager.load(names)["tasks"]
    tasks = {name: task for name, task in loaded.items() if hasattr(task, "before_model")}
    problems: dict[str, str] = {}
    found = []
    settings = arguments.get("gen_kwargs")
    if isinstance(settings, str):
        settings = evaluator.simple_parse_args_string(settings)
    try:
        for name, task in tasks.items():
            if settings:
                task.set_config(key="generation_kwargs", value=dict(settings), update=True)
            try:
                found.append(task.before_model(arguments))
            except DataError as error:
                problems[name] = str(error)
        settle(problems, others=len(loaded) - len(problems), skip=skips(manager))
        if found:
            next(iter(tasks.values())).announce(found)
    except LmEvalJaError:
        raise
    except Exception as error:  # noqa: BLE001  # what is wrong with a check must not end a run that is not
        _log.warning(
            "the tasks could not be checked before the model is loaded (%s: %s); they will be when they are used",
            type(error).__name__,
            error,
        )


def _ours(selected: Sequence[Any], manager: Any) -> Iterator[str]:
    """What of the selected tasks is ours: as it was named where it is ours as a whole, otherwise its members.

    Nothing else is built ahead: another's task may draw random numbers as it loads, and must draw them where it would.
    """
    index: Mapping[str, Any] = getattr(manager, "_index", {})  # 0.5 has no public name for it
    for spec in [selected] if isinstance(selected, str) else selected:
        if isinstance(spec, str):
            yield from _ours_in(spec, index)


def _ours_in(name: str, index: Mapping[str, Any]) -> list[str]:
    entry = index.get(name)
    if entry is None:
        return []
    config: Mapping[str, Any] = entry.cfg or {}
    if "class" in config:  # in the index a function is a name behind its file's folder
        return [name] if Path(str(config["class"])).name.startswith("lm_eval_ja.") else []
    inner = config["task"] if isinstance(config.get("task"), list) else sorted(entry.tags)
    found = [_ours_in(member, index) if isinstance(member, str) else [] for member in inner]
    if found and found == [[member] for member in inner]:
        return [name]
    # A group that sets anything for its members builds others than those of the index.
    return list(itertools.chain.from_iterable(found)) if config.keys() <= _GROUP_KEYS else []
