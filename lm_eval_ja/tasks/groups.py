"""Scores of groups, in the form in which the harness keeps and prints them."""

import logging
import math
from collections.abc import Mapping
from typing import Any

from lm_eval_ja.protocols import Missing, group_score
from lm_eval_ja.tasks._base import SAMPLE_LABEL

_log = logging.getLogger(__name__)


def score(group: Any, children: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Compute a group's score from its direct children (``aggregation`` of every group YAML).

    Args:
        group: The harness's group.
        children: Results of its direct children by name.

    Returns:
        The entries to add to the group's results. Where a member is missing the score is NaN and the group's name says
        what is missing: it is never zero, and never the average of what happens to be there. Under ``--predict_only``
        there is no score at all.
    """
    entry: dict[str, Any] = {}
    alias = group.alias or group.name
    if (group.metadata or {}).get("data") == "sample":
        entry["alias"] = alias = f"{alias} ({SAMPLE_LABEL})"
    if children and not any(_is_scored(child) for child in children.values()):
        return entry
    try:
        result = group_score(group.name, children)
    except Exception:  # noqa: BLE001  # a finished run must not be lost to its summary
        _log.exception("%s could not be computed; the results of its members are complete", group.name)
        return entry
    if isinstance(result, Missing):
        _log.warning("%s has no score: %s", group.name, result)
        return {**entry, "alias": f"{alias} ({result})", "score,none": math.nan, "score_stderr,none": "N/A"}
    return {
        **entry,
        "score,none": result.value,
        "score_stderr,none": "N/A" if result.stderr is None else result.stderr,
    }


def _is_scored(child: Mapping[str, Any]) -> bool:
    return any("," in key and not key.startswith("bypass") for key in child)
