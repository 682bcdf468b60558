"""The report's tables as plain values, for the terminal, Markdown, CSV and JSON."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lm_eval_ja.analysis import Analysis, Column, Efficiency, Leaderboard, Row
from lm_eval_ja.protocols import Missing, Score
from lm_eval_ja.results import Run

_RATING = 10.0


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes:
        title: Its title.
        notes: Lines that belong above it.
        headers: Column headers; the first column holds names.
        rows: The cells.
    """

    title: str
    notes: tuple[str, ...]
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def report_tables(analysis: Analysis) -> list[Table]:
    """Ranking and category tables of every leaderboard."""
    tables: list[Table] = []
    for leaderboard in analysis.leaderboards:
        title = leaderboard.title + (f", table {leaderboard.number}" if leaderboard.number > 1 else "")
        notes = [
            note
            for note in (_settings(leaderboard), _sample(leaderboard), *_differences(leaderboard))
            if note
        ]
        tables.append(_ranking(leaderboard, analysis, title, tuple(notes)))
        categories = [column for column in leaderboard.columns if column.level == "category"]
        for scale in sorted({column.scale for column in categories}):
            columns = [column for column in categories if column.scale == scale]
            tables.append(
                _scores(leaderboard, columns, f"{title}: {'ratings' if scale == _RATING else 'categories'}")
            )
    return tables


def number(value: float, scale: float) -> str:
    """A score as the published tables show it: four decimals, ratings two."""
    return f"{value:.2f}" if scale == _RATING else f"{value:.4f}"


def duration(seconds: float | None) -> str:
    """A run time in a few characters.

    >>> duration(42.4), duration(754), duration(7260), duration(None)
    ('42 s', '13 min', '2 h 01', '–')
    """
    if seconds is None:
        return "–"
    if seconds < 60:  # noqa: PLR2004
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d}"  # noqa: PLR2004


def visible(text: str) -> str:
    """A text of the results on one line, with control characters (escape sequences, bidi marks) made visible."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


# -------------------------------------------------------------------------------------------------- leaderboards


def _ranking(leaderboard: Leaderboard, analysis: Analysis, title: str, notes: tuple[str, ...]) -> Table:
    columns = [column for column in leaderboard.columns if column.level in ("overall", "average")]
    judged = any(row.run.judge for row in leaderboard.rows)
    rows = []
    for row in leaderboard.rows:
        cells = [visible(row.run.key), _rank(row, leaderboard, analysis)]
        cells += [_with_interval(row, column, analysis) for column in columns]
        cells += [str(row.run.asked), ", ".join(map(str, row.run.shots)) or "0"]
        cells += [visible(row.run.judge or "–")] if judged else []
        cells += [duration(row.run.seconds), f"{row.run.date:%Y-%m-%d}" if row.run.date else "–"]
        rows.append(tuple(cells))
    headers = ("Model", "#", *(column.label for column in columns), "Answers", "Shots")
    headers += ("Judge",) if judged else ()
    return Table(title, notes, (*headers, "Time", "Date"), tuple(rows))


def _scores(leaderboard: Leaderboard, columns: Sequence[Column], title: str) -> Table:
    rows = [
        (visible(row.run.key), *(_score(row.scores[column.name], column.scale) for column in columns))
        for row in leaderboard.rows
    ]
    return Table(title, (), ("Model", *(column.label for column in columns)), tuple(rows))


def _score(score: Score | Missing, scale: float) -> str:
    return number(score.value, scale) if isinstance(score, Score) else "–"


def _with_interval(row: Row, column: Column, analysis: Analysis) -> str:
    score = row.scores[column.name]
    if isinstance(score, Missing):
        return "–" if len(score.names) == score.total else f"– ({', '.join(score.names)} missing)"
    own = analysis.intervals.get(row.run.key)
    interval = own.scores.get(column.name) if own else None
    if interval is None:
        return number(score.value, column.scale)
    low, high = number(interval.low, column.scale), number(interval.high, column.scale)
    return f"{number(score.value, column.scale)} ({low}–{high})"


def _rank(row: Row, leaderboard: Leaderboard, analysis: Analysis) -> str:
    if row.rank is None:
        return "–"
    own = analysis.intervals.get(row.run.key)
    place = own.ranks.get(leaderboard.primary) if own else None
    return f"{row.rank} ({place.low}–{place.high})" if place else str(row.rank)


def _settings(leaderboard: Leaderboard) -> str:
    return ", ".join(
        f"{name} {visible(value)}" for name, value in leaderboard.settings.items() if name != "task_version"
    )


def _sample(leaderboard: Leaderboard) -> str:
    return "sample, not a benchmark: the questions are made up" if leaderboard.is_sample else ""


def _differences(leaderboard: Leaderboard) -> list[str]:
    return [
        f"not comparable with the first table: {d.setting} is {visible(d.here)} instead of {visible(d.there)}"
        + (f" (in {d.tasks} tasks)" if d.tasks > 1 else "")
        for d in leaderboard.differences
    ]


# ------------------------------------------------------------------------------------------- other formats


def as_markdown(analysis: Analysis) -> str:
    """All tables in Markdown."""
    lines: list[str] = []
    for table in report_tables(analysis):
        lines += ["", f"### {table.title}", ""] if lines else [f"### {table.title}", ""]
        lines += [*(f"- {_escaped(note)}" for note in table.notes), *([""] if table.notes else [])]
        lines += [_line(table.headers), _line((":--", *["--:"] * (len(table.headers) - 1)))]
        lines += [_line(map(_escaped, row)) for row in table.rows]
    return "\n".join(lines)


def _line(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    return "".join(f"\\{c}" if c in "\\`*_[]|#<>!" else c for c in text)


def as_csv(analysis: Analysis) -> str:
    """One line per run and leaderboard: settings, rank, and every score with its interval, unrounded."""
    rows: list[dict[str, Any]] = []
    for index, leaderboard in enumerate(analysis.leaderboards, 1):
        for row in leaderboard.rows:
            own = analysis.intervals.get(row.run.key)
            place = own.ranks.get(leaderboard.primary) if own else None
            line = {"table": index, "protocol": leaderboard.protocol, "model": _spreadsheet_safe(row.run.key)}
            line |= {"rank": row.rank, "rank_low": place and place.low, "rank_high": place and place.high}
            line |= {name: _spreadsheet_safe(str(value)) for name, value in _facts(row.run).items()}
            for column in leaderboard.columns:
                score = row.scores[column.name]
                interval = own.scores.get(column.name) if own else None
                line[column.name] = score.value if isinstance(score, Score) else None
                if column.level != "dataset":
                    line[f"{column.name}_low"] = interval.low if interval else None
                    line[f"{column.name}_high"] = interval.high if interval else None
            rows.append(line)
    headers = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, headers, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _spreadsheet_safe(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    shown = visible(text)
    return f"'{shown}" if shown.startswith(("=", "+", "-", "@")) else shown


def _facts(run: Run) -> Mapping[str, Any]:
    return {
        "backend": run.backend,
        "shots": " ".join(map(str, run.shots)),
        "judge": run.judge or "",
        "chat_template": run.chat_template,
        "answers": run.asked,
        "seconds": "" if run.seconds is None else run.seconds,
        "date": run.date.isoformat() if run.date else "",
    }


def as_json(analysis: Analysis) -> str:
    """Everything that was computed, without the questions."""
    return json.dumps(
        {
            "resamples": analysis.resamples,
            "seed": analysis.seed,
            "problems": [
                {"kind": p.kind, "path": str(p.path), "text": p.text} for p in analysis.runs.problems
            ],
            "leaderboards": [
                _leaderboard_data(leaderboard, analysis) for leaderboard in analysis.leaderboards
            ],
            "runs": {run.key: _run_data(run, analysis) for run in analysis.runs.runs},
        },
        ensure_ascii=False,
        allow_nan=False,
        indent=2,
    )


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
            scores[name] |= {"low": interval.low, "high": interval.high} if interval else {}
        place = own.ranks.get(leaderboard.primary) if own else None
        ranked = {"rank": row.rank} | ({"rank_low": place.low, "rank_high": place.high} if place else {})
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
            column.name: {"label": column.label, "level": column.level, "scale": column.scale}
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
        "recovered": dict(analysis.recovered.get(run.key, {})),
        "failures": {
            name: {
                "counts": {outcome.value: count for outcome, count in own.counts.items()},
                "score": own.score,
                "recovered": own.recovered,
                "form_kept": own.compliance,
            }
            for name, own in analysis.failures.get(run.key, {}).items()
        },
        "characters_per_token": tokens.total if isinstance(tokens, Efficiency) else None,
    }
