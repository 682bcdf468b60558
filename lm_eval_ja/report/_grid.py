"""A table of texts, and its forms: terminal, Markdown, LaTeX.

The terminal is the narrow one. There a number is never cut: what can be spared goes first, then names lose their
organisation and are folded, and then the table is split.
"""

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from lm_eval_ja._unicode import visible

_WIDE = 200
"""Columns where there is no terminal, such as in a file."""
_TEXT = 28
_LEAST_TEXT = 8
_LEAST_NAME = 20


@dataclass(frozen=True)
class Field:
    """A column.

    Attributes:
        header: Its header.
        kind: ``name`` (folded where there is no room), ``number`` or ``label`` (shown whole) or ``text`` (cut).
        spare: Whether it may be left out for want of room: the highest goes first, 0 never.
    """

    header: str
    kind: Literal["name", "number", "label", "text"] = "number"
    spare: int = 0


@dataclass(frozen=True)
class Grid:
    """A table of texts. The first column holds names.

    Attributes:
        title: Its title.
        notes: Lines that belong above it.
        fields: The columns.
        rows: The cells, as they came: whoever shows them makes them harmless.
        sections: Rows after which a line is drawn.
        gap: Spaces between columns.
    """

    title: str
    notes: tuple[str, ...]
    fields: tuple[Field, ...]
    rows: tuple[tuple[str, ...], ...]
    sections: tuple[int, ...] = ()
    gap: int = 2


# ----------------------------------------------------------------------------------------------------- terminal


def terminal_width() -> int:
    """Columns to print in: the terminal's or, without one, those of ``COLUMNS``, or else plenty."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit():
        from rich.console import Console

        return Console().width
    return _WIDE


def print_grid(grid: Grid, width: int) -> None:
    """Print a table in that many columns."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=width, highlight=False)
    for note in grid.notes:
        console.print(Text(visible(note), style="dim"))
    for part in fit(grid, width):
        table = Table(
            title=Text(visible(part.title), style="bold"),
            title_justify="left",
            box=box.SIMPLE_HEAD,
            show_edge=False,
            padding=(0, part.gap - 1, 0, 0),  # one more is between all columns
            pad_edge=False,
        )
        widths = _widths(part, width)
        for field, own in zip(part.fields, widths, strict=True):
            table.add_column(
                Text(field.header),
                justify="right" if field.kind == "number" else "left",
                overflow="ellipsis" if field.kind == "text" else "fold",
                no_wrap=field.kind == "text",
                width=own,
            )
        for index, row in enumerate(part.rows):
            table.add_row(*(Text(visible(cell)) for cell in row), end_section=index in part.sections)
        console.print(table)
        for note in part.notes:
            console.print(Text(note, style="dim"))
        console.print()


def fit(grid: Grid, width: int) -> list[Grid]:
    """Make a table fit: the tables to print one below the other, with a note on what was left out.

    Args:
        grid: The table.
        width: Columns of the terminal.

    Returns:
        One table if it fits, more if its columns had to be split; each begins with the column of names.
    """
    grid = replace(grid, rows=tuple(tuple(map(visible, row)) for row in grid.rows))
    spared: list[str] = []
    while not _fits(grid, width):
        spare = max(range(len(grid.fields)), key=lambda index: grid.fields[index].spare)
        if not grid.fields[spare].spare:
            break
        spared.append(grid.fields[spare].header)
        grid = _columns(grid, [index for index in range(len(grid.fields)) if index != spare])
    if not _fits(grid, width) and (short := _without_organisations(grid)) is not None:
        grid = short
        spared.append("organisation")
    note = (f"not shown for want of room: {', '.join(spared)}",) if spared else ()
    if not _fits(grid, width, _LEAST_NAME):
        grid = replace(grid, gap=1)
    if _fits(grid, width, _LEAST_NAME):
        return [replace(grid, notes=note)]
    grid = replace(grid, gap=2)
    widths = _widths(grid, width)
    parts: list[list[int]] = [[]]
    for index in range(1, len(grid.fields)):
        taken = _total(grid, [widths[other] for other in (0, *parts[-1], index)])
        if parts[-1] and taken > width:
            parts.append([])
        parts[-1].append(index)
    split = [_columns(grid, [0, *part]) for part in parts]
    return [
        replace(part, title=part.title if not index else "", notes=note if index == len(split) - 1 else ())
        for index, part in enumerate(split)
    ]


def _columns(grid: Grid, kept: Sequence[int]) -> Grid:
    return replace(
        grid,
        fields=tuple(grid.fields[index] for index in kept),
        rows=tuple(tuple(row[index] for index in kept) for row in grid.rows),
    )


def _without_organisations(grid: Grid) -> Grid | None:
    """The table with the last part of every name, where that still tells the rows apart."""
    if grid.fields[0].kind != "name":
        return None
    names = [row[0].rstrip("/").rsplit("/", 1)[-1] for row in grid.rows]
    if len(set(names)) < len({row[0] for row in grid.rows}) or names == [row[0] for row in grid.rows]:
        return None
    return replace(grid, rows=tuple((name, *row[1:]) for name, row in zip(names, grid.rows, strict=True)))


def _natural(grid: Grid) -> list[int]:
    from rich.cells import cell_len

    widths = []
    for index, field in enumerate(grid.fields):
        cells = [cell_len(row[index]) for row in grid.rows]
        header = max(map(cell_len, field.header.split(" ")))  # a header is folded between words
        widest = max([header, *cells])
        widths.append(min(widest, max(_TEXT, header)) if field.kind == "text" else widest)
    return widths


def _total(grid: Grid, widths: Sequence[int]) -> int:
    return sum(widths) + grid.gap * (len(widths) - 1)


def _fits(grid: Grid, width: int, name: int | None = None) -> bool:
    """Whether all columns fit, texts cut as far as may be, and names folded to that width."""
    widths = [
        min(own, _LEAST_TEXT) if field.kind == "text" else own
        for field, own in zip(grid.fields, _natural(grid), strict=True)
    ]
    if name is not None and grid.fields[0].kind == "name":
        widths[0] = min(widths[0], name)
    return _total(grid, widths) <= width


def _widths(grid: Grid, width: int) -> list[int]:
    """Widths of the columns: the names give way first, then the texts, the widest first."""
    widths = _natural(grid)
    texts = [index for index, field in enumerate(grid.fields) if field.kind == "text"]
    if grid.fields[0].kind == "name":
        others = _total(grid, [0, *(own for index, own in enumerate(widths) if index and index not in texts)])
        others += len(texts) * _LEAST_TEXT
        widths[0] = min(widths[0], max(_LEAST_NAME, width - others))
    while _total(grid, widths) > width and any(widths[index] > _LEAST_TEXT for index in texts):
        widest = max(texts, key=lambda index: widths[index])
        widths[widest] -= 1
    return widths


# ------------------------------------------------------------------------------------------- publishing formats


def as_markdown(grids: Iterable[Grid], longest: int | None = None) -> str:
    """Tables in Markdown.

    Args:
        grids: The tables.
        longest: Characters after which texts are cut; None for whole texts.
    """
    lines: list[str] = []
    for grid in grids:
        rule = [":--", *("--:" if field.kind == "number" else ":--" for field in grid.fields[1:])]
        lines += [*([""] if lines else []), f"### {escape_markdown(grid.title)}", ""]
        lines += [*(f"- {escape_markdown(note)}" for note in grid.notes), *([""] if grid.notes else [])]
        lines += [_line(escape_markdown(field.header) for field in grid.fields), _line(rule)]
        lines += [_line(_markdown_cell(cell, longest) for cell in row) for row in grid.rows]
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown_cell(text: str, longest: int | None) -> str:
    shown = visible(text)
    indent = len(shown) - len(shown.lstrip(" "))
    shown = shown.strip(" ")
    if longest is not None and len(shown) > longest:
        shown = f"{shown[: longest - 1]}…"
    return "&nbsp;" * indent + escape_markdown(shown)


def escape_markdown(text: str) -> str:
    """Escape what Markdown, or HTML in it, would act upon."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|~!&" else c for c in visible(text))


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "–": "--",
    **{c: f"\\{c}" for c in "&%$#_{}"},
}


def as_latex(grids: Iterable[Grid]) -> str:
    r"""Tables in LaTeX, for ``\usepackage{booktabs}``; Japanese names need LuaLaTeX or upLaTeX."""
    lines: list[str] = []
    for grid in grids:
        form = "".join("r" if field.kind == "number" else "l" for field in grid.fields)
        lines += [*([""] if lines else []), r"\begin{table}", r"\centering"]
        lines += [f"% {visible(note)}" for note in grid.notes]
        lines += [f"\\caption{{{_latex(grid.title)}}}", f"\\begin{{tabular}}{{{form}}}", r"\toprule"]
        lines += [_latex_row(field.header for field in grid.fields), r"\midrule"]
        for index, row in enumerate(grid.rows):
            lines.append(_latex_row(row))
            lines += [r"\midrule"] if index in grid.sections else []
        lines += [r"\bottomrule", r"\end{tabular}", r"\end{table}"]
    return "\n".join(lines)


def _latex_row(cells: Iterable[str]) -> str:
    return " & ".join(map(_latex, cells)) + r" \\"


def _latex(text: str) -> str:
    return "".join(_LATEX.get(c, c) for c in visible(text).strip(" "))
