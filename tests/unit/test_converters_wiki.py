"""Golden cases of the five wiki_* datasets: small documents in KNP format, and the gold the protocol wants."""

import logging
from pathlib import Path

import pytest

from lm_eval_ja.datasets import packaged

UNITS = packaged().units
POS = {"名詞": "6", "助詞": "9", "特殊": "1", "判定詞": "4", "動詞": "2"}


def m(surface: str, reading: str | None = None, pos: str = "名詞", features: str = "") -> str:
    """A morpheme's line."""
    return f"{surface} {reading or surface} {surface} {pos} {POS[pos]} * 0 * 0 * 0 NIL{features}"


def bp(head: str, *morphemes: str) -> list[str]:
    """A base phrase: its parent's index and tags, then its morphemes."""
    return [f"+ {head}", *(morphemes or ())]


def ph(parent: str, *base_phrases: list[str]) -> list[str]:
    """A phrase: its parent's index, then its base phrases."""
    return [f"* {parent}", *(line for base_phrase in base_phrases for line in base_phrase)]


def sentence(number: str, *phrases: list[str], comment: str = "", doc_id: str = "wiki00000001") -> str:
    rows = [
        f"# S-ID:{doc_id}-{number} {comment} KNP:5.0",
        *(line for phrase in phrases for line in phrase),
        "EOS",
    ]
    return "\n".join(rows) + "\n"


def rel(kind: str, target: str, sid: str, index: int) -> str:
    return f'<rel type="{kind}" target="{target}" sid="wiki00000001-{sid}" id="{index}"/>'


@pytest.fixture
def golds(tmp_path: Path):
    """Input and gold of each dataset that has the document."""

    def run(*sentences: str, **documents: str) -> dict[str, tuple[str, str]]:
        texts = {"wiki00000001": "".join(sentences)} if sentences else documents
        (unit,) = (unit for unit in UNITS.values() if unit.name == "wiki-dev")
        root = tmp_path / "WikipediaAnnotatedCorpus-1.1.2"
        (root / "id").mkdir(parents=True)
        (root / "id" / "dev.id").write_text("".join(f"{doc_id}\n" for doc_id in texts))
        for doc_id, text in texts.items():
            (root / "knp" / doc_id[:8]).mkdir(parents=True, exist_ok=True)
            (root / "knp" / doc_id[:8] / f"{doc_id}.knp").write_text(text, encoding="utf-8")
        converted = unit.convert({unit.urls[0]: tmp_path})
        assert {split for _, split in converted} == {"dev"}
        return {
            sample.id.partition("-")[0] if sentences else sample.id: (sample.input, sample.output)
            for samples in converted.values()
            for sample in samples
        }

    return run


@pytest.mark.parametrize(
    ("surface", "reading", "expected"),
    [
        ("日本", "にっぽん/にほん", "にっぽん"),
        ("/", "/", ""),
        ("NHK", "NHK", "えぬえいちけー"),
        ("QZ", "QZ", "きゅーぜっと"),
        ("Dfa", "Dfa", "Dfa"),
        ("nhk", "nhk", "nhk"),
        ("A4", "A4", "A4"),
        ("ＮＨＫ", "ＮＨＫ", "ＮＨＫ"),
        ("日", "\u3000", ""),
        ("\u3000", "\u3000", "\u3000"),
    ],
)
def test_reading_of_a_morpheme(golds, surface: str, reading: str, expected: str) -> None:
    text = sentence("01", ph("-1D", bp("-1D", m("前", "まえ"), m(surface, reading), m("後", "あと/のち"))))
    assert golds(text)["wiki_reading"] == (f"前{surface}後", f"まえ{expected}あと")


def test_every_letter_is_spelled(golds) -> None:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    spelled = (
        "えーびーしーでぃーいーえふじーえいちあいじぇーけーえるえむ"
        "えぬおーぴーきゅーあーるえすてぃーゆーぶいだぶりゅーえっくすわいぜっと"
    )
    assert golds(sentence("01", ph("-1D", bp("-1D", m(letters)))))["wiki_reading"] == (letters, spelled)


def test_dependency_lines_are_of_phrases_with_a_parent(golds) -> None:
    first = sentence(
        "01",
        ph("2D", bp("1D", m("桜")), bp("3D", m("祭り"), m("は", pos="助詞"))),
        ph("2D", bp("3D", m("春"), m("に", pos="助詞"))),
        ph("-1D", bp("-1D", m("始まる", pos="動詞"), m("。", pos="特殊"))),
    )
    second = sentence("02", ph("-1D", bp("-1D", m("終わる", pos="動詞"))))
    assert golds(first, second)["wiki_dependency"] == (
        "桜祭りは春に始まる。終わる",
        "桜祭りは -> 始まる。\n春に -> 始まる。",
    )


def named(text: str, kind: str) -> list[str]:
    return bp(f"-1D <NE:{kind}:{text}>", m(text, features=f" <NE:{kind}:single>"))


def parenthesised() -> tuple[str, str, str, str]:
    """ "京都（きょうと）は（府）古都。" as the corpus holds it, and a second sentence."""
    return (
        sentence(
            "00-01",
            ph("-1D", named("京都", "LOCATION")),
            ph("-1D", bp("-1D", m("は古都。"))),
            comment="括弧削除",
        ),
        sentence("00-02", ph("-1D", named("きょうと", "LOCATION")), comment="括弧始:（ 括弧終:） 括弧位置:2"),
        sentence("00-03", ph("-1D", bp("-1D", m("府"))), comment="括弧始:［ 括弧終:］ 括弧位置:3"),
        sentence("01", ph("-1D", named("OP", "OPTIONAL")), ph("-1D", named("一月", "DATE"))),
    )


def test_ner_puts_back_the_first_parentheses_only(golds) -> None:
    assert golds(*parenthesised())["wiki_ner"] == (
        "京都（きょうと）は古都。府OP一月",
        "京都（地名） きょうと（地名） 一月（日付表現）",
    )


def test_parentheses_without_a_sentence_that_lost_them_stay_sentences(golds) -> None:
    _, inside, _, last = parenthesised()
    plain = sentence("00-01", ph("-1D", named("京都", "LOCATION")))
    assert golds(plain, inside, last)["wiki_ner"][0] == "京都きょうとOP一月"


def test_a_sentence_that_lost_parentheses_absorbs_no_ordinary_one(golds) -> None:
    marked, _, _, last = parenthesised()
    assert golds(marked, last)["wiki_ner"][0] == "京都は古都。OP一月"


def test_reading_skips_sentences_from_parentheses(golds) -> None:
    assert golds(*parenthesised())["wiki_reading"] == ("京都は古都。OP一月", "京都は古都。おーぴー一月")


def test_every_entity_type_has_its_name(golds) -> None:
    kinds = {
        "ORGANIZATION": "組織名",
        "PERSON": "人名",
        "LOCATION": "地名",
        "ARTIFACT": "固有物名",
        "DATE": "日付表現",
        "TIME": "時刻表現",
        "MONEY": "金額表現",
        "PERCENT": "割合表現",
    }
    text = sentence("01", *(ph("-1D", named(f"語{i}", kind)) for i, kind in enumerate(kinds)))
    expected = " ".join(f"語{i}（{name}）" for i, name in enumerate(kinds.values()))
    assert golds(text)["wiki_ner"][1] == expected


def test_pas_writes_cases_in_the_order_of_the_protocol(golds) -> None:
    cases = ["ヨリ", "マデ", "ガ２", "カラ", "ヲ", "ヘ", "ニ", "ト", "デ", "ガ", "ノ", "修飾"]
    nouns = [ph("12D", bp("12D", m(f"名{i}"))) for i in range(len(cases))]
    tags = "".join(rel(case, f"名{i}", "01", i) for i, case in enumerate(cases))
    text = sentence("01", *nouns, ph("-1D", bp(f"-1D {tags}", m("述べる", pos="動詞"))))
    assert golds(text)["wiki_pas"][1] == (
        "述べる ガ：名9 デ：名8 ト：名7 ニ：名6 ヘ：名5 ヲ：名4 カラ：名3 ガ：名2 マデ：名1 ヨリ：名0"
    )


def test_pas_leaves_out_the_predicates_own_phrase_and_what_is_not_in_the_text(golds) -> None:
    tags = rel("ガ", "客", "01", 0) + rel("ヲ", "茶", "01", 1) + '<rel type="ニ" target="不特定:人"/>'
    text = sentence(
        "01",
        ph("1D", bp("2D", m("客"), m("が", pos="助詞"))),
        ph("-1D", bp(f"2D {rel('ノ', '客', '01', 0)}", m("茶")), bp(f"-1D {tags}", m("出し"))),
    )
    assert golds(text)["wiki_pas"][1] == "茶出し ガ：客"


def test_pas_does_not_follow_coreference(golds) -> None:
    text = sentence(
        "01",
        ph("2D", bp("2D", m("太郎"))),
        ph("2D", bp(f"2D {rel('=', '太郎', '01', 0)}", m("彼"))),
        ph("-1D", bp(f"-1D {rel('ガ', '彼', '01', 1)}", m("走る", pos="動詞"))),
    )
    assert golds(text)["wiki_pas"][1] == "走る ガ：彼"


def test_pas_gives_each_argument_its_own_label_and_drops_optional_ones(golds) -> None:
    tags = rel("ガ", "父", "01", 0) + rel("ガ", "母", "01", 1).replace("target", 'mode="AND" target')
    tags += rel("ヲ", "父", "01", 0) + '<rel type="ヲ" mode="？" target="なし"/>'
    text = sentence(
        "01",
        ph("2D", bp("2D", m("父"))),
        ph("2D", bp("2D", m("母"))),
        ph("-1D", bp(f"-1D {tags}", m("来た", pos="動詞"))),
    )
    assert golds(text)["wiki_pas"][1] == "来た ガ：父 ガ：母"


def test_an_argument_takes_the_neighbours_that_depend_on_it(golds) -> None:
    text = sentence(
        "01",
        ph(
            "1D",
            bp("3D", m("「", pos="特殊"), m("遠い")),
            bp("2D", m("東京")),
            bp("3D", m("図書")),
            bp("4D", m("館"), m("」", pos="特殊"), m("で", pos="判定詞"), m("は", pos="助詞")),
        ),
        ph("-1D", bp(f"-1D {rel('デ', '館', '01', 3)}{rel('ヲ', '図書', '01', 2)}", m("読む", pos="動詞"))),
    )
    # The whole chain is transitive: 東京 → 図書 → 館, and 遠い → 館 once its right neighbour is in.
    assert golds(text)["wiki_pas"][1] == "読む デ：遠い東京図書館 ヲ：東京図書"


def test_a_neighbour_that_depends_elsewhere_ends_the_argument(golds) -> None:
    text = sentence(
        "01",
        ph("1D", bp("1D", m("古い")), bp("3D", m("町")), bp("3D", m("駅"), m("を", pos="助詞"))),
        ph("-1D", bp(f"-1D {rel('ヲ', '駅', '01', 2)}", m("見る", pos="動詞"))),
    )
    assert golds(text)["wiki_pas"][1] == "見る ヲ：駅"


def test_a_predicate_keeps_its_final_copula_and_loses_particles_and_marks(golds) -> None:
    text = sentence(
        "01",
        ph("1D", bp("1D", m("川"), m("は", pos="助詞"))),
        ph(
            "-1D",
            bp(
                f"-1D {rel('ガ', '川', '01', 0)}",
                m("「", pos="特殊"),
                m("水"),
                m("だ", pos="判定詞"),
                m("よ", pos="助詞"),
                m("」", pos="特殊"),
            ),
        ),
    )
    assert golds(text)["wiki_pas"][1] == "水だ ガ：川"


def test_a_text_of_nothing_but_marks_and_particles_is_kept(golds) -> None:
    text = sentence(
        "01",
        ph("1D", bp("1D", m("「", pos="特殊"), m("」", pos="特殊"))),
        ph("-1D", bp(f"-1D {rel('ガ', '「」', '01', 0)}", m("だ", pos="判定詞"), m("よ", pos="助詞"))),
    )
    assert golds(text)["wiki_pas"][1] == "だよ ガ：「」"


def test_coreference_lists_clusters_by_first_mention(golds) -> None:
    text = sentence(
        "01",
        ph("-1D", bp("-1D", m("太郎"), m("は", pos="助詞"))),
        ph("-1D", bp("-1D", m("犬"))),
        ph("-1D", bp(f"-1D {rel('=', '犬', '01', 1)}", m("それ"), m("を", pos="助詞"))),
        ph("-1D", bp(f"-1D {rel('=', '太郎', '01', 0)}", m("彼"))),
        ph("-1D", bp(f"-1D {rel('ガ', '彼', '01', 3)}", m("呼ぶ", pos="動詞"))),
    )
    assert golds(text)["wiki_coreference"] == ("太郎は犬それを彼呼ぶ", "太郎 彼\n犬 それ")


def test_coreference_is_computed_without_the_sentences_from_parentheses(golds) -> None:
    marked = sentence(
        "00-01", ph("-1D", bp(f"-1D {rel('=', 'こ', '00-02', 0)}", m("湖"))), comment="括弧削除"
    )
    inside = sentence("00-02", ph("-1D", bp("-1D", m("こ"))), comment="括弧始:（ 括弧終:） 括弧位置:1")
    after = sentence(
        "01",
        ph("-1D", bp(f"-1D {rel('=', 'こ', '00-02', 0)}", m("それ"))),
        ph("-1D", bp("-1D", m("魚"))),
        ph("-1D", bp(f"-1D {rel('=', '魚', '01', 1)}", m("獲物"))),
    )
    assert golds(marked, inside, after)["wiki_coreference"] == ("湖それ魚獲物", "魚 獲物")


def test_nonidentical_mentions_are_no_cluster(golds) -> None:
    text = sentence(
        "01", ph("-1D", bp("-1D", m("城"))), ph("-1D", bp(f"-1D {rel('=≒', '城', '01', 0)}", m("石垣")))
    )
    assert "wiki_coreference" not in golds(text)


def test_a_document_is_left_out_of_the_datasets_it_has_no_gold_for(golds) -> None:
    assert golds(sentence("01", ph("-1D", bp("-1D", m("水"))))) == {"wiki_reading": ("水", "水")}


def test_documents_stand_in_the_order_of_their_names(golds) -> None:
    texts = {
        doc_id: sentence("01", ph("-1D", bp("-1D", m(doc_id))), doc_id=doc_id)
        for doc_id in ("wiki00000009", "wiki00000010", "wiki00000002")
    }
    assert list(golds(**texts)) == [f"wiki_reading-{doc_id}" for doc_id in sorted(texts)]


def test_slips_in_the_annotation_are_not_logged(golds, caplog: pytest.LogCaptureFixture) -> None:
    level = logging.getLogger("rhoknp").level
    golds(sentence("01", ph("-1D", bp(f"-1D {rel('=', '無', '77', 0)}", m("水")))))
    assert not caplog.records
    assert logging.getLogger("rhoknp").level == level
