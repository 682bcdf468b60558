"""Parsed task files on disk, for a start without parsing: opt-in with ``LM_EVAL_JA_INDEX_CACHE=1``.

One JSON file for each set of task folders, under ``index`` in our cache folder. A parsed file is used only if it and
every file it includes, wherever that lies, has its old size, times and inode; whatever else is found is parsed as ever.
The file is replaced as a whole and carries a checksum: two processes, a full disk or a crash leave the old one or the
new one. Nothing in it can run code.
"""

import hashlib
import json
import logging
import math
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

_log = logging.getLogger(__name__)

_FORMAT = 1
_KEPT = 8
"""Sets of folders whose index is kept."""
_YOUNG_NS = 3_000_000_000
"""A file changed so lately may change again without its time changing: it is not kept."""

Stat = tuple[int, int, int, int]


class IndexCache:
    """The parsed files of one set of task folders."""

    def __init__(self, path: Path, key: str) -> None:
        """Read what is there; anything wrong with it counts as nothing.

        Args:
            path: The file.
            key: What else determines the content: versions and folders.
        """
        self._path = path
        self._key = key
        self._stats: dict[str, Stat | None] = {}
        self._old: dict[str, dict[str, Any]] = {}
        self._old_stats: dict[str, Stat] = {}
        self._kept: dict[str, dict[str, Any]] = {}
        self._changed = False
        try:
            head, _, body = path.read_bytes().partition(b"\n")
            if json.loads(head) == self._head(body):
                content = json.loads(body)
                self._old_stats = {name: tuple(stat) for name, stat in content["stats"].items()}
                self._old = content["files"]
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            _log.debug("no usable index cache at %s (%s)", path, error)

    def _head(self, body: bytes) -> dict[str, str]:
        return {"key": self._key, "sha256": hashlib.sha256(body).hexdigest()}

    def stat(self, name: str) -> Stat | None:
        """Size, times and inode of a file, asked once; None if it is not there."""
        if name not in self._stats:
            try:
                found = os.stat(name)  # noqa: PTH116  # 15,000 times at every start
                self._stats[name] = (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
            except OSError:
                self._stats[name] = None
        return self._stats[name]

    def take(self, name: str) -> dict[str, Any] | None:
        """The parsed file, None if it is not known or something it was made of has changed."""
        entry = self._old.get(name)
        if entry is None or any(
            self.stat(read) is None or self._stats[read] != self._old_stats.get(read)
            for read in (name, *entry["reads"])
        ):
            self.stat(name)
            return None
        self._kept[name] = entry
        config: dict[str, Any] = entry["config"]
        return config

    def put(self, name: str, config: dict[str, Any], reads: Iterable[str]) -> None:
        """Keep a parsed file, if JSON gives back the same and its parts are not too young to be trusted."""
        reads = set(reads)
        stats = [self.stat(read) for read in (name, *reads)]
        newest = time.time_ns() - _YOUNG_NS
        if any(stat is None or max(stat[1], stat[2]) > newest for stat in stats) or not _is_plain(config):
            return
        self._kept[name] = {"reads": sorted(reads - {name}), "config": config}
        self._changed = True

    def save(self) -> None:
        """Replace the file, if there is anything new. A disk that refuses costs the next start its time, no more."""
        if not self._changed:
            return
        stats = {
            read: self._stats[read] for name, entry in self._kept.items() for read in (name, *entry["reads"])
        }
        body = json.dumps({"stats": stats, "files": self._kept}, separators=(",", ":")).encode()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._path.parent, suffix=".tmp")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(json.dumps(self._head(body)).encode() + b"\n" + body)
                Path(name).replace(self._path)
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise
            others = sorted(self._path.parent.glob("*.json"), key=lambda path: path.stat().st_mtime)
            for old in others[:-_KEPT]:
                old.unlink(missing_ok=True)
        except OSError as error:
            _log.debug("the index cache could not be written to %s (%s)", self._path, error)


def open_cache(roots: Sequence[str | Path], options: Any) -> IndexCache | None:
    """The cache for these folders.

    Args:
        roots: Task folders, as given to upstream.
        options: Whatever else upstream was given.

    Returns:
        None if our settings are wrong: that is told where they are used.
    """
    from lm_eval_ja.datasets import Settings
    from lm_eval_ja.errors import LmEvalJaError

    try:
        folder = Settings.from_env().cache / "index"
    except LmEvalJaError:
        return None
    key = json.dumps(
        [
            _FORMAT,
            [version("lm_eval"), version("pyyaml"), *sys.version_info[:3]],
            [str(Path(root).absolute()) for root in roots],
            repr(options),
            str(Path.cwd()) if any(not Path(root).is_absolute() for root in roots) else "",
        ]
    )
    return IndexCache(folder / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.json", key)


def _is_plain(value: Any) -> bool:
    """Whether JSON gives the value back exactly: dates, sets and keys that are no texts it does not."""
    if type(value) is dict:
        return all(type(key) is str and _is_plain(item) for key, item in value.items())
    if type(value) is list:
        return all(map(_is_plain, value))
    if type(value) is float:
        return math.isfinite(value)
    return value is None or type(value) in (str, int, bool)
