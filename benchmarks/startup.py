"""What the plugin costs, and saves, at the start: ``python benchmarks/startup.py``.

CPU seconds (user and system) of whole processes, measured by turns; each figure is the median of the pairs' ratios.
Goals: interpreter start at most 1.3 of a bare one, lm-eval's index of all tasks at most 0.6 of upstream's time, and
0.15 with the cache on disk. The exit status is 1 if one is missed.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
INDEX = """
import time
from lm_eval.tasks import TaskManager
start = time.process_time()
TaskManager()
print(time.process_time() - start)
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--starts", type=int, default=40, help="pairs of interpreter starts (default 40)")
    parser.add_argument("--indexes", type=int, default=3, help="pairs of indexes (default 3)")
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, Python {sys.version.split()[0]}")
    met = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bare, bridged = environment(folder / "bare"), environment(folder / "bridged", ROOT)
        off = {"LM_EVAL_JA_AUTOLOAD": "0"}
        for label, ours, goal in (
            ("interpreter start, bridge on / bare", lambda: start(bridged), 1.3),
            ("interpreter start, bridge off / bare", lambda: start(bridged, off), 1.3),
        ):
            met &= show(label, ours, lambda: start(bare), options.starts, goal)
        cache = {"LM_EVAL_JA_CACHE": str(folder / "cache"), "LM_EVAL_JA_INDEX_CACHE": "1"}
        index(cache)  # makes it
        for label, settings, goal in (
            ("index of all tasks, plugin / upstream", {"LM_EVAL_JA_INDEX_CACHE": "0"}, 0.6),
            ("index of all tasks, plugin with its cache / upstream", cache, 0.15),
        ):
            met &= show(
                label, lambda settings=settings: index(settings), lambda: index(off), options.indexes, goal
            )
    return 0 if met else 1


def environment(folder: Path, checkout: Path | None = None) -> Path:
    """An environment with nothing in it, or with nothing but our two .pth lines."""
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    if checkout is not None:
        Path(site, "a.pth").write_text(f"{checkout}\n")
        Path(site, "lm_eval_ja.pth").write_text((checkout / "lm_eval_ja.pth").read_text())
    return python


def start(python: Path, settings: dict[str, str] | None = None) -> float:
    """CPU seconds of ``python -c pass``."""
    pid = os.posix_spawn(python, [str(python), "-c", "pass"], {**os.environ, **(settings or {})})
    used = os.wait4(pid, 0)[2]
    return used.ru_utime + used.ru_stime


def index(settings: dict[str, str]) -> float:
    """CPU seconds of ``TaskManager()`` in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", INDEX],
        env={**os.environ, **settings},
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout.splitlines()[-1])


def show(label: str, ours: Callable[[], float], theirs: Callable[[], float], pairs: int, goal: float) -> bool:
    """Measure by turns and print one line; whether the goal is met."""
    ours(), theirs()
    measured = [(ours(), theirs()) for _ in range(pairs)]
    ratio = statistics.median(a / b for a, b in measured)
    mine, other = (statistics.median(side) * 1000 for side in zip(*measured, strict=True))
    print(f"{label}: {ratio:.3f} (goal {goal}; {mine:.1f} ms / {other:.1f} ms, {pairs} pairs)", flush=True)
    return ratio <= goal


if __name__ == "__main__":
    sys.exit(main())
