"""Runs that differ only in the seed, as one: the mean of their scores, and how far they spread."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from statistics import fmean, stdev

from lm_eval_ja.analysis._leaderboards import run_protocols, seedless, tree_scores
from lm_eval_ja.protocols import Score
from lm_eval_ja.results import JudgeReply, Problem, Question, Run, RunSet, Sample, TaskResult, Turn

_TWO = 2


@dataclass(frozen=True)
class SeedSpread:
    """A score of several runs that differ only in the seed.

    Attributes:
        values: The runs' scores with the seed of each, in the order of the runs; of those that have the score.
    """

    values: tuple[tuple[str, float], ...]

    @property
    def mean(self) -> float:
        """Their mean."""
        return fmean(value for _, value in self.values)

    @property
    def deviation(self) -> float | None:
        """Their standard deviation (n - 1); None of a single one."""
        return stdev(value for _, value in self.values) if len(self.values) >= _TWO else None


def join_seeds(runs: RunSet) -> RunSet:
    """Join the runs that differ only in the seed.

    Such runs have one model, backend, arguments (but ``seed=``) and limit, at least one task in common, and in all of
    those the same signature (but the seed) and different seeds. Of the joined run every score is the mean, every
    question has the answers of all runs as its samples, and `Run.members` are the runs.

    Args:
        runs: The runs, each by itself.

    Returns:
        The runs, joined where they can be, and a remark where joined runs do not differ at all.
    """
    groups: list[list[Run]] = []
    for run in runs.runs:
        for group in groups:
            if all(_differ_in_seed(run, other) for other in group):
                group.append(run)
                break
        else:
            groups.append([run])
    counts = [group[0].model for group in groups]
    joined = []
    problems = list(runs.problems)
    for group in groups:
        if len(group) == 1:
            joined.append(group[0])
            continue
        members = sorted(group, key=lambda run: (run.seed, run.key))
        newest = max(group, key=lambda run: (run.date is not None, run.date))
        own = _join(members, newest, newest.model if counts.count(newest.model) == 1 else newest.key)
        joined.append(own)
        if all(spread.deviation in (None, 0.0) for spread in spreads(own).values()):
            problems.append(
                Problem(
                    "equal_seeds",
                    newest.files[0],
                    f"the {len(members)} runs of {newest.model} with different seeds have equal scores: the answers "
                    "are greedy (temperature 0), or the seed does not reach the backend (vllm and API models take it "
                    "as seed= in --model_args)",
                )
            )
    return RunSet(tuple(sorted(joined, key=lambda run: run.key)), tuple(problems))


def spreads(run: Run) -> dict[str, SeedSpread]:
    """How the scores of a joined run's members spread, by the score's name; nothing for other runs."""
    found: dict[str, list[tuple[str, float]]] = {}
    for member in run.members:
        scores = {name: task.score for name, task in member.tasks.items() if task.score is not None} | {
            name: score
            for protocol in run_protocols(member)
            for name, score in tree_scores(member, protocol).items()
            if isinstance(score, Score)
        }
        for name, score in scores.items():
            found.setdefault(name, []).append((member.seed, score.value))
    return {name: SeedSpread(tuple(values)) for name, values in found.items()}


# ------------------------------------------------------------------------------------------------ joining


def _differ_in_seed(one: Run, other: Run) -> bool:
    common = one.tasks.keys() & other.tasks.keys()
    return (
        bool(common)
        and one.seed != other.seed
        and _settings(one) == _settings(other)
        and all(_kind(one.tasks[name]) == _kind(other.tasks[name]) for name in common)
    )


def _settings(run: Run) -> tuple[object, ...]:
    arguments = {name: value for name, value in run.model_args.items() if name != "seed"}
    return run.model, run.backend, repr(sorted(arguments.items(), key=str)), run.limit


def _kind(task: TaskResult) -> tuple[object, ...]:
    fields = {name: value for name, value in task.signature.items() if name != "version"}
    return task.version, sorted((fields | {"gen": seedless(fields.get("gen", ""))}).items())


def _join(members: Sequence[Run], newest: Run, key: str) -> Run:
    seconds = [member.seconds for member in members]
    known = [second for second in seconds if second is not None]
    names = dict.fromkeys(name for member in members for name in member.tasks)
    return replace(
        newest,
        key=key,
        seconds=sum(known) if len(known) == len(seconds) else None,
        files=tuple(file for member in members for file in member.files),
        tasks={
            name: _task([(own.seed, own.tasks[name]) for own in members if name in own.tasks])
            for name in names
        },
        groups={},
        seed="",
        members=tuple(members),
    )


def _task(own: Sequence[tuple[str, TaskResult]]) -> TaskResult:
    scored = [(seed, task) for seed, task in own if task.score is not None] or list(own)
    tasks = [task for _, task in scored]
    if len(tasks) == 1:
        return tasks[0]
    first = tasks[0]
    values = _means([task.values for task in tasks])
    # Of what is no mean of questions here, the mean of the errors: at least what the mean's is.
    stderrs = _means([task.stderrs for task in tasks])
    questions = _questions(scored)
    means = [question.score for question in questions if question.score is not None]
    if len(means) == len(questions) >= _TWO and not first.is_mtbench:
        stderrs[first.metric] = stdev(means) / sqrt(len(means))
    score = Score(values[first.metric], stderrs.get(first.metric)) if first.metric in values else first.score
    return replace(first, score=score, values=values, stderrs=stderrs, questions=questions)


def _means(values: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Means of what all have."""
    return {
        name: fmean(own[name] for own in values) for name in values[0] if all(name in own for own in values)
    }


def _questions(own: Sequence[tuple[str, TaskResult]]) -> tuple[Question, ...]:
    """The questions with the answers of all runs; none if a run has not logged all that another has."""
    by_id = [{question.id: question for question in task.questions} for _, task in own]
    if any(questions.keys() != by_id[0].keys() for questions in by_id):
        return ()
    seeds = [seed for seed, _ in own]
    return tuple(_question(seeds, [questions[id_] for questions in by_id]) for id_ in by_id[0])


def _question(seeds: Sequence[str], answers: Sequence[Question]) -> Question:
    first = answers[0]
    score = _mean([answer.score for answer in answers])
    if first.turns:
        turns = zip(*(answer.turns for answer in answers), strict=True)
        return replace(first, score=score, turns=tuple(_turn(seeds, own) for own in turns))
    samples = tuple(
        sample
        for answer in answers
        for sample in answer.samples or [Sample(answer.output, answer.prediction, answer.score)]
    )
    return replace(first, score=score, samples=samples)


def _turn(seeds: Sequence[str], turns: Sequence[Turn]) -> Turn:
    """The turns of all runs, one below the other: judgments belong to answers, so both say the seed."""
    ratings = [turn.rating for turn in turns if turn.rating is not None]
    most = max(len(turn.judgments) for turn in turns)
    judgments = [
        replace(judgment, text=f"[{seed}] {judgment.text}")
        for seed, turn in zip(seeds, turns, strict=True)
        for judgment in turn.judgments or _stand_ins(turn, most)
    ]
    return replace(
        turns[0],
        raw=_texts(seeds, [turn.raw for turn in turns]),
        answer=_texts(seeds, [turn.answer for turn in turns]),
        rating=fmean(ratings) if ratings else None,
        reason=None if ratings else turns[0].reason,
        spread=stdev(ratings) if len(ratings) >= _TWO else None,
        judgments=tuple(judgments),
    )


def _stand_ins(turn: Turn, number: int) -> list[JudgeReply]:
    """Of a turn that is rated without a judge (unanswered): its rating counts as much as one that judges gave."""
    return (
        [] if turn.rating is None else [JudgeReply(turn.rating, turn.reason, turn.reason or "", "")] * number
    )


def _texts(seeds: Sequence[str], texts: Sequence[str]) -> str:
    return "\n\n".join(f"[{seed}]\n{text}" for seed, text in zip(seeds, texts, strict=True))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(values) else None
