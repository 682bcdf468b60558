"""The report in a real browser when models, judges and data sets are hostile: nothing in the results can harm it."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lm_eval_ja.analysis import analyse_runs
from lm_eval_ja.report import write_html
from lm_eval_ja.results import read_runs

HITS: list[str] = []


class _Canary(BaseHTTPRequestHandler):
    def do_GET(self):
        HITS.append(self.path)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def canary() -> Iterator[str]:
    """A server that nothing must ever ask."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Canary)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    HITS.clear()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.fixture
def hostile(real: Path, tmp_path: Path, canary: str) -> Path:
    """The real run with attacks in every text that a model, a judge or a data set could have written."""
    attacks = [
        f"</script><script>window.pwned = 1; fetch('{canary}/s')</script>",
        f"<img src='{canary}/i' onerror='window.pwned = 1'><svg onload='window.pwned = 1'>",
        f'<iframe srcdoc="<script>top.pwned = 1</script>"></iframe><link rel=stylesheet href={canary}/l>',
        "--><!--<script>window.pwned = 1</script>]]>",
        "\u202e逆さま\u202d\u2066閉じない\u200b\u200f",
        "NUL\x00 ESC\x1b[31m DEL\x7f BEL\x07",
        "孤立した\ud800代理\udfff終わり",
        "あ" * 100_000,
        "\u202e" * 100_000,
        "ﷺ̷̡̢̧̨" + "\u0300" * 5000,
        "行\u2028区切り\u2029\r\n\t終",
        "{{constructor.constructor('window.pwned = 1')()}} ${window.pwned = 1} javascript:window.pwned=1",
        "__proto__",
    ]
    folder = tmp_path / "hostile"
    folder.mkdir()
    results = json.loads(next(real.glob("results_*.json")).read_text())
    date = next(real.glob("results_*.json")).name.removeprefix("results_").removesuffix(".json")
    results["model_name"] = f"lab/{attacks[0]}{attacks[1]}\u202e\x00\ud800"
    results["config"]["model_args"] = {attacks[0]: attacks[1], "pretrained": attacks[2]}
    for path in real.glob("samples_*.jsonl"):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for number, line in enumerate(lines):
            attack = attacks[number % len(attacks)]
            doc = line["doc"]
            if "turns" in doc:
                record = json.loads(line["filtered_resps"][0])
                record["answers"] = [attack, attacks[(number + 1) % len(attacks)]]
                record["judgments"][0]["judgments"][0]["text"] = attack
                record["judgments"][0]["judgments"][0]["model"] = attack
                record["judgments"][1] |= {"rating": None, "reason": attack}
                doc["turns"][1] = attack
                line["resps"] = [[[*record["answers"], attack]]]
                line["filtered_resps"] = [json.dumps(record)]
            else:
                line["resps"], line["filtered_resps"] = [[attack]], [attack.strip()]
                doc["input"] += attack
                if number == 3:
                    doc["id"] = attacks[0]
                    line["target"] = attacks[1]
        (folder / path.name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / f"results_{date}.json").write_text(json.dumps(results))
    return folder


def test_hostile_texts_are_only_texts(page, hostile, tmp_path):
    report = tmp_path / "report.html"
    write_html(analyse_runs(read_runs([hostile]), resamples=20), report)
    page.open(report)
    assert page.found() == 106
    elements = page.js("return document.querySelectorAll('iframe, img, link, object, embed').length")
    assert elements == 0
    questions = [text.rpartition(" (")[0] for text in page.texts("#f-sets .tick")]
    for own in questions:
        page.only(own)
        page.wait(lambda own=own: page.text("#f-sets summary") == own)
        for index in range(min(len(page.all("#list button")), 8)):
            page.js("document.querySelectorAll('#list button')[arguments[0]].click()", index)
            page.wait(lambda: page.all("#detail .card .text, #detail .card .muted"))
    page.js("document.querySelector('#filters [type=reset]').click()")
    page.wait(lambda: page.found() == 106)
    page.one("#f-text").send_keys("window.pwned")
    page.wait(lambda: 0 < page.found() < 106)
    page.click("#leaderboards tbody tr button.link")
    page.click("dialog button.primary")
    assert page.js("return window.pwned ?? null") is None
    assert page.js("return ({}).pwned ?? null") is None
    assert page.js("return document.querySelectorAll('script').length") <= 4 + 2 * len(questions)
    assert page.js("return document.documentElement.scrollWidth") <= 1400
    assert HITS == []


def test_odd_characters_are_visible_and_contained(page, hostile, tmp_path):
    report = tmp_path / "report.html"
    write_html(analyse_runs(read_runs([hostile]), resamples=0), report)
    page.open(report)
    assert "⟦RLO⟧⟦NUL⟧" in page.text("#leaderboards .name")
    page.one("#f-text").send_keys("代理")
    page.wait(lambda: 0 < page.found() < 106)
    page.js("document.querySelector('#list button').click()")
    page.wait(lambda: "U+D800" in page.text("#detail .card"))
    assert (
        page.js("return getComputedStyle(document.querySelector('#detail .card .text')).unicodeBidi")
        == "isolate"
    )


def test_long_texts_are_folded(page, hostile, tmp_path):
    report = tmp_path / "report.html"
    write_html(analyse_runs(read_runs([hostile]), resamples=0), report)
    page.open(report)
    page.one("#f-text").send_keys("あああああああああ")
    page.wait(lambda: 0 < page.found() < 106)
    page.js("document.querySelector('#list button').click()")
    page.wait(lambda: "Show all 100,000 characters" in page.text("#detail .card"))
    assert len(page.text("#detail .card .text")) == 3000
    page.js(
        "[...document.querySelectorAll('#detail .card button')].find((b) => /^Show all/.test(b.textContent)).click()"
    )
    assert len(page.text("#detail .card .text")) == 100_000


def test_markup_from_text_is_refused_by_the_browser(page, report):
    page.open(report)
    refused = page.js(
        "try { document.body.innerHTML = '<b>x</b>'; return 'done' } catch (e) { return e.name }"
    )
    assert refused == "TypeError"
    blocked = page.js(
        "return new Promise((done) => {"
        "document.addEventListener('securitypolicyviolation', (e) => done(e.effectiveDirective));"
        "const s = document.createElement('style'); s.textContent = 'body { color: red }'; document.head.append(s); })"
    )
    assert blocked == "style-src-elem"
    page.logs()  # the violation was asked for
