"""A protocol that another package brings: one YAML and an entry point, run end to end, report included."""

import json
from pathlib import Path

import pytest

PROTOCOL = """\
name: made_up
title: A made-up protocol
prefix: made_up

asked:
  split: test
  questions: 3
  shots: 0
  prompt_style: alpaca
  normalization: [cut_at_blank_line, nfkc, strip]
  generation: {until: ["\\n\\n"], temperature: 0.0}

datasets:
  janli:
    metrics: [exact_match]
    output_length: 7
    instruction: 前提と仮説の関係を答えてください。
  niilc:
    metrics: [char_f1]
    output_length: 20
    normalization: [cut_at_blank_line, nfkc, strip, lower]
    instruction: |-
      質問に答えてください。
      短く。

scores:
  - name: made_up_total
    label: TOTAL
    members:
      - name: made_up
        label: AVG
        members:
          - name: made_up_shots
            label: both numbers of shots
            members: [janli, janli@2shot]
          - name: made_up_qa
            label: QA
            members: [niilc]
            weight: 3
      - {node: nejumi_mtbench, of: mtbench-ja-neo}
  - name: made_up_by_dataset
    label: by dataset
    level: average
    members: [{node: made_up_qa}, janli]
"""


@pytest.fixture
def package(tmp_path: Path) -> dict[str, str]:
    """An installed package with the protocol, as a folder on the path; nothing of it stands in lm_eval_ja."""
    site = tmp_path / "site"
    (site / "their_protocols").mkdir(parents=True)
    (site / "their_protocols" / "__init__.py").write_text("")
    (site / "their_protocols" / "made_up.yaml").write_text(PROTOCOL, encoding="utf-8")
    info = site / "their_protocols-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-protocols\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[lm_eval_ja.protocols]\ntheirs = their_protocols\n")
    return {"PYTHONPATH": str(site)}


def test_one_yaml_is_a_protocol(command, package, tmp_path):
    command("lm-eval-ja", "make-tasks", "made_up", "-o", "tasks", env=package)
    names = {path.stem for path in (tmp_path / "tasks").iterdir()}
    assert names == {
        *("made_up_janli", "made_up_janli_2shot", "made_up_niilc"),
        *("_made_up", "_made_up_total", "_made_up_shots", "_made_up_qa", "_made_up_by_dataset"),
    }
    # Every question is answered with the gold answer of the first: known beforehand.
    sample = ["--metadata", json.dumps({"data": "sample"})]
    include = ["--include_path", "tasks"]
    command(
        "lm-eval-ja", "prompts", "--tasks", "made_up", *include, *sample, "-o", "prompts.jsonl", env=package
    )
    lines = [
        json.loads(line) for line in (tmp_path / "prompts.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert {line["task"]: line["prompt"].count("### 応答:") for line in lines} == {
        "made_up_janli": 1,
        "made_up_janli_2shot": 3,
        "made_up_niilc": 1,
    }
    assert [line["task"] for line in lines].count("made_up_niilc") == 3
    assert {line["max_gen_toks"] for line in lines if line["task"] == "made_up_niilc"} == {20}
    answers = [{**line, "output": "entailment" if "janli" in line["task"] else "木星"} for line in lines]
    (tmp_path / "answers.jsonl").write_text(
        "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in answers), encoding="utf-8"
    )
    command(
        *(
            "lm_eval",
            "run",
            "--model",
            "recorded",
            "--model_args",
            "path=answers.jsonl",
            "--tasks",
            "made_up",
        ),
        *(*include, *sample, "--output_path", "out", "--log_samples"),
        env=package,
    )
    (path,) = (tmp_path / "out").rglob("results_*.json")
    results = json.loads(path.read_text(encoding="utf-8"))["results"]
    janli = results["made_up_janli"]["exact_match,none"]
    both = (janli + results["made_up_janli_2shot"]["exact_match,none"]) / 2
    niilc = results["made_up_niilc"]["char_f1,none"]
    assert results["made_up_shots"]["score,none"] == both
    assert results["made_up"]["score,none"] == pytest.approx((both + 3 * niilc) / 4, abs=1e-15)
    assert "deviates" not in path.read_text(encoding="utf-8")

    command("lm-eval-ja", "report", "out", "-o", "report.html", "--resamples", "100", env=package)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "A made-up protocol" in page
    assert "both numbers of shots" in page
    shown = command("lm-eval-ja", "report", "out", "--csv", "--resamples", "100", env=package).output
    assert f"{results['made_up']['score,none']!r}" in shown

    rescored = command("lm-eval-ja", "rescore", "out", "--protocol", "made_up", env=package)
    assert f"{results['made_up']['score,none']:.4f}" in rescored.output


def test_a_protocol_that_cannot_be_read_stops_no_other(command, package, tmp_path):
    (tmp_path / "site" / "their_protocols" / "made_up.yaml").write_text("name: made_up\n")
    done = command("lm-eval-ja", "make-tasks", "neo", "-o", "tasks", env=package)
    assert "26 files" in done.output
    done = command("lm-eval-ja", "make-tasks", "made_up", "-o", "tasks", env=package, ok=False)
    assert done.code == 2
    assert "missing keys: ['title', 'prefix', 'scores']" in done.output
