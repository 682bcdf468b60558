"""Edited, damaged and foreign result files: one that cannot be read is named and left out, the rest is shown."""

import contextlib
import copy
import json
import os
import random
import shutil
import time
from pathlib import Path

import pytest

from lm_eval_ja.analysis import analyse_runs
from lm_eval_ja.errors import LmEvalJaError
from lm_eval_ja.judge.options import JudgeOptions
from lm_eval_ja.rescoring import find_runs, rejudge, rescore
from lm_eval_ja.results import read_runs
from tests.support import small_runs as s
from tests.support.judge_server import JudgeServer, set_environment
from tests.support.saved_answers import save_answers

SECONDS = float(os.environ.get("LM_EVAL_JA_FUZZ_SECONDS", "0"))
ROUNDS = 60
ODD = (
    None,
    True,
    -1,
    0,
    1e308,
    10**400,
    float("nan"),
    "",
    "x",
    "\x1b[31m\u202e",
    "\ud800",
    [],
    {},
    [[]],
    {"": None},
    ["x"] * 3,
)


def whole(folder: Path) -> Path:
    """A run with every kind of task, beside one that is left alone."""
    talk = s.conversation("mtbench-1", "coding", ["a", "b"], [8, 6])
    s.write_run(folder / "good", s.whole_jaster(), model="good")
    return s.write_run(
        folder / "bad", [*s.whole_jaster(), s.mtbench([talk], {"coding": 7.0, "score": 7.0})], model="bad"
    )


def places(value, path=()):
    """Paths to everything in a JSON value."""
    yield path
    for key, below in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from places(below, (*path, key))


def edited(raw, rng: random.Random):
    """The value with a few of its parts replaced or removed."""
    raw = json.loads(json.dumps(raw))
    for _ in range(rng.randint(1, 4)):
        path = rng.choice(list(places(raw)))
        if not path:
            return copy.deepcopy(rng.choice(ODD))
        holder = raw
        for key in path[:-1]:
            holder = holder[key]
        if rng.random() < 0.3 and isinstance(holder, dict):
            del holder[path[-1]]
        else:
            holder[path[-1]] = copy.deepcopy(rng.choice(ODD))
    return raw


def check(folder: Path) -> None:
    """Read as every command does. A clear error is fine where nothing is left; the untouched run is always there."""
    runs = read_runs([folder])
    assert "good" in {run.model for run in runs.runs}
    analysis = analyse_runs(runs, resamples=20, tokenizers=False)
    assert any(row.run.model == "good" for board in analysis.leaderboards for row in board.rows)
    for run in runs.runs:
        with contextlib.suppress(LmEvalJaError):
            rescore(run)
    with contextlib.suppress(LmEvalJaError):
        find_runs(folder)


def rounds():
    start = time.monotonic()
    number = 0
    while number < ROUNDS or time.monotonic() - start < SECONDS:
        yield number
        number += 1


def test_edited_results(tmp_path):
    path = whole(tmp_path)
    raw = json.loads(path.read_text(encoding="utf-8"))
    for number in rounds():
        text = json.dumps(edited(raw, random.Random(number)))
        path.write_text(text, encoding="utf-8")
        try:
            check(tmp_path)
        except Exception as error:
            raise AssertionError(f"seed {number}: {text[:2000]}") from error


def test_edited_samples(tmp_path):
    whole(tmp_path)
    files = sorted((tmp_path / "bad").glob("samples_*"))
    for number in rounds():
        rng = random.Random(number)
        path = rng.choice(files)
        before = path.read_bytes()
        lines = [edited(json.loads(line), rng) for line in before.decode().split("\n") if line]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        try:
            check(tmp_path)
        except Exception as error:
            raise AssertionError(f"seed {number}: {path.read_text(encoding='utf-8')[:2000]}") from error
        path.write_bytes(before)


def test_damaged_bytes(tmp_path):
    path = whole(tmp_path)
    before = path.read_bytes()
    for number in rounds():
        rng = random.Random(number)
        data = bytearray(before)
        for _ in range(rng.randint(1, 5)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(bytes(data[: rng.choice((len(data), rng.randrange(len(data))))]))
        check(tmp_path)


def test_edited_answers_judged_again(tmp_path, monkeypatch):
    """`lm-eval-ja judge`: a clear error before any call for what is no run with answers, and else new results."""
    set_environment(monkeypatch)
    monkeypatch.setenv("LM_EVAL_JA_CACHE", str(tmp_path / "cache"))
    save_answers(tmp_path / "whole")
    with JudgeServer() as server:
        options = JudgeOptions(judge_base_url=server.url, data="sample")
        for number in rounds():
            rng = random.Random(number)
            run = shutil.copytree(tmp_path / "whole", tmp_path / "edited")
            path = rng.choice(sorted(run.iterdir()))
            lines = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
            place = rng.randrange(len(lines))
            lines[place] = edited(lines[place], rng)
            text = "".join(json.dumps(line) + "\n" for line in lines)
            path.write_text(text, encoding="utf-8")
            calls = len(server.calls)
            try:
                for found in find_runs(run)[0]:
                    rejudge(found, options)
            except LmEvalJaError:
                assert len(server.calls) == calls
            except Exception as error:
                raise AssertionError(f"seed {number}: {text[:2000]}") from error
            shutil.rmtree(run)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_what_is_no_regular_file_is_left_out(tmp_path):
    whole(tmp_path)
    odd = tmp_path / "odd"
    odd.mkdir()
    os.mkfifo(odd / "results_2026-11-02T10-00-00.000000.json")
    (odd / "results_2026-11-03T10-00-00.000000.json").symlink_to(
        odd / "results_2026-11-03T10-00-00.000000.json"
    )
    (odd / "results_2026-11-04T10-00-00.000000.json").mkdir()
    (odd / "loop").symlink_to(odd)
    check(tmp_path)
