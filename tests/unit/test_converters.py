"""What every converter owes to those who use it, checked for each dataset and split on the sample data."""

import os
import random
import subprocess
import sys
from functools import cache

import pytest

from lm_eval_ja.datasets import packaged
from lm_eval_ja.datasets.store import SPLITS, DatasetSplit, Files, Sample, Split, Unit
from lm_eval_ja.errors import OptionError

UNITS = {name: unit for name, unit in packaged().units.items() if unit.urls}  # the others are own data
SAMPLE = packaged().sample_files
unit_for = packaged().unit
ALL: list[DatasetSplit] = sorted(produced for unit in UNITS.values() for produced in unit.produces)

NEO = [
    *(
        "jamp",
        "janli",
        "jnli",
        "jsem",
        "jsick",
        "jemhopqa",
        "niilc",
        "jsquad",
        "jcommonsenseqa",
        "mawps",
        "chabsa",
    ),
    *("wiki_reading", "wiki_ner", "wiki_dependency", "wiki_pas", "wiki_coreference"),
]
ONLY_1_3_0 = [
    *("mmluen", "jmmlu", "alt-e-to-j", "alt-j-to-e", "wikicorpus-e-to-j", "wikicorpus-j-to-e"),
    *("jsts", "jcola-in-domain", "jcola-out-of-domain", "jblimp"),
]
SINCE_1_4 = ["commonsensemoralja", "kuci", "aio", "mgsm"]
EVERY = NEO + ONLY_1_3_0 + SINCE_1_4


def sample_files(unit: Unit) -> Files:
    return {url: SAMPLE / url.removeprefix("https://") for url in unit.urls}


@cache
def converted(name: str) -> dict[DatasetSplit, list[Sample]]:
    return {key: list(samples) for key, samples in UNITS[name].convert(sample_files(UNITS[name])).items()}


def samples_of(dataset: str, split: Split) -> list[Sample]:
    return converted(unit_for(dataset, split).name)[dataset, split]


def test_every_dataset_of_the_protocols_has_three_splits() -> None:
    assert sorted({dataset for dataset, _ in ALL}) == sorted(EVERY)
    made = sorted((dataset, split) for dataset in EVERY for split in SPLITS)
    assert [each for each in made if each not in {("mgsm", "train"), ("mgsm", "dev")}] == ALL


@pytest.mark.parametrize(("dataset", "split"), ALL)
class TestEverySplit:
    def test_is_made_by_exactly_one_unit(self, dataset: str, split: Split) -> None:
        makers = [unit.name for unit in UNITS.values() if (dataset, split) in unit.produces]
        assert makers == [unit_for(dataset, split).name]

    def test_has_well_formed_samples(self, dataset: str, split: Split) -> None:
        samples = samples_of(dataset, split)
        assert samples
        for sample in samples:
            assert sample.id.startswith(f"{dataset}-")
            assert isinstance(sample.input, str)
            assert sample.input
            assert isinstance(sample.output, str)
            assert sample.output

    def test_is_the_same_each_time(self, dataset: str, split: Split) -> None:
        unit = unit_for(dataset, split)
        assert list(unit.convert(sample_files(unit))[dataset, split]) == samples_of(dataset, split)

    def test_numbers_its_samples_or_takes_the_identity_of_the_source(
        self, dataset: str, split: Split
    ) -> None:
        ids = [sample.id for sample in samples_of(dataset, split)]
        if dataset == "chabsa":
            assert all(sample_id.count("-") == 2 for sample_id in ids)
        elif dataset.startswith("wiki_"):
            assert ids == sorted(ids)
        else:
            assert ids == [f"{dataset}-{split}-{index}" for index in range(len(ids))]


@pytest.mark.parametrize("dataset", EVERY)
def test_ids_are_unique_over_all_splits(dataset: str) -> None:
    ids = [sample.id for split in SPLITS if (dataset, split) in ALL for sample in samples_of(dataset, split)]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", UNITS)
class TestEveryUnit:
    def test_yields_just_what_it_says(self, name: str) -> None:
        assert UNITS[name].name == name
        assert list(converted(name)) == list(UNITS[name].produces)

    def test_needs_only_registered_files(self, name: str) -> None:
        assert set(UNITS[name].urls) <= set(packaged().sources)

    def test_has_a_name_fit_for_a_file(self, name: str) -> None:
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz-")

    def test_leaves_its_files_as_they_are(self, name: str) -> None:
        files = sample_files(UNITS[name])
        before = {path: path.stat().st_mtime_ns for path in files.values()}
        UNITS[name].convert(files)
        assert {path: path.stat().st_mtime_ns for path in files.values()} == before


@pytest.mark.parametrize("dataset", [name for name in NEO if name not in {"janli", "jsem", "chabsa"}])
def test_a_zero_shot_run_of_neo_needs_no_train_file(dataset: str) -> None:
    test, train = unit_for(dataset, "test"), unit_for(dataset, "train")
    assert test.name != train.name
    if not dataset.startswith("wiki_"):  # one archive for all, but only the documents of the split are read
        assert not set(test.urls) & set(train.urls)


def test_an_unknown_dataset_is_named_with_those_there_are() -> None:
    with pytest.raises(
        OptionError, match=r"Unknown dataset 'jcola'.*There are: .*jcola-in-domain.*wiki_reading"
    ):
        unit_for("jcola", "test")


def test_an_unknown_split_is_named_with_those_there_are() -> None:
    with pytest.raises(OptionError, match=r"Unknown split of jnli 'valid'.* There are: train, dev, test"):
        unit_for("jnli", "valid")  # type: ignore[arg-type]


def test_importing_the_converters_imports_no_parser() -> None:
    code = "import sys; from lm_eval_ja.datasets import packaged; packaged(); print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}; {code}"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert "lm_eval_ja.datasets.sources.jamp" in modules
    assert not {"rhoknp", "xml.etree", "numpy", "datasets", "pyarrow", "requests"} & set(modules)


DUMP = """
import hashlib, sys
from pathlib import Path
from lm_eval_ja.datasets import packaged
digest = hashlib.sha256()
for unit in packaged().units.values():
    if not unit.urls:
        continue
    files = {url: Path(sys.argv[1]) / url.removeprefix("https://") for url in unit.urls}
    for key, samples in unit.convert(files).items():
        digest.update(ascii((key, [(s.id, s.input, s.output) for s in samples])).encode())
print(digest.hexdigest())
"""


def test_neither_locale_nor_hash_seed_nor_random_state_matters() -> None:
    digests = set()
    for environment in (
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONHASHSEED": "1"},
        {"PYTHONUTF8": "1", "PYTHONHASHSEED": "2"},
    ):
        run = subprocess.run(
            [
                sys.executable,
                "-c",
                f"import random; random.seed({environment['PYTHONHASHSEED']}){DUMP}",
                SAMPLE,
            ],
            env={**os.environ, **environment},
            check=True,
            capture_output=True,
            text=True,
        )
        assert not run.stderr
        digests.add(run.stdout)
    assert len(digests) == 1


def test_converting_leaves_the_random_state_of_the_caller_alone() -> None:
    random.seed(7)
    state = random.getstate()
    for name in ("jamp-train", "jmmlu", "jblimp", "wikicorpus-test"):
        UNITS[name].convert(sample_files(UNITS[name]))
    assert random.getstate() == state
