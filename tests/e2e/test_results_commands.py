"""What comes after a run, by the command lines: verify, gate, publish, on results of the real harness."""

import json

SAMPLE = ("--metadata", json.dumps({"data": "sample"}))
POLICY = """\
rules:
  - every: category
    lose_at_most: 60%
"""


def test_a_run_is_verified_gated_and_published(lm_eval, lm_eval_ja, sample_answers, tmp_path):
    run = lm_eval("--model", "recorded", "--model_args", f"path={sample_answers},model=lab/model",
                  "--tasks", "nejumi_jaster", *SAMPLE)  # fmt: skip
    assert "all follow from the answers" in lm_eval_ja("verify", "out").output

    (tmp_path / "policy.yaml").write_text(POLICY, encoding="utf-8")
    gate = lm_eval_ja("gate", "out", "out", "--policy", "policy.yaml", ok=False)
    assert gate.code in (0, 3)  # a model is never shown to be worse than itself
    assert "note: both are the same results" in gate.output
    assert "\nGO: " in gate.output or "\nINCONCLUSIVE: " in gate.output

    lm_eval_ja("publish", "out", "--format", "leaderboard", "-o", "public")
    (board,) = json.loads((tmp_path / "public" / "leaderboard.json").read_text(encoding="utf-8"))[
        "leaderboards"
    ]
    assert board["rows"][0]["scores"]["nejumi_jaster"]["value"] == run.score("nejumi_jaster")
    assert board["sample"] is True
    assert str(tmp_path) not in (tmp_path / "public" / "index.html").read_text(encoding="utf-8")
