"""The exported questions as tasks of inspect_ai; run in its own environment.

``PEER_QUESTIONS`` names the folder of JSON lines, one file per task.
inspect_ai finds tasks by reading the file, so a function per exported task is added to the copy that it runs.
"""

import json
import os
from pathlib import Path
from typing import Any

import inspect_ai
from inspect_ai.dataset import Sample
from inspect_ai.scorer import exact
from inspect_ai.solver import generate


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def questions(name: str) -> Any:
    """The questions of one exported task."""
    lines = _lines(Path(os.environ["PEER_QUESTIONS"]) / name / "test.jsonl")
    return inspect_ai.Task(
        dataset=[Sample(input=line["query"], target=line["reference"]) for line in lines],
        solver=generate(max_tokens=lines[0]["max_gen_toks"], stop_seqs=lines[0]["until"]),
        scorer=exact(),
    )
