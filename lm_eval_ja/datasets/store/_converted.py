"""Converted splits: made once from verified raw files, kept as Arrow files, checked at each load."""

import json
import os
import shutil
import zlib
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lm_eval_ja.datasets.store._catalog import Catalog
from lm_eval_ja.datasets.store._digest import digest_of, ids_digest
from lm_eval_ja.datasets.store._fetch import cached_path, fetch_all
from lm_eval_ja.datasets.store._files import locked, logger, working, writing
from lm_eval_ja.datasets.store._settings import Settings
from lm_eval_ja.datasets.store._types import DatasetSplit, Files, Sample, Split, Unit
from lm_eval_ja.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

_FORMAT = 1
"""Raised whenever the layout of an entry changes; part of the cache key."""

_COLUMNS = ("id", "input", "output")
_MANIFEST = "manifest.json"


class Shelf(Protocol):
    """Something that has every split of every dataset as a table with the columns id, input, output."""

    def table(self, dataset: str, split: Split) -> "pa.Table":
        """Return a split in its own order."""


class NotConvertedError(DataError):
    """The split is not in the cache, and converting was not asked for."""


class Store:
    """The shelf of the real data.

    An entry is a folder ``<cache>/converted/<unit>-<key>`` with one Arrow file per split and a manifest of
    their sizes and checksums. It is written beside its place and renamed, so it is there whole or not at all.
    The key says everything the content depends on, so an entry never goes stale, and no raw file is needed to
    read one. What is read is held against the catalog's digest each time, or where none is known against the
    manifest.

    Args:
        settings: Where raw files come from and entries are kept.
        catalog: Units, sources and digests.
        build: Whether an entry that is missing or damaged is (re)made; otherwise ``NotConvertedError``.
    """

    def __init__(self, settings: Settings, catalog: Catalog, *, build: bool = True) -> None:
        self._settings = settings
        self._catalog = catalog
        self._build = build

    def table(self, dataset: str, split: Split) -> "pa.Table":
        """Load a split, after fetching and converting its raw files if that was never done.

        Raises:
            DataError: A raw file is unavailable, or what was converted from it is not what it must be.
        """
        unit = self._catalog.unit(dataset, split)
        entry = self._entry(unit)
        found, damage = self._read(entry, dataset, split)
        if found is not None:
            return found
        if not self._build:
            raise NotConvertedError(damage or f"{dataset}/{split} is not converted yet.")
        with locked(f"convert {entry.name}", self._settings, doing=f"converting {unit.name}"):
            found, damage = self._read(entry, dataset, split)  # another process may have been faster
            if found is not None:
                return found
            if damage:
                logger.warning("%s It is converted again.", damage)
            self._convert(unit, entry)
        found, damage = self._read(entry, dataset, split)
        if found is None:
            raise DataError(
                f"{entry} cannot be read back: {damage} Check the disk that holds LM_EVAL_JA_CACHE."
            )
        return found

    def _entry(self, unit: Unit) -> Path:
        # A source that is not pinned enters through the digests that its samples must have.
        facts = [
            _FORMAT,
            unit.name,
            unit.version,
            [(url, self._catalog.source(url).pin) for url in unit.urls],
            [(made, self._known(made)) for made in unit.produces],
        ]
        key = sha256(json.dumps(facts).encode()).hexdigest()[:16]
        return self._settings.cache / "converted" / f"{unit.name}-{key}"

    def _known(self, made: DatasetSplit) -> tuple[int, str] | str | None:
        if made in self._catalog.published:
            return self._catalog.published[made].sha256
        expected = self._catalog.digests.get(made)
        return None if expected is None else (expected.n, expected.sha256)

    def _read(self, entry: Path, dataset: str, split: Split) -> "tuple[pa.Table | None, str]":
        """Read a split of an entry.

        Returns:
            The table, None if there is no whole one; and what is wrong with the entry, empty if it is just not
            there.
        """
        try:
            if not entry.is_dir():
                return None, ""
            table = _read_table(entry / _file_name(dataset, split))
            problem = self._difference((dataset, split), *(table[column].to_pylist() for column in _COLUMNS))
        except (OSError, LookupError, TypeError, ValueError) as error:
            problem = f"{type(error).__name__}: {error}"
        if problem:
            return None, f"The cache entry {entry / _file_name(dataset, split)} is damaged ({problem})."
        return table, ""

    def _difference(self, made: DatasetSplit, ids: list[str], questions: list[str], golds: list[str]) -> str:
        """Say how samples differ from what the catalog expects; empty if they do not, or if nothing is known."""
        published = self._catalog.published.get(made)
        if published is not None and published.found(questions, golds) != published.sha256:
            return (
                f"expected llm-jp-eval's file with SHA-256 {published.sha256}, "
                f"found {published.found(questions, golds)}"
            )
        expected = self._catalog.digests.get(made)
        if expected is None:
            return ""
        actual = digest_of(questions, golds)
        if (len(ids), actual) != (expected.n, expected.sha256):
            return f"expected {expected.n} samples with SHA-256 {expected.sha256}, found {len(ids)} with {actual}"
        if expected.ids is not None and ids_digest(ids) != expected.ids:
            return f"expected ids with SHA-256 {expected.ids}, found {ids_digest(ids)}"
        return ""

    def _convert(self, unit: Unit, entry: Path) -> None:
        files = fetch_all(unit.urls, self._settings, self._catalog, label=unit.name)
        try:
            with working(f"converting {unit.name}"):
                produced = _run(unit, files)
            pinned = all(self._catalog.source(url).pin for url in unit.urls)
            for made, samples in produced.items():
                self._check(made, samples, pinned=pinned)
        except DataError as error:
            if not files:
                raise
            raise DataError(f"{error} {self._reject(unit, files)}") from error
        draft = entry.with_name(entry.name + ".draft")
        try:
            with writing(self._settings.cache):
                shutil.rmtree(draft, ignore_errors=True)
                draft.mkdir(parents=True)
                manifest = {}
                for made, samples in produced.items():
                    path = draft / _file_name(*made)
                    content = _as_arrow(samples)
                    _write_synced(path, content)
                    digest = digest_of([s.input for s in samples], [s.output for s in samples])
                    manifest[path.name] = [len(samples), digest, len(content), zlib.crc32(content)]
                _write_synced(draft / _MANIFEST, json.dumps(manifest).encode())
                shutil.rmtree(entry, ignore_errors=True)
                draft.rename(entry)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _check(self, made: DatasetSplit, samples: list[Sample], *, pinned: bool) -> None:
        ids, questions, golds = ([getattr(sample, column) for sample in samples] for column in _COLUMNS)
        problem = self._difference(made, ids, questions, golds)
        if problem:
            raise DataError(f"{made[0]}/{made[1]} came out wrong: {problem}. Nothing was kept.")
        if not pinned and made not in self._catalog.digests and made not in self._catalog.published:
            logger.warning("%s/%s cannot be verified: no digest of it or of its files is known.", *made)

    def _reject(self, unit: Unit, files: Files) -> str:
        """Name the files a failed conversion read, and drop those that nothing but this conversion checks."""
        dropped = []
        for url in unit.urls:
            source = self._catalog.source(url)
            path = cached_path(source, self._settings)
            if source.pin is None and files[url] == path:
                path.unlink(missing_ok=True)  # kept, a bad copy would be read again for ever
                dropped.append(url)
        fix = (
            f"The cached copy of {', '.join(dropped)} was removed: try again, or supply a good copy through "
            "LM_EVAL_JA_MIRROR."
            if dropped
            else "Replace the files by those this version of lm-eval-ja was made for."
        )
        return f"Made from {_listed(files)}. {fix}"


class Samples:
    """The shelf of the sample data, converted in memory: it is tiny, and nothing need be written for it."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def table(self, dataset: str, split: Split) -> "pa.Table":
        """Convert a split's sample files.

        Raises:
            DataError: The package ships no sample files for it.
        """
        unit = self._catalog.unit(dataset, split)
        return _as_table(_convert_samples(self._catalog, unit.name)[dataset, split])


@cache
def _convert_samples(catalog: Catalog, name: str) -> Mapping[DatasetSplit, list[Sample]]:
    unit = catalog.units[name]
    files = {url: catalog.sample_files / catalog.source(url).location for url in unit.urls}
    missing = [str(path) for path in files.values() if not path.exists()]
    if missing:
        raise DataError(
            f"There is no sample data for {name} (missing: {', '.join(missing)}). Use data='real'."
        )
    return _run(unit, files)


def _run(unit: Unit, files: Files) -> dict[DatasetSplit, list[Sample]]:
    try:
        produced = unit.convert(files)
        return {made: list(produced[made]) for made in unit.produces}
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"Cannot convert {unit.name}: {type(error).__name__}: {error}.") from error


def _as_arrow(samples: list[Sample]) -> "pa.Buffer":
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    table = _as_table(samples)
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _as_table(samples: list[Sample]) -> "pa.Table":
    return as_table(*([getattr(sample, column) for sample in samples] for column in _COLUMNS))


def as_table(ids: list[str], questions: list[str], golds: list[str]) -> "pa.Table":
    """Make a table as a shelf has them."""
    import pyarrow as pa

    schema = pa.schema([(column, pa.string()) for column in _COLUMNS])
    return pa.table(dict(zip(_COLUMNS, (ids, questions, golds), strict=True)), schema)


def _read_table(path: Path) -> "pa.Table":
    """Read a split's file and hold it against its entry's manifest.

    Raises:
        OSError, LookupError, TypeError, ValueError: It is not what the manifest says.
    """
    import pyarrow as pa

    n, _, size, crc32 = json.loads((path.parent / _MANIFEST).read_bytes())[path.name]
    content = path.read_bytes()
    if (len(content), zlib.crc32(content)) != (size, crc32):
        raise ValueError("wrong size or checksum")
    table = pa.ipc.open_file(content).read_all()
    if table.num_rows != n or table.column_names != list(_COLUMNS):
        raise ValueError(f"{table.num_rows} rows instead of {n}")
    return table


def _file_name(dataset: str, split: Split) -> str:
    return f"{dataset}-{split}.arrow"


def _write_synced(path: Path, content: "bytes | pa.Buffer") -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _listed(files: Files) -> str:
    first, *others = (str(path) for path in files.values())
    return f"{first} and {len(others)} more files" if others else first
