"""llm-jp-eval 2.1 for base models, end to end on recorded answers."""

import csv
import io
import json

import pytest

pytest.importorskip("math_verify", reason="the extra math is not installed")


def test_categories_are_scored_and_the_averages_missing(command, tmp_path):
    base = "llm_jp_eval_2_1_base"
    sample = ["--metadata", json.dumps({"data": "sample"})]
    command("lm-eval-ja", "prompts", "--tasks", base, *sample, "-o", "prompts.jsonl")
    lines = [
        json.loads(line) for line in (tmp_path / "prompts.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    for line in lines:
        assert line["prompt"].count("### 応答:") == 5
        assert "\n回答以外には何も含めないことを厳守してください。\n\n### 入力:\n" in line["prompt"]
        assert line["prompt"].endswith("\n\n### 応答:")
    answers = [json.dumps({**line, "output": "\n0\n\n次"}, ensure_ascii=False) for line in lines]
    (tmp_path / "answers.jsonl").write_text("\n".join(answers) + "\n", encoding="utf-8")
    run = command(
        *("lm_eval", "run", "--model", "recorded", "--model_args", "path=answers.jsonl", "--tasks", base),
        *(*sample, "--output_path", "out", "--log_samples"),
    )
    results = run.results()["results"]
    assert "deviates" not in json.dumps(run.results())
    assert {sample["filtered_resps"][0] for sample in run.samples(f"{base}_jcommonsenseqa")} == {"0"}
    assert 0 < results[f"{base}_commonsensemoralja"]["exact_match,none"] < 1
    assert "(missing: " in results[base]["alias"]
    shown = command("lm-eval-ja", "report", "out", "--csv", "--resamples", "0").output
    (row,) = csv.DictReader(io.StringIO(shown[shown.index("table,") :]))
    assert row[base] == row[f"{base}_lang_ja"] == row[f"{base}_fa"] == ""
    nli = [results[f"{base}_{name}"]["exact_match,none"] for name in ("jamp", "janli", "jnli", "jsick")]
    assert row[f"{base}_nli"] == "", "jsem is not there"
    assert float(row[f"{base}_el"]) == results[f"{base}_el"]["score,none"]
    assert max(nli) == pytest.approx(0.0)
    # "0" is no label of the NLI datasets; it is one of the others'.
    out_of_list = {name: results[f"{base}_{name}"]["ool,none"] for name in ("jnli", "jcommonsenseqa")}
    assert out_of_list == {"jnli": 1.0, "jcommonsenseqa": 0.0}
    assert float(row[f"{base}_jnli_ool"]) == 1.0
    assert "missing: " in results[f"{base}_mr"]["alias"]
    mawps = run.samples(f"{base}_mawps")
    assert [sample["mathematical_equivalence"] for sample in mawps] == [
        float(sample["target"] == "0") for sample in mawps
    ]
    assert "mean_of_present" not in row, "EL is the only category without a missing member"
