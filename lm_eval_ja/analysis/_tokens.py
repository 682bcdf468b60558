"""How many characters a model's tokenizer gets into a token, where the results name it and it is at hand."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval_ja.results import Run

_LOCAL_BACKENDS = ("hf", "hf-auto", "hf-multimodal", "vllm", "vllm-vlm", "sglang")


@dataclass(frozen=True)
class Efficiency:
    """Token efficiency of one run's model.

    Attributes:
        tokenizer: Directory or hub id.
        datasets: Characters per token over all questions of each dataset.
        total: Characters per token over all of them together.
    """

    tokenizer: str
    datasets: dict[str, float]
    total: float


@dataclass(frozen=True)
class Tokenizer:
    """A loaded tokenizer."""

    name: str
    _encode: Callable[[list[str]], list[list[int]]]

    def count(self, texts: Sequence[str]) -> list[int]:
        """Number of tokens of each text, without special tokens."""
        return [len(ids) for ids in self._encode(list(texts))] if texts else []


def load_tokenizer(run: Run) -> Tokenizer | str:
    """Load a run's tokenizer if it is on this machine. Nothing is downloaded and no code of the model's is run.

    Returns:
        The tokenizer, or why there is none.
    """
    name = run.tokenizer
    if name is None or (run.backend not in _LOCAL_BACKENDS and "tokenizer" not in run.model_args):
        return "the results don't name a tokenizer"
    if not Path(name).is_dir() and not _in_hub_cache(name):
        return f"the tokenizer {name} is not on this machine"
    try:
        from transformers import AutoTokenizer

        loaded: Any = AutoTokenizer.from_pretrained(name, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # noqa: BLE001  # a tokenizer may fail in any way, and this is an extra
        return f"the tokenizer {name} can't be loaded ({type(error).__name__})"

    def encode(texts: list[str]) -> list[list[int]]:
        clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]  # no lone surrogates
        ids: list[list[int]] = loaded(clean, add_special_tokens=False, verbose=False)["input_ids"]
        return ids

    return Tokenizer(name, encode)


def _in_hub_cache(name: str) -> bool:
    """Whether the hub's cache holds anything of a repository (asked before the slow import of transformers)."""
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    hub = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    return (hub / f"models--{name.replace('/', '--')}").is_dir()


def efficiency(run: Run, tokenizer: Tokenizer) -> Efficiency | None:
    """Characters per token on the questions of a run (for MT-Bench, on both turns).

    Returns:
        The efficiency; None if no samples were logged.
    """
    characters: dict[str, int] = {}
    tokens: dict[str, int] = {}
    for task in run.tasks.values():
        texts = [text for q in task.questions for text in ([turn.question for turn in q.turns] or [q.input])]
        if texts:
            characters[task.dataset] = characters.get(task.dataset, 0) + sum(map(len, texts))
            tokens[task.dataset] = tokens.get(task.dataset, 0) + sum(tokenizer.count(texts))
    if not sum(tokens.values()):
        return None
    return Efficiency(
        tokenizer.name,
        {dataset: characters[dataset] / tokens[dataset] for dataset in characters if tokens[dataset]},
        sum(characters.values()) / sum(tokens.values()),
    )
