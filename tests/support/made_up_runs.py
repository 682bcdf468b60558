"""Runs made of plain numbers, as `lm_eval_ja.results.read_runs` would return them: for tests and benchmarks."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lm_eval_ja.protocols import Score, load_protocol
from lm_eval_ja.results import JudgeReply, Question, Run, TaskResult, Turn

CATEGORIES = ("coding", "extraction", "humanities", "math", "reasoning", "roleplay", "stem", "writing")
NEO = load_protocol("neo")
METRICS = {rules.dataset: rules.metric for rules in NEO.tasks.values() if rules.category}


def question(dataset: str, index: int, score: float | None, **changes: Any) -> Question:
    """A question of jaster."""
    own = Question(
        dataset=dataset,
        id=f"{dataset}-{index:04}",
        category="",
        instruction="指示",
        input=f"質問{index}",
        gold="正解",
        output="答え",
        prediction="答え",
        prompt="",
        max_tokens=None,
        metric=METRICS.get(dataset, "exact_match"),
        score=score,
    )
    return replace(own, **changes)


def conversation(index: int, category: str, ratings: Sequence[Sequence[float]]) -> Question:
    """A question of MT-Bench with the ratings of each turn's judgings; none for a turn that is unscored."""
    turns = tuple(
        Turn(
            number=number,
            question=f"質問{index}-{number}",
            reference=None,
            raw="答え",
            answer=f"答え{number}",
            prompt="",
            rating=float(np.mean(own)) if own else None,
            reason=None if own else "unparsable",
            spread=None,
            messages=(),
            judgments=tuple(JudgeReply(float(rating), None, "", "judge") for rating in own),
        )
        for number, own in enumerate(ratings, 1)
    )
    scored = [turn.rating for turn in turns if turn.rating is not None]
    changes = {"category": category, "metric": "score", "turns": turns}
    return question("mtbench", index, float(np.mean(scored)) if scored else None, **changes)


def task(name: str, dataset: str, questions: Sequence[Question]) -> TaskResult:
    """A task with the score that the harness would have given it."""
    if dataset.startswith("mtbench"):
        means = {}
        for category in dict.fromkeys(own.category for own in questions):
            turns = [turn.rating for own in questions if own.category == category for turn in own.turns]
            means[category] = float(np.mean([turn for turn in turns if turn is not None] or [np.nan]))
        whole = len(means) in (1, len(CATEGORIES))  # one category is a task of its own
        score, protocol, metric = (
            float(np.mean(list(means.values()))) if whole else np.nan,
            "mtbench-ja-neo",
            "score",
        )
        values_of = {name: mean for name, mean in means.items() if not np.isnan(mean)}
    else:
        values = [np.nan if own.score is None else own.score for own in questions]
        score, protocol, metric = float(np.mean(values)), "neo", METRICS.get(dataset, "exact_match")
        values_of = {}
    return TaskResult(
        task=name,
        protocol=protocol,
        dataset=dataset,
        category="",
        metric=metric,
        score=None if np.isnan(score) else Score(score),
        values=values_of if np.isnan(score) else {**values_of, metric: score},
        stderrs={},
        signature={"protocol": protocol, "data": f"made-up-{dataset}", "split": "test"},
        signature_text="",
        version="1",
        shots=0,
        asked=len(questions),
        available=len(questions),
        generation={},
        questions=tuple(questions),
    )


def jaster_task(dataset: str, scores: Sequence[float | None], **changes: Any) -> TaskResult:
    """A dataset of neo with these scores."""
    questions = [question(dataset, index, score) for index, score in enumerate(scores)]
    return replace(task(NEO.task(dataset), dataset, questions), **changes)


def mtbench_task(ratings: Mapping[str, Sequence[Sequence[Sequence[float]]]], **changes: Any) -> TaskResult:
    """MT-Bench with ratings by category, question, turn and judging."""
    questions = [
        conversation(100 * place + index, category, turns)
        for place, (category, own) in enumerate(ratings.items())
        for index, turns in enumerate(own)
    ]
    return replace(task("nejumi_mtbench", "mtbench", questions), **changes)


def run(key: str, tasks: Sequence[TaskResult], **changes: Any) -> Run:
    """A run of these tasks."""
    own = Run(
        key=key,
        model=key,
        date=None,
        seconds=None,
        backend="recorded",
        model_args={},
        limit=None,
        chat_template=False,
        tokenizer=None,
        lm_eval_version="",
        files=(Path(key),),
        tasks={task.task: task for task in tasks},
    )
    return replace(own, **changes)


def whole_run(key: str, rng: np.random.Generator, *, judgings: int = 1, ability: float = 0.5) -> Run:
    """A run with as many questions as neo has: 1,200 of jaster, 80 of MT-Bench.

    Every score of jaster is drawn with mean ``ability``, every rating uniformly from 1 to 10.
    """
    tasks = []
    for dataset, metric in METRICS.items():
        number = 20 if dataset.startswith("wiki_") else 100
        exact = metric == "exact_match"
        scores = rng.random(number) < ability if exact else rng.beta(2 * ability, 2 - 2 * ability, number)
        tasks.append(jaster_task(dataset, [float(score) for score in scores]))
    ratings = rng.integers(1, 11, size=(len(CATEGORIES), 10, 2, judgings)).tolist()
    return run(key, [*tasks, mtbench_task(dict(zip(CATEGORIES, ratings, strict=True)))])
