"""Each hook against upstream's own behaviour."""

import json
import math
import subprocess
import sys
import textwrap
from types import SimpleNamespace

import pytest
from lm_eval.api.group import Group
from lm_eval.api.model import LM, CachingLM
from lm_eval.config.group import AggMetricConfig

from lm_eval_ja import plugin
from lm_eval_ja.adapters import make_request, stderr_module
from lm_eval_ja.prompts import Conversation


@pytest.fixture(autouse=True)
def hooks():
    plugin.install()


def test_installing_twice_wraps_once():
    home = stderr_module()
    before = Group.aggregate, LM.generate_until_multi_turn, home.stderr_for_metric
    plugin.install()
    assert before == (Group.aggregate, LM.generate_until_multi_turn, home.stderr_for_metric)
    assert plugin.is_hooked(Group.aggregate)
    assert plugin.failures() == {}, "every hook fits the installed lm-eval"


HOOKS = {
    "lm_eval.api.group": ("Group", "scores of our groups"),
    "lm_eval.api.model": ("LM", "questions with two turns"),
    "lm_eval.api.registry": ("filter_registry", "our names in lm-eval's registries"),
    "lm_eval_ja.adapters": ("stderr_module", "standard errors"),
    "lm_eval.tasks.manager": ("TaskIndex", "our tasks without --include_path"),
}


@pytest.mark.parametrize("module", HOOKS)
def test_a_hook_that_does_not_fit_is_named_and_the_others_stand(module):
    """In a process of its own: a part of upstream is gone, everything that doesn't need it is in place."""
    name, off = HOOKS[module]
    code = f"""
    import importlib, json, os, warnings
    os.environ["LM_EVAL_JA_AUTOLOAD"] = "0"
    import lm_eval.tasks.manager as manager
    from lm_eval.api import group, model, registry
    from lm_eval_ja import adapters, plugin
    kept = group.Group, model.LM, registry.aggregation_registry, manager.TaskManager, adapters.stderr_module()
    delattr(importlib.import_module({module!r}), {name!r})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        plugin.attach(manager)
        plugin.attach(manager)
        plugin.install()
    group, lm, aggregations, tasks, home = kept
    print(json.dumps({{
        "said": [str(warning.message) for warning in caught if "lm-eval-ja" in str(warning.message)],
        "off": list(plugin.failures()),
        "scores": plugin.is_hooked(group.aggregate),
        "errors": plugin.is_hooked(home.stderr_for_metric),
        "turns": hasattr(lm, "generate_until_multi_turn"),
        "names": "lm_eval_ja_sum" in aggregations,
        "found": {name!r} != "TaskIndex" and "nejumi" in tasks().all_groups,
    }}))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    (said,) = found.pop("said")
    assert off in said
    lost = found.pop("off")
    assert any(what.startswith(off) for what in lost)
    assert len(lost) == {"TaskIndex": 2, "LM": 3}.get(name, 1)
    working = {
        "Group": "scores",
        "stderr_module": "errors",
        "LM": "turns",
        "filter_registry": "names",
        "TaskIndex": "found",
    }
    del found[working[name]]
    assert all(found.values()), found


def group_of(*members, aggregation="mean"):
    group = Group("g", aggregate_metric_list=[AggMetricConfig(metric="acc", aggregation=aggregation)])
    for name in members:
        group.add(SimpleNamespace(task_name=name, _qualified_name=name))
    return group


METRICS = {
    "a": {"acc,none": 0.25, "acc_stderr,none": 0.1, "sample_len": 3},
    "b": {"acc,none": 1.0, "acc_stderr,none": 0.2, "sample_len": 1},
}


def test_groups_without_a_callable_keep_upstreams_result():
    group = group_of("a", "b")
    original = Group.aggregate.__wrapped__
    assert Group.aggregate(group, METRICS) == original(group, METRICS)
    assert Group.aggregate(Group("bare"), METRICS) == original(Group("bare"), METRICS)


def test_a_callable_gets_the_group_and_its_direct_childrens_metrics():
    seen = []

    def aggregation(group, children):
        seen.append((group.name, children))
        return {"score,none": 7.0}

    entry = group_of("a", "b", "missing", aggregation=aggregation).aggregate(METRICS)
    assert seen == [("g", METRICS)]
    assert entry["score,none"] == 7.0
    assert (entry["alias"], entry["name"]) == ("g", "g")


def test_an_aggregation_may_bring_its_own_stderr():
    from lm_eval.api.metrics import mean

    home = stderr_module()

    def middle(items):
        return sorted(items)[len(items) // 2]

    middle.stderr = lambda items: 0.5
    assert home.stderr_for_metric(middle, 10)([1]) == 0.5
    assert home.stderr_for_metric(mean, 10)([0, 1]) == pytest.approx(0.5)
    middle.__module__ = "lm_eval_ja.tasks"
    assert home.stderr_for_metric(middle, 10)([1]) == 0.5
    del middle.stderr
    assert home.stderr_for_metric(middle, 10) is None, "none of ours is resampled"


def test_an_aggregation_that_is_not_ours_keeps_upstreams_error():
    home = stderr_module()
    original = home.stderr_for_metric.__wrapped__

    def theirs(items):
        return sum(items)

    assert (home.stderr_for_metric(theirs, 10) is None) is (original(theirs, 10) is None)
    assert home.stderr_for_metric(theirs, 0) is None


def test_our_aggregations_filter_and_model_are_known_and_upstreams_models_too():
    from lm_eval.api.registry import get_aggregation, get_filter, get_model

    from lm_eval_ja.plugin._registries import _AGGREGATIONS

    assert all(callable(get_aggregation(name)) for name in _AGGREGATIONS)
    assert get_filter("lm_eval_ja_normalize").__name__ == "NormalizeFilter"
    assert get_model("recorded").__name__ == "RecordedLM"
    # Registering first must not keep upstream's own models out.
    assert get_model("dummy").__name__ == "DummyLM"


def test_no_metric_name_is_taken_from_anybody():
    """A user's own ``@register_metric(metric="pearson")`` ended in "alias already registered"."""
    from lm_eval.api import registry

    from lm_eval_ja import tasks
    from lm_eval_ja.metrics import METRICS as OURS

    assert tasks
    for name in set(OURS) - {"exact_match"}:  # exact_match is upstream's own
        assert name not in registry.metric_registry
    for name, table in vars(registry).items():
        if isinstance(table, registry.Registry) and name.islower():
            foreign = [key for key in table if "nejumi" in key or "mtbench" in key]
            assert all(key.startswith("lm_eval_ja_") for key in foreign), name


def test_a_task_of_ours_needs_no_look_up_of_its_metrics(caplog):
    from lm_eval.tasks import TaskManager

    manager = TaskManager(
        include_path=str(plugin.TASKS_PATH), include_defaults=False, metadata={"data": "sample"}
    )
    names = ["nejumi_jaster_jamp", "llm_jp_eval_jsts", "nejumi_mtbench"]
    tasks = manager.load(names)["tasks"]
    assert "evaluate" not in caplog.text
    assert "not found" not in caplog.text
    assert list(tasks["nejumi_jaster_jamp"].aggregation()) == ["exact_match"]
    assert set(tasks["llm_jp_eval_jsts"].aggregation()) == {"pearson", "spearman"}
    assert tasks["nejumi_mtbench"].higher_is_better()["unscored"] is False
    assert all(callable(function) for task in tasks.values() for function in task.aggregation().values())


class Parrot(LM):
    """A real LM: answers with what it was asked, shortened, and counts its calls."""

    tokenizer_name = "parrot"

    def __init__(self):
        super().__init__()
        self.batches = []

    def generate_until(self, requests):
        assert requests, "backends crash on an empty list"
        self.batches.append([request.args for request in requests])
        answers = [f"<think>x</think> A({str(request.args[0])[-12:]}) ### more" for request in requests]
        for request, answer in zip(requests, answers, strict=True):
            self.cache_hook.add_partial("generate_until", request.args, answer)
        return answers

    def apply_chat_template(self, chat_history, add_generation_prompt=True):
        return json.dumps(chat_history)

    loglikelihood = loglikelihood_rolling = None


def two_turns(chat: bool, number: int = 3):
    conversations = [
        Conversation((f"first {i}", f"second {i}"), chat, {"until": ["###"], "max_gen_toks": 5})
        for i in range(number)
    ]
    return [
        make_request("generate_until_multi_turn", {"id": f"q{i}"}, ("text", c.data()), "mt", i)
        for i, c in enumerate(conversations)
    ]


def test_all_first_turns_are_one_batch_and_all_second_turns_another():
    lm = Parrot()
    results = lm.generate_until_multi_turn(two_turns(chat=False))
    assert [len(batch) for batch in lm.batches] == [3, 3]
    first, second, prompt = results[1]
    assert "first 1" in lm.batches[0][1][0]
    assert first.endswith("### more"), "answers are logged as generated"
    assert prompt == lm.batches[1][1][0]
    assert "<think>" not in prompt, "thoughts are no part of the conversation"
    assert "more" not in prompt.replace("### more", ""), "the answer ends at the stop string"
    assert prompt.endswith("### 指示: \nsecond 1\n\n### 応答: \n")
    assert second.startswith("<think>")


def test_with_a_chat_template_the_second_prompt_is_the_conversation():
    lm = Parrot()
    (_, _, prompt), *_ = lm.generate_until_multi_turn(two_turns(chat=True))
    messages = json.loads(prompt)
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]
    assert messages[0]["content"] == "first 0"
    assert messages[2]["content"] == "second 0"


def test_api_style_chats_reach_the_backend_untouched():
    from typing import NamedTuple

    class Chat(NamedTuple):
        prompt: str

    class Api(Parrot):
        def apply_chat_template(self, chat_history, add_generation_prompt=True):
            return Chat(json.dumps(chat_history))

    lm = Api()
    (_, _, prompt), *_ = lm.generate_until_multi_turn(two_turns(chat=True))
    assert all(isinstance(args[0], Chat) for batch in lm.batches for args in batch)
    assert json.loads(prompt)[2]["content"] == "second 0"


def test_use_cache_answers_both_turns_without_the_model(tmp_path):
    first = Parrot()
    results = CachingLM(first, str(tmp_path / "cache.db")).generate_until_multi_turn(two_turns(chat=True))
    again = Parrot()
    assert (
        CachingLM(again, str(tmp_path / "cache.db")).generate_until_multi_turn(two_turns(chat=True))
        == results
    )
    assert again.batches == []
    more = Parrot()
    CachingLM(more, str(tmp_path / "cache.db")).generate_until_multi_turn(two_turns(chat=True, number=4))
    assert [len(batch) for batch in more.batches] == [1, 1], "only what is new is generated"


def test_no_answer_is_an_empty_one():
    """Some servers send null where a model said nothing; a finished run must not be lost to it."""

    class Silent(Parrot):
        def generate_until(self, requests):
            super().generate_until(requests)
            return [None for _ in requests]

    for first, second, prompt in Silent().generate_until_multi_turn(two_turns(chat=False)):
        assert (first, second) == ("", "")
        assert prompt.endswith("応答: \n")


def test_explicit_sampling_is_not_cached(tmp_path):
    requests = two_turns(chat=True)
    for request in requests:
        request.arguments[1]["gen_kwargs"]["do_sample"] = True
    for _ in range(2):
        lm = Parrot()
        CachingLM(lm, str(tmp_path / "cache.db")).generate_until_multi_turn(requests)
        assert [len(batch) for batch in lm.batches] == [3, 3]


def test_a_request_is_plain_data_of_constant_size():
    import pickle

    for request in two_turns(chat=True):
        assert len(pickle.dumps(request)) < 2000


def test_ratings_survive_pickle_and_aggregate():
    import pickle

    from lm_eval_ja.judge import (
        QuestionRating,
        rating_average,
        rating_average_stderr,
        rating_mean,
        rating_stderr,
    )

    def rated(ratings, category):
        return QuestionRating(ratings, category, "nejumi_mtbench")

    value = pickle.loads(pickle.dumps(rated([8, 5], "math")))  # noqa: S301  # our own bytes
    assert (float(value), value.ratings, value.category, value.average) == (
        6.5,
        (8, 5),
        "math",
        "nejumi_mtbench",
    )
    items = [rated([8, 6], "math"), rated([2], "math"), rated([4, 4], "stem")]
    assert rating_mean(items) == pytest.approx((8 + 6 + 2 + 4 + 4) / 5)
    assert rating_stderr(items[:2]) == pytest.approx((7 - 2) / 2)
    assert rating_mean([math.nan, *items[2:]]) == 4.0
    assert math.isnan(rating_average(items)), "two of eight categories are no average"
    assert rating_average_stderr(items) == "N/A"

    others = ["coding", "extraction", "humanities", "reasoning", "roleplay", "writing"]
    whole = items + [rated([10, 10], category) for category in others]
    assert rating_average(whole) == pytest.approx(((8 + 6 + 2) / 3 + 4 + 6 * 10) / 8)
    assert rating_average_stderr(whole) == "N/A", "one question has no spread"
    twice = [*whole, rated([10, 6], "stem"), *(rated([8, 8], category) for category in others)]
    expected = math.sqrt(2.5**2 + 2.0**2 + 6 * 1.0**2) / 8
    assert rating_average_stderr(twice) == pytest.approx(expected)
    unscored = [rated([] if item.category == "coding" else item.ratings, item.category) for item in whole]
    assert math.isnan(rating_average(unscored)), "asked, but unscored: missing"


def test_a_category_that_is_a_task_of_its_own_has_its_mean_as_average():
    from lm_eval_ja.judge import QuestionRating, rating_average, rating_average_stderr

    items = [QuestionRating([8, 6], "math"), QuestionRating([2], "math")]
    assert rating_average(items) == pytest.approx((8 + 6 + 2) / 3)
    assert rating_average_stderr(items) == pytest.approx((7 - 2) / 2)
    assert math.isnan(rating_average([])), "nothing is no average"
