"""Nejumi 3 and 4: how they ask, normalize and score, and how scores add up, held against the facts of the boards."""

from collections.abc import Mapping
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_eval_ja.analysis import bootstrap_intervals, make_leaderboards
from lm_eval_ja.prompts import Shot, make_style
from lm_eval_ja.protocols import Missing, evaluate, load_protocol, mean_number
from tests.support.made_up_runs import CATEGORIES, jaster_task, mtbench_task, run

V3, V4 = load_protocol("nejumi3"), load_protocol("nejumi4")
LABEL = ("strip", "lower", "cut_at_blank_line", "strip_quotes", "nfkc")
STRIP = ("strip", "cut_at_blank_line", "strip_quotes", "nfkc")
DELETE = ("drop_response_prefix", *LABEL)
UNTOUCHED = ("cut_at_blank_line", "strip_quotes", "nfkc")
FORMATTERS = {
    **dict.fromkeys(("jamp", "janli", "jnli", "jsem", "jsick"), LABEL),
    **dict.fromkeys(("jcommonsenseqa", "commonsensemoralja", "mawps", "chabsa"), STRIP),
    **dict.fromkeys(("wiki_reading", "wiki_ner", "wiki_dependency", "wiki_pas", "wiki_coreference"), STRIP),
    **dict.fromkeys(("jemhopqa", "jsquad", "niilc"), DELETE),
    **dict.fromkeys(("aio", "kuci", "mgsm", "jblimp", "jcola-in-domain", "jcola-out-of-domain"), UNTOUCHED),
    **dict.fromkeys(("alt-e-to-j", "alt-j-to-e", "wikicorpus-e-to-j", "wikicorpus-j-to-e"), UNTOUCHED),
}


def test_messages_begin_with_the_preamble_and_shots_are_turns():
    intro = (
        "以下に、あるタスクを説明する指示があり、それに付随する入力が更なる文脈を提供しています。"
        "リクエストを適切に完了するための回答を記述してください。"
    )
    messages = make_style("chat_nejumi").messages("指示。", [Shot("1+1", "2")], "2+2", multiturn=True)
    assert messages == [
        {"role": "user", "content": f"{intro}\n指示。\n\n1+1"},
        {"role": "assistant", "content": "2"},
        {"role": "user", "content": "2+2"},
    ]


@pytest.mark.parametrize("own", [V3, V4], ids=lambda own: own.name)
def test_every_dataset_is_asked_as_the_board_asks_it(own):
    for rules in own.tasks.values():
        assert rules.task == f"{own.prefix}_{rules.dataset}_{rules.shots}shot"
        assert rules.shots in (0, 2)
        assert rules.normalization == FORMATTERS[rules.dataset], rules.dataset
        assert (rules.split, rules.prompt_style) == ("test", "chat_nejumi")
        assert rules.generation == {"until": [], "temperature": 0.1}
        wiki = own is V3 and "wiki" in rules.dataset  # wikicorpus, too
        assert rules.questions == (20 if wiki else 100), rules.dataset
    figures = {rules.dataset for rules in own.tasks.values() if rules.metrics[0] == "exact_match_figure"}
    assert figures == {"mawps", "mgsm"}
    metrics = {rules.dataset: rules.metric for rules in own.tasks.values()}
    assert metrics["alt-e-to-j"] == metrics["alt-j-to-e"] == "comet_wmt22"
    assert metrics["jsquad"] == metrics["jemhopqa"] == metrics["niilc"] == metrics["aio"] == "char_f1"


def test_texts_and_lengths_are_those_of_the_protocols_they_come_from():
    earlier = [load_protocol("llm_jp_eval"), load_protocol("llm_jp_eval_1_4")]
    texts = {rules.dataset: rules for own in reversed(earlier) for rules in own.tasks.values()}
    for own in (V3, V4):
        for rules in own.tasks.values():
            if rules.dataset != "mgsm":
                known = texts[rules.dataset]
                assert (rules.instruction, rules.output_length) == (known.instruction, known.output_length)
    mgsm = V3.tasks["nejumi3_mgsm_0shot"]
    assert mgsm.instruction == (
        "質問を入力とし、数字のみの回答を出力してください。回答の他には何も含めないことを厳守してください。"
    )
    assert mgsm.output_length == 10


def j(scores: Mapping[str, float], dataset: str) -> float:
    return (scores[f"nejumi3_{dataset}_0shot"] + scores[f"nejumi3_{dataset}_2shot"]) / 2


def glp(scores: Mapping[str, float]) -> float:
    """GLP of Nejumi 3, from the description of the board."""

    def m(category: str) -> float:
        return scores[f"nejumi3_mtbench_{category}"] / 10

    def js(*datasets: str) -> list[float]:
        return [j(scores, dataset) for dataset in datasets]

    return fmean(
        [
            fmean([m("roleplay"), m("writing"), m("humanities")]),
            fmean(js("alt-e-to-j", "alt-j-to-e", "wikicorpus-e-to-j", "wikicorpus-j-to-e")),
            j(scores, "jsquad"),
            m("reasoning"),
            fmean([*js("mawps", "mgsm"), m("math")]),
            fmean([*js("wiki_ner", "wiki_coreference", "chabsa"), m("extraction")]),
            fmean([*js("jcommonsenseqa", "jemhopqa", "jmmlu", "niilc", "aio"), m("stem")]),
            j(scores, "mmlu_en"),
            fmean(js("jnli", "janli", "jsem", "jsick", "jamp")),
            fmean(
                js(
                    "jcola-in-domain",
                    "jcola-out-of-domain",
                    "jblimp",
                    "wiki_reading",
                    "wiki_pas",
                    "wiki_dependency",
                )
            ),
        ]
    )


def alt(scores: Mapping[str, float]) -> float:
    """ALT of Nejumi 3."""
    control = (scores["nejumi3_control_0shot"] + scores["nejumi3_control_2shot"]) / 2
    rest = ("commonsensemoralja_2shot", "toxicity_judged", "jbbq", "jmmlu_robustness", "jtruthfulqa")
    return fmean([(control + scores["nejumi3_lctg"]) / 2, *(scores[f"nejumi3_{name}"] for name in rest)])


LEAVES = {leaf.name: leaf.scale for leaf in V3.leaves()}


@given(st.lists(st.floats(0, 1), min_size=len(LEAVES), max_size=len(LEAVES)))
def test_the_tree_of_nejumi_3_is_the_boards(numbers):
    scores = {name: scale * number for (name, scale), number in zip(LEAVES.items(), numbers, strict=True)}
    found = evaluate(V3.scores[0], scores, mean_number)
    assert found["nejumi3_glp"] == pytest.approx(glp(scores), abs=1e-12)
    assert found["nejumi3_alt"] == pytest.approx(alt(scores), abs=1e-12)
    assert found["nejumi3"] == pytest.approx((glp(scores) + alt(scores)) / 2, abs=1e-12)


def test_nejumi_3_has_no_total_without_toxicity():
    scores = dict.fromkeys(LEAVES, 0.5)
    del scores["nejumi3_toxicity_judged"]
    found = evaluate(V3.scores[0], scores, mean_number)
    assert found["nejumi3"] == Missing(("アラインメント(ALT)_AVG",), 2)
    assert isinstance(found["nejumi3_glp"], float)


def test_coding_is_no_member_of_nejumi_3():
    assert "nejumi3_mtbench_coding" not in LEAVES
    assert sum(name.startswith("nejumi3_mtbench") for name in LEAVES) == 7


@pytest.mark.parametrize("own", [V3, V4], ids=lambda own: own.name)
def test_no_group_runs_a_task_twice(own):
    """The harness refuses a task that two of a group's members have."""
    for root in own.scores:
        asked = [leaf.task for leaf in root.leaves() if not leaf.given]
        assert len(asked) == len(set(asked))


def test_control_looks_at_the_answers_that_are_scored():
    control = {leaf.name: leaf for leaf in V4.leaves() if leaf.name.startswith("nejumi4_control_")}
    assert len(control) == 30
    for name, leaf in control.items():
        dataset, shots = name.removeprefix("nejumi4_control_").rsplit("_", 1)
        if dataset in ("jmmlu", "mmlu_prox_ja"):
            assert leaf.task == name, "no task asks it"
            continue
        assert (leaf.task, leaf.metric) == (f"nejumi4_{dataset}_{shots}", "in_form")
        assert "in_form" in V4.tasks[leaf.task].metrics
        assert V4.tasks[leaf.task].metric != "in_form", "what counts is another metric"


def test_categories_of_mtbench_have_intervals_in_the_boards_tree_too():
    ratings = {name: [[[5.0 + index], [6.0]] for index in range(4)] for name in CATEGORIES}
    chat = mtbench_task(
        ratings, task="nejumi_mtbench_2024", protocol="mtbench-ja-2024", dataset="mtbench_2024"
    )
    jsquad = jaster_task("jsquad", [1.0, 0.0, 0.5, 1.0], task="nejumi3_jsquad_0shot", protocol="nejumi3")
    own = run("m", [chat, jsquad])
    (board,) = (board for board in make_leaderboards([own]) if board.protocol == "nejumi3")
    reasoning = board.rows[0].scores["nejumi3_reasoning"]
    assert reasoning.value == pytest.approx(chat.values["reasoning"] / 10)
    intervals = bootstrap_intervals([own], resamples=50)["m"].scores
    interval = intervals["nejumi3_reasoning"]
    assert interval is not None
    assert interval.value == pytest.approx(reasoning.value)
    assert interval.low < interval.value < interval.high
    assert interval.high - interval.low == pytest.approx(
        (intervals["nejumi_mtbench_2024_reasoning"].high - intervals["nejumi_mtbench_2024_reasoning"].low)
        / 10
    )
