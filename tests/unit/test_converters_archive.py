"""Archives: three formats and a folder read the same; damage and attacks are errors that name the culprit."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from lm_eval_ja.datasets.store import _archive
from lm_eval_ja.datasets.store._archive import open_archive
from lm_eval_ja.errors import DataError

MEMBERS = {"top/b.txt": "に\r\n二", "top/a/c.txt": "一", "top/a/d.bin": "d" * 5000}


def make(kind: str, tmp_path: Path, members: dict[str, str]) -> Path:
    path = tmp_path / "archive"
    if kind == "folder":
        for name, text in members.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(text.encode())
    elif kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in members.items():
                archive.writestr(name, text)
    else:
        with tarfile.open(path, {"tar": "w", "tar.gz": "w:gz"}[kind]) as archive:
            for name, text in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(text.encode())
                archive.addfile(info, io.BytesIO(text.encode()))
    return path


every_kind = pytest.mark.parametrize("kind", ["folder", "zip", "tar", "tar.gz"])
every_packed_kind = pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])


@every_kind
def test_reads_the_same_from_every_kind(kind: str, tmp_path: Path) -> None:
    with open_archive(make(kind, tmp_path, MEMBERS)) as archive:
        assert archive.names == ["top/a/c.txt", "top/a/d.bin", "top/b.txt"]
        assert dict(archive.read(["top/b.txt", "top/a/c.txt"])) == {
            "top/b.txt": "に\n二",
            "top/a/c.txt": "一",
        }
        assert dict(archive.read_bytes(["top/b.txt"])) == {"top/b.txt": "に\r\n二".encode()}


@every_kind
def test_a_missing_member_is_named(kind: str, tmp_path: Path) -> None:
    path = make(kind, tmp_path, MEMBERS)
    with open_archive(path) as archive, pytest.raises(DataError) as caught:
        list(archive.read(["top/none.txt"]))
    assert str(path) in str(caught.value)
    assert "top/none.txt" in str(caught.value)
    assert "fetch it again" in str(caught.value)


@every_kind
def test_a_member_that_is_not_utf8_is_named(kind: str, tmp_path: Path) -> None:
    path = make(kind, tmp_path, {"x.txt": "placeholder"})
    if kind == "folder":
        (path / "x.txt").write_bytes("日本".encode("shift_jis"))
    else:
        data = "日本".encode("shift_jis")
        if kind == "zip":
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("x.txt", data)
        else:
            with tarfile.open(path, {"tar": "w", "tar.gz": "w:gz"}[kind]) as archive:
                info = tarfile.TarInfo("x.txt")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    with open_archive(path) as opened, pytest.raises(DataError, match=r"x\.txt: not UTF-8 at byte 0"):
        list(opened.read(["x.txt"]))


def read_all(path: Path) -> dict[str, bytes]:
    with open_archive(path) as archive:
        return dict(archive.read_bytes(archive.names))


@every_packed_kind
def test_an_archive_cut_off_is_never_read_as_a_shorter_one(kind: str, tmp_path: Path) -> None:
    path = make(kind, tmp_path, MEMBERS)
    whole = path.read_bytes()
    expected = read_all(path)
    errors = 0
    for length in {0, 1, 2, 100, *range(0, len(whole), 256), len(whole) // 2, len(whole) - 1}:
        path.write_bytes(whole[:length])
        try:
            found = read_all(path)
        except DataError:
            errors += 1
        else:  # only padding or the gzip trailer are missing
            assert found == expected, length
    assert errors >= 5


@every_packed_kind
def test_random_damage_is_noticed_or_harmless(kind: str, tmp_path: Path) -> None:
    path = make(kind, tmp_path, MEMBERS)
    whole = path.read_bytes()
    expected = read_all(path)
    noticed = 0
    for position in range(0, len(whole), max(1, len(whole) // 200)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        try:
            noticed += read_all(path) != expected
        except DataError:
            noticed += 1
    assert noticed


@pytest.mark.parametrize("text", ["", "not an archive", "PK but no zip"])
def test_what_is_no_archive_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "archive.zip"
    path.write_text(text)
    with pytest.raises(DataError, match=r"no readable zip, tar or tar\.gz") as caught:
        read_all(path)
    assert str(path) in str(caught.value)


def test_a_missing_archive_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.zip"):
        read_all(tmp_path / "none.zip")


@every_packed_kind
@pytest.mark.parametrize("name", ["../evil.txt", "/etc/evil", "a/../../evil", "a\\..\\evil"])
def test_a_member_that_points_outside_is_refused(kind: str, name: str, tmp_path: Path) -> None:
    path = make(kind, tmp_path, {"ok.txt": "ok", name: "evil"})
    with pytest.raises(DataError, match="points outside the archive"):
        read_all(path)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["archive"]


@every_packed_kind
def test_reading_writes_nothing_and_opens_no_archive_inside(kind: str, tmp_path: Path) -> None:
    inner = make("zip", tmp_path, {"evil.txt": "evil"}).read_bytes()
    path = make(kind, tmp_path, {"inner.zip": "placeholder"})
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("inner.zip", inner)
    else:
        with tarfile.open(path, {"tar": "w", "tar.gz": "w:gz"}[kind]) as archive:
            info = tarfile.TarInfo("inner.zip")
            info.size = len(inner)
            archive.addfile(info, io.BytesIO(inner))
    assert read_all(path) == {"inner.zip": inner}
    assert [entry.name for entry in tmp_path.rglob("*")] == ["archive"]


def test_links_in_a_tar_do_not_exist(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    path = tmp_path / "archive"
    with tarfile.open(path, "w") as archive:
        for kind, name in ((tarfile.SYMTYPE, "soft"), (tarfile.LNKTYPE, "hard")):
            info = tarfile.TarInfo(name)
            info.type = kind
            info.linkname = str(secret)
            archive.addfile(info)
    assert read_all(path) == {}


def test_links_in_a_folder_do_not_exist(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "archive"
    (folder / "in").mkdir(parents=True)
    (folder / "in" / "link").symlink_to(tmp_path / "secret")
    (folder / "in" / "real").write_text("real")
    assert read_all(folder) == {"in/real": b"real"}


@every_kind
def test_a_member_too_large_is_refused_before_it_is_unpacked(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_archive, "MAX_MEMBER_BYTES", 100_000)
    path = make(kind, tmp_path, {"bomb": "0" * 100_001})
    with pytest.raises(DataError, match=r"'bomb' \(100001 bytes\)"):
        read_all(path)


@every_kind
def test_many_members_together_too_large_are_refused(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_archive, "MAX_TOTAL_BYTES", 10_000)
    path = make(kind, tmp_path, {f"m{i}": "0" * 1000 for i in range(11)})
    with pytest.raises(DataError, match="takes it over"):
        read_all(path)


@every_kind
def test_too_many_members_are_refused(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_archive, "MAX_MEMBERS", 10)
    path = make(kind, tmp_path, {f"m{i:02}": "" for i in range(11)})
    with pytest.raises(DataError, match="'m10'"):
        read_all(path)


def test_a_zip_that_understates_a_size_is_an_error(tmp_path: Path) -> None:
    path = make("zip", tmp_path, {"x": "0" * 70_000})
    data = path.read_bytes()
    true, false = (70_000).to_bytes(4, "little"), (7).to_bytes(4, "little")
    assert data.count(true) == 2
    path.write_bytes(data.replace(true, false))
    with pytest.raises(DataError, match="x"):
        read_all(path)
