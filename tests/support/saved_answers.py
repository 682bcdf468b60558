"""A run with answers to MT-Bench's sample questions that no judge has seen yet, as the harness would write it."""

import json
from pathlib import Path

from lm_eval_ja.datasets import load_mtbench
from lm_eval_ja.results import write_run

TASK = "nejumi_mtbench"


def save_answers(folder: Path) -> Path:
    """Write the run.

    Returns:
        Its results file, on one line.
    """
    metadata = {
        "data": "sample",
        "protocol": "mtbench-ja-neo",
        "category": None,
        "version": 1,
        "signature": "protocol:mtbench-ja-neo|version:0.1.0|data:sample-0|split:test|n:8|shots:0|judge:none",
    }
    results = {
        "results": {TASK: {"name": TASK, "alias": TASK, "sample_len": 8}},
        "group_subtasks": {},
        "configs": {TASK: {"task": TASK, "metadata": metadata}},
        "versions": {TASK: 1},
        "n-shot": {TASK: 0},
        "higher_is_better": {TASK: {"score": True}},
        "config": {"model": "recorded", "model_args": {"model": "lab/model"}},
        "model_name": "lab/model",
    }
    samples = (
        {
            "doc_id": number,
            "doc": doc,
            "arguments": {"gen_args_0": {"arg_0": doc["turns"][0], "arg_1": {"chat": False}}},
            "resps": [[["はい。", "いいえ。", "二つ目の質問"]]],
        }
        for number, doc in enumerate(load_mtbench("neo", data="sample"))
    )
    path = write_run(folder, "2026-11-01T10-00-00.000000", results, {TASK: samples})
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8"))) + "\n", encoding="utf-8")
    return path
