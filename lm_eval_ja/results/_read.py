"""Reading what the harness wrote: ``results_*.json`` and ``samples_*.jsonl`` of any number of runs.

`read_runs` is the one door: everything in this package works on the `RunSet` it returns, and so can other code::

    runs = read_runs([Path("out")])
    for run in runs.runs:                              # one per model, the newest
        for task in run.tasks.values():                # leaf tasks of ours: TaskResult
            task.score, task.signature["data"], task.questions
        run.questions()[("jnli", "jnli-test-0")]       # Question; MT-Bench: question.turns[0].judgments

Questions are joined on ``(dataset, id)``, the id being the document's own: the harness's ``doc_id`` is wrong under
``--samples`` and its order differs between ranks. Which datasets make which category is not said here but in
`lm_eval_ja.scoring`.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from lm_eval_ja.errors import DataError, OptionError
from lm_eval_ja.results._samples import Pool, number, read_samples
from lm_eval_ja.results._types import (
    MTBENCH,
    Judgment,
    Problem,
    Question,
    Run,
    RunSet,
    TaskResult,
    Turn,
)
from lm_eval_ja.scoring import Score, parse_signature

__all__ = [
    "MTBENCH",
    "Judgment",
    "Problem",
    "Question",
    "Run",
    "RunSet",
    "TaskResult",
    "Turn",
    "read_runs",
]

_FILTER = "none"
_RESULTS = re.compile(r"(?P<stem>.*)_(?P<date>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?)\.json")
_MTBENCH_PROTOCOL = "mtbench-ja-"
_HOW = "lm_eval … --output_path out --log_samples"


@dataclass
class _Context:
    pool: Pool = field(default_factory=Pool)
    problems: list[Problem] = field(default_factory=list)

    def report(self, kind: str, path: Path, text: str) -> None:
        self.problems.append(Problem(kind, path, text))


@dataclass
class _File:
    """A results file with tasks of ours."""

    path: Path
    date_id: str
    raw: dict[str, Any]
    ours: tuple[str, ...]

    @property
    def model(self) -> str:
        return str(self.raw.get("model_name") or self.path.parent.name)

    @property
    def settings(self) -> tuple[str, str]:
        """What must be equal in files that complete each other."""
        config = self.raw.get("config") or {}
        return str(config.get("model")), json.dumps(config.get("model_args"), sort_keys=True, default=str)


def read_runs(paths: Iterable[str | Path], all_runs: bool = False) -> RunSet:
    """Read runs from result files or folders, which are searched whole.

    By default a model counts once, with its newest results; older results files of the same model with the same
    settings are added where they hold *only* tasks that the newer ones lack (jaster yesterday, MT-Bench today).

    Args:
        paths: Folders, or results files.
        all_runs: Make every results file a run of its own.

    Returns:
        The runs, ordered by key.

    Raises:
        OptionError: A path does not exist.
        DataError: Nowhere are there results with tasks of this package.
    """
    context = _Context()
    places = [Path(path) for path in paths]
    found = {file.resolve(): file for place in places for file in _find(place)}
    files = [loaded for file in found.values() for loaded in _load(file, context)]
    if not files:
        raise DataError(_nothing(places, context))
    files.sort(key=lambda file: (file.date_id, str(file.path)), reverse=True)
    by_model: dict[str, list[_File]] = {}
    for file in files:
        by_model.setdefault(file.model, []).append(file)
    chosen = [[file] for file in files] if all_runs else [_newest(own, context) for own in by_model.values()]
    runs = _with_keys([_run(own, context) for own in chosen])
    _note_versions(runs, context)
    return RunSet(tuple(sorted(runs, key=lambda run: run.key)), tuple(context.problems))


def _find(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise OptionError(
            f"{path} doesn't exist: give the folder of --output_path, or a results_*.json file in it"
        )
    return sorted(file for file in path.rglob("*.json") if _RESULTS.fullmatch(file.name))


def _nothing(paths: Sequence[Path], context: _Context) -> str:
    where = ", ".join(map(str, paths)) or "(no path)"
    if not context.problems:
        return f"no results in {where}: expected files named results_<date>.json, as written by `{_HOW}`"
    return f"no results of lm-eval-ja's tasks in {where}: " + " ".join(
        f"{problem.path}: {problem.text}" for problem in context.problems[:3]
    )


# -------------------------------------------------------------------------------------------------- one file


def _load(path: Path, context: _Context) -> list[_File]:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        context.report("unreadable", path, f"can't be read ({error}); copy the file again or run again")
        return []
    if not isinstance(raw, dict) or not isinstance(raw.get("results"), dict):
        context.report("unreadable", path, "holds no results of lm_eval")
        return []
    ours = tuple(task for task in raw["results"] if _metadata(raw, task).get("signature"))
    _note_foreign(path, raw, set(ours), context)
    if not ours:
        return []
    match = _RESULTS.fullmatch(path.name)
    return [_File(path, match["date"] if match else "", raw, ours)]


def _metadata(raw: Mapping[str, Any], task: str) -> Mapping[str, Any]:
    config = (raw.get("configs") or {}).get(task) or {}
    metadata = config.get("metadata") if isinstance(config, Mapping) else None
    return metadata if isinstance(metadata, Mapping) else {}


def _own_groups(raw: Mapping[str, Any], ours: set[str]) -> set[str]:
    """Groups all of whose leaves are ours."""
    children: Mapping[str, list[str]] = raw.get("group_subtasks") or {}

    def leaves(name: str, depth: int = 0) -> set[str]:
        below = children.get(name) or []
        if not below or depth > len(children):
            return {name}
        return set().union(*(leaves(child, depth + 1) for child in below))

    return {group for group in children if children[group] and leaves(group) <= ours}


def _note_foreign(path: Path, raw: Mapping[str, Any], ours: set[str], context: _Context) -> None:
    known = ours | _own_groups(raw, ours)
    foreign = sorted(set(raw["results"]) - known)
    if foreign:
        shown = ", ".join(foreign[:8]) + (f" and {len(foreign) - 8} more" if len(foreign) > 8 else "")  # noqa: PLR2004
        context.report("not_ours", path, f"results of tasks that aren't lm-eval-ja's are left out: {shown}")


# -------------------------------------------------------------------------------------------------- one run


def _newest(files: Sequence[_File], context: _Context) -> list[_File]:
    """Of one model's files, newest first: the newest, and those that complete it."""
    chosen = [files[0]]
    tasks = set(files[0].ours)
    for file in files[1:]:
        if tasks.isdisjoint(file.ours) and file.settings == files[0].settings:
            chosen.append(file)
            tasks.update(file.ours)
        else:
            context.report(
                "older", file.path, f"older results of {file.model} are left out; --all-runs shows them"
            )
    return chosen


def _run(files: Sequence[_File], context: _Context) -> Run:
    newest = files[0]
    config = newest.raw.get("config") or {}
    tasks = {task: _task(file, task, context) for file in files for task in file.ours}
    arguments = config.get("model_args")
    arguments = arguments if isinstance(arguments, dict) else {"": arguments} if arguments else {}
    seconds = [_float(file.raw.get("total_evaluation_time_seconds")) for file in files]
    known = [second for second in seconds if second is not None]
    return Run(
        key=newest.model,
        model=newest.model,
        date=_date(newest.date_id),
        seconds=sum(known) if len(known) == len(seconds) else None,
        backend=str(config.get("model") or newest.raw.get("model_source") or "unknown"),
        model_args=arguments,
        limit=number(config.get("limit")),
        chat_template=any(_is_chat(task.signature) for task in tasks.values()),
        tokenizer=next(
            (str(arguments[name]) for name in ("tokenizer", "pretrained") if arguments.get(name)), None
        ),
        lm_eval_version=str(newest.raw.get("lm_eval_version") or "unknown"),
        files=tuple(file.path for file in files),
        tasks=tasks,
        groups={group: score for file in files for group, score in _groups(file).items()},
    )


def _is_chat(signature: Mapping[str, str]) -> bool:
    return "chat_template" in signature.get("style", "")


def _date(date_id: str) -> datetime | None:
    day, _, time = date_id.partition("T")
    try:
        return datetime.fromisoformat(f"{day}T{time.replace('-', ':')[:8]}")
    except ValueError:
        return None


def _float(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _groups(file: _File) -> dict[str, Score]:
    own = _own_groups(file.raw, set(file.ours))
    scores = {group: _score(file.raw["results"].get(group) or {}, "score") for group in own}
    return {group: score for group, score in scores.items() if score is not None}


def _score(values: Mapping[str, Any], metric: str) -> Score | None:
    value = number(values.get(f"{metric},{_FILTER}"))
    return None if value is None else Score(value, number(values.get(f"{metric}_stderr,{_FILTER}")))


def _task(file: _File, task: str, context: _Context) -> TaskResult:
    raw = file.raw
    metadata = _metadata(raw, task)
    config = raw["configs"][task]
    values = raw["results"][task]
    signature = _signature(file.path, task, str(metadata["signature"]), context)
    protocol = signature.get("protocol") or str(metadata.get("protocol"))
    dataset, category = _dataset(metadata, protocol)
    metric = _metric(config, dataset)
    counts = (raw.get("n-samples") or {}).get(task) or {}
    score = _score(values, metric)
    bypassed = any(key.startswith("bypass") for key in values)
    if score is None:
        why = "it was generated only (--predict_only)" if bypassed else "it is NaN or absent in the results"
        context.report("nan", file.path, f"{task} has no score: {why}")
    numbers = _numbers(values)
    return TaskResult(
        task=task,
        protocol=protocol,
        dataset=dataset,
        category=category,
        metric=metric,
        score=score,
        values={name: value for name, value in numbers.items() if not name.endswith("_stderr")},
        stderrs={
            name.removesuffix("_stderr"): value for name, value in numbers.items() if name.endswith("_stderr")
        },
        signature=signature,
        signature_text=str(metadata["signature"]),
        version=str((raw.get("versions") or {}).get(task, metadata.get("version", ""))),
        shots=int(_float(signature.get("shots")) or 0),
        asked=counts.get("effective"),
        available=counts.get("original"),
        generation=config.get("generation_kwargs") or {},
        questions=_questions(file, task, dataset, category, metric, context),
    )


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    found = {}
    for key, value in values.items():
        name, comma, filter_name = key.partition(",")
        value_ = number(value)
        if comma and filter_name == _FILTER and value_ is not None:
            found[name] = value_
    return found


def _signature(path: Path, task: str, text: str, context: _Context) -> dict[str, str]:
    try:
        return parse_signature(text)
    except OptionError as error:
        context.report("unreadable", path, f"{task}: {error}; its score can't be compared with others")
        return {"protocol": "", "unreadable": text}


def _dataset(metadata: Mapping[str, Any], protocol: str) -> tuple[str, str]:
    if protocol.startswith(_MTBENCH_PROTOCOL):
        revision = protocol.removeprefix(_MTBENCH_PROTOCOL)
        return (MTBENCH if revision == "neo" else f"{MTBENCH}_{revision}"), metadata.get("category") or ""
    return str(metadata.get("dataset") or "unknown"), str(metadata.get("category") or "")


def _metric(config: Mapping[str, Any], dataset: str) -> str:
    if dataset.startswith(MTBENCH):
        return "score"
    metrics = config.get("metric_list") or [{}]
    return str(metrics[0].get("metric", "score"))


def _questions(
    file: _File, task: str, dataset: str, category: str, metric: str, context: _Context
) -> tuple[Question, ...]:
    path = file.path.with_name(f"samples_{task}_{file.date_id}.jsonl")
    if not path.is_file():
        context.report(
            "no_samples",
            file.path,
            f"no samples of {task} ({path.name}): only its score is shown, without intervals, questions and failure "
            "analysis. Run it again with --log_samples to have them.",
        )
        return ()
    try:
        return read_samples(
            path,
            dataset=dataset,
            category=category,
            metric=metric,
            pool=context.pool,
            problems=context.problems,
        )
    except OSError as error:
        context.report("unreadable", path, f"can't be read ({error})")
        return ()


# -------------------------------------------------------------------------------------------------- all runs


def _with_keys(runs: Sequence[Run]) -> list[Run]:
    """Give every run a key of its own: its model's name, with date or a number where that is not enough."""
    keyed: list[Run] = []
    used: set[str] = set()
    models = [run.model for run in runs]
    for run in runs:
        key = run.model
        if models.count(key) > 1 and run.date is not None:
            key = f"{run.model} ({run.date:%Y-%m-%d %H:%M:%S})"
        copies = 2
        base = key
        while key in used:
            key = f"{base} #{copies}"
            copies += 1
        used.add(key)
        keyed.append(replace(run, key=key))
    return keyed


def _note_versions(runs: Sequence[Run], context: _Context) -> None:
    versions = sorted(
        {
            task.signature["version"]
            for run in runs
            for task in run.tasks.values()
            if "version" in task.signature
        }
    )
    if len(versions) > 1:
        context.report(
            "versions",
            runs[0].files[0].parent,
            f"the runs were made with different versions of lm-eval-ja ({', '.join(versions)}). Scores are compared "
            "only where task version, data and settings agree.",
        )
