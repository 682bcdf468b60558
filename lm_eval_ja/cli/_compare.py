"""``lm-eval-ja compare``."""

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from lm_eval_ja._unicode import visible
from lm_eval_ja.errors import OptionError

if TYPE_CHECKING:
    from lm_eval_ja.analysis import Change, Comparison, Difference
    from lm_eval_ja.report import Grid
    from lm_eval_ja.results import Question, Run

_DESCRIPTION = """\
Compare two runs on the questions that both have answered: how far apart they are in every score, how sure that is,
and which questions made the difference. Both runs need samples (lm_eval ... --output_path out --log_samples).

  lm-eval-ja compare out/model-a out/model-b
  lm-eval-ja compare out/m/results_2026-01-01T00-00-00.json out/m/results_2026-02-01T00-00-00.json --markdown

All differences are B - A: positive means that B is better. Intervals hold for 95 of 100 such draws of questions,
through the macro average. p is two-sided, from swapping the two answers to each
question at random; p (Holm) holds for all scores of a level (averages, categories, datasets) together, and is the one
to go by when looking for a difference somewhere."""

_EPILOG = """\
Runs of different protocols or data are refused; different settings (shots, prompts, judge, ...) are compared and noted.
docs: https://github.com/lm-eval-ja/lm-eval-ja/tree/main/docs/comparing.md"""

_ALL = -1
_LESS_LIKELY_THAN = 0.05
_LONGEST = 56
_PROBLEMS = ("truncated", "unreadable", "duplicate", "nan", "older")
_KINDS = {
    "right_to_wrong": "right → wrong",
    "wrong_to_right": "wrong → right",
    "worse": "worse",
    "better": "better",
}
_INDENT = {"overall": "", "average": "", "category": "  ", "dataset": "    "}


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "compare",
        help="compare two runs question by question, with intervals and p-values",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "a", metavar="A", help="the first run: its folder under --output_path, or a results file"
    )
    parser.add_argument("b", metavar="B", help="the second run")
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--json", action="store_true", help="print everything as JSON, every changed question included"
    )
    form.add_argument("--markdown", action="store_true", help="print Markdown tables")
    parser.add_argument(
        "--changes",
        type=int,
        default=10,
        metavar="N",
        help=f"changed questions to list in each table (default: 10; {_ALL}: all)",
    )
    parser.add_argument(
        "--permutations", type=int, default=10_000, metavar="N", help="permutations (default: 10000)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of the permutations (default: 0)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compare.

    Raises:
        OptionError: An option can't work, a path doesn't exist or holds several models, or the runs can't be compared.
        DataError: A path holds no results, or samples are missing.
    """
    from lm_eval_ja.analysis import compare_runs
    from lm_eval_ja.report import printable_json

    if args.permutations < 1:
        raise OptionError(f"--permutations is {args.permutations}; it must be 1 or more")
    if args.seed < 0:
        raise OptionError(f"--seed is {args.seed}; it must be 0 or more")
    if args.changes < _ALL:
        raise OptionError(f"--changes is {args.changes}; it must be 0 or more, or {_ALL} for all")
    (a, problems_a), (b, problems_b) = load_one(args.a), load_one(args.b)
    if a.key == b.key:
        a, b = replace(a, key=f"{a.key} ({args.a})"), replace(b, key=f"{b.key} ({args.b})")
    comparison = compare_runs(a, b, permutations=args.permutations, seed=args.seed)
    comparison = replace(
        comparison, warnings=(*dict.fromkeys((*comparison.warnings, *problems_a, *problems_b)),)
    )
    if args.json:
        text = json.dumps(_as_data(comparison), ensure_ascii=False, indent=2, allow_nan=False)
        print(printable_json(text))
    elif args.markdown:
        print(_as_markdown(comparison, args.changes))
    else:
        _print(comparison, args.changes)
    return 0


def load_one(path: str) -> tuple["Run", list[str]]:
    """Read the one run that a path holds, and what is wrong with its files.

    Raises:
        OptionError: There is no such path, or it holds several runs.
        DataError: It holds no results.
    """
    from lm_eval_ja.analysis import join_seeds
    from lm_eval_ja.results import read_runs

    found = join_seeds(read_runs([path]))
    if len({run.model for run in found.runs}) == 1 < len(found.runs):
        files = sorted(str(run.files[0]) for run in found.runs)
        raise OptionError(
            f"{path} holds {len(found.runs)} runs of one model with different settings: give one of the files "
            f"({', '.join(files)})"
        )
    if len(found.runs) > 1:
        folders = sorted({str(run.files[0].parent) for run in found.runs})
        raise OptionError(
            f"{path} holds runs of {len(found.runs)} models: give the folder of one of them ({', '.join(folders)})"
        )
    problems = [f"{problem.path}: {problem.text}" for problem in found.problems if problem.kind in _PROBLEMS]
    return found.runs[0], problems


# ---------------------------------------------------------------------------------------------------- what is said


def _headline(comparison: "Comparison") -> str:
    top = next(own for own in comparison.differences if own.difference is not None)
    told = (
        f"{'B' if top.difference > 0 else 'A'} is better, beyond what chance explains"
        if top.p is not None and top.p < _LESS_LIKELY_THAN and top.difference
        else f"no difference beyond what chance explains{_needed(top)}"
    )
    return f"{top.name.label}: B - A = {_signed(top)} {_interval(top)}, p = {_p(top.p)}: {told}"


def _needed(own: "Difference") -> str:
    """What it would take to show a difference."""
    if own.times_questions is None:
        return ""
    times = own.times_questions
    text = (
        f". If it is as large as it looks, {as_times(times)} the questions ({times * own.questions:,.0f}) would show "
        "it in 8 of 10 comparisons"
    )
    if own.times_judgings is not None:
        alone = math.isfinite(own.times_judgings)
        text += (
            f", {as_times(own.times_judgings)} the judgings too" if alone else ", more judgings alone never"
        )
    return text


def as_times(times: float) -> str:
    """A factor in words, with as many digits as it deserves."""
    return f"{times:,.1f} times" if times < 10 else f"{times:,.0f} times"  # noqa: PLR2004  # digits where they matter


def _method(comparison: "Comparison") -> str:
    return (
        "Differences are B - A on the questions that both have answered. 95 % intervals over questions "
        f"through the macro average; p two-sided, by {comparison.permutations:,} "
        "sign-flip permutations, not adjusted; p (Holm) adjusted for all averages, all categories or all datasets; "
        "× questions: how many times the questions would show a difference of this size in 8 of 10 comparisons; "
        f"seed {comparison.seed}."
    )


def _tables(comparison: "Comparison", number: int) -> "list[Grid]":
    from lm_eval_ja.report import Field, Grid

    levels = [own.name.level for own in comparison.differences]
    numbers = (
        *(Field(name) for name in ("A", "B", "B - A", "95 % interval", "p", "p (Holm)")),
        *(
            Field(name, spare=spare)
            for name, spare in (("× questions", 4), ("questions", 1), ("B better", 2), ("A better", 3))
        ),
    )
    scores = Grid(
        "Scores",
        (),
        (Field("score", "label"), *numbers),
        tuple(_score_row(own) for own in comparison.differences),
        sections=tuple(index for index, pair in enumerate(pairwise(levels)) if pair[0] != pair[1]),
    )
    answers = (Field("gold", "text"), Field("A's answer", "text"), Field("B's answer", "text"))
    flipped = [change for change in comparison.changes if change.flipped]
    graded = [change for change in comparison.changes if not change.flipped]
    lost = sum(change.kind == "right_to_wrong" for change in flipped)
    tables = [scores]
    if flipped and number:
        shown = _spread(flipped, number)
        rows = tuple(
            (
                change.a.id,
                change.a.dataset,
                _KINDS[change.kind],
                *map(_one_line, (change.a.gold, change.a.prediction, change.b.prediction)),
            )
            for change in shown
        )
        title = f"Flipped questions: {lost} right → wrong, {len(flipped) - lost} wrong → right (shown: {len(shown)})"
        fields = (Field("id", "name"), Field("dataset", "label", spare=1), Field("A → B", "label"))
        tables.append(Grid(title, (), (*fields, *answers), rows))
    if graded and number:
        shown = _spread(graded, number)
        rows = tuple(
            (
                change.a.id,
                change.a.category if change.a.turns else change.a.dataset,
                f"{change.score_a:.2f}",
                f"{change.score_b:.2f}",
                *map(
                    _one_line, ("" if change.a.turns else change.a.gold, _answer(change.a), _answer(change.b))
                ),
            )
            for change in shown
        )
        title = f"Largest changes among graded answers (shown: {len(shown)} of {len(graded)})"
        both = (Field("id", "name"), Field("dataset", "label", spare=1), Field("A"), Field("B"))
        tables.append(Grid(title, (), (*both, *answers), rows))
    return tables


def _spread(changes: Sequence["Change"], number: int) -> list["Change"]:
    """The largest changes; among equals the first of every dataset, then the second of every dataset, and so on."""
    seen: dict[tuple[float, str], int] = {}
    ranked = []
    for index, change in enumerate(changes):
        alike = -round(change.size, 6), change.a.dataset
        seen[alike] = seen.get(alike, 0) + 1
        ranked.append((alike[0], seen[alike], index))
    return [changes[index] for _, _, index in sorted(ranked)[: None if number == _ALL else number]]


def _score_row(own: "Difference") -> tuple[str, ...]:
    label = _INDENT[own.name.level] + own.name.label
    if own.difference is None:
        return (
            label,
            *["–"] * 6,
            "",
            *([str(own.questions), str(own.better), str(own.worse)] if own.questions else ["–"] * 3),
        )
    digits = _digits(own)
    return (
        label,
        f"{own.a:.{digits}f}",
        f"{own.b:.{digits}f}",
        _signed(own),
        _interval(own),
        _p(own.p),
        _p(own.p_holm),
        "" if own.times_questions is None else as_times(own.times_questions).removesuffix(" times"),
        str(own.questions),
        str(own.better),
        str(own.worse),
    )


def _digits(own: "Difference") -> int:
    return 4 if own.name.scale == 1 else 2


def _signed(own: "Difference") -> str:
    return f"{own.difference:+.{_digits(own)}f}"


def _interval(own: "Difference") -> str:
    if own.low is None or own.high is None:
        return "–"
    digits = _digits(own)
    return f"[{own.low:+.{digits}f}, {own.high:+.{digits}f}]"


def _p(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.4f}" if value < 0.1 else f"{value:.2f}"  # noqa: PLR2004  # digits where they matter


def _answer(question: "Question") -> str:
    if question.turns:
        return " ⏎ ".join(turn.answer for turn in question.turns)
    return " / ".join(sample.prediction for sample in question.samples) or question.prediction


# ------------------------------------------------------------------------------------------------- how it is shown


def _one_line(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\n", "⏎")


def _print(comparison: "Comparison", number: int) -> None:
    from rich.console import Console
    from rich.text import Text

    from lm_eval_ja.report import print_grid, terminal_width

    width = terminal_width()
    console = Console(width=width, highlight=False)
    console.print(Text(f"A: {visible(comparison.a)}\nB: {visible(comparison.b)}", style="bold"))
    for warning in comparison.warnings:
        console.print(Text(f"note: {visible(warning)}", style="yellow"))
    console.print()
    for grid in _tables(comparison, number):
        print_grid(grid, width)
    console.print(Text(_headline(comparison), style="bold"))
    console.print(Text(_method(comparison)))


def _as_markdown(comparison: "Comparison", number: int) -> str:
    from lm_eval_ja.report import as_markdown, escape_markdown

    lines = [f"**A:** {escape_markdown(comparison.a)}  ", f"**B:** {escape_markdown(comparison.b)}", ""]
    lines += [f"- {escape_markdown(warning)}" for warning in comparison.warnings]
    lines += ["", as_markdown(_tables(comparison, number), longest=_LONGEST)]
    return "\n".join([*lines, "", f"**{escape_markdown(_headline(comparison))}**", "", _method(comparison)])


def _as_data(comparison: "Comparison") -> dict[str, Any]:
    return {
        "a": comparison.a,
        "b": comparison.b,
        "difference": "b - a",
        "level": 0.95,
        "permutations": comparison.permutations,
        "seed": comparison.seed,
        "warnings": list(comparison.warnings),
        "scores": [
            {
                **asdict(own.name),
                **{key: value for key, value in asdict(own).items() if key != "name"},
                "times_judgings": "never" if own.times_judgings == math.inf else own.times_judgings,
            }
            for own in comparison.differences
        ],
        "changes": [
            {
                "dataset": change.a.dataset,
                "id": change.a.id,
                "category": change.a.category,
                "kind": change.kind,
                "score_a": change.score_a,
                "score_b": change.score_b,
                "question": [turn.question for turn in change.a.turns] or change.a.input,
                "gold": change.a.gold,
                "answer_a": _answers(change.a),
                "answer_b": _answers(change.b),
            }
            for change in comparison.changes
        ],
    }


def _answers(question: "Question") -> str | list[str]:
    """The answer, or all of its turns or samples."""
    return (
        [turn.answer for turn in question.turns]
        or [sample.prediction for sample in question.samples]
        or question.prediction
    )
