"""Result and sample files of the harness, read and written: the only room that knows their layout.

runs = read_runs(["out"])
"""

from lm_eval_ja.results._read import read_runs
from lm_eval_ja.results._stamps import stamp_after
from lm_eval_ja.results._types import MTBENCH, Judgment, Problem, Question, Run, RunSet, TaskResult, Turn

__all__ = [
    "MTBENCH",
    "Judgment",
    "Problem",
    "Question",
    "Run",
    "RunSet",
    "TaskResult",
    "Turn",
    "read_runs",
    "stamp_after",
]
