"""lm-eval's index of tasks in half its time or, with a cache on disk, a tenth.

``TaskIndex.build`` parses 26,000 YAML texts for 14,000 files, most of them a shared ``include`` that was parsed before,
and makes a loader class for each. While it runs, this hook keeps what upstream's own ``load_yaml`` returned for an
include, and one loader class per folder. How files are found, included, merged and named stays upstream's.

``LM_EVAL_JA_SHARE_INCLUDES=0`` turns it off, ``LM_EVAL_JA_INDEX_CACHE=1`` keeps the parsed files on disk as well, see
:mod:`lm_eval_ja.plugin._index_cache`.

Retires when upstream parses an include once (docs/upstream.md, first item).
"""

import functools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from lm_eval_ja.plugin._index_cache import IndexCache, open_cache
from lm_eval_ja.plugin._marks import is_hooked, mark

SHARE_SWITCH = "LM_EVAL_JA_SHARE_INCLUDES"
"""``0``: upstream's index as it is."""

CACHE_SWITCH = "LM_EVAL_JA_INDEX_CACHE"
"""``1``: parsed task files are kept on disk."""

_HOOK = "index"
_lock = threading.RLock()
_kept: ContextVar[dict[str, Any] | None] = ContextVar("indexes kept", default=None)


def install_index(manager: ModuleType) -> None:
    """Parse every include once while tasks are indexed.

    Args:
        manager: The module ``lm_eval.tasks.manager``.

    Raises:
        AttributeError: This lm-eval builds its index in another way.
        ModuleNotFoundError: The same.
    """
    index: Any = manager.TaskIndex
    original = index.build
    if is_hooked(original, _HOOK):
        return
    caller = import_module(index.__module__)
    loader = import_module(f"{index.__module__.rpartition('.')[0]}._yaml_loader")
    for module, name in ((caller, "load_yaml"), (loader, "load_yaml"), (loader, "_make_loader")):
        getattr(module, name)  # all that is replaced below is there

    @functools.wraps(original)
    def build(paths: Any, *args: Any, **kwargs: Any) -> Any:
        roots = list(paths)
        kept = _kept.get()
        if kept is None:
            return build_now(roots, *args, **kwargs)
        key = repr((list(map(str, roots)), args, kwargs))
        if key not in kept:
            kept[key] = build_now(roots, *args, **kwargs)
        return dict(kept[key])  # a group that loads adds names of its own

    def build_now(roots: list[Any], *args: Any, **kwargs: Any) -> Any:
        if os.environ.get(SHARE_SWITCH) == "0":
            return original(roots, *args, **kwargs)
        cache = open_cache(roots, [args, kwargs]) if os.environ.get(CACHE_SWITCH) == "1" else None
        with _shared(caller, loader, cache):
            entries = original(roots, *args, **kwargs)
        if cache is not None:
            cache.save()
        return entries

    mark(build, _HOOK)
    index.build = staticmethod(build)


@contextmanager
def index_kept() -> Iterator[None]:
    """While it is open, the tasks in the same folders are indexed once, however many task managers are made."""
    token = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(token)


@contextmanager
def _shared(caller: Any, loader: Any, cache: IndexCache | None) -> Iterator[None]:
    """Replace upstream's functions for the time of one build; two threads build one after the other."""
    with _lock:
        replaced = caller.load_yaml, loader.load_yaml, loader._make_loader  # noqa: SLF001  # upstream has no other name
        includes = _Includes(loader.load_yaml, cache)
        loader.load_yaml = includes.load
        loader._make_loader = functools.cache(loader._make_loader)  # noqa: SLF001
        if cache is not None:
            caller.load_yaml = functools.partial(includes.load_file, caller.load_yaml)
        try:
            yield
        finally:
            caller.load_yaml, loader.load_yaml, loader._make_loader = replaced  # noqa: SLF001


class _Includes:
    """What upstream's ``load_yaml`` returned for each include, and which files it read for it."""

    def __init__(self, load: Callable[..., dict[str, Any]], cache: IndexCache | None) -> None:
        self._load = load
        self._cache = cache
        self._known: dict[tuple[str, bool, bool], tuple[dict[str, Any], set[Path], set[str]]] = {}
        self._reads: list[set[str]] = [set()]

    def load(
        self,
        path: str | Path,
        *,
        resolve_func: bool = True,
        recursive: bool = True,
        _seen: set[Path] | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """As upstream's; ``_seen`` (files read for this task so far, against cycles) tells an include from a task."""
        if more or not _seen:
            return self._load(path, resolve_func=resolve_func, recursive=recursive, _seen=_seen, **more)
        key = (str(path), resolve_func, recursive)
        if key in self._known:
            config, added, reads = self._known[key]
            if added.isdisjoint(_seen):  # else upstream has an error to raise
                _seen |= added
                self._reads[-1] |= reads
                return plain_copy(config)  # type: ignore[no-any-return]  # a copy of a dictionary
        if self._cache is not None:
            self._cache.stat(str(path))  # before it is read, so that a change meanwhile is noticed
        before = set(_seen)
        self._reads.append({str(path)})
        try:
            config = self._load(path, resolve_func=resolve_func, recursive=recursive, _seen=_seen)
        finally:
            reads = self._reads.pop()
            self._reads[-1] |= reads
        self._known[key] = plain_copy(config), _seen - before, reads
        return config

    def load_file(
        self, load: Callable[..., dict[str, Any]], path: Path, *args: Any, **kwargs: Any
    ) -> dict[str, Any]:
        """A task's file, from the cache if neither it nor what it includes has changed."""
        assert self._cache is not None  # noqa: S101  # installed only with one
        name = str(path)
        config = self._cache.take(name)
        if config is None:
            self._reads[-1] = {name}
            config = load(path, *args, **kwargs)
            self._cache.put(name, config, self._reads[-1])
        return config


def plain_copy(value: Any) -> Any:
    """A copy of what a YAML text can hold: every task gets its own, as if the include had been parsed for it."""
    if type(value) is dict:
        return {key: plain_copy(item) for key, item in value.items()}
    if type(value) is list:
        return [plain_copy(item) for item in value]
    if type(value) is set:
        return set(value)
    return value
