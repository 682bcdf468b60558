"""Raw files in one archive, for a machine without internet.

A bundle is a tar laid out like the cache's ``raw`` folder: members ``<host>/<path>``, in sorted order, so that the same
files always make the same bytes. It is trusted no more than any download: of a tar from elsewhere only registered,
regular files are taken, and only if all of them are what is registered. It is not compressed and no member is sparse,
so unpacking takes no more room than the bundle itself.
"""

import shutil
import tarfile
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO

from lm_eval_ja.datasets.store._catalog import Catalog
from lm_eval_ja.datasets.store._fetch import cached_path, difference, fetch_all
from lm_eval_ja.datasets.store._files import locked, progress, writing
from lm_eval_ja.datasets.store._settings import Settings
from lm_eval_ja.datasets.store._tar import UNREADABLE, is_cut_off, open_tar
from lm_eval_ja.datasets.store._types import Source
from lm_eval_ja.errors import DataError

_OLD_MANIFEST = PurePosixPath("manifest.json")
"""Bundles of the first version begin with one. It says nothing that the registry does not say."""
_MAX_BYTES = 1 << 30
"""Far above all raw files together (190 MB), far below what fills a disk."""
_DRAFT = ".unpacking-"
_CHUNK = 1 << 20


def make_bundle(file: Path, urls: Iterable[str], settings: Settings, catalog: Catalog) -> Path:
    """Pack raw files, fetching those that are not on this machine.

    Raises:
        OptionError: The catalog has no such URL.
        DataError: A file is unavailable, or the bundle cannot be written.
    """
    fetched = fetch_all(dict.fromkeys(urls), settings, catalog, label="files for the bundle")
    files = {catalog.source(url).location: path for url, path in fetched.items()}
    draft = file.with_name(file.name + ".draft")
    try:
        with tarfile.open(draft, "w") as tar, progress(f"packing {file.name}", len(files), "file") as bar:
            for name, path in sorted(files.items()):
                member = tarfile.TarInfo(name)
                member.size = path.stat().st_size
                with path.open("rb") as content:
                    tar.addfile(member, content)
                bar.update()
        draft.replace(file)
    except OSError as error:
        raise DataError(
            f"Cannot write the bundle {file}: {error}. Choose a writable place with enough room."
        ) from error
    finally:
        with suppress(OSError):  # there may be no such place
            draft.unlink(missing_ok=True)
    return file


def unpack_bundle(file: Path, settings: Settings, catalog: Catalog) -> tuple[str, ...]:
    """Verify a bundle and put its files into the cache; if anything is wrong with it, none of them.

    Returns:
        The URLs whose files are now in the cache.

    Raises:
        DataError: The bundle is damaged, or holds what no bundle may hold.
    """
    with locked("unpack a bundle", settings, doing="unpacking a bundle"), writing(settings.cache):
        for left in settings.cache.glob(f"{_DRAFT}*"):  # by a process that was killed: the lock is ours
            shutil.rmtree(left, ignore_errors=True)
        draft = Path(tempfile.mkdtemp(prefix=_DRAFT, dir=settings.cache))
        try:
            sources = _unpack(file, draft, settings, catalog)
            for number, source in enumerate(sources):
                with locked(f"fetch {source.location}", settings, doing=f"downloading {source.url}"):
                    target = cached_path(source, settings)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    (draft / str(number)).replace(target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return tuple(source.url for source in sources)


def _unpack(file: Path, draft: Path, settings: Settings, catalog: Catalog) -> list[Source]:
    """Unpack into numbered files in ``draft``, so that no name in the bundle ever becomes a path."""
    known = {PurePosixPath(source.location): source for source in catalog.sources.values()}
    sources: list[Source] = []
    try:
        with open_tar(file, packed=False) as tar, progress(f"unpacking {file.name}", None, "file") as bar:
            while member := tar.next():
                name = PurePosixPath(member.name)
                if member.isdir() or (name == _OLD_MANIFEST and not sources):
                    continue
                source = known.pop(name, None)
                if source is None:
                    raise _refused(file, f"{member.name!r} is no registered file, or stands in it twice")
                if (
                    not member.isreg()
                    or member.issparse()
                    or not 0 <= member.size <= (source.size or _MAX_BYTES)
                ):
                    raise _refused(file, f"{member.name!r} is no ordinary file of at most the right size")
                path = draft / str(len(sources))
                _copy(tar.extractfile(member), path, settings)
                problem = difference(path, source)
                if problem:
                    raise _refused(file, f"{member.name!r} is not {source.url}: {problem}")
                sources.append(source)
                bar.update()
            if is_cut_off(tar):
                raise _refused(file, "it is cut off")
    except UNREADABLE as error:
        raise _refused(file, str(error)) from error
    if not sources:
        raise _refused(file, "no raw file is in it")
    return sources


def _copy(content: IO[bytes] | None, path: Path, settings: Settings) -> None:
    with writing(settings.cache), path.open("wb"):
        pass
    while content and (chunk := content.read(_CHUNK)):
        with writing(settings.cache), path.open("ab") as target:
            target.write(chunk)


def _refused(file: Path, why: str) -> DataError:
    return DataError(
        f"The bundle {file} cannot be used: {why}. Nothing was unpacked. Make it again with "
        "`lm-eval-ja prepare --bundle FILE` of the same version, and copy it as a binary file."
    )
