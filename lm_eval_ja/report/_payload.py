"""The data inside a report's HTML file.

Two parts: the *core*, small, with every number of every table and chart and the outcome of every question; and
*blocks* with the texts, which the page unpacks when it needs them: one per dataset with the questions, and one per
dataset and run with the answers. Texts that runs share are in the dataset's.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from hashlib import sha256
from typing import Any

import lm_eval_ja
from lm_eval_ja.analysis import (
    RANKED,
    Analysis,
    Column,
    Efficiency,
    Failures,
    Leaderboard,
    Outcome,
    Row,
    SamplingError,
)
from lm_eval_ja.protocols import Score
from lm_eval_ja.report._data import TURNS, signature_digest
from lm_eval_ja.report._differences import asked, generation
from lm_eval_ja.report._models import Facts
from lm_eval_ja.report._status import by_status, statuses
from lm_eval_ja.results import Question, Run, TaskResult, Turn

Json = dict[str, Any]

_CODES = {outcome: code for code, outcome in zip("cpbtelwruh", Outcome, strict=True)}
_ABSENT = "."


@dataclass(frozen=True)
class Payload:
    """Data of a report.

    Attributes:
        core: What the page needs at once.
        blocks: Texts, with names: the id of a set of questions in ``core["sets"]``, or ``<id>-<place of the run>`` for
            a run's answers to them. Made one by one, for they are large together.
    """

    core: Json
    blocks: Iterator[tuple[str, Any]]


@dataclass
class _Set:
    """Questions that some runs answered: a task in one state of its data."""

    id: str
    scope: str
    protocol: str
    dataset: str
    label: str
    is_sample: bool
    questions: dict[str, Question] = field(default_factory=dict)
    answers: dict[int, dict[str, tuple[Question, str]]] = field(default_factory=dict)


def make_payload(analysis: Analysis, facts: Mapping[str, Facts]) -> Payload:
    """Arrange an analysis for the page."""
    runs = analysis.runs.runs
    sets = _sets(runs, analysis.failures)
    core: Json = {
        "version": lm_eval_ja.__version__,
        "generated": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "resamples": analysis.resamples,
        "seed": analysis.seed,
        "outcomes": {code: outcome.value for outcome, code in _CODES.items()},
        "problems": [
            {"kind": problem.kind, "path": str(problem.path), "text": problem.text}
            for problem in analysis.runs.problems
        ],
        "runs": [_run(run, analysis, facts.get(run.key)) for run in runs],
        "leaderboards": [_leaderboard(leaderboard, runs, analysis) for leaderboard in analysis.leaderboards],
        "sets": [_index(own) for own in sets],
    }
    return Payload(core, (block for own in sets for block in _blocks(own)))


# -------------------------------------------------------------------------------------------------- tables


def _run(run: Run, analysis: Analysis, facts: Facts | None) -> Json:
    failures = analysis.failures.get(run.key, {})
    tokens = analysis.tokens.get(run.key)
    tasks = run.tasks.values()
    return {
        "id": sha256(run.key.encode("utf-8", "surrogatepass")).hexdigest()[:8],
        "key": run.key,
        "facts": asdict(facts) if facts else {},
        "date": run.date.strftime("%Y-%m-%d %H:%M") if run.date else None,
        "seconds": run.seconds,
        "backend": run.backend,
        "chat": run.chat_template,
        "shots": list(run.shots),
        "limit": run.limit,
        "judge": run.judge,
        "asked": run.asked,
        "logged": sum(len(task.questions) for task in run.answered),
        "unscored": int(sum(task.values.get("unscored", 0) for task in tasks)),
        "lmEval": run.lm_eval_version,
        "args": {str(name): str(value) for name, value in run.model_args.items()},
        "files": [str(file) for file in run.files],
        "signatures": {task.task: task.signature_text for task in tasks},
        "statuses": {task.task: task.status for task in tasks if task.status},
        "signature": signature_digest(run),
        "failures": _failures(run, failures),
        "recovered": analysis.lenient.get(run.key, {}),
        "members": [_member(member) for member in run.members],
        "spread": {
            name: [own.deviation, dict(own.values)] for name, own in analysis.spread.get(run.key, {}).items()
        },
        "sampling": {name: _sampling(own) for name, own in analysis.sampling.get(run.key, {}).items()},
        "tokens": {"tokenizer": tokens.tokenizer, "total": tokens.total, "datasets": tokens.datasets}
        if isinstance(tokens, Efficiency)
        else {"why": tokens},
    }


def _member(member: Run) -> Json:
    return {
        "seed": member.seed,
        "date": member.date.strftime("%Y-%m-%d %H:%M") if member.date else None,
        "files": [str(file) for file in member.files],
    }


def _sampling(error: SamplingError) -> Json:
    return {
        "repeats": error.repeats,
        "score": error.score,
        "stderr": error.total,
        "questions": error.questions,
        "sampling": error.sampling,
        "increase": error.increase,
        "majority": error.further.get("majority"),
        "pass": max(
            (
                [int(name.rpartition("@")[2]), value]
                for name, value in error.further.items()
                if name.startswith("pass@")
            ),
            default=None,
        ),
    }


def _scope(task: TaskResult) -> str:
    """Name of the column that shows a task; MT-Bench's categories belong to the whole."""
    return task.scope


def _failures(run: Run, failures: Mapping[str, Failures]) -> Json:
    scopes: Json = {}
    for name, own in failures.items():
        scope = scopes.setdefault(
            _scope(run.tasks[name]),
            {
                "counts": {},
                "score": own.score,
                "recovered": own.lenient,
                "form": own.compliance,
                "long": own.long_golds,
            },
        )
        for outcome, count in own.counts.items():
            scope["counts"][_CODES[outcome]] = scope["counts"].get(_CODES[outcome], 0) + count
    return scopes


def _leaderboard(leaderboard: Leaderboard, runs: Sequence[Run], analysis: Analysis) -> Json:
    places = {run.key: index for index, run in enumerate(runs)}
    return {
        "protocol": leaderboard.protocol,
        "title": leaderboard.title,
        "number": leaderboard.number,
        "sample": leaderboard.is_sample,
        "partial": leaderboard.partial,
        "primary": leaderboard.primary,
        "columns": [_column(column, statuses(leaderboard)) for column in leaderboard.columns]
        + _turn_columns(leaderboard),
        "settings": dict(leaderboard.settings),
        "statuses": [list(each) for each in by_status(leaderboard).items()],
        "differences": [
            {"setting": d.setting, "here": generation(d.here), "there": generation(d.there), "tasks": d.tasks}
            | ({"asked": [*asked(d.here, d.there), *asked(d.there, d.here)]} if d.setting == "n" else {})
            for d in leaderboard.differences
        ],
        "rows": [_row(row, places[row.run.key], analysis) for row in leaderboard.rows],
    }


def _column(column: Column, known: Mapping[str, str]) -> Json:
    return {
        "name": column.name,
        "label": column.label,
        "level": column.level,
        "scale": column.scale,
        "parent": column.parent,
        "ranked": column.level in RANKED,
        "status": known.get(column.name, ""),
    }


def _turn_columns(leaderboard: Leaderboard) -> list[Json]:
    """Columns that belong to no average: the mean rating of each turn of a task of conversations."""
    scales = {column.name: column.scale for column in leaderboard.columns}
    names = dict.fromkeys(
        (task.task, turn)
        for row in leaderboard.rows
        for task in row.run.tasks.values()
        for turn in TURNS
        if task.task in scales and turn in task.values
    )
    return [
        {
            "name": f"{task}:{turn}",
            "label": turn.replace("_", " "),
            "level": "turn",
            "scale": scales[task],
            "parent": "",
            "ranked": False,
            "status": "",
        }
        for task, turn in names
    ]


def _row(row: Row, place: int, analysis: Analysis) -> Json:
    own = analysis.intervals.get(row.run.key)
    scores: Json = {}
    missing: Json = {}
    for name, score in row.scores.items():
        if isinstance(score, Score):
            interval = own.scores.get(name) if own else None
            ends = (interval.low, interval.high) if interval else (None, None)
            scores[name] = [score.value, *ends, score.stderr]
        else:
            missing[name] = [list(score.names), score.total]
    for task in row.run.tasks.values():
        for turn in TURNS:
            if task.task in scores and turn in task.values:
                scores[f"{task.task}:{turn}"] = [task.values[turn], None, None, task.stderrs.get(turn)]
    ranks = {name: [r.rank, r.low, r.high, r.runs] for name, r in own.ranks.items()} if own else {}
    return {"run": place, "rank": row.rank, "scores": scores, "missing": missing, "ranks": ranks}


# ------------------------------------------------------------------------------------------------ questions


def _sets(runs: Sequence[Run], failures: Mapping[str, Mapping[str, Failures]]) -> list[_Set]:
    """Questions by dataset and data: two runs on different data did not answer the same question."""
    found: dict[tuple[str, str], _Set] = {}
    for place, run in enumerate(runs):
        for name, task in run.tasks.items():
            if not task.questions:
                continue
            # Ids tell the questions of one state of the data apart, however many of them were asked.
            key = (_scope(task), _mtbench_data(task) if task.is_mtbench else task.signature.get("data", ""))
            own = found.setdefault(
                key, _Set("", _scope(task), task.protocol, task.dataset, task.dataset, task.is_sample)
            )
            answers = own.answers.setdefault(place, {})
            for question, finding in zip(task.questions, failures[run.key][name].findings, strict=True):
                own.questions.setdefault(question.id, question)
                answers.setdefault(question.id, (question, _CODES[finding.outcome]))
    sets = list(found.values())
    for number, own in enumerate(sets):
        own.id = f"s{number}"
        same = [other for other in sets if other.dataset == own.dataset]
        if len({other.protocol for other in same}) > 1:
            own.label += f" ({own.protocol})"
        same = [other for other in same if other.protocol == own.protocol]
        if len(same) > 1:
            own.label += f" ({'sample' if own.is_sample else same.index(own) + 1})"
    return sets


def _mtbench_data(task: TaskResult) -> str:
    """State of MT-Bench's data. Its digest in the signature covers one category where one was asked."""
    return "sample" if task.is_sample else "real"


def _index(own: _Set) -> Json:
    ids = list(own.questions)
    first = own.questions[ids[0]]
    categories = list(dict.fromkeys(question.category for question in own.questions.values()))
    return {
        "id": own.id,
        "scope": own.scope,
        "lines": first.metric == "set_f1",
        "leaves": [f"{own.scope}_{category}" for category in categories] if first.turns else [own.scope],
        "dataset": own.dataset,
        "label": own.label,
        "sample": own.is_sample,
        "mtbench": bool(first.turns),
        "metric": first.metric,
        "categories": categories,
        "ids": ids,
        "category": [categories.index(own.questions[name].category) for name in ids],
        "runs": {
            str(place): {
                "scores": [_rounded(answers[name][0].score) if name in answers else None for name in ids],
                "outcomes": "".join(answers[name][1] if name in answers else _ABSENT for name in ids),
            }
            for place, answers in own.answers.items()
        },
    }


def _rounded(score: float | None) -> float | int | None:
    if score is None:
        return None
    rounded = round(score, 4)
    return int(rounded) if rounded.is_integer() else rounded


class _Texts:
    """A list of distinct texts."""

    def __init__(self) -> None:
        self.list: list[str] = []
        self._places: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        if text not in self._places:
            self._places[text] = len(self.list)
            self.list.append(text)
        return self._places[text]

    def known(self, text: str) -> int | str:
        """The text's place if it is in the list, else the text."""
        return self._places.get(text, text)


def _blocks(own: _Set) -> Iterator[tuple[str, Any]]:
    instructions, prompts = _Texts(), _Texts()
    block: Json = {
        "input": [question.input for question in own.questions.values()],
        "gold": [question.gold for question in own.questions.values()],
        "instruction": [instructions(question.instruction) for question in own.questions.values()],
    }
    if any(question.turns for question in own.questions.values()):
        block["turns"] = [
            [[turn.question, turn.reference] for turn in question.turns]
            for question in own.questions.values()
        ]
    counts = Counter(
        prompt
        for answers in own.answers.values()
        for question, _ in answers.values()
        for prompt in _prompts(question)
    )
    for prompt, count in counts.items():
        if count > 1:
            prompts(prompt)
    block["instructions"] = instructions.list
    block["prompts"] = prompts.list
    yield own.id, block
    for place, answers in own.answers.items():
        said = [_said(answers[name][0], prompts) if name in answers else None for name in own.questions]
        yield f"{own.id}-{place}", said


def _prompts(question: Question) -> list[str]:
    # The second prompt repeats the first answer: it is left to be read in the samples.
    return [turn.prompt for turn in question.turns if turn.number == 1] or [question.prompt]


def _said(question: Question, prompts: _Texts) -> list[Any]:
    if question.turns:
        return [_turn(turn, prompts) for turn in question.turns]
    prediction = None if question.prediction == question.output else question.prediction
    said: list[Any] = [prompts.known(question.prompt), question.output, prediction]
    if question.samples:
        said.append(
            [
                [one.output, None if one.prediction == one.output else one.prediction, _rounded(one.score)]
                for one in question.samples
            ]
        )
    return said


def _turn(turn: Turn, prompts: _Texts) -> list[Any]:
    return [
        prompts.known(turn.prompt) if turn.number == 1 else None,
        turn.raw,
        None if turn.answer == turn.raw else turn.answer,
        turn.rating,
        turn.reason,
        turn.spread,
        [[judgment.rating, judgment.text, judgment.model, judgment.reason] for judgment in turn.judgments],
    ]
