"""How many tokens one model's run takes: prompts, answers, judge; and how much of it a prefix cache saves.

    python benchmarks/tokens.py MIRROR TOKENIZER [TOKENIZER ...]

A TOKENIZER is a Hugging Face directory or name, or an encoding of tiktoken (cl100k_base is GPT-4's). The prefix cache
is vLLM's, simulated: blocks of tokens, found again if everything before them is the same too; it is never full.
"""

import argparse
import os
import re
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from table import header, line

ANSWERS = (200, 400, 1024)  # tokens per answer
MARKS = "\ue000\ue001"  # stand for the two answers
NAMES = ["per model", "requests", "tokens sent", "tokens received", "found in a prefix cache"]
PER_JUDGMENT = 250  # tokens of a judge's reply, about


def load_tokenizer(name: str) -> Callable[[str], list[int]]:
    """A function from text to tokens."""
    try:
        import tiktoken

        encoding = tiktoken.get_encoding(name)
    except (ImportError, ValueError):
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(name)
        return lambda text: list(tokenizer(text, add_special_tokens=False)["input_ids"])
    return lambda text: encoding.encode(text, disallowed_special=())


def cached_share(prompts: Iterable[list[int]], block: int) -> float:
    """The share of all tokens that a prefix cache has seen before, prompts one after another.

    The last token is always computed, so a prompt that is wholly known misses its last block.
    """
    seen: set[int] = set()
    hits = total = 0
    for prompt in prompts:
        total += len(prompt)
        state, known = 0, True
        for end in range(block, len(prompt), block):
            state = hash((state, *prompt[end - block : end]))
            known = known and state in seen
            hits += block * known
            seen.add(state)
    return hits / total


def jaster(shots: int, encode: Callable[[str], list[int]], block: int) -> list[str]:
    """Prompts of nejumi_jaster; with shots only of the datasets whose train files are at hand."""
    from lm_eval.tasks import TaskManager

    from lm_eval_ja.errors import DataError
    from lm_eval_ja.plugin import TASKS_PATH

    manager = TaskManager(include_path=str(TASKS_PATH), include_defaults=False)
    prompts: list[list[int]] = []
    limits = golds = 0
    left_out = []
    for task in manager.load(["nejumi_jaster"])["tasks"].values():
        task.set_config("num_fewshot", shots)
        try:
            task.build_all_requests()
        except DataError:
            left_out.append(task.dataset_name)
            continue
        prompts += [encode(request.args[0]) for request in task.instances]
        limits += task.output_length * len(task.instances)
        golds += sum(len(encode(request.doc["output"])) for request in task.instances)
    tokens = sum(map(len, prompts))
    what = f"jaster, {shots} shots" + (f", without {' and '.join(left_out)}" if left_out else "")
    return [
        what,
        f"{len(prompts):,}",
        f"{tokens:,}",
        f"{golds:,} (golds) to {limits:,} (limits)",
        f"{cached_share(prompts, block):.0%}",
    ]


def mtbench(answer: int, encode: Callable[[str], list[int]], block: int) -> list[str]:
    """What the judge is sent, if every answer has this many tokens."""
    from lm_eval_ja.datasets import load_mtbench
    from lm_eval_ja.judge import build_messages, load_prompts

    prompts = load_prompts("nejumi")
    requests: list[list[int]] = []
    for number, question in enumerate(load_mtbench("neo"), 1):
        for turn in (1, 2):
            messages = build_messages(prompts, question, list(MARKS), question["reference"], turn)
            first, *others = re.split(f"[{MARKS}]", "\n".join(message["content"] for message in messages))
            tokens = encode(first)
            for text in others:  # an answer shares no token with any other question's
                tokens += [-number] * answer + encode(text)
            requests.append(tokens)
    sent = sum(map(len, requests))
    return [
        f"judge, answers of {answer} tokens",
        f"{len(requests)}",
        f"{sent:,}",
        f"about {PER_JUDGMENT * len(requests):,}",
        f"{cached_share(requests, block):.0%}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("mirror", type=Path, help="folder with the raw files, laid out as <host>/<path>")
    parser.add_argument("tokenizers", nargs="+", metavar="TOKENIZER")
    parser.add_argument(
        "--block", type=int, default=16, help="tokens per block (default 16; vLLM on CPU: 128)"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        os.environ |= {"LM_EVAL_JA_MIRROR": str(options.mirror.resolve()), "LM_EVAL_JA_CACHE": cache}
        for name in options.tokenizers:
            encode = load_tokenizer(name)
            print(f"\n{name}\n\n{header(NAMES)}")
            for shots in (0, 4):
                print(line(jaster(shots, encode, options.block)), flush=True)
            for answer in ANSWERS:
                print(line(mtbench(answer, encode, options.block)), flush=True)


if __name__ == "__main__":
    main()
