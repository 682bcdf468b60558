"""A Python that has imported the harness already and is forked for each command, which so starts at once.

Started by :mod:`tests.support.commands`, a request per line on standard input::

    {"module": "lm_eval", "arguments": ["run", ...], "env": {...}, "cwd": "...", "stdout": "...", "stderr": "..."}

The answer is two lines: the process id, then the exit status. The child runs the module as ``python -m`` does, with the
given arguments, environment, folder and output, and ends as any interpreter ends. What it does not have of a start of
its own: imports, what modules read from the environment meanwhile (see ``commands.READ_LATE``), and what does not
differ between commands on one machine: the parsed tasks of the harness and ours, the parsed protocols, torch's
description of the machine (seconds of ``pip list``).
"""

import gc
import json
import os
import runpy
import sys
import tempfile
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

# In the order in which a run imports them. Not lm_eval_ja.models nor a backend: the harness looks them up itself.
MODULES = (
    "lm_eval._cli",
    "lm_eval.evaluator",
    "lm_eval.loggers",
    "lm_eval.tasks",
    "torch",
    "transformers",
    "huggingface_hub",
    "jinja2",
    "openai",
    "pytablewriter",
    "regex",
    "rhoknp",
    "sacrebleu",
    "scipy.stats",
    "lm_eval_ja.tasks.jaster",
    "lm_eval_ja.tasks.mtbench",
)


def learn() -> None:
    """Find out once what is the same for every command."""
    import lm_eval.tasks.manager as tasks

    from lm_eval_ja.protocols import load_protocol, protocol_names

    for name in protocol_names():
        load_protocol(name)
    manager = tasks.TaskManager()
    known = [manager._index]
    build = tasks.TaskIndex.build

    def build_once(paths: Any, *args: Any, **kwargs: Any) -> Any:
        """Tasks in the harness's own folder and ours, for one manager: a second one gets entries of its own."""
        own = [Path(tasks.__file__).parent]
        return known.pop() if known and [*paths] == own else build(paths, *args, **kwargs)

    build_once.__dict__.update(build.__dict__)  # marked as hooked
    tasks.TaskIndex.build = staticmethod(build_once)
    with suppress(ImportError):
        from torch.utils import collect_env

        said = collect_env.get_pretty_env_info()
        collect_env.get_pretty_env_info = lambda: said
    gc.collect()
    gc.freeze()  # pages of these objects stay shared


def take_over(request: dict[str, Any]) -> None:
    """Become the process that was asked for."""
    for stream, name, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, request["stdout"], os.O_WRONLY),
        (2, request["stderr"], os.O_WRONLY),
    ):
        handle = os.open(name, flags)
        os.dup2(handle, stream)
        os.close(handle)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    tempfile.tempdir = None
    sys.path.insert(0, request["cwd"])
    sys.argv = [request["module"], *request["arguments"]]
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


def main() -> None:
    """Serve until standard input ends."""
    del sys.path[0]  # this folder, which no command has on its path
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 -- no path
        os.dup2(nowhere.fileno(), 1)
    for name in MODULES:
        with suppress(ImportError):  # an extra that is not installed
            import_module(name)
    learn()
    for line in requests:
        child = os.fork()
        if not child:
            requests.close()
            answers.close()
            take_over(json.loads(line))
            return
        print(child, file=answers, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers, flush=True)


if __name__ == "__main__":
    main()
