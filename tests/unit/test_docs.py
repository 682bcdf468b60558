"""What the documentation says, held against the package: links, commands, options, tasks, figures.

Run as a script it prints the tables of docs/datasets.md.
"""

import argparse
import dataclasses
import itertools
import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import lm_eval_ja
from lm_eval_ja.cli import _sweep, build_parser
from lm_eval_ja.datasets import MTBENCH_CATEGORIES, MTBENCH_REVISIONS, available, packaged
from lm_eval_ja.datasets.store import _archive, _download, _fetch
from lm_eval_ja.judge import JudgeConfig, _secrets, _transport, batches
from lm_eval_ja.judge.options import JudgeOptions
from lm_eval_ja.protocols import DatasetRules, find_conversation, load_protocol, protocol_names
from lm_eval_ja.tasks import mtbench
from lm_eval_ja.tasks.options import AnswerOptions, JasterOptions

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(lm_eval_ja.__file__).parent
DOCS = sorted([*ROOT.glob("README*.md"), ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])

_LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+)\)")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_FENCED = re.compile(r"^```(?:sh|bash|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:^    .*\n?)+", re.MULTILINE)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_FLAG = re.compile(r"--[a-z][a-zA-Z_-]*")
_TASK = re.compile(r"(?<![\w./-])(?:nejumi|llm_jp_eval)(?:_[a-z0-9][a-z0-9-]*)*_?(?![\w-])(?P<more>[<*{…]?)")
_VARIABLE = re.compile(r"LM_EVAL_JA_[A-Z_]*[A-Z](?![A-Z_]*…)")
GITHUB = {"raw.githubusercontent.com", "codeload.github.com"}
_ENDS = {"|", "||", "&&", ";", "&", ">", "2>", "<"}


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


each_document = pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)


# ------------------------------------------------------------------------------------------------------- links


def anchors(path: Path) -> set[str]:
    """Anchors that GitHub makes of a file's headings."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", text_of(path)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@each_document
def test_every_link_leads_somewhere(path: Path) -> None:
    dead = []
    for link in _LINK.findall(_FENCE.sub("", text_of(path))):
        parts = urlsplit(link)
        if parts.scheme:
            continue
        target = (path.parent / parts.path).resolve() if parts.path else path
        if not target.exists() or (parts.fragment and parts.fragment not in anchors(target)):
            dead.append(link)
    assert dead == []


def test_the_index_links_every_document() -> None:
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / urlsplit(link).path).resolve() for link in _LINK.findall(text_of(index))}
    assert {path for path in index.parent.rglob("*.md") if path != index} <= linked


@each_document
def test_no_place_of_a_certain_machine_is_named(path: Path) -> None:
    assert re.findall(r"/(?:work|root|home/\w+)/|/tmp/w\b", text_of(path)) == []


@each_document
def test_nothing_is_left_to_be_filled_in(path: Path) -> None:
    assert re.findall(r"@@\w*@@|\bTODO\b|\bTBD\b", text_of(path)) == []


# ---------------------------------------------------------------------------------------------------- commands


def commands(text: str) -> Iterator[list[str]]:
    """Command lines of lm_eval and lm-eval-ja in blocks and spans of code, as words."""
    outside = _FENCE.sub("", text)
    blocks = [*_FENCED.findall(text), *_INDENTED.findall(outside)]
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    for line in [*lines, *_SPAN.findall(outside)]:
        lexer = shlex.shlex(line.strip().removeprefix("$ "), posix=True, punctuation_chars="|&;<>")
        lexer.whitespace_split = True
        try:
            words = list(lexer)
        except ValueError:  # prose, or output with an apostrophe
            continue
        for start, word in enumerate(words):
            if Path(word).name in {"lm-eval-ja", "lm_eval"} and (start == 0 or _introduces(words[start - 1])):
                end = next((i for i in range(start, len(words)) if words[i] in _ENDS), len(words))
                yield words[start:end]


def _introduces(word: str) -> bool:
    return word in _ENDS or "=" in word or word == "-m"


def flags_of(parser: argparse.ArgumentParser) -> set[str]:
    return {flag for action in parser._actions for flag in action.option_strings}


def subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    return next(a.choices for a in parser._actions if isinstance(a, argparse._SubParsersAction))


@cache
def ours() -> dict[str, set[str]]:
    found = {name: flags_of(parser) for name, parser in subparsers(build_parser()).items()}
    return {**found, "sweep": flags_of(_sweep.build_parser())}  # which takes the options of lm_eval run, too


@cache
def harness() -> dict[str, set[str]]:
    from lm_eval._cli.harness import HarnessCLI

    return {name: flags_of(parser) for name, parser in subparsers(HarnessCLI()._parser).items()}


@each_document
def test_every_command_and_its_flags_exist(path: Path) -> None:
    wrong = []
    for program, *words in commands(text_of(path)):
        known = ours() if program.endswith("lm-eval-ja") else harness()
        bare = words[0] if words else ""
        if bare in known:
            flags = known[bare]
        elif program.endswith("lm_eval"):
            flags = known["run"]
        elif bare in {"", "--help", "--version", "COMMAND", "<command>"}:
            continue
        else:
            wrong.append(f"{program} {bare}")
            continue
        given = {word.partition("=")[0] for word in words if _FLAG.fullmatch(word.partition("=")[0])}
        wrong += [f"{program} {bare} {flag}" for flag in sorted(given - flags)]
    assert wrong == []


@each_document
def test_every_flag_that_is_named_alone_exists(path: Path) -> None:
    known = {"--help", "--version"}.union(*ours().values(), *harness().values())
    spans = [span for span in _SPAN.findall(_FENCE.sub("", text_of(path))) if span.startswith("--")]
    assert {span.split()[0].partition("=")[0] for span in spans} - known == set()


def test_every_command_of_ours_is_documented() -> None:
    together = "\n".join(text_of(path) for path in DOCS)
    assert [name for name in ours() if f"lm-eval-ja {name}" not in together] == []


# ----------------------------------------------------------------------------------------------------- options


def option_table(heading: str) -> dict[str, str]:
    """Default by option, from the table under a heading of docs/options.md."""
    section = text_of(ROOT / "docs" / "options.md").split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return dict(re.findall(r"^\| `(\w+)` \| `?([^|`]*)`? \|", section, re.MULTILINE))


@pytest.mark.parametrize(
    ("heading", "options"),
    [
        ("Options of jaster", JasterOptions),
        ("Options of all tasks", AnswerOptions),
        ("Options of the judge", JudgeOptions),
    ],
)
def test_options_and_their_defaults_are_those_of_the_package(heading: str, options: type) -> None:
    expected = {
        field.name: "none" if field.default is None else json.dumps(field.default).strip('"')
        for field in dataclasses.fields(options)
    }
    assert option_table(heading) == expected


@each_document
def test_metadata_in_commands_is_understood(path: Path) -> None:
    known = {
        field.name
        for options in (JasterOptions, AnswerOptions, JudgeOptions)
        for field in dataclasses.fields(options)
    }
    for words in commands(text_of(path)):
        for flag, value in itertools.pairwise(words):
            if flag == "--metadata" and value.startswith("{"):
                assert set(json.loads(value)) <= known, value


def known_variables() -> set[str]:
    sources = [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("conftest.py")]
    named = {name for path in sources for name in _VARIABLE.findall(text_of(path))}
    judge = {field.name.upper() for field in dataclasses.fields(JudgeOptions) if field.name != "data"}
    return named | {f"LM_EVAL_JA_{name}" for name in judge}


@each_document
def test_every_environment_variable_exists(path: Path) -> None:
    assert set(_VARIABLE.findall(text_of(path))) - known_variables() == set()


def test_every_environment_variable_for_users_is_in_the_options() -> None:
    used = {name for path in PACKAGE.rglob("*.py") for name in _VARIABLE.findall(text_of(path))}
    assert used - set(_VARIABLE.findall(text_of(ROOT / "docs" / "options.md"))) == set()


# ------------------------------------------------------------------------------------------------------- tasks


@cache
def task_names() -> set[str]:
    files = (PACKAGE / "tasks").rglob("*.yaml")
    return {
        name for file in files for name in re.findall(r"^(?:task|group): (\S+)$", text_of(file), re.MULTILINE)
    }


@each_document
def test_every_task_exists(path: Path) -> None:
    unknown = set()
    for match in _TASK.finditer(text_of(path)):
        name = match[0].removesuffix(match["more"])
        if match["more"] or name.endswith("_"):  # nejumi_jaster_<dataset>, llm_jp_eval_*
            if not any(known.startswith(name) for known in task_names()):
                unknown.add(match[0])
        elif name not in task_names():
            unknown.add(name)
    assert unknown == set()


# ---------------------------------------------------------------------------------------------------- datasets


def _origin(url: str) -> str:
    """Where a raw file comes from, as a link."""
    parts = urlsplit(url)
    folder, _, file = parts.path.rpartition("/")
    if parts.netloc in GITHUB:
        repository = "/".join(parts.path.split("/")[1:3])
        return f"[{repository}](https://github.com/{repository})"
    if "/ALT" in folder:  # four files
        return f"[ALT](https://{parts.netloc}{folder}/)"
    return f"[{file}]({url})"


def rules_of(protocol: str) -> dict[str, DatasetRules]:
    return {rules.dataset: rules for rules in load_protocol(protocol).tasks.values()}


def dataset_rows() -> list[str]:
    """The rows of the first table of docs/datasets.md."""
    catalog = packaged()
    neo, later = rules_of("neo"), rules_of("llm_jp_eval")
    rows = []
    for name in available("llm_jp_eval"):
        entry = later[name]
        counts = [catalog.digests.get((name, split)) for split in ("train", "dev", "test")]
        urls = [url for split in catalog.splits(name) for url in catalog.unit(name, split).urls]
        asked = str(neo[name].questions) if name in available("neo") else "-"
        lengths = [str(neo[name].output_length) if name in neo else "-", str(entry.output_length)]
        cells = [
            f"`{name}`",
            entry.category or "-",
            ", ".join(f"`{metric}`" for metric in entry.metrics),
            *("?" if count is None else f"{count.n:,}" for count in counts),
            asked,
            lengths[0] if len(set(lengths)) == 1 else " / ".join(lengths),
            ", ".join(dict.fromkeys(map(_origin, urls))),
            ", ".join(dict.fromkeys(catalog.source(url).licence for url in urls)),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def status_rows() -> list[str]:
    """The rows of the table of statuses in docs/datasets.md."""
    protocols = [own for own in map(load_protocol, protocol_names()) if own.tasks]
    names = dict.fromkeys(rules.dataset for own in protocols for rules in own.tasks.values())
    status = {(own.name, rules.dataset): rules.status for own in protocols for rules in own.tasks.values()}
    rows = [f"| dataset | {' | '.join(own.name for own in protocols)} |"]
    return rows + [
        f"| {name} | {' | '.join(status.get((own.name, name), '') for own in protocols)} |" for name in names
    ]


def missing_rows() -> list[str]:
    """The rows of the table of missing members in docs/datasets.md."""
    rows = []
    for own in map(load_protocol, protocol_names()):
        lacking = [leaf for leaf in own.leaves() if leaf.given and leaf.task == leaf.name]
        names = ", ".join(leaf.name.removeprefix(f"{own.prefix}_") for leaf in lacking)
        if lacking and own.tasks:
            rows.append(f"| {own.name} | {len(lacking)} of {len(own.leaves())} | {names} |")
    return rows


def mtbench_rows() -> list[str]:
    """The rows of the second table of docs/datasets.md."""
    conversations = {name: find_conversation(name) for name in protocol_names()}
    names = {own.revision: load_protocol(name).prefix for name, own in conversations.items() if own}
    rows = []
    for revision, urls in MTBENCH_REVISIONS.items():
        files = ["/".join(url.split("/japanese_mt_bench/")[1:]) for url in urls]
        commit = urls[0].split("/")[5][:7]
        licence = packaged().source(urls[0]).licence
        cells = [f"`{names[revision]}`", f"`{commit}`", *(f"`{file}`" for file in files), licence]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


@pytest.mark.parametrize("row", [*dataset_rows(), *status_rows(), *missing_rows(), *mtbench_rows()])
def test_the_tables_of_datasets_are_those_of_the_package(row: str) -> None:
    assert row in text_of(ROOT / "docs" / "datasets.md").splitlines()


def test_the_tables_of_datasets_hold_nothing_else() -> None:
    lines = text_of(ROOT / "docs" / "datasets.md").splitlines()
    names = {f"`{name}`" for name in available("llm_jp_eval")}
    held = [line for line in lines if line.startswith("| `") and line.split(" | ")[0][2:] in names]
    assert held == dataset_rows()


def test_the_categories_of_mtbench_are_named() -> None:
    assert [name for name in MTBENCH_CATEGORIES if name not in text_of(ROOT / "docs" / "mtbench.md")] == []


# ------------------------------------------------------------------------------------------------------ limits

WORDS = {2: "twice", 8: "eight"}
JUDGE = JudgeConfig()
LIMITS = [
    ("faults.md", f"the files under way, at most {WORDS[_fetch._PARALLEL_DOWNLOADS]};"),
    ("faults.md", f"read to {_transport.MOST_BYTES / 2**20:g} MiB and to the time limit"),
    ("faults.md", f"up to {batches._SETTLING:g} seconds"),
    ("mtbench.md", f"larger than {_transport.MOST_BYTES / 2**20:g} MiB"),
    ("mtbench.md", f"not complete within {JUDGE.timeout:g} seconds"),
    ("mtbench.md", f"is asked for again, {WORDS[JUDGE.rating_retries]};"),
    ("mtbench.md", f"Temperature {JUDGE.temperature:g}, at most {JUDGE.max_tokens:,} tokens."),
    ("mtbench.md", f"{WORDS[_secrets._SECRET_LENGTH]} characters or more in a row"),
    ("dependencies.md", f"A download ends after {_download._MAX_BYTES / 2**30:g} GiB"),
    ("dependencies.md", f"more than {_archive.MAX_MEMBER_BYTES / 2**20:g} MiB a member,"),
    (
        "dependencies.md",
        f"{_archive.MAX_TOTAL_BYTES / 2**30:g} GiB in all or {_archive.MAX_MEMBERS:,} members",
    ),
    ("offline.md", f"the last {mtbench._KEPT_ANSWERS} runs"),
    ("faults.md", f"the last {mtbench._KEPT_ANSWERS} runs"),
]


@pytest.mark.parametrize(("page", "limit"), LIMITS)
def test_limits_are_those_of_the_package(page: str, limit: str) -> None:
    assert limit in re.sub(r"\s+", " ", text_of(ROOT / "docs" / page))


# ------------------------------------------------------------------------------------------------------ credit


def test_the_notice_names_every_source_and_licence() -> None:
    notice = text_of(ROOT / "NOTICE")
    sources = packaged().sources.values()
    places = {
        "/".join(urlsplit(source.url).path.split("/")[1:3])
        if urlsplit(source.url).netloc in GITHUB
        else urlsplit(source.url).netloc
        for source in sources
    }
    assert {place for place in places if place not in notice} == set()
    assert {source.licence for source in sources if source.licence not in notice} == set()


def test_the_bibliography_is_well_formed() -> None:
    text = text_of(ROOT / "CITATION.bib")
    keys = re.findall(r"^@\w+\{([\w:-]+),$", text, re.MULTILINE)
    assert len(keys) == len(set(keys)) == text.count("\n@") + text.startswith("@")
    for entry in re.split(r"^(?=@)", text, flags=re.MULTILINE)[1:]:
        assert entry.count("{") == entry.count("}")
        for field in ("author", "title", "year"):
            assert re.search(rf"^  {field} += +\{{.+\}},?$", entry, re.MULTILINE), (entry[:60], field)


if __name__ == "__main__":
    print(*dataset_rows(), "", *status_rows(), "", *missing_rows(), "", *mtbench_rows(), sep="\n")  # noqa: T201  # the tables, to be pasted
