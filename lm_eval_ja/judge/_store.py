"""Judgments on disk: paid for once, never lost, never paid for again."""

import json
import logging
import os
import re
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from pathlib import Path

from filelock import FileLock, Timeout

from lm_eval_ja.errors import JudgeError
from lm_eval_ja.judge._claims import Claims

_LOG = logging.getLogger(__name__)
_LOCK_TIMEOUT = 60.0
_KEY = re.compile(rb'\{"key": "([0-9a-f]{64})", ')  # how to_line begins
_CHECK = re.compile(rb', "check": "([0-9a-f]{16})"\}\s*')  # how it ends
_CHECK_SIZE = len(', "check": ""}') + 16


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
        """The record as one line of JSON, newline included, ending in a checksum of all before."""
        values = asdict(self)
        try:
            line = json.dumps(values, ensure_ascii=False).encode()
        except UnicodeEncodeError:  # lone surrogates
            line = json.dumps(values).encode()
        return b'%s, "check": "%s"}\n' % (line[:-1], _checksum(line[:-1]))

    @classmethod
    def from_line(cls, line: bytes) -> "Record | None":
        """Read one line back; None if it is damaged. Lines of before there were checksums have none."""
        line = line.rstrip()
        check = _CHECK.fullmatch(line, max(0, len(line) - _CHECK_SIZE))
        if check is not None:
            line = line[: check.start()]
            if _checksum(line) != check[1]:
                return None
            line += b"}"
        try:
            values = json.loads(line)
            if values.keys() != _TYPES.keys():
                return None
            values["adaptations"] = tuple(values["adaptations"])
            if not all(isinstance(values[name], kind) for name, kind in _TYPES.items()):
                return None
            bytes.fromhex(values["key"])
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return None
        return cls(**values)


_TYPES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys((field.name for field in fields(Record)), str),
    **dict.fromkeys(("repeat", "prompt_tokens", "completion_tokens"), int),
    "rating": (float, int, type(None)),
    "first_text": (str, type(None)),
    "latency": (float, int),
    "adaptations": tuple,
}


def _checksum(data: bytes) -> bytes:
    return sha256(data).hexdigest()[:16].encode()


@dataclass(frozen=True, slots=True)
class Claim:
    """What a run may ask for.

    Attributes:
        keys: Of the judgments that are its own to get. The others are being asked for by another run.
        records: Those that are there already, whoever saved them.
    """

    keys: frozenset[str]
    records: dict[str, Record]


class JudgmentStore:
    """An append-only file of judgments, one JSON line each; several processes may share it.

    Nothing of the file is held in memory: a run looks all its judgments up in one reading. A line that a crash
    left unfinished is ignored, and the next line starts on a line of its own. Where a judgment occurs more than
    once, the first one with a rating counts.

    Attributes:
        path: The file. It appears with the first judgment; beside it stand an empty ``.lock`` file and a folder
            ``.claims``, which is empty unless a run is asking for judgments.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = threading.RLock()
        self._claims = Claims(self.path.with_name(f"{self.path.name}.claims"))

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

    @contextmanager
    def claim(self, keys: Collection[str]) -> Iterator[Claim]:
        """Keep other runs, of this or of other processes, from asking for the same judgments meanwhile.

        A run that is killed claims nothing any more.

        Args:
            keys: Of the judgments wanted.

        Yields:
            Which of them are claimed, and which have been saved.

        Raises:
            JudgeError: The file cannot be read or written; nothing is claimed.
        """
        with self._locked():
            self._append(b"")  # before anything is paid for
            records = self.find(keys)
            name, own = self._claims.take(keys)
        try:
            yield Claim(own, records)
        finally:
            self._claims.release(name)

    def append(self, records: Sequence[Record]) -> None:
        """Save judgments. When this returns they are on the disk; when it raises the file is as it was.

        With no records it only makes sure that the file can be written.

        Raises:
            JudgeError: The file cannot be written (no space, no permission, ...).
        """
        data = b"".join(record.to_line() for record in records)
        with self._locked():
            self._append(data)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """The right to write.

        Raises:
            JudgeError: It cannot be opened, or writing failed.
        """
        try:
            _make_folder(self.path.parent)
            with self._lock, FileLock(f"{self.path}.lock", timeout=_LOCK_TIMEOUT):
                yield
        except Timeout:
            raise JudgeError(
                f"judgment store {self.path}: another process has held {self.path}.lock "
                f"for {_LOCK_TIMEOUT:g} s; end it"
            ) from None
        except NotImplementedError:
            raise JudgeError(
                f"judgment store {self.path}: its file system has no locks; choose another place"
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


def _make_folder(path: Path) -> None:
    """Make a folder and those above it, each as durable as what will stand in it."""
    if path.is_dir():
        return
    _make_folder(path.parent)
    path.mkdir(exist_ok=True)
    _sync_directory(path.parent)


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
