"""Data that cannot be had: all of it is named at once, and may be left out (``skip_missing``)."""

import functools
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import Any

from lm_eval_ja.errors import DataError
from lm_eval_ja.plugin._marks import is_hooked, mark

OPTION = "skip_missing"
"""Name of the option in ``--metadata``."""

_HOOK = "missing data"
_log = logging.getLogger(__name__)

_problems: ContextVar[dict[str, str] | None] = ContextVar("problems of this load", default=None)
_left_out: ContextVar[dict[str, str] | None] = ContextVar("what this run leaves out", default=None)


class _Absent:
    """Stands where a task would, while its group is built. The harness takes it for no task and for no group."""

    def __init__(self, name: str) -> None:
        self.task_name = self._qualified_name = name


def install_missing(manager: ModuleType) -> None:
    """Name all tasks whose data cannot be had, not just the first; with ``skip_missing`` load the others.

    lm-eval builds tasks one by one and ends at the first exception. Here one that raises our ``DataError`` is noted
    and the rest is built. Then one error names all of them, or they are taken out of the loaded tasks and of their
    groups, as if no group had ever named them. Other exceptions, and tasks without any, take upstream's path.

    Retires when upstream can load a group without its members that fail.

    Args:
        manager: The module ``lm_eval.tasks.manager``.

    Raises:
        AttributeError: This lm-eval builds its tasks in another way.
    """
    managers: Any = manager.TaskManager
    factory: Any = manager.TaskFactory
    original_build, original_load = factory._build_task, managers.load  # noqa: SLF001  # where a task is made
    if is_hooked(original_load, _HOOK):
        return

    @functools.wraps(original_build)
    def build_task(self: Any, entry: Any, overrides: Any) -> Any:
        problems = _problems.get()
        if problems is None:
            return original_build(self, entry, overrides)
        name = str((overrides or {}).get("task") or entry.name)
        left_out = _left_out.get() or {}
        if name in left_out:  # it would fail in the same way, after the same wait
            problems[name] = left_out[name]
            return _Absent(name)
        try:
            return original_build(self, entry, overrides)
        except DataError as error:
            problems[name] = str(error)
            return _Absent(name)

    @functools.wraps(original_load)
    def load(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _problems.get() is not None:
            return original_load(self, *args, **kwargs)
        problems: dict[str, str] = {}
        token = _problems.set(problems)
        try:
            loaded = original_load(self, *args, **kwargs)
        finally:
            _problems.reset(token)
        if problems:
            others = loaded["tasks"].keys() - problems.keys()
            settle(problems, others=len(others), skip=skips(self))
            _take_out(loaded, problems)
        return loaded

    mark(build_task, _HOOK)
    mark(load, _HOOK)
    factory._build_task = build_task  # noqa: SLF001
    managers.load = load


def skips(manager: Any) -> bool:
    """Whether the run may go on without tasks whose data cannot be had."""
    return (getattr(manager, "metadata", None) or {}).get(OPTION) is True


@contextmanager
def leaving_out() -> Iterator[None]:
    """While it is open, a task that was left out once is not tried again."""
    token = _left_out.set({})
    try:
        yield
    finally:
        _left_out.reset(token)


def settle(problems: Mapping[str, str], *, others: int, skip: bool) -> None:
    """Say what cannot be had, all of it; end the run if it may not go on or has nothing else to do.

    Args:
        problems: Why and what to do, by task.
        others: Number of tasks that can be had.
        skip: Whether the run may go on.

    Raises:
        DataError: It may not, or there is nothing else.
    """
    if not problems:
        return
    if len(problems) == 1 and not others:
        raise DataError(next(iter(problems.values())))
    listed = "\n".join(f"- {', '.join(names)}: {why}" for names, why in _by_reason(problems))
    total = len(problems) + others
    if not others:
        raise DataError(f"the data of all {total} tasks cannot be had:\n{listed}")
    if not skip:
        raise DataError(
            f"the data of {len(problems)} of {total} tasks cannot be had:\n{listed}\n"
            f"Supply it, or run the others: --metadata '{{\"{OPTION}\": true}}' leaves these out and reports every "
            "average over them as missing."
        )
    left_out = _left_out.get()
    if left_out is not None:
        if left_out.keys() >= problems.keys():
            return  # said before
        left_out.update(problems)
    _log.warning("%d of %d tasks are left out, their data cannot be had:\n%s", len(problems), total, listed)


def _by_reason(problems: Mapping[str, str]) -> Iterable[tuple[list[str], str]]:
    """Tasks that lack the same file, together."""
    reasons: dict[str, list[str]] = {}
    for name, why in problems.items():
        reasons.setdefault(why, []).append(name)
    return [(names, why) for why, names in reasons.items()]


def _take_out(loaded: dict[str, Any], problems: Mapping[str, str]) -> None:
    for name in problems:
        loaded["tasks"].pop(name, None)
    groups: Mapping[str, Any] = loaded.get("groups") or {}
    for group in groups.values():
        for name in problems:
            group.pop(name)
    if groups:
        loaded["group_map"] = {name: group.child_names for name, group in groups.items()}
