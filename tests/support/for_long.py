"""How long a fuzz test goes on: a moment, or as long as LM_EVAL_JA_FUZZ_SECONDS says."""

import os
import time
from collections.abc import Callable

from hypothesis import HealthCheck, settings

SECONDS = float(os.environ.get("LM_EVAL_JA_FUZZ_SECONDS", "0"))

calm = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


def for_long(check: Callable[[], None]) -> None:
    """Run a test's property once, and again until the time asked for is over."""
    end = time.monotonic() + SECONDS
    check()
    while time.monotonic() < end:
        check()


def explains(error: Exception, *names: str, most: int = 2_000) -> None:
    """An error is a good end: it is short, and names what is wrong."""
    said = str(error)
    assert 0 < len(said) <= most, said[:3000]
    assert not names or any(name in said for name in names), said
