"""The report in a real browser: what people do with it."""

import pytest

from lm_eval_ja.analysis import analyse_runs
from lm_eval_ja.report import write_html
from lm_eval_ja.results import RunSet, read_runs
from tests.support import small_runs as s
from tests.support.made_up_runs import jaster_task, run

FIGURES = ("radar-1", "radar-2", "scatter", "runtime", "bars", "outcomes")


def test_twenty_models_load_without_building_what_is_not_seen(page, big):
    assert big.stat().st_size < 15e6
    page.open(big)
    nodes = page.js("return document.querySelectorAll('*').length")
    assert nodes < 20_000
    assert len(page.all("#leaderboards tbody tr")) == 20
    assert page.found() == 1360
    page.click("#leaderboards tbody tr:nth-child(9) input")  # and it reacts
    assert len(page.all("#selection .pick")) == 6


def test_ranking_is_complete_and_sorts(page, report):
    page.open(report)
    headers = page.texts("#leaderboards .leaderboard:first-child thead th")
    for name in (
        "Overall",
        "AVG_jaster",
        "AVG_mtbench",
        "NLI",
        "FA",
        "writing",
        "Answers",
        "Shots",
        "Judge",
        "Date",
        "Signature",
    ):
        assert any(name in header for header in headers), name
    first = "#leaderboards .leaderboard:first-child"
    overall = [
        float(value)
        for value in page.js(
            f"return [...document.querySelectorAll('{first} td.ranked:nth-child(3)')].map((e) => e.dataset.value)"
        )
    ]
    assert overall == sorted(overall, reverse=True)
    assert len(overall) == 6

    def column(name: str) -> list[float]:
        index = next(i for i, header in enumerate(page.texts(f"{first} thead th")) if header.startswith(name))
        return [float(text[:6]) for text in page.texts(f"{first} tbody tr > :nth-child({index + 1})")]

    page.click(f"{first} [data-sort='nejumi_jaster_fa']")
    assert column("FA") == sorted(column("FA"), reverse=True)
    assert page.one(f"{first} th[aria-sort]").text.startswith("FA")
    assert page.one(f"{first} th[aria-sort]").get_attribute("aria-sort") == "descending"
    page.click(f"{first} [data-sort='nejumi_jaster_fa']")
    assert column("FA") == sorted(column("FA"))
    page.click(f"{first} [data-sort='model']")
    names = page.texts(f"{first} .name")
    assert names == sorted(names)
    assert page.js(
        f"return document.activeElement === document.querySelector(\"{first} [data-sort='model']\")"
    )


def test_intervals_and_ranks_are_shown(page, report):
    page.open(report)
    low, high = (float(part) for part in page.text("td.ranked .interval").split("–"))
    assert low < float(page.text("td.ranked .value")) < high
    assert page.one("td.rank").get_attribute("title").startswith("rank 1, 95 % interval 1 to ")


def test_what_is_not_comparable_stands_apart(page, report):
    page.open(report)
    assert len(page.all(".leaderboard")) == 2
    assert "judge: here judge-b; in the first table judge-a" in page.text(
        ".leaderboard:nth-child(2) .differs"
    )
    assert page.text(".leaderboard:nth-child(2) td.rank .value") == "1"  # ranked among themselves
    page.click(".leaderboard:nth-child(2) button[aria-pressed]")
    assert len(page.all("#selection .pick")) == 2
    assert len(page.all("#failure-table tbody tr")) == 2


def test_datasets_on_request(page, report):
    page.open(report)
    before = len(page.all(".leaderboard:first-child thead th"))
    page.click("[data-level=dataset]")
    assert len(page.all(".leaderboard:first-child thead th")) == before - 15 + 16
    assert any(text.startswith("wiki_coreference") for text in page.texts("thead th"))


def test_every_chart_is_drawn(page, report):
    page.open(report)
    page.js("for (const own of document.querySelectorAll('.data')) own.open = true")
    for figure in FIGURES:
        shapes = page.js(f"return document.querySelectorAll('#{figure} svg path, #{figure} svg text').length")
        assert shapes > 15, figure
        box = page.js(
            f"const b = document.querySelector('#{figure} svg').getBoundingClientRect(); return [b.width, b.height]"
        )
        assert min(box) > 150, figure
        page.wait(
            lambda figure=figure: (
                page.js(f"return document.querySelectorAll('#{figure} details tbody tr').length") >= 5
            )
        )
    assert "AVG_mtbench" in page.text("#scatter svg")
    for name in ("NLI", "FA", "roleplay"):
        assert name in page.text("#bars svg")


def test_selected_models_are_what_charts_show(page, report):
    page.open(report)
    page.js("document.querySelector('#radar-1 .data').open = true")
    page.click("#selection .pick")
    assert len(page.all("#selection .pick")) == 4
    page.wait(lambda: len(page.all("#radar-1 tbody tr")) == 4)
    assert len(page.all("#leaderboards input:checked")) == 4
    page.js("[...document.querySelectorAll('#selection button.quiet')].pop().click()")  # none
    page.settle()
    assert "No model is selected" in page.text("#radar-1")
    assert page.all("#radar-1 svg") == []
    page.click("#leaderboards tbody tr:nth-child(6) input")
    page.js("document.querySelector('#radar-1 .data').open = true")
    name = page.text("#leaderboards tbody tr:nth-child(6) .name")
    page.wait(lambda: page.texts("#radar-1 tbody th") == [name])


def test_failures_lead_to_the_answers(page, report):
    page.open(report)
    assert (
        sum(map(int, page.texts("#failure-table tbody tr:first-child td:nth-child(n+6)"))) == 11 * 20 + 5 * 4
    )
    for row, cell in ((1, 6), (2, 8), (5, 12)):
        selector = f"#failure-table tbody tr:nth-child({row}) td:nth-child({cell})"
        count = int(page.text(selector))
        if not count:
            continue
        page.click(f"{selector} button")
        page.wait(lambda count=count: page.found() == count)
    page.choose("#failure-scope", "nejumi_jaster_jnli")
    assert sum(map(int, page.texts("#failure-table tbody tr:first-child td:nth-child(n+6)"))) == 20
    page.choose("#failure-scope", "nejumi_mtbench")
    assert "rated" in page.text("#failure-table thead")


def test_filters_narrow_the_list(page, report):
    page.open(report)
    assert page.found() == 11 * 20 + 5 * 4 + 16
    page.choose("#f-category", "QA")
    page.wait(lambda: page.found() == 40)
    page.choose("#f-outcome", "x")
    page.wait(lambda: 0 < page.found() < 40)
    page.js("document.querySelector('#filters [type=reset]').click()")
    page.wait(lambda: page.found() == 256)
    page.only("mtbench")
    page.wait(lambda: page.found() == 16)


def test_search_looks_into_outputs_golds_and_judgments(page, report):
    page.open(report)
    search = page.one("#f-text")
    for text, least, most in (
        ("ＳＵＲＥ, i can help", 1, 100),
        ("木星", 3, 10),
        ("Rating: [[", 16, 16),
        ("jsem-test-3", 1, 1),
        ("決して現れない文", 0, 0),
    ):
        search.clear()
        search.send_keys(text)
        page.wait(
            lambda text=text: page.js("return new URLSearchParams(location.hash.slice(1)).get('s')") == text
        )
        page.wait(lambda least=least, most=most: least <= page.found() <= most)


def test_a_question_side_by_side(page, report):
    page.open(report)
    page.choose("#f-category", "QA")
    page.wait(lambda: page.all("#list [data-question='niilc/niilc-test-0']"))
    page.click("#list [data-question='niilc/niilc-test-0']")
    page.wait(lambda: len(page.all("#detail .card")) == 5)
    assert "木星" in page.text("#detail .gold")
    headings = page.texts("#detail .card:first-child h4")
    assert headings[0] == "Output"
    assert "### 入力:" in page.text("#detail .card details")
    assert page.js("return document.activeElement.id") == "detail"
    page.wait(lambda: "q=niilc" in page.js("return location.hash"))
    assert page.one("#list [aria-current]").get_attribute("data-question") == "niilc/niilc-test-0"
    page.driver.find_element("css selector", "#detail").send_keys("j")
    page.wait(lambda: "niilc-test-1" in page.text("#detail h3"))


def test_clean_up_is_shown_before_and_after(page, report):
    page.open(report)
    page.choose("#f-category", "QA")
    page.one("#f-text").send_keys("もちろんです")
    page.wait(lambda: 0 < page.found() < 40)
    for own in page.js(
        "return [...document.querySelectorAll('#list button')].map((b) => b.dataset.question)"
    )[:3]:
        page.click(f"#list [data-question='{own}']")
        page.wait(lambda own=own: own.split("/")[1] == page.text("#detail h3"))
        assert page.all("#detail .card .badge.long")


def test_a_conversation_shows_turns_and_judgments(page, report):
    page.open(report, "#q=mtbench/mtbench-1")
    page.wait(lambda: len(page.all("#detail .cards")) == 2)
    assert len(page.all("#detail .card")) == 10
    assert "Turn 1" in page.text("#detail")
    assert "Turn 2" in page.text("#detail")
    assert "Reference answer" in page.text("#detail .asked")
    assert "Judgment by judge-a · Rating" in page.text("#detail .card")
    assert "Rating: [[" in page.text("#detail .card details")


def test_deep_links(page, report):
    page.open(report, "#q=jsquad/jsquad-test-15&o=w&d=jsquad")
    page.wait(lambda: page.text("#detail h3") == "jsquad-test-15")
    assert page.js("return document.querySelector('#f-outcome').value") == "w"
    assert page.js("return document.querySelector('#questions').getBoundingClientRect().top") < 400
    page.click("#leaderboards tbody tr:nth-child(6) input")
    page.wait(lambda: len(page.all("#detail .card")) == 6)
    link = page.js("return location.hash")
    page.open(report, link)
    page.wait(lambda: len(page.all("#detail .card")) == 6)
    page.js("location.hash = '#q=jnli/jnli-test-2&m='")
    page.wait(lambda: page.text("#detail h3") == "jnli-test-2")
    assert page.all("#selection .pick") == []


@pytest.mark.parametrize(
    "hash_",
    [
        "#",
        "#ranking",
        "#q=none/none",
        "#t=99&m=zz&d=x&c=y&o=q&of=z",
        "#q=%E0%A4%A",
        "#=&=&q=/",
        "#s=%00%3Cb%3E",
    ],
)
def test_broken_links_open_the_report(page, report, hash_):
    page.open(report, hash_)
    assert len(page.all("#leaderboards tbody tr")) == 8


def test_languages_and_themes(page, report):
    page.open(report)
    background = "return getComputedStyle(document.body).backgroundColor"
    light = page.js(background)
    page.click("#language")
    page.wait(lambda: page.js("return document.documentElement.lang") == "ja")
    assert page.text("#ranking h2") == "ランキング"
    assert "途中切れ" in page.text("#failure-table thead") or "正解" in page.text("#failure-table thead")
    page.click("#theme")
    page.click("#theme")
    assert page.js(background) != light
    assert page.js("return document.querySelector('#radar-1 svg text').getAttribute('fill')") == "#e6e9ef"
    page.click("#language")
    assert page.text("#ranking h2") == "Ranking"


def test_the_other_language_keeps_the_rows(page, report):
    """Laying out the whole ranking again takes longer than a reader waits; its words change all the same."""
    page.open(report)
    row = "document.querySelector('.leaderboard.current tbody tr')"
    head = "return [...document.querySelectorAll('.leaderboard.current thead th')].map((e) => e.textContent + e.title)"
    words = (
        "return [...document.querySelectorAll('.leaderboard.current tbody *')]"
        ".map((e) => e.title + e.ariaLabel + e.textContent)"
    )
    english = page.js(head), page.js(words)
    page.js(f"{row}.mark = true")
    page.click("#language")
    assert page.js(f"return {row}.mark")
    japanese = page.js(head), page.js(words)
    page.click("#theme")
    page.js("arguments[0].click()", page.one("[data-level]"))  # draws it all anew
    page.settle()
    level = page.js("return document.querySelectorAll('.leaderboard.current thead th').length")
    assert level == len(japanese[0])
    assert (page.js(head), page.js(words)) == japanese
    assert not page.js(f"return {row}.mark")
    page.click("#language")
    assert (page.js(head), page.js(words)) == english


def test_settings_of_a_run(page, report):
    page.open(report)
    page.click("#leaderboards tbody tr button.link")
    assert page.one("dialog[open]")
    assert "protocol:neo" in page.text("dialog")
    assert "results_" in page.text("dialog")
    page.click("dialog button.primary")
    assert page.all("dialog[open]") == []


@pytest.mark.parametrize("width", [390, 768, 1400])
def test_nothing_sticks_out(page, report, width):
    page.size(width)
    page.open(report, "#q=mtbench/mtbench-1")
    page.wait(lambda: page.all("#detail .card"))
    assert page.js("return document.documentElement.scrollWidth") <= width
    for figure in FIGURES:
        assert page.js(
            f"return document.querySelector('#{figure}').scrollWidth <= document.querySelector('#{figure}').clientWidth"
        )


def test_a_table_with_many_missing_scores_scrolls_alone(page, tmp_path):
    """What stands for screen readers in its cells must not widen the page."""
    tasks = [
        jaster_task(dataset, [1.0, 0.0], task=f"nejumi4_{dataset}_{shots}shot", protocol="nejumi4")
        for dataset in ("jnli", "jamp", "mawps", "niilc")
        for shots in (0, 2)
    ]
    made_up = run("m", tasks)
    path = tmp_path / "report.html"
    write_html(analyse_runs(RunSet((made_up,)), resamples=50), path)
    page.size(1000)
    page.open(path)
    assert page.js("return [...document.querySelectorAll('.scroll')].some((e) => e.scrollWidth > 1500)")
    assert page.js("return document.documentElement.scrollWidth") <= 1000


def test_turning_the_phone_redraws(page, report):
    page.size(390)
    page.open(report)
    tall = page.js("return document.querySelector('#bars .canvas').clientHeight")
    page.size(1400)
    page.wait(lambda: page.js("return document.querySelector('#bars .canvas').clientHeight") < tall)
    page.wait(
        lambda: page.js("return document.querySelector('#bars svg').getBoundingClientRect().width") > 1000
    )


def test_keyboard_alone(page, report):
    from selenium.webdriver.common.keys import Keys

    page.open(report)
    body = page.one("body")
    body.send_keys(Keys.TAB)
    assert page.js("return document.activeElement.className") == "skip"
    page.driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert page.js("return document.activeElement.id") == "content"
    assert "m=" in page.js("return location.hash")  # the state of the page is not lost
    page.one("body").send_keys("/")
    assert page.js("return document.activeElement.id") == "f-text"
    page.wait(lambda: page.all("#list button"))
    page.js("document.querySelector('#list button').focus()")
    page.driver.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    page.driver.switch_to.active_element.send_keys(Keys.ENTER)
    page.wait(lambda: page.text("#detail h3") == "jamp-test-1")


def test_names_for_screen_readers(page, report):
    page.open(report, "#q=jnli/jnli-test-0")
    page.wait(lambda: page.all("#detail .card"))
    unnamed = page.js(
        """const wanted = 'button, input, select, a, [role=img], [role=region], dialog, section, table';
        const named = (e) => e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length
          || e.getAttribute('aria-labelledby');
        return [...document.querySelectorAll(wanted)].filter((e) => e.getClientRects().length && !named(e))
        .map((e) => e.outerHTML.slice(0, 200))"""
    )
    assert unnamed == []
    assert len(page.all("h1")) == 1
    assert page.js(
        "return [...document.querySelectorAll('table')].every((t) => t.caption || t.closest('dialog'))"
    )
    ids = page.js("return [...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids))
    assert page.one("#found-text").get_attribute("aria-live") == "polite"


def test_print(page, report):
    page.open(report)
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert page.js("return getComputedStyle(document.querySelector('.jump')).display") == "none"
    assert page.js("return getComputedStyle(document.querySelector('.ranking')).display") == "table"
    for part, style in (
        (".lead", "breakInside"),
        (".failures", "breakInside"),
        (".section-head", "breakAfter"),
    ):
        assert page.js(f"return getComputedStyle(document.querySelector('{part}')).{style}") == "avoid", part
    assert page.js(
        "return [...document.querySelectorAll('.canvas svg')].every("
        "(chart) => parseFloat(getComputedStyle(chart).maxHeight) < innerHeight)"
    )
    pdf = page.driver.execute_cdp_cmd("Page.printToPDF", {"landscape": True})["data"]
    assert len(pdf) > 50_000


def test_what_the_page_says_of_intervals(page, report):
    """They are computed, places are drawn."""
    page.open(report)
    page.settle()
    about = page.text("#about")
    assert "nothing in them is drawn" in about
    assert "bootstrap" not in about


def test_the_real_run_as_it_is(page, real_report):
    page.open(real_report)
    assert "not a benchmark" in page.text(".banner")
    assert page.found() == 106
    assert len(page.all("#leaderboards tbody tr")) == 1


RATINGS = dict.fromkeys(
    ("coding", "extraction", "humanities", "math", "reasoning", "roleplay", "stem", "writing"), 7.0
)
TALKS = [s.conversation(f"mtbench-{n}", name, ["あ", "い"], [8, 6]) for n, name in enumerate([*RATINGS] * 2)]
CONVERSATIONS = s.mtbench(TALKS, {**RATINGS, "score": 7.0})
SILENT = [{**task, "samples": None} for task in s.whole_jaster()]


@pytest.mark.parametrize(
    ("tasks", "drawn", "questions"),
    [
        (SILENT, {"radar-1", "runtime", "bars"}, 0),
        (s.whole_jaster(), {"radar-1", "runtime", "bars", "outcomes"}, 64),
        ([CONVERSATIONS], {"radar-1", "runtime", "bars", "outcomes"}, 16),
        (s.whole_jaster()[2:3], {"runtime", "bars", "outcomes"}, 4),
        ([s.task("jnli", "exact_match", [s.question("jnli-test-0", "neutral", None)])], {"outcomes"}, 1),
    ],
    ids=["without samples", "jaster", "mtbench", "one task", "no score"],
)
def test_reports_of_parts(page, tmp_path, tasks, drawn, questions):
    s.write_run(tmp_path, tasks)
    path = tmp_path / "report.html"
    write_html(analyse_runs(read_runs([tmp_path]), resamples=20), path)
    page.open(path)
    shown = {name for name in FIGURES if page.all(f"#{name} svg")}
    assert shown == drawn
    if questions:
        assert page.found() == questions
    else:
        assert "--log_samples" in page.text("#found")
        assert "--log_samples" in page.text("#outcomes")
        assert "Samples are missing" in page.text("#notices")
