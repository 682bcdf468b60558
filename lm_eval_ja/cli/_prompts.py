"""``lm-eval-ja prompts``."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lm_eval_ja.cli._harness import load_tasks, parse_metadata
from lm_eval_ja.errors import OptionError

_DESCRIPTION = """\
Write the prompts of tasks as JSON lines, for an engine that the harness doesn't drive (an inference server on
another machine, a batch API). Every line has: id, task, prompt, max_gen_toks, until (stop strings), temperature.

Add "output" to each line, with the text the model continued the prompt with, and score the file:

  lm-eval-ja prompts --tasks nejumi_jaster -o prompts.jsonl
  ...
  lm_eval --model recorded --model_args path=answers.jsonl --tasks nejumi_jaster --output_path out --log_samples

Give the same options to both (shots, chat template, metadata): an answer is found by its exact prompt.
With --apply_chat_template the lines also have "messages"; with --tokenizer the prompt is those messages rendered
through that tokenizer's chat template (then score with --model_args path=...,tokenizer=...)."""


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "prompts",
        help="write prompts to be answered elsewhere (see lm_eval --model recorded)",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--tasks", required=True, metavar="NAMES", help="tasks or groups, separated by commas"
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="file to write, - for standard output"
    )
    parser.add_argument("--num_fewshot", type=int, metavar="N", help="worked examples, the first N of train")
    parser.add_argument("--apply_chat_template", action="store_true", help="prompts are chat messages")
    parser.add_argument("--tokenizer", metavar="DIR_OR_ID", help="render messages through its chat template")
    parser.add_argument(
        "--fewshot_as_multiturn",
        choices=["true", "false"],
        help="examples as turns (default: true with --apply_chat_template, as lm_eval)",
    )
    parser.add_argument("--system_instruction", metavar="TEXT", help="system message")
    parser.add_argument("--limit", type=int, metavar="N", help="questions per task, the first N")
    parser.add_argument("--gen_kwargs", metavar="K=V,…", help="generation settings, as for lm_eval")
    parser.add_argument("--metadata", nargs="+", metavar="K=V|JSON", help="task options, as for lm_eval")
    parser.add_argument("--include_path", metavar="DIR", help="folder with further tasks, as for lm_eval")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the prompts.

    Raises:
        OptionError: An option can't work, or a task doesn't generate text.
        DataError: A dataset is unavailable.
    """
    from lm_eval_ja.models.recorded import load_tokenizer

    if args.tokenizer and not args.apply_chat_template:
        raise OptionError("--tokenizer renders a chat template: give --apply_chat_template too")
    if args.num_fewshot is not None and args.num_fewshot < 0:
        raise OptionError(f"--num_fewshot is {args.num_fewshot}; it must be 0 or more")
    if args.limit is not None and args.limit < 1:
        raise OptionError(f"--limit is {args.limit}; it must be 1 or more")
    tokenizer = load_tokenizer(args.tokenizer) if args.tokenizer else None
    tasks = load_tasks(
        args.tasks.split(","), metadata=parse_metadata(args.metadata), include_path=args.include_path
    )
    for name, task in tasks.items():  # before a task builds anything: MT-Bench would ask for its judge
        if task.OUTPUT_TYPE not in ("generate_until", "generate_until_repeated"):
            raise OptionError(f"{name} doesn't ask for a text in one turn ({task.OUTPUT_TYPE}): leave it out")
    lines = [
        json.dumps(line, ensure_ascii=False) + "\n"
        for name, task in tasks.items()
        for line in _lines(name, task, args, tokenizer)
    ]
    if args.output == "-":
        sys.stdout.buffer.write("".join(lines).encode())  # UTF-8 whatever the locale, as in a file
        sys.stdout.buffer.flush()
        return 0
    try:
        Path(args.output).write_text("".join(lines), encoding="utf-8")
    except OSError as error:
        raise OptionError(f"{args.output} can't be written ({error}): choose another -o") from error
    print(f"{len(lines)} prompts of {len(tasks)} tasks written to {args.output}", file=sys.stderr)
    return 0


def _lines(name: str, task: Any, args: argparse.Namespace, tokenizer: Any) -> Iterator[dict[str, Any]]:
    """The prompts of one task, built by the task itself as in a run."""
    from lm_eval.utils import simple_parse_args_string

    from lm_eval_ja.models.recorded import render_chat, request_id

    def chat_template(messages: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        return render_chat(messages, tokenizer, add_generation_prompt=add_generation_prompt)

    if task.get_config("num_fewshot") != 0:  # as the harness: a 0 in the task's own file stays
        given = task.get_config("num_fewshot") if args.num_fewshot is None else args.num_fewshot
        task.set_config("num_fewshot", given or 0)
    if args.gen_kwargs:
        task.set_config("generation_kwargs", simple_parse_args_string(args.gen_kwargs), update=True)
    task.set_fewshot_seed(1234)  # the harness's default
    task.build_all_requests(
        limit=args.limit,
        system_instruction=args.system_instruction,
        apply_chat_template=args.apply_chat_template,
        fewshot_as_multiturn=args.apply_chat_template and args.fewshot_as_multiturn != "false",
        chat_template=chat_template if args.apply_chat_template else None,
        tokenizer_name=args.tokenizer or "",
    )
    for request in task.instances:
        prompt, kwargs = request.args
        line = {"id": request_id(request), "task": name, "prompt": prompt}
        if args.apply_chat_template and tokenizer is None:
            line["messages"] = json.loads(prompt)
        if (request.repeats or 1) > 1:
            line["repeats"] = request.repeats
        yield line | {key: kwargs[key] for key in ("max_gen_toks", "until", "temperature") if key in kwargs}
