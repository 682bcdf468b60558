"""Beside other programs: the same questions, model and limits through flexeval, inspect_ai and lm-eval-ja.

    python benchmarks/peers.py --make-environments DIR
    python benchmarks/peers.py MIRROR DIR --check 40-base 40-chat    # what each program sends to the model
    python benchmarks/peers.py MIRROR DIR --repeats 3 -o table.md

Whole commands, as a user types them, one torch thread, by turns: every round runs each program once, in an order that
turns. A ratio is our time over another's in the same round; memory is the largest sum over all processes of a command.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from parts.peer_programs import (
    OURS,
    PACKAGES,
    PARTS,
    Case,
    Command,
    commands,
    environment,
    export,
    make_environments,
    make_models,
)
from table import header, line, machine

CASES = {
    case.name: case
    for case in (
        Case(40),
        Case(40, chat=True),
        Case(80, heavy=True),
        Case(1200),
        Case(1200, chat=True),
    )
}
NAMES = ("what", "program", "time", "ours / its", "ours with cached index / its", "peak memory", "ours / its")


@dataclass(frozen=True)
class Measured:
    """One command: seconds, and the largest sum of its processes' resident memory in MiB."""

    seconds: float
    memory: float


def main() -> int:
    """Print the table, or what each program sends; 1 if a program sends something else."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--make-environments", type=Path, metavar="DIR", help="install the peers there")
    parser.add_argument("mirror", type=Path, nargs="?", help="folder with the raw files")
    parser.add_argument("environments", type=Path, nargs="?", help="folder of --make-environments")
    parser.add_argument("rows", nargs="*", metavar="row", help=f"{', '.join(CASES)} (default: all)")
    parser.add_argument("--repeats", type=int, default=3, help="rounds (default 3)")
    parser.add_argument("--check", action="store_true", help="compare what the model was given; no timing")
    parser.add_argument("-o", "--output", type=Path, help="file for the table, as Markdown")
    options = parser.parse_args()
    if options.make_environments:
        make_environments(options.make_environments)
        return 0
    rows = options.rows or list(CASES)
    if not options.mirror or not options.environments or not set(rows) <= set(CASES):
        parser.error("name the mirror, the folder of environments, and rows that exist")
    os.environ |= {"LM_EVAL_JA_MIRROR": str(options.mirror.resolve()), "OPENAI_API_KEY": "benchmark"}
    folder = options.environments.resolve()
    os.environ["LM_EVAL_JA_CACHE"] = str(folder / "cache")
    os.environ["HF_HOME"] = str(folder / "hf")
    make_models(folder / "models")
    text: list[str] = []

    def show(part: str) -> None:
        print(part, flush=True)
        text.append(part)

    same = True
    if not options.check:
        show(f"{machine()}; {', '.join(versions(folder))}\n\n{header(NAMES)}")
    for row in rows:
        with tempfile.TemporaryDirectory() as name, programs(row, folder, Path(name)) as found:
            label, typed, lines = found
            if options.check:
                same &= check(label, typed, lines, Path(name))
                continue
            rounds = [measure(typed, turn, Path(name)) for turn in range(options.repeats)]
            for part in table(label, rounds):
                show(part)
    if options.output:
        options.output.write_text("\n".join(text) + "\n", encoding="utf-8")
    return 0 if same else 1


Programs = tuple[str, dict[str, Command], Sequence[Mapping[str, object]]]


@contextmanager
def programs(row: str, folder: Path, work: Path) -> Iterator[Programs]:
    """The row's name, each program's command, and the questions."""
    case = CASES[row]
    lines = export(case, work)
    yield case.label, commands(case, folder, folder / "models", work), lines


def versions(folder: Path) -> Iterator[str]:
    """Each peer's release, and what it runs on."""
    for name in PACKAGES:
        code = (
            "from importlib.metadata import version as v;"
            f"print('{name}', v('{name}'), '(torch', v('torch') + ', transformers', v('transformers') + ')')"
        )
        python = folder / name / "bin" / "python"
        yield subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def measure(typed: Mapping[str, Command], turn: int, work: Path) -> dict[str, Measured]:
    """Every program once."""
    names = list(typed)
    start = turn % len(names)
    return {name: run(typed[name], work) for name in names[start:] + names[:start]}


def run(command: Command, work: Path, prefix: Sequence[str] = ()) -> Measured:
    """One command in a session of its own.

    Raises:
        RuntimeError: It failed; the message ends with what it said.
    """
    out = work / "out"
    shutil.rmtree(out, ignore_errors=True)
    arguments = [*prefix, *(part.replace("{out}", str(out)) for part in command.arguments)]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        start = time.perf_counter()
        process = subprocess.Popen(
            arguments,
            env=environment(
                {key: value.replace("{out}", str(out)) for key, value in command.settings.items()}
            ),
            cwd=work,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        peak = 0
        while process.poll() is None:
            peak = max(peak, session_memory(process.pid))
            try:
                process.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
        taken = time.perf_counter() - start
        if process.returncode:
            said.seek(0)
            message = f"{arguments[0]} ended with {process.returncode}: {said.read()[-3000:]}"
            raise RuntimeError(message)
    return Measured(taken, peak / 2**20)


def session_memory(session: int) -> int:
    """Resident bytes of all processes of a session."""
    total = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(fields[3]) == session:
            total += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    return total


def table(label: str, rounds: Sequence[Mapping[str, Measured]]) -> Iterator[str]:
    """Lines of a row: each program against us."""
    cached = f"{OURS}, cached index"
    for name in rounds[0]:
        ratios = ["", "", ""]
        if name not in {OURS, cached}:
            ratios = [
                ""
                if own not in rounds[0]
                else spread([each[own].seconds / each[name].seconds for each in rounds])
                for own in (OURS, cached)
            ]
            ratios.append(spread([each[OURS].memory / each[name].memory for each in rounds]))
        seconds = median(each[name].seconds for each in rounds)
        memory = median(each[name].memory for each in rounds)
        yield line([label, name, f"{seconds:.1f} s", *ratios[:2], f"{memory:.0f} MiB", ratios[2]])


def spread(ratios: Sequence[float]) -> str:
    """Median and range; what is above 1 is where we are behind."""
    text = f"**{median(ratios):.2f}**"
    return text if len(ratios) == 1 else f"{text} ({min(ratios):.2f} to {max(ratios):.2f})"


def check(
    label: str, typed: Mapping[str, Command], lines: Sequence[Mapping[str, object]], work: Path
) -> bool:
    """Run each program once and compare what its model was given with what we send."""
    print(f"{label}: program, prompts, the same as ours, padded tokens, new tokens, same answers", flush=True)
    ours: dict[str, list[int]] = {}
    good = True
    for name, command in typed.items():
        if name.endswith("cached index"):
            continue
        saved = work / "record.jsonl"
        saved.unlink(missing_ok=True)
        python = Path(command.arguments[0]).with_name("python")
        run(command, work, (str(python), str(PARTS / "peer_record.py"), str(saved)))
        seen = [json.loads(text) for text in saved.read_text(encoding="utf-8").splitlines()]
        answers = {json.dumps(each["prompt"]): each["answer"] for each in seen}
        if name == OURS:
            ours = answers
        same = len(seen) == len(lines) and answers.keys() == ours.keys()
        good &= same
        equal = sum(alike(answers.get(prompt, []), answer) for prompt, answer in ours.items())
        padded = sum(each["padded"] for each in seen)
        new = sum(len(each["answer"]) for each in seen)
        print(f"  {name}: {len(seen)}, {same}, {padded:,}, {new:,}, {equal}/{len(ours)}", flush=True)
    return good


def alike(one: Sequence[int], other: Sequence[int]) -> bool:
    """Whether one answer is the other's beginning: programs fill an ended one up differently."""
    shorter = min(len(one), len(other))
    return shorter > 0 and one[:shorter] == other[:shorter]


if __name__ == "__main__":
    sys.exit(main())
