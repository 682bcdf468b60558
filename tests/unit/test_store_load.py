"""What ``load``, ``describe`` and ``prepare`` make of converted splits, by a protocol's rules."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from lm_eval_ja.datasets import (
    SPLITS,
    Catalog,
    DatasetSplit,
    Files,
    Sample,
    Settings,
    Source,
    Split,
    Unit,
    available,
    data_digest,
    describe,
    load,
    packaged,
    prepare,
    raw_urls,
)
from lm_eval_ja.errors import DataError, OptionError

SIZE = 130


def url(name: str) -> str:
    return f"https://files.example/{name}"


def unit(name: str, *made: DatasetSplit) -> Unit:
    def convert(files: Files) -> Mapping[DatasetSplit, list[Sample]]:
        files[url(name)].read_bytes()
        return {
            (dataset, split): [Sample(f"{dataset}-{split}-{i}", f"問{i}", f"答{i}") for i in range(SIZE)]
            for dataset, split in made
        }

    return Unit(name, (url(name),), made, convert)


UNITS = [
    unit("jnli-test", ("jnli", "test")),
    unit("jnli-train", ("jnli", "train"), ("jnli", "dev")),
    unit("chabsa", *(("chabsa", split) for split in SPLITS)),
    *(unit(f"wiki-{split}", ("wiki_ner", split), ("wiki_pas", split)) for split in SPLITS),
]
PINS = {
    "chabsa": ("chabsa-train-7", "chabsa-test-129", "chabsa-dev-0"),
    "wiki_ner": ("wiki_ner-test-9", "wiki_ner-test-3"),
    "wiki_pas": ("wiki_pas-test-9", "wiki_pas-gone-1"),
}
CATALOG = Catalog(
    sources={url(unit.name): Source(url(unit.name), f"licence of {unit.name}") for unit in UNITS},
    units={unit.name: unit for unit in UNITS},
    digests={},
    variants={"real": {"neo": PINS}},
    sample_files=Path("/nonexistent"),
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    for item in UNITS:
        if item.name != "jnli-train":
            path = tmp_path / "mirror" / "files.example" / item.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return Settings(cache=tmp_path / "cache", mirror=tmp_path / "mirror")


@pytest.fixture
def ids(settings: Settings) -> Callable[..., list[str]]:
    def get(protocol: str, dataset: str, split: Split, max_samples: int | None = None) -> list[str]:
        splits = load(protocol, dataset, max_samples=max_samples, settings=settings, catalog=CATALOG)
        return list(splits[split]["id"])

    return get


def test_columns_are_strings_in_their_order(settings: Settings) -> None:
    test = load("neo", "jnli", instruction="含意関係は？", settings=settings, catalog=CATALOG)["test"]
    assert test.column_names == ["id", "dataset", "instruction", "input", "output"]
    assert test[1] == {
        "id": "jnli-test-1",
        "dataset": "jnli",
        "instruction": "含意関係は？",
        "input": "問1",
        "output": "答1",
    }
    assert {feature.dtype for feature in test.features.values()} == {"string"}


def test_only_the_split_that_is_looked_up_is_made(settings: Settings) -> None:
    splits = load("neo", "jnli", settings=settings, catalog=CATALOG)
    assert not settings.cache.exists()
    assert set(splits) == {"train", "dev", "test"}
    assert "train" in splits
    assert "validation" not in splits
    assert len(splits["test"]) == 100
    assert splits["test"] is splits["test"]
    assert [path.name.rsplit("-", 1)[0] for path in (settings.cache / "converted").iterdir()] == ["jnli-test"]


def test_a_missing_train_file_says_which_and_who_needs_it(settings: Settings) -> None:
    splits = load("neo", "jnli", settings=settings, catalog=CATALOG)
    with pytest.raises(DataError) as error:
        splits["train"]
    for part in (
        url("jnli-train"),
        "mirror/files.example/jnli-train",
        "cache/raw",
        "few-shot",
        "zero-shot runs",
    ):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("protocol", "dataset", "max_samples", "count"),
    [
        ("neo", "jnli", None, 100),
        ("neo", "jnli", -1, SIZE),
        ("neo", "jnli", 3, 3),
        ("neo", "jnli", 1000, SIZE),
        ("llm_jp_eval", "wiki_ner", None, 100),
        ("llm_jp_eval", "wiki_ner", -1, SIZE),
        ("llm_jp_eval", "chabsa", None, 100),
    ],
)
def test_the_first_samples_of_test_are_asked(
    ids: Callable[..., list[str]], protocol: str, dataset: str, max_samples: int | None, count: int
) -> None:
    assert ids(protocol, dataset, "test", max_samples) == [f"{dataset}-test-{i}" for i in range(count)]


@pytest.mark.parametrize(("protocol", "dataset", "count"), [("neo", "wiki_ner", 20), ("neo", "chabsa", 100)])
def test_dev_is_cut_like_test_and_train_never(
    ids: Callable[..., list[str]], protocol: str, dataset: str, count: int
) -> None:
    assert len(ids(protocol, dataset, "dev")) == count
    assert len(ids(protocol, dataset, "train", 3)) >= SIZE - 1


def test_neo_asks_its_pinned_items_in_their_order(ids: Callable[..., list[str]]) -> None:
    for max_samples in (None, -1):
        assert ids("neo", "chabsa", "test", max_samples) == list(PINS["chabsa"])
        assert ids("neo", "wiki_ner", "test", max_samples) == list(PINS["wiki_ner"])
    assert ids("neo", "chabsa", "test", 2) == list(PINS["chabsa"][:2])


def test_neo_never_shows_a_pinned_item_as_a_shot(ids: Callable[..., list[str]]) -> None:
    assert ids("neo", "chabsa", "train") == [f"chabsa-train-{i}" for i in range(SIZE) if i != 7]
    assert ids("neo", "chabsa", "dev", -1) == [f"chabsa-dev-{i}" for i in range(1, SIZE)]
    assert ids("llm_jp_eval", "chabsa", "train") == [f"chabsa-train-{i}" for i in range(SIZE)]


def test_pinned_items_of_wiki_need_its_test_file_only(settings: Settings) -> None:
    for split in ("train", "dev"):
        (Path(str(settings.mirror)) / "files.example" / f"wiki-{split}").unlink()
    assert len(load("neo", "wiki_ner", settings=settings, catalog=CATALOG)["test"]) == 2


def test_a_lost_pinned_item_is_an_error(settings: Settings) -> None:
    with pytest.raises(DataError, match="wiki_pas has no sample 'wiki_pas-gone-1'"):
        load("neo", "wiki_pas", settings=settings, catalog=CATALOG)["test"]


@pytest.mark.parametrize("value", [0, -2, True, "5", 1.5])
def test_a_number_of_samples_that_means_nothing(value: int) -> None:
    with pytest.raises(OptionError, match=f"max_samples={value!r}"):
        load("neo", "jnli", max_samples=value, catalog=CATALOG)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"protocol": "nejumi"}, r"unknown protocol 'nejumi': choose from llm_jp_eval,.*neo"),
        ({"dataset": "jnil"}, r"Unknown dataset of neo 'jnil'. Did you mean 'jnli'\?.*wiki_coreference"),
        ({"dataset": "jmmlu"}, r"Unknown dataset of neo 'jmmlu'"),
        ({"data": "samples"}, r"Unknown data 'samples'. Did you mean 'sample'\? There are: real, sample"),
    ],
)
def test_unknown_names_are_answered_with_the_known(arguments: dict[str, str], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        load(**{"protocol": "neo", "dataset": "jnli", "catalog": CATALOG, **arguments})  # type: ignore[arg-type]


def test_an_unknown_split_is_answered_with_the_known(settings: Settings) -> None:
    with pytest.raises(
        OptionError, match=r"Unknown split of jnli 'validation'\. There are: train, dev, test"
    ):
        load("neo", "jnli", settings=settings, catalog=CATALOG)["validation"]  # type: ignore[index]


def test_the_protocols_datasets() -> None:
    assert len(available("neo")) == 16
    assert set(available("neo")) < set(available("llm_jp_eval"))
    assert len(available("llm_jp_eval")) == 26
    assert set(available("llm_jp_eval")) < {
        made for unit in packaged().units.values() for made, _ in unit.produces
    }


def test_every_dataset_has_all_splits() -> None:
    assert all(packaged().splits(dataset) == SPLITS for dataset in available("llm_jp_eval"))


def test_neo_pins_what_has_no_derivable_order() -> None:
    counts = {dataset: len(ids) for dataset, ids in packaged().variants["real"]["neo"].items()}
    wiki = ("wiki_reading", "wiki_ner", "wiki_dependency", "wiki_pas", "wiki_coreference")
    assert counts == {"chabsa": 100, **dict.fromkeys(wiki, 20)}


def test_a_data_digest_is_of_inputs_and_golds_in_order(settings: Settings) -> None:
    test = load("neo", "jnli", max_samples=2, settings=settings, catalog=CATALOG)["test"]
    # printf '["問0", "答0"]\n["問1", "答1"]\n' | sha256sum
    assert data_digest(test) == "4f023f917ba6"
    assert data_digest(test.select([1, 0])) != data_digest(test)


def test_describe_tells_what_is_ready_and_what_is_missing(settings: Settings) -> None:
    def rows() -> dict[Split, tuple[bool, str]]:
        found = describe("neo", ["jnli"], settings=settings, catalog=CATALOG)
        return {row.split: (row.ready, row.problem) for row in found}

    before = rows()
    assert not settings.cache.exists()
    assert before["test"][0] is False
    assert "raw files are on this machine" in before["test"][1]
    assert url("jnli-train") in before["train"][1]
    assert "Only train and dev of jnli need it" in before["train"][1]
    load("neo", "jnli", settings=settings, catalog=CATALOG)["test"]
    assert rows() == {**before, "test": (True, "")}
    (online,) = describe("neo", ["jnli"], ["dev"], settings=replace(settings, mirror=None), catalog=CATALOG)
    assert "1 of its 1 raw files must be downloaded" in online.problem


def test_prepare_goes_on_after_a_failure(settings: Settings) -> None:
    rows = prepare(
        "neo", ["jnli", "wiki_pas", "chabsa"], ["train", "test"], settings=settings, catalog=CATALOG
    )
    assert [(row.dataset, row.split, row.ready, row.count) for row in rows] == [
        ("jnli", "train", False, None),
        ("jnli", "test", True, 100),
        ("wiki_pas", "train", True, SIZE),
        ("wiki_pas", "test", False, None),
        ("chabsa", "train", True, SIZE - 1),
        ("chabsa", "test", True, 3),
    ]
    assert url("jnli-train") in rows[0].problem
    assert rows[1].licences == ("licence of jnli-test",)
    assert rows[1].digest is not None
    test = load("neo", "jnli", settings=settings, catalog=CATALOG)["test"]
    assert rows[1].digest == data_digest(test)


def test_raw_urls_are_those_of_the_wanted_splits() -> None:
    assert raw_urls("neo", ["jnli", "wiki_ner", "wiki_pas"], catalog=CATALOG) == (
        url("jnli-test"),
        url("wiki-test"),
    )


@pytest.mark.parametrize("dataset", available("llm_jp_eval"))
def test_sample_data_passes_through_the_same_door(dataset: str, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    splits = load("llm_jp_eval", dataset, data="sample", settings=Settings(cache, offline=True))
    assert len(splits["test"]) >= 1
    assert not cache.exists()
