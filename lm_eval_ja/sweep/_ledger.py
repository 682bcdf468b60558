"""What a sweep has done: one line per finished step, so that it goes on where it was stopped, however it was."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from lm_eval_ja.errors import DataError, OptionError
from lm_eval_ja.results import mapping, read_lines, read_results

_NAME = "sweep.jsonl"


@dataclass(frozen=True)
class Done:
    """A checkpoint whose answers are there.

    Attributes:
        checkpoint: Its name.
        settings: Digest of all that its answers depend on.
        results: The results file, relative to the sweep's folder.
        judge: Digest of the judge that has rated every turn; empty if none has.
    """

    checkpoint: str
    settings: str
    results: str
    judge: str = ""


class Ledger:
    """The file ``sweep.jsonl`` in a sweep's folder. May be used by several threads."""

    def __init__(self, folder: Path) -> None:
        """Read what there is; lines that a crash has torn are left out.

        Raises:
            OptionError: The folder can't be written to.
        """
        self.folder = folder
        self._path = folder / _NAME
        self._lock = threading.Lock()
        self._done: dict[str, Done] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # A torn last line must not swallow the next one.
            with self._path.open("ab") as file:
                if file.tell() and not self._path.read_bytes().endswith(b"\n"):
                    file.write(b"\n")
        except OSError as error:
            raise OptionError(f"--output_path {folder} can't be written to ({error})") from error
        for _, line in read_lines(self._path):
            try:
                done = Done(**(line or {}))
            except TypeError:
                continue
            self._done[done.settings] = done

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While it is open, no other sweep writes to the folder.

        Raises:
            OptionError: Another one does.
        """
        lock = FileLock(self.folder / "sweep.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise OptionError(
                f"another sweep is writing to {self.folder}: wait for it, or name another folder"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def find(self, settings: str) -> Done | None:
        """What is known of a checkpoint with these settings, if its files are still there and whole."""
        done = self._done.get(settings)
        return done if done is not None and is_complete(self.folder / done.results) else None

    def add(self, done: Done) -> None:
        """Write down that a step is done."""
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(done), ensure_ascii=False) + "\n")
            self._done[done.settings] = done


def is_complete(results: Path) -> bool:
    """Whether a results file and all of its samples are there and whole: the harness writes the samples after it."""
    try:
        file = read_results(results)
        for task in mapping(file.raw.get("configs")):
            asked = mapping(mapping(file.raw.get("n-samples")).get(task)).get("effective")
            lines = [sample for _, sample in read_lines(file.samples(task))]
            if None in lines or not isinstance(asked, int) or len(lines) < asked:
                return False
    except (DataError, OSError):
        return False
    return True
