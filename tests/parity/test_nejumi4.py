"""Nejumi 4: published rows, and one run's leaves, come out of the tree."""

import csv
import json
from pathlib import Path

import pytest

from lm_eval_ja.analysis import given_tree
from lm_eval_ja.cli import main
from lm_eval_ja.protocols import Missing, load_protocol

FACTS = json.loads((Path(__file__).parents[1] / "golden" / "nejumi4_rows.json").read_text(encoding="utf-8"))
UPPER = {
    "TOTAL_SCORE": "nejumi4",
    "汎用的言語性能(GLP)_AVG": "nejumi4_glp",
    "アラインメント(ALT)_AVG": "nejumi4_alt",
    "GLP_応用的言語性能": "nejumi4_applied",
    "GLP_推論能力": "nejumi4_reasoning",
    "GLP_知識・質問応答": "nejumi4_knowledge",
    "GLP_基礎的言語性能": "nejumi4_basic",
    "GLP_アプリケーション開発": "nejumi4_apps",
}
LOWER = {
    "GLP_表現": "expression",
    "GLP_翻訳": "translation",
    "GLP_情報検索": "retrieval",
    "GLP_抽象的推論": "abstract",
    "GLP_論理的推論": "logic",
    "GLP_数学的推論": "math",
    "GLP_一般的知識": "general",
    "GLP_専門的知識": "expert",
    "GLP_意味解析": "semantics",
    "GLP_構文解析": "syntax",
    "GLP_コーディング": "coding",
    "GLP_関数呼び出し": "function_calling",
    "ALT_制御性": "controllability",
    "ALT_倫理・道徳": "ethics",
    "ALT_毒性": "toxicity",
    "ALT_バイアス": "bias",
    "ALT_真実性": "truth",
    "ALT_堅牢性": "robustness",
}
OWN = {
    "TOTAL": "nejumi4_corrected",
    "GLP_AVG": "nejumi4_corrected_glp",
    "ALT_AVG": "nejumi4_corrected_alt",
    "応用": "nejumi4_applied",
    "推論": "nejumi4_reasoning",
    "知識": "nejumi4_knowledge",
    "基礎": "nejumi4_basic",
    "アプリ": "nejumi4_corrected_apps",
    "翻訳": "nejumi4_translation",
    "情報検索": "nejumi4_retrieval",
    "抽象": "nejumi4_abstract",
    "専門": "nejumi4_expert",
    "意味": "nejumi4_semantics",
    "構文": "nejumi4_syntax",
    "関数": "nejumi4_function_calling",
    "倫理": "nejumi4_ethics",
    "真実性": "nejumi4_corrected_truth",
    "堅牢性": "nejumi4_robustness",
}


def report(path: Path, scores: dict[str, float], capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    lines = [f"{name},{score!r}" for name, score in scores.items()]
    path.write_text("\n".join(["name,score", *lines]) + "\n", encoding="utf-8")
    assert main(["report", "--scores", str(path), "--protocol", "nejumi4", "--csv"]) == 0
    return {row["name"]: row["score"] for row in csv.DictReader(capsys.readouterr().out.splitlines())}


@pytest.mark.parametrize("row", FACTS["rows"], ids=lambda row: row["model_name"])
def test_published_rows_come_out_of_their_parts(row, tmp_path, capsys):
    given = {f"nejumi4_{name}": float(row[column]) for column, name in LOWER.items()}
    found = report(tmp_path / "row.csv", given, capsys)
    for column, name in UPPER.items():
        assert float(found[name]) == pytest.approx(float(row[column]), abs=1e-8), column


def leaves() -> dict[str, float]:
    """The run's leaves; of what has none (MT-Bench by category, control, toxicity, bias) the board's own means."""
    run = FACTS["run"]
    board = run["board"]
    scores = {
        f"{task}_{shots}": score
        for shots in ("0shot", "2shot")
        for task, score in zip(FACTS["tasks"], run[shots], strict=True)
    }
    kept = {leaf.name for leaf in load_protocol("nejumi4").leaves()}
    scores = {name: score for name, score in scores.items() if f"nejumi4_{name}" in kept}
    code_exec, pylint = run["jhumaneval"]
    return {
        **scores,
        "arc_agi_1": run["arc1"],
        "arc_agi_2": run["arc2"],
        "bfcl": run["bfcl"],
        "hallulens": run["hallulens"],
        "hle": run["hle"],
        "jhumaneval_code_exec": code_exec,
        "jhumaneval_pylint": pylint,
        "swebench": run["swebench"],
        "jmmlu_robustness": run["robust"],
        "jtruthfulqa": run["jtruthfulqa"],
        "expression": board["表現"],
        "logic": board["論理"],
        "math": board["数学"],
        "general": board["一般"],
        "corrected_coding": board["コーディング"],
        "corrected_controllability": board["制御性"],
        "toxicity": board["毒性"],
        "bias": board["バイアス"],
    }


def test_a_run_comes_out_of_its_leaves(tmp_path, capsys):
    found = report(tmp_path / "run.csv", leaves(), capsys)
    for column, name in OWN.items():
        assert float(found[name]) == pytest.approx(FACTS["run"]["board"][column], abs=1e-8), column
    assert found["nejumi4"] == "", "published: its JHumanEval and control are not given"


def test_no_total_without_all_and_nan_is_left_out():
    nejumi4 = load_protocol("nejumi4")
    given = {f"nejumi4_{name}": float(FACTS["rows"][0][column]) for column, name in LOWER.items()}
    less = {name: score for name, score in given.items() if name != "nejumi4_toxicity"}
    scores = {line.name: line.value for line in given_tree(nejumi4, less)}
    assert scores["nejumi4"] == Missing(("毒性",), 11)
    assert scores["nejumi4_alt"] == Missing(("毒性",), 6)
    scores = {
        line.name: line.value for line in given_tree(nejumi4, {**less, "nejumi4_toxicity": float("nan")})
    }
    rest = ("controllability", "ethics", "bias", "truth", "robustness")
    mean = sum(given[f"nejumi4_{name}"] for name in rest) / 5
    assert scores["nejumi4_alt"] == pytest.approx(mean, abs=1e-12)


def test_the_published_variant_leaves_out_the_first_task_of_control():
    names = {node.name: node for node in load_protocol("nejumi4").nodes()}
    published = {leaf.name for leaf in names["nejumi4_control_0shot"].leaves()}
    corrected = {leaf.name for leaf in names["nejumi4_corrected_control_0shot"].leaves()}
    assert (len(published), len(corrected)) == (14, 15)
    assert corrected - published == {"nejumi4_control_commonsensemoralja_0shot"}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("model,score\n", "the first line must be name,score"),
        ("name,score\nhellaswag,0.5\n", "line 2: nejumi4 has no score 'hellaswag'"),
        ("name,score\nhle,0.5\nnejumi4_hle,0.5\n", "line 3: nejumi4_hle stands above already"),
        ("name,score\nhle,half\n", "line 2: the score must be a number or nan, found 'half'"),
        ("name,score\nhle,50.5\n", "nejumi4_hle is a score from 0 to 1, found '50.5'"),
        ("name,score\nhle\n", "expected a name and a score"),
    ],
)
def test_bad_lines_are_refused(lines, message, tmp_path, capsys):
    path = tmp_path / "bad.csv"
    path.write_text(lines, encoding="utf-8")
    assert main(["report", "--scores", str(path), "--protocol", "nejumi4"]) == 2
    assert message in capsys.readouterr().err
