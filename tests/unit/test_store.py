"""Converted splits: made once, checked, rebuilt when damaged, whatever processes and locale."""

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_eval_ja.datasets import (
    Catalog,
    DatasetSplit,
    Expected,
    Files,
    Sample,
    SampleDigest,
    Settings,
    Source,
    Unit,
)
from lm_eval_ja.datasets.store import NotConvertedError, Samples, Store
from lm_eval_ja.errors import DataError, OptionError

URL = "https://files.example/data/lines.txt"
LOCATION = "files.example/data/lines.txt"
LINES = "山は？\t富士山\n湖は？\t琵琶湖\n"
DIGEST = hashlib.sha256(
    '["山は？", "富士山"]\n["湖は？", "琵琶湖"]\n'.encode()  # spelled out: the recipe itself is tested
).hexdigest()


def convert(files: Files) -> dict[DatasetSplit, list[Sample]]:
    (path,) = files.values()
    with path.with_name("conversions.log").open("a", encoding="utf-8") as log:
        log.write(f"{os.getpid()}\n")
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    samples = [Sample(f"lakes-test-{i}", question, gold) for i, (question, gold) in enumerate(rows)]
    return {("lakes", "test"): samples, ("lakes", "dev"): samples[:1]}


UNIT = Unit("lakes", (URL,), (("lakes", "test"), ("lakes", "dev")), convert)


def catalog_of(unit: Unit = UNIT, sha256: str | None = None, expected: str = DIGEST, n: int = 2) -> Catalog:
    return Catalog(
        sources={URL: Source(URL, "CC0", sha256=sha256)},
        units={unit.name: unit},
        digests={("lakes", "test"): Expected(n, expected)},
        variants={},
        sample_files=Path("/nonexistent"),
    )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    path = tmp_path / "mirror" / LOCATION
    path.parent.mkdir(parents=True)
    path.write_text(LINES, encoding="utf-8")
    return Settings(cache=tmp_path / "cache", mirror=tmp_path / "mirror")


def conversions(settings: Settings) -> int:
    log = (Path(str(settings.mirror)) / LOCATION).with_name("conversions.log")
    return len(log.read_text(encoding="utf-8").splitlines()) if log.exists() else 0


def entry_of(settings: Settings) -> Path:
    (entry,) = (settings.cache / "converted").iterdir()
    return entry


def test_a_split_is_converted_once_and_then_read(settings: Settings) -> None:
    for _ in range(3):
        table = Store(settings, catalog_of()).table("lakes", "test")
        assert table.to_pydict() == {
            "id": ["lakes-test-0", "lakes-test-1"],
            "input": ["山は？", "湖は？"],
            "output": ["富士山", "琵琶湖"],
        }
    assert Store(settings, catalog_of()).table("lakes", "dev").num_rows == 1
    assert conversions(settings) == 1


def test_a_converted_split_needs_no_raw_file(settings: Settings) -> None:
    Store(settings, catalog_of()).table("lakes", "test")
    elsewhere = replace(settings, mirror="/nonexistent", offline=True)
    assert Store(elsewhere, catalog_of()).table("lakes", "test").num_rows == 2


@pytest.mark.parametrize("change", ["version", "pin", "digest"])
def test_an_entry_is_found_only_for_what_it_was_made_from(settings: Settings, change: str) -> None:
    Store(settings, catalog_of()).table("lakes", "test")
    changed = {
        "version": catalog_of(replace(UNIT, version=2)),
        "pin": catalog_of(sha256="0" * 64),
        "digest": catalog_of(expected="0" * 64),
    }[change]
    with pytest.raises(NotConvertedError):
        Store(settings, changed, build=False).table("lakes", "test")


def test_without_building_nothing_is_touched(settings: Settings) -> None:
    with pytest.raises(NotConvertedError, match="lakes/test is not converted yet"):
        Store(settings, catalog_of(), build=False).table("lakes", "test")
    assert not settings.cache.exists()


def test_what_nothing_can_verify_is_said_to_be_so(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    Store(settings, catalog_of()).table("lakes", "test")
    assert "lakes/dev cannot be verified" in caplog.text
    assert "lakes/test" not in caplog.text


def test_wrong_samples_are_an_error_and_nothing_is_kept(settings: Settings) -> None:
    with pytest.raises(DataError) as error:
        Store(settings, catalog_of(expected="0" * 64, n=3)).table("lakes", "test")
    for part in ("lakes/test", LOCATION, "expected 3 samples", "0" * 64, "found 2", DIGEST):
        assert part in str(error.value)
    assert not list(settings.cache.glob("converted/*"))


def crash(files: Files) -> dict[DatasetSplit, list[Sample]]:
    raise KeyError("question")


@pytest.mark.parametrize(
    ("catalog", "message"),
    [
        (catalog_of(expected="0" * 64), "came out wrong"),
        (catalog_of(replace(UNIT, convert=crash)), "KeyError"),
    ],
)
def test_a_bad_download_that_only_conversion_can_tell_is_not_kept(
    settings: Settings, catalog: Catalog, message: str
) -> None:
    cached = settings.cache / "raw" / LOCATION
    cached.parent.mkdir(parents=True)
    cached.write_text(LINES, encoding="utf-8")
    with pytest.raises(DataError, match=message) as error:
        Store(replace(settings, mirror=None), catalog).table("lakes", "test")
    assert f"The cached copy of {URL} was removed" in str(error.value)
    assert not cached.exists()


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def forget_the_manifest(path: Path) -> None:
    path.with_name("manifest.json").unlink()


def break_the_manifest(path: Path) -> None:
    path.with_name("manifest.json").write_text('{"lakes-test.arrow": 1}', encoding="utf-8")


def misstate_the_rows(path: Path) -> None:
    manifest = path.with_name("manifest.json")
    facts = json.loads(manifest.read_bytes())
    facts[path.name][0] += 1
    manifest.write_text(json.dumps(facts), encoding="utf-8")


@pytest.mark.parametrize(
    "damage", [truncate, flip_a_byte, Path.unlink, forget_the_manifest, break_the_manifest, misstate_the_rows]
)
def test_a_damaged_entry_is_rebuilt_with_a_warning(
    settings: Settings, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    Store(settings, catalog_of()).table("lakes", "test")
    damage(entry_of(settings) / "lakes-test.arrow")
    with pytest.raises(NotConvertedError, match="damaged"):
        Store(settings, catalog_of(), build=False).table("lakes", "test")
    table = Store(settings, catalog_of()).table("lakes", "test")
    assert table["output"].to_pylist() == ["富士山", "琵琶湖"]
    assert "damaged" in caplog.text
    assert str(entry_of(settings)) in caplog.text
    assert conversions(settings) == 2


def edit(path: Path, column: str, values: list[str]) -> None:
    """Change a column and make the manifest fit, as someone would who knows the layout."""
    import pyarrow as pa

    table = pa.ipc.open_file(path.read_bytes()).read_all()
    table = table.set_column(table.column_names.index(column), column, [values])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    content = sink.getvalue().to_pybytes()
    path.write_bytes(content)
    manifest = path.with_name("manifest.json")
    facts = json.loads(manifest.read_bytes())
    facts[path.name] = [2, "0" * 64, len(content), zlib.crc32(content)]
    manifest.write_text(json.dumps(facts), encoding="utf-8")


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("output", ["富士山", "霞ヶ浦"]),
        ("input", ["湖は？", "山は？"]),
        ("id", ["lakes-test-1", "lakes-test-0"]),
    ],
)
def test_an_entry_edited_with_its_manifest_is_rebuilt(
    settings: Settings, caplog: pytest.LogCaptureFixture, column: str, values: list[str]
) -> None:
    ids = hashlib.sha256(b"lakes-test-0\nlakes-test-1\n").hexdigest()
    catalog = replace(catalog_of(), digests={("lakes", "test"): Expected(2, DIGEST, ids)})
    before = Store(settings, catalog).table("lakes", "test")
    edit(entry_of(settings) / "lakes-test.arrow", column, values)
    with pytest.raises(NotConvertedError, match="damaged"):
        Store(settings, catalog, build=False).table("lakes", "test")
    assert Store(settings, catalog).table("lakes", "test") == before
    assert "damaged" in caplog.text


def test_samples_with_other_ids_are_an_error(settings: Settings) -> None:
    catalog = replace(catalog_of(), digests={("lakes", "test"): Expected(2, DIGEST, "0" * 64)})
    with pytest.raises(DataError, match="expected ids with SHA-256 000"):
        Store(settings, catalog).table("lakes", "test")


@given(st.lists(st.tuples(st.text(), st.text())))
def test_the_fast_digest_is_that_of_the_recipe(pairs: list[tuple[str, str]]) -> None:
    lines = [json.dumps([question, gold], ensure_ascii=False) + "\n" for question, gold in pairs]
    digest = SampleDigest()
    for question, gold in pairs:
        digest.add(question, gold)
    assert digest.hexdigest() == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_a_file_system_that_refuses_locks_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(DataError, match=r"gives no lock \(.*No locks available") as error:
        Store(settings, catalog_of()).table("lakes", "test")
    assert "LM_EVAL_JA_CACHE" in str(error.value)
    assert str(settings.cache) in str(error.value)


def test_a_table_in_use_outlives_its_entry(settings: Settings) -> None:
    table = Store(settings, catalog_of()).table("lakes", "test")
    forget_the_manifest(entry_of(settings) / "lakes-test.arrow")
    Store(settings, catalog_of()).table("lakes", "test")
    assert table["output"].to_pylist() == ["富士山", "琵琶湖"]


def test_what_a_killed_conversion_left_behind_is_no_obstacle(settings: Settings) -> None:
    Store(settings, catalog_of()).table("lakes", "test")
    entry = entry_of(settings)
    draft = entry.with_name(entry.name + ".draft")
    entry.rename(draft)
    truncate(draft / "lakes-test.arrow")
    assert Store(settings, catalog_of()).table("lakes", "test").num_rows == 2
    assert entry_of(settings) == entry


@pytest.mark.parametrize("folder", ["raw", "converted", "locks"])
def test_a_folder_of_the_cache_can_be_deleted(settings: Settings, folder: str) -> None:
    catalog = catalog_of()
    cached = settings.cache / "raw" / LOCATION
    cached.parent.mkdir(parents=True)
    cached.write_text(LINES, encoding="utf-8")
    own = replace(settings, mirror=None, offline=True)
    before = Store(own, catalog).table("lakes", "test")
    shutil.rmtree(settings.cache / folder)
    assert Store(own, catalog).table("lakes", "test") == before
    if folder == "raw":  # all there is now is the converted split
        assert not cached.exists()


def test_an_unwritable_cache_is_named(settings: Settings) -> None:
    settings.cache.mkdir()
    (settings.cache / "converted").write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(DataError, match="LM_EVAL_JA_CACHE") as error:
        Store(settings, catalog_of()).table("lakes", "test")
    assert str(settings.cache) in str(error.value)


def test_unknown_dataset_and_split(settings: Settings) -> None:
    with pytest.raises(OptionError, match=r"Unknown dataset 'lake'. Did you mean 'lakes'\?"):
        Store(settings, catalog_of()).table("lake", "test")
    with pytest.raises(OptionError, match=r"Unknown split of lakes 'train'\. There are: dev, test"):
        Store(settings, catalog_of()).table("lakes", "train")


def test_sample_data_is_converted_without_a_cache(settings: Settings) -> None:
    catalog = replace(catalog_of(expected="0" * 64), sample_files=Path(str(settings.mirror)))
    assert Samples(catalog).table("lakes", "test").num_rows == 2
    assert not settings.cache.exists()


def test_missing_sample_data_is_named() -> None:
    with pytest.raises(DataError, match="no sample data for lakes"):
        Samples(catalog_of()).table("lakes", "test")


_PROCESS = """
import sys, time
from pathlib import Path
from lm_eval_ja.datasets import Catalog, Expected, Sample, Settings, Source, Unit
from lm_eval_ja.datasets.store import Store

def convert(files):
    (path,) = files.values()
    with open(path.parent / "conversions.log", "a") as log:
        log.write("x\\n")
    time.sleep(float(seconds))
    rows = [line.split("\\t") for line in path.read_text(encoding="utf-8").splitlines()]
    return {("lakes", "test"): [Sample(f"lakes-test-{i}", *row) for i, row in enumerate(rows)]}

url, cache, mirror, digest, seconds = sys.argv[1:]
unit = Unit("lakes", (url,), (("lakes", "test"),), convert)
digests = {("lakes", "test"): Expected(2, digest)}
catalog = Catalog({url: Source(url, "CC0")}, {"lakes": unit}, digests, {}, Path())
print(ascii(Store(Settings(Path(cache), mirror), catalog).table("lakes", "test")["output"].to_pylist()))
"""


def start(settings: Settings, seconds: float, **environ: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", _PROCESS, URL, settings.cache, str(settings.mirror), DIGEST, str(seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environ},
    )


def test_processes_that_want_the_same_split_convert_it_once(settings: Settings) -> None:
    runs = [start(settings, 3.5) for _ in range(2)]
    outputs = [run.communicate(timeout=60) for run in runs]
    expected = ascii(["富士山", "琵琶湖"])
    assert [out.strip() for out, _ in outputs] == [expected, expected]
    assert conversions(settings) == 1
    assert any("Waiting for another process that is converting lakes" in err for _, err in outputs)
    assert any("converting lakes, once only" in err for _, err in outputs)  # progress is shown after 2 s


def test_a_killed_process_blocks_nobody(settings: Settings) -> None:
    victim = start(settings, 60)
    while not conversions(settings):
        assert victim.poll() is None
    victim.kill()
    victim.wait()
    out, _ = start(settings, 0).communicate(timeout=60)
    assert out.strip() == ascii(["富士山", "琵琶湖"])


@pytest.mark.parametrize("name", ["cache", "キャッシュ"])
def test_an_ascii_locale_changes_nothing(settings: Settings, name: str) -> None:
    settings = replace(settings, cache=settings.cache.with_name(name))
    process = start(settings, 0, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out.strip(), err) == (0, ascii(["富士山", "琵琶湖"]), "")
