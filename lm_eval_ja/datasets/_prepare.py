"""Getting data ready ahead of a run, and saying what is ready: the library behind ``lm-eval-ja prepare``."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lm_eval_ja.datasets._catalog import packaged
from lm_eval_ja.datasets._own import open_shelf
from lm_eval_ja.datasets._protocols import Splits, available, open_splits, who_needs
from lm_eval_ja.datasets.store import (
    OWN_DATA_VARIABLE,
    SPLITS,
    Catalog,
    NotConvertedError,
    Settings,
    Split,
    data_digest,
    find_local,
    missing_because,
    progress,
)
from lm_eval_ja.errors import DataError, LmEvalJaError


@dataclass(frozen=True)
class Row:
    """The state of one split of one dataset under a protocol.

    Attributes:
        protocol: See ``available``.
        dataset: One of the protocol's datasets.
        split: One of the dataset's splits.
        licences: Of the raw files it is made from.
        count: Samples, None if not ready.
        digest: See ``data_digest``, None if not ready.
        problem: Why it is not ready and what to do about it, empty if it is.
        obtainable: Not ready, but the first run that needs it makes it ready by itself.
    """

    protocol: str
    dataset: str
    split: Split
    licences: tuple[str, ...]
    count: int | None = None
    digest: str | None = None
    problem: str = ""
    obtainable: bool = False

    @property
    def own_data(self) -> bool:
        """Whether it is the user's own data, of which no digest is known."""
        return (self.digest or "").startswith("own-")

    @property
    def ready(self) -> bool:
        """Whether the split loads without fetching or converting anything."""
        return not self.problem


def prepare(
    protocol: str,
    datasets: Iterable[str] | None = None,
    splits: Iterable[Split] = ("test",),
    *,
    max_samples: int | None = None,
    settings: Settings | None = None,
    catalog: Catalog | None = None,
) -> list[Row]:
    """Fetch, verify and convert. What fails for one dataset is told in its row and does not stop the others.

    Args:
        protocol: See ``available``.
        datasets: Default: all of the protocol.
        splits: Train is needed for few-shot prompts only.
        max_samples: As for ``load``; what count and digest are of.
        settings: Default: from the environment.
        catalog: Default: the packaged one.

    Raises:
        OptionError: No such protocol, dataset or split.
    """
    settings, catalog = settings or Settings.from_env(), catalog or packaged()
    wanted = list(_wanted(protocol, datasets, splits, catalog))
    store = open_shelf(settings, catalog)
    rows: list[Row] = []
    failed: dict[str, str] = {}
    with progress(f"preparing {protocol}", len(wanted), "split") as bar:
        for dataset, split in wanted:
            unit = catalog.unit(dataset, split)
            loaded = open_splits(protocol, dataset, store, catalog, max_samples=max_samples)
            try:
                if unit.name in failed:  # the same files would fail in the same way, after the same wait
                    raise DataError(failed[unit.name])
                rows.append(_ready(protocol, dataset, split, loaded, catalog))
            except LmEvalJaError as error:
                failed[unit.name] = str(error)
                rows.append(
                    Row(protocol, dataset, split, _licences(dataset, split, catalog), problem=str(error))
                )
            bar.update()
    return rows


def describe(
    protocol: str,
    datasets: Iterable[str] | None = None,
    splits: Iterable[Split] = SPLITS,
    *,
    max_samples: int | None = None,
    settings: Settings | None = None,
    catalog: Catalog | None = None,
) -> Iterator[Row]:
    """Tell what is ready, without fetching or converting anything.

    Arguments and errors are those of ``prepare``.
    """
    settings, catalog = settings or Settings.from_env(), catalog or packaged()
    store = open_shelf(settings, catalog, build=False)
    for dataset, split in _wanted(protocol, datasets, splits, catalog):
        loaded = open_splits(protocol, dataset, store, catalog, max_samples=max_samples)
        try:
            yield _ready(protocol, dataset, split, loaded, catalog)
        except NotConvertedError as error:
            obstacle, obtainable = _obstacle(dataset, split, settings, catalog)
            yield Row(
                protocol,
                dataset,
                split,
                _licences(dataset, split, catalog),
                problem=f"{error} {obstacle}",
                obtainable=obtainable,
            )
        except LmEvalJaError as error:
            yield Row(protocol, dataset, split, _licences(dataset, split, catalog), problem=str(error))


def raw_urls(
    protocol: str,
    datasets: Iterable[str] | None = None,
    splits: Iterable[Split] = ("test",),
    *,
    catalog: Catalog | None = None,
) -> tuple[str, ...]:
    """Name the raw files that splits are made from, e.g. for ``make_bundle``; arguments as ``prepare``."""
    catalog = catalog or packaged()
    units = {
        catalog.unit(dataset, split).name for dataset, split in _wanted(protocol, datasets, splits, catalog)
    }
    return tuple(sorted({url for name in units for url in catalog.units[name].urls}))


def _wanted(
    protocol: str, datasets: Iterable[str] | None, splits: Iterable[Split], catalog: Catalog
) -> Iterator[tuple[str, Split]]:
    splits = tuple(splits)
    for dataset in available(protocol) if datasets is None else datasets:
        for split in splits:
            catalog.unit(dataset, split)
            yield dataset, split


def _ready(protocol: str, dataset: str, split: Split, loaded: Splits, catalog: Catalog) -> Row:
    samples = loaded[split]
    licences = _licences(dataset, split, catalog)
    return Row(protocol, dataset, split, licences, count=len(samples), digest=data_digest(samples))


def _licences(dataset: str, split: Split, catalog: Catalog) -> tuple[str, ...]:
    urls = catalog.unit(dataset, split).urls
    return tuple(dict.fromkeys(catalog.source(url).licence for url in urls))


def _obstacle(dataset: str, split: Split, settings: Settings, catalog: Catalog) -> tuple[str, bool]:
    """Say what stands between a split and its conversion, and whether a run overcomes it by itself."""
    urls = catalog.unit(dataset, split).urls
    if not urls:
        return (
            f"It is not made here: name the folder of llm-jp-eval's own files in {OWN_DATA_VARIABLE}.",
            False,
        )
    try:
        missing = [url for url in urls if find_local(catalog.source(url), settings) is None]
    except DataError as error:
        return str(error), False
    if not missing:
        return "Its raw files are on this machine: `lm-eval-ja prepare` or the first run converts them.", True
    if not settings.may_download:
        why = " ".join(missing_because(catalog.source(url), settings) for url in missing)
        return why + who_needs(dataset, split, catalog), False
    number = f"{len(missing)} of its {len(urls)} raw files"
    return f"{number} must be downloaded: `lm-eval-ja prepare` or the first run does it.", True
