"""Tables in the terminal: whole outputs at four widths, and what must hold at every width."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from lm_eval_ja.cli import main
from lm_eval_ja.report import Field, Grid, as_latex, as_markdown
from lm_eval_ja.report._grid import fit
from tests.support import small_runs as s

GOLDEN = Path(__file__).parents[1] / "golden" / "terminal"
CATEGORIES = ["coding", "extraction", "humanities", "math", "reasoning", "roleplay", "stem", "writing"]
NAMES = ("さくら言語研究所/花吹雪-13b-指示調整版", "example-lab/hayate-70b-instruct", "明石/明石焼-7b")
WIDTHS = (80, 100, 120, 200)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Three models with Japanese names; the third in a table of its own."""
    folder = tmp_path_factory.mktemp("runs")
    for number, (name, score) in enumerate(zip(NAMES, (1.0, 0.75, 0.5), strict=True)):
        rating = 8.0 - number
        talks = [
            s.conversation(f"mtbench-{n}", own, ["あ", "い"], [rating, rating])
            for n, own in enumerate(CATEGORIES * 2)
        ]
        ratings = dict.fromkeys([*CATEGORIES, "score"], rating)
        tasks = [*s.whole_jaster({"jnli": score, "niilc": score}), s.mtbench(talks, ratings)]
        if number == 2:
            tasks = s.whole_jaster(n="10of100")
        s.write_run(folder / str(number), tasks, model=name)
    return folder


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("command", ["report", "compare"])
def test_whole_output(runs, capsys, monkeypatch, command, width):
    monkeypatch.setenv("COLUMNS", str(width))
    paths = [str(runs)] if command == "report" else [str(runs / "0"), str(runs / "1")]
    more = [] if command == "report" else ["--permutations", "50"]
    assert main([command, *paths, *more]) == 0
    out = "".join(f"{line.rstrip()}\n" for line in capsys.readouterr().out.splitlines())
    golden = GOLDEN / f"{command}-{width}.txt"
    if os.environ.get("LM_EVAL_JA_WRITE_GOLDEN") == "1":
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(out, encoding="utf-8")
    assert out == golden.read_text(encoding="utf-8")
    assert max(map(cell_len, out.splitlines())) <= width


@pytest.mark.parametrize("command", ["report", "compare"])
def test_every_number_is_printed_at_every_width(command):
    """The golden outputs themselves: what 200 columns show of the scores, 80 show too."""
    number = re.compile(r"[+-]?\d+\.\d{2,4}")
    outs = {width: (GOLDEN / f"{command}-{width}.txt").read_text(encoding="utf-8") for width in WIDTHS}
    for out in outs.values():
        assert sorted(number.findall(out)) == sorted(number.findall(outs[200]))


names = st.text(st.sampled_from("ab語/-ー"), min_size=1, max_size=60)
values = st.from_regex(r"[0-9]\.[0-9]{4}( \([0-9]\.[0-9]{4}–[0-9]\.[0-9]{4}\))?", fullmatch=True)


@given(
    st.lists(names, min_size=1, max_size=4, unique=True),
    st.lists(values, min_size=1, max_size=12),
    st.integers(60, 220),
)
def test_any_table_fits_and_keeps_its_numbers(rows, cells, width):
    fields = (
        Field("Model", "name"),
        *(Field(f"c{n}") for n in range(len(cells))),
        Field("Judge", "label", 1),
    )
    grid = Grid("t", (), fields, tuple((name, *cells, "judge-a") for name in rows))
    parts = fit(grid, width)
    shown = [field.header for part in parts for field in part.fields[1:] if field.header != "Judge"]
    assert shown == [f"c{n}" for n in range(len(cells))]
    for part in parts:
        for index, field in enumerate(part.fields[1:], 1):
            if field.header != "Judge":
                assert part.rows[0][index] == cells[int(field.header[1:])]


def test_what_goes_first():
    fields = (
        Field("Model", "name"),
        Field("Score"),
        Field("Shots", spare=1),
        Field("Judge", "label", 3),
        Field("Date", spare=2),
    )
    grid = Grid("t", (), fields, (("org/モデル", "0.1234", "0", "gpt-4-0613", "2026-11-01"),))
    left = [
        [field.header for field in fit(grid, width)[0].fields] + [fit(grid, width)[0].rows[0][0]]
        for width in (60, 40, 31, 25, 17)
    ]
    assert left == [
        ["Model", "Score", "Shots", "Judge", "Date", "org/モデル"],
        ["Model", "Score", "Shots", "Date", "org/モデル"],
        ["Model", "Score", "Shots", "org/モデル"],
        ["Model", "Score", "Shots", "org/モデル"],
        ["Model", "Score", "モデル"],
    ]
    assert fit(grid, 17)[0].notes == ("not shown for want of room: Judge, Date, Shots, organisation",)


def test_organisations_stay_where_names_would_be_equal():
    grid = Grid("t", (), (Field("Model", "name"), Field("Score")), (("a/m", "1.0000"), ("b/m", "0.5000")))
    assert [row[0] for row in fit(grid, 8)[0].rows] == ["a/m", "b/m"]


def test_publishing_formats_escape_what_they_would_act_upon():
    grid = Grid("100 %_a", ("n & m",), (Field("Model", "name"), Field("a|b")), (("x_{y}~\x9b\u202e", "1–2"),))
    latex, markdown = as_latex([grid]), as_markdown([grid])
    assert r"\caption{100 \%\_a}" in latex
    assert r"x\_\{y\}\textasciitilde{}\textbackslash{}x9b\textbackslash{}u202e & 1--2 \\" in latex
    assert r"| x\_\{y\}\~\\x9b\\u202e | 1–2 |" in markdown
    assert r"| Model | a\|b |" in markdown
