"""How a wrapper of ours is told from upstream's function."""

from collections.abc import Callable
from typing import Any

_MARK = "_lm_eval_ja_hooks"


def mark(function: Callable[..., Any], hook: str) -> None:
    """Note on ``function``, a wrapper made with :func:`functools.wraps`, which hook it is."""
    setattr(function, _MARK, {*getattr(function, _MARK, ()), hook})


def is_hooked(function: Any, hook: str | None = None) -> bool:
    """Whether ``function`` is, or wraps, one of our wrappers: that of ``hook``, or any."""
    marks: set[str] = getattr(function, _MARK, set())
    return bool(marks) if hook is None else hook in marks
