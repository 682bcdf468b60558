"""The harness's door: the only room that changes how lm-eval itself behaves.

Small hooks, each idempotent, each with the upstream change that retires it in its docstring:

* ``_discovery``: our tasks folder is searched without ``--include_path``; a misspelled name of ours gets a hint.
* ``_index``: a shared ``include`` is parsed once while tasks are indexed; with ``LM_EVAL_JA_INDEX_CACHE=1`` not at all.
* ``_command``: ``lm_eval run`` as a function of its options, for a sweep over many models.
* ``_ahead``: tasks of ours are built and checked before the model is.
* ``_missing``: data that cannot be had is named all at once, and may be left out.
* ``_scores``: a group's score may be computed by a function of its children's scores, and an aggregation may bring its
  own standard error.
* ``_turns``: a request may have two turns, on every backend.
* ``_thoughts``: answers are looked at as they come; a chat server's ``reasoning_content`` is not lost to our tasks.
* ``_repeats``: a request may be answered several times, every time drawn anew.
* ``_errors``: ``lm_eval`` shows an error of ours without a traceback.
* ``_cache``: an answer cache of one model (or seed) is refused to another.
* ``_registries``: our aggregations, normalization filter and ``recorded`` model are known by name.

They are installed by the ``.pth`` bridge, or by the first ``!function lm_eval_ja.tasks…`` that a task YAML resolves.
One that does not fit the installed lm-eval is left out by itself, with one warning that says what is missing then.
"""

import warnings
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from types import ModuleType

from lm_eval_ja.plugin._ahead import check_ahead
from lm_eval_ja.plugin._cache import claim, refuse_others_answers, remember_arguments
from lm_eval_ja.plugin._command import add_run_options, run_command
from lm_eval_ja.plugin._discovery import (
    TASKS_PATH,
    finds_our_tasks,
    install_discovery,
    install_hints,
    with_tasks_path,
)
from lm_eval_ja.plugin._errors import say_errors_plainly
from lm_eval_ja.plugin._index import CACHE_SWITCH, SHARE_SWITCH, index_kept, install_index
from lm_eval_ja.plugin._marks import is_hooked
from lm_eval_ja.plugin._missing import install_missing
from lm_eval_ja.plugin._registries import register
from lm_eval_ja.plugin._repeats import add_repeated
from lm_eval_ja.plugin._scores import honour_callable_aggregation, honour_own_stderr
from lm_eval_ja.plugin._thoughts import install_first_look, warn_of_thoughts, watch_thoughts
from lm_eval_ja.plugin._turns import add_multi_turn, generate_until_multi_turn

__all__ = [
    "CACHE_SWITCH",
    "SHARE_SWITCH",
    "TASKS_PATH",
    "add_run_options",
    "attach",
    "attach_evaluator",
    "claim",
    "failures",
    "finds_our_tasks",
    "generate_until_multi_turn",
    "index_kept",
    "install",
    "install_discovery",
    "install_index",
    "is_hooked",
    "run_command",
    "warn_of_thoughts",
    "watch_thoughts",
    "with_tasks_path",
]

_HOOKS: Mapping[str, Callable[[], None]] = {
    "our names in lm-eval's registries (no task of ours can load)": register,
    "scores of our groups (averages of averages)": honour_callable_aggregation,
    "standard errors of our scores": honour_own_stderr,
    "questions with two turns (MT-Bench)": add_multi_turn,
    "the early warning of thoughts in answers": install_first_look,
    "several samples of an answer (repeats)": add_repeated,
    "which model is evaluated, for --use_cache": remember_arguments,
    "refusing another model's answers from --use_cache": refuse_others_answers,
}
"""What is off without it -> the hook."""

_failures: dict[str, Exception] = {}


def install() -> None:
    """Install every hook but those of the task index. Safe to call any number of times."""
    _install_each(_HOOKS.items())


def attach(manager: ModuleType) -> None:
    """Install every hook: those of the task index, then the rest.

    Args:
        manager: The module ``lm_eval.tasks.manager``.
    """
    _install_each(
        [
            (
                'our tasks without --include_path "$(lm-eval-ja tasks-path)"',
                lambda: install_discovery(manager),
            ),
            ("hints for misspelled task names", lambda: install_hints(manager)),
            ("the faster task index", lambda: install_index(manager)),
            ("errors of ours without a traceback", say_errors_plainly),
            ("naming all missing data at once, and skip_missing", lambda: install_missing(manager)),
            *_HOOKS.items(),
        ]
    )


def attach_evaluator(evaluator: ModuleType) -> None:
    """Install the hook of ``simple_evaluate``.

    Args:
        evaluator: The module ``lm_eval.evaluator``.
    """
    _install_each([("checks before the model is loaded", lambda: check_ahead(evaluator))])


def failures() -> Mapping[str, Exception]:
    """What is off because its hook did not fit the installed lm-eval, and why."""
    return dict(_failures)


def _install_each(hooks: Iterable[tuple[str, Callable[[], None]]]) -> None:
    """Install each hook by itself; what fails is told once per process."""
    new: dict[str, Exception] = {}
    for what, hook in hooks:
        try:
            hook()
        except Exception as error:  # noqa: BLE001, PERF203  # one hook in trouble must not take the others along
            if what not in _failures:
                new[what] = error
    _failures.update(new)
    if new:
        reasons = "; ".join(f"{what} ({type(error).__name__}: {error})" for what, error in new.items())
        warnings.warn(
            f"lm-eval-ja does not fit this lm_eval ({version('lm_eval')}) entirely. Off: {reasons}. The rest works; "
            "`lm-eval-ja doctor` says which versions of lm_eval are supported",
            RuntimeWarning,
            stacklevel=3,
        )
