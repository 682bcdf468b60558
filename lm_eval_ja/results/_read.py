"""Reading what the harness wrote: ``results_*.json`` and ``samples_*.jsonl`` of any number of runs.

`read_runs` is the one door: everything in this package works on the `RunSet` it returns, and so can other code::

    runs = read_runs([Path("out")])
    for run in runs.runs:                              # one per model and settings, the newest
        for task in run.tasks.values():                # leaf tasks of ours: TaskResult
            task.score, task.signature["data"], task.questions
        run.questions()[("jnli", "jnli-test-0")]       # Question; MT-Bench: question.turns[0].judgments

Questions are joined on ``(dataset, id)``, the id being the document's own: the harness's ``doc_id`` is wrong under
``--samples`` and its order differs between ranks. Which datasets make which category is not said here but in
`lm_eval_ja.protocols`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from lm_eval_ja.errors import DataError, OptionError
from lm_eval_ja.protocols import (
    Score,
    find_conversation,
    find_node,
    find_rules,
    parse_signature,
    reported_score,
)
from lm_eval_ja.results._files import ResultsFile, find_results, mapping, read_results
from lm_eval_ja.results._samples import Pool, number, read_samples
from lm_eval_ja.results._types import Problem, Question, Run, RunSet, TaskResult

_FILTER = "none"
_SEEDS = ("random_seed", "numpy_seed", "torch_seed", "fewshot_seed")
_HOW = "lm_eval … --output_path out --log_samples"
_BROKEN = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, RecursionError)
"""What reading an edited file may raise."""


@dataclass
class _Context:
    pool: Pool = field(default_factory=Pool)
    problems: list[Problem] = field(default_factory=list)

    def report(self, kind: str, path: Path, text: str) -> None:
        self.problems.append(Problem(kind, path, text))


@dataclass
class _File:
    """A results file with tasks of ours, and their results but for the questions."""

    file: ResultsFile
    tasks: dict[str, TaskResult]

    @property
    def model(self) -> str:
        return str(self.file.raw.get("model_name") or self.file.path.parent.name)

    @property
    def config(self) -> Mapping[str, Any]:
        return mapping(self.file.raw.get("config"))

    @property
    def settings(self) -> tuple[str, str, str]:
        """What must be equal in files that complete each other."""
        arguments = self.config.get("model_args")
        if isinstance(arguments, Mapping):
            arguments = {name: value for name, value in arguments.items() if name != "seed"}
        text = json.dumps(arguments, sort_keys=True, default=str)
        return str(self.config.get("model")), text, str(self.config.get("limit"))

    @property
    def seed(self) -> str:
        """Every seed that can have a part in the answers, as it was given."""
        own = [str(self.config[name]) for name in _SEEDS if self.config.get(name) is not None]
        parts = [f"--seed {own[0] if len(set(own)) == 1 else ','.join(own)}"] if own else []
        for name, sign in (("model_args", ""), ("gen_kwargs", "--gen_kwargs ")):
            seed = mapping(self.config.get(name)).get("seed")
            parts += [] if seed is None else [f"{sign}seed={seed}"]
        return " ".join(parts)


@dataclass
class _Assembly:
    """A run in the making: tasks of one model with one set of settings, each from the file that counts."""

    settings: tuple[str, str, str]
    tasks: dict[str, tuple[_File, TaskResult]] = field(default_factory=dict)

    def takes(self, file: _File) -> bool:
        """Whether the file's tasks agree with those that are here and were run with the same seed, or are others."""
        return self.settings == file.settings and all(
            self.tasks[name][0].seed == file.seed and _agree(self.tasks[name][1], task)
            for name, task in file.tasks.items()
            if name in self.tasks
        )

    def add(self, file: _File) -> bool:
        """Take in what is new, and what has a score where there is none: no failed run outranks a number."""
        used = False
        for name, task in file.tasks.items():
            if name not in self.tasks or (self.tasks[name][1].score is None and task.score is not None):
                self.tasks[name] = file, task
                used = True
        return used


def _agree(first: TaskResult, second: TaskResult) -> bool:
    """Whether two results of a task are of one kind; answers that nobody judged agree with their judged ones."""
    judged = first.score is not None and second.score is not None
    return _identity(first, judged=judged) == _identity(second, judged=judged)


def _identity(task: TaskResult, *, judged: bool) -> tuple[object, ...]:
    """What tells results of other settings from older results; the package's version alone makes no other result."""
    fields = {
        name: value
        for name, value in task.signature.items()
        if name != "version" and (judged or not name.startswith("judge"))
    }
    return task.version, tuple(sorted(fields.items()))


def read_runs(paths: Iterable[str | Path], all_runs: bool = False) -> RunSet:
    """Read runs from result files or folders, which are searched whole.

    Results of one model with one set of model arguments and one ``--limit`` make a run together, as long as their
    tasks'
    signatures agree (jaster yesterday, MT-Bench today): of each task the newest results that have a score count.
    Results with other signatures, such as another number of shots, or with another seed make a run of their own.

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
    found = {file.resolve(): file for place in places for file in find_results(place)}
    files = [loaded for file in found.values() for loaded in _load(file, context)]
    if not files:
        raise DataError(_nothing(places, context))
    files.sort(key=lambda file: (file.file.stamp, str(file.file.path)), reverse=True)
    by_model: dict[str, list[_File]] = {}
    for file in files:
        by_model.setdefault(file.model, []).append(file)
    chosen = (
        [_alone(file) for file in files]
        if all_runs
        else [own for of_model in by_model.values() for own in _assemble(of_model, context)]
    )
    runs = _with_keys([_run(own, context) for own in chosen])
    _note_versions(runs, context)
    return RunSet(tuple(sorted(runs, key=lambda run: run.key)), tuple(context.problems))


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
        file = read_results(path)
    except DataError as error:
        context.report("unreadable", path, str(error).removeprefix(f"{path} "))
        return []
    tasks = {}
    for task in file.ours:
        try:
            tasks[task] = _task(file, task, context)
        except _BROKEN as error:  # noqa: PERF203  # each task for itself
            context.report(
                "unreadable", path, f"{task} cannot be read ({error!r}): the file was edited or damaged"
            )
    _note_foreign(file, context)
    return [_File(file, tasks)] if tasks else []


def _own_groups(raw: Mapping[str, Any], ours: set[str]) -> set[str]:
    """Groups all of whose leaves are ours; those of ours may have lost all of them (``skip_missing``)."""
    children: dict[str, list[str]] = {
        group: below for group, below in mapping(raw.get("group_subtasks")).items() if isinstance(below, list)
    }

    def leaves(name: str, depth: int = 0) -> set[str]:
        below = children.get(name)
        if below is None or depth > len(children):
            return {name}
        return set().union(*(leaves(child, depth + 1) for child in below))

    return {
        group
        for group in children
        if (own := leaves(group)) <= ours and (own or find_node(group) is not None)
    }


def _note_foreign(file: ResultsFile, context: _Context) -> None:
    ours = set(file.ours)
    foreign = sorted(set(file.raw["results"]) - ours - _own_groups(file.raw, ours))
    if foreign:
        shown = ", ".join(foreign[:8]) + (f" and {len(foreign) - 8} more" if len(foreign) > 8 else "")  # noqa: PLR2004
        context.report(
            "not_ours", file.path, f"results of tasks that aren't lm-eval-ja's are left out: {shown}"
        )


def _task(file: ResultsFile, task: str, context: _Context) -> TaskResult:
    raw = file.raw
    metadata = file.metadata(task)
    config = mapping(mapping(raw.get("configs")).get(task))
    values = raw["results"][task]
    signature = _signature(file.path, task, metadata["signature"], context)
    protocol = signature.get("protocol") or str(metadata.get("protocol"))
    conversation = find_conversation(protocol)
    counts = mapping(mapping(raw.get("n-samples")).get(task))
    numbers = _numbers(values)
    metric = "score" if conversation else _metric(task, config, numbers)
    return TaskResult(
        task=task,
        protocol=protocol,
        dataset=conversation.dataset if conversation else str(metadata.get("dataset") or "unknown"),
        category=str(metadata.get("category") or ""),
        metric=metric,
        score=reported_score(values, metric),
        values={name: value for name, value in numbers.items() if not name.endswith("_stderr")},
        stderrs={
            name.removesuffix("_stderr"): value for name, value in numbers.items() if name.endswith("_stderr")
        },
        signature=signature,
        signature_text=metadata["signature"],
        version=str(mapping(raw.get("versions")).get(task, metadata.get("version", ""))),
        shots=int(_float(signature.get("shots")) or 0),
        asked=_count(counts.get("effective")),
        available=_count(counts.get("original")),
        generation=mapping(config.get("generation_kwargs")),
        file=file.path,
        rescored="rescored" in signature,
    )


def _metric(task: str, config: Mapping[str, Any], numbers: Mapping[str, float]) -> str:
    """The metric that counts, by the protocol's word; where a run could not compute it, the first that it did."""
    rules = find_rules(task)
    metrics = config.get("metric_list")
    named = (
        [str(mapping(entry).get("metric", "score")) for entry in metrics] if isinstance(metrics, list) else []
    )
    if rules is not None and (rules.metric in numbers or rules.metric in named):
        return rules.metric
    return named[0] if named else "score"


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


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


def _questions(file: ResultsFile, task: TaskResult, context: _Context) -> tuple[Question, ...]:
    path = file.samples(task.task)
    if not path.is_file():
        context.report(
            "no_samples",
            file.path,
            f"no samples of {task.task} ({path.name}): only its score is shown, without intervals, questions and "
            "failure analysis. Run it again with --log_samples to have them.",
        )
        return ()
    try:
        return read_samples(
            path,
            dataset=task.dataset,
            category=task.category,
            metric=task.metric,
            thoughts=task.signature.get("thoughts", ""),
            pool=context.pool,
            problems=context.problems,
        )
    except OSError as error:
        context.report("unreadable", path, f"can't be read ({error})")
        return ()


# -------------------------------------------------------------------------------------------------- one run


def _alone(file: _File) -> _Assembly:
    own = _Assembly(file.settings)
    own.add(file)
    return own


def _assemble(files: Sequence[_File], context: _Context) -> list[_Assembly]:
    """Make runs of one model's files, newest first."""
    made: list[_Assembly] = []
    for file in files:
        target = next((own for own in made if own.takes(file)), None)
        if target is None:
            made.append(_alone(file))
        elif not target.add(file):
            path = file.file.path
            context.report(
                "older", path, f"older results of {file.model} are left out; --all-runs shows them"
            )
    for own in made:  # conversations have no shots: one set of them completes runs with any number
        for other in made:
            if own.settings == other.settings and not any(task.is_mtbench for _, task in own.tasks.values()):
                own.tasks |= {name: pair for name, pair in other.tasks.items() if pair[1].is_mtbench}
    return made


def _run(own: _Assembly, context: _Context) -> Run:
    files = list({id(file): file for file, _ in own.tasks.values()}.values())
    files.sort(key=lambda file: file.file.stamp, reverse=True)
    newest = files[0]
    tasks = {}
    for name, (file, task) in own.tasks.items():
        if task.score is None:
            bypassed = any(key.startswith("bypass") for key in file.file.raw["results"][name])
            why = (
                "it was generated only (--predict_only)" if bypassed else "it is NaN or absent in the results"
            )
            context.report("nan", file.file.path, f"{name} has no score: {why}")
        tasks[name] = replace(task, questions=_questions(file.file, task, context))
    arguments = newest.config.get("model_args")
    arguments = arguments if isinstance(arguments, dict) else {"": arguments} if arguments else {}
    # A rescored run took no time of its own: its answers are another file's, and so is the time that it tells.
    timed = [file for file in files if not file.file.is_rescored] or files[:1]
    seconds = [_float(file.file.raw.get("total_evaluation_time_seconds")) for file in timed]
    known = [second for second in seconds if second is not None]
    return Run(
        key=newest.model,
        model=newest.model,
        date=_date(newest.file.stamp),
        seconds=sum(known) if known and len(known) == len(seconds) else None,
        backend=str(newest.config.get("model") or newest.file.raw.get("model_source") or "unknown"),
        model_args=arguments,
        limit=number(newest.config.get("limit")),
        chat_template=any(_is_chat(task.signature) for task in tasks.values()),
        tokenizer=next(
            (str(arguments[name]) for name in ("tokenizer", "pretrained") if arguments.get(name)), None
        ),
        lm_eval_version=str(newest.file.raw.get("lm_eval_version") or "unknown"),
        files=tuple(file.file.path for file in files),
        tasks=tasks,
        seed=newest.seed,
        groups={group: score for file in reversed(files) for group, score in _groups(file.file).items()},
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


def _groups(file: ResultsFile) -> dict[str, Score]:
    own = _own_groups(file.raw, set(file.ours))
    scores = {group: reported_score(mapping(file.raw["results"].get(group)), "score") for group in own}
    return {group: score for group, score in scores.items() if score is not None}


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
