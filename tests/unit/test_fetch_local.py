"""Raw files without a network: mirror folders, the offline switch, settings and the registry."""

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from lm_eval_ja.datasets import M_IFEVAL_JA_URL, Catalog, Settings, Source, fetch, packaged
from lm_eval_ja.errors import DataError, OptionError

URL = "https://files.example/data/questions.txt"
LOCATION = "files.example/data/questions.txt"
BODY = "問い\n".encode()
SOURCE = Source(URL, "CC0", sha256=sha256(BODY).hexdigest())


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(cache=tmp_path / "cache", mirror=tmp_path / "mirror")


def put(folder: Path | str | None, body: bytes = BODY) -> Path:
    path = Path(str(folder)) / LOCATION
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return path


def get(settings: Settings, source: Source = SOURCE) -> Path:
    catalog = Catalog(sources={URL: source}, units={}, digests={}, variants={}, sample_files=Path())
    return fetch(URL, settings=settings, catalog=catalog)


@pytest.mark.parametrize("offline", [False, True])
def test_a_mirror_folder_is_used_in_place(settings: Settings, offline: bool) -> None:
    path = put(settings.mirror)
    assert get(replace(settings, offline=offline)) == path
    assert not (settings.cache / "raw").exists()


def test_a_mirror_folder_comes_before_the_cache(settings: Settings) -> None:
    cached, mirrored = put(settings.cache / "raw"), put(settings.mirror)
    assert get(settings) == mirrored
    mirrored.unlink()
    assert get(settings) == cached


def test_a_mirror_folder_works_with_an_unusable_cache(settings: Settings) -> None:
    path = put(settings.mirror)
    settings.cache.write_text("a file where the folder should be", encoding="utf-8")
    assert get(settings) == path


def test_a_wrong_file_in_the_mirror_is_an_error(settings: Settings) -> None:
    path = put(settings.mirror, b"something else")
    with pytest.raises(DataError) as error:
        get(settings)
    for part in (path, SOURCE.sha256, sha256(b"something else").hexdigest()):
        assert str(part) in str(error.value)
    assert path.read_bytes() == b"something else"


def test_a_mirror_without_the_file_says_where_to_put_it(settings: Settings) -> None:
    with pytest.raises(DataError) as error:
        get(settings)
    for part in (
        URL,
        Path(str(settings.mirror)) / LOCATION,
        settings.cache / "raw" / LOCATION,
        SOURCE.sha256,
    ):
        assert str(part) in str(error.value)
    path = put(settings.cache / "raw")
    assert get(settings) == path


def test_offline_names_the_url_and_where_to_put_the_file(settings: Settings) -> None:
    settings = replace(settings, mirror="https://mirror.example", offline=True)
    with pytest.raises(DataError, match="LM_EVAL_JA_OFFLINE") as error:
        get(settings)
    assert URL in str(error.value)
    assert get(replace(settings, cache=put(settings.cache / "raw").parents[3])).read_bytes() == BODY


@pytest.mark.parametrize("place", ["mirror", "cache"])
def test_other_content_of_the_same_size_and_time_is_seen(settings: Settings, place: str) -> None:
    path = put(settings.mirror if place == "mirror" else settings.cache / "raw")
    get(settings)
    before = path.stat()
    path.write_bytes(BODY[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(DataError, match="expected SHA-256"):
        get(settings)


def test_a_changed_pin_is_checked_anew(settings: Settings) -> None:
    put(settings.mirror)
    get(settings)
    with pytest.raises(DataError, match="expected SHA-256 " + "0" * 64):
        get(settings, replace(SOURCE, sha256="0" * 64))


def test_an_unknown_url_suggests_the_closest() -> None:
    url = next(iter(packaged().sources))
    with pytest.raises(OptionError, match="Did you mean") as error:
        fetch(url + "x")
    assert url in str(error.value)


def test_settings_from_the_environment(tmp_path: Path) -> None:
    settings = Settings.from_env(
        {
            "LM_EVAL_JA_CACHE": str(tmp_path / "c"),
            "LM_EVAL_JA_MIRROR": "https://mirror.example/ja/",
            "LM_EVAL_JA_OFFLINE": "1",
        }
    )
    assert (settings.cache, settings.offline) == (tmp_path / "c", True)
    assert settings.mirror_url == "https://mirror.example/ja"
    assert settings.mirror_folder is None


def test_settings_of_an_empty_environment() -> None:
    settings = Settings.from_env({"LM_EVAL_JA_MIRROR": "", "LM_EVAL_JA_OFFLINE": ""})
    assert (settings.mirror_url, settings.mirror_folder, settings.offline) == (None, None, False)
    assert settings.cache.name == "lm-eval-ja"


def test_a_folder_may_start_with_a_tilde(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = Settings.from_env({"LM_EVAL_JA_CACHE": "~/c", "LM_EVAL_JA_MIRROR": "~/m"})
    assert (settings.cache, settings.mirror_folder) == (tmp_path / "c", tmp_path / "m")


@pytest.mark.parametrize("variable", ["LM_EVAL_JA_CACHE", "LM_EVAL_JA_MIRROR"])
def test_a_folder_that_no_file_system_takes(variable: str, tmp_path: Path) -> None:
    for name in ("x" * 300, "x\0y", "~nobody-of-this-name/x"):
        with pytest.raises(OptionError, match=variable) as error:
            Settings.from_env({variable: f"{tmp_path}/{name}" if name[0] != "~" else name})
        assert "absolute path" in str(error.value)
        assert len(str(error.value)) < 300


def test_a_path_that_is_too_long_only_below_the_cache_is_an_error_of_ours(settings: Settings) -> None:
    long = replace(settings, cache=settings.cache.joinpath(*["x" * 200] * 20))
    with pytest.raises(DataError, match="File name too long"):
        get(long)


def test_a_working_directory_that_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    code = "import os, sys; os.rmdir(os.getcwd()); from lm_eval_ja.datasets import Settings; print(Settings.from_env())"

    def run(cache: str) -> "subprocess.CompletedProcess[str]":
        gone.mkdir(exist_ok=True)
        env = {**os.environ, "LM_EVAL_JA_CACHE": cache}
        return subprocess.run(
            [sys.executable, "-c", code], cwd=gone, env=env, capture_output=True, text=True, check=False
        )

    assert "working directory is gone" in run("cache").stderr
    assert run(str(tmp_path)).returncode == 0


def test_an_offline_switch_that_is_neither_yes_nor_no() -> None:
    with pytest.raises(OptionError, match=r"LM_EVAL_JA_OFFLINE='perhaps'.*use 1"):
        Settings.from_env({"LM_EVAL_JA_OFFLINE": "perhaps"})


def test_the_registry_is_well_formed() -> None:
    sources = packaged().sources
    for url, source in sources.items():
        assert url == source.url
        assert url.startswith("https://")
        assert ".." not in source.location
        assert source.licence
        assert (source.sha256 is None) == (source.size is None)
        assert len(source.pin[1]) in {40, 64} if source.pin else source.note
    assert len({source.location for source in sources.values()}) == len(sources)


def test_the_registry_has_what_the_units_need_and_little_else() -> None:
    catalog = packaged()
    needed = Counter(url for unit in catalog.units.values() for url in unit.urls)
    assert not needed.keys() - catalog.sources.keys()
    others = [url for url in catalog.sources if url not in needed]
    # Conversations and M-IFEval's prompts are read from the raw files themselves.
    assert all("llm_judge" in url or url == M_IFEVAL_JA_URL for url in others)
    assert len(others) == 7


def test_what_has_no_digest_is_what_the_documents_name() -> None:
    """docs/offline.md says what can't be checked: raw files by dataset, and converted splits."""
    catalog = packaged()
    unpinned = {
        unit.produces[0][0]
        for unit in catalog.units.values()
        if any(catalog.source(url).pin is None for url in unit.urls)
    }
    wiki = {"wiki_reading", "wiki_ner", "wiki_dependency", "wiki_pas", "wiki_coreference"}
    assert unpinned - wiki == {"aio", "alt-e-to-j", "chabsa", "kuci", "mmluen", "wikicorpus-e-to-j"}
    assert unpinned & wiki
    unknown: dict[str, set[str]] = {}
    for unit in catalog.units.values():
        for dataset, split in unit.produces:
            if (dataset, split) not in catalog.digests:
                unknown.setdefault(dataset, set()).add(split)
    not_made = {"mbpp", "mmlu_en", "xlsum_ja"}
    everything = {name: {"train", "dev", "test"} for name in ("aio", "alt-e-to-j", "alt-j-to-e", "kuci")}
    some = {name: {"train", "dev"} for name in ("jnli", "jsquad", "mgsm")}
    assert {name: splits for name, splits in unknown.items() if name not in not_made} == everything | some
    with_ids = {name for (name, _), expected in catalog.digests.items() if expected.ids}
    assert with_ids == wiki | {"chabsa"}


@pytest.mark.mirror
def test_every_pinned_file_of_the_mirror_verifies(mirror: Path, tmp_path: Path) -> None:
    settings = Settings(cache=tmp_path, mirror=mirror)
    present = [url for url, source in packaged().sources.items() if (mirror / source.location).is_file()]
    assert len(present) > 100
    for url in present:
        assert fetch(url, settings=settings).is_file()
