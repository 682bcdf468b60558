"""Bundles of raw files: the round trip, and everything a bundle from elsewhere might try."""

import gzip
import io
import json
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from lm_eval_ja.datasets import Catalog, Settings, Source, fetch, make_bundle, unpack_bundle
from lm_eval_ja.errors import DataError, OptionError

BODIES = {"files.example/deep/a.txt": "一つ目".encode(), "files.example/b.tar.gz": bytes(range(256)) * 100}
A, B = BODIES
URLS = [f"https://{location}" for location in BODIES]
CATALOG = Catalog(
    sources={
        URLS[0]: Source(URLS[0], "CC0", sha256=sha256(BODIES[A]).hexdigest(), size=len(BODIES[A])),
        URLS[1]: Source(URLS[1], "CC0"),  # not pinned: as with a download, its samples are checked
    },
    units={},
    digests={},
    variants={},
    sample_files=Path(),
)


@pytest.fixture
def source(tmp_path: Path) -> Settings:
    for location, body in BODIES.items():
        path = tmp_path / "mirror" / location
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return Settings(cache=tmp_path / "cache", mirror=tmp_path / "mirror")


@pytest.fixture
def target(tmp_path: Path) -> Settings:
    return Settings(cache=tmp_path / "target" / "cache", offline=True)


@pytest.fixture
def bundle(source: Settings, tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "bundle.tar", URLS, settings=source, catalog=CATALOG)


def test_a_bundle_replaces_the_internet(bundle: Path, target: Settings) -> None:
    assert set(unpack_bundle(bundle, settings=target, catalog=CATALOG)) == set(URLS)
    for url in URLS:
        path = fetch(url, settings=target, catalog=CATALOG)
        assert path.read_bytes() == BODIES[CATALOG.source(url).location]
    assert left_in(target) == sorted(BODIES)


def left_in(settings: Settings) -> list[str]:
    """What stands in the cache but locks: names below ``raw``, others whole."""
    found = [
        path.relative_to(settings.cache).as_posix() for path in settings.cache.rglob("*") if path.is_file()
    ]
    drafts = [path.name for path in settings.cache.glob(".*")]
    return sorted(name.removeprefix("raw/") for name in found + drafts if not name.startswith("locks/"))


def test_unpacking_twice_is_harmless(bundle: Path, target: Settings) -> None:
    for _ in range(2):
        assert len(unpack_bundle(bundle, settings=target, catalog=CATALOG)) == 2


def test_the_same_files_make_the_same_bytes(bundle: Path, source: Settings, tmp_path: Path) -> None:
    (Path(str(source.mirror)) / A).touch()
    again = make_bundle(tmp_path / "again.tar", reversed(URLS), settings=source, catalog=CATALOG)
    assert again.read_bytes() == bundle.read_bytes()
    with tarfile.open(bundle) as tar:
        assert tar.getnames() == [B, A]


def test_a_bundle_is_complete_or_not_there(source: Settings, tmp_path: Path) -> None:
    (Path(str(source.mirror)) / A).unlink()
    with pytest.raises(DataError, match="lacks " + URLS[0]):
        make_bundle(tmp_path / "bundle.tar", URLS, settings=source, catalog=CATALOG)
    assert not list(tmp_path.glob("bundle.tar*"))


def test_an_unknown_url_cannot_be_packed(source: Settings, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="Unknown source"):
        make_bundle(tmp_path / "bundle.tar", ["https://files.example/c"], settings=source, catalog=CATALOG)


def test_a_bundle_that_cannot_be_written_is_named(source: Settings, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none/bundle\.tar"):
        make_bundle(tmp_path / "none" / "bundle.tar", URLS, settings=source, catalog=CATALOG)


def test_any_tar_of_the_raw_folder_is_a_bundle(source: Settings, target: Settings, tmp_path: Path) -> None:
    for number, command in enumerate([("-cf",), ("--format=posix", "-cf"), ("--format=gnu", "-cf")]):
        file = tmp_path / f"{number}.tar"
        subprocess.run(["tar", *command, file, "-C", str(source.mirror), "."], check=True)
        elsewhere = replace(target, cache=target.cache / str(number))
        assert set(unpack_bundle(file, settings=elsewhere, catalog=CATALOG)) == set(URLS)
        assert left_in(elsewhere) == sorted(BODIES)


def test_a_bundle_of_the_first_version_still_unpacks(target: Settings, tmp_path: Path) -> None:
    manifest = {
        "format": 1,
        "files": {
            name: {"bytes": len(body), "sha256": sha256(body).hexdigest()} for name, body in BODIES.items()
        },
    }
    file = write(
        tmp_path / "old.tar",
        (regular("manifest.json"), json.dumps(manifest, indent=1).encode()),
        *((regular(name), body) for name, body in sorted(BODIES.items())),
    )
    assert set(unpack_bundle(file, settings=target, catalog=CATALOG)) == set(URLS)
    assert left_in(target) == sorted(BODIES)


def test_what_a_killed_unpacking_left_is_removed(bundle: Path, target: Settings) -> None:
    left = target.cache / ".unpacking-abc"
    left.mkdir(parents=True)
    (left / "0").write_bytes(b"x" * 1000)
    unpack_bundle(bundle, settings=target, catalog=CATALOG)
    assert left_in(target) == sorted(BODIES)


def test_a_cache_that_takes_only_some_files_holds_them_whole(bundle: Path, target: Settings) -> None:
    """All or none goes for what is wrong with the bundle. Here it is the cache: what came in before it is whole."""
    obstacle = target.cache / "raw" / A / "folder"
    obstacle.mkdir(parents=True)
    with pytest.raises(DataError, match="LM_EVAL_JA_CACHE"):
        unpack_bundle(bundle, settings=target, catalog=CATALOG)
    assert left_in(target) == [B]
    assert (target.cache / "raw" / B).read_bytes() == BODIES[B]
    obstacle.rmdir()
    obstacle.parent.rmdir()
    assert len(unpack_bundle(bundle, settings=target, catalog=CATALOG)) == 2
    assert left_in(target) == sorted(BODIES)


Member = tuple[tarfile.TarInfo, bytes]


def write(file: Path, *members: Member) -> Path:
    with tarfile.open(file, "w") as tar:
        for info, body in members:
            if info.isreg() and not info.issparse():
                info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return file


def link(kind: bytes, name: str, to: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info


def regular(name: str) -> tarfile.TarInfo:
    return tarfile.TarInfo(name)


def padded(body: bytes) -> bytes:
    return body.ljust(-(-len(body) // 512) * 512, b"\0")


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def attributes(**records: str) -> bytes:
    """A PAX header with these records."""
    body = b""
    for key, value in records.items():
        rest = f" {key}={value}\n".encode()
        size = len(rest) + 1
        while size != len(str(size)) + len(rest):
            size += 1
        body += str(size).encode() + rest
    return header("pax", len(body), tarfile.XHDTYPE) + padded(body)


GOOD = (regular(A), BODIES[A])


def climbing(file: Path) -> Path:
    return write(file, GOOD, (regular("../evil"), b"x"))


def climbing_inside(file: Path) -> Path:
    return write(file, GOOD, (regular("files.example/../../../evil"), b"x"))


def climbing_to_a_known_name(file: Path) -> Path:
    return write(file, GOOD, (regular("files.example/x/../b.tar.gz"), b"x"))


def absolute(file: Path) -> Path:
    return write(file, GOOD, (regular("/tmp/evil"), b"x"))  # noqa: S108 - never written


def unregistered(file: Path) -> Path:
    return write(file, GOOD, (regular("files.example/c"), b"x"))


def symbolic_link(file: Path) -> Path:
    return write(file, GOOD, (link(tarfile.SYMTYPE, B, "/etc/passwd"), b""))


def hard_link(file: Path) -> Path:
    return write(file, GOOD, (link(tarfile.LNKTYPE, B, A), b""))


def device(file: Path) -> Path:
    return write(file, GOOD, (link(tarfile.CHRTYPE, B, ""), b""))


def fifo(file: Path) -> Path:
    return write(file, GOOD, (link(tarfile.FIFOTYPE, B, ""), b""))


def twice_the_same(file: Path) -> Path:
    return write(file, GOOD, (regular(B), b"x"), (regular(B), b"y"))


def twice_the_same_in_two_spellings(file: Path) -> Path:
    return write(file, GOOD, (regular(B), b"x"), (regular(f"./{B}"), b"y"))


def other_than_the_registry(file: Path) -> Path:
    return write(file, (regular(B), b"x"), (regular(A), b"x"))


def longer_than_the_registry(file: Path) -> Path:
    return write(file, (regular(B), b"x"), (regular(A), BODIES[A] + b"x"))


def sparse_in_pax(file: Path) -> Path:
    """1.8 TB of zeros in a few bytes."""
    sparse = attributes(**{"GNU.sparse.map": "0,0", "GNU.sparse.size": str(1800 * 10**9)})
    file.write_bytes(sparse + header(B, 0) + bytes(1024))
    return file


def sparse_in_pax_1_0(file: Path) -> Path:
    facts = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": B,
        "GNU.sparse.realsize": str(1800 * 10**9),
    }
    body = padded(b"1\n0\n0\n")
    file.write_bytes(attributes(**facts) + header(B, len(body)) + body + bytes(1024))
    return file


def sparse_the_old_way(file: Path) -> Path:
    block = bytearray(header(B, 0, tarfile.GNUTYPE_SPARSE))
    block[483:495] = b"\x80" + (1800 * 10**9).to_bytes(11, "big")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    file.write_bytes(bytes(block) + bytes(1024))
    return file


def of_negative_size(file: Path) -> Path:
    file.write_bytes(header(B, -512) + bytes(1024))
    return file


def of_negative_size_in_pax(file: Path) -> Path:
    file.write_bytes(attributes(size="-1024") + header(B, 0) + bytes(2048))
    return file


def huge(file: Path) -> Path:
    file.write_bytes(header(B, 1 << 40) + bytes(1024))
    return file


def huge_for_its_name(file: Path) -> Path:
    file.write_bytes(header(A, 1 << 20) + bytes(1 << 20) + bytes(1024))
    return file


def empty(file: Path) -> Path:
    file.touch()
    return file


def without_a_file(file: Path) -> Path:
    return write(file, (link(tarfile.DIRTYPE, "files.example", ""), b""))


def no_tar(file: Path) -> Path:
    file.write_bytes(b"PK\3\4" + bytes(2000))
    return file


def compressed(file: Path) -> Path:
    """An honest one, but compressed ones can grow a thousandfold."""
    file.write_bytes(gzip.compress(write(file, GOOD).read_bytes()))
    return file


HOSTILE = [
    climbing,
    climbing_inside,
    climbing_to_a_known_name,
    absolute,
    unregistered,
    symbolic_link,
    hard_link,
    device,
    fifo,
    twice_the_same,
    twice_the_same_in_two_spellings,
    other_than_the_registry,
    longer_than_the_registry,
    sparse_in_pax,
    sparse_in_pax_1_0,
    sparse_the_old_way,
    of_negative_size,
    of_negative_size_in_pax,
    huge,
    huge_for_its_name,
    empty,
    without_a_file,
    no_tar,
    compressed,
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("make", HOSTILE, ids=lambda make: make.__name__)
def test_a_hostile_or_broken_bundle_leaves_nothing(
    make: Callable[[Path], Path], target: Settings, tmp_path: Path
) -> None:
    file = make(tmp_path / "bad.tar")
    with pytest.raises(DataError, match="Nothing was unpacked") as error:
        unpack_bundle(file, settings=target, catalog=CATALOG)
    assert str(file) in str(error.value)
    assert left_in(target) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.tar", "target"]


@pytest.mark.parametrize("kept", [100, 700, 2000, 15_000, 26_112, 27_000])
def test_a_bundle_cut_off_on_its_way_leaves_nothing(
    bundle: Path, target: Settings, tmp_path: Path, kept: int
) -> None:
    file = tmp_path / "cut.tar"
    file.write_bytes(bundle.read_bytes()[:kept])
    with pytest.raises(DataError, match="Nothing was unpacked"):
        unpack_bundle(file, settings=target, catalog=CATALOG)
    assert left_in(target) == []


def test_a_missing_bundle_and_an_unwritable_cache_are_named(bundle: Path, target: Settings) -> None:
    with pytest.raises(DataError, match=r"none\.tar"):
        unpack_bundle("none.tar", settings=target, catalog=CATALOG)
    unwritable = replace(target, cache=bundle / "cache")
    with pytest.raises(DataError, match="LM_EVAL_JA_CACHE"):
        unpack_bundle(bundle, settings=unwritable, catalog=CATALOG)
