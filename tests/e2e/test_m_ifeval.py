"""M-IFEval end to end on recorded answers: scores, intervals that draw prompts, and which instructions fail."""

import csv
import io
import json

import pytest

ANSWERS = ["鳥を見た", "はい:\n・箱\n・紐\n・布", "```json\n{}\n```", "音楽。", "123"]


def test_the_report_has_intervals_and_failed_instructions(command, tmp_path):
    pytest.importorskip("janome")
    sample = ["--metadata", json.dumps({"data": "sample"})]
    command("lm-eval-ja", "prompts", "--tasks", "m_ifeval_ja", *sample, "-o", "prompts.jsonl")
    lines = (tmp_path / "prompts.jsonl").read_text(encoding="utf-8").splitlines()
    answers = [{**json.loads(line), "output": text} for line, text in zip(lines, ANSWERS, strict=True)]
    (tmp_path / "answers.jsonl").write_text("".join(json.dumps(own) + "\n" for own in answers))
    run = command(
        *(
            "lm_eval",
            "run",
            "--model",
            "recorded",
            "--model_args",
            "path=answers.jsonl",
            "--tasks",
            "m_ifeval_ja",
        ),
        *(*sample, "--output_path", "out", "--log_samples"),
    )
    results = run.results()["results"]["m_ifeval_ja"]
    verdicts = [
        verdict for own in run.samples("m_ifeval_ja") for verdict in json.loads(own["filtered_resps"][0])
    ]
    assert results["instruction_strict,none"] == sum(own["strict"] for own in verdicts) / len(verdicts)

    shown = command("lm-eval-ja", "report", "out", "--json", "--resamples", "200").output
    report = json.loads(shown[shown.index("{\n") :])
    (board,) = report["leaderboards"]
    score = board["rows"][0]["scores"]["m_ifeval_ja"]
    assert score["value"] == results["instruction_strict,none"]
    assert 0 <= score["low"] < score["value"] < score["high"] <= 1
    # Prompts are what is drawn: the harness's standard error of the ratio, which the interval is made from.
    (own,) = report["runs"].values()
    failed = own["instructions_not_followed"]
    assert sum(each["of"] for each in failed.values()) == len(verdicts)
    assert sum(each["failed"] for each in failed.values()) == sum(not own["strict"] for own in verdicts)
    assert own["recovered"].get("m_ifeval_ja") in (None, score["value"]), "nothing is forgiven"
    table = command("lm-eval-ja", "report", "out", "--csv", "--resamples", "200").output
    (row,) = csv.DictReader(io.StringIO(table[table.index("table,") :]))
    assert float(row["m_ifeval_ja_low"]) == score["low"]
    plain = command("lm-eval-ja", "report", "out", "--resamples", "0").output
    assert "M-IFEval (Japanese): instructions not followed" in plain
    command("lm-eval-ja", "report", "out", "-o", "report.html", "--resamples", "50")
