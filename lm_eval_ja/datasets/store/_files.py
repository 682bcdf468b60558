"""Writing into the cache so that other processes never see half a file."""

import errno
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from lm_eval_ja.datasets.store._settings import Settings
from lm_eval_ja.errors import DataError

if TYPE_CHECKING:
    from tqdm import tqdm

logger = logging.getLogger("lm_eval_ja.datasets")

_PATIENCE_S = 2.0
_NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})
"""What file systems without locks answer."""

_CHUNK = 1 << 20


@contextmanager
def writing(cache: Path) -> Iterator[None]:
    """Turn what the operating system says about an unusable cache into an error with the fix.

    Raises:
        DataError: The block raised an OSError.
    """
    try:
        yield
    except (OSError, UnicodeEncodeError) as error:  # a name the locale cannot encode
        raise DataError(
            f"Cannot write to the cache folder {cache}: {error}. "
            "Set LM_EVAL_JA_CACHE to a folder that is writable and has room."
        ) from error


@contextmanager
def locked(name: str, settings: Settings, *, doing: str) -> Iterator[None]:
    """Hold the cache's lock called ``name`` among all processes and threads.

    The lock is the operating system's, so one held by a process that dies is free again. A file system that
    refuses locks would keep everyone waiting for ever: that is an error.

    Args:
        name: Any text that identifies what must not be done twice at once.
        settings: Whose cache holds the lock files.
        doing: What the lock's holder is doing, shown to a user who has to wait.

    Raises:
        DataError: The file system gives no locks, or the lock file cannot be made.
    """
    from filelock import FileLock, Timeout

    path = settings.cache / "locks" / f"{sha256(name.encode()).hexdigest()[:32]}.lock"
    lock = FileLock(path)
    with writing(settings.cache):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=_PATIENCE_S)
        except (OSError, NotImplementedError) as error:  # a Timeout is an OSError
            if isinstance(error, Timeout):
                refusal = _refusal(path)
            elif isinstance(error, NotImplementedError) or error.errno in _NO_LOCKS:
                refusal = str(error)
            else:
                raise
            if refusal:
                raise DataError(
                    f"The file system of the cache folder {settings.cache} gives no lock ({refusal}). "
                    "Set LM_EVAL_JA_CACHE to a folder on another one, e.g. a local disk."
                ) from error
            logger.warning("Waiting for another process that is %s (lock file %s).", doing, path)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _refusal(path: Path) -> str:
    """Say why a file cannot be locked, empty if another process just holds it."""
    try:
        import fcntl
    except ImportError:  # Windows, whose file systems all lock
        return ""
    with path.open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return ""
        except OSError as error:
            return error.strerror or str(error)
    return ""


def sha256_of(path: Path) -> str:
    """Hash a file without holding it in memory."""
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def progress(
    label: str, total: int | None, unit: str, *, initial: int = 0, scale: bool = False
) -> "tqdm[NoReturn]":
    """A progress bar that shows itself only when the work takes more than two seconds."""
    from tqdm import tqdm

    return tqdm(
        desc=label,
        total=total,
        unit=unit,
        initial=initial,
        unit_scale=scale,
        delay=_PATIENCE_S,
        mininterval=0.5,
        leave=False,
    )


@contextmanager
def working(label: str) -> Iterator[None]:
    """Show the time the block has taken, from two seconds on: for work that cannot say how far it is."""
    done = threading.Event()

    def show() -> None:
        if done.wait(_PATIENCE_S):
            return
        from tqdm import tqdm

        with tqdm(desc=label, bar_format="{desc}, once only: {elapsed}", leave=False) as bar:
            while not done.wait(0.5):
                bar.refresh()

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
