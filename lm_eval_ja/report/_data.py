"""The report's numbers as data, unrounded, for programs and spreadsheets: CSV and JSON."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from typing import Any

from lm_eval_ja._unicode import visible
from lm_eval_ja.analysis import (
    Analysis,
    Efficiency,
    Leaderboard,
    SamplingError,
    SeedSpread,
    failed_parts,
    present_mean,
)
from lm_eval_ja.metrics import METRICS
from lm_eval_ja.protocols import Missing, Score, find_rules
from lm_eval_ja.report._models import Facts
from lm_eval_ja.results import Run

TURNS = ("turn_1", "turn_2")
"""Values of a task of conversations: the mean rating of each turn."""


def as_csv(analysis: Analysis, facts: Mapping[str, Facts] | None = None) -> str:
    """One line per run and leaderboard: settings, signature, rank, and every score with interval and error, unrounded.

    The standard error is the one that the harness reports; with its interval a score has the bootstrap's, too.
    """
    rows: list[dict[str, Any]] = []
    for index, leaderboard in enumerate(analysis.leaderboards, 1):
        for row in leaderboard.rows:
            own = analysis.intervals.get(row.run.key)
            place = own.ranks.get(leaderboard.primary) if own else None
            line = {"table": index, "protocol": leaderboard.protocol, "model": row.run.key}
            line |= {"rank": row.rank, "rank_low": place and place.low, "rank_high": place and place.high}
            line |= _facts(row.run) | _model_facts((facts or {}).get(row.run.key))
            for column in leaderboard.columns:
                score = row.scores[column.name]
                interval = own.scores.get(column.name) if own else None
                line[column.name] = score.value if isinstance(score, Score) else None
                line[f"{column.name}_stderr"] = score.stderr if isinstance(score, Score) else None
                if (spread := analysis.spread.get(row.run.key, {}).get(column.name)) is not None:
                    line[f"{column.name}_sd"] = spread.deviation
                    line[f"{column.name}_runs"] = len(spread.values)
                if (error := analysis.sampling.get(row.run.key, {}).get(column.name)) is not None:
                    line[f"{column.name}_stderr_questions"] = error.questions
                    line[f"{column.name}_stderr_sampling"] = error.sampling
                    line |= {f"{column.name}_{name}": value for name, value in error.further.items()}
                if column.level != "dataset":
                    line[f"{column.name}_low"] = interval.low if interval else None
                    line[f"{column.name}_high"] = interval.high if interval else None
            for task in row.run.tasks.values():
                line |= {f"{task.task}_{turn}": task.values[turn] for turn in TURNS if turn in task.values}
            line |= _of_form(row.run)
            if mean := present_mean(leaderboard, row):
                line |= {"mean_of_present": mean.value, "categories_present": " ".join(mean.labels)}
            line["statuses"] = "; ".join(
                f"{name}={task.status}" for name, task in row.run.tasks.items() if task.status
            )
            line["signature"] = signature_digest(row.run)
            line["signatures"] = "; ".join(f"{t.task}={t.signature_text}" for t in row.run.tasks.values())
            rows.append({name: _cell(value) for name, value in line.items()})
    headers = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, headers, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def signature_digest(run: Run) -> str:
    """Eight digits that are equal where all signatures are."""
    text = "\n".join(
        f"{task.task} {task.signature_text}"
        for task in sorted(run.tasks.values(), key=lambda task: task.task)
    )
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _cell(value: Any) -> Any:
    """A value that no spreadsheet takes for a formula."""
    if not isinstance(value, str):
        return value
    shown = visible(value)
    return f"'{shown}" if shown.startswith(("=", "+", "-", "@")) else shown


def _of_form(run: Run) -> dict[str, float]:
    """Shares of answers in, or out of, the form asked for, where the task computes them (``in_form``, ``ool``)."""
    return {
        f"{task.task}_{metric}": value
        for task in run.tasks.values()
        for metric, value in task.values.items()
        if metric in METRICS and METRICS[metric].of_form is not None
    }


def _facts(run: Run) -> dict[str, Any]:
    return {
        "backend": run.backend,
        "shots": " ".join(map(str, run.shots)),
        "judge": run.judge or "",
        "chat_template": run.chat_template,
        "answers": run.asked,
        **({"repeats": run.repeats} if run.repeats > 1 else {}),
        **({"seeds": "; ".join(member.seed for member in run.members)} if run.members else {}),
        "seconds": "" if run.seconds is None else run.seconds,
        "date": run.date.isoformat() if run.date else "",
    }


def _model_facts(facts: Facts | None) -> dict[str, Any]:
    if facts is None:
        return {}
    return {**asdict(facts), "labels": " ".join(facts.labels)}


def as_json(analysis: Analysis, facts: Mapping[str, Facts] | None = None) -> str:
    """Everything that was computed, without the questions. Characters that a terminal would obey are escaped."""
    text = json.dumps(
        {
            "resamples": analysis.resamples,
            "seed": analysis.seed,
            "problems": [
                {"kind": p.kind, "path": str(p.path), "text": p.text} for p in analysis.runs.problems
            ],
            "leaderboards": [
                _leaderboard_data(leaderboard, analysis) for leaderboard in analysis.leaderboards
            ],
            "runs": {
                run.key: _run_data(run, analysis) | _model_facts((facts or {}).get(run.key))
                for run in analysis.runs.runs
            },
        },
        ensure_ascii=False,
        allow_nan=False,
        indent=2,
    )
    return printable_json(text)


def printable_json(text: str) -> str:
    r"""JSON with everything escaped that a terminal would obey rather than print.

    >>> print(printable_json('["\u202e \x9b 名前"]'))
    ["\u202e \u009b 名前"]
    """
    return "".join(c if c.isprintable() or c in "\n\u3000" else json.dumps(c)[1:-1] for c in text)


def _leaderboard_data(leaderboard: Leaderboard, analysis: Analysis) -> dict[str, Any]:
    rows = []
    for row in leaderboard.rows:
        own = analysis.intervals.get(row.run.key)
        scores: dict[str, Any] = {}
        for name, score in row.scores.items():
            interval = own.scores.get(name) if own else None
            if isinstance(score, Missing):
                scores[name] = {"value": None, "missing": list(score.names)}
                continue
            scores[name] = {"value": score.value, "stderr": score.stderr}
            if (spread := analysis.spread.get(row.run.key, {}).get(name)) is not None:
                scores[name] |= {"sd": spread.deviation, "runs": len(spread.values)}
            scores[name] |= {"low": interval.low, "high": interval.high} if interval else {}
        place = own.ranks.get(leaderboard.primary) if own else None
        ranked: dict[str, Any] = {"rank": row.rank} | (
            {"rank_low": place.low, "rank_high": place.high} if place else {}
        )
        if mean := present_mean(leaderboard, row):
            ranked["mean_of_present"] = {"value": mean.value, "categories": list(mean.labels)}
        rows.append({"run": row.run.key, **ranked, "scores": scores})
    return {
        "protocol": leaderboard.protocol,
        "title": leaderboard.title,
        "sample": leaderboard.is_sample,
        "primary": leaderboard.primary,
        "settings": dict(leaderboard.settings),
        "differences": [
            {"setting": d.setting, "here": d.here, "there": d.there, "tasks": d.tasks}
            for d in leaderboard.differences
        ],
        "columns": {
            column.name: {
                "label": column.label,
                "level": column.level,
                "scale": column.scale,
                **({"status": rules.status} if (rules := find_rules(column.name)) else {}),
            }
            for column in leaderboard.columns
        },
        "rows": rows,
    }


def _run_data(run: Run, analysis: Analysis) -> dict[str, Any]:
    tokens = analysis.tokens.get(run.key)
    return {
        "model": run.model,
        **_facts(run),
        "files": [str(file) for file in run.files],
        "signatures": {task.task: task.signature_text for task in run.tasks.values()},
        "statuses": {task.task: task.status for task in run.tasks.values() if task.status},
        "of_form": _of_form(run),
        "instructions_not_followed": {
            name: {"failed": wrong, "of": total}
            for task in run.tasks.values()
            for name, (wrong, total) in failed_parts(task).items()
        },
        "recovered": dict(analysis.lenient.get(run.key, {})),
        "failures": {
            name: {
                "counts": {outcome.value: count for outcome, count in own.counts.items()},
                "score": own.score,
                "recovered": own.lenient,
                "form_kept": own.compliance,
                "gold_answers_over_limit": own.long_golds,
            }
            for name, own in analysis.failures.get(run.key, {}).items()
        },
        **(
            {"members": [_member_data(member, analysis.spread[run.key]) for member in run.members]}
            if run.members
            else {}
        ),
        **(
            {"sampling": {name: _sampling_data(own) for name, own in sampling.items()}}
            if (sampling := analysis.sampling.get(run.key))
            else {}
        ),
        "characters_per_token": tokens.total if isinstance(tokens, Efficiency) else None,
    }


def _member_data(member: Run, spread: Mapping[str, SeedSpread]) -> dict[str, Any]:
    return {
        "seed": member.seed,
        "date": member.date.isoformat() if member.date else "",
        "files": [str(file) for file in member.files],
        "scores": {
            name: values[member.seed]
            for name, own in spread.items()
            if member.seed in (values := dict(own.values))
        },
    }


def _sampling_data(error: SamplingError) -> dict[str, Any]:
    return {
        "score": error.score,
        "repeats": error.repeats,
        "stderr": error.total,
        "stderr_questions": error.questions,
        "stderr_sampling": error.sampling,
        "increase": error.increase,
        **error.further,
    }
