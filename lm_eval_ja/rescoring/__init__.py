"""Scores of logged answers made again: under another protocol's rules, or by a judge. No model is needed."""

from lm_eval_ja.rescoring._rejudge import Rejudged, find_runs, rejudge, requests_of
from lm_eval_ja.rescoring._rescore import Comet, rescore
from lm_eval_ja.rescoring._types import Common, DatasetRescore, Rescored, RescoredMean, Step
from lm_eval_ja.rescoring._write import write_results

__all__ = [
    "Comet",
    "Common",
    "DatasetRescore",
    "Rejudged",
    "Rescored",
    "RescoredMean",
    "Step",
    "find_runs",
    "rejudge",
    "requests_of",
    "rescore",
    "write_results",
]
