"""The exported questions as lighteval's custom tasks; run in lighteval's own environment.

``PEER_QUESTIONS`` names the folder of JSON lines, one file per task.
"""

import json
import os
from pathlib import Path

from lighteval.metrics.metrics import Metrics  # type: ignore[import-not-found]  # stands in its own environment
from lighteval.tasks.lighteval_task import LightevalTaskConfig  # type: ignore[import-not-found]
from lighteval.tasks.requests import Doc  # type: ignore[import-not-found]


def question(line, task_name=""):  # type: ignore[no-untyped-def]  # called by lighteval
    return Doc(task_name=task_name, query=line["query"], choices=[line["reference"]], gold_index=0)


def _task(path: Path):  # type: ignore[no-untyped-def]
    first = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
    return LightevalTaskConfig(
        name=path.parent.name,
        prompt_function=question,
        hf_repo=str(path.parent),
        hf_subset="default",
        hf_avail_splits=["test"],
        evaluation_splits=["test"],
        metrics=[Metrics.exact_match],
        generation_size=first["max_gen_toks"],
        stop_sequence=first["until"],
    )


TASKS_TABLE = [_task(path) for path in sorted(Path(os.environ["PEER_QUESTIONS"]).glob("*/test.jsonl"))]
