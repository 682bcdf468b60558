"""Which checkpoints there are, in which order, and how a changed one is told from the one that was evaluated."""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval_ja.errors import OptionError

_NUMBER = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Checkpoint:
    """A model to be evaluated.

    Attributes:
        name: As it was given: a folder, a file of recorded answers, or a name on the hub.
    """

    name: str

    @property
    def order(self) -> list[tuple[int, int, str]]:
        """Sorts names by the numbers in them.

        >>> sorted(["step-1000", "step-200"], key=lambda name: Checkpoint(name).order)
        ['step-200', 'step-1000']
        """
        return [
            (0, int(part), "") if part.isdecimal() else (1, 0, part)
            for part in _NUMBER.split(self.name)
            if part
        ]

    def fingerprint(self) -> str:
        """Sizes and dates of its files, so that a checkpoint that was written again counts as another one.

        Empty for what is not on this machine.
        """
        path = Path(self.name)
        if not path.exists():
            return ""
        files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
        seen = [(os.path.relpath(file, path), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
        return hashlib.sha256(json.dumps(seen).encode()).hexdigest()


def find_checkpoints(names: Iterable[str]) -> list[Checkpoint]:
    """The checkpoints by the numbers in their names, each once.

    Args:
        names: As the user gave them.

    Raises:
        OptionError: A pattern has matched nothing, so that the shell handed it on.
    """
    found = {name.rstrip("/") or name: None for name in names}
    for name in found:
        if any(character in name for character in "*?[") and not Path(name).exists():
            raise OptionError(f"{name}: no file or folder matches; name the checkpoints, e.g. ckpts/*")
    return sorted(map(Checkpoint, found), key=lambda checkpoint: checkpoint.order)


def digest(*parts: Mapping[str, Any] | str) -> str:
    """One short string for settings: equal if and only if they are."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]
