"""Judgments on disk: paid for once, never lost, never paid for again."""

import json
import logging
import os
import re
import threading
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from filelock import FileLock, Timeout

from lm_eval_ja.errors import JudgeError

_LOG = logging.getLogger(__name__)
_LOCK_TIMEOUT = 60.0
_KEY = re.compile(rb'\{"key": "([0-9a-f]{64})", ')  # how to_line begins


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the store: what was received for one judgment.

    Attributes:
        key: SHA-256 (hex) of everything that determines the judgment.
        model: The judge that was asked for.
        served_model: The name the server gave for the model that replied.
        base_url: Address of the judge, without credentials.
        repeat: Number of the judgment among those of the same answer.
        text: The last reply.
        finish_reason: Why that reply ended, as the API reports it.
        rating: The reply's rating if it is from 1 to 10. Strict readings are made from the text.
        first_text: The first reply of all, where it had no rating and another was asked for.
        prompt_tokens: Tokens sent, over all replies paid for.
        completion_tokens: Tokens received, likewise.
        latency: Seconds the last reply took.
        adaptations: Deviations from the requested settings.
    """

    key: str
    model: str
    served_model: str
    base_url: str
    repeat: int
    text: str
    finish_reason: str
    rating: float | None
    first_text: str | None
    prompt_tokens: int
    completion_tokens: int
    latency: float
    adaptations: tuple[str, ...]

    def to_line(self) -> bytes:
        """The record as one line of JSON, newline included."""
        values = asdict(self)
        try:
            return json.dumps(values, ensure_ascii=False).encode() + b"\n"
        except UnicodeEncodeError:  # lone surrogates
            return json.dumps(values).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "Record | None":
        """Read one line back; None if it is damaged."""
        try:
            values = json.loads(line)
            values["adaptations"] = tuple(values["adaptations"])
            record = cls(**{field.name: values[field.name] for field in fields(cls)})
            bytes.fromhex(record.key)
        except (ValueError, LookupError, TypeError):
            return None
        return record


class JudgmentStore:
    """An append-only file of judgments, one JSON line each; several processes may share it.

    Nothing of the file is held in memory: a run looks all its judgments up in one reading. A line that a crash
    left unfinished is ignored, and the next line starts on a line of its own. Where a judgment occurs more than
    once, the first one with a rating counts.

    Attributes:
        path: The file. It appears with the first judgment; beside it stands an empty ``.lock`` file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = threading.RLock()

    def find(self, keys: Collection[str]) -> dict[str, Record]:
        """Look judgments up, those that other processes have saved in the meantime included.

        Args:
            keys: Of the judgments wanted.

        Returns:
            Those that are there, by key.

        Raises:
            JudgeError: The file cannot be read.
        """
        wanted = set(keys)
        found: dict[str, Record] = {}
        try:
            with self.path.open("rb") as file:
                start = 0
                for line in file:
                    if not line.endswith(b"\n"):  # being written, or torn by a crash
                        break
                    self._take_in(line, start, wanted, found)
                    start += len(line)
        except FileNotFoundError:
            return {}
        except OSError as exc:
            raise JudgeError(f"judgment store {self.path}: cannot be read: {exc.strerror or exc}") from None
        return found

    def _take_in(self, line: bytes, start: int, wanted: set[str], found: dict[str, Record]) -> None:
        key = _KEY.match(line)
        if key is not None and key[1].decode() not in wanted:
            return  # without reading it all: the file may hold the judgments of a thousand models
        record = Record.from_line(line)
        if record is None:
            if line.strip():
                _LOG.warning("judgment store %s: ignored a damaged line at byte %d", self.path, start)
            return
        known = found.get(record.key)
        if record.key in wanted and (known is None or known.rating is None):
            found[record.key] = record

    def append(self, records: Sequence[Record]) -> None:
        """Save judgments. When this returns they are on the disk; when it raises the file is as it was.

        With no records it only makes sure that the file can be written.

        Raises:
            JudgeError: The file cannot be written (no space, no permission, ...).
        """
        data = b"".join(record.to_line() for record in records)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._lock, FileLock(f"{self.path}.lock", timeout=_LOCK_TIMEOUT):
                self._append(data)
        except Timeout:
            raise JudgeError(
                f"judgment store {self.path}: another process has held {self.path}.lock "
                f"for {_LOCK_TIMEOUT:g} s; end it"
            ) from None
        except OSError as exc:
            raise JudgeError(
                f"judgment store {self.path}: cannot be written: {exc.strerror or exc}. "
                "Make room or choose another place, and run again: what was saved before is kept"
            ) from None

    def _append(self, data: bytes) -> None:
        handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        try:
            size = os.fstat(handle).st_size
            if not data:
                return
            if size:
                os.lseek(handle, size - 1, os.SEEK_SET)
                if os.read(handle, 1) != b"\n":  # no writer is at work (we hold the lock): torn by a crash
                    data = b"\n" + data
            try:
                written = memoryview(data)
                while written:
                    written = written[os.write(handle, written) :]
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, size)
                raise
        finally:
            os.close(handle)
        if not size:  # the first judgment: the file itself may be new
            _sync_directory(self.path.parent)


def _sync_directory(path: Path) -> None:
    """Make a new file's name as durable as its content, where the system can."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:  # Windows opens no directories
        return
    try:
        os.fsync(handle)
    except OSError:  # some network file systems
        pass
    finally:
        os.close(handle)
