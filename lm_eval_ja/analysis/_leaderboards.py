"""Which runs may stand in one ranking, and the scores they are ranked by.

A *leaderboard* is a protocol and the runs of it whose signatures agree in everything that can change a score. A run
that was limited to ten questions, judged by another model or asked with other shots is on another leaderboard, with the
difference spelled out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lm_eval_ja.datasets import MTBENCH_CATEGORIES
from lm_eval_ja.results import MTBENCH, Run, RunSet, TaskResult
from lm_eval_ja.scoring import (
    Missing,
    Protocol,
    Score,
    category_scores,
    load_protocol,
    macro_average,
    protocol_names,
)

Level = Literal["overall", "average", "category", "dataset"]

_OWN_TO_MODEL = ("version", "backend", "bos")
"""Signature fields that don't separate runs: the package's version (the task's own version counts instead), what the
model ran on, and its own beginning-of-sequence token."""


@dataclass(frozen=True)
class Column:
    """A score that runs of a leaderboard can have.

    Attributes:
        name: The harness's name of the task or group, such as ``nejumi_jaster_nli``; for a category of MT-Bench
            ``nejumi_mtbench_<category>``.
        label: As in the published tables, such as ``NLI``.
        level: Where it stands among the averages.
        scale: Its best value: 1, or 10 for ratings.
        parent: Name of the column it is averaged into; empty for the topmost.
    """

    name: str
    label: str
    level: Level
    scale: float = 1.0
    parent: str = ""


@dataclass(frozen=True)
class Difference:
    """A setting in which a leaderboard differs from the first one of its protocol.

    Attributes:
        setting: The signature's field, such as ``n`` or ``judge``; ``task_version`` for the task's version.
        here: Value on this leaderboard.
        there: Value on the first.
        tasks: Number of tasks concerned.
    """

    setting: str
    here: str
    there: str
    tasks: int


@dataclass(frozen=True)
class Row:
    """A run's scores on a leaderboard.

    Attributes:
        run: The run.
        scores: Score, or what is missing for it, by column name. Unrounded, on the column's scale.
        rank: Place by the leaderboard's primary score, 1 the best, equals sharing it; None without that score.
    """

    run: Run
    scores: Mapping[str, Score | Missing]
    rank: int | None


@dataclass(frozen=True)
class Leaderboard:
    """Runs that may be ranked together.

    Attributes:
        protocol: Name of the protocol.
        title: Its title.
        number: 1 for the protocol's first leaderboard, and so on.
        columns: The scores, from the overall score down to the datasets; of categories and datasets those that some
            run was asked.
        primary: Name of the column that ranks; the overall score if any run has it, else the first that one has.
        settings: Signature fields that all tasks of the leaderboard share.
        differences: What sets the leaderboard apart from the protocol's first; empty for that.
        rows: The runs, best first, those without the primary score last.
    """

    protocol: str
    title: str
    number: int
    columns: tuple[Column, ...]
    primary: str
    settings: Mapping[str, str]
    differences: tuple[Difference, ...]
    rows: tuple[Row, ...]

    @property
    def is_sample(self) -> bool:
        """Whether the scores come from the made-up sample data."""
        return any(row.run.is_sample for row in self.rows)


def make_leaderboards(runs: RunSet | Iterable[Run]) -> tuple[Leaderboard, ...]:
    """Sort runs into leaderboards.

    Args:
        runs: The runs.

    Returns:
        The leaderboards: by protocol, the one with the most runs first.
    """
    runs = runs.runs if isinstance(runs, RunSet) else tuple(runs)
    leaderboards: list[Leaderboard] = []
    for name in (*reversed(protocol_names()), *_revisions(runs)):
        groups = _groups(runs, name)
        for number, (settings, members) in enumerate(groups, 1):
            leaderboards.append(_leaderboard(name, number, settings, groups[0][0], members))
    return tuple(leaderboards)


def mtbench_column(dataset: str) -> str:
    """Harness name of an MT-Bench revision: ``nejumi_mtbench`` or ``nejumi_mtbench_<revision>``."""
    return f"nejumi_{dataset}"


# -------------------------------------------------------------------------------------------- comparability


def comparable_settings(task: TaskResult) -> dict[str, str]:
    """The settings of a task that must agree for its score to be comparable.

    A chat template is the model's own and does not separate runs: neo ranks models asked with and without one together.
    """
    fields = {name: value for name, value in task.signature.items() if name not in _OWN_TO_MODEL}
    style = fields.get("style", "").split("+")[0]
    fields["style"] = "own" if task.is_mtbench else style
    fields["task_version"] = task.version
    return fields


_Settings = dict[str, dict[str, str]]


def _groups(runs: Sequence[Run], protocol: str) -> list[tuple[_Settings, list[Run]]]:
    """Runs whose common tasks agree, with the settings of all their tasks; the largest group first."""
    groups: list[tuple[_Settings, list[Run]]] = []
    # Runs with most tasks first: those with few then find the group they belong to.
    for run in sorted(runs, key=lambda run: -len(_tasks(run, protocol))):
        settings = {task.task: comparable_settings(task) for task in _tasks(run, protocol)}
        if not settings:
            continue
        for known, members in groups:
            common = settings.keys() & known.keys()
            if all(settings[task] == known[task] for task in common):
                known.update(settings)
                members.append(run)
                break
        else:
            groups.append((settings, [run]))
    sample = [any(run.is_sample for run in members) for _, members in groups]
    order = sorted(range(len(groups)), key=lambda index: (sample[index], -len(groups[index][1]), index))
    return [groups[index] for index in order]


def _tasks(run: Run, protocol: str) -> list[TaskResult]:
    return [task for task in run.tasks.values() if protocol in (task.protocol, _home(task))]


def _home(task: TaskResult) -> str:
    """The protocol or MT-Bench revision on whose leaderboard a task stands."""
    if not task.is_mtbench:
        return task.protocol
    for name in protocol_names():
        overall = load_protocol(name).overall
        if overall and mtbench_column(task.dataset) in {part.group for part in overall.parts}:
            return name
    return task.dataset


def _revisions(runs: Sequence[Run]) -> list[str]:
    """MT-Bench revisions that belong to no protocol's overall score."""
    homes = {_home(task) for run in runs for task in run.tasks.values() if task.is_mtbench}
    return sorted(homes - set(protocol_names()))


def _differences(here: _Settings, there: _Settings) -> tuple[Difference, ...]:
    found: dict[str, list[tuple[str, str]]] = {}
    for task in sorted(here.keys() & there.keys()):
        for setting in here[task].keys() | there[task].keys():
            values = here[task].get(setting, "–"), there[task].get(setting, "–")
            if values[0] != values[1]:
                found.setdefault(setting, []).append(values)
    return tuple(
        Difference(setting, _some(own for own, _ in pairs), _some(other for _, other in pairs), len(pairs))
        for setting, pairs in sorted(found.items())
    )


def _some(values: Iterable[str]) -> str:
    """The values if there are few; data digests and token limits differ task by task."""
    distinct = list(dict.fromkeys(values))
    return ", ".join(distinct[:2]) + (", …" if len(distinct) > 2 else "")  # noqa: PLR2004


def _shared(settings: _Settings) -> dict[str, str]:
    fields: dict[str, set[str]] = {}
    for own in settings.values():
        for name, value in own.items():
            fields.setdefault(name, set()).add(value)
    return {name: next(iter(values)) for name, values in fields.items() if len(values) == 1}


# --------------------------------------------------------------------------------------------------- scores


def _leaderboard(
    name: str, number: int, settings: _Settings, first: _Settings, members: Sequence[Run]
) -> Leaderboard:
    protocol = load_protocol(name) if name in protocol_names() else None
    title = protocol.title if protocol else f"Japanese MT-Bench ({name.removeprefix(MTBENCH).strip('_')})"
    present = {task.dataset for run in members for task in _tasks(run, name)}
    columns = _columns(protocol, present) if protocol else _mtbench_columns(name, "")
    scores = {run.key: _scores(run, columns, protocol, name) for run in members}
    names = [column.name for column in columns]
    primary = next(
        (own for own in names if any(isinstance(of_run[own], Score) for of_run in scores.values())), names[0]
    )
    return Leaderboard(
        protocol=name,
        title=title,
        number=number,
        columns=columns,
        primary=primary,
        settings=_shared(settings),
        differences=_differences(settings, first),
        rows=_ranked(members, scores, primary),
    )


def _columns(protocol: Protocol, present: set[str]) -> tuple[Column, ...]:
    """The protocol's scores. MT-Bench, and through it the overall score, only where some run has it."""
    mtbench = [
        part for part in (protocol.overall.parts if protocol.overall else ()) if part.group != protocol.group
    ]
    mtbench = [part for part in mtbench if part.group.removeprefix("nejumi_") in present]
    jaster = bool(present - {part.group.removeprefix("nejumi_") for part in mtbench})
    columns: list[Column] = []
    top = protocol.overall.group if protocol.overall and mtbench and jaster else ""
    if top and protocol.overall:
        columns.append(Column(top, protocol.overall.name, "overall"))
    if jaster:
        columns.append(Column(protocol.group, protocol.average_name, "average", parent=top))
    below: list[Column] = []
    for part in mtbench:
        average, *categories = _mtbench_columns(part.group.removeprefix("nejumi_"), top)
        columns.append(average)
        below += categories
    if jaster:
        columns += [
            Column(category.group, category.name, "category", parent=protocol.group)
            for category in protocol.categories
            if any(member.dataset in present for member in category.members)
        ]
    columns += below
    if jaster:
        for category in protocol.categories:
            columns += [
                Column(protocol.task(member.dataset), member.dataset, "dataset", member.scale, category.group)
                for member in category.members
                if member.dataset in present
            ]
        columns += [
            Column(protocol.task(member.dataset), member.dataset, "dataset", member.scale)
            for member in protocol.outside_average
            if member.dataset in present
        ]
    return tuple(columns)


def _mtbench_columns(dataset: str, parent: str) -> tuple[Column, ...]:
    group = mtbench_column(dataset)
    return (
        Column(group, f"AVG_{dataset}", "average", 10.0, parent),
        *(Column(f"{group}_{name}", name, "category", 10.0, group) for name in MTBENCH_CATEGORIES),
    )


def _scores(
    run: Run, columns: Sequence[Column], protocol: Protocol | None, name: str
) -> dict[str, Score | Missing]:
    """Every column's score, computed from the datasets' as the protocol defines it."""
    tasks = _tasks(run, name)
    scores: dict[str, Score | Missing] = {}
    mtbench = {column.name for column in columns if column.scale == 10.0 and column.level == "average"}  # noqa: PLR2004
    for group in mtbench:
        own = [task for task in tasks if mtbench_column(task.dataset) == group]
        scores |= _mtbench_scores(group, own)
    if protocol:
        datasets = {task.dataset: task.score for task in tasks if not task.is_mtbench}
        for dataset, score in datasets.items():
            scores[protocol.task(dataset)] = score or Missing((dataset,), 1)
        categories = category_scores(protocol, datasets)
        scores |= {category.group: categories[category.name] for category in protocol.categories}
        scores[protocol.group] = macro_average({**categories})
        if protocol.overall:
            scores[protocol.overall.group] = macro_average(
                {part.group: _scaled(scores.get(part.group), part.scale) for part in protocol.overall.parts}
            )
    return {column.name: scores.get(column.name, Missing((column.label,), 1)) for column in columns}


def _scaled(score: Score | Missing | None, scale: float) -> Score | None:
    if not isinstance(score, Score):
        return None
    return Score(score.value / scale, None if score.stderr is None else score.stderr / scale)


def _mtbench_scores(group: str, tasks: Sequence[TaskResult]) -> dict[str, Score | Missing]:
    scores: dict[str, Score | Missing] = {}
    for task in tasks:
        for category in MTBENCH_CATEGORIES:
            if category in task.values:
                scores[f"{group}_{category}"] = Score(task.values[category], task.stderrs.get(category))
        if task.task == group and task.score is not None:
            scores[group] = task.score
    if group not in scores:
        scores[group] = macro_average(
            {category: scores.get(f"{group}_{category}") for category in MTBENCH_CATEGORIES}
        )
    return scores


def _ranked(
    members: Sequence[Run], scores: Mapping[str, Mapping[str, Score | Missing]], primary: str
) -> tuple[Row, ...]:
    values = {run.key: score.value for run in members if isinstance(score := scores[run.key][primary], Score)}
    rows = [
        Row(
            run,
            scores[run.key],
            1 + sum(other > values[run.key] for other in values.values()) if run.key in values else None,
        )
        for run in members
    ]
    return tuple(sorted(rows, key=lambda row: (row.rank is None, row.rank or 0, row.run.key)))
