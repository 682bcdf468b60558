"""A run that is judged again says in its signature by which rule its answers were read."""

import pytest

from lm_eval_ja.judge.mtbench import Session
from lm_eval_ja.judge.options import JudgeOptions
from lm_eval_ja.protocols import parse_signature
from lm_eval_ja.rescoring import _rejudge
from lm_eval_ja.thoughts import parse_thoughts

OLD = "protocol:mtbench-ja-neo|version:0.1.0|norm:visible|gen:per-category-1024|judge:gpt-4"


def sample(first: str, second: str = "はい"):
    return {"resps": [[[first, second, "prompt"]]], "arguments": {"gen_args_0": {"arg_1": {"chat": True}}}}


@pytest.mark.parametrize(
    ("answers", "old", "option", "thoughts"),
    [
        (["東京", "<think>一</think>東京"], OLD, "auto", None),
        (["東京", "<think>終わらない"], OLD, "auto", "auto"),
        (["<think>終わらない"], OLD, "keep", None),
        (["<think>終わらない"], f"{OLD}|thoughts:separated", "separate", "separated"),
    ],
)
def test_a_missing_answer_is_in_the_signature(answers, old, option, thoughts):
    session = Session("t", JudgeOptions(judge_model="m"), None, parse_thoughts(option))
    fields = parse_signature(_rejudge._signature(old, session, [sample(answer) for answer in answers]))
    assert fields.get("thoughts") == thoughts
    assert fields["judge"] != "gpt-4"
    assert fields["gen"] == "per-category-1024"
