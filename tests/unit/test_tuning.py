"""Tuning data from the sample data: the examples' form, what is left out, and the folder they come in."""

import json
import re
import unicodedata
from pathlib import Path

import pytest
from datasets import load_from_disk

from lm_eval_ja.cli import main
from lm_eval_ja.datasets import Settings, load, load_m_ifeval, packaged
from lm_eval_ja.errors import DataError, OptionError
from lm_eval_ja.protocols import DatasetRules, load_protocol, protocol_names
from lm_eval_ja.tuning import EXPORT_SPLITS, export_tuning
from lm_eval_ja.tuning._examples import make_example
from lm_eval_ja.tuning._held_out import load_held_out
from lm_eval_ja.tuning._overlap import Place, normalise
from lm_eval_ja.tuning._write import new_folder

HEAD = (
    "以下は、タスクを説明する指示と、文脈のある入力の組み合わせです。"
    "要求を適切に満たす応答を書きなさい。\n\n### 指示:\n"
)


def entries(protocol: str) -> dict[str, DatasetRules]:
    """A protocol's rules by dataset."""
    return {rules.dataset: rules for rules in load_protocol(protocol).tasks.values()}


OWN_DATA = {"mmlu_en"}
"""What only its owner has: no sample data."""

WITH_DATASETS = [name for name in protocol_names() if load_protocol(name).tasks]


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def sample_split(dataset: str, split: str, protocol: str = "llm_jp_eval"):
    return load(entries(protocol)[dataset].protocol, dataset, max_samples=-1, data="sample")[split]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("export") / "jaster"
    return folder, export_tuning(folder, splits=EXPORT_SPLITS, data="sample")


# ------------------------------------------------------------------------------------------------ the examples


def test_examples_have_the_form_of_the_reference():
    example = make_example("alpaca", "niilc-7", "答えよ。", "質問：{x}", "東京")
    assert list(example) == ["ID", "instruction", "input", "output", "text"]
    assert example["text"] == f"{HEAD}答えよ。\n\n### 入力:\n質問：{{x}}\n\n### 応答:\n東京"
    # The reference writes no input section where there is no input.
    assert make_example("alpaca", "n", "訳せ。", "", "")["text"] == f"{HEAD}訳せ。\n\n### 応答:\n"


def test_chat_examples_ask_as_prompt_style_chat_does():
    example = make_example("chat", "niilc-7", "答えよ。", "質問：x", "東京")
    assert list(example) == ["ID", "instruction", "input", "output", "messages"]
    assert example["messages"] == [
        {"role": "user", "content": "答えよ。\n\n質問：x"},
        {"role": "assistant", "content": "東京"},
    ]


def test_every_sample_is_there_in_order_but_those_left_out(exported):
    folder, manifest = exported
    for file in manifest.files:
        split = "train" if file.split == "train" else "dev"
        samples = sample_split(file.dataset, split)
        left_out = {
            overlap["ID"]
            for overlap in lines(folder / "overlaps.jsonl")
            if (overlap["dataset"], overlap["split"]) == (file.dataset, file.split)
        }
        expected = [
            (f"{file.dataset}-{index}", sample["input"], sample["output"])
            for index, sample in enumerate(samples)
            if f"{file.dataset}-{index}" not in left_out
        ]
        found = lines(folder / file.path)
        assert [(example["ID"], example["input"], example["output"]) for example in found] == expected
        assert {example["instruction"] for example in found} == {
            entries("llm_jp_eval")[file.dataset].instruction
        }
        assert (file.available, file.left_out, file.exported) == (len(samples), len(left_out), len(expected))


def test_instructions_are_the_protocols(tmp_path):
    for protocol in ("neo", "llm_jp_eval"):
        export_tuning(tmp_path / protocol, protocol=protocol, datasets=["niilc"], data="sample")
        (first, *_) = lines(tmp_path / protocol / "train" / "niilc.jsonl")
        assert first["instruction"] == entries(protocol)["niilc"].instruction
    assert entries("neo")["niilc"].instruction != entries("llm_jp_eval")["niilc"].instruction


# ------------------------------------------------------------------------------------------------ what is held out


def naive(text: str) -> str:
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text).casefold())


def test_no_example_is_a_question_of_any_protocol(exported):
    folder, manifest = exported
    asked = {
        naive(question)
        for protocol in WITH_DATASETS
        for dataset in entries(protocol)
        if dataset not in OWN_DATA
        for question in sample_split(dataset, "test", protocol)["input"][:]
    }
    found = [example for file in manifest.files for example in lines(folder / file.path)]
    assert len(found) == manifest.read_back > 400
    assert not [example["ID"] for example in found if naive(example["input"]) in asked]
    assert manifest.found == 0


def test_neos_pinned_items_are_left_out_of_train_and_dev(exported):
    folder, manifest = exported
    pinned = set(load("neo", "chabsa", data="sample")["test"]["id"][:])
    overlaps = [overlap for overlap in lines(folder / "overlaps.jsonl") if overlap["dataset"] == "chabsa"]
    assert {overlap["split"] for overlap in overlaps} == set(EXPORT_SPLITS)
    assert {overlap["id"] for overlap in overlaps} <= pinned
    for overlap in overlaps:
        assert overlap["left_out"] is True
        assert overlap["kinds"] == ["pair"]
        assert {"protocol": "neo", "dataset": "chabsa", "split": "test", "id": overlap["id"]} in overlap[
            "held_out"
        ]
    by_name = {(file.dataset, file.split): file for file in manifest.files}
    assert by_name["chabsa", "train"].overlapping["pair"] == by_name["chabsa", "train"].left_out > 0


def test_what_is_held_out_is_listed(tmp_path):
    train = export_tuning(tmp_path / "train", datasets=["niilc"], data="sample")
    both = export_tuning(tmp_path / "both", datasets=["niilc"], splits=["train", "dev"], data="sample")
    held = {(split.protocol, split.dataset, split.split) for split in train.held_out}
    tests = {(protocol, name, "test") for protocol in WITH_DATASETS for name in entries(protocol)}
    dev = {
        (protocol, name, "dev")
        for protocol in WITH_DATASETS
        for name, rules in entries(protocol).items()
        if rules.split == "dev"
    }
    tests, dev = ({split for split in splits if split[1] not in OWN_DATA} for splits in (tests, dev))
    benches = {("mtbench-neo", "mtbench", "test"), ("mtbench-2024", "mtbench", "test")}
    benches.add(("m_ifeval_ja", "m_ifeval_ja", "test"))
    # llm-jp-eval 1 evaluates dev, so dev is held out unless it is what is exported.
    assert held == tests | benches | dev
    assert {(split.protocol, split.dataset, split.split) for split in both.held_out} == tests | benches


def test_prompts_of_m_ifeval_are_held_out_and_every_split_once():
    shelf = load_held_out(hold_dev=True, data="sample", settings=Settings.from_env(), catalog=packaged())
    prompt = load_m_ifeval(data="sample")[0]
    match = shelf.exact.find(normalise(prompt["input"]), normalise("何でも"), translation=False)
    assert match is not None
    assert match.kinds == ("input",)
    assert match.places == (Place("m_ifeval_ja", "m_ifeval_ja", "test", prompt["id"]),)
    assert "m_ifeval_ja" in shelf.grams.datasets
    names = [(split.protocol, split.dataset, split.split) for split in shelf.splits]
    assert len(names) == len(set(names)), "a dataset asked at 0 and 2 shots is one dataset"


def test_overlaps_are_kept_on_request_and_told(tmp_path, capsys):
    folder = tmp_path / "kept"
    manifest = export_tuning(folder, datasets=["chabsa"], keep_overlaps=True, data="sample")
    (file,) = manifest.files
    assert file.exported == file.available == len(sample_split("chabsa", "train"))
    assert manifest.found == sum(file.overlapping.values()) > 0
    assert file.left_out == 0
    assert all(overlap["left_out"] is False for overlap in lines(folder / "overlaps.jsonl"))


# ------------------------------------------------------------------------------------------------ the folder


def test_a_datasets_folder_holds_the_same_examples(exported, tmp_path):
    folder, manifest = exported
    for form in ("alpaca", "chat"):
        export_tuning(tmp_path / form, splits=EXPORT_SPLITS, form=form, container="dataset", data="sample")
    found = load_from_disk(str(tmp_path / "alpaca"))
    for split in EXPORT_SPLITS:
        files = [file for file in manifest.files if file.split == split]
        expected = [
            {"ID": example["ID"], "dataset": file.dataset, **example}
            for file in files
            for example in lines(folder / file.path)
        ]
        assert list(found[split]) == expected
        assert found[split].column_names == ["ID", "dataset", "instruction", "input", "output", "text"]
    chat = load_from_disk(str(tmp_path / "chat"))["train"]
    assert chat[0]["messages"][1] == {"role": "assistant", "content": found["train"][0]["output"]}


@pytest.mark.parametrize("container", ["jsonl", "dataset"])
def test_equal_exports_are_equal(tmp_path, container):
    for name in ("a", "b"):
        export_tuning(tmp_path / name, splits=["train", "dev"], container=container, data="sample")
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_the_manifest_says_what_is_in_the_files(exported):
    folder, manifest = exported
    written = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert written["totals"]["exported"] == written["proof"]["examples_read_back"] == manifest.read_back
    assert written["proof"]["found_among_held_out"] == 0
    assert str(folder.parent) not in json.dumps(written)
    by_path = {file["path"]: file for file in written["files"]}
    assert set(by_path) == {str(path.relative_to(folder)) for path in folder.rglob("*/*.jsonl")}
    assert by_path["train/jblimp.jsonl"]["licences"] == ["none stated"]
    assert all(url.startswith("https://") for file in written["files"] for url in file["sources"])


def test_nothing_is_overwritten_without_force(tmp_path, capsys):
    folder = tmp_path / "jaster"
    export_tuning(folder, datasets=["niilc"], data="sample")
    before = tree(folder)
    with pytest.raises(OptionError, match=r"jaster is not empty.*--force"):
        export_tuning(folder, datasets=["mawps"], data="sample")
    assert tree(folder) == before
    export_tuning(folder, datasets=["mawps"], data="sample", force=True)
    assert sorted(tree(folder)) == ["manifest.json", "overlaps.jsonl", "train/mawps.jsonl"]
    assert [path.name for path in tmp_path.iterdir()] == ["jaster"]


def test_force_replaces_nothing_but_an_export(tmp_path):
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "manifest.json").write_text('{"format": "npm"}', encoding="utf-8")
    with pytest.raises(OptionError, match="does not hold an export"):
        export_tuning(folder, datasets=["niilc"], data="sample", force=True)
    assert sorted(tree(folder)) == ["manifest.json"]
    file = tmp_path / "file"
    file.write_text("x", encoding="utf-8")
    with pytest.raises(OptionError, match="is a file"):
        export_tuning(file, datasets=["niilc"], data="sample", force=True)


def test_an_interrupted_export_leaves_the_old_one_and_no_scraps(tmp_path):
    folder = tmp_path / "jaster"
    export_tuning(folder, datasets=["niilc"], data="sample")
    before = tree(folder)

    def interrupted() -> None:
        with new_folder(folder, force=True) as draft:
            (draft / "half").write_text("x", encoding="utf-8")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert tree(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["jaster"]


def test_an_empty_folder_is_as_good_as_none(tmp_path):
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    export_tuning(folder, datasets=["niilc"], data="sample")
    assert (folder / "train" / "niilc.jsonl").is_file()


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(OptionError, match="file/jaster can't be written"):
        export_tuning(tmp_path / "file" / "jaster", datasets=["niilc"], data="sample")


# ------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"protocol": "jaster"}, r"unknown protocol 'jaster': choose from llm_jp_eval,.*neo"),
        ({"datasets": ["niilc", "nilc"]}, "unknown dataset 'nilc': choose from"),
        ({"datasets": ["mmluen"], "protocol": "neo"}, "unknown dataset 'mmluen'"),
        ({"splits": ["test"]}, "unknown split 'test': choose from train, dev, dev_first100"),
        ({"splits": []}, r"unknown split \(none given\)"),
        ({"form": "text"}, "unknown form 'text': choose from alpaca, chat"),
        ({"container": "csv"}, "unknown container 'csv': choose from jsonl, dataset"),
    ],
)
def test_unknown_names_are_told(tmp_path, options, message):
    with pytest.raises(OptionError, match=message):
        export_tuning(tmp_path / "x", data="sample", **options)
    assert not list(tmp_path.iterdir())


def test_data_that_cannot_be_had_is_named(tmp_path):
    settings = Settings(tmp_path / "cache", mirror=tmp_path)
    with pytest.raises(DataError, match=r"lacks https://.*niilc"):
        export_tuning(tmp_path / "x", datasets=["niilc"], settings=settings)
    assert not (tmp_path / "x").exists()


def test_the_command_names_what_is_wrong(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("LM_EVAL_JA_MIRROR", str(tmp_path))
    monkeypatch.setenv("LM_EVAL_JA_CACHE", str(tmp_path / "cache"))
    assert main(["export-tuning", "-o", str(tmp_path / "x"), "--splits", "train,test"]) == 2
    assert "unknown split 'test'" in capsys.readouterr().err
    assert main(["export-tuning", "-o", str(tmp_path / "x"), "--datasets", "niilc"]) == 2
    assert "niilc" in capsys.readouterr().err
