"""The data and the harness task of M-IFEval."""

import json
from collections import Counter
from types import SimpleNamespace

import pytest

from lm_eval_ja.analysis._leaderboards import own_tasks
from lm_eval_ja.cli import main
from lm_eval_ja.datasets import (
    M_IFEVAL_JA_URL,
    Settings,
    data_digest,
    instructions_of,
    load_m_ifeval,
    packaged,
)
from lm_eval_ja.errors import DataError, OptionError
from lm_eval_ja.metrics.m_ifeval import INSTRUCTION_IDS, METRICS, parse_instructions
from lm_eval_ja.protocols import load_protocol, parse_protocol
from lm_eval_ja.tasks.m_ifeval import MIfevalTask

CONFIG = {
    "task": "m_ifeval_ja",
    "output_type": "generate_until",
    "num_fewshot": 0,
    "generation_kwargs": {"until": [], "max_gen_toks": 2048, "temperature": 0.0},
    "metadata": {"data": "sample"},
    "m_ifeval": {"protocol": "m_ifeval_ja", "dataset": "m_ifeval_ja"},
}


@pytest.fixture
def places(tmp_path, monkeypatch):
    for name in ("LM_EVAL_JA_MIRROR", "LM_EVAL_JA_LLM_JP_EVAL_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LM_EVAL_JA_OFFLINE", "1")
    monkeypatch.setenv("LM_EVAL_JA_CACHE", str(tmp_path / "cache"))


def row(printed):
    (found,) = [line.split() for line in printed.splitlines() if line.startswith("  m_ifeval_ja")]
    return found


@pytest.mark.mirror
def test_prepare_knows_it_also_for_a_machine_without_internet(mirror, tmp_path, places, monkeypatch, capsys):
    asked = ["prepare", "--protocol", "m_ifeval_ja"]
    assert main(asked) == 1
    said = capsys.readouterr().out
    assert row(said)[-1] == "missing"
    assert f"- m_ifeval_ja: {M_IFEVAL_JA_URL} is not on this machine" in said
    bundle = str(tmp_path / "bundle.tar")
    monkeypatch.setenv("LM_EVAL_JA_MIRROR", str(mirror))
    assert main([*asked, "--bundle", bundle]) == 0
    monkeypatch.delenv("LM_EVAL_JA_MIRROR")
    capsys.readouterr()
    assert main([*asked, "--from-bundle", bundle]) == 0
    ready = row(capsys.readouterr().out)
    digest = data_digest(load_m_ifeval())
    assert ready == ["m_ifeval_ja", "test", "172", "Apache-2.0", digest, "ready"]
    assert main(["doctor", "--protocol", "m_ifeval_ja"]) == 0
    assert row(capsys.readouterr().out) == ["m_ifeval_ja", "-", "-", "172", "-"]


def test_doctor_knows_what_is_missing_and_what_will_come(places, monkeypatch, capsys):
    assert main(["doctor", "--protocol", "m_ifeval_ja"]) == 1
    said = capsys.readouterr().out
    assert row(said) == ["m_ifeval_ja", "-", "-", "missing", "[1]", "-"]
    assert "[1] m_ifeval_ja test: " in said
    monkeypatch.setenv("LM_EVAL_JA_OFFLINE", "0")
    assert main(["doctor", "--protocol", "m_ifeval_ja"]) == 0
    assert row(capsys.readouterr().out) == ["m_ifeval_ja", "-", "-", "on", "first", "use", "-"]


@pytest.mark.mirror
def test_every_real_instruction_is_known(mirror, tmp_path):
    prompts = load_m_ifeval(settings=Settings(cache=tmp_path, mirror=mirror))
    assert len(prompts) == 172
    found = [
        instruction
        for prompt in prompts
        for own in [instructions_of(prompt["output"])]
        for instruction in parse_instructions([each["id"] for each in own], [each["kwargs"] for each in own])
    ]
    counts = Counter(instruction.id for instruction in found)
    assert sum(counts.values()) == 226
    assert set(counts) == set(INSTRUCTION_IDS)
    assert counts["ja:letters:furigana"] == 12


def test_the_sample_prompts_are_read():
    prompts = load_m_ifeval(data="sample")
    assert prompts["id"][:] == [f"m_ifeval_ja-{key}" for key in range(1, 6)]
    assert instructions_of(prompts[0]["output"]) == [{"id": "ja:punctuation:no_period", "kwargs": {}}]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1 is not JSON"),
        ("[]", "line 1 is not a JSON object"),
        ('{"key": 1, "prompt": "x", "kwargs": []}', "instruction_id_list"),
        ('{"key": 1, "prompt": "x", "instruction_id_list": ["a"], "kwargs": []}', "as many kwargs"),
        ("", "no prompts"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, line, message):
    from dataclasses import replace

    path = tmp_path / M_IFEVAL_JA_URL.removeprefix("https://")
    path.parent.mkdir(parents=True)
    path.write_text(line, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        load_m_ifeval(data="sample", catalog=replace(packaged(), sample_files=tmp_path))


def test_answers_become_verdicts_and_verdicts_every_metric():
    task = MIfevalTask(CONFIG)
    task.build_all_requests(limit=None, rank=0, world_size=1)
    answers = ["鳥を見た", "はい:\n・箱\n・紐\n・布", "```json\n{}\n```", "音楽。", "123"]
    for instance, answer in zip(task.instances, answers, strict=True):
        instance.resps = [answer]
    task.apply_filters()
    found = []
    for instance in task.instances:
        record = instance.filtered_resps["none"]
        assert [each["instruction"] for each in json.loads(record)] == [
            each["id"] for each in instructions_of(instance.doc["output"])
        ]
        found.append(task.process_results(instance.doc, [record]))
    assert all(tuple(each) == METRICS for each in found)
    assert [each["instruction_strict"] for each in found] == [1, 1, 1, 0.5, 1]
    assert [each["prompt_loose"] for each in found] == [1, 1, 1, 0, 1]
    aggregate = task.aggregation()["instruction_strict"]
    assert aggregate([each["instruction_strict"] for each in found]) == pytest.approx(6 / 7)
    assert "sample-" in task.signature()
    assert task.signature().endswith("gen:greedy-2048")


def test_the_prompt_stands_alone():
    task = MIfevalTask(CONFIG)
    doc = task.eval_docs[0]
    assert task.fewshot_context(doc, 0) == doc["input"]
    assert task.fewshot_context(doc, 0, apply_chat_template=True, chat_template=lambda m, **_: m) == [
        {"role": "user", "content": doc["input"]}
    ]
    assert task.fewshot_context(doc, 0, system_instruction="短く。") == f"短く。\n\n{doc['input']}"


def test_a_missing_package_ends_the_run_before_it_generates(monkeypatch):
    import sys

    task = MIfevalTask(CONFIG)
    monkeypatch.setitem(sys.modules, "langdetect", None)
    with pytest.raises(OptionError, match="lm-eval-ja\\[ifeval\\]"):
        task.build_all_requests(limit=None, rank=0, world_size=1)
    task.override_metric("bypass")  # what --predict_only does
    task.build_all_requests(limit=None, rank=0, world_size=1)


def test_other_generation_settings_stand_in_the_signature():
    task = MIfevalTask({**CONFIG, "generation_kwargs": {**CONFIG["generation_kwargs"], "max_gen_toks": 64}})
    assert "gen:deviates:max_gen_toks=64" in task.signature()


def test_a_negative_temperature_is_refused():
    raw = {
        "name": "x",
        "title": "X",
        "prefix": "x",
        "instructions": {"dataset": "x", "max_new_tokens": 1, "temperature": -1},
        "scores": [{"name": "x", "label": "X", "members": [{"task": "x", "metric": "instruction_strict"}]}],
    }
    with pytest.raises(DataError, match="temperature must be a number from 0, found -1"):
        parse_protocol(raw, "x.yaml", load_protocol)


def test_a_run_stands_on_the_leaderboard():
    (leaf,) = load_protocol("m_ifeval_ja").leaves()
    assert (leaf.task, leaf.metric) == ("m_ifeval_ja", "instruction_strict")
    run = SimpleNamespace(tasks={"m_ifeval_ja": None, "nejumi_jaster_jnli": None})
    assert own_tasks(run, load_protocol("m_ifeval_ja")) == ["m_ifeval_ja"]


def test_intervals_draw_prompts_and_failures_count_instructions():
    """Standard error and interval are those of a ratio over prompts, not of 226 independent instructions."""
    from dataclasses import replace

    from lm_eval_ja.analysis import analyse, bootstrap_intervals, failed_parts
    from lm_eval_ja.metrics.m_ifeval import Followed, instruction_stderr
    from lm_eval_ja.protocols import Score
    from lm_eval_ja.results import Part
    from tests.support.made_up_runs import question, run, task

    verdicts = [[1, 1, 1], [0, 0, 0], [1, 1, 1], [0, 0, 0], [1], [0], [1, 0]] * 4
    questions = [
        question(
            "m_ifeval_ja",
            index,
            sum(own) / len(own),
            metric="instruction_strict",
            parts=tuple(Part(f"ja:kind:{place}", float(each)) for place, each in enumerate(own)),
        )
        for index, own in enumerate(verdicts)
    ]
    followed = [Followed(sum(own), len(own)) for own in verdicts]
    share = sum(map(sum, verdicts)) / sum(map(len, verdicts))
    made_up = replace(
        task("m_ifeval_ja", "m_ifeval_ja", questions),
        protocol="m_ifeval_ja",
        metric="instruction_strict",
        score=Score(share, instruction_stderr(followed)),
        values={"instruction_strict": share},
    )
    own = run("m", [made_up])
    interval = bootstrap_intervals([own], resamples=200)["m"].scores["m_ifeval_ja"]
    assert interval is not None
    assert interval.value == pytest.approx(share)
    assert interval.stderr == pytest.approx(instruction_stderr(followed), rel=1e-9)
    independent = (share * (1 - share) / sum(map(len, verdicts))) ** 0.5
    assert interval.stderr > 1.4 * independent, "instructions of a prompt stand or fall together"
    assert interval.high - interval.low > 2 * 1.9 * interval.stderr
    assert failed_parts(made_up) == {"ja:kind:0": (12, 28), "ja:kind:1": (12, 20), "ja:kind:2": (8, 16)}
    (failures,) = analyse(own).values()
    assert failures.score == pytest.approx(share)
    assert failures.lenient is None
