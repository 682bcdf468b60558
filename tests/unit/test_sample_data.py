"""The sample data: enough of everything, small, labelled, and laid out as the sources are."""

import pytest

from lm_eval_ja.datasets import SPLITS, Sample, packaged

UNITS = {name: unit for name, unit in packaged().units.items() if unit.urls}  # the others are own data
SAMPLE = packaged().sample_files
unit_for = packaged().unit
DATASETS = sorted({dataset for unit in UNITS.values() for dataset, _ in unit.produces})
FILES = sorted(path for path in SAMPLE.rglob("*") if path.is_file())
PINS = packaged().variants["sample"]["neo"]


def samples(dataset: str, split: str) -> list[Sample]:
    unit = unit_for(dataset, split)  # type: ignore[arg-type]
    if not unit.urls:  # own data only
        return []
    files = {url: SAMPLE / url.removeprefix("https://") for url in unit.urls}
    return list(unit.convert(files)[dataset, split])  # type: ignore[index]


@pytest.mark.parametrize("dataset", DATASETS)
def test_there_are_enough_questions(dataset: str) -> None:
    assert len(samples(dataset, "test")) >= 5
    assert dataset == "mgsm" or len(samples(dataset, "train")) >= 4
    assert dataset == "mgsm" or len(samples(dataset, "dev")) >= 1


@pytest.mark.parametrize("dataset", DATASETS)
def test_no_question_is_asked_twice(dataset: str) -> None:
    inputs = [sample.input for split in SPLITS for sample in samples(dataset, split)]
    # mawps has the same example problems in both of its example files, as upstream.
    assert len(set(inputs)) == len(inputs) - (4 if dataset == "mawps" else 0)


@pytest.mark.parametrize("dataset", PINS)
def test_pins_name_samples(dataset: str) -> None:
    ids = {sample.id for split in SPLITS for sample in samples(dataset, split)}
    assert len(PINS[dataset]) >= 5
    assert len(set(PINS[dataset])) == len(PINS[dataset])
    assert set(PINS[dataset]) <= ids


def test_pins_are_there_for_what_neo_pins() -> None:
    assert set(PINS) == set(packaged().variants["real"]["neo"])


def test_it_is_small() -> None:
    sizes = {str(path.relative_to(SAMPLE)): path.stat().st_size for path in FILES}
    assert sum(sizes.values()) < 300_000
    assert [name for name, size in sizes.items() if size > 60_000] == []


def test_it_is_text_in_utf8() -> None:
    for path in FILES:
        assert path.read_text(encoding="utf-8")


def test_it_says_what_it_is() -> None:
    readme = (SAMPLE / "README.md").read_text(encoding="utf-8")
    for phrase in ("Sample, not a benchmark", "written for this project", "Apache-2.0"):
        assert phrase in readme


def test_every_file_stands_for_a_registered_source() -> None:
    roots = [SAMPLE / source.location for source in packaged().sources.values()]
    stray = [path for path in FILES if not any(path == root or root in path.parents for root in roots)]
    assert [path.name for path in stray] == ["README.md"]


def test_jsquad_answers_stand_in_their_text() -> None:
    for split in SPLITS:
        for sample in samples("jsquad", split):
            assert sample.output in sample.input.split("\n質問：")[0]


def test_labels_are_of_the_protocol() -> None:
    allowed = {
        "jamp": {"entailment", "contradiction", "neutral"},
        "jnli": {"entailment", "contradiction", "neutral"},
        "jsick": {"entailment", "contradiction", "neutral"},
        "janli": {"entailment", "non-entailment"},
        "jsem": {"yes", "no", "unknown", "undef"},
        "jcommonsenseqa": set("01234"),
        "mmluen": set("ABCD"),
        "jmmlu": set("ABCD"),
        "jcola-in-domain": set("01"),
        "jcola-out-of-domain": set("01"),
        "jblimp": set("ab"),
    }
    for dataset, labels in allowed.items():
        found = {sample.output for split in SPLITS for sample in samples(dataset, split)}
        assert found <= labels, dataset
        assert len(found) > 1, dataset
