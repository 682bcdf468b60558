"""Our tasks are found without ``--include_path``."""

import difflib
import functools
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from lm_eval_ja.plugin._marks import is_hooked, mark

TASKS_PATH = Path(__file__).parents[1] / "tasks"
"""Folder with the task YAML files, for ``--include_path``."""

_HOOK = "discovery"
_log = logging.getLogger(__name__)


def install_discovery(manager: ModuleType) -> None:
    """Make every index that holds upstream's own tasks hold ours, too.

    Upstream's ``TaskManager`` hands all folders it knows of to ``TaskIndex.build``. Ours is put behind upstream's own
    and before the user's, which so win over ours. Where it is among them already, because the user named it or because
    lm-eval found our entry point, nothing is added. Without upstream's own tasks (``include_defaults=False``) only the
    folders that were named are searched.

    Retires when upstream reads the ``lm_eval.tasks`` entry points (EleutherAI/lm-evaluation-harness #4015).

    Args:
        manager: The module ``lm_eval.tasks.manager``.

    Raises:
        AttributeError: This lm-eval builds its index in another way.
    """
    index: Any = manager.TaskIndex
    original = index.build
    if is_hooked(original, _HOOK):
        return
    own = Path(str(manager.__file__)).parent

    @functools.wraps(original)
    def build(paths: Iterable[Path], *args: Any, **kwargs: Any) -> Any:
        return original(_with_ours(list(paths), own), *args, **kwargs)

    mark(build, _HOOK)
    index.build = staticmethod(build)


def _with_ours(paths: list[Path], own: Path) -> list[Path]:
    resolved = [Path(path).resolve() for path in paths]
    if own.resolve() not in resolved or TASKS_PATH.resolve() in resolved:
        return paths
    behind = resolved.index(own.resolve()) + 1
    return [*paths[:behind], TASKS_PATH, *paths[behind:]]


def install_hints(manager: ModuleType) -> None:
    """Say which task of ours is meant by a name that is nobody's: upstream only says that it was not found.

    Retires when upstream suggests names.

    Args:
        manager: The module ``lm_eval.tasks.manager``.

    Raises:
        AttributeError: This lm-eval looks names up in another way.
    """
    managers: Any = manager.TaskManager
    original = managers.match_tasks
    if is_hooked(original, "hints"):
        return

    @functools.wraps(original)
    def match_tasks(self: Any, task_list: list[str]) -> Any:
        found = original(self, task_list)
        for name in task_list:
            if set(found) <= {name}:  # 0.4 leaves an unknown name out, 0.5.0.dev1 hands it back
                _hint(name, self)
        return found

    mark(match_tasks, "hints")
    managers.match_tasks = match_tasks


def _hint(name: str, manager: Any) -> None:
    known: Mapping[str, Any] = getattr(manager, "_index", {})
    if name in known:
        return
    ours = [key for key, entry in known.items() if TASKS_PATH in getattr(entry.yaml_path, "parents", ())]
    close = difflib.get_close_matches(name, ours, n=3, cutoff=0.8)
    if close:
        _log.warning("no task is named %s: did you mean %s?", name, " or ".join(close))


def finds_our_tasks(manager: ModuleType) -> bool:
    """Whether a plain ``TaskManager()`` of this lm-eval searches our folder without the hook: by asking one.

    Args:
        manager: The module ``lm_eval.tasks.manager``.
    """
    index: Any = manager.TaskIndex
    hooked = index.__dict__["build"]
    searched: list[Path] = []

    def record(paths: Iterable[Path], *_: Any, **__: Any) -> dict[str, Any]:
        searched.extend(Path(path).resolve() for path in paths)
        return {}

    index.build = staticmethod(record)
    try:
        manager.TaskManager()
    finally:
        index.build = hooked
    return TASKS_PATH.resolve() in searched


def with_tasks_path(include_path: Any) -> list[str | Path]:
    """Put our tasks folder in front of the user's ``include_path``, unless the user named it already."""
    if include_path is None or include_path == "":
        given: list[str | Path] = []
    elif isinstance(include_path, str | Path):
        given = [include_path]
    else:
        given = list(include_path)
    # Named twice, every task of ours would be reported as overriding itself.
    if any(Path(path).resolve() == TASKS_PATH.resolve() for path in given):
        return given
    return [TASKS_PATH, *given]
