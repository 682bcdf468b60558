"""Every rank of a run knows what the others' answers had of thoughts: the first writes the signature."""

import subprocess
import sys

import pytest

pytest.importorskip("torch")

RANK = """
import sys
from torch import distributed
from lm_eval_ja.tasks._thoughts import Answers
from lm_eval_ja.tasks.options import AnswerOptions

rank, states = int(sys.argv[1]), sys.argv[3:]
distributed.init_process_group("gloo", init_method=f"file://{sys.argv[2]}", rank=rank, world_size=2)
answers = Answers(AnswerOptions(), {})
if rank == 1:
    answers.answer(states[0], "prompt")
for _ in range(2):  # as a conversation does: what was heard before is not counted twice
    answers.hear_from(2)
print(answers.signature_fields(stops=False, usual="auto"), answers.signature_fields(stops=True))
distributed.destroy_process_group()
"""


@pytest.mark.parametrize(
    ("answer", "fields"),
    [("<think>終わらない", "{'thoughts': 'auto'} {'thoughts': 'auto'}"), ("東京", "{} {}")],
)
def test_thoughts_on_the_second_rank_are_in_the_firsts_signature(tmp_path, answer, fields):
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", RANK, str(rank), str(tmp_path / "meet"), answer],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        for rank in (0, 1)
    ]
    for rank in ranks:
        out, errors = rank.communicate(timeout=300)
        assert rank.returncode == 0, errors[-3000:]
        assert out.strip() == fields
