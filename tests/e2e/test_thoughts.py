"""A model that thinks with blank lines, now and then without end, behind a real server and the real harness."""

import json
import os
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from tests.e2e.conftest import environment
from tests.support.judge_server import JudgeServer, say
from tests.support.model_server import ModelServer, answer_to, prompt_of, think, thinks_for_ever

TASKS = "nejumi_jaster_jnli,nejumi_jaster_jemhopqa"


@pytest.fixture
def ask(tmp_path, monkeypatch, caplog):
    """The harness in this process, as ``lm_eval run`` starts it: what was said comes with the results."""
    for name in os.environ:
        if name.startswith(("LM_EVAL_JA_", "OPENAI_")):
            monkeypatch.delenv(name)
    for name, value in environment(tmp_path, {"OPENAI_API_KEY": "none"}).items():
        monkeypatch.setenv(name, value)

    def run(server, *, tasks=TASKS, model_args="", gen_kwargs=None, **metadata):
        import lm_eval
        from lm_eval.tasks import TaskManager

        from lm_eval_ja.plugin import TASKS_PATH, _thoughts

        monkeypatch.setattr(_thoughts, "_watch", _thoughts._Watch())
        caplog.clear()
        arguments = dict(part.split("=", 1) for part in model_args.split(",") if part)
        given = {"data": "sample", **metadata, **arguments}  # as the command line merges them
        results = lm_eval.simple_evaluate(
            model="local-chat-completions",
            model_args=f"model=m,base_url={server.chat_url},num_concurrent=4,{model_args}".rstrip(","),
            tasks=tasks.split(","),
            apply_chat_template=True,
            gen_kwargs=gen_kwargs,
            task_manager=TaskManager(include_path=str(TASKS_PATH), include_defaults=False, metadata=given),
        )
        return Done(results, caplog.text)

    return run


@dataclass
class Done:
    """A run that has ended."""

    results: dict[str, Any]
    output: str

    def samples(self, task):
        return sorted(self.results["samples"][task], key=lambda sample: sample["doc_id"])


def signature(done, task="nejumi_jaster_jnli"):
    return done.results["configs"][task]["metadata"]["signature"]


def expected(sample):
    """What the server means to answer: None if it never comes to it."""
    (text,) = sample["arguments"][0][0]
    prompt = json.dumps(json.loads(text), ensure_ascii=False, sort_keys=True)
    return None if thinks_for_ever(prompt) else answer_to(prompt).partition("\n\n")[0]


def test_unexpected_thoughts_are_told_at_the_first_batch(ask):
    """Before: every answer was `<think>` or a part of the thoughts, scored as if it were the answer."""
    with ModelServer(think) as server:
        done = ask(server)
    assert done.output.count("the model's answers begin with thoughts ('<think>") == 1
    assert '--metadata \'{"thoughts": "separate"' in done.output
    assert done.output.index("begin with thoughts") < done.output.index("answers never came")
    for sample in done.samples("nejumi_jaster_jnli"):
        assert sample["resps"][0][0].startswith("<think>"), "samples keep what was generated"
        assert (sample["filtered_resps"], sample["exact_match"]) == ([""], 0.0)
    assert "|thoughts:auto|" in signature(done)


def test_thoughts_are_separated_before_the_answer_is_cut(ask):
    with ModelServer(think) as server:
        done = ask(server, thoughts="separate")
        assert {tuple(call.body["stop"]) for call in server.calls} == {()}, "thoughts hold blank lines"
    samples = done.samples("nejumi_jaster_jnli") + done.samples("nejumi_jaster_jemhopqa")
    answers = [expected(sample) for sample in samples]
    assert None in answers
    assert [sample["filtered_resps"][0] for sample in samples] == [answer or "" for answer in answers]
    assert "|thoughts:separated|" in signature(done)
    assert "answers never came: the thoughts did not end before the token limit. They score 0" in done.output
    assert "does not expect" not in done.output


def test_a_servers_own_separation_gives_the_same_answers(ask):
    with ModelServer(think) as server, ModelServer(partial(think, parser=True)) as parsing:
        by_us = ask(server, thoughts="separate")
        by_server = ask(parsing, thoughts="separate")
        assert "the server separates thoughts" in ask(parsing).output
    for task in TASKS.split(","):
        answers = [
            [(sample["doc"]["id"], sample["filtered_resps"]) for sample in done.samples(task)]
            for done in (by_us, by_server)
        ]
        assert answers[0] == answers[1]
    assert by_us.output.count("answers never came") == by_server.output.count("answers never came") > 0
    endless = next(sample for sample in by_server.samples("nejumi_jaster_jnli") if expected(sample) is None)
    assert endless["resps"][0][0].startswith("<think>まず"), "what the server called reasoning_content"
    assert signature(by_us) == signature(by_server)


def test_the_harness_own_separation_is_in_the_signature(ask):
    with ModelServer(think) as server:
        done = ask(
            server,
            gen_kwargs={"until": ["###"]},
            model_args="think_end_token=</think>",
            tasks="nejumi_jaster_jnli",
        )
    assert "thoughts:auto+think_end_token|" in signature(done), "what did not end has its opening tag still"
    for sample in done.samples("nejumi_jaster_jnli"):
        assert sample["filtered_resps"] == [expected(sample) or ""]


def test_a_limit_that_falls_is_told_and_a_budget_only_rises(ask):
    with ModelServer() as server:
        lower = ask(server, gen_kwargs={"max_gen_toks": 10})
        budget = {"token_budget": "x4"}
        raised = ask(server, tasks=f"{TASKS},nejumi_mtbench_math", judge_model="none", **budget)
        limits = {call.body["max_tokens"] for call in server.calls[-10:]}
    assert (
        "max_gen_toks=10 is below the protocol's limit of nejumi_jaster_jemhopqa (15): answers"
        in lower.output
    )
    assert '{"token_budget": "+10"}' in lower.output
    assert "below the protocol's limit" not in raised.output
    assert limits == {12, 60, 4096}
    assert signature(raised).endswith("|gen:deviates:max_gen_toks=12")
    assert "|gen:deviates:max_gen_toks=4096|" in signature(raised, "nejumi_mtbench_math")


def test_who_keeps_thoughts_has_them_scored(ask):
    with ModelServer(think) as server:
        done = ask(server, thoughts="keep", tasks="nejumi_jaster_jnli")
    assert "thoughts" not in signature(done)
    assert "does not expect" not in done.output
    assert {sample["filtered_resps"][0] for sample in done.samples("nejumi_jaster_jnli")} == {
        "<think>\nまず問題を読みます。"
    }


def test_a_judge_never_sees_thoughts(lm_eval, lm_eval_ja):
    """Unfinished thoughts were judged as the answer, and went into the second turn. Through the real commands."""
    with ModelServer(think) as server, JudgeServer(lambda _: say("[[7]]")) as judge:
        done = lm_eval(
            *("--model", "local-chat-completions", "--apply_chat_template", "--tasks", "nejumi_mtbench"),
            *("--model_args", f"model=m,base_url={server.chat_url},num_concurrent=4"),
            *("--metadata", json.dumps({"data": "sample", "judge_base_url": judge.url})),
            env={"OPENAI_API_KEY": "none"},
        )
        asked = [call.prompt for call in judge.calls]
        endless = {prompt_of(call) for call in server.calls if thinks_for_ever(prompt_of(call))}
        assert not any("考えると" in text or "<think>" in text for text in asked)
        assert not any("考えると" in prompt_of(call) for call in server.calls), "nor does the second turn"
    samples = done.samples("nejumi_mtbench")
    unanswered = 0
    for sample in samples:
        record = json.loads(sample["filtered_resps"][0])
        first, second = record["judgments"]
        without = [turn["rating"] == 1.0 for turn in (first, second)]
        if without[0]:
            assert without[1]
            assert "thoughts of turn 1 did not end" in second["reason"]
            assert record["second_prompt"] == "", "nothing to go on from"
        for turn, missing in zip((first, second), without, strict=True):
            assert turn["rating"] == (1.0 if missing else 7.0)
            assert bool(turn["messages"]) is not missing
            assert (turn["reason"] or "").startswith("unanswered") is missing
        unanswered += sum(without)
    assert endless
    assert unanswered >= len(endless)
    assert done.score("nejumi_mtbench") == pytest.approx(7 - 6 * unanswered / 16)
    assert f"{len(endless)} of " in done.output
    assert "rated 1" in done.output
    report = lm_eval_ja("report", str(done.folder))
    assert "ran out of tokens while thinking in" in report.output
    with JudgeServer(lambda _: say("[[7]]")) as again:
        lm_eval_ja("judge", str(done.folder), "--judge_base_url", again.url, env={"OPENAI_API_KEY": "x"})
        assert len([call for call in again.calls if "\n" in call.prompt]) == 16 - unanswered
