"""Logging runs to Weights & Biases, as Nejumi Leaderboard Neo did: one W&B run per evaluated run, results as tables."""

from collections.abc import Mapping
from typing import Any

from lm_eval_ja.analysis import RANKED, bootstrap_intervals, make_leaderboards
from lm_eval_ja.errors import OptionError
from lm_eval_ja.report._wandb_tables import Table, run_tables
from lm_eval_ja.results import Run, RunSet

SETTINGS = ("project", "entity", "name", "id", "resume", "group", "job_type", "notes", "dir", "mode")
"""Settings that `log_to_wandb` takes; all are arguments of ``wandb.init``."""


def log_to_wandb(runset: RunSet, settings: Mapping[str, str]) -> None:
    """Log every run of a report to a W&B run of its own, or one run to the W&B run that ``lm_eval --wandb_args`` made.

    The tables are those of :func:`~lm_eval_ja.report._wandb_tables.run_tables`. Works with ``WANDB_MODE=offline`` (or
    ``mode=offline``); ``wandb sync`` uploads later.

    Args:
        runset: The runs.
        settings: Arguments of ``wandb.init`` (see `SETTINGS`) as the command line ``--wandb project=…,name=…`` gives
            them: ``{"project": "nejumi", "name": "my-model"}``. ``name`` is the model's by default; with several runs
            the model's name is appended to it. ``id`` continues the W&B run with that id and needs a single run.

    Raises:
        OptionError: wandb is not installed or can't be used (not logged in, no such run to resume), a setting is not
            one of `SETTINGS`, or ``id`` is given for several runs.
    """
    unknown = [name for name in settings if name not in SETTINGS]
    if unknown:
        raise OptionError(f"--wandb does not know {', '.join(unknown)}: it takes {', '.join(SETTINGS)}")
    if "id" in settings and len(runset.runs) > 1:
        raise OptionError(
            f"--wandb id={settings['id']} continues one W&B run, but there are {len(runset.runs)} runs to log "
            f"({', '.join(run.key for run in runset.runs)}): report one of them"
        )
    wandb = _import()
    intervals = bootstrap_intervals(runset)
    leaderboards = make_leaderboards(runset)
    for run in runset.runs:
        target = _start(wandb, settings, run, single=len(runset.runs) == 1)
        try:
            tables = run_tables(run, target.name or run.key, intervals[run.key], leaderboards)
            _log(wandb, target, run, tables)
        finally:
            target.finish()


def _import() -> Any:
    try:
        import wandb
    except ImportError as error:
        raise OptionError('--wandb needs wandb: pip install "lm-eval-ja[wandb]"') from error
    return wandb


def _start(wandb: Any, settings: Mapping[str, str], run: Run, *, single: bool) -> Any:
    own = dict(settings)
    if "id" in own:
        own.setdefault("resume", "allow")  # and keep the name that the run has
    elif single:
        own.setdefault("name", run.key)
    else:
        own["name"] = "-".join((*([own["name"]] if "name" in own else []), run.key))
    try:
        return wandb.init(**own)
    except (wandb.Error, ValueError, OSError) as error:
        said = ",".join(f"{name}={value}" for name, value in settings.items())
        raise OptionError(
            f"no W&B run could be started ({error}): log in with `wandb login`, check --wandb {said}, or set "
            "WANDB_MODE=offline"
        ) from error


def _log(wandb: Any, target: Any, run: Run, tables: Mapping[str, Table]) -> None:
    signatures = {name: task.signature_text for name, task in run.tasks.items()}
    target.config.update(
        {"basemodel_name": run.model, "lm_eval_ja_signatures": signatures}, allow_val_change=True
    )
    target.log(
        {
            name: wandb.Table(columns=list(table.columns), data=[list(row) for row in table.rows])
            for name, table in tables.items()
        }
    )
    scores = tables["scores_table"]
    level, label, value = (scores.columns.index(name) for name in ("level", "score", "value"))
    for row in scores.rows:
        if row[level] in RANKED and row[value] is not None:
            target.summary[str(row[label])] = row[value]
