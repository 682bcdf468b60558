"""Raw files: found in a mirror, in the cache or on the network, and hashed each time before they are handed out."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from hashlib import sha1
from pathlib import Path

from lm_eval_ja.datasets.store._catalog import Catalog
from lm_eval_ja.datasets.store._files import locked, logger, progress, sha256_of, writing
from lm_eval_ja.datasets.store._settings import Settings, without_secret
from lm_eval_ja.datasets.store._types import Source
from lm_eval_ja.errors import DataError

_PARALLEL_DOWNLOADS = 8


def fetch(source: Source, settings: Settings) -> Path:
    """Make a raw file available and return where it lies.

    Raises:
        DataError: The file is unavailable or is not what it should be.
    """
    found = find_local(source, settings)
    if found is not None:
        return found
    if not settings.may_download:
        raise DataError(missing_because(source, settings))
    with locked(f"fetch {source.location}", settings, doing=f"downloading {source.url}"):
        return find_local(source, settings, warn=True) or _download(source, settings)


def fetch_all(urls: Iterable[str], settings: Settings, catalog: Catalog, *, label: str) -> dict[str, Path]:
    """Make several raw files available, downloading a few at a time."""
    sources = [catalog.source(url) for url in urls]
    found = {source.url: find_local(source, settings) for source in sources}
    missing = [source for source in sources if found[source.url] is None]
    if missing and not settings.may_download:
        raise DataError(" ".join(missing_because(source, settings) for source in missing))
    files = {url: path for url, path in found.items() if path is not None}
    pool = ThreadPoolExecutor(_PARALLEL_DOWNLOADS)
    try:
        pending = {pool.submit(fetch, source, settings): source.url for source in missing}
        with progress(f"fetching {label}", len(pending), "file") as bar:
            for future in as_completed(pending):
                files[pending[future]] = future.result()
                bar.update()
    finally:
        pool.shutdown(cancel_futures=True)
    return files


def find_local(source: Source, settings: Settings, *, warn: bool = False) -> Path | None:
    """Find a copy without using the network, None if there is none.

    Raises:
        DataError: The copy in the mirror is wrong, or the one in the cache is and may not be replaced.
    """
    if settings.mirror_folder is not None:
        path = settings.mirror_folder / source.location
        if _is_file(path):
            _verify(path, source, settings)
            return path
    path = cached_path(source, settings)
    if not _is_file(path):
        return None
    try:
        _verify(path, source, settings)
    except DataError as error:
        if not settings.may_download:
            raise
        if warn:
            logger.warning("%s It is downloaded again.", error)
        return None
    return path


def cached_path(source: Source, settings: Settings) -> Path:
    """Where the cache keeps the raw file."""
    return settings.cache / "raw" / source.location


def missing_because(source: Source, settings: Settings) -> str:
    """Say why a file that is not on this machine cannot be downloaded, and how to supply it."""
    if settings.mirror_folder is not None:
        why = f"The mirror {settings.mirror_folder} (LM_EVAL_JA_MIRROR) lacks {source.url}"
    else:
        why = f"{source.url} is not on this machine and LM_EVAL_JA_OFFLINE forbids downloading it"
    return f"{why}. {_how_to_supply(source, settings)}"


def difference(path: Path, source: Source) -> str:
    """Say how the content differs from what is registered; empty if it does not, or if nothing is registered."""
    if source.pin is None:
        return ""
    kind, expected = source.pin
    actual = sha256_of(path) if kind == "SHA-256" else _git_blob(path)
    if actual == expected:
        return ""
    return f"expected {kind} {expected}, found {actual} ({path.stat().st_size} bytes)"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError) as error:
        raise DataError(f"Cannot look for {path}: {error}.") from error


def _verify(path: Path, source: Source, settings: Settings) -> None:
    """Check a file against the registered digest, if it has one.

    Raises:
        DataError: The content is not what is registered, or the file cannot be read.
    """
    try:
        problem = difference(path, source)
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error}. {_how_to_supply(source, settings)}") from error
    if problem:
        raise DataError(f"{path} is not {source.url}: {problem}. {_how_to_supply(source, settings)}")


def _download(source: Source, settings: Settings) -> Path:
    from lm_eval_ja.datasets.store._download import download

    path = cached_path(source, settings)
    part = path.with_name(path.name + ".part")
    url = f"{settings.mirror_url}/{source.location}" if settings.mirror_url else source.url
    fix = _how_to_supply(source, settings)
    with writing(settings.cache):
        part.parent.mkdir(parents=True, exist_ok=True)
        try:
            download(url, part, size=source.size, retry=settings.retry, fix=fix)
            problem = difference(part, source)
            if problem:
                raise DataError(
                    f"{without_secret(url)}: the content does not match the registered digest: {problem}. {fix}"
                )
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    return path


def _how_to_supply(source: Source, settings: Settings) -> str:
    pin = f" ({source.pin[0]} {source.pin[1]})" if source.pin else ""
    mirror = settings.mirror_folder / source.location if settings.mirror_folder else None
    places = " or as ".join(str(place) for place in (mirror, cached_path(source, settings)) if place)
    what = source.url if settings.mirror_url else "it"  # else the message has named it before
    return f"To supply the file{pin} by hand, save {what} as {places}."


def _git_blob(path: Path) -> str:
    content = path.read_bytes()
    return sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
