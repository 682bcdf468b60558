"""What all measurements share: rows of two things measured side by side, and how they are printed."""

import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Place:
    """What a part needs.

    Attributes:
        mirror: Folder with the real raw files.
        folder: An empty folder.
        repeats: How often each of the two things is measured.
    """

    mirror: Path
    folder: Path
    repeats: int


@dataclass(frozen=True)
class Row:
    """Two things measured by turns.

    Attributes:
        what: What we do.
        ours: Each repeat, in ``unit``.
        against: What it is compared with.
        reference: Each repeat.
        goal: Largest ratio that was promised, if any.
        unit: ``"s"`` or ``"MiB"``.
    """

    what: str
    ours: Sequence[float]
    against: str
    reference: Sequence[float]
    goal: float | None = None
    unit: str = "s"

    @property
    def ratios(self) -> list[float]:
        """Of each pair that was measured in a row."""
        return sorted(own / other for own, other in zip(self.ours, self.reference, strict=True))

    @property
    def met(self) -> bool:
        """Whether the median keeps the promise."""
        return self.goal is None or median(self.ratios) <= self.goal

    def cells(self) -> list[str]:
        """The row as text."""
        low, middle, high = self.ratios[0], median(self.ratios), self.ratios[-1]
        goal = "" if self.goal is None else f"≤ {self.goal:g}{'' if self.met else ' **missed**'}"
        return [
            self.what,
            shown(median(self.ours), self.unit),
            self.against,
            shown(median(self.reference), self.unit),
            f"**{_ratio(middle)}** ({_ratio(low)} to {_ratio(high)})"
            if high > low
            else f"**{_ratio(middle)}**",
            goal,
        ]


def seconds(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """How long ``work`` takes."""
    start = clock()
    work()
    return clock() - start


def by_turns(
    repeats: int, ours: Callable[[], float], reference: Callable[[], float]
) -> tuple[list[float], list[float]]:
    """Measure two things in pairs, first one and then the other first, so that a drift of the machine cancels out."""
    found: tuple[list[float], list[float]] = ([], [])
    for repeat in range(repeats):
        for which in (0, 1) if repeat % 2 == 0 else (1, 0):
            found[which].append((ours, reference)[which]())
    return found


NAMES = ("what", "median", "compared with", "median", "ratio (range)", "goal")


def header(names: Sequence[str] = NAMES) -> str:
    """The head of a table, by default of rows."""
    return f"| {' | '.join(names)} |\n|{'---|' * len(names)}"


def line(cells: Iterable[str]) -> str:
    """A line of the table."""
    return f"| {' | '.join(cells)} |"


def shown(value: float, unit: str) -> str:
    """A measurement as text."""
    if unit == "MiB":
        return f"{value:.0f} MiB"
    for name, size in (("s", 1.0), ("ms", 1e-3)):
        if value >= size:
            return f"{value / size:.3g} {name}"
    return f"{value * 1e6:.3g} µs"


def machine() -> str:
    """The machine and the versions that matter, in one paragraph."""
    info = Path("/proc/cpuinfo")
    names = [text.split(":")[1].strip() for text in _lines(info) if text.startswith("model name")]
    memory = [int(text.split()[1]) for text in _lines(Path("/proc/meminfo")) if text.startswith("MemTotal")]
    parts = [
        f"{os.cpu_count()} cores ({names[0] if names else platform.processor() or platform.machine()})",
        f"{memory[0] / 2**20:.0f} GiB" if memory else "",
        f"{platform.system()} {platform.release().split('-')[0]}",
        f"Python {sys.version.split()[0]}",
        *(f"{name} {_version(name)}" for name in ("lm_eval", "torch", "transformers", "numpy", "openai")),
    ]
    return ", ".join(part for part in parts if part) + f"; load average {os.getloadavg()[0]:.1f} at the start"


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _version(name: str) -> str:
    try:
        return version(name)
    except ModuleNotFoundError:
        return "not installed"


def _ratio(value: float) -> str:
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"
