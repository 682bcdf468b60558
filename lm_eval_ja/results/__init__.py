"""Result and sample files of the harness, read and written: the only room that knows their layout.

```python
runs = read_runs(["out"])
```
"""

from lm_eval_ja.results._files import (
    PER_TASK,
    ResultsFile,
    find_results,
    mapping,
    read_lines,
    read_results,
    score_entry,
    write_run,
)
from lm_eval_ja.results._read import read_runs
from lm_eval_ja.results._stamps import stamp_after
from lm_eval_ja.results._types import (
    JudgeReply,
    Part,
    Problem,
    Question,
    Run,
    RunSet,
    Sample,
    TaskResult,
    Turn,
)

__all__ = [
    "PER_TASK",
    "JudgeReply",
    "Part",
    "Problem",
    "Question",
    "ResultsFile",
    "Run",
    "RunSet",
    "Sample",
    "TaskResult",
    "Turn",
    "find_results",
    "mapping",
    "read_lines",
    "read_results",
    "read_runs",
    "score_entry",
    "stamp_after",
    "write_run",
]
