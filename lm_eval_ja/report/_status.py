"""How sure it is that a leaderboard's questions are the reference's own, dataset by dataset."""

from collections.abc import Mapping

from lm_eval_ja.analysis import Leaderboard
from lm_eval_ja.protocols import STATUSES


def statuses(leaderboard: Leaderboard) -> dict[str, str]:
    """The status of each dataset by its column: of the data that the runs asked; several where they differ."""
    found: dict[str, set[str]] = {}
    for row in leaderboard.rows:
        for column in leaderboard.columns:
            task = row.run.tasks.get(column.name)
            if task is not None and task.status:
                found.setdefault(column.name, set()).add(task.status)
    return {name: " or ".join(sorted(own)) for name, own in found.items()}


def by_status(leaderboard: Leaderboard) -> Mapping[str, list[str]]:
    """Labels of the datasets with each status, the surest first."""
    labels = {column.name: column.label for column in leaderboard.columns}
    groups: dict[str, list[str]] = {}
    for name, status in statuses(leaderboard).items():
        groups.setdefault(status, []).append(labels[name])
    order = [str(status) for status in STATUSES]
    return {
        status: groups[status]
        for status in sorted(
            groups, key=lambda status: (order.index(status) if status in order else 99, status)
        )
    }


def status_note(leaderboard: Leaderboard) -> str:
    """One line that says it; empty where there are no datasets, or only made-up ones, which is said elsewhere."""
    groups = by_status(leaderboard)
    if not groups or groups.keys() == {"sample"}:
        return ""
    if len(groups) == 1:
        return f"data: {next(iter(groups))}"
    return "data: " + "; ".join(f"{status}: {', '.join(labels)}" for status, labels in groups.items())
