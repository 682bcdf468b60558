"""Opening a tar that nobody vouches for: its headers never decide how much is read, unpacked or held in memory."""

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, cast

MAX_BYTES = 2**30
"""Of the tar itself, unpacked. Far above the largest one (the Kyoto corpus: 354 MB)."""
MAX_READ_BYTES = 2**24 + 2**10
"""At a time: a member of the most bytes that an archive's member may have, and one byte more."""
UNREADABLE = (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, RuntimeError)
"""What the standard library raises for a tar that is damaged, cut off or made up (too deep: RecursionError)."""

_GZIP = b"\x1f\x8b"
_BLOCK_BYTES = 512


class _Bounded:
    """The part of a file that ``tarfile`` uses.

    ``tarfile`` reads extended headers whole, in whatever length they claim (a negative one is "all there is"), and
    follows negative sizes backwards, for ever (CVE-2025-8194, in Python until 3.13.5).
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def tell(self) -> int:
        return self._stream.tell()

    def seek(self, position: int) -> int:
        if not 0 <= position <= MAX_BYTES:
            raise tarfile.ReadError(f"a header points to byte {position}, of {MAX_BYTES} at most")
        return self._stream.seek(position)

    def read(self, size: int) -> bytes:
        if not 0 <= size <= MAX_READ_BYTES:
            raise tarfile.ReadError(f"a header claims {size} bytes, of {MAX_READ_BYTES} at most")
        if self.tell() + size > MAX_BYTES:
            raise tarfile.ReadError(f"it goes on after {MAX_BYTES} bytes")
        return self._stream.read(size)


@contextmanager
def open_tar(path: Path, *, packed: bool = True) -> Iterator[tarfile.TarFile]:
    """Open a tar.

    Args:
        path: The file.
        packed: Whether it may be a tar.gz, told by its content. No other compression is known here.

    Yields:
        The tar, its first header read.

    Raises:
        UNREADABLE: Now or while it is read.
    """
    with ExitStack() as stack:
        stream: IO[bytes] = stack.enter_context(path.open("rb"))
        if packed and stream.peek(len(_GZIP)).startswith(_GZIP):  # type: ignore[attr-defined]  # BufferedReader
            stream = cast("IO[bytes]", stack.enter_context(gzip.GzipFile(fileobj=stream)))
        bounded = cast("Any", _Bounded(stream))
        yield stack.enter_context(tarfile.open(fileobj=bounded, mode="r:"))


def is_cut_off(tar: tarfile.TarFile) -> bool:
    """Tell whether a tar that was read to its end lacks the empty block there.

    Cut off between two members it reads like a shorter one.
    """
    return tar.fileobj is None or tar.fileobj.tell() < tar.offset + _BLOCK_BYTES
