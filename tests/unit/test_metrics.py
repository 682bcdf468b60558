"""Every metric: golden cases, the contract that all share, and user errors."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from lm_eval_ja.errors import DataError, OptionError
from lm_eval_ja.metrics import (
    METRICS,
    STEPS,
    gold,
    normalize,
    parse_number,
    pearson,
    set_f1,
    spearman,
)
from tests.support.linear import assert_linear

GOLDEN = Path(__file__).parents[1] / "golden" / "metrics"
PER_ITEM = [name for name, metric in METRICS.items() if metric.per_item is not None]
ODD_TEXTS = [
    "",
    " ",
    "\n",
    "\n\n",
    "\0",
    "\ud800",
    "a\udfffb",
    "\ufeff",
    "🇯🇵👩‍👩‍👧",
    "か\u3099",
    "_",
    "ab\n" * 350_000,
]


def cases(name: str, section: str | None = None):
    raw = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    return [pytest.param(case, id=case["why"]) for case in (raw[section] if section else raw)]


def item_function(name: str):
    if name == "bleu_ja":
        pytest.importorskip("MeCab", reason='bleu_ja needs MeCab: pip install "sacrebleu[ja]"')
    try:
        METRICS[name].require()
    except OptionError as error:
        pytest.skip(str(error))
    function = METRICS[name].per_item
    assert function is not None
    return function


@pytest.mark.parametrize("case", cases("normalize"))
def test_normalize_golden(case):
    assert normalize(case["input"], case["steps"]) == case["expected"]


@pytest.mark.parametrize("case", cases("items"))
def test_per_item_golden(case):
    assert item_function(case["metric"])(case["prediction"], case["gold"]) == case["expected"]


@pytest.mark.parametrize("case", cases("numbers", "parse"))
def test_parse_number_golden(case):
    assert parse_number(case["input"]) == case["expected"]


@pytest.mark.parametrize("case", cases("numbers", "correlation"))
def test_correlation_golden(case):
    assert pearson(case["predictions"], case["golds"]) == pytest.approx(case["pearson"], abs=1e-12)
    assert spearman(case["predictions"], case["golds"]) == pytest.approx(case["spearman"], abs=1e-12)


def test_gold_is_nfkc_and_nothing_else():
    assert gold(" Ａ（人名）\n\nB ") == " A(人名)\n\nB "


def test_unknown_step_is_named_with_the_choices():
    with pytest.raises(OptionError, match=r"'upper'.*strip, lower, drop_answer_prefix"):
        normalize("", ["strip", "upper"])
    assert STEPS == ("strip", "lower", "drop_answer_prefix")


@pytest.mark.parametrize("name", PER_ITEM)
class TestContract:
    """What holds for every metric of one prediction and one gold answer."""

    def test_odd_text_scores_within_the_scale(self, name):
        function = item_function(name)
        low, high = METRICS[name].scale
        for text in ODD_TEXTS:
            for prediction, reference in ((text, "東京"), ("東京", text), (text, text)):
                value = function(prediction, reference)
                assert type(value) is float
                assert low <= value <= high + 1e-9, (prediction[:9], reference[:9])

    def test_an_equal_answer_is_perfect_and_a_foreign_one_worthless(self, name):
        function = item_function(name)
        if METRICS[name].of_form:
            pytest.skip("compares nothing")
        text = {"bleu_en": "The cats eat fish today .", "exact_match_figure": "12"}.get(name, "東京 都 庁")
        assert function(text, text) == pytest.approx(METRICS[name].scale[1])
        assert function("wxyz", text) == METRICS[name].scale[0]

    def test_dataset_score_is_the_mean(self, name):
        function = item_function(name)
        predictions, golds = ["abc", "x y", "東"], ["abd", "x y", "西"]
        mean = sum(map(function, predictions, golds)) / 3
        assert METRICS[name].score(predictions, golds) == pytest.approx(mean)


@pytest.mark.parametrize("name", METRICS)
def test_registry_entries_agree_with_their_names(name):
    metric = METRICS[name]
    assert metric.name == name
    assert metric.higher_is_better is (name != "ool")
    assert (metric.per_item is None) != (metric.over_items is None)
    with pytest.raises(DataError, match=f"{name}: 1 predictions for 2 gold"):
        metric.score(["1"], ["1", "2"])
    with pytest.raises(DataError, match="one item"):
        metric.score([], [])


def test_registry_covers_the_correlations():
    assert METRICS["pearson"].score(["1", "2"], ["1", "2"]) == pytest.approx(1.0)
    assert METRICS["spearman"].score(["1", "2"], ["2", "1"]) == pytest.approx(-1.0)


@pytest.mark.parametrize("function", [pearson, spearman])
def test_correlations_survive_infinite_and_huge_answers(function):
    huge = "9" * 400
    assert math.isinf(parse_number(huge))
    assert -1.0 <= function([huge, "1", "2"], ["3", "1", "2"]) <= 1.0
    assert -1.0 <= function(["9" * 308, "9" * 308, "0"], ["1", "2", "3"]) <= 1.0


@pytest.mark.parametrize("function", [pearson, spearman])
def test_correlations_name_a_wrong_gold(function):
    with pytest.raises(DataError, match="'entailment' is not a number"):
        function(["1", "2"], ["1", "entailment"])
    with pytest.raises(DataError, match="1 predictions for 2"):
        function(["1"], ["1", "2"])


def test_correlations_warn_of_nothing(recwarn):
    pearson(["3", "3", "9" * 400], ["1", "2", "3"])
    spearman(["3", "3", "3"], ["1", "2", "3"])
    assert not recwarn.list


def test_set_f1_is_linear_in_the_lines():
    prediction = "\n".join(f"line {i}" for i in range(10_000))
    reference = "\n".join(f"line {i}" for i in range(5_000, 15_000))
    assert set_f1(prediction, reference) == 0.5
    assert_linear(lambda text: set_f1(text, reference), prediction)


def test_importing_the_room_stays_light():
    heavy = "[m for m in ('scipy', 'sacrebleu', 'numpy', 'torch', 'datasets', 'lm_eval') if m in sys.modules]"
    code = f"import sys, lm_eval_ja.metrics, lm_eval_ja.protocols; print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_looks_at_the_form_asks_the_dataset():
    digits = frozenset("01").__contains__
    for name, right, wrong in (("in_form", 1.0, 0.0), ("ool", 0.0, 1.0)):
        on_labels, on_any = METRICS[name].on(digits), METRICS[name].on(None)
        assert on_labels is not None
        assert on_any is not None
        assert [on_labels(text, "1") for text in ("0", "1", "2", "", "1 ")] == [
            right,
            right,
            wrong,
            wrong,
            wrong,
        ]
        assert [on_any(text, "1") for text in ("0", "東京", "")] == [right, right, wrong]
    assert METRICS["exact_match"].on(digits) is METRICS["exact_match"].per_item


@pytest.mark.parametrize(
    ("prediction", "gold_answer", "same"),
    [
        ("12", "12", 1.0),
        ("12.0", "12", 1.0),
        ("1_2", "12", 1.0),
        (" 12 ", "12", 1.0),
        ("1.2e1", "12", 1.0),
        ("1,200", "1200", 0.0),
        ("12個", "12", 0.0),
        ("", "12", 0.0),
        ("nan", "nan", 0.0),
        ("12", "十二", 0.0),
    ],
)
def test_exact_match_figure_golden(prediction, gold_answer, same):
    assert METRICS["exact_match_figure"].score([prediction], [gold_answer]) == same
