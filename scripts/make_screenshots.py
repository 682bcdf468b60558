"""Make an example report and the screenshots of ``docs/report.md``, from made-up answers to the sample questions.

    python scripts/make_screenshots.py OUT            example report and screenshots into OUT (as in CI)
    python scripts/make_screenshots.py docs/images    renew the screenshots of the docs

One real run of the harness on the sample data, judged by the tests' judge server, is multiplied into eight made-up
models (tests/support/fabricate.py). Needs chromium, chromedriver and selenium; without them only the report is made.
"""

import argparse
import base64
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.support import fabricate
from tests.support.judge_server import JudgeServer

JAPANESE_AND_DARK = """
document.querySelector('#language').click();
document.querySelector('#theme').click();
document.querySelector('#theme').click();
"""
SHOTS: dict[str, tuple[int, int, str, str]] = {
    # name: width, height, what to do first, element at the top
    "report-ranking": (1400, 800, "", ".top"),
    "report-charts": (1400, 960, "", "#charts"),
    "report-failures": (1400, 780, "", "#failures"),
    "report-question": (1400, 900, "#d=jnli&o=b&q=jnli/jnli-test-{breach}", "#questions"),
    "report-conversation": (1400, 900, "#q=mtbench/mtbench-1&d=mtbench", "#questions"),
    "report-dark-ja": (1400, 800, JAPANESE_AND_DARK, ".top"),
    "report-phone": (390, 844, "", ".top"),
}  # fmt: skip


def make_report(folder: Path) -> tuple[Path, int]:
    """Write the example report. Returns it, and the number of a question that models answered with a form breach."""
    from lm_eval_ja.analysis import analyse_runs
    from lm_eval_ja.analysis._failures import Outcome
    from lm_eval_ja.report import write_html
    from lm_eval_ja.results import read_runs

    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        with JudgeServer() as server:
            real = fabricate.real_run(place / "real", server.url, place / "cache")
        runs = read_runs([fabricate.multiply(real, place / "runs", fabricate.personas(8))])
        analysis = analyse_runs(runs)
        report = folder / "example-report.html"
        write_html(analysis, report)
        findings = [analysis.failures[run.key]["nejumi_jaster_jnli"].findings for run in runs.runs]
    breaches = [
        sum(own[n].outcome is Outcome.FORMAT_ERROR for own in findings) for n in range(len(findings[0]))
    ]
    return report, breaches.index(max(breaches))


@contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    from selenium import webdriver

    with tempfile.TemporaryDirectory() as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        for flag in (
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--lang=en",
        ):
            options.add_argument(flag)
        for flag in ("--disable-background-networking", "--disable-component-update", "--disable-sync"):
            options.add_argument(flag)
        options.add_argument("--hide-scrollbars")
        options.add_argument(f"--user-data-dir={profile}")
        driver = webdriver.Chrome(
            options=options, service=webdriver.ChromeService(shutil.which("chromedriver"))
        )
        try:
            yield driver
        finally:
            driver.quit()


def shoot(driver: Any, report: Path, target: Path, shot: tuple[int, int, str, str]) -> None:
    """Take one screenshot."""
    width, height, first, top = shot
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}  # noqa: PLR2004
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    driver.get("about:blank")
    driver.get(report.resolve().as_uri() + (first if first.startswith("#") else ""))
    while not driver.execute_script("return document.documentElement.dataset.ready"):
        time.sleep(0.05)
    if first and not first.startswith("#"):
        driver.execute_script(first)
    time.sleep(0.7)  # texts are unpacked after the page is ready
    driver.execute_script("document.querySelector(arguments[0]).scrollIntoView({behavior: 'instant'})", top)
    time.sleep(0.2)
    data = driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "webp", "quality": 82})["data"]
    target.write_bytes(base64.b64decode(data))


def main() -> None:
    """Make everything."""
    parser = argparse.ArgumentParser(description="Make an example report and screenshots of it.")
    parser.add_argument("out", type=Path, metavar="OUT")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    report, breach = make_report(out)
    if shutil.which("chromium") and shutil.which("chromedriver"):
        with browser() as driver:
            for name, (width, height, first, top) in SHOTS.items():
                shot = (width, height, first.replace("{breach}", str(breach)), top)
                shoot(driver, report, out / f"{name}.webp", shot)
    else:
        print("no chromium and chromedriver: the report is made, the screenshots are not")
    if out.name == "images":  # the docs show pictures; the report is an artefact
        report.unlink()
    print(f"made in {out}: {', '.join(sorted(path.name for path in out.iterdir()))}")


if __name__ == "__main__":
    main()
