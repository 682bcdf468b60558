"""What is known before any file is opened: sources, units of conversion, expected digests, variants."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

from lm_eval_ja.datasets.store._reference import Published
from lm_eval_ja.datasets.store._types import SPLITS, DatasetSplit, Expected, Source, Split, Unit
from lm_eval_ja.datasets.store._unknown import unknown

Data = Literal["real", "sample"]
"""The benchmarks' own data, or the few made-up examples that ship with the package."""

DATA: tuple[Data, ...] = get_args(Data)


@dataclass(frozen=True, eq=False)
class Catalog:
    """The facts everything here works from; the packaged ones unless a caller brings others.

    Attributes:
        sources: Raw files by URL.
        units: Units of conversion by name.
        digests: What converted splits must be, where that is known.
        variants: For each kind of data and variant, the ids of the samples that make up a dataset's test split,
            in its order, where these cannot be derived.
        sample_files: Folder with the sample data's raw files, laid out like a mirror.
        published: Splits that are known by the digest of llm-jp-eval's own file only.
        certificates: By dataset and version, LLM-jp's published SHA-256 of llm-jp-eval's own file of its dev split.
        reference_metrics: The metrics in these files, where they differ from the protocol's.
        answer_forms: By dataset, whether an answer has the form that was asked for, where one is defined.
    """

    sources: Mapping[str, Source]
    units: Mapping[str, Unit]
    digests: Mapping[DatasetSplit, Expected]
    variants: Mapping[Data, Mapping[str, Mapping[str, tuple[str, ...]]]]
    sample_files: Path
    answer_forms: Mapping[str, Callable[[str], bool]] = field(default_factory=dict)
    published: Mapping[DatasetSplit, Published] = field(default_factory=dict)
    certificates: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    reference_metrics: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def source(self, url: str) -> Source:
        """Look up a raw file.

        Raises:
            OptionError: No protocol uses such a file.
        """
        try:
            return self.sources[url]
        except KeyError:
            raise unknown("source", url, self.sources) from None

    def unit(self, dataset: str, split: Split) -> Unit:
        """Look up the unit that makes a split.

        Raises:
            OptionError: There is no such dataset, or it has no such split.
        """
        try:
            return self._makers[dataset, split]
        except KeyError:
            known = self.splits(dataset)
            if not known:
                raise unknown("dataset", dataset, sorted({name for name, _ in self._makers})) from None
            raise unknown(f"split of {dataset}", split, known) from None

    def variant(self, name: str | None, dataset: str, data: Data) -> tuple[str, ...]:
        """Name the samples of a dataset's variant; none where the dataset has no variant of this name.

        Raises:
            OptionError: No dataset has such a variant.
        """
        variants = self.variants.get(data, {})
        if name is None:
            return ()
        if name not in variants:
            raise unknown("variant", name, variants)
        return variants[name].get(dataset, ())

    def splits(self, dataset: str) -> tuple[Split, ...]:
        """Name the splits a dataset has."""
        return tuple(split for split in SPLITS if (dataset, split) in self._makers)

    @cached_property
    def _makers(self) -> Mapping[DatasetSplit, Unit]:
        return {made: unit for unit in self.units.values() for made in unit.produces}
