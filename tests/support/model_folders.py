"""Directories that look like those of well-known models: their facts, with templates and texts of our own.

The files of a tiny model (``scripts/make_tiny_model.py``) can be put beneath, and then they load and answer.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_TURN = "{{ '<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n' }}"
_TURNS = "{%- for message in messages %}" + _TURN + "{% endfor %}"
_ASK = "{%- if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
_SWITCH = (
    "{%- if enable_thinking is defined and enable_thinking is false %}"
    "{{ '<think>\n\n</think>\n\n' }}{% endif %}"
)
_NO_SYSTEM = "{%- if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
_OWN_SYSTEM = (
    "{%- for message in messages %}{% if message['role'] == 'system' %}{{ 'A text of its own.\n' }}"
    "{% else %}{{ '### ' + message['role'] + ':\n' + message['content'] + '\n' }}{% endif %}{% endfor %}"
    "### assistant:\n"
)
_DATED = (
    "{%- if date_string is not defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
    "{{- '<|system|>\nToday: ' + date_string + '<|end|>\n' }}"
)
_EFFORT = (
    "{{- '<|system|>\n' + strftime_now('%Y-%m-%d') + ' Reasoning: ' }}"
    "{{- reasoning_effort|default('medium') + '<|end|>\n' }}"
)

FOLDERS: Mapping[str, dict[str, Any]] = {
    "base-7b": {"model_type": "llama", "template": ""},
    "Qwen3-8B": {
        "model_type": "qwen3",
        "architecture": "Qwen3ForCausalLM",
        "context": 40960,
        "bos_token": "",
        "template": _TURNS + _ASK + _SWITCH,
        "generation": {"temperature": 0.6, "top_p": 0.95, "top_k": 20},
    },
    "Qwen3-8B-Base": {"model_type": "qwen3", "template": _TURNS + _ASK + _SWITCH},
    "Qwen3-4B-Thinking-2507": {
        "model_type": "qwen3",
        "template": _TURNS + "{{ '<|assistant|>\n<think>\n' }}",
    },
    "gemma-2-9b-it": {"model_type": "gemma2", "template": "{{ bos_token }}" + _NO_SYSTEM + _TURNS + _ASK},
    "Llama-3.1-Swallow-8B-Instruct-v0.3": {
        "model_type": "llama",
        "template": "{{ bos_token }}" + _DATED + _TURNS + _ASK,
        "bos_token": "<|begin_of_text|>",
    },
    "gpt-oss-20b": {"model_type": "gpt_oss", "template": _EFFORT + _TURNS + _ASK},
    "llm-jp-3-13b-instruct": {"model_type": "llama", "template": "{{ bos_token }}" + _OWN_SYSTEM},
    "sarashina2.2-3b-instruct-v0.1": {"model_type": "llama", "template": _TURNS + _ASK},
}
"""What the directories hold, by name."""


def make_folder(name: str, where: Path, tiny_model: str | None = None) -> Path:
    """Write one of `FOLDERS`.

    Args:
        name: Its name.
        where: Folder to write it in.
        tiny_model: A tiny model whose weights and tokenizer it gets; without one it has none.
    """
    facts = FOLDERS[name]
    folder = where / name
    if tiny_model:
        shutil.copytree(tiny_model, folder)
        (folder / "chat_template.jinja").unlink(missing_ok=True)
        tokenizer = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    else:
        folder.mkdir(parents=True)
        bos = facts.get("bos_token", "<|bos|>")
        tokenizer = {"bos_token": {"content": bos}, "eos_token": "<|end|>", "add_bos_token": bool(bos)}
        config = {
            "model_type": facts["model_type"],
            "architectures": [facts.get("architecture", "LlamaForCausalLM")],
            "max_position_embeddings": facts.get("context", 32768),
        }
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    tokenizer.pop("chat_template", None)
    if facts["template"]:
        tokenizer["chat_template"] = facts["template"]
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    if "generation" in facts:
        (folder / "generation_config.json").write_text(json.dumps(facts["generation"]), encoding="utf-8")
    return folder
