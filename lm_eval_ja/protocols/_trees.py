"""Reading the trees of scores of a protocol file."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, get_args

from lm_eval_ja.errors import DataError, OptionError
from lm_eval_ja.protocols._schema import DatasetRules, Protocol, task_name
from lm_eval_ja.protocols._tree import Leaf, Level, Member, Node
from lm_eval_ja.protocols._values import At, take

_LEVELS: tuple[Level, ...] = get_args(Level)
_SHOTS = re.compile(r"(?P<dataset>.+)@(?P<shots>\d+)shot")


class TreeReader:
    """Reads the trees of one protocol."""

    def __init__(
        self,
        protocol: str,
        prefix: str,
        usual: Mapping[str, Sequence[DatasetRules]],
        others: Callable[[str], Protocol],
    ) -> None:
        self._protocol = protocol
        self._prefix = prefix
        self._usual = usual
        self._others = others
        self._nodes: dict[str, Node] = {}
        self._leaves: dict[str, Leaf] = {}
        self._settings: dict[str, DatasetRules] = {}

    def node(self, raw: Any, where: str) -> Node:
        at = take(raw, where, ("name", "label", "members"), ("scale", "missing", "level", "weight"))
        name = at.text("name")
        where = f"{where}, {name}"
        if name in self._nodes:
            raise DataError(
                f"{where}: a score of that name stands above already: refer to it as {{node: {name}}}"
            )
        if not isinstance(at.raw["members"], list) or not at.raw["members"]:
            raise DataError(f"{where}: members must be a list of one or more, found {at.raw['members']!r}")
        members = tuple(self._member(member, where) for member in at.raw["members"])
        if name in self._leaves:
            raise DataError(f"{where}: a member below is called {name}, too: give one of them another name")
        labels = [member.child.label for member in members]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise DataError(f"{where}: a member more than once: {', '.join(twice)}")
        made = Node(
            name=name,
            label=at.text("label"),
            members=members,
            protocol=self._protocol,
            scale=at.number("scale", 1),
            missing="skip" if at.choice("missing", ("missing", "skip"), "missing") == "skip" else "missing",
            level=_level(at, _usual_level(members)),
        )
        self._nodes[name] = made
        return made

    def _member(self, raw: Any, where: str) -> Member:
        if isinstance(raw, str):
            return Member(self._dataset(At({"dataset": raw}, where)))
        if not isinstance(raw, Mapping):
            raise DataError(f"{where}: a member must be a dataset's name or a mapping, found {raw!r}")
        weight = At(raw, where).number("weight", 1)
        if "members" in raw:
            return Member(self.node(raw, where), weight)
        if "node" in raw:
            return Member(self._reference(take(raw, where, ("node",), ("of", "weight"))), weight)
        if "given" in raw:
            return Member(
                self._given(
                    take(raw, where, ("given",), ("label", "scale", "level", "weight", "task", "metric"))
                ),
                weight,
            )
        if "task" in raw:
            return Member(
                self._leaf(
                    take(raw, where, ("task", "metric"), ("label", "name", "scale", "level", "weight"))
                ),
                weight,
            )
        return Member(
            self._dataset(
                take(raw, where, ("dataset",), ("metric", "label", "name", "scale", "level", "weight"))
            ),
            weight,
        )

    def _reference(self, at: At) -> Node:
        name = at.text("node")
        try:
            nodes = (
                {node.name: node for node in self._others(at.text("of")).nodes()}
                if "of" in at.raw
                else self._nodes
            )
        except OptionError as error:  # no such protocol
            raise DataError(f"{at.where}: {error}") from error
        if name not in nodes:
            raise DataError(
                f"{at.where}: there is no score {name!r} "
                + (
                    f"in {at.raw['of']}"
                    if "of" in at.raw
                    else "above; one of another protocol takes `of: PROTOCOL`"
                )
            )
        return nodes[name]

    def _given(self, at: At) -> Leaf:
        name = f"{self._prefix}_{at.text('given')}"
        return self._known(
            Leaf(
                name=name,
                label=str(at.raw.get("label") or at.text("given")),
                task=at.text("task") if "task" in at.raw else name,
                metric=at.text("metric") if "metric" in at.raw else "score",
                scale=at.number("scale", 1),
                level=_level(at, "dataset"),
                given=True,
            ),
            at.where,
        )

    def _leaf(self, at: At) -> Leaf:
        task, metric = at.text("task"), at.text("metric")
        return self._known(
            Leaf(
                name=str(at.raw.get("name") or f"{task}_{metric}"),
                label=str(at.raw.get("label") or metric),
                task=task,
                metric=metric,
                scale=at.number("scale", 1),
                level=_level(at, "dataset"),
            ),
            at.where,
        )

    def _dataset(self, at: At) -> Leaf:
        text = at.text("dataset")
        given = _SHOTS.fullmatch(text)
        dataset, shots = (given["dataset"], int(given["shots"])) if given else (text, None)
        numbers = {rules.shots: rules for rules in self._usual.get(dataset, ())}
        if not numbers:
            raise DataError(f"{at.where}: {dataset!r} is not among the protocol's datasets")
        if shots is None and len(numbers) > 1:
            raise DataError(
                f"{at.where}: {dataset} is asked with {' and '.join(map(str, numbers))} shots: say which, such as "
                f"{dataset}@{next(iter(numbers))}shot"
            )
        usual = next(iter(numbers.values())) if shots is None else numbers.get(shots)
        if usual is None:  # a number of shots of this tree's own
            usual = _with(
                next(iter(numbers.values())), task=task_name(self._prefix, dataset, shots), shots=shots
            )
        task = usual.task
        metric = str(at.raw.get("metric") or usual.metrics[0])
        leaf = self._known(
            Leaf(
                name=str(at.raw.get("name") or task),
                label=str(at.raw.get("label") or text),
                task=task,
                metric=metric,
                scale=at.number("scale", 1),
                level=_level(at, "dataset"),
            ),
            at.where,
        )
        self._settings[task] = _with(usual, metric=metric)
        return leaf

    def _known(self, leaf: Leaf, where: str) -> Leaf:
        if self._leaves.setdefault(leaf.name, leaf) != leaf:
            raise DataError(f"{where}: {leaf.name} stands for two scores: give one of them a `name`")
        return leaf

    def tasks(self, scores: Sequence[Node]) -> dict[str, DatasetRules]:
        """Rules of every task: those in a tree with their category, and those in none."""
        categories: dict[str, str] = {}
        for root in scores:
            for task, label in _categories(root):
                categories.setdefault(task, label)
        tasks: dict[str, DatasetRules] = {}
        for dataset, usual in self._usual.items():
            own = {rules.task: rules for rules in self._settings.values() if rules.dataset == dataset}
            if len(usual) > 1 or not own:
                own = {**{rules.task: rules for rules in usual}, **own}
            for name, rules in own.items():
                tasks[name] = _with(rules, category=categories.get(name))
        return tasks


def _categories(node: Node, above: str = "") -> Iterator[tuple[str, str]]:
    """Every task below with the label of the mean it is averaged into, or of the one above a mean of one dataset's."""
    label = above if above and node.level == "dataset" else node.label
    for child in node.children:
        if isinstance(child, Node):
            yield from _categories(child, label)
        elif not child.given:
            yield child.task, label


def _with(rules: DatasetRules, **changes: Any) -> DatasetRules:
    return DatasetRules(**{**vars(rules), **changes})


def _level(at: At, usual: Level) -> Level:
    return next(level for level in _LEVELS if level == at.choice("level", _LEVELS, usual))


def _usual_level(members: Sequence[Member]) -> Level:
    """One above the highest member's."""
    highest = min(_LEVELS.index(member.child.level) for member in members)
    return _LEVELS[max(highest - 1, 0)]
