"""What our commands ask of the harness: options as it reads them, and its own tasks only where a name needs them."""

import logging
from pathlib import Path

import pytest
from lm_eval.tasks import TaskManager, manager

from lm_eval_ja import plugin
from lm_eval_ja.cli._harness import load_tasks, parse_metadata
from lm_eval_ja.errors import OptionError

SAMPLE = {"data": "sample"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, {}),
        ("", {}),
        ('{"split": "dev", "data": "sample"}', {"split": "dev", "data": "sample"}),
        (["split=dev", "max_samples=5"], {"split": "dev", "max_samples": 5}),
        (["split=dev,max_samples=5"], {"split": "dev", "max_samples": 5}),
        ([' {"template": "a=b"}'], {"template": "a=b"}),
    ],
)
def test_metadata_is_json_or_key_value(given, expected):
    assert parse_metadata(given) == expected


@pytest.mark.parametrize("given", ["split", "[1]", '{"split": dev}', "1"])
def test_metadata_that_is_neither_is_named(given):
    with pytest.raises(OptionError, match="--metadata"):
        parse_metadata(given)


@pytest.fixture
def roots(monkeypatch):
    """Folders of every index that is built."""
    built = []
    original = manager.TaskIndex.__dict__["build"].__func__

    def build(paths, *args, **kwargs):
        paths = [Path(path) for path in paths]
        built.append(paths)
        return original(paths, *args, **kwargs)

    monkeypatch.setattr(manager.TaskIndex, "build", staticmethod(build))
    return built


def test_names_of_ours_never_index_upstreams_tasks(roots):
    assert len(load_tasks(["nejumi_jaster_nli", "llm_jp_eval_jsts"], metadata=SAMPLE)) == 6
    assert roots == [[plugin.TASKS_PATH]]


def test_a_misspelled_name_is_named_with_the_one_that_was_meant(roots):
    with pytest.raises(OptionError, match=r"no task is named 'nejumi_jastr': did you mean nejumi_jaster"):
        load_tasks(["nejumi_jastr"], metadata=SAMPLE)
    assert len(roots) == 2


def test_the_harness_gets_the_same_hint(caplog):
    tasks = TaskManager(include_defaults=False, include_path=str(plugin.TASKS_PATH))
    with caplog.at_level(logging.WARNING):
        tasks.match_tasks(["nejumi_jastr"])
        assert tasks.match_tasks(["nejumi_jaster"]) == ["nejumi_jaster"]
        tasks.match_tasks(["hellaswg"])
        tasks.match_tasks(["nejumi_jaster_*"])
    (said,) = [record.message for record in caplog.records if "did you mean" in record.message]
    assert said.startswith("no task is named nejumi_jastr: did you mean nejumi_jaster")
