"""The tables that go to Weights & Biases, as plain data.

Names and columns of neo's tables are those of PROTOCOL section 6. ``scores_table`` (every score with interval and rank)
and ``failure_table`` (what became of the answers) are ours.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from lm_eval_ja.analysis import Leaderboard, Outcome, RunIntervals, analyse
from lm_eval_ja.metrics import METRICS
from lm_eval_ja.protocols import Node, Protocol, Score, find_rules, load_protocol, protocol_names
from lm_eval_ja.results import Question, Run, TaskResult, Turn

Cell = str | float | int | None
Cells = tuple[Cell, ...]

_DEV = 10
_DEV_OF_FEW = 5
_FEW = 20
_OUTPUT_COLUMNS = (
    *(
        "run_name",
        "basemodel_name",
        "target_dataset",
        "num_few_shots",
        "data_type",
        "id",
        "input",
        "pred",
        "true",
    ),
    *("prompt", "exact", "char_f1", "set_f1", "latency"),
)
_MTBENCH_COLUMNS = (
    *(
        "question_id",
        "category",
        "answer_id",
        "model",
        "question",
        "answer",
        "judge",
        "user_prompt",
        "judgment",
    ),
    *("score", "turn", "tstamp"),
)
_SCORE_COLUMNS = (
    *("run_name", "basemodel_name", "protocol", "level", "score", "value", "low", "high", "stderr"),
    *("rank", "rank_low", "rank_high", "ranked_runs"),
)


@dataclass(frozen=True)
class Table:
    """A table as W&B shows it.

    Attributes:
        columns: Names of the columns.
        rows: As many values in each; a column has one type, besides None for what is missing.
    """

    columns: tuple[str, ...]
    rows: tuple[Cells, ...]


def run_tables(
    run: Run, run_name: str, intervals: RunIntervals, leaderboards: Iterable[Leaderboard]
) -> dict[str, Table]:
    """Make all tables of a run.

    Args:
        run: The run.
        run_name: Name of the W&B run.
        intervals: The run's intervals.
        leaderboards: The report's leaderboards.

    Returns:
        By W&B name: neo's tables for those of its parts that were run, and ours.
    """
    own = [
        (leaderboard, row.scores)
        for leaderboard in leaderboards
        for row in leaderboard.rows
        if row.run.key == run.key
    ]
    scores = {name: score.value for _, row in own for name, score in row.items() if isinstance(score, Score)}
    tables: dict[str, Table] = {}
    rows: list[dict[str, Cell]] = []
    for protocol in map(load_protocol, protocol_names()):
        tasks = [task for task in run.tasks.values() if task.protocol == protocol.name]
        prefix = protocol.wandb_tables
        if prefix is None or not tasks:
            continue
        average = _average(protocol)
        labels = {child.label: scores.get(child.name) for child in average.children}
        if protocol.conversation:
            rows.append({"basemodel_name": run.model, **labels, average.label: scores.get(average.name)})
            tables[f"{prefix}_output_table"] = _conversations(run, tasks)
        else:
            rows.append(_dataset_row(run, average, scores))
            tables[f"{prefix}_output_table"] = _outputs(run, run_name, tasks, lambda _: None)
            tables[f"{prefix}_output_table_dev"] = _outputs(run, run_name, tasks, _dev)
        tables[f"{prefix}_leaderboard_table"] = _one_row(rows[-1])
        tables[f"{prefix}_radar_table"] = _radar(labels)
    if len(rows) > 1:
        tables["leaderboard_table"] = _one_row({name: cell for row in rows for name, cell in row.items()})
    tables["scores_table"] = Table(
        _SCORE_COLUMNS,
        tuple(
            line for leaderboard, _ in own for line in _scores(run, run_name, leaderboard, scores, intervals)
        ),
    )
    tables["failure_table"] = _failures(run, run_name)
    return tables


def _one_row(cells: Mapping[str, Cell]) -> Table:
    return Table(tuple(cells), (tuple(cells.values()),))


def _radar(scores: Mapping[str, Cell]) -> Table:
    return Table(("category", "score"), tuple(sorted(scores.items())))


def _average(protocol: Protocol) -> Node:
    """The protocol's topmost mean of scores of its own only."""
    return next(
        node
        for node in protocol.nodes()
        if node.protocol == protocol.name
        and all(part.protocol == protocol.name for part in node.walk() if isinstance(part, Node))
    )


def _dataset_row(run: Run, average: Node, scores: Mapping[str, float]) -> dict[str, Cell]:
    styles = {task.signature.get("style", "") for task in run.tasks.values() if not task.is_mtbench}
    versions = {task.signature.get("version", "") for task in run.tasks.values()}
    categories = sorted(average.children, key=lambda child: child.label)
    leaves = sorted(average.leaves(), key=lambda leaf: (leaf.label, leaf.metric))
    return {
        "basemodel_name": run.model,
        average.label: scores.get(average.name),
        **{category.label: scores.get(category.name) for category in categories},
        **{f"{leaf.label}_{leaf.metric}": scores.get(leaf.name) for leaf in leaves},
        "num_few_shots": run.shots[0] if len(run.shots) == 1 else None,
        "prompt_style": ", ".join(sorted(styles)),
        "backend": run.backend,
        "limit": run.limit,
        "lm_eval_ja_version": ", ".join(sorted(versions)),
        "lm_eval_version": run.lm_eval_version,
    }


def _dev(task: TaskResult) -> int:
    """Questions in neo's ``_dev`` table, which were the first of test."""
    rules = find_rules(task.task)
    return _DEV_OF_FEW if rules is not None and rules.questions <= _FEW else _DEV


def _outputs(
    run: Run, run_name: str, tasks: Iterable[TaskResult], number: Callable[[TaskResult], int | None]
) -> Table:
    rows = tuple(
        (
            run_name,
            run.model,
            task.dataset,
            task.shots,
            task.signature.get("split", "test"),
            question.id,
            question.input,
            question.prediction,
            question.gold,
            question.prompt,
            *_all_metrics(question),
            None,  # the harness keeps no time per question
        )
        for task in tasks
        for question in task.questions[: number(task)]
    )
    return Table(_OUTPUT_COLUMNS, rows)


def _all_metrics(question: Question) -> Cells:
    """A prediction by each of neo's metrics, as neo logged them, whichever of them counts."""
    functions = (METRICS[name].per_item for name in ("exact_match", "char_f1", "set_f1"))
    return tuple(function and function(question.prediction, question.gold) for function in functions)


def _conversations(run: Run, tasks: Iterable[TaskResult]) -> Table:
    date = run.date.timestamp() if run.date else None
    rows: list[Cells] = []
    for task in tasks:
        for question in task.questions:
            answers = "\0".join((run.key, question.id, *(turn.answer for turn in question.turns)))
            answer_id = hashlib.sha256(answers.encode("utf-8", "surrogatepass")).hexdigest()[:22]
            for turn in question.turns:
                prompt = next((content for role, content in turn.messages if role == "user"), None)
                rows += [
                    (
                        int(question.id.rpartition("-")[2])
                        if question.id.rpartition("-")[2].isdecimal()
                        else None,
                        question.category,
                        answer_id,
                        run.model,
                        turn.question,
                        turn.answer,
                        judge,
                        prompt,
                        text,
                        rating,
                        turn.number,
                        date,
                    )
                    for judge, text, rating in _judgments(turn)
                ]
    return Table(_MTBENCH_COLUMNS, tuple(rows))


def _judgments(turn: Turn) -> list[tuple[str | None, str | None, float | None]]:
    """Judge, reply and rating of each judging; a turn that was not judged has one empty line."""
    return [(judgment.model, judgment.text, judgment.rating) for judgment in turn.judgments] or [
        (None, turn.reason, turn.rating)
    ]


def _scores(
    run: Run, run_name: str, leaderboard: Leaderboard, scores: Mapping[str, float], intervals: RunIntervals
) -> list[Cells]:
    rows: list[Cells] = []
    for column in leaderboard.columns:
        interval, rank = intervals.scores.get(column.name), intervals.ranks.get(column.name)
        rows.append(
            (
                run_name,
                run.model,
                leaderboard.protocol,
                column.level,
                column.label,
                scores.get(column.name),
                *((interval.low, interval.high, interval.stderr) if interval else (None, None, None)),
                *((rank.rank, rank.low, rank.high, rank.runs) if rank else (None, None, None, None)),
            )
        )
    return rows


def _failures(run: Run, run_name: str) -> Table:
    columns = ("run_name", "basemodel_name", "dataset", "questions", *(outcome.value for outcome in Outcome))
    rows: list[Cells] = []
    for failures in analyse(run).values():
        counts = [failures.counts.get(outcome, 0) for outcome in Outcome]
        rows.append(
            (
                run_name,
                run.model,
                failures.dataset,
                sum(counts),
                *counts,
                failures.score,
                failures.lenient,
                failures.compliance,
            )
        )
    return Table((*columns, "score", "recovered_score", "format_compliance"), tuple(rows))
