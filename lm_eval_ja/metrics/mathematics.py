"""Are two mathematical answers the same? Decided by math-verify (extra ``math``), with a time limit.

Whole numbers and equal texts are compared here; anything else is left to a process of its own, which is ended when the
limit is over and started again for the next answer. That holds in threads and on every platform.
"""

import atexit
import importlib.util
import json
import logging
import queue
import re
import subprocess
import sys
import threading
from contextlib import suppress

from lm_eval_ja.errors import OptionError

TIME_LIMIT = 10.0
"""Seconds for one comparison; what takes longer counts as different."""

_START_LIMIT = 300.0  # importing sympy on a busy machine
_WHOLE = re.compile(r"([-+]?)0*(\d+)", re.ASCII)
_log = logging.getLogger(__name__)


def require_math_verify() -> None:
    """Make sure that math-verify is installed.

    Raises:
        OptionError: It is not; the message says how to install it.
    """
    if importlib.util.find_spec("math_verify") is None:
        raise OptionError('mathematical_equivalence needs math-verify: run `pip install "lm-eval-ja[math]"`')


def mathematical_equivalence(prediction: str, gold: str) -> float:
    r"""Tell whether two answers are mathematically the same, such as ``\frac{1}{2}`` and ``0.5``.

    llm-jp-eval 2.1 names the metric; which rules it compares by is not known here, so these are math-verify's: six
    decimals count, ``50%`` is ``0.5``, units after a number don't count, and of an equation its right side is the
    answer. A comparison that takes longer than `TIME_LIMIT`, or that sympy fails at, is none.

    Args:
        prediction: The normalised prediction.
        gold: The gold answer.

    Returns:
        1.0 or 0.0.

    Raises:
        OptionError: math-verify is missing.

    Examples:
        >>> mathematical_equivalence("+12", "12"), mathematical_equivalence("", "12")
        (1.0, 0.0)
    """
    a, b = prediction.strip(), gold.strip()
    if a == b:
        return 1.0
    if not a or not b:
        return 0.0
    left, right = _WHOLE.fullmatch(a), _WHOLE.fullmatch(b)
    if left and right:
        return float((left[1] == "-", left[2]) == (right[1] == "-", right[2]) or left[2] == right[2] == "0")
    return float(_worker.equal(a, b))


class _Worker:
    """The process, started on first use; one comparison at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[str] = queue.Queue()

    def equal(self, prediction: str, gold: str) -> bool:
        with self._lock:
            process = self._process
            if process is None or process.poll() is not None:
                process = self._start()
            assert process.stdin is not None  # noqa: S101  # a pipe
            with suppress(OSError, ValueError):  # it has just ended, or was: then there is no answer either
                process.stdin.write(json.dumps([prediction, gold]) + "\n")
                process.stdin.flush()
            answer = self._next(TIME_LIMIT)
            if answer is None:
                self.stop()
                _log.warning(
                    "mathematical_equivalence: no verdict in time, counted as different: %.80r", prediction
                )
            return answer == "true"

    def _start(self) -> "subprocess.Popen[str]":
        require_math_verify()
        answers: queue.Queue[str] = queue.Queue()
        self._answers = answers
        process = subprocess.Popen(
            [sys.executable, "-m", "lm_eval_ja.metrics._math_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        self._process = process

        def read() -> None:
            assert process.stdout is not None  # noqa: S101  # a pipe
            with process.stdout:
                for line in process.stdout:
                    answers.put(line.strip())
            answers.put("")  # it has ended

        threading.Thread(target=read, daemon=True).start()
        if self._next(_START_LIMIT) != "true":
            self.stop()
            raise OptionError(
                "math-verify does not work here: try `python -c 'import math_verify'`, and "
                '`pip install "lm-eval-ja[math]"`'
            )
        return process

    def _next(self, limit: float) -> str | None:
        try:
            return self._answers.get(timeout=limit) or None
        except queue.Empty:
            return None

    def stop(self) -> None:
        """End the process, if there is one. Waits for no comparison: at the end of Python one may be under way."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            assert process.stdin is not None  # noqa: S101  # a pipe
            with suppress(OSError):  # what is left in it has no reader
                process.stdin.close()  # the other pipe is the reading thread's


_worker = _Worker()
atexit.register(_worker.stop)
