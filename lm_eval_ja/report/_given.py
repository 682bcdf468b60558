"""Scores computed from given ones, as text, CSV and JSON."""

import csv
import io
import json
import math
from collections.abc import Iterator, Sequence

from lm_eval_ja.analysis import GivenLine
from lm_eval_ja.protocols import Missing


def given_lines(lines: Sequence[GivenLine]) -> Iterator[str]:
    """One line per score: value, name indented by its depth, label, and what is missing."""
    width = max((2 * line.depth + len(line.name) for line in lines), default=0)
    for line in lines:
        missing = line.value if isinstance(line.value, Missing) else None
        value = f"{line.value:.10f}" if isinstance(line.value, float) else "-"
        note = f"  {missing}" if missing and not line.is_leaf else ""
        name = "  " * line.depth + line.name
        yield f"{value:>13}  {name:<{width}}  {line.label}{note}"


def given_csv(lines: Sequence[GivenLine]) -> str:
    """The columns name, label, score (unrounded, empty where missing) and missing."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("name", "label", "score", "missing"))
    for line in lines:
        missing = isinstance(line.value, Missing)
        writer.writerow((line.name, line.label, "" if missing else line.value, line.value if missing else ""))
    return text.getvalue()


def given_json(lines: Sequence[GivenLine]) -> str:
    """Label, score (null where missing or NaN), scale and what is missing, by name."""
    scores = {
        line.name: {
            "label": line.label,
            "score": line.value if isinstance(line.value, float) and math.isfinite(line.value) else None,
            "scale": line.scale,
            "missing": list(line.value.names) if isinstance(line.value, Missing) else [],
        }
        for line in lines
    }
    return json.dumps(scores, ensure_ascii=False, indent=2)
