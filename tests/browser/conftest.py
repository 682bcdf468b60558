"""A real headless Chromium, and reports made of fabricated runs, for the tests of the page."""

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lm_eval_ja.analysis import analyse_runs
from lm_eval_ja.report import write_html
from lm_eval_ja.results import read_runs
from tests.support import fabricate
from tests.support.judge_server import JudgeServer

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--lang=en",
)


class Page:
    """A report in the browser, and what the browser said about it."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def size(self, width: int, height: int = 1000) -> None:
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )

    def open(self, path: Path, hash_: str = "") -> float:
        """Open a file anew. Returns the milliseconds until it was ready."""
        self.driver.get("about:blank")
        self.logs()
        self.driver.get(path.as_uri() + hash_)
        ready = self.wait(lambda: float(self.js("return document.documentElement.dataset.ready") or 0))
        self.settle()
        return ready

    def settle(self) -> None:
        """Wait until what is out of view is drawn, too."""
        self.wait(lambda: self.js("return document.documentElement.dataset.pending") == "0")

    def js(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def wait(self, condition: Any, seconds: float = 20) -> Any:
        end = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < end, "the page did not get there"
            time.sleep(0.03)
        return value

    def all(self, selector: str) -> list[Any]:
        return self.driver.find_elements("css selector", selector)

    def one(self, selector: str) -> Any:
        return self.wait(lambda: next(iter(self.all(selector)), None))

    def click(self, selector: str) -> None:
        element = self.one(selector)
        self.js("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
        element.click()
        self.settle()

    def text(self, selector: str) -> str:
        return str(self.js("return document.querySelector(arguments[0])?.textContent ?? ''", selector))

    def texts(self, selector: str) -> list[str]:
        return list(
            self.js("return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)", selector)
        )

    def choose(self, selector: str, value: str) -> None:
        self.js(
            "const e = document.querySelector(arguments[0]); e.value = arguments[1];"
            "e.dispatchEvent(new Event('change', {bubbles: true}))",
            selector,
            value,
        )
        self.settle()

    def only(self, name: str) -> None:
        """Choose one dataset in the filter of questions."""
        self.js(
            "const own = [...document.querySelectorAll('#f-sets .tick')];"
            "for (const e of own) { const i = e.querySelector('input');"
            "if (i.checked !== e.textContent.startsWith(arguments[0] + ' (')) i.click(); }",
            name,
        )
        self.settle()

    def found(self) -> int:
        """Number of questions that the question browser says it found, once it has settled."""
        first = self.wait(
            lambda: (text := self.text("#found-text").split(" ")[0].replace(",", "")).isdigit() and text
        )
        return int(first)

    def logs(self) -> tuple[list[str], list[str]]:
        """Console messages and addresses requested since the last call."""
        console = [entry["message"] for entry in self.driver.get_log("browser")]
        requests = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                requests.append(message["params"]["request"]["url"])
        return console, requests


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The browser; one for all tests."""
    missing = None
    chromium = shutil.which("chromium")
    chromedriver = shutil.which("chromedriver")
    try:
        from selenium import webdriver
    except ImportError:
        missing = "selenium is not installed"
    if not (chromium and chromedriver):
        missing = (
            "chromium and chromedriver are not installed (Debian: apt-get install chromium chromium-driver)"
        )
    if missing:
        if os.environ.get("LM_EVAL_JA_REQUIRE_BROWSER") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*_FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(chromedriver)
    own = webdriver.Chrome(options=options, service=service)
    yield own
    own.quit()


@pytest.fixture
def page(driver: Any) -> Iterator[Page]:
    """A page; afterwards the console must be silent and nothing but files may have been requested."""
    own = Page(driver)
    own.size(1400)
    yield own
    console, requests = own.logs()
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert console == []
    assert [url for url in requests if not url.startswith(("file:", "about:", "blob:"))] == []


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real run of the harness on the sample data, judged by a real server."""
    folder = tmp_path_factory.mktemp("real")
    with JudgeServer() as server:
        return fabricate.real_run(folder, server.url, folder / "cache")


@pytest.fixture(scope="session")
def real_report(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of that run as it is."""
    return make(real, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="session")
def big(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 models with 1,360 questions each."""
    folder = tmp_path_factory.mktemp("big")
    people = fabricate.personas(20)
    return make(fabricate.multiply(real, folder / "out", people, conversations=160), folder)


@pytest.fixture(scope="session")
def report(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight models; the last two can't be compared with the others."""
    folder = tmp_path_factory.mktemp("small")
    people = fabricate.personas(8)
    apart = {person.name for person in people[6:]}

    def edit(name: str, results: dict[str, Any]) -> None:
        if name in apart:
            fabricate.resign(results, "nejumi_mtbench", judge="judge-b")

    out = fabricate.multiply(real, folder / "out", people, questions=20, conversations=16, edit=edit)
    return make(out, folder)


def make(runs: Path, folder: Path) -> Path:
    path = folder / "report.html"
    write_html(analyse_runs(read_runs([runs])), path)
    return path
