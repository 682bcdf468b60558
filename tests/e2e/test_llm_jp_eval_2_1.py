"""llm-jp-eval 2.1's default prompt, end to end on recorded answers, as chat and as text."""

import csv
import io
import json

import pytest

pytest.importorskip("math_verify", reason="the extra math is not installed")
SAMPLE = ["--metadata", json.dumps({"data": "sample"})]
NAME = "llm_jp_eval_2_1"
ANSWERS = {
    "jnli": "理由は略します。\n\n<answer> neutral </answer>",
    "jsem": "yes",  # not in tags
    "mawps": r"よって\n\n$\boxed{12.0}$",
    "jcommonsenseqa": "0\n\nなぜなら",
    "jsquad": "<answer>東京</answer>",
}


def asked(command, tmp_path, *options):
    command("lm-eval-ja", "prompts", "--tasks", NAME, *SAMPLE, *options, "-o", "prompts.jsonl")
    return [
        json.loads(line) for line in (tmp_path / "prompts.jsonl").read_text(encoding="utf-8").splitlines()
    ]


def test_a_chat_is_one_user_message_and_scores_add_up(command, tmp_path):
    lines = asked(command, tmp_path, "--apply_chat_template")
    for line in lines:
        (message,) = line["messages"]
        shots = 0 if "jsem" in line["task"] or "wikicorpus" in line["task"] else 4
        assert message["content"].count("### 応答:") == message["content"].count("### 入力:") == shots + 1
        assert message["content"].count("\n</example_4>\n</examples>\n### 入力:\n") == (shots == 4)
        assert message["content"].startswith("### 指示\n")
        assert message["content"].endswith("\n### 応答:")
        assert line["until"] == []
    answers = [
        {**line, "output": ANSWERS.get(line["task"].removeprefix(f"{NAME}_"), "<answer>0</answer>")}
        for line in lines
    ]
    (tmp_path / "answers.jsonl").write_text(
        "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in answers), encoding="utf-8"
    )
    run = command(
        *("lm_eval", "run", "--model", "recorded", "--model_args", "path=answers.jsonl", "--tasks", NAME),
        *(*SAMPLE, "--apply_chat_template", "--output_path", "out", "--log_samples"),
    )
    raw = run.results()
    results = raw["results"]
    assert "deviates" not in json.dumps(raw)
    signature = raw["configs"][f"{NAME}_jnli"]["metadata"]["signature"]
    assert "|shots:4|style:default_2_1+chat_template|norm:answer_tags+nfkc|gen:greedy-15" in signature
    predictions = {
        dataset: {sample["filtered_resps"][0] for sample in run.samples(f"{NAME}_{dataset}")}
        for dataset in ANSWERS
    }
    assert predictions == {
        "jnli": {"neutral"}, "jsem": {""}, "mawps": {"12.0"}, "jcommonsenseqa": {"0"}, "jsquad": {"東京"},
    }  # fmt: skip
    ool = {
        dataset: results[f"{NAME}_{dataset}"]["ool,none"] for dataset in ("jnli", "jsem", "jcommonsenseqa")
    }
    assert ool == {"jnli": 0.0, "jsem": 1.0, "jcommonsenseqa": 0.0}
    nli = [
        results[f"{NAME}_{name}"]["exact_match,none"] for name in ("jamp", "janli", "jnli", "jsem", "jsick")
    ]
    assert results[f"{NAME}_nli"]["score,none"] == pytest.approx(sum(nli) / 5)
    assert "(missing: " in results[NAME]["alias"]
    shown = command("lm-eval-ja", "report", "out", "--csv", "--resamples", "0").output
    (row,) = csv.DictReader(io.StringIO(shown[shown.index("table,") :]))
    assert row[NAME] == row[f"{NAME}_lang_ja"] == row[f"{NAME}_cr"] == row[f"{NAME}_fa"] == ""
    for category in ("nli", "rc", "el"):
        assert float(row[f"{NAME}_{category}"]) == results[f"{NAME}_{category}"]["score,none"]


def test_without_a_chat_template_the_text_is_the_same(command, tmp_path):
    chat = asked(command, tmp_path, "--apply_chat_template")
    text = asked(command, tmp_path)
    assert [(line["task"], line["prompt"]) for line in text] == [
        (line["task"], line["messages"][0]["content"]) for line in chat
    ]
