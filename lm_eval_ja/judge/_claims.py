"""Which judgments are being asked for at the moment, so that no two runs pay for the same one."""

import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout


class Claims:
    """A folder with one file of keys for each run that is asking, and beside it a lock that the run holds.

    The system lets go of the locks of a process that ends, however it ends: a file whose lock is free is of a run that
    was killed, and counts no more.

    Attributes:
        folder: The folder. It appears with the first claim.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held: dict[str, FileLock] = {}

    def take(self, keys: Collection[str]) -> tuple[str, frozenset[str]]:
        """Claim what no other run claims. The caller sees to it that one process at a time does this.

        Returns:
            The claim's name, for :meth:`release`, and the keys claimed.

        Raises:
            OSError: The folder cannot be written.
        """
        self.folder.mkdir(exist_ok=True)
        free = frozenset(keys) - self._taken()
        name = f"{os.getpid()}-{uuid4().hex[:8]}"
        lock = FileLock(self.folder / f"{name}.lock", timeout=0)
        lock.acquire()
        self._held[name] = lock
        try:
            (self.folder / f"{name}.keys").write_text("\n".join(sorted(free)), encoding="ascii")
        except OSError:
            self.release(name)
            raise
        return name, free

    def release(self, name: str) -> None:
        """Claim nothing any more."""
        with suppress(OSError):  # whatever stays counts no more once the lock is free
            (self.folder / f"{name}.keys").unlink(missing_ok=True)
        self._held.pop(name).release()
        self._remove(name)

    def _taken(self) -> frozenset[str]:
        """What runs that are alive claim. Removes what others have left."""
        taken: set[str] = set()
        for path in self.folder.glob("*.keys"):
            lock = FileLock(path.with_suffix(".lock"), timeout=0)
            try:
                lock.acquire()
            except Timeout:
                with suppress(FileNotFoundError):  # released this very moment
                    taken.update(path.read_text(encoding="ascii", errors="replace").split())
            else:
                with suppress(OSError):
                    path.unlink(missing_ok=True)
                lock.release()
                self._remove(path.stem)
        return frozenset(taken)

    def _remove(self, name: str) -> None:
        with suppress(OSError):
            (self.folder / f"{name}.lock").unlink(missing_ok=True)
