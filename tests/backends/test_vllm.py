"""``--model vllm`` and vLLM's server, with the real engine on CPU."""

import json
import re
import urllib.request

import pytest

from tests.backends.conftest import TINY, outputs
from tests.support.judge_server import JudgeServer

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("vllm")]

SHORT = ["--gen_kwargs", "temperature=0,max_gen_toks=16"]  # long enough to compare, short enough for a laptop
CATEGORIES = ["coding", "extraction", "humanities", "math", "reasoning", "roleplay", "stem", "writing"]


@pytest.fixture
def in_process(tiny_model, backend_env, metadata, lm_eval):
    """``lm_eval --model vllm`` with a judge that rates by text."""

    def run(*args, env=None, more="", **kwargs):
        settings = f"dtype=float32,enforce_eager=True,max_model_len=16384,add_bos_token=False{more}"
        with JudgeServer() as server:
            return lm_eval(
                *(
                    "--model",
                    "vllm",
                    "--model_args",
                    f"pretrained={tiny_model},{settings}",
                    "--batch_size",
                    "auto",
                ),
                *("--metadata", json.dumps({**metadata, "judge_base_url": server.url}), *args),
                env={**backend_env, **(env or {})},
                **kwargs,
            )

    return run


def records(run, number):
    """The eight questions' records, each with two answers, and the first answer in the second prompt."""
    samples = run.samples("nejumi_mtbench")
    assert [sample["doc"]["category"] for sample in samples][:8] == CATEGORIES[:number]
    found = [json.loads(sample["filtered_resps"][0]) for sample in samples]
    for sample, record in zip(samples, found, strict=True):
        assert len(sample["resps"][0][0]) == 3
        prompt = record["second_prompt"]
        if prompt.startswith("["):  # chat messages, as the API is sent them
            prompt = "\n".join(message["content"] for message in json.loads(prompt))
        assert all(turn in prompt for turn in [*sample["doc"]["turns"], record["answers"][0]])
        assert any(record["answers"])
        assert len(record["judgments"]) == 2
    assert len({tuple(record["answers"]) for record in found}) > number / 2
    return found


def comparable(text):
    """What both backends write alike of the same tokens.

    The tiny model strews special tokens and broken characters: vllm shows the former and holds back the latter, hf
    drops the former and shows the latter as U+FFFD.
    """
    return re.sub(r"<\|[a-z]+\|>|[^\x00-\x7f]", "", text)


def agreement(one, other):
    assert one.keys() == other.keys()
    return sum(comparable(one[key]) == comparable(other[key]) for key in one) / len(one)


def test_nejumi_as_hf_answers_it(in_process, lm_eval, tiny_model, backend_env, metadata):
    """Both parts of Nejumi in one run; the greedy answers are those of hf. (In bfloat16 hf differs from itself.)"""
    run = in_process("--tasks", "nejumi", "--limit", "8", *SHORT, output="vllm")
    results = run.results()["results"]
    assert results["nejumi_mtbench"]["unscored,none"] == 0
    overall = (results["nejumi_jaster"]["score,none"] + results["nejumi_mtbench"]["score,none"] / 10) / 2
    assert results["nejumi"]["score,none"] == pytest.approx(overall)
    records(run, 8)
    for sample in run.samples("nejumi_mtbench"):
        assert sample["arguments"]["gen_args_0"]["arg_1"]["chat"] is False
    assert "bos:off" in run.results()["configs"]["nejumi_jaster_jnli"]["metadata"]["signature"]
    hf = lm_eval(
        *("--model", "hf", "--model_args", f"pretrained={tiny_model},dtype=float32,add_bos_token=False"),
        *("--device", "cpu", "--batch_size", "1", "--tasks", "nejumi_jaster", "--limit", "8", *SHORT),
        *("--metadata", json.dumps(metadata)),
        env=backend_env,
        output="hf",
    )
    answers = {key: text for key, text in outputs(run).items() if key[0] != "nejumi_mtbench"}
    rate = agreement(answers, outputs(hf))
    print(f"greedy answers of hf and vllm agree on {rate:.1%} of {len(answers)}")  # noqa: T201  # shown by pytest -rP
    assert rate > 0.97


def test_mtbench_with_the_chat_template_tensor_parallel(in_process):
    run = in_process(
        *("--tasks", "nejumi_mtbench", "--limit", "8", "--apply_chat_template", *SHORT),
        more=",tensor_parallel_size=2",
        env={"VLLM_CPU_OMP_THREADS_BIND": "0|1"},  # one core for each of the two workers
    )
    for record in records(run, 8):
        # The tiny model's own template: what is asked second is a chat of three messages.
        assert record["second_prompt"].count("<|user|>\n") == 2
        assert record["second_prompt"].endswith("<|end|>\n<|assistant|>\n")
    assert run.results()["results"]["nejumi_mtbench"]["unscored,none"] == 0
    assert "style:chat_template" in run.results()["configs"]["nejumi_mtbench"]["metadata"]["signature"]


def test_several_samples_are_drawn_and_thoughts_are_not_stopped(in_process, metadata):
    options = {**metadata, "repeats": 3, "thoughts": "separate", "token_budget": "+8"}
    run = in_process(
        *("--tasks", "nejumi_jaster_jnli", "--limit", "4", "--gen_kwargs", "temperature=1.0"),
        *("--metadata", json.dumps(options)),
    )
    samples = run.samples("nejumi_jaster_jnli")
    answers = [sample["resps"][0] for sample in samples]
    assert [len(own) for own in answers] == [3] * 4
    assert any(len(set(own)) > 1 for own in answers), "every sample is drawn by itself"
    assert all(sample["arguments"]["gen_args_0"]["arg_1"]["until"] == [] for sample in samples)
    signature = run.results()["configs"]["nejumi_jaster_jnli"]["metadata"]["signature"]
    assert "repeats:3" in signature
    assert "thoughts:separated" in signature
    assert "exact_match_pass@2,none" in run.results()["results"]["nejumi_jaster_jnli"]


@pytest.mark.parametrize(
    ("model", "path", "settings", "chat"),
    [
        ("local-completions", "completions", "num_concurrent=8,tokenized_requests=False,tokenizer={}", False),
        ("local-completions", "completions", "num_concurrent=1,tokenized_requests=True,tokenizer={}", False),
        ("local-chat-completions", "chat/completions", "num_concurrent=8", True),
        ("openai-chat-completions", "chat/completions", "num_concurrent=8", True),
    ],
    ids=["completions-text", "completions-tokens", "local-chat", "openai-chat"],
)
def test_vllm_serves_model_and_judge(
    vllm_url, tiny_model, lm_eval, backend_env, metadata, model, path, settings, chat
):
    """A server for all: it answers the questions, in two turns, and then rates the answers (badly)."""
    judge = {"judge_base_url": vllm_url, "judge_model": TINY, "judge_max_tokens": 24, "judge_strict": True}
    run = lm_eval(
        *("--model", model, "--tasks", "nejumi_jaster_nli,nejumi_mtbench", "--limit", "4", *SHORT),
        *("--model_args", f"model={TINY},base_url={vllm_url}/{path},{settings.format(tiny_model)}"),
        *("--metadata", json.dumps({**metadata, **judge})),
        *(["--apply_chat_template"] if chat else []),
        env=backend_env,
    )
    assert any(outputs(run).values())
    for record in records(run, 4):
        for turn in record["judgments"]:
            (judgment,) = turn["judgments"]
            assert judgment["served_model"] == TINY
            assert judgment["prompt_tokens"] > 100
            assert turn["rating"] is not None, "strict: no rating is -1"
    turn = records(run, 4)[0]["judgments"][0]
    assert ask(vllm_url, turn["messages"], 24) == turn["judgments"][0]["text"]
    signature = run.results()["configs"]["nejumi_mtbench"]["metadata"]["signature"]
    assert f"judge:{TINY}+max_tokens=24|" in signature


def ask(url, messages, tokens):
    """What the server says to messages, greedily, without the package under test."""
    body = {"model": TINY, "messages": messages, "temperature": 0, "max_tokens": tokens}
    request = urllib.request.Request(  # noqa: S310  # our own URL
        f"{url}/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310  # as above
        return json.load(response)["choices"][0]["message"]["content"]


def test_chat_api_without_a_chat_template_says_what_to_add(vllm_url, lm_eval, backend_env):
    run = lm_eval(
        *("--model", "local-chat-completions", "--tasks", "nejumi_jaster_mc", "--limit", "2"),
        *("--model_args", f"model={TINY},base_url={vllm_url}/chat/completions"),
        *("--metadata", json.dumps({"data": "sample"})),
        env=backend_env,
        ok=False,
    )
    assert run.code != 0
    assert "--apply_chat_template" in run.output
