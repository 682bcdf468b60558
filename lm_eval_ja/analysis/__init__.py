"""What results say: leaderboards, intervals, comparisons, failures. Pure functions over results and score trees.

```python
analysis = analyse_runs(read_runs(["out"]))
```
"""

from lm_eval_ja.analysis._analyse import Analysis, analyse_runs
from lm_eval_ja.analysis._compare import Change, Comparison, Difference, compare_runs
from lm_eval_ja.analysis._failures import Failures, Outcome, analyse, failed_parts
from lm_eval_ja.analysis._gate import Checked, Gate, gate_runs
from lm_eval_ja.analysis._given import GivenLine, given_tree, read_given
from lm_eval_ja.analysis._intervals import RunIntervals, bootstrap_intervals
from lm_eval_ja.analysis._leaderboards import (
    RANKED,
    Column,
    Leaderboard,
    Row,
    SettingDifference,
    is_shown,
    leaf_scores,
    make_leaderboards,
    questions_asked,
    tree_scores,
)
from lm_eval_ja.analysis._policy import Policy, Rule, parse_policy, read_policy
from lm_eval_ja.analysis._power import (
    Spread,
    Visible,
    calibrated,
    spreads_of_runs,
    times_the_questions,
    visible_differences,
)
from lm_eval_ja.analysis._present import PresentMean, present_mean
from lm_eval_ja.analysis._samples import SamplingError, sampling_errors
from lm_eval_ja.analysis._seeds import SeedSpread, join_seeds, spreads
from lm_eval_ja.analysis._tokens import Efficiency

__all__ = [
    "RANKED",
    "Analysis",
    "Change",
    "Checked",
    "Column",
    "Comparison",
    "Difference",
    "Efficiency",
    "Failures",
    "Gate",
    "GivenLine",
    "Leaderboard",
    "Outcome",
    "Policy",
    "PresentMean",
    "Row",
    "Rule",
    "RunIntervals",
    "SamplingError",
    "SeedSpread",
    "SettingDifference",
    "Spread",
    "Visible",
    "analyse",
    "analyse_runs",
    "bootstrap_intervals",
    "calibrated",
    "compare_runs",
    "failed_parts",
    "gate_runs",
    "given_tree",
    "is_shown",
    "join_seeds",
    "leaf_scores",
    "make_leaderboards",
    "parse_policy",
    "present_mean",
    "questions_asked",
    "read_given",
    "read_policy",
    "sampling_errors",
    "spreads",
    "spreads_of_runs",
    "times_the_questions",
    "tree_scores",
    "visible_differences",
]
