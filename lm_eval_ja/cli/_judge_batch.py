"""``lm-eval-ja judge FOLDER --batch``: the same judgments at half price, within a day."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from lm_eval_ja.judge import JudgeConfig, Judgment, JudgmentStore, Messages
from lm_eval_ja.judge.options import JudgeOptions
from lm_eval_ja.rescoring import Rejudged, rejudge, requests_of
from lm_eval_ja.results import ResultsFile

_PRICE = 0.5  # of direct judgments, at both providers


def submit(runs: Sequence[ResultsFile], options: JudgeOptions, folder: Path) -> int:
    """Submit what is neither in the store nor in a batch.

    Returns:
        Exit status: 0.

    Raises:
        JudgeError: The judge cannot be used, or its batches cannot.
    """
    from lm_eval_ja.judge import batches

    items: list[Messages] = []
    for run in runs:
        requests, refusal = requests_of(run, options, _PRICE)
        items += requests
        if refusal is not None:
            print(f"{run.path}: nothing submitted: {refusal}")
    if not items:
        return 0 if options.judge_dry_run else 1
    done = batches.submit(items, options.config(), _store(), preflight=options.judge_preflight)
    for name in done.batches:
        print(f"submitted: {name}")
    print(
        f"{done.judgments} judgments submitted, {done.waiting} in earlier batches, {done.cached} in the store"
        + (f", {done.elsewhere} being asked for by another run" if done.elsewhere else "")
    )
    if done.judgments or done.waiting:
        print(f"see how far they are: lm-eval-ja judge {folder} --batch status (the same other options)")
    print(f"write the results: lm-eval-ja judge {folder} --batch collect (the same other options)")
    return 0


def status(runs: Sequence[ResultsFile], options: JudgeOptions) -> int:
    """Say how far the runs' batches are.

    Returns:
        Exit status: 0 if there is nothing to wait for.

    Raises:
        JudgeError: The provider cannot be asked.
    """
    from lm_eval_ja.judge import batches

    states = batches.status(_all_requests(runs, options), options.config(), _store())
    for state in states:
        print(state)
    if not states:
        print("no batch is open that holds judgments of this folder")
    elif all(state.ended for state in states):
        print("all have ended: collect them with --batch collect")
    return 0 if all(state.ended for state in states) else 1


def collect(runs: Sequence[ResultsFile], options: JudgeOptions) -> list[Rejudged] | None:
    """Save what has come, and write the runs' results once nothing is to be waited for.

    Returns:
        The runs; None if a batch has not ended.

    Raises:
        JudgeError: The provider cannot be asked.
    """
    from lm_eval_ja.judge import batches

    pending = batches.collect(_all_requests(runs, options), options.config(), _store())
    if pending:
        for state in pending:
            print(state)
        print("not all have ended: what has come is saved, nothing is written yet; collect again later")
        return None

    def ask(items: Sequence[Messages], config: JudgeConfig, store: Path) -> list[Judgment]:
        return batches.from_store(items, config, JudgmentStore(store))

    return [rejudge(run, _without_limits(options), ask) for run in runs]


def _without_limits(options: JudgeOptions) -> JudgeOptions:
    """Limits are for what is going to be paid."""
    return dataclasses.replace(options, judge_dry_run=False, judge_max_cost=None)


def _all_requests(runs: Sequence[ResultsFile], options: JudgeOptions) -> list[Messages]:
    return [request for run in runs for request in requests_of(run, _without_limits(options))[0]]


def _store() -> JudgmentStore:
    from lm_eval_ja.judge.mtbench import store_path

    return JudgmentStore(store_path())
