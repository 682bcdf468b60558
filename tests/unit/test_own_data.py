"""Own data: llm-jp-eval's converted files in place of our conversion, checked, labelled where no digest is known."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_eval_ja.datasets import (
    SPLITS,
    Catalog,
    DatasetSplit,
    Expected,
    Files,
    Sample,
    SampleDigest,
    Settings,
    Source,
    Unit,
    data_digest,
    describe,
    load,
    packaged,
    prepare,
)
from lm_eval_ja.datasets._own import OwnData
from lm_eval_ja.datasets.store import Published, Samples, as_table, reference_json
from lm_eval_ja.errors import DataError, OptionError

PAIRS = [("前提：雨が降る\n仮説：晴れ", "contradiction"), ("前提：犬が走る\n仮説：動物が走る", "entailment")]
OTHER = [("前提：雪\n仮説：冬", "neutral")]


def digest_of(pairs: list[tuple[str, str]]) -> str:
    digest = SampleDigest()
    for pair in pairs:
        digest.add(*pair)
    return digest.hexdigest()


def file_of(pairs: list[tuple[str, str]], version: int = 1) -> bytes:
    if version == 1:
        return reference_json("含意関係は？", 3, ["exact_match"], *zip(*pairs, strict=True))
    samples = [{"input": question, "output": gold, "metadata": {}} for question, gold in pairs]
    return json.dumps({"instruction": "", "samples": samples, "label_list": [], "language": "ja"}).encode()


URL = "https://files.example/jnli.tsv"


def convert(files: Files) -> Mapping[DatasetSplit, list[Sample]]:
    files[URL].read_bytes()
    samples = [Sample(f"jnli-test-{i}", *pair) for i, pair in enumerate(PAIRS)]
    return {("jnli", split): samples for split in SPLITS}


CATALOG = Catalog(
    sources={URL: Source(URL, "CC0")},
    units={"jnli": Unit("jnli", (URL,), tuple(("jnli", split) for split in SPLITS), convert)},
    digests={("jnli", "test"): Expected(2, digest_of(PAIRS))},
    variants={"real": {"neo": {}}},
    sample_files=Path(),
    certificates={"jnli": {"1.4.1": sha256(file_of(OTHER)).hexdigest()}},
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "own").mkdir()
    return Settings(cache=tmp_path / "cache", offline=True, own_data=tmp_path / "own")


def put(settings: Settings, layout: str, content: bytes) -> Path:
    path = Path(str(settings.own_data)) / layout
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    "layout",
    [
        "test/jnli.json",
        "evaluation/test/jnli.json",
        "1.3.1/evaluation/test/jnli.json",
        "datasets/2.1.0/evaluation/test/jnli.json",
    ],
)
def test_files_are_found_in_the_layouts_of_llm_jp_eval(settings: Settings, layout: str, version: int) -> None:
    put(settings, layout, file_of(PAIRS, version))
    test = load("neo", "jnli", settings=settings, catalog=CATALOG)["test"]
    assert list(zip(test["input"], test["output"], strict=True)) == PAIRS
    assert test["id"][1] == "jnli-test-1"
    assert data_digest(test) == digest_of(PAIRS)[:12], "the very samples of our conversion need no label"


def test_a_folder_of_one_split_is_understood(settings: Settings) -> None:
    put(settings, "test/jnli.json", file_of(PAIRS))
    settings = replace(settings, own_data=Path(str(settings.own_data)) / "test")
    assert len(load("neo", "jnli", settings=settings, catalog=CATALOG)["test"]) == 2


def test_what_no_digest_is_known_of_is_labelled(settings: Settings) -> None:
    put(settings, "dev/jnli.json", file_of(OTHER * 2))
    dev = load("neo", "jnli", settings=settings, catalog=CATALOG)["dev"]
    assert data_digest(dev) == f"own-{digest_of(OTHER * 2)[:12]}"
    assert data_digest(dev.select([0])).startswith("own-"), "the label survives what the harness does"
    for rows in (prepare, describe):
        (row,) = rows("neo", ["jnli"], ["dev"], settings=settings, catalog=CATALOG)
        assert (row.own_data, row.digest) == (True, f"own-{digest_of(OTHER * 2)[:12]}")


def test_what_llm_jp_published_needs_no_label_where_nothing_else_is_known(settings: Settings) -> None:
    put(settings, "dev/jnli.json", file_of(OTHER))
    dev = load("neo", "jnli", settings=settings, catalog=CATALOG)["dev"]
    assert data_digest(dev) == digest_of(OTHER)[:12]


def test_what_llm_jp_published_for_another_version_is_labelled(settings: Settings) -> None:
    put(settings, "test/jnli.json", file_of(OTHER))
    test = load("neo", "jnli", settings=settings, catalog=CATALOG)["test"]
    assert data_digest(test) == f"own-{digest_of(OTHER)[:12]}"


def test_other_samples_than_the_known_ones_are_an_error(settings: Settings) -> None:
    path = put(settings, "test/jnli.json", file_of([PAIRS[0], (PAIRS[1][0], "neutral")]))
    with pytest.raises(DataError, match="is not jnli/test as it must be") as error:
        load("neo", "jnli", settings=settings, catalog=CATALOG)["test"]
    for part in (path, digest_of(PAIRS), "converted here"):
        assert str(part) in str(error.value)


def test_two_versions_side_by_side_are_an_error(settings: Settings) -> None:
    for version in ("1.3.1", "1.4.1"):
        put(settings, f"{version}/evaluation/test/jnli.json", file_of(PAIRS))
    with pytest.raises(DataError, match="2 times"):
        load("neo", "jnli", settings=settings, catalog=CATALOG)["test"]


def test_what_is_not_there_is_converted(settings: Settings, tmp_path: Path) -> None:
    put(settings, "dev/jnli.json", file_of(OTHER))
    raw = tmp_path / "cache" / "raw" / "files.example" / "jnli.tsv"
    raw.parent.mkdir(parents=True)
    raw.touch()
    splits = load("neo", "jnli", settings=settings, catalog=CATALOG)
    assert data_digest(splits["test"]) == digest_of(PAIRS)[:12]


@pytest.mark.parametrize("dataset", ["chabsa", "wiki_ner"])
def test_datasets_whose_samples_are_chosen_by_id_are_left_to_our_conversion(
    settings: Settings, dataset: str
) -> None:
    put(settings, f"test/{dataset}.json", file_of(OTHER))
    shelf = OwnData(Path(str(settings.own_data)), Samples(packaged()), packaged())
    assert shelf.table(dataset, "test")["id"][0].as_py().startswith(f"{dataset}-")
    assert shelf.table(dataset, "test").num_rows > 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"samples": []}',
        b'{"samples": [1]}',
        b'{"samples": [{"input": "x"}]}',
        b'{"samples": [{"input": "x", "output": 1}]}',
        b'{"samples": {"input": "x"}}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_a_file_of_another_kind_is_named(settings: Settings, content: bytes) -> None:
    path = put(settings, "test/jnli.json", content)
    with pytest.raises(DataError) as error:
        load("neo", "jnli", settings=settings, catalog=CATALOG)["test"]
    assert str(path) in str(error.value)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["samples", "input", "output"]), inner)
        ),
        max_leaves=8,
    )
)
def test_any_json_is_samples_or_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, value: object
) -> None:
    folder = tmp_path_factory.mktemp("own")
    (folder / "dev").mkdir()
    (folder / "dev" / "jnli.json").write_text(json.dumps(value), encoding="utf-8")
    with suppress(DataError):
        assert OwnData(folder, Samples(CATALOG), CATALOG).table("jnli", "dev").num_rows > 0


def test_the_folder_comes_from_the_environment(tmp_path: Path) -> None:
    variable = "LM_EVAL_JA_LLM_JP_EVAL_DATA"
    assert Settings.from_env({variable: str(tmp_path)}).own_data == tmp_path
    assert Settings.from_env({variable: ""}).own_data is None
    with pytest.raises(OptionError, match=f"{variable}=.*no such folder"):
        Settings.from_env({variable: str(tmp_path / "none")})


@pytest.mark.parametrize("dataset", ["mmlu_en", "mbpp", "xlsum_ja"])
def test_what_is_not_made_here_says_how_to_have_it(settings: Settings, dataset: str) -> None:
    from lm_eval_ja.datasets._own import open_shelf

    with pytest.raises(DataError, match="LM_EVAL_JA_LLM_JP_EVAL_DATA"):
        open_shelf(settings, packaged()).table(dataset, "dev")
    put(settings, f"dev/{dataset}.json", file_of(OTHER))
    assert open_shelf(settings, packaged()).table(dataset, "dev").num_rows == 1


# ------------------------------------------------------------------------------------ llm-jp-eval's own file


def test_the_reference_file_is_written_as_it_is_specified() -> None:
    assert file_of([("問\n", "答")]).decode() == (
        "{\n"
        '    "instruction": "含意関係は？",\n'
        '    "output_length": 3,\n'
        '    "metrics": [\n'
        '        "exact_match"\n'
        "    ],\n"
        '    "few_shots": [],\n'
        '    "samples": [\n'
        "        {\n"
        '            "input": "問\\n",\n'
        '            "output": "答"\n'
        "        }\n"
        "    ]\n"
        "}"
    )


def test_a_published_digest_chooses_among_readings() -> None:
    published = Published(sha256(file_of(PAIRS)).hexdigest(), "含意関係は？", 3, ("exact_match",))
    assert published.choose([OTHER, PAIRS]) == PAIRS
    assert published.choose([OTHER, OTHER * 2]) == OTHER, "the first, for the check to refuse"


def test_samples_that_do_not_make_the_published_file_are_refused(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "cache", tmp_path)
    (tmp_path / "files.example").mkdir()
    (tmp_path / "files.example" / "jnli.tsv").touch()

    def published(pairs: list[tuple[str, str]]) -> Catalog:
        digest = sha256(file_of(pairs)).hexdigest()
        return replace(
            CATALOG, published={("jnli", "dev"): Published(digest, "含意関係は？", 3, ("exact_match",))}
        )

    with pytest.raises(DataError, match="jnli/dev came out wrong: expected llm-jp-eval's file"):
        load("llm_jp_eval", "jnli", settings=settings, catalog=published(OTHER))["dev"]
    assert len(load("llm_jp_eval", "jnli", settings=settings, catalog=published(PAIRS))["dev"]) == 2


KUCI_LINE = {
    "id": 0,
    "context": "雨 が 降る ので 、",
    "label": "c",
    **{f"choice_{x}": f"{x} を する" for x in "abcd"},
}


@pytest.mark.parametrize("spaces", [False, True])
def test_kuci_takes_the_reading_that_llm_jp_published(
    spaces: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lm_eval_ja.datasets.sources import kuci

    text: Callable[[str], str] = str if spaces else lambda words: words.replace(" ", "")
    choices = ",".join(f"{i}.{text(f'{x} を する')}" for i, x in enumerate("abcd"))
    pair = (f"文脈：{text('雨 が 降る ので 、')}\n選択肢：{choices}", "2")
    content = reference_json(kuci.DEV.instruction, 1, ["exact_match"], [pair[0]], [pair[1]])
    monkeypatch.setattr(kuci, "DEV", replace(kuci.DEV, sha256=sha256(content).hexdigest()))
    (tmp_path / "dev.jsonl").write_text(json.dumps(KUCI_LINE), encoding="utf-8")
    (sample,) = kuci._dev({kuci.FILES["dev"].url: tmp_path / "dev.jsonl"})["kuci", "dev"]
    assert (sample.input, sample.output) == pair


def test_a_list_that_is_no_longer_cut_stands_for_our_splits(settings):
    """llm-jp-eval 2.1's test file of jsem is 1.3's train, dev and test in a row; no protocol may fall over it."""
    catalog = replace(CATALOG, variants={"real": {"one list": {"jnli": ("jnli-test-0",)}}})
    shelf = TheSame()
    put(settings, "test/jnli.json", file_of(PAIRS * 3, version=2))
    table = OwnData(Path(str(settings.own_data)), shelf, catalog).table("jnli", "test")
    assert table["input"].to_pylist() == [question for question, _ in PAIRS]
    put(settings, "test/jnli.json", file_of(PAIRS * 2 + OTHER, version=2))
    with pytest.raises(DataError, match="is not jnli/test as it must be"):
        OwnData(Path(str(settings.own_data)), shelf, catalog).table("jnli", "test")


class TheSame:
    """A shelf whose splits are all the same."""

    def table(self, dataset: str, split: str):
        return as_table([f"{dataset}-{split}-{i}" for i in range(len(PAIRS))], *zip(*PAIRS, strict=True))
