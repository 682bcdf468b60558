"""lm-eval's index of tasks: ours in it, upstream's the same as without us, in less time."""

import hashlib
import json
import logging
import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from lm_eval.tasks import TaskManager, _index, _yaml_loader, manager

from lm_eval_ja import plugin
from lm_eval_ja.plugin._index_cache import _is_plain

OURS = plugin.TASKS_PATH.resolve()


def digest(tasks: TaskManager) -> str:
    """SHA-256 over every entry of an index: name, kind, path, tags and the whole parsed file, in order."""
    entries = [
        (name, entry.name, entry.kind.name, str(entry.yaml_path), sorted(entry.tags), entry.cfg)
        for name, entry in tasks._index.items()
    ]
    return hashlib.sha256(repr(entries).encode()).hexdigest()


# ------------------------------------------------------------------------------------------ discovery, by behaviour

UPSTREAM = """
from importlib.metadata import entry_points
from pathlib import Path
{extra}

class TaskIndex:
    built = []

    @staticmethod
    def build(paths, *, resolve_includes=True):
        TaskIndex.built.append([Path(path) for path in paths])
        return {{}}


class TaskManager:
    def __init__(self, include_path=None, include_defaults=True):
        paths = [Path(__file__).parent] if include_defaults else []
        {found}
        if include_path:
            paths += [Path(p) for p in (include_path if isinstance(include_path, list) else [include_path])]
        self.index = TaskIndex().build(paths)
"""

HELPER = """
from importlib.metadata import entry_points
from pathlib import Path

def plugin_paths():
    return [Path(point.load().__file__).parent for point in entry_points(group="lm_eval.tasks")]
"""


def upstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extra: str = "", found: str = "pass"):
    """A module shaped as ``lm_eval.tasks.manager``, with the hook installed."""
    import importlib

    (tmp_path / "helper_of_upstream.py").write_text(HELPER)
    (tmp_path / "manager_of_upstream.py").write_text(
        UPSTREAM.format(extra=extra, found=found), encoding="utf-8"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("helper_of_upstream", "manager_of_upstream"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    module = importlib.import_module("manager_of_upstream")
    plugin.install_discovery(module)
    return module


def searched(module, **kwargs) -> list[Path]:
    module.TaskManager(**kwargs)
    return [path.resolve() for path in module.TaskIndex.built[-1]]


@pytest.mark.parametrize(
    ("extra", "found", "by_itself"),
    [
        ("", "pass", False),
        ("# one day: entry_points", "pass", False),  # a comment makes nothing
        (
            "",
            'paths += [Path(p.load().__file__).parent for p in entry_points(group="lm_eval.tasks")]',
            True,
        ),
        ("from helper_of_upstream import plugin_paths", "paths += plugin_paths()", True),
        ("from helper_of_upstream import plugin_paths", "paths += [str(p) for p in plugin_paths()]", True),
    ],
    ids=["none", "a comment", "entry points", "a helper elsewhere", "a helper's texts"],
)
def test_our_folder_is_searched_once_however_upstream_finds_it(
    tmp_path, monkeypatch, extra, found, by_itself
):
    module = upstream(tmp_path, monkeypatch, extra, found)
    assert searched(module) == [tmp_path, OURS]
    assert searched(module, include_path="elsewhere") == [tmp_path, OURS, Path("elsewhere").resolve()]
    assert searched(module, include_path=str(OURS)) == [tmp_path, OURS, *([OURS] if by_itself else [])]
    assert plugin.finds_our_tasks(module) is by_itself
    assert plugin.is_hooked(module.TaskIndex.build), "asking leaves the hook where it was"


def test_without_upstreams_tasks_only_what_was_named_is_searched(tmp_path, monkeypatch):
    module = upstream(tmp_path, monkeypatch)
    assert searched(module, include_defaults=False, include_path="elsewhere") == [Path("elsewhere").resolve()]


def test_another_shape_of_upstream_is_said(tmp_path, monkeypatch):
    module = upstream(tmp_path, monkeypatch)
    del module.TaskIndex
    with pytest.raises(AttributeError, match="TaskIndex"):
        plugin.install_discovery(module)


def test_the_real_upstream_does_not_find_us_by_itself_yet():
    assert plugin.finds_our_tasks(manager) is False
    assert plugin.is_hooked(manager.TaskIndex.build, "discovery")


# ------------------------------------------------------------------------------------------ the index itself


def test_the_index_of_all_tasks_is_the_same_entry_by_entry(monkeypatch, tmp_path, caplog):
    """Shared includes, the cache when it is made and the cache when it is used, against upstream's own code."""
    monkeypatch.setenv("LM_EVAL_JA_CACHE", str(tmp_path))
    found = {}
    said = {}
    for name, settings in {
        "upstream": {plugin.SHARE_SWITCH: "0"},
        "shared": {},
        "cache, made": {plugin.CACHE_SWITCH: "1"},
        "cache, used": {plugin.CACHE_SWITCH: "1"},
    }.items():
        with monkeypatch.context() as patch, caplog.at_level(logging.INFO):
            for key, value in settings.items():
                patch.setenv(key, value)
            caplog.clear()
            found[name] = digest(TaskManager())
            said[name] = [record.message for record in caplog.records if record.name.startswith("lm_eval.")]
    assert len(set(found.values())) == 1, found
    assert len({json.dumps(lines) for lines in said.values()}) == 1, (
        "what upstream warns of it still warns of"
    )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Tasks with includes in and outside of their folder, old enough to be kept; counts parsed texts."""
    monkeypatch.setenv("LM_EVAL_JA_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(plugin.SHARE_SWITCH, raising=False)
    monkeypatch.delenv(plugin.CACHE_SWITCH, raising=False)
    tasks = tmp_path / "tasks"
    (tasks / "deep").mkdir(parents=True)
    write(tmp_path / "outside.yml", "metric_list: [{metric: acc}]\nnested: {list: [1, 2.5, null]}\n")
    write(tasks / "_base.yml", "include: ../outside.yml\ndoc_to_text: !function utils.text\ntask_list: [x]\n")
    for number in range(5):
        write(tasks / "deep" / f"t{number}.yaml", f"include: ../_base.yml\ntask: t{number}\ntag: all\n")
    write(tasks / "plain.yaml", "task: plain\ndoc_to_text: !function utils.text\n")
    return tasks


def write(path: Path, text: str, age: float = 60) -> None:
    path.write_text(text, encoding="utf-8")
    then = path.stat().st_mtime - age
    os.utime(path, (then, then))


@pytest.fixture
def aged(monkeypatch):
    """Files of this test count as old: their ctime can't be set back."""
    monkeypatch.setattr("lm_eval_ja.plugin._index_cache._YOUNG_NS", -1)


@pytest.fixture
def parsed(monkeypatch):
    """Names of the files that were really read, in order."""
    names = []
    original = _yaml_loader.yaml.load

    def load(stream, Loader):  # noqa: N803  # yaml's own name
        names.append(Path(stream.name).name)
        return original(stream, Loader=Loader)

    monkeypatch.setattr(_yaml_loader.yaml, "load", load)
    return names


def index_of(folder: Path) -> TaskManager:
    return TaskManager(include_defaults=False, include_path=str(folder))


def test_a_shared_include_is_parsed_once(folder, parsed, monkeypatch):
    shared = digest(index_of(folder))
    assert sorted(parsed) == ["_base.yml", "outside.yml", "plain.yaml", *(f"t{n}.yaml" for n in range(5))]
    monkeypatch.setenv(plugin.SHARE_SWITCH, "0")
    parsed.clear()
    assert digest(index_of(folder)) == shared
    assert parsed.count("outside.yml") == 5


def test_every_task_has_its_own_copy_of_what_it_includes(folder):
    tasks = index_of(folder)
    tasks._index["t0"].cfg["nested"]["list"].append("mine")
    assert tasks._index["t1"].cfg["nested"]["list"] == [1, 2.5, None]
    assert "task_list" not in tasks._index["t1"].cfg


def test_upstreams_functions_are_back_after_a_build_that_failed(folder, monkeypatch):
    before = _index.load_yaml, _yaml_loader.load_yaml, _yaml_loader._make_loader
    monkeypatch.setattr(_index.TaskIndex, "_iter_yaml_files", lambda root: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        index_of(folder)
    assert before == (_index.load_yaml, _yaml_loader.load_yaml, _yaml_loader._make_loader)


def test_cycles_and_doubled_includes_are_upstreams_errors(folder, caplog, monkeypatch):
    write(folder / "loop.yaml", "task: loop\ninclude: loop.yaml\n")
    write(folder / "twice.yaml", "task: twice\ninclude: [_base.yml, _base.yml]\n")
    write(folder / "diamond.yaml", "task: diamond\ninclude: [../outside.yml, _base.yml]\n")

    def skipped():
        caplog.clear()
        with caplog.at_level(logging.DEBUG):
            names = index_of(folder).all_tasks
        return names, [record.message for record in caplog.records if record.message.startswith("Skip")]

    ours = skipped()
    assert len(ours[1]) == 3
    monkeypatch.setenv(plugin.SHARE_SWITCH, "0")
    assert skipped() == ours


# ------------------------------------------------------------------------------------------ on disk


@pytest.fixture
def cached(folder, aged, monkeypatch):
    monkeypatch.setenv(plugin.CACHE_SWITCH, "1")
    index_of(folder)
    return folder


def test_a_second_start_parses_nothing(cached, parsed):
    tasks = index_of(cached)
    assert parsed == []
    assert tasks._index["t3"].cfg["nested"] == {"list": [1, 2.5, None]}
    assert tasks._index["plain"].cfg["doc_to_text"] == str(cached.resolve() / "utils.text")


@pytest.mark.parametrize(
    ("change", "read"),
    [
        (
            lambda f: write(f / "plain.yaml", "task: plain\ndoc_to_text: !function utils.next\n"),
            {"plain.yaml"},
        ),
        (
            lambda f: write(f / "_base.yml", "doc_to_text: b\n"),
            {"_base.yml", *(f"t{n}.yaml" for n in range(5))},
        ),
        (
            lambda f: write(f.parent / "outside.yml", "nested: 1\n"),
            {"outside.yml", "_base.yml", *(f"t{n}.yaml" for n in range(5))},
        ),
        (lambda f: write(f / "more.yaml", "task: more\n"), {"more.yaml"}),
        (lambda f: (f / "plain.yaml").unlink(), set()),
        (
            lambda f: (f / "deep" / "t1.yaml").rename(f / "deep" / "moved.yaml"),
            {"moved.yaml", "_base.yml", "outside.yml"},
        ),
    ],
    ids=["a task", "an include", "an include elsewhere", "a new file", "a file less", "a moved file"],
)
def test_a_change_is_seen_and_only_what_it_touches_is_parsed(cached, parsed, monkeypatch, change, read):
    change(cached)
    after = digest(index_of(cached))
    assert set(parsed) == read
    monkeypatch.setenv(plugin.SHARE_SWITCH, "0")
    assert digest(index_of(cached)) == after


def test_an_edit_that_keeps_size_and_time_is_seen(cached, parsed):
    path = cached / "plain.yaml"
    before = path.stat()
    path.write_text(path.read_text().replace("utils.text", "utils.next"), encoding="utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert index_of(cached)._index["plain"].cfg["doc_to_text"].endswith("utils.next")


def test_a_file_that_was_just_written_is_not_kept(folder, parsed, monkeypatch):
    monkeypatch.setenv(plugin.CACHE_SWITCH, "1")
    index_of(folder)
    parsed.clear()
    index_of(folder)
    assert "plain.yaml" in parsed, "its next edit may have the same time"


def test_an_include_that_was_missing_is_seen_when_it_comes(cached, parsed):
    write(cached / "later.yaml", "task: later\ninclude: later.yml\n")
    assert "later" not in index_of(cached).all_tasks
    write(cached / "later.yml", "output_type: generate_until\n")
    assert "later" in index_of(cached).all_tasks


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: data.replace(b"utils.text", b"utils.evil"),
        lambda data: b"\xff" * 100,
        lambda data: b"[" * 100_000,
        lambda data: b"{}\n{}",
    ],
    ids=["empty", "cut off", "altered", "no UTF-8", "deep", "another"],
)
def test_a_damaged_cache_counts_as_none_and_is_replaced(cached, parsed, tmp_path, damage):
    (path,) = (tmp_path / "cache" / "index").glob("*.json")
    good = path.read_bytes()
    path.write_bytes(damage(good))
    assert index_of(cached)._index["plain"].cfg["doc_to_text"].endswith("utils.text")
    assert len(parsed) == 8
    assert path.read_bytes() == good


def test_a_disk_that_refuses_costs_time_only(folder, aged, monkeypatch, tmp_path):
    monkeypatch.setenv(plugin.CACHE_SWITCH, "1")
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert "plain" in index_of(folder).all_tasks


def test_wrong_settings_of_ours_do_not_stop_an_index(folder, monkeypatch):
    monkeypatch.setenv(plugin.CACHE_SWITCH, "1")
    monkeypatch.setenv("LM_EVAL_JA_OFFLINE", "perhaps")
    assert "plain" in index_of(folder).all_tasks


def test_many_threads_and_processes_get_the_same(folder, aged, monkeypatch, tmp_path):
    monkeypatch.setenv(plugin.CACHE_SWITCH, "1")
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(lambda _: digest(index_of(folder)), range(8)))) == 1
    code = f"""
    from lm_eval.tasks import TaskManager
    print(*TaskManager(include_defaults=False, include_path={str(folder)!r}).all_tasks)
    """
    started = [
        subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [process.communicate()[0].split() for process in started] == [index_of(folder).all_tasks] * 2
    assert not list((tmp_path / "cache" / "index").glob("*.tmp"))


def test_only_the_latest_indexes_are_kept(aged, monkeypatch, tmp_path):
    monkeypatch.setenv("LM_EVAL_JA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(plugin.CACHE_SWITCH, "1")
    for number in range(10):
        (tmp_path / str(number)).mkdir()
        write(tmp_path / str(number) / "t.yaml", "task: t\n")
        index_of(tmp_path / str(number))
    assert len(list((tmp_path / "cache" / "index").glob("*.json"))) == 8


def test_what_json_would_change_is_parsed_every_time(cached, parsed, monkeypatch):
    write(cached / "odd.yaml", "task: odd\nwhen: 2026-11-24\nchoices: {1: a, true: b}\nnever: .nan\n")
    first = index_of(cached)._index["odd"].cfg
    parsed.clear()
    assert index_of(cached)._index["odd"].cfg["choices"] == first["choices"] == {1: "b"}
    assert parsed == ["odd.yaml"]
    assert [_is_plain(value) for value in ({"a": [1, None, "x", 1.5, True]}, {1: 2}, float("nan"), {1}, b"")] == [
        True, False, False, False, False
    ]  # fmt: skip
