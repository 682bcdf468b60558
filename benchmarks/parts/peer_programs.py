"""How each program is asked the same questions: its environment, its files, its command."""

import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from table import ROOT

PARTS = Path(__file__).resolve().parent
PEER_TASKS = PARTS / "peer_inspect.py"  # copied to where a command runs: inspect_ai takes relative paths only
BATCH = 32
TORCH = "torch==2.13.0"
PACKAGES = {  # what each environment gets beside torch
    "flexeval": ["flexeval"],
    "inspect_ai": ["inspect_ai", "transformers", "accelerate", "openai"],
}
OURS = "lm-eval-ja"
SMALL_TASKS = ("jamp", "janli", "jnli", "jemhopqa", "niilc", "jsquad", "jcommonsenseqa", "chabsa")
IDENTITY = "{% for message in messages %}{{ message.content }}{% endfor %}"


@dataclass(frozen=True)
class Case:
    """What is measured.

    Attributes:
        questions: How many in all.
        chat: Whether the model's chat template is applied.
        heavy: The 59M model, otherwise the tiny one.
    """

    questions: int
    chat: bool = False
    heavy: bool = False

    @property
    def name(self) -> str:
        return f"{self.questions}-{'chat' if self.chat else 'base'}{'-heavy' if self.heavy else ''}"

    @property
    def label(self) -> str:
        model = "59M model" if self.heavy else "tiny model"
        return f"{self.questions:,} questions, {'chat' if self.chat else 'base'}, {model}"

    @property
    def options(self) -> list[str]:
        """The part of a command of ours that says which prompts."""
        whole = self.questions == 1200
        names = "nejumi_jaster" if whole else ",".join(f"nejumi_jaster_{name}" for name in SMALL_TASKS)
        limit = [] if whole else ["--limit", str(self.questions // len(SMALL_TASKS))]
        return ["--tasks", names, *limit, *(["--apply_chat_template"] if self.chat else [])]


@dataclass(frozen=True)
class Command:
    """A whole command and what it needs from the environment."""

    arguments: list[str]
    settings: dict[str, str] = field(default_factory=dict)


def make_environments(folder: Path) -> None:
    """Install each peer into an environment of its own; a failure is told and the others go on."""
    for name, packages in PACKAGES.items():
        venv.create(folder / name, with_pip=True)
        pip = [str(folder / name / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        done = subprocess.run([*pip, TORCH, *packages], check=False)
        print(f"{name}: {'ready' if done.returncode == 0 else 'does not install'}", flush=True)


def make_models(folder: Path) -> None:
    """A tiny Llama with random weights, and one of 59 million parameters with the same tokenizer."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    if (folder / "heavy" / "config.json").exists():
        return
    script = ROOT / "scripts" / "make_tiny_model.py"
    subprocess.run([sys.executable, str(script), str(folder / "tiny")], check=True, capture_output=True)
    config = LlamaConfig.from_pretrained(folder / "tiny")
    config.update(
        {
            "hidden_size": 640,
            "intermediate_size": 1728,
            "num_hidden_layers": 12,
            "num_attention_heads": 10,
            "num_key_value_heads": 10,
            "head_dim": 64,
            "initializer_range": 0.06,
        }
    )
    import torch

    torch.manual_seed(0)
    AutoTokenizer.from_pretrained(folder / "tiny").save_pretrained(folder / "heavy")
    LlamaForCausalLM(config).save_pretrained(folder / "heavy")


def export(case: Case, folder: Path) -> list[dict[str, Any]]:
    """Write the questions for the peers, a folder per task; returns them in our order."""
    saved = folder / "prompts.jsonl"
    command = [str(Path(sys.executable).with_name("lm-eval-ja")), "prompts", "-o", str(saved), *case.options]
    subprocess.run(command, check=True, capture_output=True)
    lines = [json.loads(line) for line in saved.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        if case.chat:
            (message,) = line["messages"]
            line["query"] = message["content"]
        else:
            line["query"] = line["prompt"]
        line |= {"reference": "-", "messages": [{"role": "user", "content": line["query"]}]}
    for task, members in groupby(lines, key=lambda line: str(line["task"])):
        (folder / "questions" / task).mkdir(parents=True)
        keys = ("query", "reference", "messages", "max_gen_toks", "until")
        text = "".join(json.dumps({key: line[key] for key in keys}) + "\n" for line in members)
        (folder / "questions" / task / "test.jsonl").write_text(text, encoding="utf-8")
    return lines


def commands(case: Case, environments: Path, models: Path, work: Path) -> dict[str, Command]:
    """What is typed for each program, by its name."""
    questions, model = work / "questions", models / ("heavy" if case.heavy else "tiny")
    ours = [str(Path(sys.executable).with_name("lm_eval")), "run", "--model", "hf"]
    ours += ["--model_args", f"pretrained={model}", "--device", "cpu", "--batch_size", str(BATCH)]
    ours += [*case.options, "--output_path", "{out}", "--log_samples"]
    setups = dict(_flexeval_setups(questions, chat=case.chat))
    (work / "flexeval.json").write_text(json.dumps({"eval_setups": setups}), encoding="utf-8")
    flexeval = [str(environments / "flexeval" / "bin" / "flexeval_lm"), "--language_model", "HuggingFaceLM"]
    flexeval += ["--language_model.model", str(model), "--save_dir", "{out}"]
    flexeval += ["--config", str(work / "flexeval.json")]
    inspect = [str(environments / "inspect_ai" / "bin" / "inspect"), "eval", *_inspect_tasks(questions, work)]
    inspect += ["--model", "hf/local", "-M", f"model_path={model}", "-M", "device=cpu"]
    inspect += ["-M", "do_sample=false", "--max-connections", str(BATCH), "--log-dir", "{out}"]
    inspect += ["--display", "none"]
    inspect += [] if case.chat else ["-M", f"chat_template='{IDENTITY}'"]
    seen = {"PEER_QUESTIONS": str(questions)}
    return {
        OURS: Command(ours, {"LM_EVAL_JA_INDEX_CACHE": "0"}),
        f"{OURS}, cached index": Command(ours, {"LM_EVAL_JA_INDEX_CACHE": "1"}),
        "flexeval": Command(flexeval),
        "inspect_ai": Command(inspect, seen),
    }


def _inspect_tasks(questions: Path, work: Path) -> list[str]:
    names = sorted(folder.name for folder in questions.iterdir())
    # inspect_ai looks for a decorator of just this name.
    tasks = (f"\n\n@task\ndef {name}():\n    return questions({name!r})\n" for name in names)
    (work / PEER_TASKS.name).write_text(
        PEER_TASKS.read_text(encoding="utf-8") + "\nfrom inspect_ai import task\n" + "".join(tasks),
        encoding="utf-8",
    )
    return [f"{PEER_TASKS.name}@{name}" for name in names]


def _flexeval_setups(questions: Path, *, chat: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    for folder in sorted(questions.iterdir()):
        path = folder / "test.jsonl"
        first = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
        settings = {"do_sample": False, "stop_sequences": first["until"]}
        data: dict[str, Any]
        if chat:
            data = {"class_path": "OpenAIMessagesDataset", "init_args": {"file_path": str(path)}}
        else:
            data = {
                "class_path": "JsonlGenerationDataset",
                "init_args": {"path": str(path), "reference_template": "{{ reference }}"},
            }
        arguments = {
            "eval_dataset": data,
            "gen_kwargs": {**settings, "max_new_tokens": first["max_gen_toks"]},
            "batch_size": BATCH,
        }
        if not chat:
            arguments |= {"prompt_template": "{{ query }}", "metrics": [{"class_path": "ExactMatch"}]}
        yield folder.name, {"class_path": "ChatResponse" if chat else "Generation", "init_args": arguments}


def environment(settings: dict[str, str]) -> dict[str, str]:
    """What every command sees: one thread, no network, no progress of bars."""
    fixed = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    return {**os.environ, **fixed, **settings}
