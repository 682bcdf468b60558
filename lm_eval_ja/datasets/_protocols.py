"""What each protocol asks: its datasets, which items of them, in which order."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from lm_eval_ja.datasets._catalog import packaged
from lm_eval_ja.datasets._own import open_shelf
from lm_eval_ja.datasets.store import (
    DATA,
    OWN_DATA,
    Catalog,
    Data,
    NotConvertedError,
    Samples,
    Settings,
    Shelf,
    Split,
    unknown,
)
from lm_eval_ja.errors import DataError, OptionError
from lm_eval_ja.protocols import load_protocol

if TYPE_CHECKING:
    import datasets
    import pyarrow as pa


def available(protocol: str) -> tuple[str, ...]:
    """Name the datasets whose questions a protocol asks, in its own order.

    Args:
        protocol: One of `lm_eval_ja.protocols.protocol_names`.

    Raises:
        OptionError: There is no such protocol.
    """
    return load_protocol(protocol).datasets


def load(
    protocol: str,
    dataset: str,
    *,
    instruction: str = "",
    max_samples: int | None = None,
    data: Data = "real",
    settings: Settings | None = None,
    catalog: Catalog | None = None,
) -> "Mapping[Split, datasets.Dataset]":
    """Load a dataset as a protocol has it; files are fetched and converted when a split is first looked up.

    Every split is a ``datasets.Dataset`` of strings with the columns ``id, dataset, instruction, input,
    output``, texts as in the source.

    ``max_samples`` cuts test and dev, from the first sample on. Train is always whole: shots are its first
    samples.

    neo's order of chabsa and wiki_* is known only for the 100 and 20 items it published (PROTOCOL, section
    1). They are its test split, even with ``max_samples=-1``, and they are taken out of the train and dev
    splits, which are otherwise those of llm-jp-eval 1.3.0, as are neo's other datasets.

    Args:
        protocol: See ``available``.
        dataset: One of the protocol's datasets.
        instruction: Copied into every sample.
        max_samples: None for the protocol's own number (100; neo's wiki_* 20), -1 for all.
        data: ``"sample"`` for the made-up examples in the package, which need no network and are no
            benchmark.
        settings: Default: from the environment.
        catalog: Default: the packaged one.

    Returns:
        The splits by name. Looking one up raises DataError if its data is unavailable or is not what it should
        be.

    Raises:
        OptionError: No such protocol, dataset or data, or a ``max_samples`` that means nothing.
    """
    if data not in DATA:
        raise unknown("data", data, DATA)
    catalog = catalog or packaged()
    shelf = Samples(catalog) if data == "sample" else open_shelf(settings or Settings.from_env(), catalog)
    return open_splits(
        protocol, dataset, shelf, catalog, instruction=instruction, max_samples=max_samples, data=data
    )


def open_splits(
    protocol: str,
    dataset: str,
    shelf: Shelf,
    catalog: Catalog,
    *,
    instruction: str = "",
    max_samples: int | None = None,
    data: Data = "real",
) -> "Splits":
    """Check what ``load`` was asked for and answer it from a shelf."""
    own = available(protocol)
    if dataset not in own:
        raise unknown(f"dataset of {protocol}", dataset, own)
    rules = next(rules for rules in load_protocol(protocol).tasks.values() if rules.dataset == dataset)
    if max_samples is None:
        max_samples = rules.questions
    elif (
        isinstance(max_samples, bool)
        or not isinstance(max_samples, int)
        or max_samples == 0
        or max_samples < -1
    ):
        raise OptionError(f"max_samples={max_samples!r} means nothing: use a number from 1, or -1 for all.")
    pins = catalog.variant(rules.variant, dataset, data)
    return Splits(
        dataset=dataset,
        instruction=instruction,
        max_samples=max_samples,
        shelf=shelf,
        catalog=catalog,
        pins=pins,
    )


class Splits(Mapping[Split, "datasets.Dataset"]):
    """The splits of a dataset under a protocol, each made when it is first looked up (see ``load``)."""

    def __init__(
        self,
        *,
        dataset: str,
        instruction: str,
        max_samples: int,
        shelf: Shelf,
        catalog: Catalog,
        pins: tuple[str, ...],
    ) -> None:
        self._dataset = dataset
        self._instruction = instruction
        self._max_samples = max_samples
        self._shelf = shelf
        self._catalog = catalog
        self._pins = pins
        self._names = catalog.splits(dataset)
        self._loaded: dict[Split, datasets.Dataset] = {}

    def __getitem__(self, split: Split) -> "datasets.Dataset":
        if split not in self._names:
            raise unknown(f"split of {self._dataset}", split, self._names)
        if split not in self._loaded:
            try:
                table = self._rows(split)
            except NotConvertedError:
                raise
            except DataError as error:
                raise DataError(f"{error}{who_needs(self._dataset, split, self._catalog)}") from error
            self._loaded[split] = self._dressed(table)
        return self._loaded[split]

    def __contains__(self, split: object) -> bool:
        return split in self._names

    def __iter__(self) -> Iterator[Split]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def _rows(self, split: Split) -> "pa.Table":
        if split == "test" and self._pins:
            table = self._pinned()
        else:
            table = self._shelf.table(self._dataset, split)
            if self._pins:
                pinned = set(self._pins)
                table = table.filter([name not in pinned for name in table["id"].to_pylist()])
        whole = split == "train" or self._max_samples == -1
        return table if whole else table.slice(0, min(self._max_samples, table.num_rows))

    def _pinned(self) -> "pa.Table":
        """Collect the protocol's own items in its order; neo's of chabsa come from all three splits of 1.3.0."""
        import pyarrow as pa

        tables = []
        place: dict[str, int] = {}
        order: tuple[Split, ...] = ("test", "dev", "train")
        # A split that the ids name comes first: then the others need not be converted.
        for split in sorted(order, key=lambda name: not self._pins[0].startswith(f"{self._dataset}-{name}-")):
            table = self._shelf.table(self._dataset, split)
            start = len(place)
            place.update({name: start + i for i, name in enumerate(table["id"].to_pylist())})
            tables.append(table)
            if place.keys() >= set(self._pins):
                return pa.concat_tables(tables).take([place[name] for name in self._pins])
        lost = next(name for name in self._pins if name not in place)
        raise DataError(
            f"{self._dataset} has no sample {lost!r}, one of the {len(self._pins)} that this protocol asks."
        )

    def _dressed(self, table: "pa.Table") -> "datasets.Dataset":
        import pyarrow as pa
        from datasets import Dataset, DatasetInfo
        from datasets.table import InMemoryTable

        columns = {
            "id": table["id"],
            "dataset": pa.repeat(self._dataset, table.num_rows),
            "instruction": pa.repeat(self._instruction, table.num_rows),
            "input": table["input"],
            "output": table["output"],
        }
        own = OWN_DATA.encode() in (table.schema.metadata or {})
        return Dataset(
            InMemoryTable(pa.table(columns)), info=DatasetInfo(description=OWN_DATA) if own else None
        )


def who_needs(dataset: str, split: Split, catalog: Catalog) -> str:
    """Tell a user who cannot have a train file what works without it; empty if test needs the same files."""
    unit, test = catalog.unit(dataset, split), catalog.unit(dataset, "test")
    if set(unit.urls) & set(test.urls):
        return ""
    bound = [name for name in catalog.splits(dataset) if catalog.unit(dataset, name) is unit]
    return (
        f" Only {' and '.join(bound)} of {dataset} need it (few-shot prompts are made from train): zero-shot "
        "runs on test work without it."
    )
