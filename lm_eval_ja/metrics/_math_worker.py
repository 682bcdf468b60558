"""Compare mathematical answers with math-verify, in a process that can be ended: sympy may take for ever.

Each line of the standard input is a JSON list of a prediction and a gold answer; the answer to it is ``true`` or
``false``. The first line of the output, before any question, is ``true``. math-verify's own time limits need signals,
which neither threads nor every platform have, so they are off here: `lm_eval_ja.metrics.mathematics` keeps the time.
"""

import contextlib
import json
import logging
import sys

_MOST_MEMORY = 4 << 30
_DELIMITERS = ("$", "\\boxed", "\\(", "\\[")


def equal(prediction: str, gold: str) -> bool:
    """Whether math-verify takes two answers for the same; texts without LaTeX's delimiters are put between ``$``."""
    from math_verify import parse, verify  # type: ignore[import-not-found,import-untyped,unused-ignore]  # an extra

    wanted, found = (
        parse(text if any(sign in text for sign in _DELIMITERS) else f"${text}$", parsing_timeout=None)
        for text in (gold, prediction)
    )
    return bool(verify(wanted, found, timeout_seconds=None))


def main() -> None:
    """Answer until the input ends."""
    logging.disable()  # it warns that its own time limits are off
    with contextlib.suppress(ImportError, ValueError, OSError):  # not on every platform
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    equal("1", "1")
    _say(True)
    for line in sys.stdin:
        try:
            _say(equal(*json.loads(line)))
        except Exception:  # noqa: BLE001, PERF203  # whatever sympy makes of a model's answer: not equal
            _say(False)


def _say(answer: bool) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
