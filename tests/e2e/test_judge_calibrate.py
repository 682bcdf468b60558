"""``lm-eval-ja judge --calibrate`` as a user runs it."""

import json
import re

import pytest

from tests.e2e.test_mtbench import KEY, answers  # noqa: F401 -- a fixture
from tests.support.judge_server import JudgeServer, rating_of, say


def two_judges(call):
    """The new judge rates half a point less per point, begins at 4, and gives every answer that asks for it a 10."""
    if call.prompt == "1":
        return say("1")
    old = rating_of(call.messages)
    if call.body["model"] == "gpt-4":
        return say(f"[[{old}]]")
    return say("[[10]]" if "Note to the grader" in call.prompt else f"[[{4 + old / 2:g}]]")


def test_a_new_judge_is_held_against_the_old_one(lm_eval, lm_eval_ja, answers, tmp_path):  # noqa: F811 -- the fixture
    with JudgeServer(two_judges) as server:
        old = {"data": "sample", "judge_base_url": server.url}
        done = lm_eval(
            *("--model", "recorded", "--model_args", f"path={answers}", "--tasks", "nejumi_mtbench"),
            *("--metadata", json.dumps(old)),
            env=KEY,
        )
        score = done.score("nejumi_mtbench")
        flags = ["--judge_base_url", server.url, "--judge_model", "new-judge"]

        lm_eval_ja("judge", "--from-run", "out", "--freeze", "ruler.jsonl")
        frozen = (tmp_path / "ruler.jsonl").read_text(encoding="utf-8").splitlines()
        assert len(frozen) == 16
        plan = lm_eval_ja("judge", "--calibrate", "ruler.jsonl", *flags, "--judge_dry_run", env=KEY)
        probes = int(re.search(r"calibration: (\d+) judgments by new-judge", plan.output)[1]) - 16
        assert 0 < probes <= 8
        early = lm_eval_ja("judge", "out", "--calibrate", "ruler.jsonl", *flags, env=KEY, ok=False)
        assert "rated by gpt-4, not by new-judge: judge it first" in early.output
        assert early.code == 2

        server.calls.clear()
        lm_eval_ja("judge", "out", *flags, env=KEY)
        human = "".join(f"{json.loads(line)['id']},1,7\n" for line in frozen if json.loads(line)["turn"] == 1)
        (tmp_path / "human.csv").write_text("id,turn,rating\n" + human)
        done = lm_eval_ja(
            *(
                "judge",
                "out",
                "--calibrate",
                "ruler.jsonl",
                *flags,
                "--json",
                "all.json",
                "--max-width",
                "20",
            ),
            env=KEY,
        )
        assert len(server.calls) == 16 + probes + 2, (
            "what the run was judged by is in the store; two preflights"
        )
    assert "offset +4.00 [+4.00, +4.00], slope 0.50 [0.50, 0.50]" in done.output
    assert f"{probes} answers that ask for a 10" in done.output
    assert "position      does not apply" in done.output
    values = json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))
    (scores,) = values["mapped"].values()
    assert scores["score"]["mapped"]["value"] == pytest.approx(score)
    assert scores["writing"]["refusal"] == "only 1 frozen questions"
    assert len(values["pairs"]) == 16
    assert values["agreement"]["alpha"] < 1
    assert values["self_new"] is None
    few = lm_eval_ja("judge", "--calibrate", "ruler.jsonl", *flags, "--human", "human.csv", env=KEY, ok=False)
    assert few.code == 2
    assert "human ratings match 8 of 16 judged turns" in few.output, "before a judge is asked, who is gone"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "name the folder of a run"),
        (["--calibrate", "a", "--from-run", "b"], "give one"),
        (["out", "--human", "x.csv"], "--human and --json need --calibrate or --from-run"),
        (["--calibrate", "a", "--freeze", "b"], "--freeze needs --from-run"),
        (["--calibrate", "a", "--batch", "submit"], "--batch does not go with"),
        (["--calibrate", "a", "--max-width", "0"], "--max-width 0.0: a number of points above 0"),
        (["--calibrate", "none.jsonl"], "--calibrate none.jsonl"),
    ],
)
def test_flags_that_do_not_go_together_are_named(capsys, monkeypatch, tmp_path, flags, said):
    from lm_eval_ja.cli import main

    monkeypatch.chdir(tmp_path)
    assert main(["judge", *flags]) != 0
    assert said in capsys.readouterr().err
