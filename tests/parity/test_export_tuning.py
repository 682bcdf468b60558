"""Tuning data from the real raw files: what llm-jp-eval 1.3.0 makes, and without neo's test items what is safe."""

import json
from hashlib import sha1, sha256
from pathlib import Path

import pytest

from lm_eval_ja.datasets import Settings
from lm_eval_ja.tuning import EXPORT_SPLITS, Manifest, export_tuning

pytestmark = pytest.mark.mirror

MISSING = {"jnli", "jsquad", "alt-e-to-j", "alt-j-to-e"}
"""Their train files are not among the raw files the tests are run with."""


def examples(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


@pytest.fixture(scope="module")
def kept(mirror: Path, real_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    folder = tmp_path_factory.mktemp("kept") / "jaster"
    settings = Settings(real_cache, mirror)
    return folder, export_tuning(folder, splits=EXPORT_SPLITS, keep_overlaps=True, settings=settings)


@pytest.fixture(scope="module")
def safe(mirror: Path, real_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    folder = tmp_path_factory.mktemp("safe") / "jaster"
    return folder, export_tuning(folder, settings=Settings(real_cache, mirror))


def test_with_overlaps_kept_the_files_are_those_of_1_3_0(kept: tuple[Path, Manifest], spec: Path) -> None:
    folder, manifest = kept
    golden = json.loads((spec / "splits_1_3_0.json").read_text(encoding="utf-8"))["datasets"]
    assert {(m.dataset, m.split) for m in manifest.missing} == {
        (d, s) for d in MISSING for s in EXPORT_SPLITS
    }
    checked = 0
    for dataset in golden.keys() - MISSING:
        for split in ("train", "dev"):
            found = examples(folder / split / f"{dataset}.jsonl")
            assert len(found) == golden[dataset][split]["n"]
            lines = [json.dumps([one["input"], one["output"]], ensure_ascii=False) + "\n" for one in found]
            assert sha256("".join(lines).encode()).hexdigest() == golden[dataset][split]["sha256"]
            assert [one["ID"] for one in found] == [f"{dataset}-{index}" for index in range(len(found))]
            checked += 1
        assert examples(folder / "dev_first100" / f"{dataset}.jsonl") == found[:100]
    assert checked == 44
    assert all(file.is_1_3_0 for file in manifest.files if file.split != "dev_first100")


def test_by_default_no_test_item_of_neo_is_exported(safe: tuple[Path, Manifest], spec: Path) -> None:
    folder, manifest = safe
    golden = json.loads((spec / "neo_items.json").read_text(encoding="utf-8"))["datasets"]
    asked = {item["input_sha1"] for items in golden.values() for item in items}
    found = [one for file in manifest.files for one in examples(folder / file.path)]
    assert len(found) == manifest.read_back > 130_000
    assert not [one["ID"] for one in found if sha1(one["input"].encode()).hexdigest() in asked]  # noqa: S324  # a name
    assert manifest.found == 0


def test_the_pinned_chabsa_items_are_named(safe: tuple[Path, Manifest]) -> None:
    folder, manifest = safe
    by_name = {file.dataset: file for file in manifest.files}
    assert by_name["chabsa"].left_out == 80  # 79 of neo's pinned items, and one that train and test both have
    assert by_name["chabsa"].is_1_3_0 is False
    assert by_name["jamp"].is_1_3_0 is True
    pinned = [
        overlap
        for overlap in examples(folder / "overlaps.jsonl")
        if overlap["dataset"] == "chabsa" and any(place["protocol"] == "neo" for place in overlap["held_out"])
    ]
    assert len(pinned) == 79


def test_what_could_not_be_checked_is_said(safe: tuple[Path, Manifest]) -> None:
    _, manifest = safe
    assert {(m.dataset, m.split) for m in manifest.not_checked} == {
        ("jnli", "dev"),
        ("jsquad", "dev"),
        *((name, split) for name in ("alt-e-to-j", "alt-j-to-e") for split in ("test", "dev")),
        # Of llm-jp-eval 1.4.1, which only their owners have here.
        *((name, split) for name in ("aio", "kuci", "mmlu_en") for split in ("test", "dev")),
    }
