"""The import hook behind ``lm_eval_ja.pth``: finds our tasks for lm-eval until it reads entry points itself.

Runs at every interpreter start, so it imports nothing but what a bare start has loaded already, and it does nothing
at all until ``lm_eval.evaluator`` or ``lm_eval.tasks.manager`` is first imported. ``LM_EVAL_JA_AUTOLOAD=0`` turns it
off before this module is even read.

Retires with lm-eval's discovery of the ``lm_eval.tasks`` entry-point group (EleutherAI/lm-evaluation-harness #4015).
"""

import os
import sys

TYPE_CHECKING = False  # typing's own is an import, and this module is read at every interpreter start
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_MANAGER = "lm_eval.tasks.manager"
_HOOKED = {_MANAGER: "attach", "lm_eval.evaluator": "attach_evaluator"}
"""Module of lm-eval -> the plugin's function that is given it."""


class _Loader:
    """Runs the real loader, then lets ``plugin`` attach itself to the module."""

    def __init__(self, loader: "Any") -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> "Any":
        return getattr(self._loader, name)

    def create_module(self, spec: "Any") -> "ModuleType | None":
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: "ModuleType") -> None:
        self._loader.exec_module(module)
        try:
            from lm_eval_ja import plugin

            getattr(plugin, _HOOKED[module.__name__])(module)
        except Exception as error:  # noqa: BLE001  # a plugin in trouble must never break the harness
            import warnings

            warnings.warn(
                f"lm-eval-ja could not attach itself to lm_eval ({type(error).__name__}: {error}): its tasks are "
                "unavailable; `lm-eval-ja doctor` says more, LM_EVAL_JA_AUTOLOAD=0 silences this",
                RuntimeWarning,
                stacklevel=2,
            )


class _Finder:
    """Meta-path finder that acts once on each of the hooked modules, and then leaves."""

    def __init__(self) -> None:
        self._waiting = set(_HOOKED)

    def find_spec(self, name: str, path: "Any" = None, target: "Any" = None) -> "Any":  # noqa: ARG002  # import protocol
        if name not in self._waiting:
            return None
        from importlib.util import find_spec

        self._waiting.discard(name)
        if not self._waiting:
            sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]
        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)  # type: ignore[assignment]  # duck-typed, as the protocol allows
        return spec


def install() -> bool:
    """Put the finder in place, once per interpreter.

    Returns:
        Whether the bridge is on.
    """
    if os.environ.get("LM_EVAL_JA_AUTOLOAD") == "0" or _MANAGER in sys.modules:
        return False
    if not any(
        type(finder).__name__ == "_Finder" and type(finder).__module__ == __name__ for finder in sys.meta_path
    ):
        sys.meta_path.insert(0, _Finder())
    return True


install()
