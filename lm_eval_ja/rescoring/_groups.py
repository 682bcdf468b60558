"""Groups of a results file computed again from its tasks, as the harness computes them."""

from collections.abc import Mapping
from typing import Any

from lm_eval_ja.protocols import SCORE, Leaf, Missing, Node, Score, group_score
from lm_eval_ja.results import score_entry


def put_group(results: dict[str, Any], node: Node) -> None:
    """Compute a group's entry from those of its members, which must be there already.

    Without a score its name says what is missing, and there is no number: never NaN, never 0. Nothing happens if no
    member is there.

    Args:
        results: What a results file holds.
        node: The group's score in its protocol's tree.
    """
    entries: Mapping[str, Any] = results["results"]
    members = [child.task if isinstance(child, Leaf) else child.name for child in node.children]
    there = [member for member in dict.fromkeys(members) if member in entries]
    if not there:
        return
    old = entries.get(node.name, {})
    alias = str(old.get("alias", node.name)).split(" (missing: ")[0]
    score = group_score(node.name, {member: entries[member] for member in there})
    entry: dict[str, Any] = {
        "name": node.name,
        "alias": alias,
        "sample_len": sum(entries[member].get("sample_len", 0) for member in there),
    }
    if isinstance(score, Score):
        entry |= score_entry({SCORE: score.value, f"{SCORE}_stderr": score.stderr})
    else:
        assert isinstance(score, Missing)  # noqa: S101  # the other of two
        entry["alias"] = f"{alias} ({score})"
    results["results"][node.name] = entry
    results.setdefault("groups", {})[node.name] = dict(entry)
    results.setdefault("group_subtasks", {})[node.name] = there
    results.setdefault("versions", {}).setdefault(node.name, 1)
