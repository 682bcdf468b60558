"""The whole road on the real data: the 1200 prompts through ``lm_eval``, and scores that are known beforehand."""

import hashlib
import json
from pathlib import Path

import pytest

from lm_eval_ja.metrics import METRICS
from tests.support.commands import evaluate_command, run_command

pytestmark = pytest.mark.mirror


def sha1(text: str) -> str:
    return hashlib.sha1(text.encode("utf-8")).hexdigest()  # noqa: S324  # the golden digests are SHA-1


@pytest.fixture(scope="module")
def run(mirror: Path, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("neo")
    env = {"LM_EVAL_JA_MIRROR": str(mirror)}
    run_command(
        "lm-eval-ja", "prompts", "--tasks", "nejumi_jaster", "-o", "prompts.jsonl", folder=folder, env=env
    )
    lines = [json.loads(line) for line in (folder / "prompts.jsonl").read_text(encoding="utf-8").splitlines()]
    # Every question gets the gold answer of its own dataset's first question: right sometimes, and known.
    from lm_eval_ja.datasets import Settings, available, load

    settings = Settings(cache=folder / "cache", mirror=mirror)
    first = {name: load("neo", name, settings=settings)["test"][0]["output"] for name in available("neo")}
    with (folder / "answers.jsonl").open("w", encoding="utf-8") as file:
        for line in lines:
            output = first[line["task"].removeprefix("nejumi_jaster_")] + "\n\n何か"
            file.write(json.dumps({**line, "output": output}, ensure_ascii=False) + "\n")
    evaluate_command(
        *("--model", "recorded", "--model_args", "path=answers.jsonl", "--tasks", "nejumi_jaster"),
        folder=folder,
        env=env,
    )
    return folder, lines


def test_all_1200_prompts_are_neos_in_neos_order(run, spec: Path):
    _, lines = run
    golden = json.loads((spec / "neo_items.json").read_text(encoding="utf-8"))["datasets"]
    assert len(lines) == 1200
    for dataset, items in golden.items():
        prompts = [line["prompt"] for line in lines if line["task"] == f"nejumi_jaster_{dataset}"]
        assert [sha1(prompt) for prompt in prompts] == [item["prompt_sha1"] for item in items], dataset


def test_the_harness_asks_those_prompts_and_compares_with_neos_golds(run, spec: Path):
    folder, _ = run
    golden = json.loads((spec / "neo_items.json").read_text(encoding="utf-8"))["datasets"]
    for dataset, items in golden.items():
        (path,) = folder.rglob(f"samples_nejumi_jaster_{dataset}_2*.jsonl")
        samples = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
        for sample, item in zip(samples, items, strict=True):
            assert sha1(sample["arguments"]["gen_args_0"]["arg_0"]) == item["prompt_sha1"]
            assert sha1(sample["target"]) == item["gold_nfkc_sha1"]
            assert sha1(sample["doc"]["input"]) == item["input_sha1"]


def test_the_settings_are_neos(run, spec: Path):
    folder, lines = run
    instructions = json.loads((spec / "instructions.json").read_text(encoding="utf-8"))["neo"]
    for line in lines:
        expected = instructions[line["task"].removeprefix("nejumi_jaster_")]
        assert (line["max_gen_toks"], line["until"], line["temperature"]) == (
            expected["output_length"],
            ["\n\n"],
            0.0,
        )
    (path,) = folder.rglob("results_*.json")
    results = json.loads(path.read_text(encoding="utf-8"))
    for dataset, expected in instructions.items():
        metadata = results["configs"][f"nejumi_jaster_{dataset}"]["metadata"]
        assert metadata["category"] == expected["category"]
        assert f"{expected['metric']},none" in results["results"][f"nejumi_jaster_{dataset}"]
        assert results["n-samples"][f"nejumi_jaster_{dataset}"]["effective"] == expected["n"]
        assert f"|n:{expected['n']}|" in metadata["signature"]


def test_the_score_is_the_mean_of_category_means(run):
    folder, _ = run
    (path,) = folder.rglob("results_*.json")
    results = json.loads(path.read_text(encoding="utf-8"))["results"]
    per_dataset = {}
    for path in folder.rglob("samples_nejumi_jaster_*.jsonl"):
        samples = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
        (metric,) = samples[0]["metrics"]
        predictions, golds = [s["filtered_resps"][0] for s in samples], [s["target"] for s in samples]
        per_dataset[samples[0]["doc"]["dataset"]] = METRICS[metric].score(predictions, golds)
    nli = sum(per_dataset[name] for name in ("jamp", "janli", "jnli", "jsem", "jsick")) / 5
    qa = (per_dataset["jemhopqa"] + per_dataset["niilc"]) / 2
    fa = (
        sum(per_dataset[f"wiki_{name}"] for name in ("reading", "ner", "dependency", "pas", "coreference"))
        / 5
    )
    others = [per_dataset[name] for name in ("jsquad", "jcommonsenseqa", "mawps", "chabsa")]
    assert results["nejumi_jaster_nli"]["score,none"] == pytest.approx(nli, abs=1e-12)
    assert results["nejumi_jaster"]["score,none"] == pytest.approx(
        (nli + qa + fa + sum(others)) / 7, abs=1e-12
    )
    assert 0.05 < results["nejumi_jaster"]["score,none"] < 0.9
