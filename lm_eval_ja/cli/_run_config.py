"""``lm-eval-ja run-config``."""

import argparse
import sys
from pathlib import Path
from typing import Any

from lm_eval_ja.errors import OptionError

_DESCRIPTION = """\
Look at a model's directory (config.json, tokenizer, chat template; nothing is downloaded, nothing loaded) and write
commented files for `lm_eval run --config`: jaster and MT-Bench as published, and as a chat where the model has a chat
template.

  lm-eval-ja run-config models/Qwen3-8B -o configs
  lm_eval run --config configs/jaster.yaml

What is known of the model's family, with its sources, stands in the files' comments."""


def add_parser(commands: Any) -> None:
    """Add the command."""
    from lm_eval_ja.families import BACKENDS

    parser = commands.add_parser(
        "run-config",
        help="look at a model's directory and write config files for lm_eval",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL_DIR", help="the model's directory")
    parser.add_argument(
        "-o", "--output", default=".", metavar="DIR", help="folder to write to (default: here)"
    )
    parser.add_argument(
        "--backend", choices=BACKENDS, default="hf", help="hf (default), vllm, or an OpenAI-compatible server"
    )
    parser.add_argument(
        "--base_url",
        default="http://localhost:8000/v1",
        metavar="URL",
        help="the server's, for --backend server (default: %(default)s)",
    )
    parser.add_argument("--force", action="store_true", help="replace files that are there")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Look and write.

    Raises:
        DataError: There is no such directory, or it holds no model.
        OptionError: A file is there already, or cannot be written.
    """
    from lm_eval_ja.families import look, recognize, write_configs

    model = look(Path(args.model))
    known = recognize(model)
    for name, found in _findings(model, known):
        print(f"{name:<15}{found}")
    folder = Path(args.output)
    configs = write_configs(model, known, backend=args.backend, base_url=args.base_url)
    there = [config.name for config in configs if (folder / config.name).exists()]
    if there and not args.force:
        raise OptionError(
            f"{folder} already has {', '.join(there)}: choose another -o, or replace them with --force"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for config in configs:
            (folder / config.name).write_text(config.text, encoding="utf-8")
    except OSError as error:
        raise OptionError(f"{folder} cannot be written to ({error}): choose another -o") from error
    width = max(len(str(folder / config.name)) for config in configs) + 2
    print()
    for config in configs:
        print(f"{folder / config.name!s:<{width}}{config.summary}")
    sys.stdout.flush()
    return 0


def _findings(model: Any, known: Any) -> list[tuple[str, str]]:
    """What was seen, for the terminal."""
    from lm_eval_ja.families import is_chat, thoughts_of

    families = ", ".join(f"{family.title} ({family.clue(model)})" for family in known)
    bos = {True: "adds", False: "does not add", None: "may add"}[model.adds_bos]
    template = model.template
    if template is None:
        chat = "none: asked without"
    elif template.error:
        chat = f"{model.template_file}, cannot be rendered ({template.error}): asked without"
    elif not is_chat(model):
        chat = f"{model.template_file}, not used: the model's name says that it is a base model"
    else:
        chat = f"{model.template_file}, system message {template.system}"
    thoughts = thoughts_of(model, known)
    switch = f", switched by {template.switch}" if template is not None and template.switch else ""
    return [
        ("model", f"{model.architecture or '?'} (model_type {model.model_type or 'not given'})"),
        ("family", families or "not known: settings are read from the directory alone"),
        ("context", f"{model.context:,} tokens" if model.context else "config.json does not say"),
        ("BOS token", f"{model.bos_token}, which the tokenizer {bos}" if model.bos_token else "none"),
        ("chat template", chat),
        ("thoughts", f"{thoughts}{switch}" if thoughts else f"none by default{switch}"),
    ]
