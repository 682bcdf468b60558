"""Raw files in one archive, for a machine without internet.

A bundle is an uncompressed tar: first ``manifest.json``, then the files as ``<host>/<path>`` in sorted order.
The same files always make the same bytes. A bundle is trusted no more than any download: unpacking accepts
regular files of the registry only, and checks each against the manifest and the registry before anything
appears in the cache.
"""

import io
import json
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import IO

from lm_eval_ja import __version__
from lm_eval_ja.datasets._catalog import Catalog, packaged
from lm_eval_ja.datasets._fetch import cached_path, difference, fetch_all
from lm_eval_ja.datasets._files import locked, progress, sha256_of, writing
from lm_eval_ja.datasets._settings import Settings
from lm_eval_ja.datasets._sources import Source
from lm_eval_ja.datasets._tar import UNREADABLE, open_tar
from lm_eval_ja.errors import DataError

_FORMAT = 1
_MANIFEST = "manifest.json"
_MAX_MANIFEST_BYTES = 1 << 20
_MAX_BYTES = 1 << 30
"""Far above all raw files together (130 MB), far below what fills a disk."""

_CHUNK = 1 << 20


def make_bundle(
    file: str | Path,
    urls: Iterable[str],
    *,
    settings: Settings | None = None,
    catalog: Catalog | None = None,
) -> Path:
    """Pack raw files, fetching those that are not at hand.

    Args:
        file: Where to write the bundle; replaced only when the new one is complete.
        urls: Registered URLs, e.g. ``raw_urls(...)``.
        settings: Default: from the environment.
        catalog: Default: the packaged one.

    Returns:
        The file.

    Raises:
        OptionError: The registry has no such URL.
        DataError: A file cannot be had, or the bundle cannot be written.
    """
    settings, catalog = settings or Settings.from_env(), catalog or packaged()
    file = Path(file)
    fetched = fetch_all(dict.fromkeys(urls), settings, catalog, label="files for the bundle")
    files = {catalog.source(url).location: path for url, path in sorted(fetched.items())}
    listed = {
        name: {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
        for name, path in sorted(files.items())
    }
    manifest = json.dumps({"format": _FORMAT, "files": listed}, indent=1).encode()
    draft = file.with_name(file.name + ".draft")
    try:
        with tarfile.open(draft, "w", format=tarfile.PAX_FORMAT) as tar:
            tar.addfile(_member(_MANIFEST, len(manifest)), io.BytesIO(manifest))
            with progress(f"packing {file.name}", len(files), "file") as bar:
                for name, path in sorted(files.items()):
                    with path.open("rb") as content:
                        tar.addfile(_member(name, path.stat().st_size), content)
                    bar.update()
        draft.replace(file)
    except OSError as error:
        raise DataError(
            f"Cannot write the bundle {file}: {error}. Choose a writable place with enough room."
        ) from error
    finally:
        draft.unlink(missing_ok=True)
    return file


def unpack_bundle(
    file: str | Path,
    *,
    settings: Settings | None = None,
    catalog: Catalog | None = None,
) -> tuple[str, ...]:
    """Verify a bundle and put its files into the cache: all of them, or on any error none.

    Args:
        file: Made by ``make_bundle``.
        settings: Default: from the environment.
        catalog: Default: the packaged one.

    Returns:
        The URLs whose files are now in the cache.

    Raises:
        DataError: The bundle is damaged, from an incompatible version, or holds what no bundle may hold.
    """
    settings, catalog = settings or Settings.from_env(), catalog or packaged()
    file = Path(file)
    known = {source.location: source for source in catalog.sources.values()}
    raw = settings.cache / "raw"
    with writing(settings.cache):
        raw.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=settings.cache))
    try:
        sources = _unpack(file, draft, known, settings)
        for number, source in enumerate(sources):
            with locked(f"fetch {source.location}", settings, doing=f"downloading {source.url}"):
                target = cached_path(source, settings)
                with writing(settings.cache):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    (draft / str(number)).replace(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return tuple(source.url for source in sources)


def _unpack(file: Path, draft: Path, known: Mapping[str, Source], settings: Settings) -> list[Source]:
    """Unpack into numbered files in ``draft``, so that no name in the bundle ever becomes a path."""
    sources: list[Source] = []
    try:
        with open_tar(file, packed=False) as tar:
            listed = _manifest(tar, file)
            with progress(f"unpacking {file.name}", len(listed), "file") as bar:
                while member := tar.next():
                    source = known.get(member.name)
                    facts = listed.pop(member.name, None)
                    if source is None or facts is None or not member.isreg() or member.size != facts[0]:
                        raise _refused(
                            file, f"{member.name!r} is not a listed, registered regular file of right size"
                        )
                    content = tar.extractfile(member)
                    path = draft / str(len(sources))
                    if content is None or _copy(content, path, settings) != facts[1]:
                        raise _refused(file, f"{member.name!r} is not what the manifest says")
                    problem = difference(path, source)
                    if problem:
                        raise _refused(file, f"{member.name!r} is not {source.url}: {problem}")
                    sources.append(source)
                    bar.update()
    except UNREADABLE as error:
        raise _refused(file, str(error)) from error
    if listed:
        raise _refused(file, f"it lacks {min(listed)!r}, which its manifest lists")
    return sources


def _manifest(tar: tarfile.TarFile, file: Path) -> dict[str, tuple[int, str]]:
    first = tar.next()
    if first is None or first.name != _MANIFEST or not first.isreg() or first.size > _MAX_MANIFEST_BYTES:
        raise _refused(file, f"it does not begin with a {_MANIFEST}")
    content = tar.extractfile(first)
    try:
        manifest = json.loads(content.read() if content else b"")
        if manifest["format"] != _FORMAT:
            raise _refused(
                file, f"its format {manifest['format']!r} is not known to lm-eval-ja {__version__}"
            )
        listed = {
            name: (int(facts["bytes"]), str(facts["sha256"])) for name, facts in manifest["files"].items()
        }
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise _refused(file, f"its {_MANIFEST} cannot be understood ({error})") from error
    if sum(size for size, _ in listed.values()) > _MAX_BYTES:
        raise _refused(file, f"it lists more than {_MAX_BYTES} bytes")
    return listed


def _copy(content: IO[bytes], path: Path, settings: Settings) -> str:
    """Copy to a new file and return the SHA-256."""
    digest = sha256()
    with writing(settings.cache), path.open("wb") as target:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
            target.write(chunk)
    return digest.hexdigest()


def _refused(file: Path, why: str) -> DataError:
    return DataError(
        f"The bundle {file} cannot be used: {why}. Nothing was unpacked. Make it anew with "
        "`lm-eval-ja prepare --bundle FILE` of the same version, and copy it as a binary file."
    )


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o644
    return member
