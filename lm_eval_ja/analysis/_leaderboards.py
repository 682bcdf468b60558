"""Which runs may stand in one ranking, and the scores they are ranked by.

A *leaderboard* is a protocol and the runs of it whose signatures agree in everything that can change a score. A run
that was limited to ten questions, judged by another model or asked with other shots is on another leaderboard, with the
difference spelled out.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar, get_args

from lm_eval_ja.datasets import packaged
from lm_eval_ja.metrics import METRICS
from lm_eval_ja.protocols import (
    Leaf,
    Level,
    Mean,
    Missing,
    Node,
    Protocol,
    Scalable,
    Score,
    evaluate,
    find_rules,
    load_protocol,
    mean_score,
    protocol_names,
)
from lm_eval_ja.results import Run, RunSet, TaskResult
from lm_eval_ja.thoughts import model_free

T = TypeVar("T", bound=Scalable)

RANKED: tuple[Level, ...] = ("overall", "average")
"""Levels of the scores that runs are ranked by."""

_OWN_TO_MODEL = ("version", "backend", "template", "bos")
"""Signature fields that don't separate runs: the package's version (the task's own version counts instead), what the
model ran on, arguments of its own chat template, and its own beginning-of-sequence token."""

_SEED = re.compile(r"(?<=[:,])seed=[^,]*,?")
_LIMITED = re.compile(r"(?P<asked>\d+)(?:of(?P<all>\d+))?")


@dataclass(frozen=True)
class Column:
    """A score that runs can have.

    Attributes:
        name: Its name in the protocol's tree, such as ``nejumi_jaster_nli``; of datasets in no average the task's name.
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
class SettingDifference:
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
        rank: Place by the leaderboard's primary score, 1 the best, equals sharing it; None without that score,
            where the
            primary score is no average, and for runs of a part of the questions.
    """

    run: Run
    scores: Mapping[str, Score | Missing]
    rank: int | None


@dataclass(frozen=True)
class Leaderboard:
    """Runs that may be ranked together.

    Attributes:
        protocol: Name of the protocol.
        title: Its title, which says so if only a part of the questions was asked.
        number: 1 for the protocol's first leaderboard, and so on.
        columns: The scores, from the overall score down to the datasets; of categories and datasets those that some
            run was asked.
        primary: Name of the column that sorts, and ranks if it is an overall score or average: the first that any run
            has a score in.
        settings: Signature fields that all tasks of the leaderboard share.
        differences: What sets the leaderboard apart from the protocol's first; empty for that.
        rows: The runs, best first, those without the primary score last.
        partial: How many of the questions were asked where it was not all of them, such as ``5 of 100``; empty
            otherwise.
    """

    protocol: str
    title: str
    number: int
    columns: tuple[Column, ...]
    primary: str
    settings: Mapping[str, str]
    differences: tuple[SettingDifference, ...]
    rows: tuple[Row, ...]
    partial: str = ""

    @property
    def is_sample(self) -> bool:
        """Whether the scores come from the made-up sample data."""
        return any(row.run.is_sample for row in self.rows)


def make_leaderboards(runs: RunSet | Iterable[Run]) -> tuple[Leaderboard, ...]:
    """Sort runs into leaderboards.

    A task stands on the leaderboard of every protocol whose trees name it, if any run has tasks of that protocol's own;
    one that no other protocol shows has its own protocol's leaderboard.

    Args:
        runs: The runs.

    Returns:
        The leaderboards, by protocol; of one protocol complete runs before those of a part of the questions and of
        sample data, and then the one with the most runs first.
    """
    runs = runs.runs if isinstance(runs, RunSet) else tuple(runs)
    leaderboards: list[Leaderboard] = []
    shown: set[tuple[str, str]] = set()
    for protocol in map(load_protocol, protocol_names()):
        own = {(run.key, task) for run in runs for task in own_tasks(run, protocol)}
        if not own or own <= shown:
            continue
        groups = _groups(runs, protocol)
        for number, (settings, members) in enumerate(groups, 1):
            leaderboards.append(_leaderboard(protocol, number, settings, groups[0][0], members))
            shown |= {(run.key, task.task) for run in members for task in protocol_tasks(run, protocol)}
    return tuple(leaderboards)


def own_tasks(run: Run, protocol: Protocol) -> list[str]:
    """Names of a run's tasks that are a protocol's own: its datasets', conversations' and instructions'."""
    leaves = (
        {name for leaf in protocol.leaves() for name in (leaf.task, leaf.name)}
        if protocol.conversation or protocol.instructions
        else set()
    )
    return [task for task in run.tasks if task in protocol.tasks or task in leaves]


def protocol_tasks(run: Run, protocol: Protocol) -> list[TaskResult]:
    """A run's tasks that stand on a protocol's leaderboard: its own, and those of others that its trees name."""
    leaves = {name for leaf in protocol.leaves() for name in (leaf.task, leaf.name)}
    return [task for name, task in run.tasks.items() if name in protocol.tasks or name in leaves]


# -------------------------------------------------------------------------------------------- comparability


def comparable_settings(task: TaskResult) -> dict[str, str]:
    """The settings of a task that must agree for its score to be comparable.

    A chat template is the model's own and does not separate runs: neo ranks models asked with and without one together.
    A seed is no setting that makes a score higher or lower.
    """
    fields = {name: value for name, value in task.signature.items() if name not in _OWN_TO_MODEL}
    style = fields.get("style", "").split("+")[0]
    fields["style"] = "own" if task.is_mtbench else style
    if "gen" in fields:
        fields["gen"] = seedless(fields["gen"])
    if "thoughts" in fields:
        fields["thoughts"] = model_free(fields["thoughts"])
    fields["task_version"] = task.version
    return fields


def seedless(generation: str) -> str:
    """How answers were generated, as the signature has it, without the seed.

    >>> seedless("deviates:seed=1,temperature=0.7"), seedless("deviates:max_gen_toks=64,seed=1"), seedless("greedy-3")
    ('deviates:temperature=0.7', 'deviates:max_gen_toks=64', 'greedy-3')
    """
    return _SEED.sub("", generation).rstrip(",")


_Settings = dict[str, dict[str, str]]


def _groups(runs: Sequence[Run], protocol: Protocol) -> list[tuple[_Settings, list[Run]]]:
    """Runs whose common tasks agree, with the settings of all their tasks; the largest group first."""
    groups: list[tuple[_Settings, list[Run]]] = []
    # Runs with most tasks first: those with few then find the group they belong to.
    for run in sorted(runs, key=lambda run: -len(protocol_tasks(run, protocol))):
        settings = {task.task: comparable_settings(task) for task in protocol_tasks(run, protocol)}
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

    def order(index: int) -> tuple[bool, bool, int, int]:
        members = groups[index][1]
        sample = any(run.is_sample for run in members)
        return sample, bool(_partial(members, protocol)), -len(members), index

    return [groups[index] for index in sorted(range(len(groups)), key=order)]


def _partial(runs: Sequence[Run], protocol: Protocol) -> str:
    """How many questions of a task were asked, if there is one of which not all were."""
    for run in runs:
        for task in protocol_tasks(run, protocol):
            asked, total = questions_asked(task)
            if asked is not None and total is not None and asked < total:
                return f"{asked} of {total}"
    return ""


def questions_asked(task: TaskResult) -> tuple[int | None, int | None]:
    """How many questions a task was asked, and how many the protocol has; None where that is not known."""
    match = _LIMITED.fullmatch(task.signature.get("n", ""))
    if match is None:
        return task.asked, None
    asked = int(match["asked"])
    if match["all"]:
        return asked, int(match["all"])
    rules = find_rules(task.task)
    if rules is None or task.is_sample:
        return asked, None
    split = task.signature.get("split", rules.split)
    there = {name: own.n for (dataset, name), own in packaged().digests.items() if dataset == rules.dataset}
    return asked, min(rules.questions, there.get(split, asked))  # type: ignore[call-overload]  # any text


def _differences(here: _Settings, there: _Settings) -> tuple[SettingDifference, ...]:
    found: dict[str, list[tuple[str, str]]] = {}
    for task in sorted(here.keys() & there.keys()):
        for setting in here[task].keys() | there[task].keys():
            values = here[task].get(setting, "–"), there[task].get(setting, "–")
            if values[0] != values[1]:
                found.setdefault(setting, []).append(values)
    return tuple(
        SettingDifference(
            setting, _some(own for own, _ in pairs), _some(other for _, other in pairs), len(pairs)
        )
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
    protocol: Protocol, number: int, settings: _Settings, first: _Settings, members: Sequence[Run]
) -> Leaderboard:
    columns = columns_of(protocol, members)
    scores = {run.key: _scores(run, columns, protocol) for run in members}
    primary = next(
        (own for own in columns if any(isinstance(of_run[own.name], Score) for of_run in scores.values())),
        columns[0],
    )
    partial = _partial(members, protocol)
    return Leaderboard(
        protocol=protocol.name,
        title=protocol.title + (f", PARTIAL ({partial})" if partial else ""),
        number=number,
        columns=columns,
        primary=primary.name,
        settings=_shared(settings),
        differences=_differences(settings, first),
        rows=_ranked(members, scores, primary, ranked=primary.level in RANKED and not partial),
        partial=partial,
    )


def columns_of(protocol: Protocol, runs: Sequence[Run]) -> tuple[Column, ...]:
    """The scores of a protocol that runs can have, from the overall score down.

    A mean is among them if any run has a task below it; one that takes scores of several protocols only if each of its
    members is.
    """
    tasks = {name for run in runs for name in run.tasks}
    columns: dict[str, Column] = {}

    def visit(part: Node | Leaf, parent: str) -> None:
        if not is_shown(part, tasks):
            name = parent
        else:
            name = part.name
            columns.setdefault(name, Column(name, part.label, part.level, part.scale, parent))
        if isinstance(part, Node):
            for child in part.children:
                visit(child, name)

    for root in protocol.scores:
        visit(root, "")
    for column in _outside(protocol, runs):
        columns.setdefault(column.name, column)
    return tuple(sorted(columns.values(), key=lambda column: get_args(Level).index(column.level)))


def is_shown(part: Node | Leaf, tasks: Collection[str]) -> bool:
    """Whether runs with these tasks can have a score; see `columns_of`."""
    if isinstance(part, Leaf):
        return part.task in tasks or part.name in tasks
    there = [is_shown(child, tasks) for child in part.children]
    mixed = len({child.protocol if isinstance(child, Node) else part.protocol for child in part.children}) > 1
    return all(there) if mixed else any(there)


def _outside(protocol: Protocol, runs: Sequence[Run]) -> Iterator[Column]:
    """Datasets in no average, and other metrics of datasets whose own is missing (BLEU where COMET counts)."""
    leaves = {(leaf.task, leaf.metric) for leaf in protocol.leaves()}
    in_trees = {leaf.task for leaf in protocol.leaves() if not leaf.given}
    for name, rules in protocol.tasks.items():
        for run in runs:
            metric = run.tasks[name].metric if name in run.tasks else None
            if metric is None or (name, metric) in leaves:
                continue
            scale = METRICS[metric].scale[1] if metric in METRICS else 1.0
            if name in in_trees:
                yield Column(f"{name}_{metric}", f"{rules.dataset} ({metric})", "dataset", scale)
            else:
                yield Column(name, rules.dataset, "dataset", scale)


def leaf_scores(run: Run, protocol: Protocol) -> dict[str, Score]:
    """A run's scores of the leaves of a protocol's trees, by the leaf's name."""
    scores = {}
    for leaf in protocol.leaves():
        for name in (
            leaf.name,
            leaf.task,
        ):  # a category of MT-Bench may be a task of its own; the whole counts first
            task = run.tasks.get(name)
            if task is not None and leaf.metric in task.values:
                scores[leaf.name] = Score(task.values[leaf.metric], task.stderrs.get(leaf.metric))
    return scores


def tree_scores(run: Run, protocol: Protocol) -> dict[str, Score | Missing]:
    """Every score of a protocol's trees that follows from a run's leaves, or what is missing for it, by name."""
    leaves = leaf_scores(run, protocol)
    return {
        name: score for root in protocol.scores for name, score in evaluate(root, leaves, mean_score).items()
    }


def run_protocols(run: Run) -> tuple[Protocol, ...]:
    """The protocols whose own tasks a run has, those whose trees hold the others' first."""
    own = [protocol for protocol in map(load_protocol, protocol_names()) if own_tasks(run, protocol)]
    related = {name for protocol in own for name in protocol.related()}
    return tuple(sorted(own, key=lambda protocol: protocol.name in related))


def run_columns(run: Run) -> tuple[Column, ...]:
    """Every score that a run can have under any protocol, from the overall score down, each once."""
    columns: dict[str, Column] = {}
    for protocol in run_protocols(run):
        for column in columns_of(protocol, [run]):
            columns.setdefault(column.name, column)
    return tuple(sorted(columns.values(), key=lambda column: get_args(Level).index(column.level)))


def evaluate_trees(run: Run, leaves: Mapping[str, T], mean: Mean[T]) -> dict[str, T]:
    """Evaluate the trees of a run's protocols over any kind of values.

    Args:
        run: The run.
        leaves: Values by the leaf's name.
        mean: Mean of such values.

    Returns:
        Values of leaves and means, by name; what is missing is not among them.
    """
    protocols = run_protocols(run)
    every = [leaf for protocol in protocols for leaf in protocol.leaves()]
    sources = {(leaf.task, leaf.metric): leaves[leaf.name] for leaf in every if leaf.name in leaves}
    # A score that is a leaf of several protocols has a name in each.
    known = {
        leaf.name: sources[leaf.task, leaf.metric] for leaf in every if (leaf.task, leaf.metric) in sources
    }
    found: dict[str, T] = {**known, **leaves}
    for protocol in protocols:
        for root in protocol.scores:
            values = evaluate(root, {**known, **leaves}, mean)
            found |= {name: value for name, value in values.items() if not isinstance(value, Missing)}
    return found


def _scores(run: Run, columns: Sequence[Column], protocol: Protocol) -> dict[str, Score | Missing]:
    scores = tree_scores(run, protocol)
    for name in protocol.tasks:
        task = run.tasks.get(name)
        if task is not None and task.score is not None:
            scores.setdefault(name, task.score)
            scores[f"{name}_{task.metric}"] = task.score
    return {column.name: scores.get(column.name, Missing((column.label,), 1)) for column in columns}


def _ranked(
    members: Sequence[Run],
    scores: Mapping[str, Mapping[str, Score | Missing]],
    primary: Column,
    *,
    ranked: bool,
) -> tuple[Row, ...]:
    values = {
        run.key: score.value for run in members if isinstance(score := scores[run.key][primary.name], Score)
    }
    places = {key: 1 + sum(other > value for other in values.values()) for key, value in values.items()}
    rows = [Row(run, scores[run.key], places.get(run.key) if ranked else None) for run in members]
    return tuple(
        sorted(rows, key=lambda row: (row.run.key not in places, places.get(row.run.key, 0), row.run.key))
    )
