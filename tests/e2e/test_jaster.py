"""``lm_eval --tasks nejumi_jaster`` as a user runs it, mostly on the sample data with recorded answers."""

import json
import math
import re
import statistics
from importlib.util import find_spec

import pytest

from lm_eval_ja.errors import LmEvalJaError
from lm_eval_ja.metrics import METRICS, gold, normalize

CATEGORIES = {
    "nli": ["jamp", "janli", "jnli", "jsem", "jsick"],
    "qa": ["jemhopqa", "niilc"],
    "rc": ["jsquad"],
    "mc": ["jcommonsenseqa"],
    "mr": ["mawps"],
    "el": ["chabsa"],
    "fa": ["wiki_reading", "wiki_ner", "wiki_dependency", "wiki_pas", "wiki_coreference"],
}
METRIC = {
    **dict.fromkeys([*CATEGORIES["nli"], "jcommonsenseqa", "mawps"], "exact_match"),
    **dict.fromkeys(["jemhopqa", "niilc", "jsquad", "wiki_reading"], "char_f1"),
    **dict.fromkeys(["chabsa", "wiki_ner", "wiki_dependency", "wiki_pas", "wiki_coreference"], "set_f1"),
}
SAMPLE = ["--metadata", json.dumps({"data": "sample"})]


@pytest.fixture
def demo(lm_eval, sample_answers):
    def run(*args, **kwargs):
        return lm_eval("--model", "recorded", "--model_args", f"path={sample_answers}", *args, **kwargs)

    return run


def test_the_demo_scores_add_up(demo):
    done = demo("--tasks", "nejumi_jaster", *SAMPLE)
    results = done.results()["results"]
    assert set(results) == {"nejumi_jaster"} | {f"nejumi_jaster_{name}" for name in [*CATEGORIES, *METRIC]}
    means, errors = {}, {}
    for category, datasets in CATEGORIES.items():
        for dataset in datasets:
            metric = METRIC[dataset]
            values = [sample[metric] for sample in done.samples(f"nejumi_jaster_{dataset}")]
            assert len(values) >= 5
            # The value in the sample is the metric of the logged output and the source's gold answer.
            first = done.samples(f"nejumi_jaster_{dataset}")[1]
            (filters,) = done.results()["configs"][f"nejumi_jaster_{dataset}"]["filter_list"]
            step = filters["filter"][0]
            steps = (step if "steps" in step else step["kwargs"])["steps"]  # lm-eval 0.5 writes kwargs
            assert first["filtered_resps"][0] == normalize(first["resps"][0][0], steps)
            assert first[metric] == METRICS[metric].per_item(
                first["filtered_resps"][0], gold(first["doc"]["output"])
            )
            assert list(first["doc"]) == ["id", "dataset", "instruction", "input", "output"]
            entry = results[f"nejumi_jaster_{dataset}"]
            assert entry[f"{metric},none"] == pytest.approx(statistics.fmean(values), abs=1e-15)
            assert "(sample, not a benchmark)" in entry["alias"]
            means[dataset] = entry[f"{metric},none"]
            errors[dataset] = entry[f"{metric}_stderr,none"]
            assert errors[dataset] == pytest.approx(statistics.stdev(values) / math.sqrt(len(values)))
        entry = results[f"nejumi_jaster_{category}"]
        assert entry["score,none"] == pytest.approx(statistics.fmean(means[name] for name in datasets))
        expected = math.sqrt(sum(errors[name] ** 2 for name in datasets)) / len(datasets)
        assert entry["score_stderr,none"] == pytest.approx(expected)
    categories = [results[f"nejumi_jaster_{name}"] for name in CATEGORIES]
    top = results["nejumi_jaster"]
    assert top["score,none"] == pytest.approx(statistics.fmean(entry["score,none"] for entry in categories))
    assert top["score_stderr,none"] == pytest.approx(
        math.sqrt(sum(entry["score_stderr,none"] ** 2 for entry in categories)) / 7
    )
    assert 0.2 < top["score,none"] < 0.9, "the demo is neither trivial nor perfect"
    assert done.output.count("nejumi_jaster (sample, not a benchmark)") == 2, "in both tables"
    assert "overrides existing task" not in done.output


def test_one_leaf_or_one_category_alone(demo):
    done = demo("--tasks", "nejumi_jaster_jnli,nejumi_jaster_fa", *SAMPLE)
    assert set(done.results()["results"]) == {
        "nejumi_jaster_jnli",
        "nejumi_jaster_fa",
        *(f"nejumi_jaster_{name}" for name in CATEGORIES["fa"]),
    }


def test_limit_and_samples(demo):
    limited = demo("--tasks", "nejumi_jaster_qa", "--limit", "2", *SAMPLE, output="limited")
    assert [s["doc"]["id"] for s in limited.samples("nejumi_jaster_niilc")] == [
        "niilc-test-0",
        "niilc-test-1",
    ]
    assert "n:2of6" in limited.results()["configs"]["nejumi_jaster_niilc"]["metadata"]["signature"]
    if find_spec("lm_eval.scorers"):
        return  # 0.5.0.dev1 ends any run with --samples in an IndexError of its own (_build_logged_samples)
    chosen = demo(
        "--tasks", "nejumi_jaster_niilc", "--samples", json.dumps({"nejumi_jaster_niilc": [1, 4]}), *SAMPLE
    )
    assert [s["doc"]["id"] for s in chosen.samples("nejumi_jaster_niilc")] == ["niilc-test-1", "niilc-test-4"]
    assert "n:2of6" in chosen.results()["configs"]["nejumi_jaster_niilc"]["metadata"]["signature"]


def test_predict_only_logs_outputs_and_scores_nothing(demo):
    done = demo("--tasks", "nejumi_jaster", "--predict_only", *SAMPLE)
    results = done.results()["results"]
    assert not any(
        key.startswith(("score", "exact_match", "char_f1")) for entry in results.values() for key in entry
    )
    assert done.samples("nejumi_jaster_jnli")[0]["resps"][0][0]
    assert "Traceback" not in done.output
    assert "has no score" not in done.output


def test_the_signature_tells_what_deviates(demo, lm_eval):
    done = demo("--tasks", "nejumi_jaster_jnli", *SAMPLE)
    metadata = done.results()["configs"]["nejumi_jaster_jnli"]["metadata"]
    fields = dict(part.split(":", 1) for part in metadata["signature"].split("|"))
    assert fields["protocol"] == "neo"
    assert fields["data"].startswith("sample-")
    assert (fields["split"], fields["n"], fields["shots"]) == ("test", "6", "0")
    assert (fields["style"], fields["norm"], fields["gen"]) == ("alpaca", "nfkc+strip+lower", "greedy-3")
    longer = demo(
        "--tasks", "nejumi_jaster_jnli", "--gen_kwargs", "max_gen_toks=64", *SAMPLE, output="longer"
    )
    signature = longer.results()["configs"]["nejumi_jaster_jnli"]["metadata"]["signature"]
    assert "gen:deviates:max_gen_toks=64" in signature


def test_missing_answers_end_the_run_before_any_score(lm_eval, sample_answers, tmp_path):
    lines = [line for line in open(sample_answers, encoding="utf-8") if "jnli-test-3" not in line]  # noqa: SIM115, PTH123
    (tmp_path / "fewer.jsonl").write_text("".join(lines), encoding="utf-8")
    done = lm_eval(
        "--model",
        "recorded",
        "--model_args",
        "path=fewer.jsonl",
        "--tasks",
        "nejumi_jaster_nli",
        *SAMPLE,
        ok=False,
    )
    assert done.code != 0
    assert "no answer for 1 of 30 prompts: nejumi_jaster_jnli:jnli-test-3" in done.output


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"custom_prompt_template": "no input"}, "custom_prompt_template lacks {input}"),
        ({"prompt_style": "chat"}, "prompt_style=chat needs --apply_chat_template"),
        ({"split": "validation"}, "split is 'validation'"),
        ({"max_samples": 0}, "max_samples is 0"),
    ],
)
def test_bad_options_are_named_with_the_fix(evaluate, sample_answers, metadata, message):
    with pytest.raises(LmEvalJaError, match=re.escape(message)):
        evaluate("nejumi_jaster_jnli", sample_answers, {"data": "sample", **metadata})


def test_a_bad_option_ends_the_run(demo):
    metadata = json.dumps({"data": "sample", "custom_promt_template": "{input}"})
    done = demo("--tasks", "nejumi_jaster_jnli", "--metadata", metadata, ok=False)
    assert done.code != 0
    assert "did you mean 'custom_prompt_template'" in done.output


def test_an_ascii_locale_changes_nothing(demo):
    posix = {
        "LC_ALL": "C",
        "LANG": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONIOENCODING": "utf-8",
    }
    done = demo("--tasks", "nejumi_jaster", *SAMPLE, env=posix, output="posix")
    assert done.score("nejumi_jaster") == demo("--tasks", "nejumi_jaster", *SAMPLE).score("nejumi_jaster")


def test_prompts_carry_shots_templates_and_turns(lm_eval_ja):
    def prompts(*args):
        done = lm_eval_ja("prompts", "--tasks", "nejumi_jaster_janli", *args, "-o", "p.jsonl", *SAMPLE)
        return [
            json.loads(line) for line in (done.folder / "p.jsonl").read_text(encoding="utf-8").splitlines()
        ]

    from lm_eval_ja.datasets import load

    train = load("neo", "janli", data="sample")["train"]
    plain = prompts()
    assert plain[0]["id"] == "nejumi_jaster_janli:janli-test-0"
    assert (plain[0]["max_gen_toks"], plain[0]["until"], plain[0]["temperature"]) == (7, ["\n\n"], 0.0)
    shots = prompts("--num_fewshot", "4")[0]["prompt"]
    head, question = plain[0]["prompt"].split("\n\n### 入力:\n")
    chunks = "".join(
        f"\n\n### 入力:\n{train[i]['input']}\n\n### 応答:\n{train[i]['output']}" for i in range(4)
    )
    assert shots == f"{head}{chunks}\n\n### 入力:\n{question}"
    one = prompts("--apply_chat_template")[0]
    assert one["messages"] == [{"role": "user", "content": plain[0]["prompt"]}]
    turns = prompts("--apply_chat_template", "--num_fewshot", "4", "--system_instruction", "簡潔に。")[0][
        "messages"
    ]
    assert [turn["role"] for turn in turns] == ["system", *["user", "assistant"] * 4, "user"]
    single = prompts("--apply_chat_template", "--num_fewshot", "4", "--fewshot_as_multiturn", "false")[0][
        "messages"
    ]
    assert single == [{"role": "user", "content": shots}]
    system = prompts("--system_instruction", "簡潔に。")[0]["prompt"]
    assert system == f"簡潔に。\n\n{plain[0]['prompt']}"


def test_prompts_on_standard_output_are_utf8_in_any_locale(lm_eval_ja):
    posix = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    given = json.dumps({"data": "sample", "custom_prompt_template": "\u00e9\U0001f600{input}"})
    done = lm_eval_ja("prompts", "--tasks", "nejumi_jaster_mc", "-o", "-", "--metadata", given, env=posix)
    prompts = [json.loads(line)["prompt"] for line in done.output.splitlines() if line.startswith("{")]
    assert prompts[0].startswith("\u00e9\U0001f600質問：")


def test_more_shots_than_examples_is_an_error(lm_eval_ja):
    done = lm_eval_ja(
        "prompts", "--tasks", "nejumi_jaster_mawps", "--num_fewshot", "500", "-o", "-", *SAMPLE, ok=False
    )
    assert done.code == 2
    assert "--num_fewshot 500 is more than the" in done.output
    assert "mawps" in done.output


def test_answers_recorded_through_a_chat_template_are_found_again(tiny_model, lm_eval_ja, lm_eval):
    options = ["--tasks", "nejumi_jaster_mc", "--apply_chat_template"]
    done = lm_eval_ja("prompts", *options, "--tokenizer", tiny_model, "-o", "p.jsonl", *SAMPLE)
    lines = [json.loads(line) for line in (done.folder / "p.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines[0]["prompt"].startswith("<|user|>\n以下は")
    assert lines[0]["prompt"].endswith("<|end|>\n<|assistant|>\n")
    answers = "".join(json.dumps({**line, "output": "0"}) + "\n" for line in lines)
    (done.folder / "a.jsonl").write_text(answers, encoding="utf-8")
    run = lm_eval(
        "--model", "recorded", "--model_args", f"path=a.jsonl,tokenizer={tiny_model}", *options, *SAMPLE
    )
    assert "style:alpaca+chat_template" in str(run.results()["configs"])
