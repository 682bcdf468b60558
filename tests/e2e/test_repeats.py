"""``repeats`` as a user runs it: a real model, the answer cache, prompts answered elsewhere, the report."""

import json
import statistics

import pytest

from lm_eval_ja.metrics import sample_values

METADATA = ["--metadata", json.dumps({"data": "sample", "repeats": 4})]
TASKS = ["--tasks", "nejumi_jaster_jnli,nejumi_jaster_jemhopqa"]


@pytest.mark.slow
def test_samples_of_a_real_model_differ_and_the_cache_keeps_each(lm_eval, lm_eval_ja, tiny_model, tmp_path):
    model = ["--model", "hf", "--model_args", f"pretrained={tiny_model},add_bos_token=False"]
    common = [*model, *TASKS, *METADATA, "--use_cache", str(tmp_path / "answers")]
    done = lm_eval(*common, "--gen_kwargs", "temperature=0.7")
    jnli = done.samples("nejumi_jaster_jnli")
    for sample in jnli:
        (raw,), (predictions,) = sample["resps"], sample["filtered_resps"]
        assert len(raw) == len(predictions) == 4
        assert (
            sample["exact_match"]
            == sample_values("exact_match", predictions, sample["target"])["exact_match"]
        )
    assert any(len(set(sample["resps"][0])) > 1 for sample in jnli)
    values = done.results()["results"]["nejumi_jaster_jemhopqa"]
    assert values["char_f1,none"] == pytest.approx(
        statistics.fmean(s["char_f1"] for s in done.samples("nejumi_jaster_jemhopqa")), abs=1e-15
    )
    assert "char_f1_majority,none" in values
    again = lm_eval(*common, "--gen_kwargs", "temperature=0.7", output="again")
    assert [s["resps"] for s in again.samples("nejumi_jaster_jnli")] == [s["resps"] for s in jnli]
    assert "Running generate_until requests:" not in again.output

    printed = lm_eval_ja("report", str(done.folder), "--json").output
    report, _ = json.JSONDecoder().raw_decode(printed[printed.index("{") :])
    (run,) = report["runs"].values()
    assert run["repeats"] == 4
    assert run["sampling"]["nejumi_jaster_jemhopqa"]["score"] == pytest.approx(values["char_f1,none"])
    assert run["sampling"]["nejumi_jaster_jemhopqa"]["stderr"] == pytest.approx(values["char_f1_stderr,none"])
    assert report["leaderboards"][0]["settings"]["repeats"] == "4"

    # Another seed is one row with it.
    other = [*common[:-1], str(tmp_path / "others"), "--gen_kwargs", "temperature=0.7", "--seed", "5"]
    lm_eval(*other, output="out")
    printed = lm_eval_ja("report", str(done.folder), "--json").output
    report, _ = json.JSONDecoder().raw_decode(printed[printed.index("{") :])
    (run,) = report["runs"].values()
    assert [member["seed"] for member in run["members"]] == ["--seed 0,1234,1234,1234", "--seed 5"]
    ((row,),) = [board["rows"] for board in report["leaderboards"]]
    score = row["scores"]["nejumi_jaster_jemhopqa"]
    both = [member["scores"]["nejumi_jaster_jemhopqa"] for member in run["members"]]
    assert score["runs"] == 2
    assert score["value"] == pytest.approx(statistics.fmean(both))
    assert score["sd"] == pytest.approx(statistics.stdev(both))
    assert run["sampling"]["nejumi_jaster_jemhopqa"]["repeats"] == 8


def test_prompts_are_answered_elsewhere_several_times(lm_eval, lm_eval_ja, tmp_path):
    lm_eval_ja("prompts", *TASKS, *METADATA, "-o", "prompts.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "prompts.jsonl").read_text("utf-8").splitlines()]
    assert {line["repeats"] for line in lines} == {4}
    answers = [{**line, "output": ["entailment", "neutral", "entailment", "?"]} for line in lines]
    text = "".join(json.dumps(line) + "\n" for line in answers)
    (tmp_path / "answers.jsonl").write_text(text, encoding="utf-8")
    recorded = ["--model", "recorded", "--model_args", "path=answers.jsonl,model=lab/m"]
    done = lm_eval(*recorded, *TASKS, *METADATA)
    samples = done.samples("nejumi_jaster_jnli")
    share = statistics.fmean({"entailment": 0.5, "neutral": 0.25}.get(s["target"], 0.0) for s in samples)
    assert done.score("nejumi_jaster_jnli", "exact_match") == pytest.approx(share, abs=1e-15)
    majority = statistics.fmean(s["target"] == "entailment" for s in samples)
    assert done.score("nejumi_jaster_jnli", "exact_match_majority") == pytest.approx(majority, abs=1e-15)
    assert "greedily" not in done.output
    command = done.results()["configs"]["nejumi_jaster_jnli"]["filter_list"]
    lm_eval_ja("rescore", str(done.folder), "--write")
    newest = max(done.folder.rglob("results_*.json"), key=lambda path: path.name)
    again = json.loads(newest.read_text(encoding="utf-8"))["configs"]["nejumi_jaster_jnli"]["filter_list"]
    assert again == command, "the filter that makes these predictions out of the answers, all four"
    fewer = lm_eval(*recorded, *TASKS, "--metadata", json.dumps({"data": "sample", "repeats": 5}), ok=False)
    assert "has fewer answers than are asked for to 12 prompts" in fewer.output
