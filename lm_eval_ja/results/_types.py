"""What a report is made of: runs, the tasks in them, and every question with its answer. Plain frozen data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from lm_eval_ja.protocols import Score, data_status, find_conversation, load_protocol


@dataclass(frozen=True)
class JudgeReply:
    """One reply of a judge.

    Attributes:
        rating: The rating in it, None if it has none.
        reason: Why it has none.
        text: The reply.
        model: The judge that was asked.
        served_model: What the server says it is; empty if it doesn't.
    """

    rating: float | None
    reason: str | None
    text: str
    model: str
    served_model: str = ""


@dataclass(frozen=True)
class Turn:
    """One turn of a conversation.

    Attributes:
        number: 1 or 2.
        question: What the user said.
        reference: The reference answer, None where there is none.
        raw: The model's answer as generated.
        answer: The part of it that was judged.
        prompt: What the model was sent; empty if the samples don't say.
        rating: Mean of the judgments' ratings, from 1 to 10; None if unscored.
        reason: Why it is unscored.
        spread: Standard deviation of the judgments' ratings; None with fewer than two.
        messages: What the judge was sent, as ``(role, content)``.
        judgments: The judge's replies, one per repeat.
    """

    number: int
    question: str
    reference: str | None
    raw: str
    answer: str
    prompt: str
    rating: float | None
    reason: str | None
    spread: float | None
    messages: tuple[tuple[str, str], ...]
    judgments: tuple[JudgeReply, ...]


@dataclass(frozen=True)
class Part:
    """A part of a question that is right or wrong for itself, such as one instruction of M-IFEval.

    Attributes:
        name: What it asks for, such as ``ja:length_constraints:number_sentences``.
        value: 1 or 0.
    """

    name: str
    value: float


@dataclass(frozen=True)
class Sample:
    """One of several answers to a question.

    Attributes:
        output: What the model wrote, unchanged.
        prediction: The normalized output, as it was scored.
        score: Its value of the task's metric; None for metrics that only all questions have.
    """

    output: str
    prediction: str
    score: float | None


@dataclass(frozen=True)
class Question:
    """One question, and what a model made of it.

    ``(dataset, id)`` names the question in every run; the harness's own ``doc_id`` does not and is not kept.

    Attributes:
        dataset: The dataset's name in the protocol, such as ``jnli`` or ``mtbench``.
        id: The question's own id, unique in its dataset.
        category: The protocol's category (``NLI``), or MT-Bench's (``coding``).
        instruction: Instruction of the dataset; empty for MT-Bench.
        input: The question; for MT-Bench the first turn's.
        gold: The answer it is compared with (NFKC); for MT-Bench the references, joined.
        output: What the model wrote, unchanged; for MT-Bench the first turn's.
        prediction: The normalized output, as it was scored; for MT-Bench the first turn's visible answer.
        prompt: What the model was sent: a text, or a JSON list of chat messages.
        max_tokens: Most tokens that were generated; None if the samples don't say.
        metric: Name of the metric.
        score: Its value: 0 to 1, or for MT-Bench the mean rating from 1 to 10; of several samples their mean. None if
            unscored.
        turns: MT-Bench's two turns; empty for others.
        parts: M-IFEval's instructions: the score of the task is the mean over all questions' parts. Empty for others.
        samples: The answers where there are several (``repeats``), the first of which is ``output``; otherwise empty.
    """

    dataset: str
    id: str
    category: str
    instruction: str
    input: str
    gold: str
    output: str
    prediction: str
    prompt: str
    max_tokens: int | None
    metric: str
    score: float | None
    turns: tuple[Turn, ...] = ()
    parts: tuple[Part, ...] = ()
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True)
class TaskResult:
    """One leaf task of a run.

    Attributes:
        task: The harness's task name.
        protocol: Protocol in the signature, such as ``neo`` or ``mtbench-ja-neo``.
        dataset: See `Question`.
        category: The protocol's category; empty for MT-Bench as a whole.
        metric: The metric that counts, where the results have it, otherwise the first that they have; ``score`` for
            MT-Bench.
        score: Its value with its standard error, None if NaN or absent.
        values: Every finite number the harness reports for the task, by metric.
        stderrs: Their standard errors, where there are any.
        signature: The signature's fields.
        signature_text: The signature.
        version: Version of the task, raised whenever scores of the same model can change.
        shots: Worked examples in the prompt.
        asked: Questions asked.
        available: Questions the protocol has.
        generation: ``generation_kwargs`` of the task.
        questions: The logged samples, in the file's order; empty if none were logged.
        file: The results file it is from.
        rescored: Whether `lm-eval-ja rescore` made it of another protocol's task: the answers are that task's.
    """

    task: str
    protocol: str
    dataset: str
    category: str
    metric: str
    score: Score | None
    values: Mapping[str, float]
    stderrs: Mapping[str, float]
    signature: Mapping[str, str]
    signature_text: str
    version: str
    shots: int
    asked: int | None
    available: int | None
    generation: Mapping[str, Any]
    questions: tuple[Question, ...] = ()
    file: Path = Path()
    rescored: bool = False

    @property
    def is_mtbench(self) -> bool:
        """Whether the task is conversations rated by a judge."""
        return find_conversation(self.protocol) is not None

    @property
    def scope(self) -> str:
        """Name of the score that all of the task's questions belong to: the task, or the whole of MT-Bench."""
        return load_protocol(self.protocol).prefix if self.is_mtbench else self.task

    @property
    def repeats(self) -> int:
        """Samples of every answer."""
        text = self.signature.get("repeats", "1")
        return int(text) if text.isdecimal() and text.isascii() else 1

    @property
    def status(self) -> str:
        """How sure it is that the questions are the reference's own; empty for conversations and the like."""
        return data_status(self.task, self.signature)

    @property
    def is_sample(self) -> bool:
        """Whether the questions are the made-up sample data, which is no benchmark."""
        return self.signature.get("data", "").startswith("sample-")


@dataclass(frozen=True)
class Run:
    """What one model scored, from one results file or from several that complete each other.

    Attributes:
        key: Unique in the `RunSet` and fit for display: the model's name, with the date where it occurs twice.
        model: The model's name, as the harness has it.
        date: When the run ended, by the name of its (newest) results file, in the machine's own time zone.
        seconds: Run time in seconds, all results files together; None if unknown.
        backend: The harness's model type, such as ``hf`` or ``vllm``.
        model_args: The model's arguments.
        limit: ``--limit``; None if all questions were asked.
        chat_template: Whether a chat template was applied (by the signatures).
        tokenizer: Where the model's tokenizer may be found: a directory or hub id. None if the results don't say.
        lm_eval_version: The harness's version.
        files: The results files.
        tasks: Leaf tasks of ours, by name.
        groups: Scores of our groups as the harness computed them, by name.
        seed: What the answers were sampled with, such as ``--seed 0,1234,1234,1234``, by the newest of the files; empty
            if the results don't say.
        members: The runs that this one was joined of, if it was: they differ only in the seed.
    """

    key: str
    model: str
    date: datetime | None
    seconds: float | None
    backend: str
    model_args: Mapping[str, Any]
    limit: float | None
    chat_template: bool
    tokenizer: str | None
    lm_eval_version: str
    files: tuple[Path, ...]
    tasks: Mapping[str, TaskResult]
    groups: Mapping[str, Score] = field(default_factory=dict)
    seed: str = ""
    members: tuple["Run", ...] = ()

    @property
    def shots(self) -> tuple[int, ...]:
        """Numbers of worked examples among the tasks that can have any, ascending."""
        return tuple(sorted({task.shots for task in self.tasks.values() if not task.is_mtbench}))

    @property
    def answered(self) -> tuple[TaskResult, ...]:
        """Tasks with answers of their own: those of a rescored task are another's, which counts where it is here."""
        asked = {task.dataset for task in self.tasks.values() if not task.rescored}
        return tuple(task for task in self.tasks.values() if not task.rescored or task.dataset not in asked)

    @property
    def asked(self) -> int:
        """Questions asked, each once however often its answer was scored."""
        return sum(task.asked or 0 for task in self.answered)

    @property
    def repeats(self) -> int:
        """Samples of every answer; of several numbers the largest."""
        return max((task.repeats for task in self.tasks.values()), default=1)

    @property
    def judge(self) -> str | None:
        """The MT-Bench judge as the signature has it; None without one."""
        judges = {task.signature.get("judge", "none") for task in self.tasks.values() if task.is_mtbench}
        return "+".join(sorted(judges - {"none"})) or None

    @property
    def is_sample(self) -> bool:
        """Whether any score was made from the sample data, which is no benchmark."""
        return any(task.is_sample for task in self.tasks.values())

    def questions(self) -> dict[tuple[str, str], Question]:
        """Every logged question by ``(dataset, id)``."""
        return {
            (question.dataset, question.id): question
            for task in self.tasks.values()
            for question in task.questions
        }


@dataclass(frozen=True)
class Problem:
    """Something about the files that the reader of a report should know.

    Attributes:
        kind: ``no_samples``, ``truncated``, ``unreadable``, ``not_ours``, ``older``, ``duplicate``, ``versions``,
            ``nan`` or ``equal_seeds``.
        path: The file or folder.
        text: What is wrong and what to do about it, in English.
    """

    kind: str
    path: Path
    text: str


@dataclass(frozen=True)
class RunSet:
    """All runs that were read, and what was noticed on the way.

    Attributes:
        runs: The runs, by key.
        problems: What the reader noticed.
    """

    runs: tuple[Run, ...]
    problems: tuple[Problem, ...] = ()
