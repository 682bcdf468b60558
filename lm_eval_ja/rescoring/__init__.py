"""Scores of logged answers made again: under another protocol's rules, or by a judge. No model is needed."""

from lm_eval_ja.rescoring._rejudge import find_runs, rejudge
from lm_eval_ja.rescoring._rescore import Comet, rescore
from lm_eval_ja.rescoring._types import Common, DatasetRescore, Rescored, RescoredMean, Step
from lm_eval_ja.rescoring._verify import Finding, Verified, verify, verify_runs
from lm_eval_ja.rescoring._write import write_results

__all__ = [
    "Comet",
    "Common",
    "DatasetRescore",
    "Finding",
    "Rescored",
    "RescoredMean",
    "Step",
    "Verified",
    "find_runs",
    "rejudge",
    "rescore",
    "verify",
    "verify_runs",
    "write_results",
]
