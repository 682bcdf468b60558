"""What a protocol says, as frozen dataclasses; `lm_eval_ja.protocols._parse` reads them from its file.

``docs/adding-a-protocol.md`` explains the keys. Everything that depends on a protocol (task files, questions, scores,
command-line choices) is derived from here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from lm_eval_ja.protocols._tree import Leaf, Node

Status = Literal["certified", "replayed", "reconstructed", "own data", "missing"]
"""How sure it is that a dataset's questions are the reference's own.

``certified``: they make the file whose digest the reference's authors published. ``replayed``: published runs were
asked them. ``reconstructed``: made from the source by the reference's rules, and held against nothing. ``own data``:
the user gives the reference's own file, or a conversion that must equal it. ``missing``: no task asks them.
"""

STATUSES: tuple[Status, ...] = get_args(Status)


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
        return task_name(self.prefix, dataset, shots)

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


def task_name(prefix: str, dataset: str, shots: int | None = None) -> str:
    """Name the harness task of a dataset; the number of shots is in it only where it is given."""
    return f"{prefix}_{dataset}" + ("" if shots is None else f"_{shots}shot")
