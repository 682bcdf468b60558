"""(g) How each step grows with the number of questions: 10 and 100 times as many against so many times the time."""

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from lm_eval_ja.analysis import analyse_runs
from lm_eval_ja.judge import JudgeConfig, judge, preflight
from lm_eval_ja.report import write_html
from lm_eval_ja.results import read_runs
from parts import judge as judging
from parts import report as reports
from table import Place, Row, seconds, shown
from tests.support import fabricate

FACTORS = (1, 10, 100)


def rows(place: Place) -> Iterator[Row]:
    yield from grown(place, "score with recorded answers", "questions", 1_200, scoring(place))
    yield from grown(place, "judge, CPU time", "judgments", 160, judging_cpu)
    yield from grown(place, "report of one model", "answers", 1_360, reporting(place))


def grown(
    place: Place, what: str, unit: str, base: int, steps: Callable[[int], dict[str, float]]
) -> Iterator[Row]:
    """Measure the steps at each size and compare with the smallest."""
    first: dict[str, list[float]] = {}
    for factor in FACTORS:
        measured = [steps(factor) for _ in range(place.repeats)]
        for step in measured[0]:
            own = [each[step] for each in measured]
            first.setdefault(step, own)
            if factor > 1:
                reference = [factor * value for value in first[step]]
                against = f"{factor} x {base:,} ({shown(median(first[step]), 's')})"
                yield Row(f"{what}, {base * factor:,} {unit}: {step}", own, against, reference)


def scoring(place: Place) -> Callable[[int], dict[str, float]]:
    """Every step of ours in a run of nejumi_jaster, every question as many times as the factor says."""
    from datasets import concatenate_datasets
    from lm_eval.tasks import TaskManager

    from lm_eval_ja.datasets import prepare
    from lm_eval_ja.models.recorded import RecordedLM
    from lm_eval_ja.plugin import TASKS_PATH

    prepare("neo")
    manager = TaskManager(include_path=str(TASKS_PATH), include_defaults=False)

    def steps(factor: int) -> dict[str, float]:
        tasks: list[Any] = list(manager.load(["nejumi_jaster"])["tasks"].values())
        for task in tasks:
            task.set_config("num_fewshot", 0)
            task.dataset = {"test": concatenate_datasets([task.dataset["test"]] * factor)}
        found = {"prompts": seconds(lambda: [task.build_all_requests() for task in tasks])}
        requests = [request for task in tasks for request in task.instances]
        assert len(requests) == 1_200 * factor
        path = place.folder / "answers.jsonl"
        with path.open("w", encoding="utf-8") as file:
            for request in requests:
                file.write(
                    json.dumps({"prompt": request.args[0], "output": f" {request.doc['output']}\n\n余分"})
                    + "\n"
                )
        outputs: list[str] = []
        found["answers"] = seconds(lambda: outputs.extend(RecordedLM(str(path)).generate_until(requests)))
        for request, output in zip(requests, outputs, strict=True):
            request.resps.append(output)
        found["clean-up"] = seconds(lambda: [task.apply_filters() for task in tasks])

        def score() -> None:
            for task in tasks:
                (metric,) = task.metrics
                values = [
                    task.process_results(request.doc, [request.filtered_resps["none"]])[metric]
                    for request in task.instances
                ]
                task.aggregation()[metric](values)

        found["metrics"] = seconds(score)
        return found

    return steps


def judging_cpu(factor: int) -> dict[str, float]:
    """CPU time of this process; the server, in another, answers at once."""
    number = 160 * factor
    with judging.server(0) as url, tempfile.TemporaryDirectory() as folder:
        config, path = JudgeConfig(base_url=url), Path(folder, "store.jsonl")
        preflight(config)
        requests = judging.items(number)
        found = {
            "client and store": seconds(
                lambda: judge(requests, config, path, progress=False), clock=time.process_time
            )
        }
        found["again from the store"] = seconds(
            lambda: judge(requests, config, path, progress=False), clock=time.process_time
        )
    return found


def reporting(place: Place) -> Callable[[int], dict[str, float]]:
    """A report of one model."""
    real = reports.real_run(place)

    def steps(factor: int) -> dict[str, float]:
        runs, page = place.folder / "runs", place.folder / "report.html"
        if not (runs / f"{factor}").exists():
            shutil.rmtree(runs, ignore_errors=True)
            people = fabricate.personas(1)
            fabricate.multiply(
                real, runs / f"{factor}", people, questions=100 * factor, conversations=160 * factor
            )
        found: list[Any] = []
        return {
            "read": seconds(lambda: found.append(read_runs([runs]))),
            "analyse": seconds(lambda: found.append(analyse_runs(found[0]))),
            "write": seconds(lambda: write_html(found[1], page)),
        }

    return steps
