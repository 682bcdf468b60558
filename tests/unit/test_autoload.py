"""The .pth bridge: cheap, silent, and never in the way of Python or lm_eval."""

import os
import subprocess
import sys
import textwrap

from lm_eval_ja import plugin


def python(code: str, *flags: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *flags, "-c", textwrap.dedent(code)],
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )


MODULES = "import sys; print(*sorted(sys.modules))"


def test_start_up_imports_nothing_that_a_bare_start_has_not():
    """Modules are counted, not seconds: those show in ``benchmarks/startup.py``."""
    bare = set(python(MODULES, env={"LM_EVAL_JA_AUTOLOAD": "0"}).stdout.split())
    bridged = set(python(MODULES).stdout.split())
    assert bridged - bare == {"lm_eval_ja", "lm_eval_ja._autoload"}, "nothing but ourselves"


def test_switched_off_nothing_of_ours_is_read():
    bare = set(python(MODULES, env={"LM_EVAL_JA_AUTOLOAD": "0"}).stdout.split())
    assert not {name for name in bare if name.startswith("lm_eval")}


def test_a_broken_lm_eval_breaks_only_itself(tmp_path):
    (tmp_path / "lm_eval").mkdir()
    (tmp_path / "lm_eval" / "__init__.py").write_text("raise RuntimeError('broken on purpose')")
    env = {"PYTHONPATH": str(tmp_path)}
    assert python("print('fine')", env=env).stdout == "fine\n"
    done = python("import lm_eval", env=env)
    assert "broken on purpose" in done.stderr
    assert "lm-eval-ja" not in done.stderr


def test_a_missing_lm_eval_is_no_trouble():
    done = python(
        """
        import sys
        sys.path[:] = [path for path in sys.path if "site-packages" not in path]
        try:
            import lm_eval.tasks.manager
        except ModuleNotFoundError as error:
            print(error.name)
        """
    )
    assert done.stdout.strip() == "lm_eval", done.stderr


def test_a_harness_that_has_changed_is_one_warning(tmp_path):
    """A TaskManager that is not what we know: the import goes on, what is off is told once."""
    for folder in ("lm_eval", "lm_eval/tasks", "lm_eval/api"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "__init__.py").write_text("")
    (tmp_path / "lm_eval" / "tasks" / "manager.py").write_text("SOMETHING = 'else'\n")
    done = python("import lm_eval.tasks.manager as m; print(m.SOMETHING)", env={"PYTHONPATH": str(tmp_path)})
    assert done.stdout == "else\n", done.stderr
    assert done.stderr.count("RuntimeWarning: lm-eval-ja does not fit this lm_eval") == 1
    assert "our tasks without --include_path" in done.stderr


def test_off_switch():
    code = "import sys; print([type(f).__name__ for f in sys.meta_path].count('_Finder'))"
    assert python(code, env={"LM_EVAL_JA_AUTOLOAD": "0"}).stdout == "0\n"
    assert python(code).stdout == "1\n"


def test_the_finder_leaves_when_its_work_is_done():
    done = python(
        """
        import sys
        import lm_eval.tasks.manager
        import lm_eval.evaluator
        from lm_eval_ja import plugin
        print([type(f).__name__ for f in sys.meta_path].count("_Finder"))
        print(plugin.is_hooked(lm_eval.tasks.manager.TaskIndex.build))
        print(plugin.is_hooked(lm_eval.evaluator.simple_evaluate), plugin.is_hooked(lm_eval.simple_evaluate))
        import importlib.util
        print(importlib.util.find_spec("lm_eval.tasks.manager").name)
        """
    )
    assert done.stdout.split() == ["0", *3 * ["True"], "lm_eval.tasks.manager"], done.stderr


def test_every_way_to_give_a_path_is_understood(tmp_path):
    ours = plugin.TASKS_PATH
    assert plugin.with_tasks_path(None) == [ours]
    assert plugin.with_tasks_path("") == [ours]
    assert plugin.with_tasks_path(str(tmp_path)) == [ours, str(tmp_path)]
    assert plugin.with_tasks_path(tmp_path) == [ours, tmp_path]
    assert plugin.with_tasks_path(iter([tmp_path, "x"])) == [ours, tmp_path, "x"]
    # Ours named by the user: searched once, where the user put it.
    assert plugin.with_tasks_path([tmp_path, str(ours)]) == [tmp_path, str(ours)]
    assert plugin.with_tasks_path(f"{ours}/../tasks") == [f"{ours}/../tasks"]
    # The harness takes a tilde for a name like any other; asking whose home it is may fail.
    assert plugin.with_tasks_path("~nobody-of-that-name/tasks") == [ours, "~nobody-of-that-name/tasks"]


def test_include_defaults_false_means_only_what_was_named(tmp_path):
    from lm_eval.tasks import TaskManager

    assert TaskManager(include_defaults=False, include_path=str(tmp_path)).all_tasks == []
