"""(a) What a run of nejumi_jaster costs beyond the backend's own work, with the real questions.

A run is everything from task names to results (``simple_evaluate``): tasks, data, prompts, requests, clean-up, metrics,
averages. Straight is the same requests handed to the backend by themselves. Plain tasks are the same prompts, golds and
limits as sixteen ordinary YAML tasks of the harness with its own ``exact_match``, which is less than we compute: what
they take is the harness's part.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from parts.models import BATCH, load_model
from table import Place, Row, by_turns, seconds

LIMIT = 20  # questions per dataset for the tiny model
INDEX = """
import time
from lm_eval.tasks import TaskManager
start = time.perf_counter()
TaskManager()
print(time.perf_counter() - start)
"""


def rows(place: Place) -> Iterator[Row]:
    from lm_eval.tasks import TaskManager

    from lm_eval_ja.datasets import prepare
    from lm_eval_ja.models.recorded import RecordedLM
    from lm_eval_ja.plugin import TASKS_PATH

    prepare("neo")
    manager = TaskManager(include_path=str(TASKS_PATH), include_defaults=False)
    tasks = list(manager.load(["nejumi_jaster"])["tasks"].values())
    names = _write_plain(tasks, place.folder / "plain")
    plain = TaskManager(include_path=str(place.folder / "plain"), include_defaults=False)

    model = load_model(place.folder)
    ours = _run(model, manager, ["nejumi_jaster"], LIMIT)

    def straight() -> object:
        return model.generate_until(_requests(tasks, LIMIT))

    ours(), straight()  # what is loaded on first use
    pairs = by_turns(place.repeats, lambda: seconds(ours), lambda: seconds(straight))
    label = f"tiny model on CPU, {len(_requests(tasks, LIMIT))} questions, batches of {BATCH}"
    yield Row(f"nejumi_jaster run, {label}", pairs[0], "same requests, straight to the backend", pairs[1])
    theirs = _run(model, plain, names, LIMIT)
    theirs()
    pairs = by_turns(place.repeats, lambda: seconds(ours), lambda: seconds(theirs))
    yield Row(f"nejumi_jaster run, {label}", pairs[0], "same prompts as plain YAML tasks", pairs[1])

    recorded = RecordedLM(str(_write_answers(tasks, place.folder / "answers.jsonl")))
    ours, theirs = _run(recorded, manager, ["nejumi_jaster"]), _run(recorded, plain, names)
    ours(), theirs()
    label = "recorded answers, 1,200 questions"
    pairs = by_turns(place.repeats, lambda: seconds(ours), lambda: seconds(theirs))
    yield Row(f"nejumi_jaster run, {label}", pairs[0], "same prompts as plain YAML tasks", pairs[1])
    pairs = by_turns(
        place.repeats,
        lambda: seconds(ours),
        lambda: seconds(lambda: recorded.generate_until(_requests(tasks))),
    )
    yield Row(
        f"nejumi_jaster run, {label}", pairs[0], "building the requests and looking the answers up", pairs[1]
    )
    pairs = by_turns(place.repeats, lambda: _index("1"), lambda: _index("0"))
    yield Row("lm-eval's index of all tasks, plugin on", pairs[0], "plugin off", pairs[1])


def _run(model: Any, manager: Any, names: list[str], limit: int | None = None) -> Callable[[], object]:
    import lm_eval

    return lambda: lm_eval.simple_evaluate(
        model=model, tasks=names, task_manager=manager, limit=limit, bootstrap_iters=0
    )


def _requests(tasks: list[Any], limit: int | None = None) -> list[Any]:
    for task in tasks:
        task.set_config("num_fewshot", 0)
        task.build_all_requests(limit=limit)
    return [request for task in tasks for request in task.instances]


def _write_plain(tasks: list[Any], folder: Path) -> list[str]:
    folder.mkdir()
    _requests(tasks)
    for task in tasks:
        name = f"plain_{task.dataset_name}"
        lines = [
            json.dumps({"prompt": request.args[0], "gold": task.doc_to_target(request.doc)})
            for request in task.instances
        ]
        (folder / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
        config = {
            "task": name,
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(folder / f"{name}.jsonl")}},
            "test_split": "test",
            "output_type": "generate_until",
            "doc_to_text": "{{prompt}}",
            "doc_to_target": "{{gold}}",
            "generation_kwargs": dict(task.config.generation_kwargs),
            "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
        }
        (folder / f"{name}.yaml").write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    return [path.stem for path in sorted(folder.glob("*.yaml"))]


def _write_answers(tasks: list[Any], path: Path) -> Path:
    lines = [
        json.dumps({"prompt": request.args[0], "output": f" {request.doc['output']}\n\n余分"})
        for request in _requests(tasks)
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _index(autoload: str) -> float:
    environment = {**os.environ, "LM_EVAL_JA_AUTOLOAD": autoload}
    done = subprocess.run(
        [sys.executable, "-c", INDEX], env=environment, check=True, capture_output=True, text=True
    )
    return float(done.stdout)
