"""(b) Getting neo's 16 test splits ready, against the straightforward way: task by task, each from its raw files.

The straightforward way uses the same converters and does less: it checks no digests, knows no locks, writes JSON lines
and keeps only the task's own test split. But it reads an archive once for each of the tasks made from it, one after
another. Every figure comes from a process of its own, with an empty cache; the import of ``datasets`` is left out.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from table import ROOT, Place, Row, by_turns


def rows(place: Place) -> Iterator[Row]:
    found: dict[str, list[tuple[float, float]]] = {"ours": [], "straight": [], "again": []}

    def measured(way: str, cache: Path) -> float:
        command = [sys.executable, "-m", "parts.preparation", way, str(cache), str(place.mirror)]
        done = subprocess.run(command, cwd=ROOT / "benchmarks", check=True, capture_output=True, text=True)
        time_taken, memory = (float(part) for part in done.stdout.split())
        found[way].append((time_taken, memory))
        return time_taken

    def cold(way: str) -> Callable[[], float]:
        def work() -> float:
            with tempfile.TemporaryDirectory(dir=place.folder) as cache:
                return measured(way, Path(cache))

        return work

    pairs = by_turns(place.repeats, cold("ours"), cold("straight"))
    yield Row("fetch, verify, convert and load neo's 16 test splits", pairs[0], "task by task", pairs[1])
    memory = [[each[1] for each in found[way]] for way in ("ours", "straight")]
    yield Row("the same: peak memory of the process", memory[0], "task by task", memory[1], unit="MiB")
    with tempfile.TemporaryDirectory(dir=place.folder) as cache:
        measured("ours", Path(cache))
        pairs = by_turns(place.repeats, lambda: measured("again", Path(cache)), cold("ours"))
    yield Row("load them again", pairs[0], "the first time", pairs[1])


def straight(cache: Path, mirror: Path) -> int:
    """Convert task by task; the number of questions."""
    from lm_eval_ja.datasets import available, packaged

    catalog, number = packaged(), 0
    for dataset in available("neo"):
        unit = catalog.unit(dataset, "test")
        files = {url: mirror / catalog.source(url).location for url in unit.urls}
        samples = list(unit.convert(files)[dataset, "test"])
        with (cache / f"{dataset}.jsonl").open("w", encoding="utf-8") as file:
            for sample in samples:
                file.write(json.dumps(vars(sample), ensure_ascii=False) + "\n")
        number += len(samples)
    return number


def ours(cache: Path, mirror: Path) -> int:
    """Load everything; the number of questions."""
    from lm_eval_ja.datasets import Settings, available, load

    settings = Settings(cache, mirror)
    return sum(len(load("neo", name, settings=settings)["test"]) for name in available("neo"))


def main() -> None:
    way, cache, mirror = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    import datasets  # noqa: F401  # before the clock starts

    start = time.perf_counter()
    number = straight(cache, mirror) if way == "straight" else ours(cache, mirror)
    taken = time.perf_counter() - start
    assert number >= 1200
    # Not getrusage: it begins with the peak of the process that started this one.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    print(taken, int(status.partition("VmHWM:")[2].split()[0]) / 1024)


if __name__ == "__main__":
    main()
