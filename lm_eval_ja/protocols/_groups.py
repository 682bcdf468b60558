"""Scores as the harness reports them: from the results of a group's direct children to the group's score."""

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

from lm_eval_ja.protocols._files import find_node
from lm_eval_ja.protocols._tree import Leaf, Missing, Score, evaluate, mean_score

SCORE = "score"
"""Metric under which the harness holds the score of a group."""


def reported_score(results: Mapping[str, Any], metric: str) -> Score | None:
    """Read a score out of one task's or group's results.

    Args:
        results: Results with keys such as ``score,none`` and ``score_stderr,none``; a standard error may be ``"N/A"``.
        metric: The metric.

    Returns:
        The score; None if it is absent, NaN, infinite or no number.
    """
    value = _number(results.get(f"{metric},none"))  # no task here has a named filter
    return None if value is None else Score(value, _number(results.get(f"{metric}_stderr,none")))


def _number(value: Any) -> float | None:
    try:
        number = float(value) if isinstance(value, Real) else math.nan
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def group_score(group: str, children: Mapping[str, Mapping[str, Any]]) -> Score | Missing:
    """Compute the score of one of the harness's groups.

    Which children a group has, which of their metrics counts, with what weight and on what scale stands in the
    protocols' files. Children that do not belong to the score are ignored.

    Args:
        group: The group's name, such as ``nejumi_jaster_nli``, ``nejumi_jaster`` or ``nejumi``.
        children: The results of its direct children by name.

    Returns:
        The score, or which children are missing.

    Examples:
        >>> qa = {
        ...     "nejumi_jaster_jemhopqa": {"char_f1,none": 0.5, "char_f1_stderr,none": 0.03},
        ...     "nejumi_jaster_niilc": {"char_f1,none": 0.3, "char_f1_stderr,none": 0.04},
        ... }
        >>> group_score("nejumi_jaster_qa", qa)
        Score(value=0.4, stderr=0.025)
        >>> str(group_score("nejumi", {"nejumi_jaster": {"score,none": 0.5}}))
        'missing: AVG_mtbench (1 of 2 present)'
    """
    node = find_node(group)
    if node is None:
        return Missing((f"definition of group {group}",), 1)
    given = {}
    for child in node.children:
        task, metric = (child.task, child.metric) if isinstance(child, Leaf) else (child.name, SCORE)
        given[child.name] = reported_score(children.get(task, {}), metric)
    return evaluate(node, given, mean_score)[node.name]
