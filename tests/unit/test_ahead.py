"""What can go wrong goes wrong before a model is made; what cannot be had is named at once, and may be left out."""

import dataclasses
import itertools
import json
import logging
import math
from pathlib import Path
from types import SimpleNamespace

import lm_eval
import lm_eval.evaluator
import pytest
import yaml
from lm_eval.api import registry
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager

from lm_eval_ja import plugin
from lm_eval_ja._once import once, one_run
from lm_eval_ja.datasets import load_mtbench
from lm_eval_ja.datasets.store import Store
from lm_eval_ja.errors import DataError, JudgeError, OptionError
from lm_eval_ja.judge import build_messages, estimate_tokens, plan
from lm_eval_ja.judge.forecast import Forecast
from lm_eval_ja.judge.options import JudgeOptions
from tests.support.judge_server import JudgeServer

SAMPLE = {"data": "sample"}
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """Nothing of the developer's own settings, and no network."""
    monkeypatch.setenv("LM_EVAL_JA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LM_EVAL_JA_OFFLINE", "1")
    for name in ("LM_EVAL_JA_MIRROR", "LM_EVAL_JA_LLM_JP_EVAL_DATA", "OPENAI_API_KEY", "RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    plugin.attach(__import__("lm_eval.tasks.manager", fromlist=["manager"]))
    plugin.attach_evaluator(lm_eval.evaluator)


class Parrot(LM):
    """A model that says one thing."""

    tokenizer_name = "parrot"
    loglikelihood = loglikelihood_rolling = None

    def generate_until(self, requests):
        return ["1" for _ in requests]


@pytest.fixture(autouse=True)
def events(monkeypatch):
    """What happened: ``model`` each time one is made, as loading weights would begin there."""
    happened = []
    original = registry.get_model

    def get_model(name):
        happened.append("model")
        return Parrot if name == "parrot" else original(name)

    monkeypatch.setattr(registry, "get_model", get_model)
    return happened


def manager(metadata, *paths):
    return TaskManager(
        include_path=[str(plugin.TASKS_PATH), *map(str, paths)], include_defaults=False, metadata=metadata
    )


def run(tasks, metadata, *paths, model="parrot", **arguments):
    return lm_eval.simple_evaluate(
        model=model, tasks=tasks, task_manager=manager(metadata, *paths), **arguments
    )


JUDGE = {"judge_base_url": "http://127.0.0.1:9/v1", **SAMPLE}

WRONG = [
    (["nejumi_jaster_jamp"], {"max_sample": 3, **SAMPLE}, {}, OptionError, "did you mean 'max_samples'"),
    (["nejumi_jaster"], {"hf_token": "x", **SAMPLE}, {}, OptionError, "hf_token in --metadata"),
    (["nejumi_jaster_jamp"], SAMPLE, {"num_fewshot": 999}, OptionError, "--num_fewshot 999 is more than"),
    (["nejumi_jaster_jamp"], {"prompt_style": "chat", **SAMPLE}, {}, OptionError, "apply_chat_template"),
    (["nejumi_jaster_jamp"], {}, {}, DataError, "LM_EVAL_JA_OFFLINE forbids"),
    (["nejumi"], JUDGE, {}, JudgeError, "OPENAI_API_KEY is not set"),
    (["nejumi_mtbench"], {"judge_modell": "x", **SAMPLE}, {}, OptionError, "did you mean 'judge_model'"),
    (["nejumi_mtbench_math"], {"judge_prompts": "/no/file", **JUDGE}, {}, OptionError, "/no/file"),
]


@pytest.mark.parametrize(("tasks", "metadata", "arguments", "error", "message"), WRONG)
def test_what_is_wrong_is_told_before_the_model_is_made(events, tasks, metadata, arguments, error, message):
    with pytest.raises(error, match=message):
        run(tasks, metadata, **arguments)
    assert events == []


def test_a_judge_that_does_not_answer_is_told_before_the_model_is_made(events, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    with pytest.raises(JudgeError, match=r"cannot be used: no answer from http://127.0.0.1:9/v1"):
        run(["nejumi_mtbench"], JUDGE)
    assert events == []


def test_without_the_hook_the_model_comes_first(events):
    """The order that the hook changes, so that the tests above show something."""
    with pytest.raises(OptionError):
        lm_eval.evaluator.simple_evaluate.__wrapped__(
            model="parrot", tasks=["nejumi_jaster_jamp"], task_manager=manager({"max_sample": 3, **SAMPLE})
        )
    assert events == ["model"]


def test_a_missing_package_of_the_checkers_is_told_before_the_model_is_made(events, monkeypatch):
    from lm_eval_ja.tasks import m_ifeval

    def require_packages():
        raise OptionError("janome is missing")

    monkeypatch.setattr(m_ifeval, "require_packages", require_packages)
    with pytest.raises(OptionError, match="janome"):
        run(["m_ifeval_ja"], SAMPLE)
    assert events == []
    assert run(["m_ifeval_ja"], SAMPLE, predict_only=True)["samples"]["m_ifeval_ja"]


def test_a_missing_package_of_a_metric_is_told_before_the_model_is_made(events, monkeypatch):
    from lm_eval_ja.tasks import jaster

    def require():
        raise OptionError("math-verify is missing")

    own = dataclasses.replace(jaster.METRICS["mathematical_equivalence"], require=require)
    monkeypatch.setattr(jaster, "METRICS", {**jaster.METRICS, own.name: own})
    with pytest.raises(OptionError, match="math-verify"):
        run(["llm_jp_eval_2_1_base_mawps"], SAMPLE)
    assert events == []


def test_the_judge_is_asked_once_and_the_data_is_read_once(events, monkeypatch):
    from lm_eval_ja.datasets.store import Samples
    from lm_eval_ja.tasks import mtbench

    monkeypatch.setenv("OPENAI_API_KEY", "x")
    asked = []
    tables, loads = [], []
    original, load_mt = Samples.table, mtbench.load_mtbench
    monkeypatch.setattr(
        Samples, "table", lambda self, *what: tables.append((*what, *events)) or original(self, *what)
    )
    monkeypatch.setattr(mtbench, "load_mtbench", lambda *a, **k: loads.append((*events,)) or load_mt(*a, **k))
    monkeypatch.setattr(mtbench, "preflight", lambda config: asked.append((*events,)))
    with JudgeServer() as server:
        results = run(["nejumi"], {**JUDGE, "judge_base_url": server.url})
    assert results["results"]["nejumi_mtbench"]["unscored,none"] == 0
    assert asked == [()], "once, before the model"
    assert loads == [()]
    assert events == ["model"]
    assert len(tables) == len(set(tables))
    assert all("model" not in what for what in tables), "no split is read again"


def test_prompts_and_scores_are_those_without_the_hook():
    metadata = SAMPLE
    arguments = {"model_args": {"path": str(EXAMPLES / "sample_answers.jsonl")}, "num_fewshot": 0}
    hooked = run(["nejumi_jaster"], metadata, model="recorded", **arguments)
    bare = lm_eval.evaluator.simple_evaluate.__wrapped__(
        model="recorded", tasks=["nejumi_jaster"], task_manager=manager(metadata), **arguments
    )
    assert hooked["samples"] == bare["samples"]
    assert hooked["results"] == bare["results"]
    assert {name: entry["metadata"] for name, entry in hooked["configs"].items()} == {
        name: entry["metadata"] for name, entry in bare["configs"].items()
    }


def said(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "lm_eval.lm_eval_ja"]


@pytest.fixture
def log(caplog):
    logging.getLogger("lm_eval").propagate = True
    caplog.set_level(logging.INFO, logger="lm_eval")
    return caplog


def test_what_a_run_takes_is_said_once(log, monkeypatch):
    results = run(["nejumi_jaster"], SAMPLE, limit=2)
    prompts = [
        sample["arguments"][0][0] if isinstance(sample["arguments"], list) else sample["arguments"]
        for samples in results["samples"].values()
        for sample in samples
    ]
    texts = [prompt if isinstance(prompt, str) else prompt["gen_args_0"]["arg_0"] for prompt in prompts]
    (line,) = said(log)
    assert f"16 task(s), {len(texts)} answers" in line
    assert f"prompts of {sum(map(len, texts)):,} characters" in line
    log.clear()
    monkeypatch.setenv("RANK", "1")
    run(["nejumi_jaster"], SAMPLE, limit=2)
    assert said(log) == []


def test_the_limits_of_the_run_count(log):
    run(["nejumi_jaster_jamp"], SAMPLE, limit=2, gen_kwargs={"max_gen_toks": 50})
    run(["nejumi_jaster_jamp"], SAMPLE, limit=0.01)
    first, second = said(log)
    assert "2 answers" in first
    assert "at most 100 new tokens" in first
    assert "1 answers" in second


def test_the_judges_part_with_and_without_a_price(log, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    quiet = {**JUDGE, "judge_dry_run": True}
    run(["nejumi_mtbench"], quiet, limit=2)
    run(["nejumi_mtbench"], {**quiet, "judge_price": [30, 60], "judge_max_cost": 0.001}, limit=2)
    run(["nejumi_mtbench"], {**SAMPLE, "judge_model": "none"}, limit=2)
    answers = [line for line in said(log) if line.startswith("before the model: 1 task(s), 4 answers")]
    judged = [line for line in said(log) if line.startswith("judge ")]
    assert len(answers) == 3
    assert len(judged) == 2
    assert "gpt-4: 4 calls" in judged[0]
    assert "$" not in judged[0]
    assert judged[1].count("about $") == 2
    (warning,) = [line for line in said(log) if "judge_max_cost" in line]
    assert "judge_max_cost=0.001 is less than" in warning


def test_the_forecast_is_what_is_planned_later(tmp_path):
    """Exactly, but for the rounding of each message: answers that are there in the plan are counted in the forecast."""
    docs = load_mtbench(data="sample")
    options = JudgeOptions(data="sample", judge_repeats=2, judge_base_url="http://127.0.0.1:9/v1")
    prompts = options.prompts()
    forecast = Forecast.of(docs, prompts, options, 100)
    answer = "あ" * 100
    messages = [
        build_messages(
            prompts,
            {"category": doc["category"], "turns": doc["turns"]},
            [answer, answer],
            doc["reference"],
            turn,
        )
        for doc in docs
        for turn in (1, 2)
    ]
    planned = plan(messages, options.config(), tmp_path / "store.jsonl")
    assert forecast.calls == planned.calls == 4 * len(docs)
    sent = forecast.sent + forecast.read * estimate_tokens(answer)
    assert sent == pytest.approx(planned.prompt_tokens, abs=4 * len(docs))
    assert (forecast + forecast).calls == 2 * forecast.calls


def test_what_is_built_ahead_warns_of_nothing_twice(caplog):
    run(["nejumi_jaster_jnli", "nejumi_jaster_janli"], SAMPLE, limit=1, gen_kwargs={"max_gen_toks": 1})
    (warning,) = [line for line in caplog.messages if "is below the protocol's limit" in line]
    assert warning.count("nejumi_jaster_jnli") == warning.count("nejumi_jaster_janli") == 1


def test_a_check_that_breaks_does_not_end_the_run(monkeypatch, caplog):
    from lm_eval_ja.tasks.jaster import JasterTask

    monkeypatch.setattr(JasterTask, "work", lambda self, run: 1 / 0)
    results = run(["nejumi_jaster_jamp"], SAMPLE, limit=1)
    assert results["results"]["nejumi_jaster_jamp"]["sample_len"] == 1
    assert "could not be checked before the model is loaded (ZeroDivisionError" in caplog.text


# ---------------------------------------------------------------- what is ours


THEIRS = {
    "task": "theirs",
    "dataset_path": "json",
    "output_type": "generate_until",
    "test_split": "train",
    "doc_to_text": "{{q}}",
    "doc_to_target": "{{a}}",
    "generation_kwargs": {"until": ["\n"]},
    "metric_list": [{"metric": "exact_match"}],
}


@pytest.fixture
def theirs(tmp_path):
    """A folder with another's task, a group of it and ours, and one that changes ours."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    data = folder / "data.json"
    data.write_text(json.dumps([{"q": "1", "a": "1"}]))
    own = {**THEIRS, "dataset_kwargs": {"data_files": str(data)}}
    files = {
        "theirs": own,
        "mixed": {"group": "mixed", "task": ["theirs", "nejumi_jaster_jamp", "nejumi_jaster_nli"]},
        "changed": {"group": "changed", "task": ["theirs", {"task": "nejumi_jaster_jamp", "num_fewshot": 1}]},
        "ours": {"group": "ours", "task": ["nejumi_jaster_jamp", "nejumi_jaster_qa"]},
    }
    for name, content in files.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
    return folder


def test_only_ours_is_built_ahead(theirs):
    from lm_eval_ja.plugin._ahead import _ours

    tasks = manager(SAMPLE, theirs)
    for selected, expected in {
        "nejumi": ["nejumi"],
        "nejumi_jaster_jamp": ["nejumi_jaster_jamp"],
        "theirs": [],
        "mixed": ["nejumi_jaster_jamp", "nejumi_jaster_nli"],
        "changed": [],
        "ours": ["ours"],
        "unknown": [],
    }.items():
        assert list(_ours([selected], tasks)) == expected, selected
    assert list(_ours("nejumi", tasks)) == ["nejumi"]
    assert list(_ours([{"task": "theirs"}, SimpleNamespace()], tasks)) == []


def test_a_run_of_others_is_left_alone(theirs, monkeypatch, events):
    loads = []
    original = TaskManager.load
    monkeypatch.setattr(
        TaskManager, "load", lambda self, *a, **k: loads.append((*events,)) or original(self, *a, **k)
    )
    results = run(["theirs"], {}, theirs)
    assert results["results"]["theirs"]["sample_len"] == 1
    assert loads == [("model",)]


def test_once_is_per_run():
    numbers = itertools.count()
    assert [once("a", numbers.__next__) for _ in range(2)] == [0, 1]
    with one_run():
        assert [once("a", numbers.__next__) for _ in range(2)] == [2, 2]
        with one_run():
            assert once("a", numbers.__next__) == 2
        with pytest.raises(ZeroDivisionError):
            once("b", lambda: 1 / 0)
        assert once("b", lambda: 5) == 5
    assert once("a", numbers.__next__) == 3


# ---------------------------------------------------------------- what is missing


@pytest.fixture
def part(tmp_path, monkeypatch):
    """Own data for two datasets, and train of only one of them."""
    folder = tmp_path / "own"
    samples = [{"input": f"前提：{i}\n仮説：はい", "output": "entailment"} for i in range(6)]
    for dataset, splits in {"jnli": ("train", "dev"), "jsquad": ("dev",)}.items():
        for split in splits:
            path = folder / split / f"{dataset}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"samples": samples}), encoding="utf-8")
    monkeypatch.setenv("LM_EVAL_JA_LLM_JP_EVAL_DATA", str(folder))
    return folder


def test_all_that_is_missing_is_named_at_once(events):
    with pytest.raises(DataError) as caught:
        run(["nejumi_jaster"], {})
    message = str(caught.value)
    assert events == []
    assert message.startswith("the data of all 16 tasks cannot be had:\n")
    lines = message.splitlines()[1:]
    names = [name for line in lines for name in line[2:].split(": ")[0].split(", ")]
    assert len(names) == len(set(names)) == 16
    assert len(lines) < 16, "tasks that lack the same files stand together"
    assert all("save it as" in line for line in lines)
    assert "skip_missing" not in message, "nothing would be left to run"


def test_what_can_be_had_is_offered_without_the_rest(part, events):
    with pytest.raises(DataError) as caught:
        run(["llm_jp_eval_nli", "llm_jp_eval_rc"], {}, num_fewshot=4)
    message = str(caught.value)
    assert message.startswith("the data of 4 of 6 tasks cannot be had:\n"), (
        "jsquad's train is asked for later"
    )
    assert "--metadata '{\"skip_missing\": true}'" in message
    assert events == []


def test_the_rest_runs_and_averages_over_what_is_missing_are_missing(part, caplog, events, monkeypatch):
    tried = []
    original = Store.table
    monkeypatch.setattr(Store, "table", lambda self, *what: tried.append(what) or original(self, *what))
    results = run(["llm_jp_eval"], {"skip_missing": True}, num_fewshot=4)
    assert events == ["model"]
    assert set(results["samples"]) == {"llm_jp_eval_jnli"}
    assert len(results["samples"]["llm_jp_eval_jnli"]) == 6
    assert len(tried) == len(set(tried)), "what cannot be had is not tried again"
    left_out = [line for line in caplog.messages if "left out, their data cannot be had" in line]
    assert [line.split(" are")[0] for line in left_out] == ["20 of 22 tasks", "1 of 2 tasks"], (
        "that jsquad lacks train is known when its shots are"
    )
    entries = results["results"]
    assert "missing: jamp, janli, jsem, jsick (1 of 5 present)" in entries["llm_jp_eval_nli"]["alias"]
    assert "missing: EL, FA, HE, MC, MR, MT, NLI, QA, RC (0 of 9 present)" in entries["llm_jp_eval"]["alias"]
    assert "missing: chabsa" in entries["llm_jp_eval_el"]["alias"], "a group without any member, too"
    for group in ("llm_jp_eval_nli", "llm_jp_eval_el", "llm_jp_eval"):
        assert math.isnan(entries[group]["score,none"])
    assert results["group_subtasks"]["llm_jp_eval_nli"] == ["llm_jp_eval_jnli"]
    lm_eval.utils.make_table(results)
    lm_eval.utils.make_table(results, "groups")


def test_missing_examples_matter_only_with_shots(part):
    results = run(["llm_jp_eval_jsquad"], {}, num_fewshot=0)
    assert results["results"]["llm_jp_eval_jsquad"]["sample_len"] == 6
    with pytest.raises(DataError, match=r"train-v1\.1\.json is not on this machine"):
        run(["llm_jp_eval_jsquad"], {"skip_missing": True}, num_fewshot=4)


def test_the_same_without_a_run(part):
    with pytest.raises(DataError, match="the data of 4 of 5 tasks cannot be had"):
        manager({}).load(["llm_jp_eval_nli"])
    loaded = manager({"skip_missing": True}).load(["llm_jp_eval_nli", "llm_jp_eval_jamp"])
    assert list(loaded["tasks"]) == ["llm_jp_eval_jnli"]
    assert loaded["group_map"] == {"llm_jp_eval_nli": ["llm_jp_eval_jnli"]}
    with pytest.raises(DataError, match="all 5 tasks"):
        manager({"skip_missing": True}).load(["nejumi_jaster_nli"])


def test_skip_missing_is_yes_or_no():
    with pytest.raises(OptionError, match="skip_missing is 'yes'; it may be true or false"):
        manager({"skip_missing": "yes", **SAMPLE}).load(["nejumi_jaster_jamp"])
    with pytest.raises(OptionError, match="did you mean 'skip_missing'"):
        manager({"skip_mising": True, **SAMPLE}).load(["nejumi_jaster_jamp"])
