"""What a protocol file says: one YAML per protocol, read into frozen dataclasses and checked.

``docs/adding-a-protocol.md`` explains the keys. Everything that depends on a protocol (task files, questions, scores,
command-line choices) is derived from here.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from lm_eval_ja.errors import DataError, OptionError
from lm_eval_ja.protocols._tree import Leaf, Level, Member, Node

_LEVELS: tuple[Level, ...] = get_args(Level)
Status = Literal["certified", "replayed", "reconstructed", "own data", "missing"]
"""How sure it is that a dataset's questions are the reference's own.

``certified``: they make the file whose digest the reference's authors published. ``replayed``: published runs were
asked them. ``reconstructed``: made from the source by the reference's rules, and held against nothing. ``own data``:
the user gives the reference's own file, or a conversion that must equal it. ``missing``: no task asks them.
"""

STATUSES: tuple[Status, ...] = get_args(Status)

_SHOTS = re.compile(r"(?P<dataset>.+)@(?P<shots>\d+)shot")


@dataclass(frozen=True)
class DatasetRules:
    """How a protocol asks and scores one dataset with one number of shots: one task of the harness.

    Attributes:
        task: Name of the harness task.
        protocol: Name of the protocol whose questions it asks; its own but for tasks that borrow another's.
        dataset: Name of the dataset.
        split: Split that is evaluated unless the user says otherwise.
        questions: How many of its questions are asked, from the first; all where there are fewer.
        variant: Name of the selection and order of questions (see `lm_eval_ja.datasets`); None for the usual one.
        category: Label of the score that it is averaged into, None if it is in no average.
        metric: The metric that counts.
        metrics: The metrics that a run computes, the one that counts first if it is among them.
        shots: Worked examples in the prompt unless the user says otherwise.
        output_length: Longest answer, in tokens of the model.
        normalization: Steps of `lm_eval_ja.metrics.normalize`.
        instruction: What the model is told to do.
        prompt_style: Style of the prompt, see `lm_eval_ja.prompts.make_style`.
        generation: Further generation settings of the harness (``until``, ``temperature``).
        status: See `Status`.
    """

    task: str
    protocol: str
    dataset: str
    split: str
    questions: int
    variant: str | None
    category: str | None
    metric: str
    metrics: tuple[str, ...]
    shots: int
    output_length: int
    normalization: tuple[str, ...]
    instruction: str
    prompt_style: str
    generation: Mapping[str, Any]
    status: Status = "reconstructed"


@dataclass(frozen=True)
class ConversationRules:
    """How a protocol has conversations of two turns, rated by a judge.

    Attributes:
        dataset: What results call its questions.
        revision: Revision of questions and reference answers, see `lm_eval_ja.datasets.load_mtbench`.
        max_new_tokens: Longest answer, in tokens of the model.
        temperatures: Sampling temperature by category; the keys are all categories there are.
        category_tasks: Whether each category can also be run as a task of its own.
    """

    dataset: str
    revision: str
    max_new_tokens: int
    temperatures: Mapping[str, float]
    category_tasks: bool = False


@dataclass(frozen=True)
class InstructionRules:
    """How a protocol asks prompts whose instructions a program checks: one task of the harness.

    Attributes:
        dataset: What results call its prompts.
        max_new_tokens: Longest answer, in tokens of the model.
        temperature: Sampling temperature; 0 is greedy.
    """

    dataset: str
    max_new_tokens: int
    temperature: float


@dataclass(frozen=True)
class Protocol:
    """A protocol: which questions are asked and how, and how scores add up.

    Attributes:
        name: The protocol's name, such as ``neo``; signatures hold it.
        title: Its name for people.
        order: Its place in lists, lowest first.
        prefix: What its tasks' names begin with.
        scores: The trees of scores, the most comprehensive first.
        tasks: Its datasets' tasks by name, in the order of the file.
        conversation: Rules of its conversations; None if it has none.
        instructions: Rules of its prompts with instructions that a program checks; None if it has none.
        wandb_tables: What the names of its W&B tables begin with, as its leaderboard published them; None for no
            tables.
    """

    name: str
    title: str
    order: int
    prefix: str
    scores: tuple[Node, ...]
    tasks: Mapping[str, DatasetRules] = field(default_factory=dict)
    conversation: ConversationRules | None = None
    instructions: InstructionRules | None = None
    wandb_tables: str | None = None

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the datasets whose questions are the protocol's own, in the order of the file."""
        return tuple(
            dict.fromkeys(rules.dataset for rules in self.tasks.values() if rules.protocol == self.name)
        )

    def task(self, dataset: str, shots: int | None = None) -> str:
        """Name the harness task of a dataset.

        Args:
            dataset: The dataset's name.
            shots: Number of worked examples where it isn't the protocol's usual one.

        Examples:
            >>> from lm_eval_ja.protocols import load_protocol
            >>> load_protocol("neo").task("jnli")
            'nejumi_jaster_jnli'
        """
        return _task(self.prefix, dataset, shots)

    def nodes(self) -> Iterator[Node]:
        """Every mean of every tree, other protocols' included, parents first, once each."""
        parts = dict.fromkeys(part for root in self.scores for part in root.walk())
        return (part for part in parts if isinstance(part, Node))

    def members_first(self) -> tuple[Node, ...]:
        """The same means in an order in which each comes after all that it is made of."""
        found: dict[Node, None] = {}

        def visit(node: Node) -> None:
            for child in node.children:
                if isinstance(child, Node):
                    visit(child)
            found.setdefault(node)

        for root in self.scores:
            visit(root)
        return tuple(found)

    def leaves(self) -> tuple[Leaf, ...]:
        """Every leaf of every tree, other protocols' included, once each."""
        return tuple(dict.fromkeys(leaf for root in self.scores for leaf in root.leaves()))

    def parent(self, part: Node | Leaf) -> Node | None:
        """The first mean that a score is a member of, None for the topmost."""
        return next((node for node in self.nodes() if part in node.children), None)

    def related(self) -> tuple[str, ...]:
        """Names of the other protocols whose scores are members here."""
        return tuple(dict.fromkeys(node.protocol for node in self.nodes() if node.protocol != self.name))


def _task(prefix: str, dataset: str, shots: int | None = None) -> str:
    return f"{prefix}_{dataset}" + ("" if shots is None else f"_{shots}shot")


# ------------------------------------------------------------------------------------------------- reading values


@dataclass(frozen=True)
class _At:
    """A mapping in the file, and where it stands there."""

    raw: Mapping[str, Any]
    where: str

    def text(self, key: str) -> str:
        value = self.raw.get(key)
        if not isinstance(value, str) or not value:
            raise DataError(f"{self.where}: {key} must be a text, found {value!r}")
        return value

    def number(self, key: str, default: Any = None) -> float:
        value = self.raw.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise DataError(f"{self.where}: {key} must be a number above 0, found {value!r}")
        return float(value)

    def whole(self, key: str, default: Any = None, least: int = 0) -> int:
        value = self.raw.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise DataError(f"{self.where}: {key} must be a whole number from {least}, found {value!r}")
        return value

    def texts(self, key: str, default: Any = None) -> tuple[str, ...]:
        value = self.raw.get(key, default)
        if not isinstance(value, list) or not all(isinstance(text, str) and text for text in value):
            raise DataError(f"{self.where}: {key} must be a list of texts, found {value!r}")
        return tuple(value)

    def choice(self, key: str, choices: Sequence[str], default: str | None = None) -> str:
        value = self.raw.get(key, default)
        if value not in choices:
            raise DataError(f"{self.where}: {key} must be one of {', '.join(choices)}, found {value!r}")
        return str(value)

    def below(self, key: str, required: Sequence[str], optional: Sequence[str] = ()) -> "_At":
        return _take(self.raw.get(key), f"{self.where}, {key}", required, optional)


def _take(raw: Any, where: str, required: Sequence[str], optional: Sequence[str] = ()) -> _At:
    if not isinstance(raw, Mapping):
        raise DataError(f"{where}: expected a mapping with {', '.join(required)}, found {raw!r}")
    missing = [key for key in required if key not in raw]
    unknown = [key for key in raw if key not in required and key not in optional]
    if missing or unknown:
        raise DataError(
            f"{where}: missing keys: {missing or 'none'}; unknown keys: {unknown or 'none'};"
            f" allowed: {', '.join((*required, *optional))}"
        )
    return _At(raw, where)


# ------------------------------------------------------------------------------------------------------- reading


def parse_protocol(raw: Any, source: str, others: Callable[[str], Protocol]) -> Protocol:
    """Check what a protocol file holds and turn it into a `Protocol`.

    Args:
        raw: What a YAML reader made of the file.
        source: Where it came from, for the error messages.
        others: Looks another protocol up by its name.

    Returns:
        The protocol.

    Raises:
        DataError: A key is missing or unknown, a value is wrong, or a name is used twice.
    """
    at = _take(
        raw,
        source,
        ("name", "title", "prefix", "scores"),
        ("order", "asked", "datasets", "conversation", "instructions", "wandb_tables"),
    )
    name, prefix = at.text("name"), at.text("prefix")
    if ("datasets" in at.raw) != ("asked" in at.raw):
        raise DataError(f"{source}: `datasets` and `asked` (how they are asked) go together")
    usual: dict[str, DatasetRules] = {}
    if "datasets" in at.raw:
        if not isinstance(at.raw["datasets"], Mapping):
            raise DataError(
                f"{source}: datasets must map each dataset to its rules, found {at.raw['datasets']!r}"
            )
        for dataset in at.raw["datasets"]:
            if not isinstance(dataset, str):  # `no` and `1` are none in YAML
                raise DataError(
                    f"{source}, datasets: a dataset's name must be a text, found {dataset!r}: quote it"
                )
            usual[dataset] = _rules(at, dataset, name, prefix)
    conversation = _conversation(at) if "conversation" in at.raw else None
    reader = _Tree(name, prefix, usual, others)
    if not isinstance(at.raw["scores"], list):
        raise DataError(f"{source}: scores must be a list of trees, found {at.raw['scores']!r}")
    scores = tuple(reader.node(tree, f"{source}, scores") for tree in at.raw["scores"])
    return Protocol(
        name=name,
        title=at.text("title"),
        order=at.whole("order", 100),
        prefix=prefix,
        scores=scores,
        tasks=reader.tasks(scores),
        conversation=conversation,
        instructions=_instructions(at) if "instructions" in at.raw else None,
        wandb_tables=at.text("wandb_tables") if "wandb_tables" in at.raw else None,
    )


def _rules(at: _At, dataset: str, protocol: str, prefix: str) -> DatasetRules:
    """A dataset's rules with the protocol's usual number of shots; what it doesn't say is said by ``asked``."""
    asked = at.below(
        "asked",
        ("split", "questions", "shots", "prompt_style", "generation"),
        ("variant", "normalization", "status"),
    )
    generation = asked.below("generation", (), ("until", "temperature"))
    own = _At(at.raw["datasets"], f"{at.where}, datasets").below(
        dataset,
        ("metrics", "output_length", "instruction"),
        ("normalization", "questions", "split", "questions_of", "shots", "status"),
    )
    metrics = own.texts("metrics")
    borrowed = "questions_of" in own.raw
    return DatasetRules(
        task=_task(prefix, dataset),
        protocol=own.text("questions_of") if borrowed else protocol,
        dataset=dataset,
        split=own.text("split") if "split" in own.raw else asked.text("split"),
        questions=own.whole("questions", asked.raw["questions"], least=1),
        variant=asked.text("variant") if "variant" in asked.raw and not borrowed else None,
        category=None,
        metric=metrics[0],
        metrics=metrics,
        shots=own.whole("shots", asked.whole("shots")),
        output_length=own.whole("output_length", least=1),
        normalization=own.texts("normalization", asked.raw.get("normalization")),
        instruction=own.text("instruction"),
        prompt_style=asked.text("prompt_style"),
        generation=dict(generation.raw),
        status=next(
            status
            for status in STATUSES
            if status == own.choice("status", STATUSES[:-1], asked.raw.get("status", "reconstructed"))
        ),
    )


def _conversation(at: _At) -> ConversationRules:
    own = at.below(
        "conversation", ("dataset", "revision", "max_new_tokens", "temperatures"), ("category_tasks",)
    )
    temperatures = own.raw["temperatures"]
    if not isinstance(temperatures, Mapping) or not all(
        isinstance(value, int | float) and value >= 0 for value in temperatures.values()
    ):
        raise DataError(f"{own.where}: temperatures must map categories to numbers, found {temperatures!r}")
    return ConversationRules(
        dataset=own.text("dataset"),
        revision=own.text("revision"),
        max_new_tokens=own.whole("max_new_tokens", least=1),
        temperatures={str(name): float(value) for name, value in temperatures.items()},
        category_tasks=own.raw.get("category_tasks", False) is True,
    )


def _instructions(at: _At) -> InstructionRules:
    own = at.below("instructions", ("dataset", "max_new_tokens", "temperature"))
    temperature = own.raw["temperature"]
    if isinstance(temperature, bool) or not isinstance(temperature, int | float) or temperature < 0:
        raise DataError(f"{own.where}: temperature must be a number from 0, found {temperature!r}")
    return InstructionRules(
        dataset=own.text("dataset"),
        max_new_tokens=own.whole("max_new_tokens", least=1),
        temperature=float(temperature),
    )


class _Tree:
    """Reads the trees of one protocol."""

    def __init__(
        self, protocol: str, prefix: str, usual: Mapping[str, DatasetRules], others: Callable[[str], Protocol]
    ) -> None:
        self._protocol = protocol
        self._prefix = prefix
        self._usual = usual
        self._others = others
        self._nodes: dict[str, Node] = {}
        self._leaves: dict[str, Leaf] = {}
        self._settings: dict[str, DatasetRules] = {}

    def node(self, raw: Any, where: str) -> Node:
        at = _take(raw, where, ("name", "label", "members"), ("scale", "missing", "level", "weight"))
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
            return Member(self._dataset(_At({"dataset": raw}, where)))
        if not isinstance(raw, Mapping):
            raise DataError(f"{where}: a member must be a dataset's name or a mapping, found {raw!r}")
        weight = _At(raw, where).number("weight", 1)
        if "members" in raw:
            return Member(self.node(raw, where), weight)
        if "node" in raw:
            return Member(self._reference(_take(raw, where, ("node",), ("of", "weight"))), weight)
        if "given" in raw:
            return Member(
                self._given(
                    _take(raw, where, ("given",), ("label", "scale", "level", "weight", "task", "metric"))
                ),
                weight,
            )
        if "task" in raw:
            return Member(
                self._leaf(
                    _take(raw, where, ("task", "metric"), ("label", "name", "scale", "level", "weight"))
                ),
                weight,
            )
        return Member(
            self._dataset(
                _take(raw, where, ("dataset",), ("metric", "label", "name", "scale", "level", "weight"))
            ),
            weight,
        )

    def _reference(self, at: _At) -> Node:
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

    def _given(self, at: _At) -> Leaf:
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

    def _leaf(self, at: _At) -> Leaf:
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

    def _dataset(self, at: _At) -> Leaf:
        text = at.text("dataset")
        given = _SHOTS.fullmatch(text)
        dataset, shots = (given["dataset"], int(given["shots"])) if given else (text, None)
        usual = self._usual.get(dataset)
        if usual is None:
            raise DataError(f"{at.where}: {dataset!r} is not among the protocol's datasets")
        if shots == usual.shots:
            shots = None
        task = _task(self._prefix, dataset, shots)
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
        self._settings[task] = _with(
            usual, task=task, shots=usual.shots if shots is None else shots, metric=metric
        )
        return leaf

    def _known(self, leaf: Leaf, where: str) -> Leaf:
        if self._leaves.setdefault(leaf.name, leaf) != leaf:
            raise DataError(f"{where}: {leaf.name} stands for two scores: give one of them a `name`")
        return leaf

    def tasks(self, scores: Sequence[Node]) -> dict[str, DatasetRules]:
        """Rules of every task: those in a tree with their category, and those in none."""
        categories: dict[str, str] = {}
        for root in scores:
            for part in root.walk():
                if isinstance(part, Node):
                    for child in part.children:
                        if isinstance(child, Leaf):
                            categories.setdefault(child.task, part.label)
        tasks: dict[str, DatasetRules] = {}
        for usual in self._usual.values():
            own = [rules for rules in self._settings.values() if rules.dataset == usual.dataset] or [usual]
            for rules in own:
                tasks[rules.task] = _with(rules, category=categories.get(rules.task))
        return tasks


def _with(rules: DatasetRules, **changes: Any) -> DatasetRules:
    return DatasetRules(**{**vars(rules), **changes})


def _level(at: _At, usual: Level) -> Level:
    return next(level for level in _LEVELS if level == at.choice("level", _LEVELS, usual))


def _usual_level(members: Sequence[Member]) -> Level:
    """One above the highest member's."""
    highest = min(_LEVELS.index(member.child.level) for member in members)
    return _LEVELS[max(highest - 1, 0)]
