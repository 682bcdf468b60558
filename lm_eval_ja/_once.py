"""What is the same for a whole run is fetched, asked or loaded once in it."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

_made: ContextVar[dict[Hashable, Any] | None] = ContextVar("made in this run", default=None)


@contextmanager
def one_run() -> Iterator[None]:
    """While it is open, ``once`` makes each thing once. Opened within another it adds nothing."""
    if _made.get() is not None:
        yield
        return
    token = _made.set({})
    try:
        yield
    finally:
        _made.reset(token)


def once(key: Hashable, make: Callable[[], T]) -> T:
    """Make something, or hand out what this run has made of ``key`` before. Outside of any run it is always made.

    Args:
        key: All that the result depends on.
        make: Makes it. What it raises is not kept.
    """
    made = _made.get()
    if made is None:
        return make()
    if key not in made:
        made[key] = make()
    result: T = made[key]
    return result
