"""Tars made to exhaust or to trap their reader: an error at once, whether read as a source or as a bundle."""

import gzip
import lzma
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from lm_eval_ja.datasets import Catalog, Settings, Source, unpack_bundle
from lm_eval_ja.datasets.store import _archive
from lm_eval_ja.datasets.store._archive import MAX_MEMBER_BYTES, open_archive
from lm_eval_ja.datasets.store._tar import MAX_READ_BYTES
from lm_eval_ja.errors import DataError

pytestmark = pytest.mark.timeout(60)  # some of these made their reader go round for ever

LOCATION = "files.example/a.txt"
CATALOG = Catalog(
    sources={f"https://{LOCATION}": Source(f"https://{LOCATION}", "CC0")},
    units={},
    digests={},
    variants={},
    sample_files=Path(),
)


def header(kind: bytes, size: int, name: str = LOCATION) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def long_name() -> bytes:
    size = 4 * MAX_READ_BYTES
    return header(tarfile.GNUTYPE_LONGNAME, size) + bytes(size)


def long_attributes() -> bytes:
    size = 4 * MAX_READ_BYTES
    return header(tarfile.XHDTYPE, size) + bytes(size)


def attributes_of_negative_length() -> bytes:
    return header(tarfile.XHDTYPE, -512) + bytes(4 * MAX_READ_BYTES)


def a_member_that_leads_back_to_itself() -> bytes:
    return header(tarfile.REGTYPE, -512)


def a_member_of_an_unknown_kind_that_leads_back_to_itself() -> bytes:
    return header(b"Z", -512)


def a_position_beyond_all_numbers() -> bytes:
    return header(b"Z", 2**80) + bytes(1024)


def attributes_of_attributes() -> bytes:
    return header(tarfile.XHDTYPE, 0) * 5000


def attributes_that_are_no_numbers() -> bytes:
    body = b"27 GNU.sparse.size=unknown\n"
    return (
        header(tarfile.XHDTYPE, len(body)) + body.ljust(512, b"\0") + header(tarfile.REGTYPE, 0) + bytes(1024)
    )


def compressed_in_another_way() -> bytes:
    return lzma.compress(header(tarfile.REGTYPE, 0) + bytes(1024))


HOSTILE = [
    long_name,
    long_attributes,
    attributes_of_negative_length,
    a_member_that_leads_back_to_itself,
    a_member_of_an_unknown_kind_that_leads_back_to_itself,
    a_position_beyond_all_numbers,
    attributes_of_attributes,
    attributes_that_are_no_numbers,
]
hostile = pytest.mark.parametrize("make", HOSTILE, ids=lambda make: make.__name__)


def in_little_room(read: Callable[[], object]) -> None:
    """Expect an error, and less memory than the tar asks for."""
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"hostile\.tar"):
            read()
        assert tracemalloc.get_traced_memory()[1] < 2 * MAX_READ_BYTES
    finally:
        tracemalloc.stop()


@hostile
@pytest.mark.parametrize("packed", [False, True])
def test_a_hostile_source_is_an_error(make: Callable[[], bytes], packed: bool, tmp_path: Path) -> None:
    path = tmp_path / "hostile.tar"
    body = make()
    path.write_bytes(gzip.compress(body, 1) if packed else body)

    def read() -> None:
        with open_archive(path) as archive:
            dict(archive.read_bytes(archive.names))

    in_little_room(read)


@pytest.mark.parametrize("make", [*HOSTILE, compressed_in_another_way], ids=lambda make: make.__name__)
def test_a_hostile_bundle_leaves_nothing(make: Callable[[], bytes], tmp_path: Path) -> None:
    path = tmp_path / "hostile.tar"
    path.write_bytes(make())
    settings = Settings(cache=tmp_path / "cache", offline=True)
    in_little_room(lambda: unpack_bundle(path, settings=settings, catalog=CATALOG))
    assert not (settings.cache / "raw").exists()
    assert list(settings.cache.glob(".*")) == []


def test_a_source_compressed_in_another_way_is_none(tmp_path: Path) -> None:
    path = tmp_path / "source.tar.xz"
    path.write_bytes(compressed_in_another_way())
    with pytest.raises(DataError, match=r"no readable zip, tar or tar\.gz"), open_archive(path):
        pass


@pytest.mark.parametrize(
    ("kind", "names"),
    [(tarfile.SYMTYPE, "link{}"), (tarfile.DIRTYPE, "folder{}"), (tarfile.REGTYPE, "always the same")],
)
def test_members_count_whatever_they_are(
    kind: bytes, names: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_archive, "MAX_MEMBERS", 10)
    path = tmp_path / "many.tar.gz"
    path.write_bytes(
        gzip.compress(b"".join(header(kind, 0, names.format(i)) for i in range(11)) + bytes(1024))
    )
    with pytest.raises(DataError, match="takes it over"), open_archive(path):
        pass


def test_a_member_of_the_most_bytes_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "large.tar"
    path.write_bytes(header(tarfile.REGTYPE, MAX_MEMBER_BYTES) + b"x" * MAX_MEMBER_BYTES + bytes(1024))
    with open_archive(path) as archive:
        assert dict(archive.read_bytes([LOCATION])) == {LOCATION: b"x" * MAX_MEMBER_BYTES}
