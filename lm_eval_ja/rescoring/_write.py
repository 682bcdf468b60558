"""Writing a rescored run beside the old one, in the harness's own form, so that every reader of results can use it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import lm_eval_ja
from lm_eval_ja.errors import DataError, OptionError
from lm_eval_ja.metrics import METRICS, write_steps
from lm_eval_ja.protocols import load_protocol, signature
from lm_eval_ja.rescoring._groups import put_group
from lm_eval_ja.rescoring._types import DatasetRescore, Rescored
from lm_eval_ja.results import (
    PER_TASK,
    ResultsFile,
    mapping,
    read_lines,
    read_results,
    score_entry,
    stamp_after,
    write_run,
)

_GROUPS = ("groups", "group_subtasks")


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
    files = {path: read_results(path) for path in rescored.run.files}
    base = files[rescored.datasets[0].source.file]
    own = all(dataset.source.task == dataset.rules.task for dataset in rescored.datasets)
    results: dict[str, Any] = {
        key: (_copy(value) if own or key not in (*PER_TASK, *_GROUPS) else {})
        for key, value in base.raw.items()
    }
    for section in (*PER_TASK, *_GROUPS):
        results.setdefault(section, {})
    for dataset in rescored.datasets:
        _put_task(results, dataset, files[dataset.source.file], rescored)
    # Groups that hold a rescored task, members first: those of other protocols too where they have it as a member.
    for node in load_protocol(rescored.protocol.name).members_first():
        if node.protocol == rescored.protocol.name:
            put_group(results, node)
    results["rescored"] = {
        "protocol": rescored.protocol.name,
        "asked_by": list(rescored.asked_by),
        "from": [path.name for path in files],
        "lm_eval_ja_version": lm_eval_ja.__version__,
        "notes": list(rescored.notes),
    }
    samples: dict[str, Iterator[dict[str, Any]] | Path] = {
        dataset.rules.task: _lines(files[dataset.source.file], dataset) for dataset in rescored.datasets
    }
    for task in results["configs"]:
        samples.setdefault(task, base.samples(task))
    stamp = stamp_after(max(file.stamp for file in files.values()))
    try:
        return write_run(base.path.parent, stamp, results, samples)
    except OSError as error:
        raise OptionError(
            f"{base.path.parent} can't be written to ({error}): leave out --write to only print"
        ) from error


def _copy(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def _put_task(results: dict[str, Any], dataset: DatasetRescore, old: ResultsFile, rescored: Rescored) -> None:
    rules, source = dataset.rules, dataset.source
    task = rules.task
    entry: dict[str, Any] = {"name": task, "alias": task, "sample_len": len(source.questions)}
    for metric, score in dataset.scores.items():
        entry |= score_entry({metric: score.value, f"{metric}_stderr": score.stderr})
    results["results"][task] = entry
    fields = {**source.signature, "norm": write_steps(rules.normalization)}
    if dataset.thoughts:
        fields["thoughts"] = dataset.thoughts
    if rescored.asked_by != (rescored.protocol.name,):
        fields |= {"protocol": rescored.protocol.name, "rescored": "+".join(rescored.asked_by)}
    fields |= {metric: text for metric, text in dataset.signatures.items() if metric not in rules.metrics}
    better = {name: name not in METRICS or METRICS[name].higher_is_better for name in dataset.scores}
    config = dict(mapping(mapping(old.raw.get("configs")).get(source.task)))
    results["configs"][task] = config | {
        "task": task,
        "task_alias": task,
        "metric_list": [{"metric": metric, "higher_is_better": up} for metric, up in better.items()],
        "filter_list": [
            {
                "name": "none",
                "filter": [
                    {
                        "function": "lm_eval_ja_normalize",
                        "steps": list(rules.normalization),
                        **({"repeats": source.repeats} if source.repeats > 1 else {}),
                    }
                ],
            }
        ],
        "metadata": {
            **old.metadata(source.task),
            "protocol": rescored.protocol.name,
            "category": rules.category,
            **{f"{metric}_signature": text for metric, text in dataset.signatures.items()},
            "signature": signature(fields),
        },
    }
    for section in ("versions", "n-shot", "n-samples", "task_hashes"):
        given = mapping(old.raw.get(section))
        if source.task in given:
            results[section][task] = given[source.task]
    results["higher_is_better"][task] = better


def _lines(old: ResultsFile, dataset: DatasetRescore) -> Iterator[dict[str, Any]]:
    """The old samples with the new predictions and values."""
    path = old.samples(dataset.source.task)
    places = {question.id: place for place, question in enumerate(dataset.source.questions)}
    for _, sample in read_lines(path):
        if sample is None or (place := places.pop(str(mapping(sample.get("doc")).get("id")), None)) is None:
            continue
        for metric in sample.get("metrics", ()):
            sample.pop(metric, None)
        predictions = list(dataset.predictions[place])
        sample |= {
            "filtered_resps": [predictions[0] if len(predictions) == 1 else predictions],
            "metrics": list(dataset.items),
        }
        yield sample | {metric: values[place] for metric, values in dataset.items.items()}
    if places:
        raise DataError(
            f"{path} no longer holds {len(places)} of its answers ({next(iter(places))}, …): it has changed "
            "since it was read; rescore again"
        )
