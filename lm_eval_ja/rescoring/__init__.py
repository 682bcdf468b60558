"""Scores of logged answers made again: under another protocol's rules, or by a judge. No model is needed."""

from lm_eval_ja.rescoring._calibrate import (
    Calibration,
    calibrate,
    calibration_requests,
    human_mean,
    map_scores,
    read_human,
)
from lm_eval_ja.rescoring._frozen import (
    FrozenAnswer,
    freeze,
    freeze_runs,
    read_frozen,
    unanswered,
    write_frozen,
)
from lm_eval_ja.rescoring._rejudge import Rejudged, find_runs, rejudge, requests_of
from lm_eval_ja.rescoring._rescore import Comet, rescore
from lm_eval_ja.rescoring._types import Common, DatasetRescore, Rescored, RescoredMean, Step
from lm_eval_ja.rescoring._verify import Finding, Verified, verify, verify_runs
from lm_eval_ja.rescoring._write import write_results

__all__ = [
    "Calibration",
    "Comet",
    "Common",
    "DatasetRescore",
    "Finding",
    "FrozenAnswer",
    "Rejudged",
    "Rescored",
    "RescoredMean",
    "Step",
    "Verified",
    "calibrate",
    "calibration_requests",
    "find_runs",
    "freeze",
    "freeze_runs",
    "human_mean",
    "map_scores",
    "read_frozen",
    "read_human",
    "rejudge",
    "requests_of",
    "rescore",
    "unanswered",
    "verify",
    "verify_runs",
    "write_frozen",
    "write_results",
]
