"""What ``lm_eval``'s command line shows of an error of ours."""

import functools
import logging
import sys
from pathlib import Path
from types import TracebackType

from lm_eval_ja.errors import LmEvalJaError
from lm_eval_ja.plugin._marks import is_hooked, mark

_HOOK = "plain errors"
_COMMANDS = frozenset({"lm_eval", "lm-eval"})


def say_errors_plainly() -> None:
    """Wrap ``sys.excepthook``: ``lm_eval`` shows an error of ours as its message, without a traceback above it.

    Everybody else's errors, other programs and ``LMEVAL_LOG_LEVEL=DEBUG`` are as before, and so is the exit status, 1.

    Upstream: its command line catches nothing. Retires when that shows errors a user can act on as such.
    """
    shown = sys.excepthook
    if is_hooked(shown, _HOOK):
        return

    @functools.wraps(shown)
    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, LmEvalJaError) and _is_command() and not _is_debugging():
            sys.stderr.write(f"lm_eval: error: {error}\n")
        else:
            shown(kind, error, trace)

    mark(show, _HOOK)
    sys.excepthook = show


def _is_command() -> bool:
    """Whether this process is the harness's command, as a script or by ``python -m``."""
    module = getattr(getattr(sys.modules.get("__main__"), "__spec__", None), "name", "")
    return module == "lm_eval.__main__" or Path(sys.argv[0]).stem in _COMMANDS


def _is_debugging() -> bool:
    return logging.getLogger("lm_eval").isEnabledFor(logging.DEBUG)
