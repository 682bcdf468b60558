"""What a rescoring is made of. Plain frozen data."""

from collections.abc import Mapping
from dataclasses import dataclass

from lm_eval_ja.protocols import DatasetRules, Missing, Protocol, Score
from lm_eval_ja.results import Run, TaskResult


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
    """A dataset scored again.

    Attributes:
        source: The run's task that the answers are from.
        rules: How the target protocol asks and scores the dataset.
        before: The score in the run's results, None if there is none.
        reproduced: The score of the logged answers as the run's own settings have it; differs from ``before`` only if
            samples are missing or were changed.
        scores: The new scores by metric, the one that the protocol's runs compute first.
        items: Each question's new value by metric, in the order of ``source.questions``; for metrics that only all
            questions together have, the number that was read.
        predictions: The new predictions, in the same order: of each question one, or one for each sample.
        steps: How ``reproduced`` became the score in that metric.
        signatures: Signatures of metrics that have one of their own, by metric.
        thoughts: The field ``thoughts`` of the new signature; empty for none.
    """

    source: TaskResult
    rules: DatasetRules
    before: float | None
    reproduced: float
    scores: Mapping[str, Score]
    items: Mapping[str, tuple[float, ...]]
    predictions: tuple[tuple[str, ...], ...]
    steps: tuple[Step, ...]
    signatures: Mapping[str, str]
    thoughts: str = ""

    @property
    def after(self) -> Score:
        """The score in the first metric of the protocol's runs."""
        return self.scores[self.rules.metrics[0]]


@dataclass(frozen=True)
class Common:
    """Mean of the categories that have a score on both sides.

    Attributes:
        categories: How many they are.
        before: Their mean in the run.
        after: Their mean now.
    """

    categories: int
    before: float
    after: float


@dataclass(frozen=True)
class RescoredMean:
    """A mean of the protocol's tree, before and after.

    Attributes:
        name: Its name, which is that of the harness's group.
        label: As in the published tables.
        depth: 0 for the topmost, 1 for its members and so on.
        before: In the run, None if the run's protocol has no such score.
        after: Under the target protocol.
    """

    name: str
    label: str
    depth: int
    before: Score | Missing | None
    after: Score | Missing


@dataclass(frozen=True)
class Rescored:
    """A run scored again under one protocol.

    Attributes:
        run: The run.
        protocol: The protocol that scores it now.
        asked_by: Names of the protocols that asked the questions.
        datasets: In the protocol's order.
        means: Every mean that the run's answers can have a part in, and all that it is made of, parents first.
        common: Mean of the categories that have a score before and after; None if there are none, or all have.
        notes: What rescoring can't change, or what is wrong with the samples.
    """

    run: Run
    protocol: Protocol
    asked_by: tuple[str, ...]
    datasets: tuple[DatasetRescore, ...]
    means: tuple[RescoredMean, ...]
    common: Common | None
    notes: tuple[str, ...]

    def mean(self, label: str) -> RescoredMean:
        """The mean with a label.

        Raises:
            KeyError: There is none.
        """
        for own in self.means:
            if own.label == label:
                return own
        raise KeyError(label)
