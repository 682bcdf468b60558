"""The report as one HTML file that loads nothing: styles, scripts, charting library and data are all in it.

Texts of the results are data. They are in JSON blocks whose markup characters are escaped, or in compressed blocks in
base64, and the page puts them into text nodes only. Its content security policy allows the two scripts and the one
style sheet by their hashes and nothing else: no network, no inline handlers, no markup from strings. The only results
in the markup itself are those of the ranking for readers without JavaScript, escaped here.
"""

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

from lm_eval_ja._unicode import visible
from lm_eval_ja.analysis import Analysis
from lm_eval_ja.errors import OptionError
from lm_eval_ja.report._grid import Grid
from lm_eval_ja.report._models import Facts
from lm_eval_ja.report._payload import make_payload
from lm_eval_ja.report._tables import report_tables

_SCRIPTS = (
    "strings.en",
    "strings.ja",
    "state",
    "base",
    "links",
    "export",
    "columns",
    "significance",
    "ranking",
    "selection",
    "charts",
    "plots",
    "failures",
    "search",
    "questions",
    "answers",
    "print",
    "main",
)
_STYLES = ("tables.css", "questions.css", "report.css", "print.css")  # what depends on the width comes late
_PLACE = re.compile(r"@(csp|style|static|core|blocks|echarts|app)@")


def write_html(analysis: Analysis, path: Path, facts: Mapping[str, Facts] | None = None) -> int:
    """Write a report.

    Args:
        analysis: What it shows.
        path: The file; its folder is made if need be.
        facts: What is known about the models, by the run's key.

    Returns:
        Size of the file in bytes.

    Raises:
        OptionError: The file can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            # Piece by piece: a page of many models is larger than what it takes to make it.
            return sum(file.write(part.encode("utf-8")) for part in _parts(analysis, facts or {}))
    except OSError as error:
        raise OptionError(f"{path} can't be written ({error}): choose another -o") from error


def _parts(analysis: Analysis, facts: Mapping[str, Facts]) -> Iterator[str]:
    payload = make_payload(analysis, facts)
    assets = resources.files("lm_eval_ja.report") / "assets"
    style = "\n".join((assets / name).read_text(encoding="utf-8") for name in _STYLES)
    own = "\n".join((assets / f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS)
    app = f'"use strict";\n(() => {{\n{own}\n}})();\n'
    library = resources.files("lm_eval_ja.report") / "vendor" / "echarts.min.js"
    echarts = library.read_text(encoding="utf-8")
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash(echarts)} {_hash(app)}",
            f"style-src {_hash(style)}",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types default",
        )
    )
    parts = {"csp": policy, "style": style, "echarts": echarts, "app": app}
    template = (assets / "template.html").read_text(encoding="utf-8")
    # Every other piece is the name of a place.
    for index, piece in enumerate(_PLACE.split(template)):
        if index % 2 == 0:
            yield piece
        elif piece == "static":
            yield from map(_static, report_tables(analysis))
        elif piece == "core":
            yield embed_json(payload.core)
        elif piece == "blocks":
            for name, block in payload.blocks:
                yield f'<script type="text/plain" id="texts-{name}">{_pack(block)}</script>\n'
        else:
            yield parts[piece]


def _static(grid: Grid) -> str:
    """A table for readers without JavaScript."""

    def row(tag: str, cells: tuple[str, ...]) -> str:
        first, *rest = (escape(visible(cell)) for cell in cells)
        scope = "col" if tag == "th" else "row"
        return (
            f'<tr><th scope="{scope}">{first}</th>{"".join(f"<{tag}>{cell}</{tag}>" for cell in rest)}</tr>'
        )

    notes = "".join(f"<p>{escape(visible(note))}</p>" for note in grid.notes)
    head = row("th", tuple(field.header for field in grid.fields))
    body = "".join(row("td", cells) for cells in grid.rows)
    return (
        f"<h2>{escape(visible(grid.title))}</h2>{notes}"
        f'<table class="plain"><thead>{head}</thead><tbody>{body}</tbody></table>\n'
    )


def embed_json(value: Any) -> str:
    r"""JSON that can stand in a script element: ASCII, without any character that markup knows.

    >>> print(embed_json({"a": "</script>\u2028\ud800"}))
    {"a":"\u003c/script\u003e\u2028\ud800"}
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _pack(block: Any) -> str:
    # Escapes only where needed: half the size of ASCII before compression. mtime=0 keeps the bytes reproducible.
    text = json.dumps(block, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    data = _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode("utf-8")
    return base64.b64encode(gzip.compress(data, compresslevel=_LEVEL, mtime=0)).decode("ascii")


_SURROGATE = re.compile("[\ud800-\udfff]")
_LEVEL = 6
"""Three times as fast as 9, for a page a few percent larger."""


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
