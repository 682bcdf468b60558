"""Thoughts and answers are told apart, whatever a model writes; a text without thoughts stays as it is."""

import json
import pickle
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_eval_ja.adapters import make_request
from lm_eval_ja.analysis._leaderboards import comparable_settings
from lm_eval_ja.errors import OptionError
from lm_eval_ja.judge.mtbench import visible_answers
from lm_eval_ja.metrics import sample_values
from lm_eval_ja.plugin import generate_until_multi_turn
from lm_eval_ja.prompts import Conversation
from lm_eval_ja.protocols import parse_signature, signature
from lm_eval_ja.tasks._thoughts import Answers
from lm_eval_ja.tasks.options import AnswerOptions
from lm_eval_ja.thoughts import (
    AS_FOUND,
    FAMILIES,
    NoAnswer,
    ServerAnswer,
    State,
    model_free,
    parse_thoughts,
    read_field,
    write_field,
)
from tests.support.made_up_runs import jaster_task

HARMONY = (
    "<|channel|>analysis<|message|>hm\n\nhm<|end|><|start|>assistant<|channel|>final<|message|>東京<|return|>"
)
TAGS = [tag for own in FAMILIES.values() for tag in (own.opening, own.closing)]
ODD = st.lists(st.sampled_from([*TAGS, "\n\n", " ", "答え", "analysis", "assistantfinal", "a"])).map("".join)


@pytest.mark.parametrize(
    ("text", "answer", "state"),
    [
        ("東京", "東京", "none"),
        ("", "", "none"),
        (" \n\n東京\n\n", " \n\n東京\n\n", "none"),
        ("<think>\n一\n\n二\n</think>\n\n東京\n\nです", "東京\n\nです", "separated"),
        ("  <think>一</think>東京", "東京", "separated"),
        ("一\n\n二\n</think>\n東京", "東京", "separated"),  # the template has opened it
        ("<think></think>", "", "separated"),
        ("<think>一</think>二<think>三</think>東京", "東京", "separated"),
        ("<think>一\n\n二", "", "unfinished"),
        ("<think>一</think><think>二", "", "unfinished"),
        ("東京。<think>は印", "東京。<think>は印", "none"),  # not at the beginning: the answer's own
        ("<reasoning>一</reasoning>東京", "東京", "separated"),
        ("<thinking>一</thinking>東京", "東京", "separated"),
        ("<thinking>一</think>", "", "unfinished"),
        ("[THINK]一[/THINK]東京", "東京", "separated"),
        (HARMONY, "東京", "separated"),
        (HARMONY.partition("<|start|>")[0], "", "unfinished"),
        ("<|channel|>commentary<|message|>x", "", "unfinished"),
        ("<|channel|>final<|message|>東京", "東京", "separated"),
        ("analysisWe think.\n\nassistantfinal東京", "東京", "separated"),  # special tokens left out
        ("analysis of the text", "analysis of the text", "none"),
    ],
)
def test_what_is_the_answer(text, answer, state):
    reading = AS_FOUND.read(text)
    assert (reading.answer, reading.state.value) == (answer, state)
    assert text.startswith(reading.thought)
    assert isinstance(reading.answer, NoAnswer) is (state == "unfinished")


def test_a_prompt_may_end_with_the_opening_tag():
    opened = AS_FOUND.opened_by("<|assistant|>\n<think>\n")
    assert AS_FOUND.read("一\n\n二", opened).state is State.UNFINISHED
    assert AS_FOUND.read("一</think>東京", opened).answer == "東京"
    assert AS_FOUND.opened_by("<|assistant|>\n<think>\n\n</think>\n\n") is None, (
        "a template that forbids thoughts"
    )
    assert AS_FOUND.opened_by("") is None


@given(ODD)
def test_no_text_is_too_odd(text):
    for option in ("auto", "separate", "keep", *FAMILIES, ["a", "答え"]):
        reading = parse_thoughts(option).read(text)
        if reading.state is State.NONE:
            assert reading == (type(reading))(text, "", State.NONE)
        else:
            assert text.startswith(reading.thought)
            assert not reading.answer[:1].isspace()
            assert reading.answer in text


@given(
    st.text().filter(lambda text: not any(tag in text for tag in (*TAGS, "<|channel|>", "assistantfinal")))
)
def test_text_without_tags_stays_as_it_is(text):
    for option in ("auto", "separate", "keep", "think", ["<t>", "</t>"]):
        if option != ["<t>", "</t>"] or ("<t>" not in text and "</t>" not in text):
            assert parse_thoughts(option).read(text).answer == text


@pytest.mark.parametrize("part", [*TAGS, "<think></think>", " ", "\n<think>", "analysis"])
def test_a_long_text_is_read_in_linear_time(part):
    """In quadratic time, it would never end within a test's time limit."""
    assert len(AS_FOUND.read(part * 200_000).answer) <= len(part) * 200_000


def test_an_option_names_the_tags():
    assert parse_thoughts("keep").read("<think>一</think>東京").answer == "<think>一</think>東京"
    assert parse_thoughts("reasoning").read("<think>一</think>東京").state is State.NONE
    own = parse_thoughts(["<考>", "</考>"])
    assert own.read("<考>一\n\n</考>東京").answer == "東京"
    assert parse_thoughts("harmony").read("analysisEndless").state is State.UNFINISHED
    assert [parse_thoughts(name).expected for name in ("auto", "keep", "separate", "think")] == [0, 0, 1, 1]
    assert read_field(write_field("separated", own) + "+think_end_token").tags == own.tags
    assert read_field(write_field("separated", parse_thoughts("separate"))) is AS_FOUND


@pytest.mark.parametrize("text", ["analysisEndless", "analysishm.assistantfinal東京", HARMONY, "東京"])
def test_answers_of_harmony_are_read_again_as_they_were(text):
    own = parse_thoughts("harmony")
    field = write_field("separated", own)
    again = read_field(parse_signature(signature({"thoughts": field}))["thoughts"])
    assert again.read(text) == own.read(text)
    assert model_free(field) == write_field("separated", parse_thoughts("separate"))
    runs = [jaster_task("jnli", [1.0], signature={"thoughts": own}) for own in (field, "separated")]
    assert len({str(comparable_settings(task)) for task in runs}) == 1, "ranked together"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_read_again_alone(family):
    own = parse_thoughts(family)
    field = write_field("separated", own)
    again = read_field(parse_signature(signature({"thoughts": field}))["thoughts"])
    assert again.tags == own.tags
    other = "reasoning" if family != "reasoning" else "think"
    tags = FAMILIES[other]
    text = f"{tags.opening}一{tags.closing}東京"
    assert again.read(text) == own.read(text)
    assert own.read(text).answer == text, "another family's tags are part of the answer"
    assert model_free(field) == "separated"


@pytest.mark.parametrize(
    "tags",
    [
        ["<my thoughts>", "</my thoughts>"],
        ["x) y+", "z"],
        ["(a\nb)", "50%"],
        ["<|t|>", "<|/t|>"],
        ["考　え", ")"],
    ],
)
def test_a_signature_gives_the_users_tags_back(tags):
    own = parse_thoughts(tags)
    for end in ("", "+think_end_token"):
        fields = parse_signature(signature({"thoughts": write_field("separated", own) + end}))
        assert read_field(fields["thoughts"]).tags == own.tags


@pytest.mark.parametrize(
    "value", ["thinks", "", None, True, 3, [], ["<a>"], ["<a>", ""], ["<a>", 1], ["a", "b", "c"]]
)
def test_other_values_are_refused(value):
    with pytest.raises(OptionError, match=r"thoughts is .*; it may be auto, separate, keep, think"):
        parse_thoughts(value)


def test_a_servers_answer_is_the_text_it_was_and_survives_a_cache():
    answer = ServerAnswer("", "", "hm\n\nhm", finished=False)
    assert answer == ""
    again = pickle.loads(pickle.dumps(answer))  # noqa: S301  # what --use_cache does
    assert again.raw(AS_FOUND.tags) == "<think>hm\n\nhm"
    assert ServerAnswer("東京", "東京", "hm", finished=True).raw(AS_FOUND.tags) == "東京"
    assert again.raw(parse_thoughts("keep").tags) == ""


@pytest.mark.parametrize("option", ["auto", "separate", *FAMILIES, ["<考>", "</考>"]])
def test_a_servers_unfinished_thoughts_are_no_answer_whatever_tags_are_looked_for(option):
    answer = ServerAnswer("", "", "東京かも", finished=False)
    handling = parse_thoughts(option)
    assert handling.read(answer.raw(handling.tags)).state is State.UNFINISHED
    lm = SimpleNamespace(
        generate_until=lambda requests: [answer for _ in requests],
        apply_chat_template=json.dumps,
        cache_hook=SimpleNamespace(dbdict=None),
    )
    conversation = Conversation(("一", "二"), chat=True, thoughts=option).data()
    request = make_request("generate_until_multi_turn", {}, ("一", conversation), "nejumi_mtbench", 0)
    ((first, second, prompt),) = generate_until_multi_turn(lm, [request])
    assert visible_answers([first, second, prompt], handling, chat=True, whole=False) == [None, None]


def test_a_conversation_does_not_go_on_without_an_answer():
    conversation = Conversation(("一", "二"), chat=False)
    assert conversation.second("<think>終わらない") is None
    assert "答え\n\n### 指示: \n二" in conversation.second("<think>hm</think>答え")
    kept = Conversation(("一", "二"), chat=False, thoughts="keep")
    assert "<think>hm</think>答え" in kept.second("<think>hm</think>答え")


def test_missing_answers_have_no_vote_and_are_never_right():
    own = sample_values("exact_match", [NoAnswer(), NoAnswer(), "a"], "a")
    assert (own["exact_match"], own["exact_match_majority"]) == (1 / 3, 1.0)
    for form in (None, {"a", "b"}.__contains__):  # what has no answer has no form, and is out of the list
        assert sample_values("in_form", [NoAnswer()], "a", form) == {"in_form": 0.0}
        assert sample_values("ool", [NoAnswer()], "a", form) == {"ool": 1.0}
    none = sample_values("exact_match", [NoAnswer(), NoAnswer()], "")
    assert (none["exact_match"], none["exact_match_majority"]) == (0.0, 0.0)


def test_conversations_with_unfinished_thoughts_do_not_rank_with_runs_that_had_them_judged():
    answers = Answers(AnswerOptions(), {})
    answers.count(State.SEPARATED)
    assert answers.signature_fields(stops=False, usual="auto") == {}, "as ever"
    answers.count(State.UNFINISHED)
    assert answers.signature_fields(stops=False, usual="auto") == {"thoughts": "auto"}
