"""Raw files through the packaged catalog and the settings of the environment, unless a caller brings others."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lm_eval_ja.datasets import store
from lm_eval_ja.datasets._catalog import packaged
from lm_eval_ja.datasets.store import Catalog, Settings
from lm_eval_ja.errors import DataError


def fetch(url: str, *, settings: Settings | None = None, catalog: Catalog | None = None) -> Path:
    """Make a raw file available and return where it lies.

    A folder given as mirror comes first and is used in place; then the cache; then the mirror server or the
    network. The content is checked against the registered digest each time.

    Args:
        url: A registered URL.
        settings: Default: from the environment.
        catalog: Default: the packaged one.

    Raises:
        OptionError: No source has registered such a URL.
        DataError: The file is unavailable or is not what it should be.
    """
    return store.fetch((catalog or packaged()).source(url), settings or Settings.from_env())


def make_bundle(
    file: str | Path,
    urls: Iterable[str],
    *,
    settings: Settings | None = None,
    catalog: Catalog | None = None,
) -> Path:
    """Pack raw files into a tar laid out like the cache's ``raw``, fetching those that are not on this machine.

    Args:
        file: Where to write the bundle; replaced only when the new one is complete.
        urls: Registered URLs, e.g. ``raw_urls(...)``.
        settings: Default: from the environment.
        catalog: Default: the packaged one.

    Returns:
        The file.

    Raises:
        OptionError: No source has registered such a URL.
        DataError: A file is unavailable, or the bundle cannot be written.
    """
    return store.make_bundle(Path(file), urls, settings or Settings.from_env(), catalog or packaged())


def unpack_bundle(
    file: str | Path,
    *,
    settings: Settings | None = None,
    catalog: Catalog | None = None,
) -> tuple[str, ...]:
    """Verify a bundle and put its files into the cache; if anything is wrong with it, none of them.

    Args:
        file: Made by ``make_bundle``, or any uncompressed tar of the cache's ``raw`` folder.
        settings: Default: from the environment.
        catalog: Default: the packaged one.

    Returns:
        The URLs whose files are now in the cache.

    Raises:
        DataError: The bundle is damaged, or holds what no bundle may hold.
    """
    return store.unpack_bundle(Path(file), settings or Settings.from_env(), catalog or packaged())


def json_records(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Read a raw file with one JSON object per line; empty lines are skipped.

    Returns:
        Each object with its place in the file, for messages.

    Raises:
        DataError: The file or a line of it cannot be read.
    """
    records = []
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}): delete it and fetch it again") from error
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            record = json.loads(line)
        except ValueError as error:
            raise DataError(f"{where} is not JSON ({error}): delete the file and fetch it again") from error
        if not isinstance(record, dict):
            raise DataError(f"{where} is not a JSON object: delete the file and fetch it again")
        records.append((where, record))
    return records
