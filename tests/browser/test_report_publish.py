"""The report in a real browser, for people who publish with it: colours, paper, links, columns, search, export."""

import base64
import itertools
import re
from importlib import resources

import pytest

from lm_eval_ja.analysis import compare_runs
from lm_eval_ja.cli import main
from lm_eval_ja.results import read_runs

coloraide = pytest.importorskip(
    "coloraide", reason="the palette's test simulates colour blindness with coloraide"
)
PAIR = 15  # CIEDE2000 between any two colours that can stand together
CHART = 3.0  # contrast of marks with their ground


def palettes() -> dict[str, dict[str, str]]:
    """The colours in the style sheet: light and dark."""
    text = (resources.files("lm_eval_ja.report") / "assets" / "report.css").read_text(encoding="utf-8")
    light, _, dark = text.partition('data-theme="dark"')
    return {
        name: dict(re.findall(r"--((?:c|o-)\w+|panel): (#\w+);", part))
        for name, part in (("light", light.partition("@media")[0]), ("dark", dark.partition("}")[0]))
    }


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["models", "outcomes"])
def test_colours_can_be_told_apart_whatever_the_eye(theme, kind):
    coloraide = pytest.importorskip("coloraide", reason="simulates colour blindness (Machado 2009)")
    own = palettes()[theme]
    names = [name for name in own if name.startswith("o-" if kind == "outcomes" else "c")]
    assert len(names) == 10
    for a, b in itertools.combinations(names, 2):
        first, second = (coloraide.Color(own[name]) for name in (a, b))
        assert first.delta_e(second, method="2000") >= PAIR, (a, b)
        for eye in ("protan", "deutan", "tritan"):
            seen = [colour.filter(eye, 1, method="machado").clip("srgb") for colour in (first, second)]
            assert seen[0].delta_e(seen[1], method="2000") >= PAIR, (eye, a, b)
    if kind == "models":
        ground = coloraide.Color(own["panel"])
        assert all(coloraide.Color(own[name]).contrast(ground) >= CHART for name in names)


def test_the_address_holds_the_view(page, report):
    page.open(report)
    page.click("[data-level=dataset]")
    page.click("[data-sort='nejumi_jaster_jnli']")
    page.js("const e = document.querySelector('#intervals'); e.click()")
    page.js(
        "const e = document.querySelector('#r-name'); e.value = 'HAYATE'; e.dispatchEvent(new Event('input'))"
    )
    page.choose("#failure-scope", "nejumi_jaster_jnli")
    page.only("jnli")
    page.js("document.querySelectorAll('#f-sets .tick input')[0].click()")
    page.click("#theme")
    page.click("#language")
    page.wait(lambda: "l=ja" in page.js("return location.hash"))
    link = page.js("return location.hash")
    rows = page.texts("#leaderboards .leaderboard:first-child tbody .name")
    assert len(rows) == 3
    assert page.texts("#leaderboards .leaderboard:first-child td.rank .value")[0] == "1"
    page.open(report, link)
    assert page.texts("#leaderboards .leaderboard:first-child tbody .name") == rows
    assert page.one("th[aria-sort]").get_attribute("data-column") == "nejumi_jaster_jnli"
    assert page.js("return document.documentElement.dataset.theme") == "light"
    assert page.js("return document.documentElement.lang") == "ja"
    assert page.js("return document.querySelector('#failure-scope').value") == "nejumi_jaster_jnli"
    assert len(page.all("#f-sets input:checked")) == 2
    assert page.js("return document.querySelector('#intervals').checked")
    page.open(report, "#charts")
    top = page.js("return document.querySelector('#charts-h').getBoundingClientRect().top")
    bar = page.js("return document.querySelector('#selection').getBoundingClientRect().bottom")
    assert bar - 1 <= top < bar + 80  # below the bar, not under it


def test_selected_models_are_one_line_that_opens(page, big):
    page.open(big)
    page.js("[...document.querySelectorAll('#selection-line .quiet')].at(-2).click()")  # all
    page.settle()
    assert page.js("return document.querySelector('#selection').offsetHeight") < 50
    page.click("#picker-button")
    page.one("#picker-text").send_keys("model-1")
    assert 0 < len(page.all("#picker-list input")) < 20
    page.js("document.querySelector('#picker-list input').click()")
    page.settle()
    assert "19 of 20" in page.text("#picker-button")
    # The charts draw as many as there are colours, and say so.
    assert "10 of the 19" in page.text("#bars .note")


def test_a_tick_changes_one_row(page, big):
    page.open(big)
    page.js(
        "window.seen = new Set(); new MutationObserver((all) => { for (const one of all) "
        "seen.add(one.target.closest?.('tr') ?? one.target); }).observe("
        "document.querySelector('#leaderboards'), {subtree: true, childList: true, attributes: true});"
        "document.querySelector('#leaderboards tbody tr:nth-child(12) input').click()"
    )
    assert page.js("return [seen.size, [...seen].every((e) => e.tagName === 'TR')]") == [1, True]
    page.js("seen.clear(); document.querySelector('#theme').click()")
    assert page.js("return seen.size") == 0  # colours are the style sheet's
    page.settle()


def test_search_says_where_it_looked_and_offers_all(page, report):
    page.open(report)
    page.js("[...document.querySelectorAll('#selection-line .quiet')].at(-1).click()")
    page.click("#leaderboards tbody tr:nth-child(1) input")
    page.one("#f-text").send_keys("Sure, I can help")
    page.wait(
        lambda: "searched in the questions and the answers of the 1 selected" in page.text("#found-text")
    )
    before = page.found()
    page.click("#search-all")
    page.wait(lambda: page.found() > before)


def test_line_diff_judgments_and_a_question_that_closes(page, report):
    page.open(report)
    page.only("chabsa")
    page.wait(lambda: page.found() == 20 and page.all("#list button"))
    page.js("document.querySelector('#list button').click()")
    page.wait(lambda: page.all("#detail .diff"))
    assert page.all("#detail .diff .matched, #detail .diff .missing")
    page.only("jnli")
    page.wait(lambda: not page.all("#detail .card"))
    page.js("document.querySelector('#filters [type=reset]').click()")
    page.open(report, "#q=mtbench/mtbench-1")
    page.wait(lambda: page.all("#judgments"))
    page.click("#judgments")
    assert page.all("#detail details.judgment[open]") != []
    assert page.all("#detail details.judgment:not([open])") == []


def test_significance_agrees_with_compare(page, report, real):
    page.open(report)
    runs = {run.key: run for run in read_runs([report.parent / "out"]).runs}
    keys = page.js(
        "return [...document.querySelectorAll('.leaderboard:first-child tbody .name')].map((e) => e.title)"
    )
    page.choose("#baseline", page.js("return document.querySelectorAll('#baseline option')[2].value"))
    page.settle()
    base = page.js("return document.querySelectorAll('#baseline option')[2].textContent")
    first = next(key for key in keys if key.endswith(base))
    for row, key in enumerate(keys[:4], 1):
        if key == first:
            continue
        cell = page.one(f".leaderboard:first-child tbody tr:nth-child({row}) td.difference")
        wanted = compare_runs(runs[first], runs[key], permutations=4000).differences[0]
        assert float(cell.get_attribute("data-difference")) == pytest.approx(wanted.difference, abs=1e-3)
        assert float(cell.get_attribute("data-p")) == pytest.approx(wanted.p, abs=0.02)
        assert float(cell.get_attribute("data-adjusted")) >= float(cell.get_attribute("data-p"))


def test_paper_is_light_and_whole(page, report):
    page.open(report)
    page.click("#theme")
    page.click("#theme")
    page.js("window.dispatchEvent(new Event('beforeprint'))")
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    page.size(700)
    assert page.js("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.js("return document.querySelector('#outcomes svg text').getAttribute('fill')") != "#e6e9ef"
    for figure in ("scatter", "bars", "outcomes"):
        box = f"document.querySelector('#{figure} svg').getBoundingClientRect()"
        assert page.js(f"return {box}.right") <= 700, figure
    wide = page.js("return [...document.querySelectorAll('#paper table')].map((e) => e.scrollWidth)")
    assert len(wide) > 2
    assert max(wide) <= 700
    assert page.js("return document.documentElement.scrollWidth") <= 700
    pdf = base64.b64decode(page.driver.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert pdf.startswith(b"%PDF")
    page.size(1400)
    page.js("window.dispatchEvent(new Event('afterprint'))")
    page.settle()
    assert page.js("return document.documentElement.dataset.theme") == "dark"
    assert page.all("#paper table") == []


def test_charts_keep_a_short_label_and_names_stay_in_place(page, report):
    page.open(report)
    labels = page.js(
        "return [...document.querySelectorAll('.canvas')].map((e) => e.getAttribute('aria-label'))"
    )
    assert all(text.startswith("Chart: ") and len(text) < 120 for text in labels)
    names = (
        "return [...document.querySelectorAll('#scatter svg text')]"
        ".map((e) => e.textContent + e.getAttribute('transform'))"
    )
    before = page.js(names)
    for _ in range(2):
        page.click("#language")
    assert page.js(names) == before
    assert sum("hayate" in name or "aozora" in name for name in before) == 5


def test_without_javascript_there_is_the_ranking(report):
    static = re.search("<noscript>(.*?)</noscript>", report.read_text(encoding="utf-8"), re.DOTALL)[1]
    assert "hayate-70b-instruct" in static
    assert re.search(r"<td>0\.\d{4} \(0\.\d{4}–0\.\d{4}\)</td>", static)


def test_export_from_the_command_line(report, tmp_path, capsys, driver):
    assert (
        main(["report", str(report.parent / "out"), "--export", str(tmp_path / "x"), "--resamples", "20"])
        == 0
    )
    names = {file.name for file in (tmp_path / "x").iterdir()}
    assert {"scores.csv", "tables.md", "tables.tex", "scatter.svg", "scatter.png", "bars.svg"} <= names
    assert (tmp_path / "x" / "scatter.png").read_bytes().startswith(b"\x89PNG")
    assert "AVG_jaster" in (tmp_path / "x" / "scatter.svg").read_text(encoding="utf-8")


def test_models_yaml_filters_the_ranking(report, page, tmp_path):
    models = tmp_path / "models.yaml"
    models.write_text(
        "example-lab/hayate-7b: {size: 7.2B, licence: MIT, labels: [sLLM]}\n'sakuragaoka/*': {size: 34}\n"
    )
    own = tmp_path / "r.html"
    runs = str(report.parent / "out")
    assert main(["report", runs, "-o", str(own), "--models", str(models), "--resamples", "20"]) == 0
    page.open(own)
    page.js(
        "const e = document.querySelector('#r-most'); e.value = '13'; e.dispatchEvent(new Event('input'))"
    )
    page.settle()
    assert page.texts(".leaderboard:first-child tbody .name") == ["example-lab/hayate-7b"]
    assert page.text(".leaderboard:first-child td.rank .value") == "1"
    bad = tmp_path / "bad.yaml"
    bad.write_text("m: {size: huge}\n")
    assert main(["report", runs, "--models", str(bad)]) == 2
