"""Judging answers that were saved earlier: by a run without a judge, or once more with another one.

Reads the harness's own result and sample files, needs no model, and writes new files beside the old ones.
"""

import dataclasses
import json
import math
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval_ja.datasets import MTBENCH_CATEGORIES
from lm_eval_ja.errors import DataError
from lm_eval_ja.judge.mtbench import Session, make_record, question_values
from lm_eval_ja.judge.options import JudgeOptions
from lm_eval_ja.results import stamp_after
from lm_eval_ja.scoring import (
    Missing,
    group_score,
    mtbench_average,
    mtbench_average_stderr,
    parse_signature,
    rating_mean,
    rating_stderr,
    signature,
)

_PROTOCOL = "mtbench-ja-"

Aggregation = tuple[Callable[[Sequence[Any]], float], Callable[[Sequence[Any]], Any] | None]


@dataclass(frozen=True)
class SavedRun:
    """A run on disk.

    Attributes:
        results: Path of its results file.
        samples: Paths of its samples files by task.
    """

    results: Path
    samples: Mapping[str, Path]

    @property
    def stamp(self) -> str:
        """The date in its files' names."""
        return self.results.stem.removeprefix("results_")


def find_runs(path: Path) -> list[SavedRun]:
    """Find the newest run of every model below a folder, of those that have MT-Bench answers.

    Raises:
        DataError: There is none, or a results file is damaged.
    """
    found = sorted(path.rglob("results_*.json")) if path.is_dir() else []  # the date in the name sorts
    if not found:
        raise DataError(f"{path} has no results_*.json: give the --output_path of a run of lm_eval")
    runs: dict[Path, SavedRun] = {}
    for results in reversed(found):
        if results.parent not in runs:
            ending = results.stem.removeprefix("results")
            samples = {
                file.name.removeprefix("samples_").removesuffix(f"{ending}.jsonl"): file
                for file in results.parent.glob(f"samples_*{ending}.jsonl")
            }
            run = SavedRun(results, samples)
            if samples and _tasks(run, _read_results(results)):
                runs[results.parent] = run
    if not runs:
        raise DataError(
            f"{path} has results, but no MT-Bench answers: run lm_eval with --tasks nejumi_mtbench --log_samples"
        )
    return list(reversed(runs.values()))


def _tasks(run: SavedRun, results: Mapping[str, Any]) -> list[str]:
    """The MT-Bench tasks of a run whose answers are saved."""
    return [
        name
        for name, config in results.get("configs", {}).items()
        if str(config.get("metadata", {}).get("protocol", "")).startswith(_PROTOCOL) and name in run.samples
    ]


def rejudge(run: SavedRun, options: JudgeOptions) -> tuple[dict[str, Any], Path | None]:
    """Judge a run's MT-Bench answers and write the run anew, with a new date.

    Args:
        run: The run.
        options: The judge; its ``data`` is taken from the run.

    Returns:
        The results in the harness's own form, and the path of the new results file (None after a dry run).

    Raises:
        DataError: The run's files are damaged.
        OptionError: The judge's prompts are the user's, and wrong.
    """
    results = _read_results(run.results)
    written: dict[str, list[dict[str, Any]]] = {}
    for task in _tasks(run, results):
        metadata = results["configs"][task]["metadata"]
        samples = _read_samples(run.samples[task])
        own = dataclasses.replace(options, data=metadata.get("data", "real"))
        session = Session(task, own, own.prompts())
        written[task] = _judge_samples(session, samples)
        if options.judge_dry_run:
            continue
        categories = (metadata["category"],) if metadata.get("category") else MTBENCH_CATEGORIES
        results["results"][task] |= _aggregate(written[task], categories)
        fields = {
            name: value
            for name, value in parse_signature(metadata["signature"]).items()
            if not name.startswith("judge")
        }
        metadata["signature"] = signature({**fields, **session.signature_fields()})
        _replace_options(metadata, own)
    if options.judge_dry_run:
        return results, None
    _update_groups(results)
    return results, _write(run, results, written)


def _replace_options(metadata: dict[str, Any], options: JudgeOptions) -> None:
    """Have the task's metadata name this judge's options, in place of those of the run's."""
    for field in dataclasses.fields(JudgeOptions):
        if field.name.startswith("judge_"):
            metadata.pop(field.name, None)
            if (value := getattr(options, field.name)) != field.default:
                metadata[field.name] = value


def _judge_samples(session: Session, samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """New samples: the old ones with new judgments and ratings."""
    answers, visible, docs = [], [], []
    for sample in samples:
        ((answer, *_padding),) = sample["resps"]
        chat = sample["arguments"]["gen_args_0"]["arg_1"]["chat"]
        answers.append(answer)
        visible.append(session.visible(answer, chat=chat))
        docs.append(sample["doc"])
    judged = session.judge(docs, visible)
    return [
        {**sample, "filtered_resps": [record], **question_values(record, sample["doc"]["category"])}
        for sample, record in (
            (sample, make_record(seen, answer[2], turns))
            for sample, seen, answer, turns in zip(samples, visible, answers, judged, strict=True)
        )
    ]


def _aggregate(samples: Sequence[Mapping[str, Any]], categories: Sequence[str]) -> dict[str, Any]:
    """The task's entries in the results, as the harness computes them."""
    functions: dict[str, Aggregation] = {
        **dict.fromkeys((*categories, "turn_1", "turn_2"), (rating_mean, rating_stderr)),
        "score": (mtbench_average, mtbench_average_stderr),
        "unscored": (sum, None),
    }
    entry: dict[str, Any] = {}
    for name, (mean, stderr) in functions.items():
        items = [sample[name] for sample in samples]
        entry[f"{name},none"] = mean(items)
        entry[f"{name}_stderr,none"] = "N/A" if stderr is None or len(items) < 2 else stderr(items)  # noqa: PLR2004
    return entry


def _update_groups(results: dict[str, Any]) -> None:
    """Compute the scores of the groups anew, members first."""
    members: Mapping[str, Sequence[str]] = results.get("group_subtasks", {})
    done: set[str] = set()

    def update(group: str) -> None:
        if group in done or group not in results["results"]:
            return
        done.add(group)
        for member in members[group]:
            if member in members:
                update(member)
        score = group_score(
            group, {name: results["results"][name] for name in members[group] if name in results["results"]}
        )
        entry = results["results"][group]
        if "score,none" not in entry and isinstance(score, Missing):
            return
        alias = str(entry.get("alias", group)).split(" (missing: ")[0]
        if isinstance(score, Missing):
            entry |= {"alias": f"{alias} ({score})", "score,none": math.nan, "score_stderr,none": "N/A"}
        else:
            stderr = "N/A" if score.stderr is None else score.stderr
            entry |= {"alias": alias, "score,none": score.value, "score_stderr,none": stderr}
        results.setdefault("groups", {})[group] = dict(entry)

    for group in members:
        update(group)


def _write(run: SavedRun, results: dict[str, Any], written: Mapping[str, list[dict[str, Any]]]) -> Path:
    """Write the run under a new date: the new samples, and the untouched ones as they were."""
    stamp = stamp_after(run.stamp)
    folder = run.results.parent
    for task, path in run.samples.items():
        target = folder / f"samples_{task}_{stamp}.jsonl"
        if task in written:
            lines = (
                {name: None if _is_nan(value) else value for name, value in line.items()}
                for line in written[task]
            )
            _replace(target, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
        else:
            try:
                os.link(path, target)
            except OSError:  # another file system, or one without links
                shutil.copyfile(path, target)
    target = folder / f"results_{stamp}.json"  # last, so that a run with results is a complete one
    scores = {
        part: {
            name: {key: value for key, value in entry.items() if not _is_nan(value)}
            for name, entry in results.get(part, {}).items()
        }
        for part in ("results", "groups")
        if part in results
    }
    _replace(target, json.dumps({**results, **scores}, indent=2, ensure_ascii=False))
    return target


def _is_nan(value: Any) -> bool:
    """Whether it is NaN, which is no JSON: files hold null, or no number at all, in its place."""
    return isinstance(value, float) and math.isnan(value)


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f"{path.name}.part")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _read_results(path: Path) -> dict[str, Any]:
    try:
        results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(
            f"{path} is not JSON ({error}): was it cut short? Remove it to use an older run"
        ) from error
    return results


def _read_samples(path: Path) -> list[dict[str, Any]]:
    samples = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line:
            continue
        try:
            sample = json.loads(line)
            (
                sample["doc"]["turns"],
                sample["doc"]["reference"],
                sample["resps"][0],
                sample["arguments"]["gen_args_0"],
            )
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise DataError(f"{path}, line {number}: not a logged MT-Bench sample ({error!r})") from error
        samples.append(sample)
    return samples
