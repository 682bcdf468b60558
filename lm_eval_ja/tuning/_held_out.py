"""Which questions are held out: everything that a protocol here evaluates."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from lm_eval_ja.datasets import (
    MTBENCH_REVISIONS,
    Catalog,
    Data,
    SampleDigest,
    Settings,
    Split,
    load,
    load_m_ifeval,
    load_mtbench,
)
from lm_eval_ja.errors import DataError
from lm_eval_ja.protocols import DatasetRules, Protocol, load_protocol, protocol_names
from lm_eval_ja.tuning._manifest import HeldOutSplit, UnavailableSplit
from lm_eval_ja.tuning._overlap import GramIndex, HeldOut, Place, normalise


def sorted_rules(protocol: Protocol) -> list[DatasetRules]:
    """A protocol's datasets, sorted by name."""
    return sorted(protocol.tasks.values(), key=lambda rules: rules.dataset)


def is_translation(rules: DatasetRules) -> bool:
    """Whether a dataset is of translations, whose pairs are asked in both directions."""
    return any(metric.startswith("bleu_") for metric in rules.metrics)


@dataclass(frozen=True)
class HeldOutQuestions:
    """The held-out questions.

    Attributes:
        exact: Looks a sample up.
        grams: Their character 13-grams.
        splits: Which they are.
        missing: Those that couldn't be had.
    """

    exact: HeldOut
    grams: GramIndex
    splits: tuple[HeldOutSplit, ...]
    missing: tuple[UnavailableSplit, ...]


def load_held_out(*, hold_dev: bool, data: Data, settings: Settings, catalog: Catalog) -> HeldOutQuestions:
    """Load the test split of every protocol's datasets, the split evaluated by default, MT-Bench and M-IFEval.

    Args:
        hold_dev: Whether dev is held out where a protocol evaluates it.
        data: Real or sample data.
        settings: Where raw files come from.
        catalog: What they are.
    """
    from tqdm import tqdm

    shelf = _Shelf(data, settings, catalog)
    wanted = list(_wanted(hold_dev=hold_dev))
    for protocol, rules, split in tqdm(
        wanted, desc="reading held-out questions", unit="split", delay=2, leave=False
    ):
        shelf.hold(protocol, rules, split)
    for revision in MTBENCH_REVISIONS:
        shelf.hold_mtbench(revision)
    for name in protocol_names():
        if (asked := load_protocol(name).instructions) is not None:
            shelf.hold_instructions(name, asked.dataset)
    return HeldOutQuestions(shelf.exact, GramIndex(shelf.texts), tuple(shelf.splits), tuple(shelf.missing))


def _wanted(*, hold_dev: bool) -> Iterator[tuple[str, DatasetRules, Split]]:
    for protocol in protocol_names():
        by_dataset = {rules.dataset: rules for rules in sorted_rules(load_protocol(protocol))}
        for rules in by_dataset.values():  # once each, whatever the numbers of shots
            yield protocol, rules, "test"
            if rules.split == "dev" and hold_dev:
                yield protocol, rules, "dev"


@dataclass
class _Shelf:
    data: Data
    settings: Settings
    catalog: Catalog
    exact: HeldOut = field(default_factory=HeldOut)
    texts: dict[str, set[str]] = field(default_factory=dict)
    splits: list[HeldOutSplit] = field(default_factory=list)
    missing: list[UnavailableSplit] = field(default_factory=list)

    def hold(self, protocol: str, rules: DatasetRules, split: Split) -> None:
        """Take in a split of a dataset."""
        try:
            samples = load(
                rules.protocol,
                rules.dataset,
                max_samples=-1,
                data=self.data,
                settings=self.settings,
                catalog=self.catalog,
            )[split]
        except DataError as error:
            self.missing.append(UnavailableSplit(protocol, rules.dataset, split, str(error)))
            return
        rows = zip(samples["id"][:], samples["input"][:], samples["output"][:], strict=True)
        self._add(protocol, rules.dataset, split, rows, translation=is_translation(rules))

    def hold_mtbench(self, revision: str) -> None:
        """Take in the questions of a revision of MT-Bench, each turn for itself, with its reference answer."""
        try:
            questions = load_mtbench(revision, data=self.data, settings=self.settings, catalog=self.catalog)
        except DataError as error:
            self.missing.append(UnavailableSplit(f"mtbench-{revision}", "mtbench", "test", str(error)))
            return
        rows = (
            (question["id"], turn, reference)
            for question in questions
            for turn, reference in zip(question["turns"], question["reference"], strict=True)
        )
        self._add(f"mtbench-{revision}", "mtbench", "test", rows, translation=False)

    def hold_instructions(self, protocol: str, dataset: str) -> None:
        """Take in prompts with instructions that a program checks. They have no reference answers."""
        try:
            prompts = load_m_ifeval(data=self.data, settings=self.settings, catalog=self.catalog)
        except DataError as error:
            self.missing.append(UnavailableSplit(protocol, dataset, "test", str(error)))
            return
        rows = ((prompt["id"], prompt["input"], "") for prompt in prompts)
        self._add(protocol, dataset, "test", rows, translation=False)

    def _add(
        self,
        protocol: str,
        dataset: str,
        split: str,
        rows: Iterable[tuple[str, str, str]],
        *,
        translation: bool,
    ) -> None:
        digest = SampleDigest()
        own = self.texts.setdefault(dataset, set())
        count = 0
        for name, question, answer in rows:
            digest.add(question, answer)
            normal = normalise(question), normalise(answer)
            self.exact.add(Place(protocol, dataset, split, name), *normal, translation=translation)
            own.update(normal)
            count += 1
        self.splits.append(HeldOutSplit(protocol, dataset, split, count, digest.hexdigest()))
