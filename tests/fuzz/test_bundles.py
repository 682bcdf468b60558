"""Bundles from a generator of trouble: unpacked whole and right, or refused, and nothing else ever happens.

Quick by default; ``LM_EVAL_JA_FUZZ_SECONDS=3600`` goes on for an hour.
"""

import io
import os
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lm_eval_ja.datasets import Catalog, Settings, Source, unpack_bundle
from lm_eval_ja.errors import DataError

pytestmark = pytest.mark.timeout(7200)
SECONDS = float(os.environ.get("LM_EVAL_JA_FUZZ_SECONDS", "0")) / 2  # for each of the two
calm = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))

BODIES = {"files.example/a": b"one", "files.example/deep/b": bytes(range(256)) * 9}
A, B = BODIES
SOURCES = [
    Source(f"https://{A}", "CC0", sha256=sha256(BODIES[A]).hexdigest(), size=len(BODIES[A])),
    Source(f"https://{B}", "CC0"),  # not pinned
]
CATALOG = Catalog({source.url: source for source in SOURCES}, {}, {}, {}, Path())


def tar_of(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=form) as tar:
        for info, body in members:
            tar.addfile(info, io.BytesIO(body))
    return packed.getvalue()


def member(
    name: str, body: bytes = b"", kind: bytes = tarfile.REGTYPE, **pax: str
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.pax_headers = kind, len(body), pax
    return info, body


GOOD = tar_of(*(member(name, body) for name, body in BODIES.items()))

NAMES = st.sampled_from(
    [
        A,
        B,
        f"./{A}",
        f"/{A}",
        f"{A}/",
        "files.example",
        "../x",
        f"x/../{A}",
        "manifest.json",
        "",
        "c",
        "\ud800",
        "語" * 99,
    ]
)
NUMBERS = st.sampled_from(["0", "-1", "-512", "1", str(2**31), str(2**63), "9" * 40, "1e9", "x", ""])
PAX = st.dictionaries(
    st.sampled_from(
        [
            *(
                "size",
                "path",
                "linkpath",
                "hdrcharset",
                "GNU.sparse.size",
                "GNU.sparse.realsize",
                "GNU.sparse.map",
            ),
            *("GNU.sparse.major", "GNU.sparse.minor", "GNU.sparse.name", "GNU.sparse.numblocks"),
        ]
    ),
    NUMBERS | NAMES | st.just("0,0"),
    max_size=4,
)
KINDS = st.sampled_from([tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE]) | st.sampled_from(
    [bytes([code]) for code in b"0123456789SLKNVMDxgXZ\0"]
)
MEMBERS = st.lists(
    st.builds(
        lambda name, body, kind, pax: member(name, body, kind, **pax),
        NAMES,
        st.sampled_from([*BODIES.values(), b"", b"x"]) | st.binary(max_size=700),
        KINDS,
        PAX,
    ),
    max_size=4,
)


@pytest.fixture(scope="module")
def room() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def check(room: Path, content: bytes) -> None:
    with tempfile.TemporaryDirectory(dir=room) as folder:
        file, cache = Path(folder, "bundle.tar"), Path(folder, "cache")
        file.write_bytes(content)
        try:
            urls = unpack_bundle(file, settings=Settings(cache, offline=True), catalog=CATALOG)
        except DataError as error:
            assert str(file) in str(error)  # noqa: PT017  # an error is one of two good ends
            urls = ()
        assert [path.name for path in room.iterdir()] == [Path(folder).name]
        assert sorted(path.name for path in Path(folder).iterdir()) == ["bundle.tar", "cache"]
        found = {path.relative_to(cache).as_posix() for path in cache.rglob("*") if not path.is_dir()}
        raw = {f"raw/{url.removeprefix('https://')}" for url in urls}
        assert {name for name in found if not name.startswith("locks/")} == raw
        assert sum((cache / name).stat().st_size for name in raw) <= len(content)
        if f"raw/{A}" in raw:
            assert (cache / "raw" / A).read_bytes() == BODIES[A]


def go_on(check_some: Callable[[], None]) -> None:
    """Run a property once, and again until the time is up."""
    end = time.monotonic() + SECONDS
    check_some()
    while time.monotonic() < end:
        check_some()


FORMATS = st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])


def test_odd_members(room: Path) -> None:
    @calm
    @given(members=MEMBERS, form=FORMATS)
    def some(members: list[tuple[tarfile.TarInfo, bytes]], form: int) -> None:
        try:
            content = tar_of(*members, form=form)
        except (ValueError, UnicodeError):  # names that this format cannot write
            return
        check(room, content)

    go_on(some)


EDITS = st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=12)), max_size=8)


def test_a_good_bundle_edited(room: Path) -> None:
    @calm
    @given(edits=EDITS, kept=st.none() | st.integers(0, len(GOOD)), repair=st.booleans())
    @example(edits=[], kept=None, repair=False)
    @example(edits=[(124, b"\xff" * 12)], kept=None, repair=True)  # a size of -1
    @example(edits=[(156, b"S"), (483, b"\x80" + (1 << 60).to_bytes(11, "big"))], kept=None, repair=True)
    def some(edits: list[tuple[int, bytes]], kept: int | None, repair: bool) -> None:
        content = bytearray(GOOD)
        for at, body in edits:
            content[at : at + len(body)] = body
        if repair:  # so that the first header counts in spite of the edits
            content[148:156] = b" " * 8
            content[148:156] = b"%06o\0 " % sum(content[:512])
        check(room, bytes(content[:kept]))

    go_on(some)
