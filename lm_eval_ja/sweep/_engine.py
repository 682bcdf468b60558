"""Where a checkpoint is evaluated: in this process, or in one of its own that takes its memory along."""

import gc
import os
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

T = TypeVar("T")

_INDEX_CACHE = "LM_EVAL_JA_INDEX_CACHE"


def free_memory() -> None:
    """Have a model that nobody holds any more leave the memory of machine and GPU."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def run_apart(function: Callable[[T], None], argument: T) -> str | None:
    """Call a function in a new process, which keeps lm-eval's index of tasks on disk for the next one.

    Args:
        function: A module's function.
        argument: Whatever can be pickled.

    Returns:
        What it raised, None if it did not.
    """
    given = os.environ.get(_INDEX_CACHE)
    os.environ.setdefault(_INDEX_CACHE, "1")
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(_reason, function, argument).result()
    except BrokenProcessPool:
        return "its process was killed (out of memory?)"
    finally:
        if given is None:
            del os.environ[_INDEX_CACHE]


def _reason(function: Callable[[T], None], argument: T) -> str | None:
    """Exceptions may not survive the way between processes; their text does."""
    try:
        function(argument)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # handed on
        traceback.print_exc()
        return f"{type(error).__name__}: {error}"
    return None
