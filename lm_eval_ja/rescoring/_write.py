"""Writing a rescored run beside the old one, in the harness's own form, so that every reader of results can use it."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import lm_eval_ja
from lm_eval_ja.errors import DataError, OptionError
from lm_eval_ja.rescoring._types import DatasetRescore, Level, Rescored
from lm_eval_ja.results import stamp_after
from lm_eval_ja.scoring import Score, signature

_PER_TASK = ("results", "configs", "versions", "n-shot", "higher_is_better", "n-samples", "task_hashes")
_GROUPS = ("groups", "group_subtasks")


class _Old:
    """A results file of the run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def raw(self) -> dict[str, Any]:
        raw: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
        return raw

    def samples(self, task: str) -> Path:
        date = self.path.stem.rpartition("_")[2]
        return self.path.with_name(f"samples_{task}_{date}.jsonl")


def write_results(rescored: Rescored) -> Path:
    """Write a new results file and new samples beside the run's own, with a new date.

    Under the run's own protocol the new files hold the whole run, with the new scores in place of the old; under
    another one they hold that protocol's tasks and groups only. The old files are not touched.

    Args:
        rescored: What `rescore` returned.

    Returns:
        The new results file.

    Raises:
        DataError: A file of the run has changed since it was read.
        OptionError: The folder can't be written to.
    """
    files = [_Old(path) for path in rescored.run.files]
    holder = {
        dataset.source.task: next(file for file in files if dataset.source.task in file.raw["results"])
        for dataset in rescored.datasets
    }
    base = holder[rescored.datasets[0].source.task]
    own = all(dataset.source.task == dataset.entry.task for dataset in rescored.datasets)
    results: dict[str, Any] = {
        key: (value if own or key not in (*_PER_TASK, *_GROUPS) else {}) for key, value in base.raw.items()
    }
    for section in (*_PER_TASK, *_GROUPS):
        results.setdefault(section, {})
    for dataset in rescored.datasets:
        _put_task(results, dataset, holder[dataset.source.task].raw, rescored)
    for level in (*rescored.categories, rescored.average):
        _put_group(results, level, rescored)
    results["rescored"] = {
        "protocol": rescored.protocol.name,
        "asked_by": list(rescored.asked_by),
        "from": [path.name for path in rescored.run.files],
        "lm_eval_ja_version": lm_eval_ja.__version__,
        "notes": list(rescored.notes),
    }
    stamp = stamp_after(max(old.path.stem.rpartition("_")[2] for old in files))
    target = base.path.with_name(f"results_{stamp}.json")
    written = {dataset.entry.task for dataset in rescored.datasets}
    try:
        for dataset in rescored.datasets:
            old = holder[dataset.source.task].samples(dataset.source.task)
            _write(target.with_name(f"samples_{dataset.entry.task}_{stamp}.jsonl"), _lines(old, dataset))
        for task in set(results["configs"]) - written:
            _link(base.samples(task), target.with_name(f"samples_{task}_{stamp}.jsonl"))
        _write(
            target, [json.dumps(results, indent=2, ensure_ascii=False)]
        )  # last: with it the run is complete
    except OSError as error:
        raise OptionError(
            f"{target.parent} can't be written to ({error}): leave out --write to only print"
        ) from error
    return target


def _put_task(
    results: dict[str, Any], dataset: DatasetRescore, old: Mapping[str, Any], rescored: Rescored
) -> None:
    entry, source = dataset.entry, dataset.source
    task = entry.task
    results["results"][task] = {"name": task, "alias": task, "sample_len": len(source.questions)}
    for metric, score in dataset.scores.items():
        results["results"][task][f"{metric},none"] = score.value
        results["results"][task][f"{metric}_stderr,none"] = "N/A" if score.stderr is None else score.stderr
    config = dict(old["configs"][source.task])
    fields = {**source.signature, "norm": "+".join(("nfkc", *entry.clean))}
    if rescored.asked_by != (rescored.protocol.name,):
        fields |= {"protocol": rescored.protocol.name, "rescored": "+".join(rescored.asked_by)}
    fields |= {metric: text for metric, text in dataset.signatures.items() if metric not in _of_task(dataset)}
    config |= {
        "task": task,
        "task_alias": task,
        "metric_list": [{"metric": metric, "higher_is_better": True} for metric in dataset.scores],
        "filter_list": [
            {"name": "none", "filter": [{"function": "lm_eval_ja_normalize", "steps": list(entry.clean)}]}
        ],
        "metadata": {
            **config.get("metadata", {}),
            "protocol": rescored.protocol.name,
            "category": entry.category,
            **{f"{metric}_signature": text for metric, text in dataset.signatures.items()},
            "signature": signature(fields),
        },
    }
    results["configs"][task] = config
    for section in ("versions", "n-shot", "n-samples", "task_hashes"):
        if source.task in old.get(section, {}):
            results[section][task] = old[section][source.task]
    results["higher_is_better"][task] = dict.fromkeys(dataset.scores, True)


def _of_task(dataset: DatasetRescore) -> tuple[str, ...]:
    return (dataset.entry.metric, *dataset.entry.further_metrics)


def _put_group(results: dict[str, Any], level: Level, rescored: Rescored) -> None:
    """The group's entry. Without a score its name says what is missing, and there is no number: never NaN, never 0."""
    protocol = rescored.protocol
    if level.group == protocol.group:
        members = [category.group for category in protocol.categories]
    else:
        category = next(category for category in protocol.categories if category.group == level.group)
        members = [protocol.task(member.dataset) for member in category.members]
    there = [member for member in members if member in results["results"]]
    if not there:
        return
    entry: dict[str, Any] = {
        "name": level.group,
        "alias": level.group,
        "sample_len": sum(results["results"][member].get("sample_len", 0) for member in there),
    }
    if isinstance(level.after, Score):
        stderr = "N/A" if level.after.stderr is None else level.after.stderr
        entry |= {"score,none": level.after.value, "score_stderr,none": stderr}
    else:
        entry["alias"] = f"{level.group} ({level.after})"
    results["results"][level.group] = entry
    results["groups"][level.group] = dict(entry)
    results["group_subtasks"][level.group] = there
    results["versions"].setdefault(level.group, 1)


def _lines(path: Path, dataset: DatasetRescore) -> Iterator[str]:
    """The old lines with the new predictions and values."""
    places = {question.id: place for place, question in enumerate(dataset.source.questions)}
    with path.open(encoding="utf-8") as file:
        for line in file:
            sample = json.loads(line) if line.strip() else None
            if sample is None or (place := places.pop(str(sample["doc"]["id"]), None)) is None:
                continue
            for metric in sample.get("metrics", ()):
                sample.pop(metric, None)
            sample |= {"filtered_resps": [dataset.predictions[place]], "metrics": list(dataset.items)}
            sample |= {metric: values[place] for metric, values in dataset.items.items()}
            yield json.dumps(sample, ensure_ascii=False) + "\n"
    if places:
        raise DataError(
            f"{path} no longer holds {len(places)} of its answers ({next(iter(places))}, …): it has changed "
            "since it was read; rescore again"
        )


def _write(path: Path, lines: "Iterator[str] | list[str]") -> None:
    draft = path.with_name(f"{path.name}.part")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.writelines(lines)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _link(old: Path, new: Path) -> None:
    if not old.is_file():
        return
    try:
        os.link(old, new)
    except OSError:  # a file system without links
        shutil.copyfile(old, new)
