"""Nejumi 4's runnable leaves end to end on recorded answers: they join its tree, alone and with given scores."""

import csv
import io
import json

import pytest

TASKS = "nejumi4_basic,nejumi4_ethics,nejumi4_math,nejumi4_mgsm_0shot,nejumi3_retrieval"
ANSWERS = {
    "jnli": "\n\n'Neutral'",  # the formatter strips first, then quotes go
    "janli": "回答は entailment",
    "jcola-in-domain": "\n\n1",  # untouched: empty
    "jcola-out-of-domain": '"1"',
    "jblimp": "a\n\nなぜなら",
    "mawps": "12.0",
    "jsquad": "回答: 東京",
}


@pytest.fixture
def run(command, tmp_path):
    sample = ["--metadata", json.dumps({"data": "sample"}), "--apply_chat_template"]
    command("lm-eval-ja", "prompts", "--tasks", TASKS, *sample, "-o", "prompts.jsonl")
    lines = [
        json.loads(line) for line in (tmp_path / "prompts.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    for line in lines:
        shots = 2 if line["task"].endswith("_2shot") else 0
        assert [message["role"] for message in line["messages"]] == ["user", "assistant"] * shots + ["user"]
        assert line["messages"][0]["content"].startswith("以下に、あるタスクを説明する指示があり、")
        assert (line["until"], line["temperature"]) == ([], 0.1)
    answers = [{**line, "output": ANSWERS.get(line["task"].split("_")[1], "1")} for line in lines]
    (tmp_path / "answers.jsonl").write_text(
        "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in answers), encoding="utf-8"
    )
    return command(
        *("lm_eval", "run", "--model", "recorded", "--model_args", "path=answers.jsonl", "--tasks", TASKS),
        *(*sample, "--output_path", "out", "--log_samples"),
    )


def test_leaves_of_runs_join_the_tree_and_given_ones_complete_it(run, command, tmp_path):
    results = run.results()["results"]
    assert "deviates" not in json.dumps(run.results())
    assert "sampled-0.1-3" in json.dumps(run.results())
    predictions = {
        name: {sample["filtered_resps"][0] for sample in run.samples(f"nejumi4_{name}_2shot")}
        for name in ("jnli", "janli", "jcola-in-domain", "jcola-out-of-domain", "jblimp")
    }
    assert predictions == {
        "jnli": {"neutral"},
        "janli": {"回答は entailment"},
        "jcola-in-domain": {""},
        "jcola-out-of-domain": {"1"},
        "jblimp": {"a"},
    }
    form = {name: results[f"nejumi4_{name}_0shot"]["in_form,none"] for name in predictions}
    assert form == {
        "jnli": 1.0,
        "janli": 0.0,
        "jcola-in-domain": 0.0,
        "jcola-out-of-domain": 1.0,
        "jblimp": 1.0,
    }
    assert results["nejumi4_mawps_0shot"]["in_form,none"] == 1.0

    def both(dataset: str, metric: str = "exact_match") -> float:
        return sum(results[f"nejumi4_{dataset}_{n}shot"][f"{metric},none"] for n in (0, 2)) / 2

    semantics = sum(map(both, ("jnli", "janli", "jsem", "jsick", "jamp"))) / 5
    assert results["nejumi4_semantics"]["score,none"] == pytest.approx(semantics, abs=1e-12)
    syntax = sum(map(both, ("jcola-in-domain", "jcola-out-of-domain", "jblimp"))) / 3
    assert results["nejumi4_basic"]["score,none"] == pytest.approx((semantics + syntax) / 2, abs=1e-12)
    assert "missing: mgsm, MT-Bench math" in results["nejumi4_math"]["alias"]

    shown = command("lm-eval-ja", "report", "out", "--csv", "--resamples", "0").output
    rows = {row["protocol"]: row for row in csv.DictReader(io.StringIO(shown[shown.index("table,") :]))}
    assert rows.keys() == {"nejumi3", "nejumi4"}
    assert float(rows["nejumi4"]["nejumi4_basic"]) == results["nejumi4_basic"]["score,none"]
    assert rows["nejumi4"]["nejumi4"] == rows["nejumi3"]["nejumi3"] == ""
    assert float(rows["nejumi3"]["nejumi3_retrieval"]) == results["nejumi3_retrieval"]["score,none"]
    assert "nejumi4_mgsm_0shot=sample" in rows["nejumi4"]["statuses"]
    command("lm-eval-ja", "report", "out", "-o", "report.html", "--resamples", "100")

    # What no run has is given; every score below a given mean is not needed.
    lacking = ("applied", "knowledge", "apps", "toxicity", "bias", "truth", "robustness", "abstract", "logic")
    given = {**dict.fromkeys(lacking, 0.5), "mgsm_2shot": 0.25, "mtbench_math": 5.0}
    control = ("jcommonsenseqa", "jmmlu", "kuci", "mmlu_prox_ja", "mgsm")
    given |= {f"control_{name}_{n}shot": 0.5 for name in control for n in (0, 2)} | {"m_ifeval": 0.5}
    (tmp_path / "rest.csv").write_text(
        "".join(f"{name},{score}\n" for name, score in {"name": "score", **given}.items())
    )
    shown = command(
        "lm-eval-ja", "report", "out", "--scores", "rest.csv", "--protocol", "nejumi4", "--csv"
    ).output
    tree = {row["name"]: row["score"] for row in csv.DictReader(io.StringIO(shown[shown.index("name,") :]))}
    published = (
        "jamp",
        "janli",
        "jblimp",
        "jcola-in-domain",
        "jcola-out-of-domain",
        "jnli",
        "jsem",
        "jsick",
        "mawps",
    )
    controls = [
        (sum(results[f"nejumi4_{name}_{n}shot"]["in_form,none"] for name in published) + 5 * 0.5) / 14
        for n in (0, 2)
    ]
    controllability = (sum(controls) / 2 + 0.5) / 2
    assert float(tree["nejumi4_controllability"]) == pytest.approx(controllability, abs=1e-12)
    mgsm = (results["nejumi4_mgsm_0shot"]["exact_match_figure,none"] + 0.25) / 2
    math = (both("mawps", "exact_match_figure") + mgsm + 0.5) / 3
    reasoning = (0.5 + 0.5 + math) / 3
    single = [
        0.5,
        results["nejumi4_basic"]["score,none"],
        controllability,
        results["nejumi4_ethics"]["score,none"],
    ]
    total = (sum([*single, *[0.5] * 4]) + 2 * (reasoning + 0.5 + 0.5)) / 14
    assert float(tree["nejumi4"]) == pytest.approx(total, abs=1e-12)


def test_without_a_chat_template_it_says_what_to_do(command):
    done = command(
        *(
            "lm-eval-ja",
            "prompts",
            "--tasks",
            "nejumi4_jnli_0shot",
            "--metadata",
            '{"data": "sample"}',
            "-o",
            "-",
        ),
        ok=False,
    )
    assert "prompt_style=chat_nejumi needs --apply_chat_template" in done.output
