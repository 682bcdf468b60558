"""The report's tables as plain values, for the terminal, Markdown and LaTeX."""

from collections.abc import Sequence

from lm_eval_ja.analysis import (
    RANKED,
    Analysis,
    Column,
    Leaderboard,
    Row,
    failed_parts,
    present_mean,
)
from lm_eval_ja.protocols import Missing, Score, load_protocol
from lm_eval_ja.report._differences import in_words
from lm_eval_ja.report._grid import Field, Grid
from lm_eval_ja.report._status import status_note
from lm_eval_ja.results import Run


def report_tables(analysis: Analysis) -> list[Grid]:
    """Ranking and, level by level, the other scores of every leaderboard."""
    tables: list[Grid] = []
    for leaderboard in analysis.leaderboards:
        title = leaderboard.title + (f", table {leaderboard.number}" if leaderboard.number > 1 else "")
        notes = (
            _settings(leaderboard),
            status_note(leaderboard),
            _sample(leaderboard),
            *_differences(leaderboard),
            *(
                f"{row.run.key}: {mean}"
                for row in leaderboard.rows
                if (mean := present_mean(leaderboard, row))
            ),
        )
        tables.append(_ranking(leaderboard, analysis, title, tuple(note for note in notes if note)))
        categories = [column for column in leaderboard.columns if column.level == "category"]
        for scale in sorted({column.scale for column in categories}):
            columns = [column for column in categories if column.scale == scale]
            kind = "categories" if scale == 1 else f"categories, out of {scale:g}"
            tables.append(_scores(leaderboard, columns, f"{title}: {kind}"))
        tables += _instructions(leaderboard, title)
        if any(row.run.members for row in leaderboard.rows):
            tables.append(_by_seed(leaderboard, analysis, f"{title}: runs by seed"))
        if any(row.run.key in analysis.sampling for row in leaderboard.rows):
            tables.append(_sampling(leaderboard, analysis, f"{title}: several samples"))
    return tables


def number(value: float, scale: float) -> str:
    """A score as the published tables show it: four decimals, on larger scales than 1 two."""
    return f"{value:.4f}" if scale <= 1 else f"{value:.2f}"


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


# -------------------------------------------------------------------------------------------------- leaderboards


def _ranking(leaderboard: Leaderboard, analysis: Analysis, title: str, notes: tuple[str, ...]) -> Grid:
    columns = [
        column
        for column in leaderboard.columns
        if column.level in RANKED or column.name == leaderboard.primary
    ]
    judged = any(row.run.judge for row in leaderboard.rows)
    several = any(row.run.members for row in leaderboard.rows)
    rows = []
    for row in leaderboard.rows:
        cells = [row.run.key, *([str(len(row.run.members) or 1)] if several else [])]
        cells += [_rank(row, leaderboard, analysis)]
        cells += [_with_interval(row, column, analysis) for column in columns]
        cells += [str(row.run.asked), ", ".join(map(str, row.run.shots)) or "0"]
        cells += [row.run.judge or "–"] if judged else []
        cells += [duration(row.run.seconds), f"{row.run.date:%Y-%m-%d}" if row.run.date else "–"]
        rows.append(tuple(cells))
    fields = [Field("Model", "name"), *([Field("Runs")] if several else []), Field("#")]
    fields += [Field(column.label) for column in columns]
    fields += [Field("Answers"), Field("Shots", spare=1)]
    fields += [Field("Judge", "label", spare=3)] if judged else []
    fields += [Field("Time"), Field("Date", spare=2)]
    return Grid(title, notes, tuple(fields), tuple(rows))


def _scores(leaderboard: Leaderboard, columns: Sequence[Column], title: str) -> Grid:
    rows = tuple(
        (row.run.key, *(_score(row.scores[column.name], column.scale) for column in columns))
        for row in leaderboard.rows
    )
    return Grid(title, (), (Field("Model", "name"), *(Field(column.label) for column in columns)), rows)


def _instructions(leaderboard: Leaderboard, title: str) -> list[Grid]:
    """M-IFEval: which share of the instructions of each kind is not followed, and how many of how many."""
    rows = {row.run.key: _failed_kinds(row.run) for row in leaderboard.rows}
    kinds = sorted({kind for failed in rows.values() for kind in failed})
    if (
        not kinds or load_protocol(leaderboard.protocol).instructions is None
    ):  # once, not in every tree it is a leaf of
        return []
    cells = [(key, *(_share(failed.get(kind)) for kind in kinds)) for key, failed in rows.items()]
    fields = (Field("Model", "name"), *(Field(kind.replace("_", " ")) for kind in kinds))
    return [Grid(f"{title}: instructions not followed", (), fields, tuple(cells))]


def _share(failed: tuple[int, int] | None) -> str:
    return f"{failed[0] / failed[1]:.2f} ({failed[0]}/{failed[1]})" if failed else "–"


def _failed_kinds(run: Run) -> dict[str, tuple[int, int]]:
    """The same by kind, the middle of an instruction's id (``ja:KIND:name``)."""
    kinds: dict[str, tuple[int, int]] = {}
    for task in run.tasks.values():
        for name, (wrong, total) in failed_parts(task).items():
            kind = name.split(":")[1] if name.count(":") > 1 else name
            before = kinds.get(kind, (0, 0))
            kinds[kind] = before[0] + wrong, before[1] + total
    return kinds


def _by_seed(leaderboard: Leaderboard, analysis: Analysis, title: str) -> Grid:
    """The runs behind every joined row, their mean and their standard deviation."""
    columns = [column for column in leaderboard.columns if column.level != "dataset"]
    columns = [column for column in columns if _any_spread(leaderboard, analysis, column)] or [
        column for column in leaderboard.columns if _any_spread(leaderboard, analysis, column)
    ]
    rows: list[tuple[str, ...]] = []
    sections = []
    for row in leaderboard.rows:
        spread = analysis.spread.get(row.run.key)
        if spread is None:
            continue
        found = [(column, spread.get(column.name)) for column in columns]
        for member in row.run.members:
            values = [
                (column, dict(own.values).get(member.seed) if own is not None else None)
                for column, own in found
            ]
            rows.append((row.run.key, member.seed, *(_optional(value, c.scale) for c, value in values)))
        means = (_optional(own.mean if own else None, column.scale) for column, own in found)
        rows.append((row.run.key, "mean", *means))
        deviations = (_optional(own.deviation if own else None, column.scale) for column, own in found)
        rows.append((row.run.key, "± sd", *deviations))
        sections.append(len(rows) - 1)
    fields = [Field("Model", "name"), Field("Seed", "label"), *(Field(column.label) for column in columns)]
    note = "± in the ranking is the standard deviation over the runs of a row, which differ only in the seed."
    return Grid(title, (note,), tuple(fields), tuple(rows), tuple(sections[:-1]))


def _any_spread(leaderboard: Leaderboard, analysis: Analysis, column: Column) -> bool:
    return any(column.name in analysis.spread.get(row.run.key, {}) for row in leaderboard.rows)


def _sampling(leaderboard: Leaderboard, analysis: Analysis, title: str) -> Grid:
    """Scores from several samples with their standard errors, whose part of them is which, and what to increase."""
    rows: list[tuple[str, ...]] = []
    sections = []
    for row in leaderboard.rows:
        own = analysis.sampling.get(row.run.key, {})
        for column in leaderboard.columns:
            error = own.get(column.name)
            if error is None:
                continue
            best = max((name for name in error.further if name.startswith("pass@")), key=_k, default="")
            share = error.sampling**2 / error.total**2 if error.total else 0.0
            errors = (error.total, error.questions, error.sampling)
            cells = [row.run.key, column.label, str(error.repeats), number(error.score, column.scale)]
            cells += [number(value, column.scale) for value in errors]
            cells += [f"{share:.0%}", error.increase if error.total else "–"]
            cells += [number(error.with_twice(what), column.scale) for what in ("repeats", "questions")]
            cells += [_optional(error.further.get("majority"), column.scale)]
            cells += [f"{number(error.further[best], column.scale)} ({_k(best)})" if best else "–"]
            rows.append(tuple(cells))
        sections.append(len(rows) - 1)
    fields = [Field("Model", "name"), Field("Score", "label"), Field("n"), Field("avg@n"), Field("±")]
    fields += [Field("questions"), Field("sampling"), Field("share", spare=2), Field("Increase", "label")]
    fields += [
        Field("± 2x repeats", spare=1),
        Field("± 2x questions", spare=1),
        Field("majority"),
        Field("pass@k"),
    ]
    note = (
        "± is the standard error: the root of the squares of its parts, of the questions and of sampling. Twice the "
        "repeats halve the square of the second, twice the questions those of both."
    )
    return Grid(title, (note,), tuple(fields), tuple(rows), tuple(sections[:-1]))


def _k(name: str) -> int:
    return int(name.rpartition("@")[2])


def _optional(value: float | None, scale: float) -> str:
    return "–" if value is None else number(value, scale)


def _score(score: Score | Missing, scale: float) -> str:
    return number(score.value, scale) if isinstance(score, Score) else "–"


def _with_interval(row: Row, column: Column, analysis: Analysis) -> str:
    score = row.scores[column.name]
    if isinstance(score, Missing):
        return "–" if len(score.names) == score.total else f"– ({score})"
    own = analysis.intervals.get(row.run.key)
    interval = own.scores.get(column.name) if own else None
    text = number(score.value, column.scale)
    spread = analysis.spread.get(row.run.key, {}).get(column.name)
    if spread is not None and spread.deviation is not None:
        text += f" ±{number(spread.deviation, column.scale)}"
    if interval is None:
        return text
    low, high = number(interval.low, column.scale), number(interval.high, column.scale)
    return f"{text} ({low}–{high})"


def _rank(row: Row, leaderboard: Leaderboard, analysis: Analysis) -> str:
    if row.rank is None:
        return "–"
    own = analysis.intervals.get(row.run.key)
    place = own.ranks.get(leaderboard.primary) if own else None
    return f"{row.rank} ({place.low}–{place.high})" if place else str(row.rank)


def _settings(leaderboard: Leaderboard) -> str:
    return ", ".join(
        f"{name} {value}" for name, value in leaderboard.settings.items() if name != "task_version"
    )


def _sample(leaderboard: Leaderboard) -> str:
    return "sample, not a benchmark: the questions are made up" if leaderboard.is_sample else ""


def _differences(leaderboard: Leaderboard) -> list[str]:
    return [f"not comparable with table 1: {in_words(one)}" for one in leaderboard.differences]
