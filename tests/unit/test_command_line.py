"""What every command of ours does when the outside misbehaves: readers that leave, full disks, Ctrl-C, odd folders."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import lm_eval_ja.cli
from lm_eval_ja.cli import main
from tests.support import small_runs as s
from tests.support.judge_server import JudgeServer, rate, say, set_environment
from tests.support.saved_answers import save_answers


@pytest.fixture
def environment(tmp_path, monkeypatch):
    monkeypatch.setenv("LM_EVAL_JA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LM_EVAL_JA_OFFLINE", "1")
    set_environment(monkeypatch)


def finish(*arguments: str, stdout: int) -> tuple[int, str]:
    command = [sys.executable, "-m", "lm_eval_ja.cli", *arguments]
    done = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize("arguments", [["tasks-path"], ["report", "out"]], ids=" ".join)
def test_a_reader_that_has_left_is_no_error(arguments, tmp_path, monkeypatch, environment):
    """As in `lm-eval-ja report out | head`; rich's own way is exit status 1."""
    monkeypatch.chdir(tmp_path)
    s.write_run(tmp_path / "out", s.whole_jaster())
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert finish(*arguments, stdout=writer) == (0, "")
    finally:
        os.close(writer)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")  # noqa: PTH110  # no folder to walk
@pytest.mark.parametrize("arguments", [["tasks-path"], ["report", "out"]], ids=" ".join)
def test_a_full_disk_behind_standard_output_is_one_line(arguments, tmp_path, monkeypatch, environment):
    monkeypatch.chdir(tmp_path)
    s.write_run(tmp_path / "out", s.whole_jaster())
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        status, said = finish(*arguments, stdout=full.fileno())
    assert (status, said) == (2, f"lm-eval-ja {arguments[0]}: [Errno 28] No space left on device\n")


def test_ctrl_c_is_one_line_from_the_start(monkeypatch, capsys):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(lm_eval_ja.cli, "build_parser", interrupted)
    assert main(["report", "out"]) == 130
    assert capsys.readouterr().err == "lm-eval-ja: interrupted; what was finished is kept\n"


def test_a_folder_that_cannot_be_written_costs_no_judgment(tmp_path, monkeypatch, capsys, environment):
    save_answers(tmp_path / "out")

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    with JudgeServer() as server, monkeypatch.context() as patch:
        command = ["judge", str(tmp_path / "out"), "--judge_base_url", server.url, "--no-judge_preflight"]
        patch.setattr(Path, "write_bytes", refuse)
        assert main(command) == 2
        assert server.calls == []
    said = capsys.readouterr().err
    assert f"{tmp_path / 'out'} can't be written to" in said


def test_a_disk_that_fills_up_after_judging_loses_no_judgment(tmp_path, monkeypatch, capsys, environment):
    save_answers(tmp_path / "out")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with JudgeServer() as server:
        command = ["judge", str(tmp_path / "out"), "--judge_base_url", server.url, "--no-judge_preflight"]
        with monkeypatch.context() as patch:
            patch.setattr("lm_eval_ja.rescoring._rejudge.write_run", full)
            assert main(command) == 2
        assert "All judgments are saved" in capsys.readouterr().err
        asked = len(server.calls)
        assert main(command) == 0
        assert len(server.calls) == asked == 16


def test_one_run_that_cannot_be_judged_is_named_and_left_out(tmp_path, capsys, environment):
    save_answers(tmp_path / "out" / "good")
    broken = save_answers(tmp_path / "out" / "broken")
    samples = next(broken.parent.glob("samples_*"))
    samples.write_text('{"doc": {"turns": [1]}}\n', encoding="utf-8")
    with JudgeServer() as server:
        command = ["judge", str(tmp_path / "out"), "--judge_base_url", server.url, "--no-judge_preflight"]
        assert main(command) == 1
    shown = capsys.readouterr().out
    assert f"nothing written: {samples}, line 1: not a logged MT-Bench sample" in shown
    assert f"written: {tmp_path / 'out' / 'good'}" in shown


def test_a_turn_without_a_rating_shows_in_the_exit_status(tmp_path, monkeypatch, environment):
    save_answers(tmp_path / "out")
    with JudgeServer(lambda call: say("no rating") if call.number <= 3 else rate(call)) as server:
        command = ["judge", str(tmp_path / "out"), "--judge_base_url", server.url, "--no-judge_preflight"]
        assert main([*command, "--judge_concurrency", "1"]) == 1
        assert main(command) == 0


@pytest.mark.parametrize("include_path", ["missing", "own.yaml"])
def test_an_include_path_that_is_no_folder_is_named(include_path, tmp_path, monkeypatch, capsys, environment):
    """The harness leaves it out without a word."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.yaml").write_text("task: own\n", encoding="utf-8")
    command = ["prompts", "--tasks", "nejumi_jaster_jnli", "-o", "-", "--metadata", "data=sample"]
    assert main([*command, "--include_path", include_path]) == 2
    assert f"--include_path {include_path} is no folder" in capsys.readouterr().err


def test_task_files_are_not_written_among_files_that_cannot_be_read(tmp_path, capsys):
    (tmp_path / "x.yaml").write_bytes(b"\xff")
    assert main(["make-tasks", "neo", "-o", str(tmp_path)]) == 2
    assert "cannot be read" in capsys.readouterr().err
    (tmp_path / "x.yaml").unlink()
    (tmp_path / "x.yaml").mkdir()
    assert main(["make-tasks", "neo", "-o", str(tmp_path)]) == 2


def test_a_bundle_below_a_file_is_named(tmp_path, capsys, environment):
    from lm_eval_ja.datasets import Settings, make_bundle
    from lm_eval_ja.errors import DataError

    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(DataError, match=r"Cannot write the bundle .*file/bundle\.tar"):
        make_bundle(tmp_path / "file" / "bundle.tar", [], settings=Settings(tmp_path / "cache"))


def test_own_data_that_may_not_be_read_is_named(tmp_path, monkeypatch, capsys, environment):
    """Its files would silently not be found, and ours be used."""
    monkeypatch.setenv("LM_EVAL_JA_LLM_JP_EVAL_DATA", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert main(["prepare", "--datasets", "jnli"]) == 2
    assert "LM_EVAL_JA_LLM_JP_EVAL_DATA" in capsys.readouterr().err
