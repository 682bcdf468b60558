"""Everything a report shows, computed once: leaderboards, intervals, failures, token efficiency."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lm_eval_ja.analysis._failures import Failures, analyse
from lm_eval_ja.analysis._intervals import RunIntervals, bootstrap_intervals
from lm_eval_ja.analysis._leaderboards import Leaderboard, make_leaderboards
from lm_eval_ja.analysis._samples import SamplingError, sampling_errors
from lm_eval_ja.analysis._seeds import SeedSpread, spreads
from lm_eval_ja.analysis._tokens import Efficiency, Tokenizer, efficiency, load_tokenizer
from lm_eval_ja.protocols import Score
from lm_eval_ja.results import Run, RunSet

RESAMPLES = 2000
"""How many times the bootstrap draws the questions anew."""


@dataclass(frozen=True)
class Analysis:
    """A `RunSet` and what was computed from it.

    Attributes:
        runs: The runs and what the reader noticed.
        leaderboards: Runs that may be ranked together.
        intervals: Bootstrap intervals, by the run's key.
        failures: Outcomes by the run's key and the task's name.
        lenient: Scores if the form of every answer were forgiven, by the run's key and the column's name.
        tokens: Token efficiency by the run's key, or why there is none.
        sampling: Standard errors in two parts where there are several samples of an answer, by the run's key and the
            column's name.
        spread: How the scores of runs that differ only in the seed spread, by the joined run's key and the column's
            name.
        seed: Seed of the bootstrap.
        resamples: Its number of resamples.
    """

    runs: RunSet
    leaderboards: tuple[Leaderboard, ...]
    intervals: Mapping[str, RunIntervals]
    failures: Mapping[str, Mapping[str, Failures]]
    lenient: Mapping[str, Mapping[str, float]]
    tokens: Mapping[str, Efficiency | str]
    sampling: Mapping[str, Mapping[str, SamplingError]]
    spread: Mapping[str, Mapping[str, SeedSpread]]
    seed: int
    resamples: int


def analyse_runs(
    runs: RunSet, *, resamples: int = RESAMPLES, seed: int = 0, tokenizers: bool = True
) -> Analysis:
    """Compute everything a report shows.

    Args:
        runs: The runs.
        resamples: Bootstrap resamples; 0 for no intervals.
        seed: Seed of the bootstrap.
        tokenizers: Whether to load the models' tokenizers where they are on this machine.

    Returns:
        The analysis.
    """
    leaderboards = make_leaderboards(runs)
    failures: dict[str, dict[str, Failures]] = {}
    tokens: dict[str, Efficiency | str] = {}
    loaded: dict[str | None, Tokenizer | str] = {}
    for run in runs.runs:
        if run.tokenizer not in loaded:
            loaded[run.tokenizer] = load_tokenizer(run) if tokenizers else "tokenizers were not asked for"
        tokenizer = loaded[run.tokenizer]
        if isinstance(tokenizer, Tokenizer):
            failures[run.key] = analyse(run, tokenizer.count)
            tokens[run.key] = efficiency(run, tokenizer) or "no samples were logged"
        else:
            failures[run.key] = analyse(run)
            tokens[run.key] = tokenizer
    return Analysis(
        runs=runs,
        leaderboards=leaderboards,
        intervals=bootstrap_intervals(runs, resamples=resamples, seed=seed) if resamples else {},
        failures=failures,
        lenient={run.key: _lenient_scores(run, failures[run.key]) for run in runs.runs},
        tokens=tokens,
        sampling={run.key: errors for run in runs.runs if (errors := sampling_errors(run))},
        spread={run.key: spreads(run) for run in runs.runs if run.members},
        seed=seed,
        resamples=resamples,
    )


def _lenient_scores(run: Run, failures: Mapping[str, Failures]) -> dict[str, float]:
    """The run's scores with every dataset's replaced by its lenient score."""
    tasks = {
        name: replace(task, score=Score(own.lenient), values={**task.values, task.metric: own.lenient})
        if (own := failures.get(name)) is not None and own.lenient is not None
        else task
        for name, task in run.tasks.items()
    }
    return {
        column: score.value
        for leaderboard in make_leaderboards([replace(run, tasks=tasks)])
        for row in leaderboard.rows
        for column, score in row.scores.items()
        if isinstance(score, Score)
    }
