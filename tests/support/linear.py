"""Whether something takes time in proportion to its input, told by ratios of processor time, whatever the load."""

import time
from collections.abc import Callable

_NOTHING = 0.2  # seconds of a processor; below it, ratios say nothing
_MOST = 10  # times as long for four times as much: in proportion it is 4, by the square 16


def assert_linear(work: Callable[[str], object], text: str) -> None:
    """Work on a text and on its first quarter, and compare."""
    quarter = min(_seconds(work, text[: len(text) // 4]) for _ in range(2))
    whole = _seconds(work, text)
    if whole > max(
        _MOST * quarter, _NOTHING
    ):  # once more: a cache or a collection of garbage may have fallen into it
        whole = _seconds(work, text)
    assert whole <= max(_MOST * quarter, _NOTHING), (
        f"{whole:.2f} s for it, {quarter:.2f} s for a quarter of it"
    )


def _seconds(work: Callable[[str], object], text: str) -> float:
    start = time.process_time()
    work(text)
    return time.process_time() - start
