"""Members of a zip, tar or tar.gz, or of a folder laid out like one. Nothing is unpacked to disk."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from lm_eval_ja.datasets.store._read import damaged, decode
from lm_eval_ja.datasets.store._tar import UNREADABLE, is_cut_off, open_tar
from lm_eval_ja.errors import DataError

if TYPE_CHECKING:
    from tarfile import TarFile, TarInfo
    from zipfile import ZipFile, ZipInfo

MAX_MEMBER_BYTES = 16 * 2**20
"""Far above the largest member of any source (2.2 MB)."""
MAX_TOTAL_BYTES = 2**30
"""Far above the largest archive's content (the Kyoto corpus: 354 MB)."""
MAX_MEMBERS = 100_000


class Archive(ABC):
    """Read access to the regular files of an archive. Links and devices in it don't exist for us.

    Attributes:
        path: The archive.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._sizes: dict[str, int] = {}
        self._total = 0
        self._count = 0

    @property
    def names(self) -> list[str]:
        """The members' paths, sorted, "/" between the parts."""
        return sorted(self._sizes)

    def read(self, wanted: Collection[str]) -> Iterator[tuple[str, str]]:
        """Read members as UTF-8 text with plain newlines.

        Args:
            wanted: Names of members.

        Yields:
            Name and text, in the archive's own order: a tar.gz can't be read in another one in a single pass.

        Raises:
            DataError: A member is missing, damaged or not UTF-8.
        """
        for name, data in self.read_bytes(wanted):
            yield name, decode(data, self.label(name))

    def read_bytes(self, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """As ``read``, but undecoded."""
        for name in wanted:
            if name not in self._sizes:
                raise damaged(self.path, f"has no member {name!r}")
        keep = set(wanted)
        for name, size in self._sizes.items():
            if name in keep:
                with _damage_as_error(self.label(name), "cannot be read"):
                    data = self._load(name)
                if len(data) != size:
                    raise damaged(self.label(name), f"has another size than the {size} bytes it should have")
                yield name, data

    def label(self, name: str) -> str:
        """What to call a member in an error."""
        return f"{self.path}: {name}"

    def _add(self, name: str, size: int) -> str:
        """Note a member, before anything of it is unpacked; returns its normalised name."""
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name:
            raise damaged(self.path, f"member {name!r} points outside the archive")
        self._allow(name, size)
        self._sizes[str(path)] = size
        return str(path)

    def _allow(self, name: str, size: int) -> None:
        """Count a member of any kind against what an archive may hold."""
        self._count += 1
        self._total += size
        if not 0 <= size <= MAX_MEMBER_BYTES or self._total > MAX_TOTAL_BYTES or self._count > MAX_MEMBERS:
            raise damaged(
                self.path,
                f"member {name!r} ({size} bytes) takes it over what any source has "
                f"({MAX_MEMBER_BYTES} bytes a member, {MAX_TOTAL_BYTES} in all, {MAX_MEMBERS} members)",
            )

    @abstractmethod
    def _load(self, name: str) -> bytes: ...


class _Folder(Archive):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        for file in sorted(path.rglob("*")):
            if file.is_file() and not file.is_symlink():
                self._add(file.relative_to(path).as_posix(), file.stat().st_size)

    def _load(self, name: str) -> bytes:
        with (self.path / name).open("rb") as member:
            return _read_at_most(member, self._sizes[name])


class _Zip(Archive):
    def __init__(self, path: Path, opened: "ZipFile") -> None:
        super().__init__(path)
        self._zip = opened
        self._members: dict[str, ZipInfo] = {}
        for member in opened.infolist():
            if not member.is_dir():
                self._members[self._add(member.filename, member.file_size)] = member

    def _load(self, name: str) -> bytes:
        with self._zip.open(self._members[name]) as member:
            return _read_at_most(member, self._sizes[name])


class _Tar(Archive):
    def __init__(self, path: Path, opened: "TarFile") -> None:
        super().__init__(path)
        self._tar = opened
        self._members: dict[str, TarInfo] = {}
        # One header at a time, each checked before the content behind it is decompressed.
        for member in opened:
            if member.isreg() and not member.issparse():
                self._members[self._add(member.name, member.size)] = member
            else:
                self._allow(member.name, member.size)
        if is_cut_off(opened):
            raise damaged(path, "is cut off")

    def _load(self, name: str) -> bytes:
        member = self._tar.extractfile(self._members[name])
        if member is None:
            return b""
        with member:
            return _read_at_most(member, self._sizes[name])


def _read_at_most(member: IO[bytes], size: int) -> bytes:
    """One byte more than promised is enough to see that the promise was wrong."""
    return member.read(size + 1)


@contextmanager
def _damage_as_error(source: object, problem: str) -> Iterator[None]:
    """Turn what the standard library raises for a damaged, cut off or encrypted archive into our error."""
    import zipfile

    try:
        yield
    except DataError:
        raise
    except (*UNREADABLE, zipfile.BadZipFile) as error:
        raise damaged(source, f"{problem} ({error})") from error


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open an archive, told by its content, not its name.

    Args:
        path: A zip, tar or tar.gz file, or a folder laid out like the archive's members.

    Yields:
        The archive.

    Raises:
        DataError: The archive is missing, damaged, unsafe or of no known kind.
    """
    import zipfile

    with ExitStack() as stack:
        with _damage_as_error(path, "no readable zip, tar or tar.gz"):
            archive: Archive
            if path.is_dir():
                archive = _Folder(path)
            elif _starts_with(path, b"PK"):
                archive = _Zip(path, stack.enter_context(zipfile.ZipFile(path)))
            else:
                archive = _Tar(path, stack.enter_context(open_tar(path)))
        yield archive


def _starts_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic
