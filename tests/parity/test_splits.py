"""Every split of llm-jp-eval 1.3.0 whose raw files are at hand, against the protocol's counts and digests."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

from lm_eval_ja.datasets import SPLITS, Settings, Split, available, load
from lm_eval_ja.errors import DataError

pytestmark = pytest.mark.mirror

# Not among the raw files the tests are run with: these can only be downloaded.
TRAIN_FILE_MISSING = ("jnli", "jsquad")
CORPUS_MISSING = ("alt-e-to-j", "alt-j-to-e")
PRESENT = [name for name in available("llm_jp_eval") if name not in TRAIN_FILE_MISSING + CORPUS_MISSING]
CASES = [(name, split) for name in PRESENT for split in SPLITS] + [
    (name, "test") for name in TRAIN_FILE_MISSING
]


@pytest.mark.parametrize(("dataset", "split"), CASES)
def test_samples_in_their_order(
    dataset: str, split: Split, mirror: Path, real_cache: Path, spec: Path
) -> None:
    golden = json.loads((spec / "splits_1_3_0.json").read_text(encoding="utf-8"))["datasets"][dataset][split]
    samples = load("llm_jp_eval", dataset, max_samples=-1, settings=Settings(real_cache, mirror))[split]
    assert len(samples) == golden["n"]
    # The recipe as the golden file states it, not as the package implements it.
    lines = [json.dumps([sample["input"], sample["output"]], ensure_ascii=False) + "\n" for sample in samples]
    assert sha256("".join(lines).encode()).hexdigest() == golden["sha256"]


def test_the_golden_file_has_no_other_split(spec: Path) -> None:
    golden = json.loads((spec / "splits_1_3_0.json").read_text(encoding="utf-8"))["datasets"]
    assert {(dataset, split) for dataset, splits in golden.items() for split in splits} == set(CASES)


@pytest.mark.parametrize("dataset", TRAIN_FILE_MISSING)
@pytest.mark.parametrize("split", ["train", "dev"])
def test_a_train_file_that_is_not_there_is_asked_for(
    dataset: str, split: Split, mirror: Path, real_cache: Path
) -> None:
    splits = load("llm_jp_eval", dataset, settings=Settings(real_cache, mirror))
    location = f"JGLUE/6791a5003e6deaa6fb2458bcb3aa1f58dc52ef33/datasets/{dataset}-v1.1/train-v1.1.json"
    with pytest.raises(DataError, match=location) as error:
        splits[split]
    for part in ("git blob id", "few-shot", str(mirror), str(real_cache / "raw")):
        assert part in str(error.value)


@pytest.mark.parametrize("dataset", ["jsem", "wikicorpus-e-to-j", "wikicorpus-j-to-e"])
def test_what_2_1_no_longer_cuts_begins_with_1_3_0s_train_split(
    dataset: str, mirror: Path, real_cache: Path
) -> None:
    settings = Settings(real_cache, mirror)
    train = load("llm_jp_eval", dataset, max_samples=-1, settings=settings)["train"]
    asked = load("llm_jp_eval_2_1", dataset, settings=settings)
    for column in ("id", "input", "output"):
        assert asked["test"][column][:] == train[column][:100]
    assert not {*asked["test"]["id"]} & {*asked["train"]["id"]}, "examples are other questions"
