"""Saving judgments from many threads."""

import threading
from dataclasses import dataclass

from lm_eval_ja.judge._store import JudgmentStore, Record


class Saver:
    """Writes records as they come: one disk flush for all that have come during the last one."""

    def __init__(self, store: JudgmentStore) -> None:
        self._store = store
        self._queue = threading.Lock()
        self._disk = threading.Lock()
        self._waiting: list[_Entry] = []

    def save(self, record: Record) -> None:
        """Return once the record is on the disk.

        Raises:
            JudgeError: It cannot be written.
        """
        entry = _Entry(record)
        with self._queue:
            self._waiting.append(entry)
        with self._disk:
            if not entry.done:  # whoever comes first writes for all that wait
                self._write()
        if entry.problem is not None:
            raise entry.problem

    def finish(self) -> None:
        """Write what still waits."""
        with self._disk:
            self._write()

    def _write(self) -> None:
        with self._queue:
            batch, self._waiting = self._waiting, []
        if not batch:
            return
        problem: Exception | None = None
        try:
            self._store.append([entry.record for entry in batch])
        except Exception as exc:  # noqa: BLE001 -- raised again by everyone that waits
            problem = exc
        for entry in batch:
            entry.problem, entry.done = problem, True


@dataclass(slots=True)
class _Entry:
    """A record that is to be written."""

    record: Record
    done: bool = False
    problem: Exception | None = None
