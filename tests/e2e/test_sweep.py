"""``lm-eval-ja sweep``: what single runs give, once over, and whatever interrupts it."""

import argparse
import dataclasses
import gc
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path

import lm_eval.utils
import pytest

from lm_eval_ja.cli import _sweep
from lm_eval_ja.errors import OptionError
from lm_eval_ja.sweep import Checkpoint, Ledger, run_apart
from tests.support.commands import REPOSITORY, SAMPLE, environment
from tests.support.judge_server import JudgeServer, say

FAST = {"LM_EVAL_JA_INDEX_CACHE": "1", "OPENAI_API_KEY": "sk-secret-0123456789abcdef"}
TASK = ["--tasks", "nejumi_jaster_nli", "--metadata", SAMPLE]
DATES = {"date", "total_evaluation_time_seconds"}


@pytest.fixture(autouse=True, scope="module")
def one_cache(tmp_path_factory):
    """One index of tasks for all of this module's commands."""
    FAST["LM_EVAL_JA_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def logging_as_it_was(monkeypatch):
    """A sweep in this process sets up the harness's logging, to a stream that ends with the test."""
    logger = logging.getLogger("lm_eval")
    monkeypatch.setattr(lm_eval.utils, "_LOGGING_CONFIGURED", False)
    monkeypatch.setattr(logger, "handlers", [*logger.handlers])
    monkeypatch.setattr(logger, "propagate", logger.propagate)
    level = logger.level
    yield
    logger.setLevel(level)


def files(folder: Path) -> dict[str, Path]:
    """Files by name, but for the date in it; of several the newest."""
    found = sorted(path for path in folder.iterdir() if path.suffix in {".json", ".jsonl"})
    return {re.sub(r"_\d{4}-\d\d-\d\dT[\d.-]+(?=\.json)", "", path.name): path for path in found}


def assert_same(swept: Path, single: Path, *, apart: tuple[str, ...] = ()) -> None:
    """The same files with the same content, but for dates."""
    ours, theirs = files(swept), files(single)
    assert ours.keys() == theirs.keys()
    for name, path in ours.items():
        if name.startswith("samples_"):
            assert path.read_bytes() == theirs[name].read_bytes(), name
        else:
            a, b = (json.loads(file.read_text(encoding="utf-8")) for file in (path, theirs[name]))
            assert a.keys() == b.keys()
            assert [key for key in a if a[key] != b[key] and key not in {*DATES, *apart}] == []


@pytest.fixture
def checkpoints(tiny_model, tmp_path) -> Path:
    folder = tmp_path / "ckpts"
    shutil.copytree(tiny_model, folder / "step-900")
    make = [sys.executable, str(REPOSITORY / "scripts" / "make_tiny_model.py")]
    subprocess.run([*make, str(folder / "step-1000"), "--seed", "1"], check=True, capture_output=True)
    (folder / "step-950").mkdir()
    return folder


def ledger(folder: Path) -> list[dict[str, str]]:
    path = folder / "sweep.jsonl"
    return (
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    )


@pytest.mark.slow
def test_a_sweep_gives_what_single_runs_give_and_does_once_what_is_the_same_for_all(
    checkpoints, lm_eval, tmp_path, monkeypatch, capsys
):
    """Two models and a folder without one, in this process, so that what it does can be counted."""
    for name, value in environment(tmp_path, FAST).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    from lm_eval.tasks import TaskManager
    from transformers import AutoModelForCausalLM

    from lm_eval_ja.cli import main
    from lm_eval_ja.tasks import jaster

    models: list[weakref.ref] = []
    managers: list[TaskManager] = []
    read: list[str] = []
    load, pretrained, make = jaster.load, AutoModelForCausalLM.from_pretrained, TaskManager.__init__

    def load_model(*args, **kwargs):
        gc.collect()
        assert [ref for ref in models if ref() is not None] == [], "the model before is still in memory"
        model = pretrained(*args, **kwargs)
        models.append(weakref.ref(model))
        return model

    def load_data(*args, **kwargs):
        read.append(args[1])
        return load(*args, **kwargs)

    def make_manager(self, *args, **kwargs):
        make(self, *args, **kwargs)
        managers.append(self)

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", load_model)
    monkeypatch.setattr(jaster, "load", load_data)
    monkeypatch.setattr(TaskManager, "__init__", make_manager)
    names = ["ckpts/step-1000", "ckpts/step-900", "ckpts/step-950"]
    sweep = ["sweep", *names, *TASK, "--limit", "1", "--batch_size", "4", "--output_path", "out"]
    assert main(sweep) == 1
    said = capsys.readouterr()
    assert "ckpts/step-950 is left out" in said.err
    assert re.findall(r"^ +(ckpts/step-\d+) ", said.out, re.MULTILINE) == [
        "ckpts/step-900",
        "ckpts/step-950",
        "ckpts/step-1000",
    ]
    assert len(models) == 2
    assert len(read) == len(set(read)) == 5, "every dataset is read once for all checkpoints"
    assert len(managers) == 4
    assert len({id(manager.task_index["hellaswag"]) for manager in managers}) == 1, "tasks are indexed once"
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "step-900" in report
    assert "step-1000" in report

    assert main(sweep) == 1, "step-950 is still bad"
    assert "2 of 3 had complete results" in capsys.readouterr().out
    assert len(models) == 2

    for name in ("step-900", "step-1000"):
        args = f"--model hf --model_args pretrained=ckpts/{name} --limit 1 --batch_size 4".split()
        lm_eval(*args, *TASK, output="single", env=FAST)
        assert_same(tmp_path / "out" / f"ckpts__{name}", tmp_path / "single" / f"ckpts__{name}")

    torn = next((tmp_path / "out" / "ckpts__step-900").glob("samples_*"))
    torn.write_text(torn.read_text(encoding="utf-8")[:-20], encoding="utf-8")
    changed = tmp_path / "ckpts" / "step-1000" / "config.json"
    os.utime(changed, ns=(1, 1))
    assert main(sweep) == 1
    assert len(models) == 4, "torn samples, and a checkpoint that was written again"


def jaster_answers(path: Path, text: str) -> None:
    """Recorded answers, all of which end with a text."""
    source = (REPOSITORY / "examples" / "sample_answers.jsonl").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in source.splitlines()]
    path.write_text(
        "".join(
            json.dumps({**line, "output": line["output"] + text}, ensure_ascii=False) + "\n" for line in lines
        ),
        encoding="utf-8",
    )


def test_a_killed_sweep_goes_on_where_it_was(tmp_path, lm_eval_ja):
    """The second file of answers is a pipe that nobody writes to: the sweep waits there, and is killed."""
    for number in (1, 2):
        jaster_answers(tmp_path / f"a{number}.jsonl", str(number))
    (tmp_path / "a2.jsonl").rename(tmp_path / "kept")
    os.mkfifo(tmp_path / "a2.jsonl")
    words = ["sweep", "a1.jsonl", "a2.jsonl", "--model", "recorded", *TASK, "--output_path", "out"]
    killed = subprocess.Popen(
        [sys.executable, "-m", "lm_eval_ja.cli", *words], cwd=tmp_path, env=environment(tmp_path, FAST)
    )
    deadline = time.monotonic() + 300
    while not ledger(tmp_path / "out"):
        assert killed.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    with pytest.raises(OptionError, match="another sweep is writing"), Ledger(tmp_path / "out").alone():
        pass
    killed.kill()
    killed.wait()
    (first,) = ledger(tmp_path / "out")
    (tmp_path / "a2.jsonl").unlink()
    (tmp_path / "kept").rename(tmp_path / "a2.jsonl")
    with (tmp_path / "out" / "sweep.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"checkpoint": "torn')
    done = lm_eval_ja(*words, env=FAST)
    assert "1 of 2 had complete results" in done.output
    assert len(list((tmp_path / "out" / "a1.jsonl").glob("results_*"))) == 1
    assert (tmp_path / "out" / first["results"]).is_file()


def test_a_process_for_each_checkpoint_gives_the_same(tmp_path, lm_eval_ja, lm_eval):
    jaster_answers(tmp_path / "a1.jsonl", "1")
    (tmp_path / "a3.jsonl").write_text("no json\n", encoding="utf-8")
    words = ["--model", "recorded", *TASK]
    sweep = ["sweep", "a1.jsonl", "a3.jsonl", *words, "--isolate", "--output_path", "out"]
    done = lm_eval_ja(*sweep, ok=False, env=FAST)
    assert done.code == 1
    assert "a3.jsonl is left out: DataError: a3.jsonl, line 1" in done.output
    lm_eval(*words, "--model_args", "path=a1.jsonl", output="single", env=FAST)
    assert_same(tmp_path / "out" / "a1.jsonl", tmp_path / "single" / "a1.jsonl")


def kill_itself(argument: int) -> None:
    os.kill(os.getpid(), argument)


def test_a_process_that_is_killed_is_one_checkpoint_in_trouble():
    assert "was killed" in run_apart(kill_itself, signal.SIGKILL)


def mtbench_answers(path: Path, text: str) -> None:
    from lm_eval_ja.datasets import load_mtbench
    from lm_eval_ja.prompts import Conversation

    lines = []
    for doc in load_mtbench("neo", data="sample"):
        conversation = Conversation(tuple(doc["turns"]), chat=False)
        lines.append({"prompt": conversation.first(), "output": f"{text} 一"})
        lines.append({"prompt": conversation.second(f"{text} 一"), "output": f"{text} 二"})
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


def test_answers_are_judged_beside_the_next_checkpoint_and_paid_for_once(tmp_path, lm_eval_ja, lm_eval):
    mtbench_answers(tmp_path / "m1.jsonl", "赤")
    mtbench_answers(tmp_path / "m2.jsonl", "青")
    second_is_generated = tmp_path / "out" / "m2.jsonl"

    def rate(call):
        if "赤" in call.prompt:  # the first model's judge has to wait for the second model's answers
            return dataclasses.replace(say("[[7]]"), until=second_is_generated.exists)
        return say("[[5]]")

    with JudgeServer(rate) as server:
        metadata = json.dumps({"data": "sample", "judge_base_url": server.url, "judge_model": "some-judge"})
        words = ["--model", "recorded", "--tasks", "nejumi_mtbench", "--metadata", metadata]
        sweep = ["sweep", "m1.jsonl", "m2.jsonl", *words, "--output_path", "out"]
        done = lm_eval_ja(*sweep, env=FAST)
        asked = [call for call in server.calls if "\n" in call.prompt]
        assert len(asked) == 32
        assert re.search(r"m1\.jsonl +7\.0000", done.output)
        assert re.search(r"m2\.jsonl +5\.0000 \(-2\.0000\)", done.output)
        again = lm_eval_ja(*sweep, env=FAST)
        assert "2 of 2 had complete results" in again.output
        assert re.search(r"m2\.jsonl +5\.0000 \(-2\.0000\)", again.output)
        single = lm_eval(*words, "--model_args", "path=m1.jsonl", output="single", env=FAST)
        assert len([call for call in server.calls if "\n" in call.prompt]) == 32
        newest = max((tmp_path / "out" / "m1.jsonl").glob("results_*"))
        swept = json.loads(newest.read_text(encoding="utf-8"))
        assert swept["results"] == single.results()["results"]
        assert swept["configs"] == single.results()["configs"]
        other = [*sweep]
        other[other.index(metadata)] = metadata.replace("some-judge", "other-judge")
        before = len(list((tmp_path / "out" / "m1.jsonl").glob("results_*")))
        lm_eval_ja(*other, env=FAST)
        assert len(list((tmp_path / "out" / "m1.jsonl").glob("results_*"))) == before + 1, (
            "judged, not generated"
        )
        assert len([call for call in server.calls if "\n" in call.prompt]) == 64


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["a.jsonl", "--tasks", "nejumi_jaster"], "name a folder for the results"),
        (["a.jsonl", "--tasks", "nejumi_jaster", "--output_path", "o.json"], "a folder is expected"),
        (["none-*", "--tasks", "nejumi_jaster", "--output_path", "out"], "no file or folder matches"),
        (
            ["m", "--model_args", "pretrained=x", *TASK, "--output_path", "out"],
            "sets pretrained to each checkpoint",
        ),
        (["m", "--tasks", "nejumi_jasta", "--output_path", "out"], "nejumi_jasta"),
        (
            ["m", "--tasks", "nejumi_jaster", "--metadata", '{"max_sample": 1}', "--output_path", "out"],
            "max_sample",
        ),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_loaded(words, reason, tmp_path, monkeypatch):
    for name, value in environment(tmp_path, FAST).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError, match=re.escape(reason)):
        _sweep.run(argparse.Namespace(words=words))


def test_the_checkpoint_stands_where_the_user_puts_it(tmp_path, monkeypatch):
    """Adapters of one base model, each with an answer cache of its own; the user's own options stay."""
    for name, value in environment(tmp_path, FAST).items():
        monkeypatch.setenv(name, value)
    words = ["ad/7", *TASK, "--model_args", "pretrained=BASE,peft=@CHECKPOINT", "dtype=float32"]
    given = _sweep.build_parser().parse_args([*words, "--use_cache", "kept", "--output_path", "out"])
    options = {name: value for name, value in vars(given).items() if name not in _sweep._OWN}
    plan = _sweep._Plan(argparse.Namespace(**options), isolate=False)
    own = plan._arguments(Checkpoint("ad/7"))
    assert own.model_args == {"pretrained": "BASE", "peft": "ad/7", "dtype": "float32"}
    assert own.metadata == {"data": "sample"}
    assert own.use_cache == "kept_ad__7"
    assert plan.settings(Checkpoint("ad/7")) != plan.settings(Checkpoint("ad/8"))
