"""Every answer in one class, and what it would score if its form were forgiven."""

import pytest

from lm_eval_ja.analysis._failures import Outcome, analyse, other_language
from lm_eval_ja.analysis._lenient import read_leniently
from lm_eval_ja.metrics import METRICS, normalize
from lm_eval_ja.results import read_runs
from tests.support import small_runs as s
from tests.support.linear import assert_linear

LINES = "川の -> 清掃を\n清掃を -> 行う"
CHAT = "Sure, I can help with that! The answer is **neutral**."


def found(tmp_path, dataset, metric, output, gold, *, limit=10, tokens=None, norm="nfkc+strip+lower"):
    """The finding about one answer, scored by the package's own metric."""
    steps = norm.split("+")[1:]
    prediction = normalize(output, steps)
    score = METRICS[metric].per_item(prediction, gold)
    line = s.question("q-1", output, score, gold=gold, prediction=prediction)
    s.write_run(tmp_path, [s.task(dataset, metric, [line], limit=limit, norm=norm)])
    (run,) = read_runs([tmp_path]).runs
    count = None if tokens is None else (lambda texts: [tokens] * len(texts))
    failures = analyse(run, count)[f"nejumi_jaster_{dataset}"]
    assert failures.counts == {failures.findings[0].outcome: 1}
    return failures.findings[0]


@pytest.mark.parametrize(
    ("dataset", "metric", "output", "gold", "outcome", "lenient"),
    [
        ("jnli", "exact_match", " Neutral\n\n### 指示:", "neutral", "correct", 1.0),
        ("jnli", "exact_match", "entailment", "neutral", "wrong", 0.0),
        ("jnli", "exact_match", CHAT, "neutral", "breach", 1.0),
        ("jnli", "exact_match", "neutralです。", "neutral", "breach", 1.0),
        ("jnli", "exact_match", "\n\nneutral", "neutral", "breach", 1.0),
        ("jnli", "exact_match", "<think>entailment?</think>neutral", "neutral", "breach", 1.0),
        ("jnli", "exact_match", CHAT, "entailment", "wrong", 0.0),
        ("jnli", "exact_match", "neutralかentailment", "neutral", "wrong", 0.0),
        ("jnli", "exact_match", "It is not entailment.", "entailment", "wrong", 0.0),
        ("jnli", "exact_match", "中立", "neutral", "language", 0.0),
        ("jnli", "exact_match", "", "neutral", "empty", 0.0),
        ("jnli", "exact_match", " \n\n", "neutral", "empty", 0.0),
        ("jnli", "exact_match", "\n\n分かりません", "neutral", "empty", 0.0),
        ("janli", "exact_match", "答え: non-entailment", "non-entailment", "breach", 1.0),
        ("janli", "exact_match", "non-entailmentである", "entailment", "wrong", 0.0),
        ("jcommonsenseqa", "exact_match", "答えは2です。", "2", "breach", 1.0),
        ("jcommonsenseqa", "exact_match", "12", "2", "wrong", 0.0),
        ("mawps", "exact_match", "52-17=35", "35", "breach", 1.0),
        ("mawps", "exact_match", "1,200円です", "1200", "breach", 1.0),
        ("mawps", "exact_match", "잘 모르겠습니다", "35", "language", 0.0),
        ("niilc", "char_f1", "木星", "木星", "correct", 1.0),
        ("niilc", "char_f1", "もちろんです。\n答えは「木星」です。", "木星", "breach", 1.0),
        ("niilc", "char_f1", "木星の衛星", "木星の衛", "partial", 0.89),
        ("niilc", "char_f1", "Jupiter", "木星", "language", 0.0),
        ("niilc", "char_f1", "这是土星吗", "木星", "language", 0.29),
        ("niilc", "char_f1", "土星", "木星", "partial", 0.5),
        ("niilc", "char_f1", "ナサ", "NASA", "wrong", 0.0),
        (
            "wiki_dependency",
            "set_f1",
            f"以下の通りです：\n- {LINES}".replace("\n清", "\n- 清"),
            LINES,
            "breach",
            1.0,
        ),
        ("wiki_ner", "set_f1", "- 川（地名）\n- 東京（地名）", "川(地名) 東京(地名)", "breach", 1.0),
        ("chabsa", "set_f1", "```\n売上 positive\n```", "売上 positive", "breach", 1.0),
        ("wiki_coreference", "set_f1", "以下です：\n団体 団体", "団体 団体", "breach", 1.0),
    ],
)
def test_outcomes(tmp_path, dataset, metric, output, gold, outcome, lenient):
    finding = found(tmp_path, dataset, metric, output, gold, limit=400)
    assert (finding.outcome.value, finding.lenient) == (outcome, pytest.approx(lenient, abs=0.01))


@pytest.mark.parametrize(
    ("dataset", "metric", "output", "gold", "limit", "tokens", "outcome"),
    [
        # by the text alone
        ("jnli", "exact_match", "contra", "contradiction", 3, None, "truncated"),
        (
            "jnli",
            "exact_match",
            "contra",
            "contradiction",
            300,
            None,
            "wrong",
        ),  # too short to have met the limit
        ("jnli", "exact_match", "<think>まず前提を", "neutral", 300, None, "thinking"),
        (
            "wiki_dependency",
            "set_f1",
            "川の -> 清掃を\n清掃",
            "川の -> 行う\n清掃を -> 行う",
            8,
            None,
            "truncated",
        ),
        ("jemhopqa", "char_f1", "大阪", "東京都千代田区", 6, None, "wrong"),
        # by the number of tokens
        ("jemhopqa", "char_f1", "大阪", "東京都千代田区", 6, 6, "truncated"),
        ("jemhopqa", "char_f1", "大阪", "東京都千代田区", 6, 5, "wrong"),
        ("jnli", "exact_match", "contra", "contradiction", 3, 2, "wrong"),
        ("jnli", "exact_match", "neutral", "entailment", 3, 3, "wrong"),  # a whole answer, if a wrong one
    ],
)
def test_cut_off(tmp_path, dataset, metric, output, gold, limit, tokens, outcome):
    assert found(tmp_path, dataset, metric, output, gold, limit=limit, tokens=tokens).outcome.value == outcome


def test_the_lenient_score_is_never_below_the_score(tmp_path):
    finding = found(tmp_path, "jsquad", "char_f1", "答えは東京", "答えは東京", limit=100)
    assert finding.lenient == 1.0


def test_form_is_counted_where_one_is_defined(tmp_path):
    lines = [
        s.question(f"q{n}", text, 0.0, gold="neutral")
        for n, text in enumerate(("neutral", CHAT, "entailment", ""))
    ]
    s.write_run(tmp_path, [s.task("jnli", "exact_match", lines), s.task("jsquad", "char_f1", lines)])
    (run,) = read_runs([tmp_path]).runs
    failures = analyse(run)
    assert failures["nejumi_jaster_jnli"].compliance == 0.5
    assert failures["nejumi_jaster_jsquad"].compliance is None


def test_unscored_answers_are_a_class_of_their_own(tmp_path):
    s.write_run(tmp_path, [s.task("jnli", "exact_match", [s.question("q", "neutral", None)])])
    (run,) = read_runs([tmp_path]).runs
    failures = analyse(run)["nejumi_jaster_jnli"]
    assert failures.counts == {Outcome.UNSCORED: 1}
    assert failures.score is None
    assert failures.lenient is None


@pytest.mark.parametrize(
    ("answers", "ratings", "outcome"),
    [
        (["こんにちは。", "さようなら。"], [8, 7], "rated"),
        (["こんにちは。", ""], [8, 1], "empty"),
        (["こんにちは。", "さようなら。"], [8, None], "unscored"),
        (["Hello, this is a long answer in English.", "はい。"], [3, 5], "language"),
        (["```python\nprint('only code, which is no prose at all')\n```", "はい。"], [9, 9], "rated"),
        (["```python\nprint('never closed", "はい。"], [9, 9], "truncated"),
        (["OK", "はい。"], [9, 9], "rated"),
    ],
)
def test_conversations(tmp_path, answers, ratings, outcome):
    talk = s.conversation("mtbench-1", "coding", answers, ratings)
    s.write_run(tmp_path, [s.mtbench([talk], {"coding": 5.0, "score": 5.0})])
    (run,) = read_runs([tmp_path]).runs
    (finding,) = analyse(run)["nejumi_mtbench"].findings
    assert (finding.outcome.value, finding.lenient, finding.form) == (outcome, None, None)


def test_a_long_second_turn_is_cut_off(tmp_path):
    talk = s.conversation("mtbench-1", "coding", ["短い", "長い長い"], [8, 7])
    s.write_run(tmp_path, [s.mtbench([talk], {"coding": 5.0, "score": 5.0})])
    (run,) = read_runs([tmp_path]).runs
    failures = analyse(run, lambda texts: [1024 if "長い" in text else 3 for text in texts])
    assert failures["nejumi_mtbench"].counts == {Outcome.TRUNCATED: 1}


def test_readings_never_look_at_the_gold_answer():
    assert "gold" not in read_leniently.__code__.co_varnames


@pytest.mark.parametrize(
    ("dataset", "metric", "output"),
    [("jnli", "exact_match", ""), ("wiki_ner", "set_f1", "何もない"), ("niilc", "char_f1", "Sure, of course!"),
     ("chabsa", "set_f1", "なし"), ("jnli", "exact_match", "Aではない entailment")],
)  # fmt: skip
def test_where_nothing_is_clear_there_is_no_reading(dataset, metric, output):
    assert read_leniently(dataset, metric, output) is None


@pytest.mark.parametrize(
    "text",
    [
        "「" * 5000,
        "**" * 20_000,
        "1." * 20_000,
        "答えは" * 10_000,
        "a" * 100_000,
        "-" * 100_000,
        "。" * 100_000,
        "```" * 30_000,
    ],
)
def test_readings_of_hostile_texts_take_linear_time(text):
    def read(part):
        for metric in ("exact_match", "char_f1", "set_f1"):
            read_leniently("jnli", metric, part)
            read_leniently("wiki_ner", metric, part)

    assert_linear(read, text)


@pytest.mark.parametrize(
    ("prediction", "gold", "closed", "other"),
    [("東京", "東京", False, False), ("Tokyo", "東京", False, True), ("東京", "Tokyo", False, False),
     ("東京", "Tokyo", True, True), ("12", "東京", False, False), ("�", "東京", False, False),
     ("Москва", "5", False, True),     ("five", "5", False, False), ("#$%&a'()=b~|", "東京", False, False)],
)  # fmt: skip
def test_languages(prediction, gold, closed, other):
    assert other_language(prediction, gold, closed=closed) is other


def classes(tmp_path, task):
    s.write_run(tmp_path, [task])
    (failures,) = analyse(read_runs([tmp_path]).runs[0]).values()
    return [finding.outcome.value for finding in failures.findings]


def test_a_share_of_bleu_is_no_correct_answer(tmp_path):
    """BLEU goes to 100: 18 of 100 once counted as full score."""
    lines = [s.question("alt-e-to-j-test-0", "これは猫", 18.0, gold="これは犬です")]
    task = s.task("alt-e-to-j", "bleu_ja", lines, protocol="llm_jp_eval", norm="nfkc")
    task["name"] = "llm_jp_eval_alt-e-to-j"
    assert classes(tmp_path, task) == ["wrong"]


def test_a_number_read_for_a_correlation_is_neither_right_nor_wrong(tmp_path):
    lines = [
        s.question("jsts-test-0", "4.0", 4.0, gold="1.0"),
        s.question("jsts-test-1", "1.0", 1.0, gold="1.0"),
    ]
    assert classes(tmp_path, s.task("jsts", "pearson", lines)) == ["unscored", "unscored"]


def test_gold_answers_over_the_limit_are_counted(tmp_path):
    lines = [s.question(f"q-{number}", "x", 0.0, gold="東" * number) for number in (2, 3, 4, 5)]
    s.write_run(tmp_path, [s.task("niilc", "char_f1", lines, limit=3)])
    (run,) = read_runs([tmp_path]).runs
    assert analyse(run)["nejumi_jaster_niilc"].long_golds is None, "nobody counted tokens"
    assert analyse(run, lambda texts: [*map(len, texts)])["nejumi_jaster_niilc"].long_golds == 2
