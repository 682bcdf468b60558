"""(f) Reports of 1, 20 and 100 models with 1,360 answers each: making one, and until the page is ready in Chromium.

The runs are made up from one real run on the sample data (tests/support/fabricate.py). N models are compared with N
times one model.
"""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from statistics import median
from typing import Any

from lm_eval_ja.analysis import analyse_runs
from lm_eval_ja.report import write_html
from lm_eval_ja.results import read_runs
from table import Place, Row, seconds, shown
from tests.support import fabricate
from tests.support.judge_server import JudgeServer

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
STEPS = (
    "read",
    "analyse, 2,000 bootstrap resamples",
    "write the page",
    "page ready in Chromium",
    "size of the page",
)
STEPS_WITHOUT = (*STEPS[:3], STEPS[4])


def rows(place: Place) -> Iterator[Row]:
    real = real_run(place)
    single: list[list[float]] = []
    with chromium() as browser:
        for models in (1, 20, 100):
            runs, page = place.folder / f"runs-{models}", place.folder / "report.html"
            fabricate.multiply(real, runs, fabricate.personas(models), conversations=160)
            measured = [once(runs, models, page, browser) for _ in range(place.repeats)]
            steps = [list(step) for step in zip(*measured, strict=True)]
            steps.append([page.stat().st_size / 2**20])
            shutil.rmtree(runs)
            if models == 1:
                single = steps
                continue
            for name, own, one in zip(STEPS if browser else STEPS_WITHOUT, steps, single, strict=True):
                unit = "MiB" if name == STEPS[-1] else "s"
                against = f"{models} x one model ({shown(median(one), unit)})"
                yield Row(
                    f"{models} models: {name}", own, against, [models * value for value in one], unit=unit
                )


def real_run(place: Place) -> Path:
    """A real run on the sample data, from which all others are made up."""
    with JudgeServer() as server, redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        return fabricate.real_run(place.folder / "real", server.url, place.folder / "own-cache")


def once(runs: Path, models: int, page: Path, browser: Any) -> list[float]:
    """Seconds of each step."""
    found: list[Any] = []
    times = [seconds(lambda: found.append(read_runs([runs])))]
    assert len(found[0].runs) == models
    assert all(sum(task.asked or 0 for task in run.tasks.values()) == 1360 for run in found[0].runs)
    times.append(seconds(lambda: found.append(analyse_runs(found[0]))))
    times.append(seconds(lambda: write_html(found[1], page)))
    if browser is not None:
        from selenium.webdriver.support.ui import WebDriverWait

        for address in (
            page.as_uri(),
            "about:blank",
            page.as_uri(),
        ):  # twice: the first page also starts the browser
            browser.get(address)
        ready = "return Number(document.documentElement.dataset.ready) || 0"
        times.append(WebDriverWait(browser, 60, 0.03).until(lambda own: own.execute_script(ready)) / 1000)
    return times


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser; None, and a line that says so, where there is none."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        print("chromium and chromedriver are not installed: loading is not measured", file=sys.stderr)
        yield None
        return
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in FLAGS:
        options.add_argument(flag)
    own = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield own
    finally:
        own.quit()
