"""llm-jp-eval's own files in place of our conversion, through the real commands: asked, labelled, certified."""

import json
import re
from pathlib import Path

import pytest

from lm_eval_ja.errors import OptionError

VARIABLE = "LM_EVAL_JA_LLM_JP_EVAL_DATA"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    for split, number in (("dev", 6), ("train", 5)):
        samples = [
            {"input": f"前提：{split}{i}\n仮説：はい", "output": "entailment", "metadata": {}}
            for i in range(number)
        ]
        path = tmp_path / "own" / "2.1.0" / "evaluation" / split / "jnli.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"samples": samples}), encoding="utf-8")
    return tmp_path / "own"


def test_own_data_is_asked_and_labelled(lm_eval, own):
    done = lm_eval(
        *("--model", "dummy", "--tasks", "llm_jp_eval_jnli", "--num_fewshot", "4"), env={VARIABLE: str(own)}
    )
    samples = done.samples("llm_jp_eval_jnli")
    assert [sample["doc"]["input"] for sample in samples] == [f"前提：dev{i}\n仮説：はい" for i in range(6)]
    assert "前提：train3\n仮説：はい" in samples[0]["arguments"]["gen_args_0"]["arg_0"]
    signature = json.dumps(done.results())
    assert "|data:own-" in signature
    assert "|n:6|" in signature


def test_own_data_of_one_run_is_labelled_in_the_report(lm_eval, lm_eval_ja, own, tmp_path):
    """By ``--metadata``; what cannot be had is left out, and said in lm_eval's table and in the report."""
    metadata = {"own_data": str(own), "skip_missing": True}
    done = lm_eval(
        *("--model", "dummy", "--tasks", "llm_jp_eval", "--num_fewshot", "4"),
        *("--metadata", json.dumps(metadata)),
    )
    assert "llm_jp_eval_nli (missing: jamp, janli, jsem, jsick (1 of 5 present))" in done.output
    facts = done.results()["configs"]["llm_jp_eval_jnli"]["metadata"]
    assert (facts["status"], facts["own_data"]) == ("own data", str(own))
    said = lm_eval_ja("report", "out", "-o", "report.html", "--resamples", "0", "--markdown").output
    assert "- data: own data" in said
    assert "missing: EL, FA, HE, MC, MR, MT, NLI, QA, RC (0 of 9 present)" not in said, "all of it is a dash"
    assert "aren't lm-eval-ja's" not in said, "a group that lost all its members is still ours"
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '"statuses":[["own data",["jnli"]]]' in page
    told = json.loads(lm_eval_ja("report", "out", "--json", "--resamples", "0").output)
    (run,) = told["runs"].values()
    assert run["statuses"] == {"llm_jp_eval_jnli": "own data"}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("nowhere", "own_data='nowhere' cannot be used (no such folder)"),
        (3, "own_data is 3; it must be the path of a folder"),
    ],
)
def test_a_folder_that_is_none_is_named(evaluate, sample_answers, value, message):
    with pytest.raises(OptionError, match=re.escape(message)):
        evaluate("llm_jp_eval_jnli", sample_answers, {"own_data": value})


def test_own_data_in_prepare(lm_eval_ja, own):
    arguments = ("prepare", "--protocol", "llm_jp_eval", "--datasets", "jnli", "--splits", "dev")
    done = lm_eval_ja(*arguments, env={VARIABLE: str(own)})
    (row,) = [line.split() for line in done.output.splitlines() if line.strip().startswith("jnli")]
    assert row[:3] == ["jnli", "dev", "6"]
    assert row[-3].startswith("own-")
    assert row[-2:] == ["own", "data"]
    done = lm_eval_ja("doctor", "--protocol", "llm_jp_eval", env={VARIABLE: str(own)}, ok=False)
    (row,) = [line for line in done.output.splitlines() if line.strip().startswith("jnli ")]
    assert "5 (own data)" in row
    assert "6 (own data)" in row
    done = lm_eval_ja(*arguments, env={VARIABLE: str(own / "none")}, ok=False)
    assert done.code == 2
    assert f"{VARIABLE}=" in done.output


@pytest.mark.mirror
def test_certify_keeps_the_files_that_are_equal(lm_eval_ja, mirror, tmp_path):
    done = lm_eval_ja(
        *("prepare", "--certify", "reference", "--datasets", "mawps,commonsensemoralja"),
        env={"LM_EVAL_JA_MIRROR": str(mirror)},
    )
    assert "1 of 1 files of llm-jp-eval 1.3.1 come out byte for byte" in done.output
    assert "2 of 2 files of llm-jp-eval 1.4.1 come out byte for byte" in done.output
    files = sorted(str(path.relative_to(tmp_path)) for path in (tmp_path / "reference").rglob("*.json"))
    assert files == [
        "reference/1.3.1/evaluation/dev/mawps.json",
        "reference/1.4.1/evaluation/dev/commonsensemoralja.json",
        "reference/1.4.1/evaluation/dev/mawps.json",
    ]
    # What was written is own data that needs no label.
    done = lm_eval_ja(
        *("prepare", "--protocol", "llm_jp_eval", "--datasets", "mawps", "--splits", "dev"),
        env={VARIABLE: str(tmp_path / "reference" / "1.3.1"), "LM_EVAL_JA_CACHE": str(tmp_path / "empty")},
    )
    assert "ready" in done.output
    assert "own" not in done.output


def test_certify_says_what_is_missing_and_what_has_no_certificate(lm_eval_ja):
    done = lm_eval_ja("prepare", "--certify", "--datasets", "jamp,xlsum_ja", ok=False)
    assert done.code == 1
    assert "0 of 1 files of llm-jp-eval 1.3.1" in done.output
    assert VARIABLE in done.output
    done = lm_eval_ja("prepare", "--certify", "--datasets", "jblimp", ok=False)
    assert done.code == 2
    assert "Unknown dataset with a published digest 'jblimp'" in done.output
