"""Where supported lines of lm-eval differ: one module for each, with the same names.

* ``_v04``: 0.4.12 and 0.4.13.
* ``_v05``: 0.5 (0.5.0.dev1), in which a task hands its answers to *scorers*.

Which one fits is asked of the installed lm-eval, not read from its version.
"""

from importlib.util import find_spec

if find_spec("lm_eval.scorers") is None:
    from lm_eval_ja.adapters._v04 import HarnessTask, make_request, stderr_module, task_key
else:
    from lm_eval_ja.adapters._v05 import HarnessTask, make_request, stderr_module, task_key

__all__ = ["HarnessTask", "make_request", "stderr_module", "task_key"]
