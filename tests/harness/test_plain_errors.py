"""What a user of ``lm_eval`` sees of an error: ours as its message, everybody else's as before."""

import json
import subprocess
import sys

import pytest

from tests.support.commands import SAMPLE, environment, run_command

WRONG = ("--tasks", "nejumi_jaster_jnli", "--metadata", json.dumps({"data": "sample", "max_samples": "many"}))


@pytest.mark.parametrize("fresh", [False, True])
def test_our_error_is_its_message(tmp_path, fresh):
    done = run_command("lm_eval", "run", "--model", "dummy", *WRONG, folder=tmp_path, ok=False, fresh=fresh)
    assert done.code == 1
    assert "Traceback" not in done.output
    last = done.output.rstrip().splitlines()[-1]
    assert last.startswith("lm_eval: error: ")
    assert "max_samples" in last
    assert "many" in last


def test_debugging_shows_where(tmp_path):
    done = run_command(
        "lm_eval",
        "run",
        "--model",
        "dummy",
        *WRONG,
        folder=tmp_path,
        env={"LMEVAL_LOG_LEVEL": "DEBUG"},
        ok=False,
    )
    assert done.code == 1
    assert "Traceback" in done.output
    assert "OptionError: " in done.output


def test_an_error_of_others_is_as_before(tmp_path):
    arguments = ("--model", "nobody-has-it", "--tasks", "nejumi_jaster_jnli", "--metadata", SAMPLE)
    done = run_command("lm_eval", "run", *arguments, folder=tmp_path, ok=False)
    assert done.code == 1
    assert "Traceback" in done.output


def test_a_program_of_ones_own_shows_where(tmp_path):
    program = tmp_path / "evaluate.py"
    program.write_text(
        "import lm_eval\n"
        "lm_eval.simple_evaluate('dummy', tasks=['nejumi_jaster_jnli'],"
        " metadata={'data': 'sample', 'max_samples': 'many'})\n"
    )
    done = subprocess.run(
        [sys.executable, str(program)],
        env=environment(tmp_path, {"LM_EVAL_JA_INDEX_CACHE": "1"}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "OptionError: " in done.stderr
