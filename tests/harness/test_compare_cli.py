"""``lm-eval-ja compare`` on results that the harness wrote."""

import json
import re
from pathlib import Path

import pytest

from lm_eval_ja.cli import main
from tests.support.commands import SAMPLE, evaluate_command

ANSWERS = Path(__file__).parents[2] / "examples" / "sample_answers.jsonl"
HOSTILE = "\x1b[31m赤\u202e[bold]|<script>alert(1)</script>`x`\nneutral"


def evaluate(answers, output, *args):
    evaluate_command(
        *("--model", "recorded", "--model_args", f"path={answers}", "--metadata", SAMPLE, *args),
        *("--tasks", "nejumi_jaster_nli,nejumi_jaster_jsquad"),
        folder=output.parent,
        output=output.name,
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Results of the sample answers, and of four each of the same with hostile answers to jnli."""
    folder = tmp_path_factory.mktemp("results")
    lines = [json.loads(line) for line in ANSWERS.read_text(encoding="utf-8").split("\n") if line]
    for line in lines:
        if line["id"].startswith("nejumi_jaster_jnli:"):
            line["output"] = HOSTILE
    hostile = folder / "hostile.jsonl"
    hostile.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    evaluate(ANSWERS, folder / "a")
    evaluate(hostile, folder / "b", "--limit", "4")
    return str(folder / "a"), str(folder / "b")


def printed(capsys, *args):
    assert main(["compare", *args]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_tables(results, capsys):
    out = printed(capsys, *results)
    rows = {cells[0]: cells for cells in map(str.split, out.split("Flipped")[0].split("\n")) if cells}
    jnli = rows["jnli"]
    assert jnli[-3] == "4"
    assert float(jnli[1]) > 0
    assert float(jnli[2]) == 0
    assert float(jnli[3]) == pytest.approx(-float(jnli[1]))
    assert rows["AVG_jaster"][1:4] == ["–", "–", "–"], "missing is never the mean of what happens to be there"
    assert "right → wrong" in out
    assert "note: " in out
    assert "only the 24 that both have answered count" in re.sub(r"\s+", " ", out)
    assert "NLI: B - A = -" in out
    assert "p two-sided, by 10,000 sign-flip permutations" in re.sub(r"\s+", " ", out)


def test_hostile_answers_are_shown_harmless(results, capsys):
    out = printed(capsys, *results, "--changes", "-1")
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert r"\x1b[31m赤\u202e[bold]" in out
    out = printed(capsys, *results, "--markdown", "--changes", "-1")
    assert "\x1b" not in out
    assert r"\<script\>" in out
    assert "<script" not in out.replace(r"\<script", "")
    for line in out.split("\n"):
        if "x1b" in line:
            assert len(re.findall(r"(?<!\\)\|", line)) == 7, "six cells"


def test_markdown(results, capsys):
    out = printed(capsys, *results, "--markdown", "--changes", "2")
    tables = re.findall(r"(?:^\|.*\n)+", out, flags=re.MULTILINE)
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.strip().split("\n")}) == 1
    assert "### Scores" in out
    assert "shown: 2" in out
    assert out.count("right → wrong |") <= 2


def test_json_holds_every_change(results, capsys):
    data = json.loads(printed(capsys, *results, "--json", "--changes", "1"), parse_constant=pytest.fail)
    assert (data["difference"], data["permutations"], data["seed"]) == (
        "b - a",
        10000,
        0,
    )
    scores = {own["name"]: own for own in data["scores"]}
    jnli = scores["nejumi_jaster_jnli"]
    assert jnli["label"] == "jnli"
    assert jnli["questions"] == 4
    flipped = [own for own in data["changes"] if own["dataset"] == "jnli"]
    assert len(flipped) == jnli["worse"] > 0
    assert flipped[0]["kind"] == "right_to_wrong"
    assert flipped[0]["answer_b"].startswith("\x1b[31m赤")
    assert flipped[0]["gold"] == flipped[0]["answer_a"]
    assert scores["nejumi_jaster"]["difference"] is None
    assert data["warnings"]


def test_changes_can_be_left_out(results, capsys):
    assert "right → wrong" not in printed(capsys, *results, "--changes", "0")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("{a}", "{nowhere}"), "doesn't exist"),
        (("{a}", "{empty}"), "no results in"),
        (("{both}", "{a}"), "holds runs of 2 models: give the folder of one of them"),
        (("{a}", "{b}", "--permutations", "0"), "--permutations is 0"),
        (("{a}", "{b}", "--permutations", "-3"), "--permutations is -3"),
        (("{a}", "{b}", "--seed", "-1"), "--seed is -1"),
        (("{a}", "{b}", "--changes", "-2"), "--changes is -2"),
    ],
)
def test_errors_name_the_thing_and_the_fix(results, capsys, tmp_path, args, message):
    (tmp_path / "empty").mkdir()
    places = {
        "a": results[0],
        "b": results[1],
        "both": str(Path(results[0]).parent),
        "nowhere": str(tmp_path / "nowhere"),
        "empty": str(tmp_path / "empty"),
    }
    assert main(["compare", *(arg.format(**places) for arg in args)]) == 2
    assert message in capsys.readouterr().err


def test_the_same_folder_twice_is_noted(results, capsys):
    out = printed(capsys, results[0], results[0])
    assert "both are the same results" in out
    assert f"({results[0]})" in out, "equal names are told apart by their folders"
