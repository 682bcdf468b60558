"""(f, continued) What a reader waits for in a report of 60 models with 1,360 answers each, and what making it takes.

Each interaction is timed in Chromium from the event to the first frame after it, over and over; the row shows the 95th
percentile against the goal of 100 ms.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles

from parts.report import chromium, real_run
from table import Place, Row
from tests.support import fabricate

MODELS = 60
TIMES = 20
_GOAL = 0.1  # seconds, for an interaction
_MAKE = """
import json, resource, sys, time
from pathlib import Path
start = time.perf_counter()
from lm_eval_ja.analysis import analyse_runs
from lm_eval_ja.report import write_html
from lm_eval_ja.results import read_runs
write_html(analyse_runs(read_runs([Path(sys.argv[1])])), Path(sys.argv[2]))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
print(json.dumps([time.perf_counter() - start, peak]))
"""
_CLICK = "document.querySelector({!r}).click()"
_PICK = "[...document.querySelectorAll('#selection-line > button')].at({}).click()"
_SEARCH = (
    "const field = document.getElementById('f-text'); field.value = {}; "
    "field.dispatchEvent(new Event('input', {{bubbles: true}}))"
)
INTERACTIONS = {
    "select a model": ("", _CLICK.format(".leaderboard.current tbody tr:nth-child(9) input")),
    "select all": (_PICK.format(-1), _PICK.format(-2)),
    "sort by a column": ("", _CLICK.format(".leaderboard.current thead th.score button")),
    "show datasets or categories": ("", "document.querySelector('[data-level][aria-pressed=false]').click()"),
    "other language": ("", _CLICK.format("#language")),
    "other theme": ("", _CLICK.format("#theme")),
    "type into the search": (_SEARCH.format("''"), _SEARCH.format("'図書館'")),
}
"""By what a reader does: what is done before, unmeasured, and what is measured."""
_MEASURE = """
const done = arguments[0];
const frame = () => new Promise((go) => requestAnimationFrame(go));
const wait = (ms) => new Promise((go) => setTimeout(go, ms));
const painted = () => new Promise((go) => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = go;
  port2.postMessage(0);
});
const settled = async () => { while (document.documentElement.dataset.pending !== "0") await wait(20); };
(async () => {
  { %s; }
  await settled();
  await frame();
  await painted();
  const start = performance.now();
  { %s; }
  await frame();
  await painted();
  done(performance.now() - start);
})();
"""  # the page's own policy forbids eval


def rows(place: Place) -> Iterator[Row]:
    runs, page = place.folder / "runs", place.folder / "report.html"
    fabricate.multiply(real_run(place), runs, fabricate.personas(MODELS), conversations=160)
    made = [_make(runs, page) for _ in range(place.repeats)]
    yield Row(f"{MODELS} models: make the page", [own for own, _ in made], "goal", [5.0] * len(made), 1)
    memory = [own for _, own in made]
    yield Row("memory for that", memory, "goal", [300.0] * len(made), 1, unit="MiB")
    with chromium() as browser:
        if browser is None:
            return
        browser.set_window_size(1440, 1000)
        browser.get(page.as_uri())
        for name, (before, script) in INTERACTIONS.items():
            times = [browser.execute_async_script(_MEASURE % (before, script)) / 1000 for _ in range(TIMES)]
            slowest = quantiles(times, n=20)[-1]
            yield Row(f"{name}, 95th percentile of {TIMES}", [slowest], "goal", [_GOAL], 1)


def _make(runs: Path, page: Path) -> tuple[float, float]:
    """Seconds and MiB of a process that makes the page."""
    made = subprocess.run(
        [sys.executable, "-c", _MAKE, str(runs), str(page)], check=True, capture_output=True, text=True
    )
    taken, peak = json.loads(made.stdout)
    return taken, peak
