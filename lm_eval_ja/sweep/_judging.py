"""``lm-eval-ja judge`` for a checkpoint, in a process of its own, while the next one generates."""

import json
import sys
from dataclasses import fields
from pathlib import Path

from lm_eval_ja.judge.options import JudgeOptions


def judge_command(results: Path, options: JudgeOptions) -> list[str]:
    """The command that has a judge rate the answers of one results file.

    Args:
        results: The file.
        options: The judge.
    """
    flags = []
    for field in fields(JudgeOptions):
        value = getattr(options, field.name)
        if not field.name.startswith("judge_") or value == field.default:
            continue
        if isinstance(value, bool):
            flags.append(f"--{'' if value else 'no-'}{field.name}")
        else:
            flags += [f"--{field.name}", value if isinstance(value, str) else json.dumps(value)]
    return [sys.executable, "-m", "lm_eval_ja.cli", "judge", str(results), *flags]
