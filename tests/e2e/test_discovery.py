"""Every way in which the tasks can be found."""

import json
import os
import subprocess
import sys
import venv
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import pytest

from lm_eval_ja.protocols import load_protocol, protocol_names
from lm_eval_ja.tasks.generate import task_files

REPOSITORY = Path(__file__).resolve().parents[2]
SAMPLE = ["--metadata", json.dumps({"data": "sample"})]

FILES = {file.removesuffix(".yaml") for name in protocol_names() for file in task_files(load_protocol(name))}
"""What the protocols say there is; that the committed files are those, tests/unit/test_make_tasks.py holds."""

TASKS = {name for name in FILES if not name.startswith("_")}
GROUPS = {name[1:] for name in FILES if name.startswith("_")}


def test_the_index_holds_exactly_our_tasks_and_groups():
    """A broken YAML vanishes from the harness's index without a word; here it is missed."""
    from lm_eval.tasks import TaskManager

    from lm_eval_ja.plugin import TASKS_PATH

    manager = TaskManager(include_path=str(TASKS_PATH), include_defaults=False)
    assert set(manager.all_subtasks) == TASKS
    assert set(manager.all_groups) == GROUPS
    assert manager.all_tags == []


def test_listed_and_validated(command):
    listed = command("lm_eval", "ls", "tasks").output
    assert "nejumi_jaster_wiki_pas" in listed
    assert "generate_until" in next(line for line in listed.splitlines() if "|nejumi_jaster_jnli" in line)
    assert (
        "All tasks found and valid" in command("lm_eval", "validate", "--tasks", "nejumi,llm_jp_eval").output
    )


def test_bridge_off_and_include_path(command, lm_eval, lm_eval_ja, sample_answers):
    off = {"LM_EVAL_JA_AUTOLOAD": "0"}
    missing = command("lm_eval", "validate", "--tasks", "nejumi_jaster", env=off, ok=False)
    # 0.5.0.dev1 calls every name valid.
    assert "Tasks not found: nejumi_jaster" in missing.output or find_spec("lm_eval.scorers")
    path = lm_eval_ja("tasks-path", env=off).output.strip()
    found = command("lm_eval", "validate", "--tasks", "nejumi_jaster", "--include_path", path, env=off)
    assert "All tasks found and valid" in found.output
    assert (
        "overrides"
        not in command("lm_eval", "validate", "--tasks", "nejumi_jaster", "--include_path", path).output
    ), "our folder, named while the bridge is on, is searched once"


def test_bridge_off_scores_are_the_same(tmp_path, sample_answers):
    """The first `!function` of ours installs the hooks, so a group of groups adds up without the bridge, too."""
    code = f"""
import json, lm_eval
from lm_eval.tasks import TaskManager
from lm_eval_ja.models.recorded import RecordedLM
from lm_eval_ja.plugin import TASKS_PATH, is_hooked
assert not is_hooked(lm_eval.tasks.manager.TaskIndex.build)
manager = TaskManager(include_path=[str(TASKS_PATH)], metadata={{"data": "sample"}})
results = lm_eval.simple_evaluate(
    model=RecordedLM({sample_answers!r}), tasks=["nejumi_jaster"], task_manager=manager)
print(json.dumps(results["results"]["nejumi_jaster"]["score,none"]))
"""
    scores = []
    for bridge in ("0", "1"):
        setting = code if bridge == "0" else code.replace("assert not", "assert")
        done = subprocess.run(
            [sys.executable, "-c", setting],
            env={**os.environ, "LM_EVAL_JA_AUTOLOAD": bridge, "LM_EVAL_JA_CACHE": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        scores.append(json.loads(done.stdout.splitlines()[-1]))
    assert scores[0] == scores[1] > 0


def test_entry_points_are_declared():
    (tasks,) = [point for point in entry_points(group="lm_eval.tasks") if point.name == "lm_eval_ja"]
    assert Path(tasks.load().__file__).parent == REPOSITORY / "lm_eval_ja" / "tasks"
    (model,) = [point for point in entry_points(group="lm_eval.models") if point.name == "recorded"]
    assert model.load().__name__ == "RecordedLM"


def test_from_python_by_name(tmp_path, sample_answers):
    code = f"""
import lm_eval
results = lm_eval.simple_evaluate(model="recorded", model_args="path={sample_answers}", tasks=["nejumi_jaster_mc"],
                                  metadata={{"data": "sample"}})
print(results["results"]["nejumi_jaster_mc"]["score,none"] > 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.stdout.endswith("True\n"), done.stderr[-3000:]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "-w", str(folder), str(REPOSITORY)],
        check=True,
    )
    (path,) = folder.glob("*.whl")
    return path


def test_a_wheel_in_a_fresh_environment(wheel, tmp_path, sample_answers):
    """As pip installs it; the dependencies are lent from this environment, our own package is the wheel's."""
    import zipfile

    import lm_eval

    names = zipfile.ZipFile(wheel).namelist()
    assert "lm_eval_ja.pth" in names
    assert "lm_eval_ja/py.typed" in names
    assert any(name.endswith("sample/README.md") for name in names)
    assert any(name.endswith("tasks/neo/nejumi_jaster_jnli.yaml") for name in names)
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    site = Path(
        subprocess.run(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
    )
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(wheel)],
        check=True,
    )
    # Appended, so that the wheel's package comes before the checkout that this environment may have installed.
    lent = Path(lm_eval.__file__).parents[1]
    (site / "zz_lent.pth").write_text(f"import sys; sys.path.append({str(lent)!r})\n")
    probe = (
        "import lm_eval_ja, lm_eval.tasks as t; print(lm_eval_ja.__file__); "
        "print('nejumi' in t.TaskManager().all_groups)"
    )
    done = subprocess.run([python, "-c", probe], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == [str(site / "lm_eval_ja" / "__init__.py"), "True"], done.stderr[-2000:]
    run = subprocess.run(
        [
            *(
                python,
                "-m",
                "lm_eval",
                "run",
                "--model",
                "recorded",
                "--model_args",
                f"path={sample_answers}",
            ),
            *("--tasks", "nejumi_jaster", *SAMPLE),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert "nejumi_jaster (sample, not a benchmark)" in run.stdout, run.stderr[-2000:]
