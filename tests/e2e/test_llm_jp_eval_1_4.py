"""llm-jp-eval 1.4.1 end to end on recorded answers: what can be had is scored, what cannot is named."""

import csv
import io
import json

import pytest

TASKS = "llm_jp_eval_1_4,llm_jp_eval_1_4_aio,llm_jp_eval_1_4_kuci"


def test_what_cannot_be_had_is_missing_and_the_rest_is_scored(command, tmp_path):
    sample = ["--metadata", json.dumps({"data": "sample"})]
    command("lm-eval-ja", "prompts", "--tasks", TASKS, *sample, "-o", "prompts.jsonl")
    lines = [
        json.loads(line) for line in (tmp_path / "prompts.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    asked = {line["task"].removeprefix("llm_jp_eval_1_4_") for line in lines}
    assert {"commonsensemoralja", "kuci", "aio", "jmmlu", "wikicorpus-e-to-j"} <= asked
    assert not asked & {"mmlu_en", "mbpp", "xlsum_ja"}
    moral = [line for line in lines if line["task"] == "llm_jp_eval_1_4_commonsensemoralja"]
    assert moral
    assert all(
        (line["prompt"].count("文章："), line["prompt"].count("### 応答:"), line["max_gen_toks"]) == (5, 5, 3)
        for line in moral
    )
    answers = [
        json.dumps({**line, "output": "1" if line in moral else "0"}, ensure_ascii=False) for line in lines
    ]
    (tmp_path / "answers.jsonl").write_text("\n".join(answers) + "\n", encoding="utf-8")
    run = command(
        *("lm_eval", "run", "--model", "recorded", "--model_args", "path=answers.jsonl", "--tasks", TASKS),
        *(*sample, "--output_path", "out", "--log_samples"),
    )
    results = run.results()["results"]
    assert "deviates" not in json.dumps(run.results())
    assert results["llm_jp_eval_1_4"]["alias"].count("CG, SUM") == 1
    assert "mmlu_en" in results["llm_jp_eval_1_4_he"]["alias"]
    shown = command("lm-eval-ja", "report", "out", "--csv", "--resamples", "0").output
    (row,) = csv.DictReader(io.StringIO(shown[shown.index("table,") :]))
    assert row["llm_jp_eval_1_4"] == row["llm_jp_eval_1_4_he"] == ""
    # The report knows all members that were run, in a group or not.
    three = [
        results[f"llm_jp_eval_1_4_{name}"]["exact_match,none"]
        for name in ("jcommonsenseqa", "commonsensemoralja", "kuci")
    ]
    assert float(row["llm_jp_eval_1_4_mc"]) == pytest.approx(sum(three) / 3)
    assert "llm_jp_eval_1_4_kuci=sample" in row["statuses"]
    assert "certified" not in row["statuses"], "nothing is certified of made-up questions"
    present = row["categories_present"].split()
    assert {"NLI", "RC", "MC", "EL", "FA", "MR"} <= {*present}
    assert not {"HE", "CG", "SUM"} & {*present}
    own = [float(row[f"llm_jp_eval_1_4_{label.lower()}"]) for label in present]
    assert float(row["mean_of_present"]) == pytest.approx(sum(own) / len(own))
    plain = command("lm-eval-ja", "report", "out", "--resamples", "0").output
    assert f"mean of the {len(present)} categories present" in plain
    assert "this is not AVG" in plain
    command("lm-eval-ja", "report", "out", "-o", "report.html", "--resamples", "0")
    assert "llm-jp-eval 1.4.1" in (tmp_path / "report.html").read_text(encoding="utf-8")
