"""Commands forked from a warm process do what commands in a process of their own do: else no other test here counts."""

import re
import sys

import pytest

from tests.support.commands import SAMPLE, evaluate_command, run_command

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="commands always start from nothing here")


def plain(text: str) -> list[str]:
    """Output without what differs from run to run: times and speeds."""
    text = re.sub(r"\d{4}-\d\d-\d\d[:T][\d:.-]+|\d+%\|[^\n]*", "", text)
    return [line for line in text.splitlines() if line.strip()]


def without_times(value: object) -> object:
    if isinstance(value, dict):
        changing = {"date", "start_time", "end_time", "total_evaluation_time_seconds", "pretty_env_info"}
        return {name: without_times(item) for name, item in value.items() if name not in changing}
    return value


def test_a_run_is_the_same(tmp_path, sample_answers):
    def run(fresh):
        folder = tmp_path / "same"  # one after the other in the same place, so that paths are equal
        folder.mkdir()
        done = evaluate_command(
            *("--model", "recorded", "--model_args", f"path={sample_answers}", "--metadata", SAMPLE),
            *("--tasks", "nejumi_jaster"),
            folder=folder,
            fresh=fresh,
        )
        found = done.results(), done.samples("nejumi_jaster_niilc"), plain(done.output)
        folder.rename(tmp_path / str(fresh))
        return found

    (warm, warm_samples, warm_said), (fresh, fresh_samples, fresh_said) = run(False), run(True)
    assert without_times(warm) == without_times(fresh)
    assert warm_samples == fresh_samples
    assert warm_said == fresh_said


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("lm_eval", "run", "--model", "recorded", "--tasks", "nejumi_jastr"), 1),
        (("lm_eval", "run", "--tasks"), 2),
        (("lm-eval-ja", "report", "nowhere"), 2),
        (("lm-eval-ja", "--version"), 0),
    ],
)
def test_an_end_is_the_same(tmp_path, arguments, status):
    warm, fresh = (run_command(*arguments, folder=tmp_path, ok=False, fresh=fresh) for fresh in (False, True))
    assert warm.code == fresh.code == status
    # The frames below runpy are those of a fork.
    said = [[line for line in plain(done.output) if not line.startswith("  ")] for done in (warm, fresh)]
    assert said[0] == said[1]


def test_nothing_stays_from_one_command_to_the_next(tmp_path):
    """Environment, folder and what a command changed in its process."""
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        done = run_command(
            *(
                "lm-eval-ja",
                "prompts",
                "--tasks",
                "nejumi_jaster_jnli",
                "--metadata",
                SAMPLE,
                "-o",
                "p.jsonl",
            ),
            folder=folder,
            env={"LM_EVAL_JA_CACHE": str(folder / "own")},
        )
        assert sorted(path.name for path in folder.iterdir() if path.name != "own") == ["p.jsonl"], (
            done.output
        )


def test_what_is_read_at_the_start_gets_a_start(tmp_path):
    off = {"LM_EVAL_JA_AUTOLOAD": "0"}
    done = run_command("lm_eval", "validate", "--tasks", "nejumi_jaster", folder=tmp_path, env=off, ok=False)
    assert done.code != 0, done.output
