"""Many checkpoints, one process: what has to be done, what has been done, and judging beside it.

The room knows nothing of the harness: what evaluates a checkpoint is handed in.
"""

from lm_eval_ja.sweep._checkpoints import Checkpoint, digest, find_checkpoints
from lm_eval_ja.sweep._engine import free_memory, run_apart
from lm_eval_ja.sweep._judging import judge_command
from lm_eval_ja.sweep._ledger import Done, Ledger, is_complete
from lm_eval_ja.sweep._run import Judge, Sweep, Work

__all__ = [
    "Checkpoint",
    "Done",
    "Judge",
    "Ledger",
    "Sweep",
    "Work",
    "digest",
    "find_checkpoints",
    "free_memory",
    "is_complete",
    "judge_command",
    "run_apart",
]
