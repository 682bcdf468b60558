"""Which judgments have been asked for in batches.

Written down before anything is sent, so that a crash pays for none twice.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from lm_eval_ja.errors import JudgeError

_LOCK_TIMEOUT = 60.0


@dataclass(frozen=True)
class Batch:
    """One batch, as far as we know of it.

    Attributes:
        tag: Our name for it; the provider is told where it takes such a thing.
        api: The protocol it is asked by.
        url: Address of the judge, as in the judgments' keys.
        model: The judge.
        created: When it was written down, in seconds since the epoch.
        requests: Number of the repeat by key of the judgment.
        adaptations: Deviations from the configured settings in its requests.
        before: The newest batch that the provider listed before this one was sent; empty if there was none.
        id: The provider's name for it; None while it is not known whether the provider got it.
        failed: Why there is no judgment, by key. Complete once the batch is collected.
    """

    tag: str
    api: str
    url: str
    model: str
    created: float
    requests: Mapping[str, int]
    adaptations: tuple[str, ...] = ()
    before: str = ""
    id: str | None = None
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What a user knows it by."""
        return self.id or f"{self.tag} (being submitted)"


def new_batch(
    api: str, url: str, model: str, requests: Mapping[str, int], adaptations: tuple[str, ...], before: str
) -> Batch:
    """A batch that nobody has been asked for yet."""
    return Batch(uuid4().hex, api, url, model, time.time(), dict(requests), adaptations, before)


class Ledger:
    """A folder beside the store with one file per batch; those that were collected stand in a folder below.

    Attributes:
        folder: The folder. It appears with the first batch.
    """

    def __init__(self, store: Path) -> None:
        self.folder = store.with_name(f"{store.name}.batches")
        self._done = self.folder / "collected"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Let nobody else submit or collect meanwhile.

        Raises:
            JudgeError: Somebody else does, or the folder cannot be written.
        """
        try:
            self._done.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / ".lock", timeout=_LOCK_TIMEOUT):
                for draft in self.folder.rglob("*.draft"):  # of a process that was killed
                    draft.unlink(missing_ok=True)
                yield
        except Timeout:
            raise JudgeError(
                f"another process has been submitting or collecting batches for {_LOCK_TIMEOUT:g} s "
                f"({self.folder}); wait for it or end it"
            ) from None
        except OSError as exc:
            raise JudgeError(f"{self.folder}: cannot be written: {exc.strerror or exc}") from None

    def open(self) -> list[Batch]:
        """Batches that have not been collected, oldest first.

        Raises:
            JudgeError: A file of theirs cannot be read.
        """
        return self._read(self.folder)

    def all(self) -> list[Batch]:
        """All batches there ever were.

        Raises:
            JudgeError: A file of theirs cannot be read.
        """
        return [*self._read(self._done), *self.open()]

    def held(self) -> dict[str, Batch]:
        """The batch that asks for a judgment, by the judgment's key, of all that have not been collected.

        Raises:
            JudgeError: A file cannot be read.
        """
        return {key: batch for batch in self.open() for key in batch.requests}

    def failures(self) -> dict[str, str]:
        """Why collected batches have no judgment, by key; the newest batch's reason.

        Raises:
            JudgeError: A file cannot be read.
        """
        return {key: why for batch in self._read(self._done) for key, why in batch.failed.items()}

    def write(self, batch: Batch) -> None:
        """Write a batch down, durably."""
        _write(self.path(batch), batch)

    def drop(self, batch: Batch) -> None:
        """Forget a batch that the provider never got."""
        self.path(batch).unlink(missing_ok=True)
        _sync(self.folder)

    def close(self, batch: Batch, failed: Mapping[str, str]) -> None:
        """Note that all there is of a batch has been saved. In this order, a crash only repeats the collecting."""
        _write(self._done / self.path(batch).name, replace(batch, failed=dict(failed)))
        self.drop(batch)

    def path(self, batch: Batch) -> Path:
        """Where a batch is written down while it is open."""
        return self.folder / f"{batch.tag}.json"

    def _read(self, folder: Path) -> list[Batch]:
        batches = [batch for path in folder.glob("*.json") if (batch := _load(path)) is not None]
        return sorted(batches, key=lambda batch: batch.created)


def _load(path: Path) -> Batch | None:
    """One batch's file; None if it has been collected this very moment."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        values["adaptations"] = tuple(values["adaptations"])
        {**values["requests"], **values["failed"]}
        return Batch(**{own.name: values[own.name] for own in fields(Batch)})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError) as exc:
        problem = f"{type(exc).__name__}: {exc}"
    raise JudgeError(
        f"{path}: cannot be read ({problem}): it says which judgments a batch was asked for. Delete it only if that "
        "batch is over: they will be asked for again"
    )


def _write(path: Path, batch: Batch) -> None:
    draft = path.with_suffix(".draft")
    try:
        with draft.open("w", encoding="utf-8") as file:
            json.dump(asdict(batch), file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Make names as durable as files, where the system can."""
    with suppress(OSError):  # Windows opens no directories
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
