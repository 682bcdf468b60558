"""The harness's files: where they are, what is in a results file, and how new ones are written beside them."""

import json
import math
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from stat import S_ISREG
from typing import Any

from lm_eval_ja._unicode import well_formed
from lm_eval_ja.errors import DataError, OptionError

RESULTS = re.compile(r"(?P<stem>.*)_(?P<date>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?)\.json")
"""Names of results files."""

PER_TASK = ("results", "configs", "versions", "n-shot", "higher_is_better", "n-samples", "task_hashes")
"""Sections of a results file that have an entry for each task."""


@dataclass(frozen=True)
class ResultsFile:
    """A results file of the harness.

    Attributes:
        path: Where it is.
        raw: What it holds.
    """

    path: Path
    raw: Mapping[str, Any]

    @property
    def stamp(self) -> str:
        """The date in its name, by which its samples files are found; empty if the name has none."""
        match = RESULTS.fullmatch(self.path.name)
        return match["date"] if match else ""

    @cached_property
    def ours(self) -> tuple[str, ...]:
        """Names of the tasks that are this package's, as their signatures tell."""
        return tuple(
            task for task in self.raw["results"] if isinstance(self.metadata(task).get("signature"), str)
        )

    def metadata(self, task: str) -> Mapping[str, Any]:
        """What the task itself left in the results: protocol, dataset, signature and more."""
        return mapping(mapping(mapping(self.raw.get("configs")).get(task)).get("metadata"))

    def samples(self, task: str) -> Path:
        """Where the samples of a task are if they were logged."""
        return self.path.with_name(f"samples_{task}_{self.stamp}.jsonl")

    @property
    def is_rescored(self) -> bool:
        """Whether it was written by `lm-eval-ja rescore`: its answers are another file's."""
        return "rescored" in self.raw


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a mapping with texts as keys, otherwise an empty one: files may have been edited."""
    return value if isinstance(value, dict) else {}


def find_results(path: Path) -> list[Path]:
    """Find results files.

    Args:
        path: A results file, or a folder, which is searched whole.

    Returns:
        The files, sorted; other files are left out, and so is what is no regular file.

    Raises:
        OptionError: The path does not exist.
    """
    if not path.exists():
        raise OptionError(
            f"{path} doesn't exist: give the folder of --output_path, or a results_*.json file in it"
        )
    if path.is_dir():
        return sorted(
            file for file in path.rglob("*.json") if RESULTS.fullmatch(file.name) and _is_regular(file)
        )
    if not _is_regular(path):
        raise OptionError(f"{path} is neither a file nor a folder")
    return [path]


def _is_regular(path: Path) -> bool:
    try:
        return S_ISREG(path.stat().st_mode)
    except OSError:  # a link to itself, a name too long
        return False


def read_results(path: Path) -> ResultsFile:
    """Read a results file.

    Raises:
        DataError: It cannot be read, or holds no results of the harness.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read ({error}): copy the file again or run again") from error
    if not isinstance(raw, dict) or not isinstance(raw.get("results"), dict):
        raise DataError(f"{path} holds no results of lm_eval")
    raw["results"] = {task: mapping(values) for task, values in raw["results"].items()}
    return ResultsFile(path, raw)


def read_lines(path: Path) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Read a samples file line by line.

    Yields:
        The line's number and what it holds; None if it is no JSON object.

    Raises:
        OSError: The file cannot be read.
    """
    if not _is_regular(path):
        raise OSError(f"{path} is no regular file")
    # errors="replace": a torn last line may end in the middle of a character.
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        for line_number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                sample = json.loads(line)
            except (ValueError, RecursionError):
                sample = None
            yield line_number, sample if isinstance(sample, dict) else None


def score_entry(score: Mapping[str, float | None]) -> dict[str, Any]:
    """Scores as the harness's results hold them.

    >>> score_entry({"score": 0.5, "score_stderr": None})
    {'score,none': 0.5, 'score_stderr,none': 'N/A'}
    """
    return {f"{name},none": "N/A" if value is None else value for name, value in score.items()}


def write_run(
    folder: Path,
    stamp: str,
    results: Mapping[str, Any],
    samples: Mapping[str, Iterable[Mapping[str, Any]] | Path],
) -> Path:
    """Write a run as the harness does, each file whole or not at all, the results last: with them the run is complete.

    Args:
        folder: Where to.
        stamp: The date in the files' names.
        results: What the results file holds. NaN, which is no JSON, is left out of scores.
        samples: By task, the samples, or a file of them to be linked.

    Returns:
        The results file.

    Raises:
        OSError: A file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for task, lines in samples.items():
        target = folder / f"samples_{task}_{stamp}.jsonl"
        if isinstance(lines, Path):
            _link(lines, target)
        else:
            _replace(target, (json.dumps(_without_nan(line), ensure_ascii=False) + "\n" for line in lines))
    scores = {
        section: {
            name: {key: value for key, value in entry.items() if not _is_nan(value)}
            for name, entry in results[section].items()
        }
        for section in ("results", "groups")
        if section in results
    }
    target = folder / f"results_{stamp}.json"
    _replace(target, [json.dumps({**results, **scores}, indent=2, ensure_ascii=False)])
    return target


def _without_nan(line: Mapping[str, Any]) -> dict[str, Any]:
    return {name: None if _is_nan(value) else value for name, value in line.items()}


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _replace(path: Path, lines: Iterable[str]) -> None:
    draft = path.with_name(f"{path.name}.part")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.writelines(map(well_formed, lines))  # samples may come from anywhere
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _link(old: Path, new: Path) -> None:
    if not old.is_file():
        return
    try:
        os.link(old, new)
    except OSError:  # a file system without links
        shutil.copyfile(old, new)
