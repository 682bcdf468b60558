"""The vocabulary shared by the sources (which make samples) and the store (which fetches, checks and keeps them)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")

DatasetSplit = tuple[str, Split]
"""A dataset's name and one of its splits, e.g. ``("jnli", "test")``."""

Files = Mapping[str, Path]
"""Raw files by URL. An archive may also be a directory laid out like the archive's members (sample data)."""


DigestKind = Literal["SHA-256", "git blob id"]


@dataclass(frozen=True)
class Source:
    """One raw file.

    Attributes:
        url: Pinned to a commit or a release wherever the host allows it.
        licence: As its authors state it.
        sha256: Hex digest of the bytes. None where bytes cannot be pinned (archives made on demand, files
            whose digest is not known); then the samples converted from the file are checked instead.
        git_blob: Git's object id of the file, for files known only by it.
        size: Bytes, where the content is pinned.
        note: Anything a user should know about the file.
    """

    url: str
    licence: str
    sha256: str | None = None
    git_blob: str | None = None
    size: int | None = None
    note: str = ""

    @property
    def location(self) -> str:
        """Place of the file in a mirror, in the cache's raw folder and in a bundle: ``<host>/<path>``."""
        parts = urlsplit(self.url)
        return parts.netloc + parts.path

    @property
    def pin(self) -> tuple[DigestKind, str] | None:
        """What the bytes must hash to, None if they are not pinned."""
        if self.sha256 is not None:
            return "SHA-256", self.sha256
        if self.git_blob is not None:
            return "git blob id", self.git_blob
        return None


@dataclass(frozen=True)
class Sample:
    """One question, as the sources have it (no normalisation).

    Attributes:
        id: Unique within the dataset over all splits, and the same in every protocol: ``{dataset}-{split}-{index}``,
            or the source's own identity where it has one (chabsa, wiki_*).
        input: Text of the question.
        output: The gold answer as in the source. Scoring compares with its NFKC form.
    """

    id: str
    input: str
    output: str


@dataclass(frozen=True)
class Unit:
    """The smallest piece of conversion work: some raw files, and every (dataset, split) made from just those.

    Splits stand in different units where they come from different files, so that a zero-shot run never needs a
    train file.

    Attributes:
        name: Unique, usable as a file name, e.g. ``"jnli-test"``.
        urls: Raw files needed, keys of the source registry.
        produces: What ``convert`` yields, all of it at once.
        convert: Pure function from raw files to samples in their final order.
        version: Raised whenever ``convert`` changes what it yields; part of the cache key.
    """

    name: str
    urls: tuple[str, ...]
    produces: tuple[DatasetSplit, ...]
    convert: Callable[[Files], Mapping[DatasetSplit, Iterable[Sample]]]
    version: int = 1


class Expected(NamedTuple):
    """What a converted split must be.

    Attributes:
        n: Number of samples.
        sha256: Over their inputs and outputs, see ``SampleDigest``.
        ids: SHA-256 over their ids, one a line, where a protocol chooses samples by them.
    """

    n: int
    sha256: str
    ids: str | None = None
