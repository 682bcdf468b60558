"""What can be said of a run without any average: the mean of the categories it has, under a name of its own."""

from dataclasses import dataclass
from statistics import fmean

from lm_eval_ja.analysis._leaderboards import RANKED, Leaderboard, Row
from lm_eval_ja.protocols import Score


@dataclass(frozen=True)
class PresentMean:
    """The plain mean of the categories of an average that has no score. It is not that average, and ranks nobody.

    Attributes:
        average: Label of the average.
        labels: The categories, in the tree's order.
        value: Their mean, each out of 1.
    """

    average: str
    labels: tuple[str, ...]
    value: float

    def __str__(self) -> str:
        return (
            f"mean of the {len(self.labels)} categories present ({', '.join(self.labels)}): {self.value:.4f};"
            f" this is not {self.average}"
        )


def present_mean(leaderboard: Leaderboard, row: Row) -> PresentMean | None:
    """Compute it; None where the run has an average or overall score, or fewer than two categories of the first one."""
    averages = [column for column in leaderboard.columns if column.level in RANKED]
    if not averages or any(isinstance(row.scores[column.name], Score) for column in averages):
        return None
    present = {
        column.label: score.value / column.scale
        for column in leaderboard.columns
        if column.level == "category" and column.parent == averages[0].name
        if isinstance(score := row.scores[column.name], Score)
    }
    if len(present) < 2:  # noqa: PLR2004  # no mean
        return None
    return PresentMean(averages[0].label, tuple(present), fmean(present.values()))
