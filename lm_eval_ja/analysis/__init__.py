"""What results say: leaderboards, intervals, comparisons, failures. Pure functions over results and score trees.

analysis = analyse_runs(read_runs(["out"]))
"""

from lm_eval_ja.analysis._analyse import Analysis, analyse_runs
from lm_eval_ja.analysis._compare import Change, Comparison, Difference, compare_runs
from lm_eval_ja.analysis._failures import Failures, Outcome, analyse
from lm_eval_ja.analysis._given import GivenLine, given_tree, read_given
from lm_eval_ja.analysis._intervals import RunIntervals, bootstrap_intervals
from lm_eval_ja.analysis._leaderboards import (
    RANKED,
    Column,
    Leaderboard,
    Row,
    is_shown,
    leaf_scores,
    make_leaderboards,
    questions_asked,
    tree_scores,
)
from lm_eval_ja.analysis._present import PresentMean, present_mean
from lm_eval_ja.analysis._tokens import Efficiency

__all__ = [
    "RANKED",
    "Analysis",
    "Change",
    "Column",
    "Comparison",
    "Difference",
    "Efficiency",
    "Failures",
    "GivenLine",
    "Leaderboard",
    "Outcome",
    "PresentMean",
    "Row",
    "RunIntervals",
    "analyse",
    "analyse_runs",
    "bootstrap_intervals",
    "compare_runs",
    "given_tree",
    "is_shown",
    "leaf_scores",
    "make_leaderboards",
    "present_mean",
    "questions_asked",
    "read_given",
    "tree_scores",
]
