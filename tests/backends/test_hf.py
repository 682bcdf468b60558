"""A real Hugging Face model (tiny, random) through every road of ``lm_eval`` that users take."""

import json

import pytest

SAMPLE = ["--metadata", json.dumps({"data": "sample"})]


@pytest.fixture
def hf(lm_eval, tiny_model):
    def run(*args, model_args="", **kwargs):
        model = ["--model", "hf", "--model_args", f"pretrained={tiny_model}{model_args}", "--device", "cpu"]
        return lm_eval(*model, "--batch_size", "8", *args, **kwargs)

    return run


def test_zero_shot_and_the_cache(hf):
    options = ["--tasks", "nejumi_jaster", "--limit", "2", "--use_cache", "cache", *SAMPLE]
    first = hf(*options)
    assert 0 <= first.score("nejumi_jaster") <= 1
    again = hf(*options, output="again")
    assert "Cached requests: 32, Requests remaining: 0" in again.output
    assert again.score("nejumi_jaster") == first.score("nejumi_jaster")


def test_outputs_end_at_the_limit_and_at_the_blank_line(hf):
    done = hf("--tasks", "nejumi_jaster_jcommonsenseqa,nejumi_jaster_jnli", *SAMPLE)
    for sample in done.samples("nejumi_jaster_jcommonsenseqa"):
        assert len(sample["resps"][0][0]) <= 1, "one token of this tokenizer is one byte"
    for sample in done.samples("nejumi_jaster_jnli"):
        assert "\n\n" not in sample["resps"][0][0]


def test_chat_template_and_shots(hf):
    done = hf(
        *("--tasks", "nejumi_jaster_mc", "--apply_chat_template", "--num_fewshot", "4", "--limit", "2"),
        *("--system_instruction", "簡潔に。", *SAMPLE),
    )
    (sample, *_) = done.samples("nejumi_jaster_jcommonsenseqa")
    prompt = sample["arguments"]["gen_args_0"]["arg_0"]
    assert prompt.startswith("<|system|>\n簡潔に。<|end|>\n<|user|>\n以下は")
    assert prompt.count("<|assistant|>") == 5
    signature = done.results()["configs"]["nejumi_jaster_jcommonsenseqa"]["metadata"]["signature"]
    assert "shots:4|style:alpaca+chat_template+multiturn" in signature
    assert "|sys:" in signature


def test_chat_style(hf):
    metadata = json.dumps({"data": "sample", "prompt_style": "chat"})
    done = hf("--tasks", "nejumi_jaster_mc", "--apply_chat_template", "--limit", "1", "--metadata", metadata)
    (sample,) = done.samples("nejumi_jaster_jcommonsenseqa")
    doc = sample["doc"]
    expected = f"<|user|>\n{doc['instruction']}\n\n{doc['input']}<|end|>\n<|assistant|>\n"
    assert sample["arguments"]["gen_args_0"]["arg_0"] == expected


def test_the_default_prompt_of_2_1_is_one_user_turn(hf):
    tasks = "llm_jp_eval_2_1_janli,llm_jp_eval_2_1_jsem"
    done = hf("--tasks", tasks, "--apply_chat_template", "--limit", "1", *SAMPLE)
    prompts = {}
    for name in ("janli", "jsem"):
        (sample,) = done.samples(f"llm_jp_eval_2_1_{name}")
        prompts[name] = sample["arguments"]["gen_args_0"]["arg_0"]
        assert prompts[name].startswith("<|user|>\n### 指示\n前提と仮説の関係を")
        assert prompts[name].endswith("\n### 応答:<|end|>\n<|assistant|>\n")
        assert prompts[name].count("<|user|>") == prompts[name].count("<|assistant|>") == 1
    assert "</example_4>" in prompts["janli"]
    assert "<examples>" not in prompts["jsem"]


def test_beside_an_english_task(hf, tmp_path):
    (tmp_path / "tasks").mkdir()
    rows = [{"q": f"What is {n} + 1?", "a": str(n + 1)} for n in range(4)]
    (tmp_path / "english.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "tasks" / "english.yaml").write_text(
        f"task: my_english\ndataset_path: json\ndataset_kwargs: {{data_files: {{test: {tmp_path}/english.json}}}}\n"
        "test_split: test\noutput_type: multiple_choice\ndoc_to_text: '{{q}}'\ndoc_to_choice: ['1', '2', '3', '4']\n"
        "doc_to_target: '{{a|int - 1}}'\nmetric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]\n"
        "metadata: {version: 1}\n"
    )
    done = hf("--tasks", "nejumi_jaster_qa,my_english", "--include_path", "tasks", "--limit", "2", *SAMPLE)
    results = done.results()["results"]
    assert {"nejumi_jaster_qa", "nejumi_jaster_niilc", "my_english"} <= set(results)
    assert 0 <= results["my_english"]["acc,none"] <= 1


def test_bos_is_the_users_choice_and_stands_in_the_signature(hf):
    done = hf("--tasks", "nejumi_jaster_mc", "--limit", "1", *SAMPLE, model_args=",add_bos_token=False")
    assert "|bos:off" in done.results()["configs"]["nejumi_jaster_jcommonsenseqa"]["metadata"]["signature"]


def test_llm_jp_eval_names_what_is_missing(hf):
    done = hf("--tasks", "llm_jp_eval", "--limit", "1", *SAMPLE)
    results = done.results()
    top = results["results"]["llm_jp_eval"]
    assert "missing: MT (8 of 9 present)" in top["alias"].replace("llm_jp_eval_mt", "MT")
    assert top["score,none"] != top["score,none"], "missing is not an average of the rest"  # NaN
    assert results["n-shot"]["llm_jp_eval_jamp"] == 4
    assert results["configs"]["llm_jp_eval_wikicorpus-e-to-j"]["metadata"]["bleu_ja_signature"]
    assert "split:dev" in results["configs"]["llm_jp_eval_jamp"]["metadata"]["signature"]


def test_jsts_has_its_correlations(hf):
    done = hf("--tasks", "nejumi_jaster_jsts", "--num_fewshot", "4", *SAMPLE)
    entry = done.results()["results"]["nejumi_jaster_jsts"]
    assert {"pearson,none", "spearman,none"} <= set(entry)
