"""llm-jp-eval's own files in place of our conversion, through the real commands: asked, labelled, certified."""

import json
from pathlib import Path

import pytest

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


def test_own_data_in_prepare(lm_eval_ja, own):
    arguments = ("prepare", "--protocol", "llm_jp_eval", "--datasets", "jnli", "--splits", "dev")
    done = lm_eval_ja(*arguments, env={VARIABLE: str(own)})
    (row,) = [line.split() for line in done.output.splitlines() if line.strip().startswith("jnli")]
    assert row[:3] == ["jnli", "dev", "6"]
    assert row[-3].startswith("own-")
    assert row[-2:] == ["own", "data"]
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
