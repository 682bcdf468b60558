"""Scores of logged answers made again: under another protocol's rules, or by a judge. No model is needed."""

from lm_eval_ja.rescoring._rejudge import Rejudged, find_runs, rejudge, requests_of
from lm_eval_ja.rescoring._rescore import Comet, rescore
from lm_eval_ja.rescoring._types import Common, DatasetRescore, Rescored, RescoredMean, Step
from lm_eval_ja.rescoring._verify import Finding, Verified, verify, verify_runs
from lm_eval_ja.rescoring._write import write_results

__all__ = [
    "Comet",
    "Common",
    "DatasetRescore",
    "Finding",
    "Rejudged",
    "Rescored",
    "RescoredMean",
    "Step",
    "Verified",
    "find_runs",
    "rejudge",
    "requests_of",
    "rescore",
    "verify",
    "verify_runs",
    "write_results",
]
