"""What a rescoring is made of. Plain frozen data."""

from collections.abc import Mapping
from dataclasses import dataclass

from lm_eval_ja.results import Run, TaskResult
from lm_eval_ja.scoring import Missing, Protocol, Score
from lm_eval_ja.tasks.catalog import Entry


@dataclass(frozen=True)
class Step:
    """One difference between two ways of scoring, applied after those before it.

    Attributes:
        what: The difference, such as ``without lower``.
        change: What it adds to the score.
        questions: Questions whose own score it changes; None where only all together have one.
    """

    what: str
    change: float
    questions: int | None


@dataclass(frozen=True)
class DatasetRescore:
    """A dataset scored anew.

    Attributes:
        source: The run's task that the answers are from.
        entry: How the target protocol scores the dataset.
        before: The score in the run's results, None if there is none.
        reproduced: The score of the logged answers as the run's own settings have it; differs from ``before`` only if
            samples are missing or were changed.
        scores: The new scores by metric, the entry's own first.
        items: Each question's new value by metric, in the order of ``source.questions``; for metrics that only all
            questions together have, the number that was read.
        predictions: The new predictions, in the same order.
        steps: How ``reproduced`` became the score in the entry's metric.
        signatures: Signatures of metrics that have one of their own, by metric.
    """

    source: TaskResult
    entry: Entry
    before: float | None
    reproduced: float
    scores: Mapping[str, Score]
    items: Mapping[str, tuple[float, ...]]
    predictions: tuple[str, ...]
    steps: tuple[Step, ...]
    signatures: Mapping[str, str]

    @property
    def after(self) -> Score:
        """The score in the entry's metric."""
        return self.scores[self.entry.metric]


@dataclass(frozen=True)
class Level:
    """A category or an average, before and after.

    Attributes:
        name: As in the published tables.
        group: The harness's group.
        before: In the run, None if the run's protocol has no such score.
        after: Under the target protocol.
    """

    name: str
    group: str
    before: Score | Missing | None
    after: Score | Missing


@dataclass(frozen=True)
class Rescored:
    """A run scored anew under one protocol.

    Attributes:
        run: The run.
        protocol: The protocol that scores it now.
        asked_by: Names of the protocols that asked the questions.
        datasets: In the protocol's order.
        categories: In the protocol's order.
        average: The protocol's average.
        common: Mean of the categories that have a score before and after; None if there are none, or all have.
        notes: What rescoring can't change, or what is wrong with the samples.
    """

    run: Run
    protocol: Protocol
    asked_by: tuple[str, ...]
    datasets: tuple[DatasetRescore, ...]
    categories: tuple[Level, ...]
    average: Level
    common: Level | None
    notes: tuple[str, ...]
