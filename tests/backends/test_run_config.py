"""The files that `lm-eval-ja run-config` writes, run by the harness's own `lm_eval run --config`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lm_eval_ja.families import look, recognize, write_configs
from tests.support.model_folders import make_folder
from tests.support.model_server import ModelServer

pytestmark = pytest.mark.slow

Harness = Callable[[Path, str], dict[str, Any]]


@pytest.fixture
def harness(lm_eval_here: Callable[..., None]) -> Harness:
    """`lm_eval run --config FILE` on the first sample questions. Returns the results."""

    def run(folder: Path, text: str) -> dict[str, Any]:
        config = yaml.safe_load(text)
        output = folder / f"out-{len(list(folder.glob('out-*')))}"
        # What a user would add to try it: little data, short answers, no judge, no GPU.
        config["metadata"] = {**config.get("metadata", {}), "data": "sample", "judge_model": "none"}
        if "token_budget" in config["metadata"]:
            config["metadata"]["token_budget"] = "+8"  # noqa: S105  # not that kind of token
        if config["tasks"] == "nejumi_jaster":
            config["tasks"] = "nejumi_jaster_jnli"
        else:
            config["gen_kwargs"] = {**config.get("gen_kwargs", {}), "max_gen_toks": 4}
        config |= {"limit": 2, "device": "cpu", "output_path": str(output)}
        if "batch_size" in config:
            config["batch_size"] = 2
        file = folder / "tried.yaml"
        file.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
        lm_eval_here("run", "--config", str(file))
        (results,) = output.rglob("results_*.json")
        return json.loads(results.read_text(encoding="utf-8"))

    return run


def texts_of(folder: Path, **options: Any) -> dict[str, str]:
    model = look(folder)
    return {one.name: one.text for one in write_configs(model, recognize(model), **options)}


def signature_of(results: dict[str, Any]) -> str:
    (config,) = results["configs"].values()
    return str(config["metadata"]["signature"])


def test_every_file_runs_on_hf(tiny_model, tmp_path, harness) -> None:
    folder = make_folder("Qwen3-8B", tmp_path, tiny_model)
    signatures = {file: signature_of(harness(folder, text)) for file, text in texts_of(folder).items()}
    assert "|style:alpaca|" in signatures["jaster.yaml"]
    assert "|style:alpaca+chat_template|" in signatures["jaster-chat.yaml"]
    assert "|gen:greedy-3|bos:off" in signatures["jaster.yaml"]
    assert "|gen:greedy-3|template:enable_thinking=False|bos:off" in signatures["jaster-chat.yaml"]
    assert "|style:conversation|" in signatures["mtbench.yaml"]
    assert "|style:chat_template|" in signatures["mtbench-chat.yaml"]
    assert "|thoughts:separated(think)|gen:deviates:max_gen_toks=11|" in signatures["jaster-thinking.yaml"]
    assert len(set(signatures.values())) == len(signatures)


@pytest.mark.parametrize(
    ("name", "file", "begins"),
    [
        ("Qwen3-8B", "jaster.yaml", ""),
        ("Qwen3-8B", "jaster-chat.yaml", ""),
        ("Llama-3.1-Swallow-8B-Instruct-v0.3", "jaster.yaml", ""),
        ("Llama-3.1-Swallow-8B-Instruct-v0.3", "jaster-chat.yaml", "<|bos|>"),
    ],
)
def test_there_is_one_bos_token_or_none(name, file, begins, tiny_model, tmp_path) -> None:
    from lm_eval.models.huggingface import HFLM

    folder = make_folder(name, tmp_path, tiny_model)
    model = HFLM(**yaml.safe_load(texts_of(folder)[file])["model_args"], device="cpu")
    asked = [{"role": "user", "content": "問い"}]
    prompt = model.apply_chat_template(asked) if "chat" in file else "問い"
    ids = model.tok_batch_encode([prompt])[0][0].tolist()
    text = model.tokenizer.decode(ids)
    assert text == prompt
    assert text.startswith(begins)
    assert ids.count(model.tokenizer.bos_token_id) == bool(begins)
    if name == "Qwen3-8B" and "chat" in file:
        assert text.endswith("<think>\n\n</think>\n\n"), "thoughts are switched off"


def test_every_file_runs_behind_a_server(tiny_model, tmp_path, harness) -> None:
    folder = make_folder("Qwen3-8B", tmp_path, tiny_model)
    with ModelServer() as server:
        texts = texts_of(folder, backend="server", base_url=server.url)
        harness(folder, texts["jaster.yaml"])
        asked = [call.body for call in server.calls]
        assert [type(body["prompt"][0]) for body in asked] == [list, list]
        assert {body["model"] for body in asked} == {"Qwen3-8B"}
        signature = signature_of(harness(folder, texts["jaster-chat.yaml"]))
        chats = [call.body for call in server.calls[len(asked) :]]
        assert {json.dumps(body["chat_template_kwargs"]) for body in chats} == {'{"enable_thinking": false}'}
        assert "gen:deviates:chat_template_kwargs=" in signature
        harness(folder, texts["mtbench.yaml"])
        harness(folder, texts["mtbench-chat.yaml"])
