"""What comes out: tables on the command line, and the HTML file as a file. (The page itself: tests/browser.)"""

import base64
import csv
import hashlib
import io
import json
import re
from html.parser import HTMLParser
from importlib import resources

import pytest

from lm_eval_ja.analysis import analyse_runs
from lm_eval_ja.cli import main
from lm_eval_ja.report import write_html
from lm_eval_ja.report._html import embed_json
from lm_eval_ja.results import read_runs
from tests.support import small_runs as s

HOSTILE = "</script><script>alert(1)</script>\u2028\u202e\x00\x1b[31m\x9b|`=cmd\ud800"
CATEGORIES = ["coding", "extraction", "humanities", "math", "reasoning", "roleplay", "stem", "writing"]


@pytest.fixture
def two(tmp_path):
    """Two whole runs, a limited one, and one of a hostile name."""
    talks = [
        s.conversation(f"mtbench-{n}", name, ["あ", "い"], [8, 6]) for n, name in enumerate(CATEGORIES * 2)
    ]
    ratings = {**dict.fromkeys(CATEGORIES, 7.0), "score": 7.0}
    s.write_run(tmp_path / "a", [*s.whole_jaster({"jnli": 1.0}), s.mtbench(talks, ratings)], model="lab/a")
    s.write_run(tmp_path / "b", [*s.whole_jaster(), s.mtbench(talks, ratings)], model="lab/b")
    s.write_run(tmp_path / "c", s.whole_jaster(n="10of100"), model="lab/c")
    return tmp_path


def test_terminal(two, capsys):
    assert main(["report", str(two), "--resamples", "50"]) == 0
    out = capsys.readouterr().out
    first, second = out.split("table 2")[:2]
    assert first.index("lab/a") < first.index("lab/b")
    assert "lab/c" not in first
    assert (
        "not comparable with table 1: this table has only 10 per dataset; table 1 has all questions" in first
    )  # above its table
    assert "lab/c" in second
    assert re.search(r"lab/a +1 \(1–[12]\) +0\.6\d{3} \(0\.\d{4}–0\.\d{4}\)", out)
    assert all(name in out for name in ("AVG_jaster", "AVG_mtbench", "NLI", "FA", "humanities"))


def test_csv(two, capsys):
    assert main(["report", str(two), "--csv", "--resamples", "50"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert float(rows[0]["nejumi_jaster_jnli_stderr"]) == 0.05
    assert re.fullmatch("[0-9a-f]{8}", rows[0]["signature"])
    assert rows[0]["signature"] == rows[1]["signature"] != rows[2]["signature"]
    assert "nejumi_jaster_jnli=protocol:neo|" in rows[2]["signatures"]
    assert [(row["table"], row["model"], row["rank"]) for row in rows] == [
        ("1", "lab/a", "1"),
        ("1", "lab/b", "2"),
        ("2", "lab/c", ""),  # 10 of 100 questions are no place on a leaderboard
    ]
    assert float(rows[0]["nejumi_jaster_jnli"]) == 1.0
    assert float(rows[0]["nejumi_jaster_nli"]) == 0.6
    assert float(rows[0]["nejumi_low"]) < float(rows[0]["nejumi"]) < float(rows[0]["nejumi_high"])
    assert rows[2]["nejumi_mtbench"] == ""


def test_json(two, capsys):
    assert main(["report", str(two), "--json", "--resamples", "50"]) == 0
    data = json.loads(capsys.readouterr().out)
    leaderboard = data["leaderboards"][0]
    assert leaderboard["rows"][0]["run"] == "lab/a"
    assert leaderboard["rows"][0]["scores"]["nejumi_jaster_nli"]["value"] == 0.6
    assert data["leaderboards"][1]["differences"][0]["setting"] == "n"
    assert data["runs"]["lab/a"]["failures"]["nejumi_jaster_jnli"]["counts"] == {"correct": 4}


def test_markdown(two, capsys):
    assert main(["report", str(two), "--markdown", "--resamples", "50"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "### Nejumi LLM Leaderboard Neo" in lines
    rows = [line for line in lines if line.startswith("| lab/a")]
    assert len(rows) == 3
    for table in re.split("^(?!\\|)", "\n".join(lines), flags=re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines() if line.startswith("|")}) <= 1


def test_no_intervals_on_request(two, capsys):
    assert main(["report", str(two), "--json", "--resamples", "0"]) == 0
    assert "low" not in json.loads(capsys.readouterr().out)["leaderboards"][0]["rows"][0]["scores"]["nejumi"]


@pytest.mark.parametrize("form", ["--csv", "--json", "--markdown", "--latex", None])
def test_hostile_names_stay_names(tmp_path, capsys, form):
    s.write_run(tmp_path, s.whole_jaster(), model=HOSTILE.encode("utf-8", "replace").decode())
    assert main(["report", str(tmp_path), "--resamples", "0", *([form] if form else [])]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\x00" not in out
    assert "\u202e" not in out
    assert "\x9b" not in out
    if form == "--json":
        json.loads(out)


def test_a_formula_is_no_formula_in_a_spreadsheet(tmp_path, capsys):
    s.write_run(tmp_path, s.whole_jaster(), model="=HYPERLINK(1)")
    assert main(["report", str(tmp_path), "--csv", "--resamples", "0"]) == 0
    assert next(csv.DictReader(io.StringIO(capsys.readouterr().out)))["model"] == "'=HYPERLINK(1)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["\x9b31m\u202e/nowhere"], r"\x9b31m\u202e/nowhere doesn't exist"),
        (["{}/nowhere"], "doesn't exist"),
        (["{}"], "no results in"),
        (["{}", "--resamples", "-1"], "must be 0 or more"),
        (["{}", "--wandb", "project"], "is not KEY=VALUE"),
    ],
)
def test_bad_input(tmp_path, capsys, arguments, message):
    assert main(["report", *(argument.format(tmp_path) for argument in arguments)]) == 2
    assert message in capsys.readouterr().err


def test_a_file_that_cannot_be_written(two, capsys):
    blocker = two / "file"
    blocker.write_text("")
    assert main(["report", str(two), "-o", str(blocker / "report.html"), "--resamples", "0"]) == 2
    assert "choose another -o" in capsys.readouterr().err


def test_problems_are_told_once_per_kind(tmp_path, capsys):
    for name in "abc":
        own = [task for task in s.whole_jaster() if "jnli" in task["name"]]
        own[0]["samples"] = None
        s.write_run(tmp_path / name, own, model=name)
    assert main(["report", str(tmp_path), "--resamples", "0"]) == 0
    error = capsys.readouterr().err
    assert error.count("--log_samples") == 1
    assert "2 more of the same kind (no_samples)" in error


# ----------------------------------------------------------------------------------------------- the HTML file


class _Page(HTMLParser):
    """Scripts, styles, and everything that could run or load."""

    def __init__(self, text):
        super().__init__(convert_charrefs=False)
        self.blocks, self.attributes, self.policy, self._open = [], [], "", None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values["content"]
        if tag in {"script", "style"}:
            self._open = [tag, values, ""]

    def handle_data(self, data):
        if self._open:
            self._open[2] += data

    def handle_endtag(self, tag):
        if self._open and tag == self._open[0]:
            self.blocks.append(tuple(self._open))
            self._open = None


def page(folder) -> str:
    path = folder / "page.html"
    write_html(analyse_runs(read_runs([folder]), resamples=20), path)
    return path.read_text(encoding="utf-8")


def test_the_policy_allows_exactly_what_is_there(two):
    own = _Page(page(two))
    for tag, attributes, text in own.blocks:
        if attributes.get("type"):
            continue
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in own.policy, tag
    assert len(re.findall("sha256-", own.policy)) == 3
    assert "default-src 'none'" in own.policy
    assert "unsafe" not in own.policy


def test_nothing_is_loaded_and_nothing_runs_from_attributes(two):
    for tag, name, value in _Page(page(two)).attributes:
        assert not name.startswith("on"), (tag, name)
        assert name not in {"src", "style", "srcset", "action", "data"}, (tag, name)
        assert name != "href" or value.startswith("#"), (tag, value)


def test_hostile_texts_do_not_end_their_blocks(tmp_path):
    lines = [s.question("jnli-test-0", HOSTILE, 0.0, gold="neutral", prediction=HOSTILE)]
    own = s.task("jnli", "exact_match", lines)
    own["samples"] = None
    path = s.write_run(tmp_path, [own], model="x")
    sample = s.task("jnli", "exact_match", lines)["samples"][0]
    (tmp_path / f"samples_nejumi_jaster_jnli_{s.DATE}.jsonl").write_text(json.dumps(sample) + "\n")
    raw = json.loads(path.read_text())
    raw["model_name"] = HOSTILE
    path.write_text(json.dumps(raw))
    text = page(tmp_path)
    assert "alert(1)</script>" not in text
    text.encode("utf-8")
    blocks = _Page(text).blocks
    assert [attributes.get("type") for _, attributes, _ in blocks] == [
        None,
        "application/json",
        "text/plain",
        "text/plain",
        None,
        None,
    ]
    core = json.loads(blocks[1][2])
    assert core["runs"][0]["key"] == HOSTILE


def test_texts_that_runs_share_are_in_the_file_once(tmp_path):
    def size(models):
        for number in range(models):
            lines = [s.question(f"niilc-test-{n}", f"答え{n}", 1.0, gold=f"答え{n}" * 50) for n in range(100)]
            s.write_run(
                tmp_path / f"{models}" / f"{number}", [s.task("niilc", "char_f1", lines)], model=f"m{number}"
            )
        return len(page(tmp_path / f"{models}"))

    assert size(6) - size(2) < 4 * 4000


def test_embedded_json_is_plain():
    text = embed_json({"a": HOSTILE, "b": "<!--&"})
    assert text.isascii()
    assert not set("<>&") & set(text)
    assert json.loads(text) == {"a": HOSTILE, "b": "<!--&"}


def test_the_charting_library_is_the_one_named():
    vendor = resources.files("lm_eval_ja.report") / "vendor"
    digest = hashlib.sha256((vendor / "echarts.min.js").read_bytes()).hexdigest()
    assert digest in (vendor / "README.md").read_text(encoding="utf-8")
    assert "</script" not in (vendor / "echarts.min.js").read_text(encoding="utf-8").lower()
    assert all((vendor / f"LICENSE-{name}.txt").is_file() for name in ("echarts", "zrender", "d3"))


def _strings(language):
    """Texts of the page by key."""
    text = (resources.files("lm_eval_ja.report") / "assets" / f"strings.{language}.js").read_text(
        encoding="utf-8"
    )
    found = re.findall(r"^  (\w+): (.*)$", text, re.MULTILINE)
    assert len(dict(found)) == len(found)
    return dict(found)


def test_both_languages_have_every_text():
    english, japanese = _strings("en"), _strings("ja")
    assert list(english) == list(japanese)
    for key, text in english.items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", japanese[key])), key


def test_every_text_that_is_used_exists():
    assets = resources.files("lm_eval_ja.report") / "assets"
    keys = set(_strings("en"))
    used = set(
        re.findall(r'data-t(?:-label)?="(\w+)"', (assets / "template.html").read_text(encoding="utf-8"))
    )
    for file in assets.iterdir():
        if file.name.endswith(".js"):
            used |= set(re.findall(r'\bt\("(\w+)"', file.read_text(encoding="utf-8")))
    assert used <= keys
