"""Damaged raw files, one format after the other: an error that names file, place and fix, never wrong questions."""

import json
import shutil
from pathlib import Path

import pytest

from lm_eval_ja.datasets import packaged
from lm_eval_ja.datasets.store import _read
from lm_eval_ja.errors import DataError

UNITS = packaged().units
SAMPLE = packaged().sample_files


@pytest.fixture
def spoil(tmp_path: Path):
    """Convert a unit's sample files with one of them changed; returns the error and the changed file."""

    def run(unit_name: str, name: str, change) -> tuple[str, Path]:
        unit = UNITS[unit_name]
        files, spoiled = {}, None
        for number, url in enumerate(unit.urls):
            source = SAMPLE / url.removeprefix("https://")
            files[url] = tmp_path / f"{number}-{source.name}"
            (shutil.copytree if source.is_dir() else shutil.copyfile)(source, files[url])
            for path in [files[url], *sorted(files[url].rglob("*"))] if files[url].is_dir() else [files[url]]:
                if path.is_file() and path.name.endswith(name) and spoiled is None:
                    spoiled = path
                    path.write_bytes(change(path.read_bytes()))
        assert spoiled is not None, name
        with pytest.raises(DataError) as caught:
            unit.convert(files)
        message = str(caught.value)
        assert message.endswith("delete it and fetch it again, or check the mirror's copy.")
        return message, spoiled

    return run


FORMATS = [
    ("jamp-train", "train_all.tsv"),
    ("jamp-test", "test_2.tsv"),
    ("janli", "janli.tsv"),
    ("jsick-test", "test.tsv"),
    ("jnli-test", "valid-v1.1.json"),
    ("jsts-test", "valid-v1.1.json"),
    ("jcommonsenseqa-test", "valid-v1.1.json"),
    ("jsquad-test", "valid-v1.1.json"),
    ("jemhopqa-test", "dev.json"),
    ("mawps-test", "test.json"),
    ("mawps-train", "zero_shot_example.json"),
    ("jsem", "Modality.xml"),
    ("niilc-test", "NIILC-ECQA2015_test.xml"),
    ("chabsa", "e90001_ann.json"),
    ("wiki-test", "wiki90000101.knp"),
    ("wiki-test", "test.id"),
    ("mmluen-test", "astronomy_test.csv"),
    ("jmmlu", "marketing.csv"),
    ("alt-test", "data_ja.txt"),
    ("alt-test", "URL-test.txt"),
    ("jcola-in-domain-test", "in_domain_valid-v1.0.json"),
    ("jblimp", "validated_minimal_pairs.jsonl"),
]
every_format = pytest.mark.parametrize(("unit", "name"), FORMATS)


@every_format
def test_another_encoding(spoil, unit: str, name: str) -> None:
    message, path = spoil(unit, name, lambda data: "日本語".encode("euc_jp") + data)
    assert path.name in message
    assert "not UTF-8 at byte 0" in message


@every_format
def test_an_empty_file(spoil, unit: str, name: str) -> None:
    message, path = spoil(unit, name, lambda data: b"")
    assert path.name in message
    assert "is empty" in message


@pytest.mark.parametrize(
    ("unit", "name"), [case for case in FORMATS if case[1] not in {"test.id", "data_ja.txt", "URL-test.txt"}]
)
def test_a_file_cut_off_within_its_last_record(spoil, unit: str, name: str) -> None:
    def cut(data: bytes) -> bytes:
        text = data.decode().rstrip("\n")
        last_line = len(text) - text.rfind("\n") - 1
        return text[: -max(2, last_line * 2 // 3)].encode()

    message, path = spoil(unit, name, cut)
    assert path.name in message


@pytest.mark.parametrize(
    ("unit", "name", "column"),
    [
        ("jamp-test", "test_2.tsv", "gold_label"),
        ("janli", "janli.tsv", "split"),
        ("jsick-test", "test.tsv", "entailment_label_Ja"),
    ],
)
def test_a_tsv_without_a_column(spoil, unit: str, name: str, column: str) -> None:
    def drop(data: bytes) -> bytes:
        rows = [line.split("\t") for line in data.decode().rstrip("\n").split("\n")]
        index = rows[0].index(column)
        return "".join("\t".join(row[:index] + row[index + 1 :]) + "\n" for row in rows).encode()

    message, path = spoil(unit, name, drop)
    assert f"{path}: line 1: columns" in message
    assert column in message


def test_a_tsv_row_with_a_cell_too_many(spoil) -> None:
    message, path = spoil("jamp-test", "test_2.tsv", lambda data: data.replace(b"\n3\t", b"\n3\t\t", 1))
    assert f"{path}: line 4: 9 columns instead of 8" in message


def test_a_janli_row_of_no_split(spoil) -> None:
    message, _ = spoil("janli", "janli.tsv", lambda data: data.replace(b"\ttrain\n", b"\ttra\n", 1))
    assert "'tra', neither train nor test" in message


@pytest.mark.parametrize(
    ("unit", "name", "key"),
    [
        ("jnli-test", "valid-v1.1.json", "sentence2"),
        ("jsts-test", "valid-v1.1.json", "label"),
        ("jcommonsenseqa-test", "valid-v1.1.json", "choice3"),
        ("jcola-in-domain-test", "in_domain_valid-v1.0.json", "sentence"),
        ("jblimp", "validated_minimal_pairs.jsonl", "bad_sentence"),
    ],
)
def test_a_json_line_without_a_key(spoil, unit: str, name: str, key: str) -> None:
    def rename(data: bytes) -> bytes:
        lines = data.decode().split("\n")
        lines[2] = lines[2].replace(f'"{key}"', '"other"')
        return "\n".join(lines).encode()

    message, path = spoil(unit, name, rename)
    assert f"{path}: line 3: no '{key}'" in message


@pytest.mark.parametrize(
    ("unit", "name", "key"),
    [
        ("jsquad-test", "valid-v1.1.json", "context"),
        ("jsquad-test", "valid-v1.1.json", "answers"),
        ("jemhopqa-test", "dev.json", "answer"),
        ("mawps-test", "test.json", "question"),
        ("chabsa", "e90001_ann.json", "polarity"),
    ],
)
def test_a_json_object_without_a_key(spoil, unit: str, name: str, key: str) -> None:
    message, path = spoil(unit, name, lambda data: data.replace(f'"{key}":'.encode(), b'"other":', 1))
    assert path.name in message
    assert f"no '{key}'" in message
    assert "item 0" in message


@pytest.mark.parametrize("value", ["null", "3", "[]", "true"])
def test_a_text_that_is_none(spoil, value: str) -> None:
    def change(data: bytes) -> bytes:
        record = json.loads(data.decode().split("\n")[0])
        return json.dumps(record | {"label": json.loads(value)}).encode()

    message, _ = spoil("jnli-test", "valid-v1.1.json", change)
    assert "line 1: 'label' is no text" in message


@pytest.mark.parametrize("value", ["null", '"2"', "true"])
def test_a_number_that_is_none(spoil, value: str) -> None:
    def change(data: bytes) -> bytes:
        record = json.loads(data.decode().split("\n")[0])
        return json.dumps(record | {"label": json.loads(value)}).encode()

    message, _ = spoil("jcommonsenseqa-test", "valid-v1.1.json", change)
    assert "line 1: 'label' is no number" in message


@pytest.mark.parametrize("text", ["3", "[1]", '{"a": 1}', "[" * 100_000])
def test_json_of_another_shape(spoil, text: str) -> None:
    message, path = spoil("jemhopqa-test", "dev.json", lambda data: text.encode())
    assert str(path) in message


def test_a_jsquad_question_without_answers(spoil) -> None:
    raw = {"data": [{"paragraphs": [{"context": "文", "qas": [{"question": "問", "answers": []}]}]}]}
    message, _ = spoil("jsquad-test", "valid-v1.1.json", lambda data: json.dumps(raw).encode())
    assert "'qas' item 0: no answer" in message


@pytest.mark.parametrize(
    ("unit", "name"), [("mawps-test", "test.json"), ("mawps-train", "/shot_example.json")]
)
def test_a_mawps_problem_without_its_solution_mark(spoil, unit: str, name: str) -> None:
    message, _ = spoil(unit, name.lstrip("/"), lambda data: data.replace("\\n解答：".encode(), b"", 1))
    assert "item 0: no 解答：" in message


def test_a_mawps_example_without_its_answer(spoil) -> None:
    message, _ = spoil(
        "mawps-train", "zero_shot_example.json", lambda data: data.replace("答えは17です".encode(), b"", 1)
    )
    assert "item 0: no 答えは…です。" in message


BILLION_LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><x>&c;</x>'
)


@pytest.mark.parametrize(
    ("unit", "name"),
    [
        ("jsem", "Modality.xml"),
        ("niilc-test", "NIILC-ECQA2015_test.xml"),
        ("wikicorpus-test", ".xml"),
    ],
)
def test_xml_that_declares_entities_is_refused(tmp_path: Path, spoil, unit: str, name: str) -> None:
    if unit == "wikicorpus-test":
        files = UNITS[unit].urls
        folder = tmp_path / "corpus"
        shutil.copytree(SAMPLE / files[0].removeprefix("https://"), folder)
        for path in folder.rglob("*.xml"):
            path.write_text(BILLION_LAUGHS)
        with pytest.raises(DataError, match="declares XML entities"):
            UNITS[unit].convert({files[0]: folder})
    else:
        message, path = spoil(unit, name, lambda data: BILLION_LAUGHS.encode())
        assert f"{path}: declares XML entities" in message


def test_xml_loads_no_external_file(spoil, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("秘密")
    raw = f'<!DOCTYPE x SYSTEM "{(tmp_path / "secret").as_uri()}"><questions>&secret;</questions>'
    message, _ = spoil("niilc-test", "NIILC-ECQA2015_test.xml", lambda data: raw.encode())
    assert "秘密" not in message
    assert "undefined entity" in message


def test_xml_that_claims_another_encoding_is_read_as_utf8(tmp_path: Path) -> None:
    (unit,) = (unit for unit in UNITS.values() if unit.name == "niilc-test")
    raw = '<?xml version="1.0" encoding="EUC-JP"?><questions><question><text>問</text></question></questions>'
    (tmp_path / "x").write_text(raw, encoding="utf-8")
    samples = unit.convert({unit.urls[0]: tmp_path / "x"})["niilc", "test"]
    assert [sample.input for sample in samples] == ["質問：問"]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('answer="', 'reply="', "has no answer"),
        ("<p idx=", "<q idx=", "not valid XML"),
        ("<h>", "<g>", "not valid XML"),
        ("script>", "text>", "a <p> has no <script>"),
    ],
)
def test_a_jsem_problem_lacks_a_part(spoil, old: str, new: str, what: str) -> None:
    message, path = spoil("jsem", "Modality.xml", lambda data: data.replace(old.encode(), new.encode()))
    assert str(path) in message
    assert what in message


def test_a_jsem_problem_without_hypothesis_is_named(spoil) -> None:
    def change(data: bytes) -> bytes:
        return data.replace(b"<h>", b"<g>").replace(b"</h>", b"</g>")

    message, _ = spoil("jsem", "Modality.xml", change)
    assert "problem 'sample200' lacks a <p> or <h>" in message


def test_a_niilc_question_without_text(spoil) -> None:
    message, _ = spoil("niilc-test", "NIILC-ECQA2015_test.xml", lambda data: data.replace(b"text>", b"txt>"))
    assert "question 'SAMPLE-00001-01' has no <text>" in message


def test_an_archive_without_the_expected_members(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for unit_name, member in {
        "chabsa": "e*_ann.json",
        "wiki-test": "id/test.id",
        "mmluen-test": "data/test/*_test.csv",
        "wikicorpus-test": ".xml members",
    }.items():
        unit = UNITS[unit_name]
        with pytest.raises(DataError) as caught:
            unit.convert({unit.urls[0]: tmp_path / "empty"})
        assert member in str(caught.value)
        assert str(tmp_path / "empty") in str(caught.value)


def test_a_document_that_is_listed_but_not_there(spoil) -> None:
    message, _ = spoil("wiki-test", "test.id", lambda data: data + b"wiki90009999\n")
    assert "no member 'WikipediaAnnotatedCorpus-1.1.2/knp/wiki9000/wiki90009999.knp'" in message


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"* ", b"** ", 1),
        lambda data: data.replace(b"\n+ ", b"\n", 1),
        lambda data: data.replace("名詞 6".encode(), b"6", 1),
        lambda data: data[: data.rfind(b"EOS")],
        lambda data: b"EOS\n",
        lambda data: data.replace(b"\n+ 1D", b"\n+ 999D", 1),
    ],
)
def test_a_document_that_is_no_knp(spoil, change) -> None:
    message, path = spoil("wiki-test", "wiki90000101.knp", change)
    assert path.name in message


@pytest.mark.parametrize(
    ("unit", "name"), [("mmluen-test", "astronomy_test.csv"), ("jmmlu", "marketing.csv")]
)
def test_a_csv_row_with_a_cell_too_few(spoil, unit: str, name: str) -> None:
    message, path = spoil(unit, name, lambda data: data + b"q,a,b,c,D\n")
    assert path.name in message
    assert "5 columns instead of 6" in message


def test_an_alt_line_of_another_kind(spoil) -> None:
    message, path = spoil("alt-test", "data_en.txt", lambda data: data.replace(b"SNT.", b"SN.", 1))
    assert path.name in message
    assert "line 1: 'SN.900001.1'" in message


def test_a_raw_file_of_absurd_size_is_not_read(spoil, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_read, "MAX_FILE_BYTES", 100)
    message, path = spoil("jnli-test", "valid-v1.1.json", lambda data: data)
    assert f"{path}: {path.stat().st_size} bytes are more than" in message


def test_a_missing_raw_file_is_named(tmp_path: Path) -> None:
    unit = UNITS["jnli-test"]
    with pytest.raises(DataError, match=r"none\.json: cannot be read \(No such file or directory\)"):
        unit.convert({unit.urls[0]: tmp_path / "none.json"})
