"""Writing an export: a folder that is there whole or not at all."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Literal, Protocol, get_args

from lm_eval_ja.errors import OptionError
from lm_eval_ja.tuning._manifest import FORMAT

Container = Literal["jsonl", "dataset"]
CONTAINERS: tuple[Container, ...] = get_args(Container)

MANIFEST = "manifest.json"
OVERLAPS = "overlaps.jsonl"

_ROWS = 1000


class Writer(Protocol):
    """Takes a split of a dataset after another."""

    def begin(self, split: str, dataset: str) -> str:
        """Begin a dataset; returns its place in the export."""

    def add(self, example: Mapping[str, Any]) -> None:
        """Write an example."""

    def end(self) -> str | None:
        """End the dataset; returns the SHA-256 of its file, if it has one of its own."""

    def close(self) -> None:
        """Finish the export."""


class JsonLines:
    """``<split>/<dataset>.jsonl``, as llm-jp-eval names its files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._digest = sha256()
        self._file: IO[bytes] | None = None

    def begin(self, split: str, dataset: str) -> str:
        """See `Writer`."""
        path = self._folder / split / f"{dataset}.jsonl"
        path.parent.mkdir(exist_ok=True)
        self._file = path.open("wb")
        self._digest = sha256()
        return f"{split}/{dataset}.jsonl"

    def add(self, example: Mapping[str, Any]) -> None:
        """See `Writer`."""
        assert self._file is not None  # noqa: S101  # begin comes first
        line = json.dumps(example, ensure_ascii=False).encode() + b"\n"
        self._digest.update(line)
        self._file.write(line)

    def end(self) -> str | None:
        """See `Writer`."""
        self.close()
        return self._digest.hexdigest()

    def close(self) -> None:
        """See `Writer`."""
        if self._file is not None:
            self._file.close()
            self._file = None


class DatasetFolder:
    """What ``datasets.load_from_disk`` reads: a dataset per split, with the column ``dataset``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rows: list[dict[str, Any]] = []
        self._writer: Any = None
        self._place = ("", "")
        self._digests: dict[str, Any] = {}

    def begin(self, split: str, dataset: str) -> str:
        """See `Writer`."""
        if split != self._place[0]:
            self._finish()
        self._place = (split, dataset)
        self._digests.setdefault(split, sha256())
        return split

    def add(self, example: Mapping[str, Any]) -> None:
        """See `Writer`."""
        row = {"ID": example["ID"], "dataset": self._place[1], **example}
        self._digests[self._place[0]].update(json.dumps(row).encode())
        self._rows.append(row)
        if len(self._rows) >= _ROWS:
            self._flush()

    def end(self) -> str | None:
        """See `Writer`."""
        self._flush()
        return None

    def close(self) -> None:
        """See `Writer`."""
        self._finish()
        names = json.dumps({"splits": list(self._digests)})
        (self._folder / "dataset_dict.json").write_text(names, encoding="utf-8")

    def _flush(self) -> None:
        import pyarrow as pa

        if not self._rows:
            return
        batch = pa.RecordBatch.from_pylist(self._rows)
        if self._writer is None:
            self._writer = pa.ipc.new_stream(str(self._draft), batch.schema)
        self._writer.write_batch(batch)
        self._rows = []

    def _finish(self) -> None:
        """Turn the split's rows, written so far as one stream, into a dataset."""
        if self._writer is None:
            return
        from datasets import Dataset

        self._writer.close()
        self._writer = None
        split = self._place[0]
        mapped = Dataset.from_file(str(self._draft))
        # datasets would name it at random; this is so that equal exports are equal.
        named = Dataset(mapped.data, info=mapped.info, fingerprint=self._digests[split].hexdigest()[:16])
        named.save_to_disk(str(self._folder / split))
        del mapped, named
        self._draft.unlink()

    @property
    def _draft(self) -> Path:
        return self._folder / f"{self._place[0]}.arrows"


def make_writer(container: Container, folder: Path) -> Writer:
    """Make the writer of a container."""
    return JsonLines(folder) if container == "jsonl" else DatasetFolder(folder)


def read_back(container: Container, folder: Path, paths: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Read what was written.

    Args:
        container: How it was written.
        folder: Where.
        paths: Place of each dataset's examples in the export, with the dataset's name (jsonl only).

    Yields:
        Dataset, input and output of each example.
    """
    if container == "jsonl":
        for path, dataset in paths.items():
            with (folder / path).open(encoding="utf-8") as file:
                for line in file:
                    example = json.loads(line)
                    yield dataset, example["input"], example["output"]
        return
    from datasets import load_from_disk

    for split in load_from_disk(str(folder)).values():
        for batch in split.select_columns(["dataset", "input", "output"]).iter(_ROWS):
            yield from zip(batch["dataset"], batch["input"], batch["output"], strict=True)


@contextmanager
def new_folder(target: Path, *, force: bool) -> Iterator[Path]:
    """Give a folder to write into, which takes its place when the block ends well.

    Args:
        target: Its place.
        force: Whether an earlier export there is replaced.

    Raises:
        OptionError: There is something that must not be replaced, or the place can't be written to.
    """
    _check(target, force=force)
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    old = target.with_name(f".{target.name}.{os.getpid()}.old")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        yield draft
        _check(target, force=force)
        _swap(draft, target, old)
    except OSError as error:
        raise OptionError(f"{target} can't be written ({error}): choose another -o") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _swap(draft: Path, target: Path, old: Path) -> None:
    replaces = target.exists()
    if replaces:
        target.rename(old)
    try:
        draft.rename(target)
    except OSError:
        if replaces:
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _check(target: Path, *, force: bool) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise OptionError(f"{target} is a file: choose another -o")
    if not any(target.iterdir()):
        return
    if not force:
        raise OptionError(
            f"{target} is not empty: choose another -o, or give --force to replace an earlier export"
        )
    try:
        ours = json.loads((target / MANIFEST).read_text(encoding="utf-8"))["format"] == FORMAT
    except (OSError, ValueError, LookupError, TypeError):
        ours = False
    if not ours:
        raise OptionError(f"{target} does not hold an export of tuning data: --force won't replace it")
