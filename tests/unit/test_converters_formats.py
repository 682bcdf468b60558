"""Golden cases per raw format: a small raw text, and the questions PROTOCOL section 1 makes of it."""

import json
import random
from pathlib import Path

import pytest

from lm_eval_ja.datasets import DatasetSplit, packaged

UNITS = packaged().units

Pairs = list[tuple[str, str]]


@pytest.fixture
def convert(tmp_path: Path):
    """Convert raw texts, given by the end of their URL (an archive's members by ``URL end!member``)."""

    def run(unit_name: str, raw: dict[str, str]) -> dict[DatasetSplit, Pairs]:
        unit = UNITS[unit_name]
        files = {}
        for number, url in enumerate(unit.urls):
            files[url] = tmp_path / str(number)
            found = {key: text for key, text in raw.items() if url.endswith(key.partition("!")[0])}
            assert found, f"no raw text for {url}"
            for key, text in found.items():
                member = key.partition("!")[2]
                path = files[url] / member if member else files[url]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text.encode())
        return {key: [(s.input, s.output) for s in samples] for key, samples in unit.convert(files).items()}

    return run


def seeded(items: list) -> list:
    """The rules' "shuffled", by the global functions the rules name."""
    state = random.getstate()
    copy = list(items)
    random.seed(42)
    random.shuffle(copy)
    random.setstate(state)
    return copy


def lines(records: list[dict]) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def test_jamp_takes_columns_1_2_3_of_a_plain_split_on_tabs(convert) -> None:
    header = "num\tpremise\thypothesis\tgold_label\ttemplate_num\n"
    raw = header + '1\t"引用"符\t 空白 \tentailment\t0\n2\t二\t\tneutral\t1\n'
    assert convert("jamp-test", {"test_2.tsv": raw}) == {
        ("jamp", "test"): [
            ('前提："引用"符\n仮説： 空白 ', "entailment"),
            ("前提：二\n仮説：", "neutral"),
        ]
    }


def test_a_train_file_is_shuffled_with_seed_42_and_cut_at_nine_tenths(convert) -> None:
    header = "num\tpremise\thypothesis\tgold_label\n"
    raw = header + "".join(f"{i}\tp{i}\th{i}\tneutral\n" for i in range(19))
    mixed = seeded([(f"前提：p{i}\n仮説：h{i}", "neutral") for i in range(19)])
    assert (
        convert("jamp-train", {"train_all.tsv": raw})
        == {
            ("jamp", "train"): mixed[:17],  # int(0.9 * 19)
            ("jamp", "dev"): mixed[17:],
        }
    )


def test_janli_is_split_by_its_last_column(convert) -> None:
    raw = "\tsentence_A_Ja\tsentence_B_Ja\tentailment_label_Ja\theuristics\tsplit\n"
    raw += "0\ta\tb\tentailment\tx\ttest\n1\tc\td\tnon-entailment\tx\ttrain\n2\te\tf\tentailment\tx\ttest\n"
    assert convert("janli", {"janli.tsv": raw}) == {
        ("janli", "train"): [],
        ("janli", "dev"): [("前提：c\n仮説：d", "non-entailment")],
        ("janli", "test"): [("前提：a\n仮説：b", "entailment"), ("前提：e\n仮説：f", "entailment")],
    }


def test_jsick_takes_columns_8_9_10(convert) -> None:
    names = [*"idABlsxy", "sentence_A_Ja", "sentence_B_Ja", "entailment_label_Ja", "r"]
    raw = "\t".join(names) + "\n" + "\t".join([*"01234567", "前", "後", "contradiction", "9"]) + "\n"
    assert convert("jsick-test", {"test.tsv": raw}) == {
        ("jsick", "test"): [("前提：前\n仮説：後", "contradiction")]
    }


def test_jnli_keeps_raw_line_separators_inside_a_text(convert) -> None:
    raw = lines([{"sentence1": "一\u2028二\u0085", "sentence2": "三", "label": "entailment", "more": None}])
    assert convert("jnli-test", {"valid-v1.1.json": raw}) == {
        ("jnli", "test"): [("前提：一\u2028二\u0085\n仮説：三", "entailment")]
    }


def test_jcommonsenseqa_numbers_its_choices_from_zero(convert) -> None:
    raw = lines([{"question": "問", **{f"choice{i}": f"選{i}" for i in range(5)}, "label": 3}])
    assert convert("jcommonsenseqa-test", {"valid-v1.1.json": raw}) == {
        ("jcommonsenseqa", "test"): [("質問：問\n選択肢：0.選0,1.選1,2.選2,3.選3,4.選4", "3")]
    }


def test_jsts_writes_its_label_as_python_does(convert) -> None:
    raw = lines([{"sentence1": "甲", "sentence2": "乙", "label": label} for label in (0.0, 3.8, 5)])
    assert [gold for _, gold in convert("jsts-test", {"valid-v1.1.json": raw})["jsts", "test"]] == [
        "0.0",
        "3.8",
        "5",
    ]


def test_jsquad_takes_the_first_answer_of_each_question(convert) -> None:
    question = {"question": "誰か", "answers": [{"text": "彼"}, {"text": "彼女"}]}
    other = {"question": "何か", "answers": [{"text": "物"}]}
    raw = {"data": [{"paragraphs": [{"context": "文[SEP]脈", "qas": [question, other]}]}, {"paragraphs": []}]}
    assert convert("jsquad-test", {"valid-v1.1.json": json.dumps(raw)}) == {
        ("jsquad", "test"): [("文章：文[SEP]脈\n質問：誰か", "彼"), ("文章：文[SEP]脈\n質問：何か", "物")]
    }


def jsem_files(**problems: str) -> dict[str, str]:
    names = [url.rsplit("/", 1)[1] for url in UNITS["jsem"].urls]
    return {
        f"/{name}": f"<jsem-dataset>{problems.get(name.removesuffix('.xml'), '')}</jsem-dataset>"
        for name in names
    }


def test_jsem_joins_premises_and_drops_answers_that_judge_a_sentence(convert) -> None:
    problem = (
        '<problem answer="{}"><p idx="1"><script>\n 前{}、 </script></p><p idx="2"><script>次\n</script></p>'
        "<h><script> 後 </script></h></problem>"
    )
    answers = ["yes", "", "infelicitous", "unacceptable", "weakacceptable", "undef"]
    verbs = "".join(problem.format(answer, number) for number, answer in enumerate(answers))
    adjectives = problem.format("no", "形")
    kept = seeded(
        [
            ("前提：前形、次\n仮説：後", "no"),
            ("前提：前0、次\n仮説：後", "yes"),
            ("前提：前5、次\n仮説：後", "undef"),
        ]
    )
    assert convert("jsem", jsem_files(Verbs=verbs, Adjectives=adjectives)) == {
        ("jsem", "train"): kept[:2],
        ("jsem", "dev"): [],
        ("jsem", "test"): kept[2:],
    }


def test_jsem_reads_its_files_in_the_order_of_the_protocol() -> None:
    names = [url.rsplit("/", 1)[1].removesuffix(".xml") for url in UNITS["jsem"].urls]
    assert names[13:16] == ["Modality", "NP", "NewAdjective"]  # neither by locale nor by ASCII ignoring case
    assert len(names) == 22


def test_jemhopqa(convert) -> None:
    raw = json.dumps([{"question": "どちらが高い？", "answer": "山"}])
    assert convert("jemhopqa-test", {"dev.json": raw}) == {
        ("jemhopqa", "test"): [("質問：どちらが高い？", "山")]
    }


def test_niilc_joins_answers_and_drops_questions_without_one(convert) -> None:
    def question(*answers: str) -> str:
        inner = "".join(f"<answer>{answer}</answer>" for answer in answers)
        return f"<question><text>\n 問 {len(answers)} </text><answers>{inner}</answers></question>"

    raw = (
        "<questions>"
        + question(" 赤 ", "", "青\n")
        + question("-")
        + question()
        + question("", "-", "")
        + "</questions>"
    )
    assert convert("niilc-test", {"NIILC-ECQA2015_test.xml": raw}) == {
        ("niilc", "test"): [("質問：問 3", "赤,青"), ("質問：問 0", "")]
    }


def test_mawps_cuts_the_question_before_the_solution(convert) -> None:
    raw = json.dumps([{"question": f"問題：{i}個と\n1個？\n解答：", "answer": str(i + 1)} for i in range(5)])
    mixed = seeded([(f"問題：{i}個と\n1個？", str(i + 1)) for i in range(5)])
    assert (
        convert("mawps-test", {"test.json": raw})
        == {
            ("mawps", "dev"): mixed[:2],  # int(5 / 2)
            ("mawps", "test"): mixed[2:],
        }
    )


def test_mawps_train_is_the_examples_zero_shot_ones_first(convert) -> None:
    zero = json.dumps([{"shot_example": "問題：甲\n解答：答えは0.2です。\n"}])
    shot = json.dumps([{"shot_example": "問題：乙\n解答：3個です。 1 + 2 = 3 。よって、答えは3です。\n"}])
    raw = {"/zero_shot_example.json": zero, "/shot_example.json": shot}
    assert convert("mawps-train", raw) == {("mawps", "train"): [("問題：甲", "0.2"), ("問題：乙", "3")]}


def test_chabsa_reads_files_in_sorted_order_and_names_each_sentence(tmp_path: Path) -> None:
    def article(*sentences: tuple[int, str, list[tuple[str, str]]]) -> str:
        rows = [
            {
                "sentence_id": i,
                "sentence": text,
                "opinions": [{"target": t, "polarity": p} for t, p in opinions],
            }
            for i, text, opinions in sentences
        ]
        return json.dumps({"header": {}, "sentences": rows})

    folder = tmp_path / "zip"
    (folder / "chABSA-dataset").mkdir(parents=True)
    (folder / "chABSA-dataset" / "e2_ann.json").write_text(article((0, "乙", [("物 価", "negative")])))
    (folder / "chABSA-dataset" / "e10_ann.json").write_text(
        article((3, "甲", [("売上", "positive"), ("売上", "positive"), ("費用", "neutral")]), (4, "無", []))
    )
    (folder / "chABSA-dataset" / "readme.json").write_text("not an annotation")
    (unit,) = (unit for unit in UNITS.values() if unit.name == "chabsa")
    splits = unit.convert({unit.urls[0]: folder})
    samples = [sample for split in splits.values() for sample in split]
    expected = seeded(
        [
            ("chabsa-e10-3", "文章：甲", "売上 positive\n売上 positive\n費用 neutral"),
            ("chabsa-e2-0", "文章：乙", "物 価 negative"),
        ]
    )
    assert [(s.id, s.input, s.output) for s in samples] == expected


def test_mmluen_takes_turns_over_subjects_as_long_as_all_have_questions(convert) -> None:
    def rows(subject: str, count: int) -> list[list[str]]:
        return [[f"{subject}{i}", "w, x", "y", 'z"', "v", "D"] for i in range(count)]

    def text(rows: list[list[str]]) -> str:
        return "".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\r\n" for row in rows)

    def pair(row: list[str]) -> tuple[str, str]:
        return f'Qusetion: {row[0]}\nChoices: A.w, x, B.y, C.z", D.v', "D"

    subjects = {"b": rows("b", 4), "a": rows("a", 2), "c": rows("c", 3)}
    raw = {f"data.tar!data/val/{name}_val.csv": text(found) for name, found in subjects.items()}
    raw["data.tar!data/test/a_test.csv"] = "of another split"
    a, b, c = (seeded([pair(row) for row in subjects[name]]) for name in "abc")
    expected = [a[0], b[0], c[0], a[1], b[1], c[1], b[2], b[3], c[2]]
    assert convert("mmluen-dev", raw) == {("mmluen", "dev"): expected}


def test_mmluen_keeps_line_ends_within_a_cell(convert) -> None:
    raw = {"data.tar!data/dev/a_dev.csv": '"one\r\ntwo",1,2,3,4,A\n'}
    ((question, _),) = convert("mmluen-train", raw)["mmluen", "train"]
    assert question == "Qusetion: one\r\ntwo\nChoices: A.1, B.2, C.3, D.4"


def test_jmmlu_uses_one_seed_for_all_subjects_in_the_order_of_the_protocol(convert) -> None:
    urls = UNITS["jmmlu"].urls
    raw, state = {}, random.getstate()
    dev: Pairs = []
    test: Pairs = []
    random.seed(42)
    for number, url in enumerate(urls):
        subject = url.rsplit("/", 1)[1]
        cells = [[f"{subject} 問{i} ", "甲", " 乙", "丙", "丁", "ABCD"[i % 4]] for i in range(1 + number % 3)]
        raw[f"/{subject}"] = "\ufeff" + "".join(",".join(row) + "\r\n" for row in cells)
        pairs = [(f"質問：{row[0]}\n選択肢：A.甲,B. 乙,C.丙,D.丁", row[5]) for row in cells]
        random.shuffle(pairs)
        dev.extend(pairs[: len(pairs) // 2])
        test.extend(pairs[len(pairs) // 2 :])
    random.shuffle(dev)
    random.shuffle(test)
    random.setstate(state)
    assert len(dev) > 16
    assert convert("jmmlu", raw) == {
        ("jmmlu", "train"): dev[:16] + test[:16],
        ("jmmlu", "dev"): dev[16:],
        ("jmmlu", "test"): test[16:],
    }
    assert urls[0].endswith("/econometrics.csv")
    assert urls[-1].endswith("/marketing.csv")


def test_alt_takes_the_short_pairs_of_the_splits_documents(convert) -> None:
    member = "20191206.zip!ALT-Parallel-Corpus-20191206/data_{}.txt"
    long = "長" * 400
    raw = {
        "URL-test.txt": "URL.7\thttp://example.org/7\nURL.9\thttp://example.org/9\nno tab\n",
        member.format(
            "ja"
        ): f"SNT.7.1\t一\nSNT.7.2\t{long}\nSNT.8.1\t他\nSNT.9.1\t九\nSNT.9.2\nSNT.9.3\t三\n",
        member.format(
            "en"
        ): f"SNT.7.1\tone\nSNT.7.2\t{'x' * 100}\nSNT.8.1\tother\nSNT.9.2\ttwo\nSNT.9.1\tnine\n",
    }
    assert convert("alt-test", raw) == {
        ("alt-e-to-j", "test"): [("one", "一"), ("nine", "九")],
        ("alt-j-to-e", "test"): [("一", "one"), ("九", "nine")],
    }


@pytest.mark.parametrize(("length", "kept"), [(499, True), (500, False)])
def test_a_pair_of_500_characters_is_too_long(convert, length: int, kept: bool) -> None:
    member = "20191206.zip!ALT-Parallel-Corpus-20191206/data_{}.txt"
    raw = {
        "URL-dev.txt": "URL.1\thttp://example.org\n",
        member.format("ja"): f"SNT.1.1\t{'字' * 100}\n",
        member.format("en"): f"SNT.1.1\t{'x' * (length - 100)}\n",
    }
    assert bool(convert("alt-dev", raw)["alt-e-to-j", "dev"]) is kept


def wiki_article(*paragraphs: str) -> str:
    return "<art>" + "".join(paragraphs) + "</art>"


def sentence(ja: str, en: str) -> str:
    return f'<sen><j>{ja}</j><e type="trans" ver="1">draft</e><e type="check" ver="1">{en}</e></sen>'


def test_wikicorpus_joins_sentences_that_have_both_languages(convert) -> None:
    article = wiki_article(
        sentence("題", "outside any paragraph"),
        "<par>"
        + sentence("一 ", "A &amp; B")
        + sentence("", "no Japanese")
        + sentence("三", "R&D &quot;x&quot;")
        + "</par>",
        "<sec><par>" + sentence("節", "in a section") + "</par></sec>",
        "<par>" + sentence("片", "") + "</par>",
    )
    names = [f"wiki_corpus_2.01/X/X{i}.xml" for i in range(10)]
    raw = {f"2.01.tar.gz!{name}": article if name == seeded(names)[9] else "<art/>" for name in names}
    raw["2.01.tar.gz!wiki_corpus_2.01/list.csv"] = "no article"
    english = "A &amp; B R&D &quot;x&quot;"
    assert convert("wikicorpus-test", raw) == {
        ("wikicorpus-e-to-j", "test"): [(english, "一  三"), ("", "")],
        ("wikicorpus-j-to-e", "test"): [("一  三", english), ("", "")],
    }


def test_wikicorpus_shuffles_articles_not_paragraphs(convert) -> None:
    names = [f"a/{kind}/{i}.xml" for kind in "CBA" for i in range(7)]
    raw = {
        f"2.01.tar.gz!{name}": wiki_article(*(f"<par>{sentence(name, str(k))}</par>" for k in range(2)))
        for name in names
    }
    mixed = seeded(sorted(names))
    for split, chosen in {"train": mixed[:16], "dev": mixed[16:18], "test": mixed[18:]}.items():
        pairs = convert(f"wikicorpus-{split}", raw)["wikicorpus-j-to-e", split]
        assert pairs == [(name, str(k)) for name in chosen for k in range(2)]


def test_jcola_in_domain_is_cut_in_whole_numbers(convert) -> None:
    records = [{"sentence": f"文{i}", "label": i % 2} for i in range(10)]
    mixed = seeded([(f"文{i}", str(i % 2)) for i in range(10)])
    assert convert("jcola-in-domain-train", {"in_domain_train-v1.0.json": lines(records)}) == {
        ("jcola-in-domain", "train"): mixed[:9],
        ("jcola-in-domain", "dev"): mixed[9:],
    }


def test_jcola_out_of_domain_gives_32_to_train_and_halves_the_rest(convert) -> None:
    records = [{"sentence": f"文{i}", "label": 0} for i in range(37)]
    mixed = seeded([(f"文{i}", "0") for i in range(37)])
    assert convert("jcola-out-of-domain", {"out_of_domain_valid-v1.0.json": lines(records)}) == {
        ("jcola-out-of-domain", "train"): mixed[:32],
        ("jcola-out-of-domain", "dev"): mixed[32:34],
        ("jcola-out-of-domain", "test"): mixed[34:],
    }


def test_jblimp_draws_the_side_of_each_pair_then_shuffles_with_the_same_generator(convert) -> None:
    records = [{"good_sentence": f"良{i}", "bad_sentence": f"悪{i}"} for i in range(40)]
    state = random.getstate()
    random.seed(42)
    pairs = []
    for i in range(40):
        if random.randint(0, 1) == 0:
            pairs.append((f"a: 良{i}\nb: 悪{i}", "a"))
        else:
            pairs.append((f"a: 悪{i}\nb: 良{i}", "b"))
    random.shuffle(pairs)
    random.setstate(state)
    assert convert("jblimp", {"validated_minimal_pairs.jsonl": lines(records)}) == {
        ("jblimp", "train"): pairs[:32],
        ("jblimp", "dev"): pairs[32:36],
        ("jblimp", "test"): pairs[36:],
    }
