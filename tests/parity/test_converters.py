"""Every split made from the real raw files, against the counts and digests of the protocol."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

from lm_eval_ja.datasets import packaged
from lm_eval_ja.datasets.store import SPLITS, DatasetSplit, Files, Sample

pytestmark = pytest.mark.mirror

UNITS = {name: unit for name, unit in packaged().units.items() if unit.urls}  # the others are own data

# Datasets that 1.3.0 has not: see tests/parity/test_certificates.py.
LATER = {"commonsensemoralja", "aio", "kuci", "mgsm"}

# PROTOCOL and splits_1_3_0.json: counts where the raw file isn't in the mirror at hand.
COUNTS = {
    ("jnli", "train"): 18065,
    ("jnli", "dev"): 2008,
    ("jsquad", "train"): 56573,
    ("jsquad", "dev"): 6286,
}


def raw_files(name: str, mirror: Path) -> Files:
    files = {url: mirror / url.removeprefix("https://") for url in UNITS[name].urls}
    missing = [url for url, path in files.items() if not path.exists()]
    if missing:
        pytest.skip(f"not in the mirror: {', '.join(missing)}")
    return files


@cache
def converted(name: str, mirror: Path) -> dict[DatasetSplit, list[Sample]]:
    return {key: list(samples) for key, samples in UNITS[name].convert(raw_files(name, mirror)).items()}


def digest(samples: Iterable[Sample]) -> str:
    """As ``_about`` of splits_1_3_0.json says."""
    found = hashlib.sha256()
    for sample in samples:
        found.update((json.dumps([sample.input, sample.output], ensure_ascii=False) + "\n").encode())
    return found.hexdigest()


@pytest.mark.parametrize("name", UNITS)
def test_splits_of_1_3_0(name: str, mirror: Path, spec: Path) -> None:
    expected = json.loads((spec / "splits_1_3_0.json").read_text(encoding="utf-8"))["datasets"]
    for (dataset, split), samples in converted(name, mirror).items():
        if dataset in LATER:
            continue
        if (dataset, split) in COUNTS:
            assert len(samples) == COUNTS[dataset, split]
            continue
        assert len(samples) == expected[dataset][split]["n"], (dataset, split)
        assert digest(samples) == expected[dataset][split]["sha256"], (dataset, split)


@pytest.mark.parametrize("name", UNITS)
def test_no_id_is_used_twice(name: str, mirror: Path) -> None:
    for dataset in {dataset for dataset, _ in UNITS[name].produces}:
        ids = [
            sample.id
            for (owner, _), samples in converted(name, mirror).items()
            if owner == dataset
            for sample in samples
        ]
        assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    "dataset", ["wiki_reading", "wiki_ner", "wiki_dependency", "wiki_pas", "wiki_coreference"]
)
def test_no_document_stands_in_two_splits(dataset: str, mirror: Path) -> None:
    ids = [s.id for split in SPLITS for s in converted(f"wiki-{split}", mirror)[dataset, split]]
    assert len(ids) == len(set(ids))


def test_the_shipped_facts_are_those_of_the_protocol(spec: Path) -> None:
    digests: dict[str, dict[str, object]] = {}
    for (dataset, split), expected in packaged().digests.items():
        if dataset in LATER:
            continue
        digests.setdefault(dataset, {})[split] = {"n": expected.n, "sha256": expected.sha256}
    assert digests == json.loads((spec / "splits_1_3_0.json").read_text(encoding="utf-8"))["datasets"]
    neo = json.loads((spec / "neo_items.json").read_text(encoding="utf-8"))
    pins = {
        dataset: [
            f"chabsa-{item['file'].removesuffix('_ann.json')}-{item['sentence_id']}"
            if "file" in item
            else f"{dataset}-{item['doc_id']}"
            for item in items
        ]
        for dataset, items in neo["datasets"].items()
        if "file" in items[0] or "doc_id" in items[0]
    }
    assert pins == {dataset: list(ids) for dataset, ids in packaged().variants["real"]["neo"].items()}


MEASURE = """
import resource, sys
from pathlib import Path
from lm_eval_ja.datasets import packaged
UNITS = packaged().units
for name in sys.argv[2:]:
    files = {url: Path(sys.argv[1]) / url.removeprefix("https://") for url in UNITS[name].urls}
    for samples in UNITS[name].convert(files).values():
        list(samples)
unit = 2**20 if sys.platform == "darwin" else 2**10
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no peak memory from the standard library")
@pytest.mark.parametrize("name", ["mmluen-test", "wikicorpus-train", "wiki-train"])
def test_the_large_ones_take_1_5_gib_at_most(name: str, mirror: Path) -> None:
    raw_files(name, mirror)
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, mirror, name], check=True, capture_output=True, text=True
    )
    assert float(run.stdout) < 1536
