"""Charts and tables of a report as files: SVG and PNG, CSV, Markdown and LaTeX.

The charts are those of the page: a browser on this machine opens it, without a window or network, and what it drew is
taken out. There is no second way to draw them.
"""

import base64
import binascii
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lm_eval_ja.analysis import Analysis
from lm_eval_ja.errors import OptionError
from lm_eval_ja.report._data import as_csv
from lm_eval_ja.report._grid import as_latex, as_markdown
from lm_eval_ja.report._html import write_html
from lm_eval_ja.report._models import Facts
from lm_eval_ja.report._tables import report_tables

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
_FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")
_SECONDS = 120
_EXPORTED = re.compile(r'<pre id="exported"[^>]*>(\{.*?\})</pre>', re.DOTALL)


def export(
    analysis: Analysis, folder: Path, facts: Mapping[str, Facts] | None = None
) -> tuple[list[Path], str]:
    """Write tables and charts to a folder.

    Args:
        analysis: What to export.
        folder: Where to; made if need be.
        facts: What is known about the models, by the run's key.

    Returns:
        The files, and why there are no charts among them; empty if there are.

    Raises:
        OptionError: A file can't be written.
    """
    grids = report_tables(analysis)
    files = {
        "scores.csv": as_csv(analysis, facts).encode("utf-8"),
        "tables.md": f"{as_markdown(grids)}\n".encode(),
        "tables.tex": f"{as_latex(grids)}\n".encode(),
    }
    charts, why = _charts(analysis, facts)
    files |= charts
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise OptionError(f"{folder} can't be written ({error}): choose another --export") from error
    return [folder / name for name in files], why


def _charts(analysis: Analysis, facts: Mapping[str, Facts] | None) -> tuple[dict[str, bytes], str]:
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser is None:
        return {}, (
            "charts need Chromium or Chrome on this machine (PATH); or save them with the buttons of the HTML report"
        )
    with tempfile.TemporaryDirectory() as place:
        page = Path(place) / "report.html"
        write_html(analysis, page, facts)
        command = [browser, *_FLAGS, f"--user-data-dir={place}/profile", "--virtual-time-budget=30000"]
        try:
            done = subprocess.run(  # noqa: S603  # a browser found on PATH, and a page of our own
                [*command, "--dump-dom", f"{page.as_uri()}#export"],
                capture_output=True,
                check=False,
                timeout=_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return {}, f"{browser} did not draw the charts: {error}"
    found = _EXPORTED.search(done.stdout.decode("utf-8", "replace"))
    if found is None:
        return {}, f"{browser} did not draw the charts: {done.stderr.decode('utf-8', 'replace')[-300:]}"
    try:
        return {name: base64.b64decode(own) for name, own in json.loads(found[1]).items()}, ""
    except (binascii.Error, ValueError) as error:
        return {}, f"{browser} gave no charts: {error}"
