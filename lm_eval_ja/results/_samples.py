"""Reading the harness's ``samples_*.jsonl``: one line per question of a task."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lm_eval_ja.datasets import answer_form
from lm_eval_ja.errors import OptionError
from lm_eval_ja.metrics import METRICS
from lm_eval_ja.results._files import read_lines
from lm_eval_ja.results._types import JudgeReply, Part, Problem, Question, Sample, Turn
from lm_eval_ja.thoughts import NoAnswer, scored_text


@dataclass
class Pool:
    """Keeps one copy of texts that many runs share (questions, prompts), so that 20 runs fit in memory."""

    _texts: dict[str, str] = field(default_factory=dict)

    def __call__(self, text: Any) -> str:
        """The text, or its equal that was seen before."""
        text = text if isinstance(text, str) else "" if text is None else json.dumps(text, ensure_ascii=False)
        return self._texts.setdefault(text, text)


def number(value: Any) -> float | None:
    """A finite number, or None for NaN, infinities and whatever is no number.

    >>> number(1), number(float("nan")), number("N/A"), number(True)
    (1.0, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # a whole number of hundreds of digits
        return None


def read_samples(
    path: Path,
    *,
    dataset: str,
    category: str,
    metric: str,
    thoughts: str,
    pool: Pool,
    problems: list[Problem],
) -> tuple[Question, ...]:
    """Read a samples file. Lines that can't be used are reported, not fatal.

    Args:
        path: The file.
        dataset: Name of the task's dataset.
        category: Its category, for questions that don't say their own.
        metric: The task's metric.
        thoughts: The field ``thoughts`` of its signature, empty without one.
        pool: Shared texts.
        problems: Problems found are appended here.

    Returns:
        The questions; of several lines with one id the first.
    """
    questions: dict[str, Question] = {}
    broken: list[int] = []
    twice: set[str] = set()
    for line_number, sample in read_lines(path):
        question = None
        if sample is not None:
            try:
                question = _question(sample, dataset, category, metric, thoughts, pool)
            except (
                KeyError,
                TypeError,
                ValueError,
                IndexError,
                AttributeError,
                RecursionError,
                OverflowError,
            ):
                question = None
        if question is None:
            broken.append(line_number)
        elif question.id in questions:
            twice.add(question.id)
        else:
            questions[question.id] = question
    if broken:
        problems.append(
            Problem(
                "truncated",
                path,
                f"{len(broken)} of the lines can't be read (first: line {broken[0]}) and were left out: the file was "
                "cut off or damaged. Copy it again, or run the task again with --log_samples.",
            )
        )
    if twice:
        problems.append(
            Problem(
                "duplicate",
                path,
                f"{len(twice)} ids occur more than once (first: {min(twice)}); the first of each counts.",
            )
        )
    return tuple(questions.values())


def _question(
    sample: Mapping[str, Any], dataset: str, category: str, metric: str, thoughts: str, pool: Pool
) -> Question:
    doc = sample["doc"]
    arguments = sample["arguments"]["gen_args_0"]
    if "turns" in doc:
        turns = _turns(sample, pool)
        return Question(
            dataset=dataset,
            id=str(doc["id"]),
            category=pool(doc.get("category") or category),
            metric=metric,
            score=number(sample.get(metric)),
            instruction="",
            input=turns[0].question,
            gold=pool(sample["target"]),
            output=turns[0].raw,
            prediction=turns[0].answer,
            prompt=turns[0].prompt,
            max_tokens=_max_tokens(arguments["arg_1"].get("gen_kwargs")),
            turns=turns,
        )
    gold = pool(sample["target"])
    outputs = _outputs(sample["resps"])
    predictions = sample["filtered_resps"][0]
    predictions = [str(text) for text in (predictions if isinstance(predictions, list) else [predictions])]
    return Question(
        dataset=dataset,
        id=str(doc["id"]),
        category=category,
        metric=metric,
        score=_score(sample, metric),
        instruction=pool(doc["instruction"]),
        input=pool(doc["input"]),
        gold=gold,
        output=outputs[0],
        prediction=predictions[0],
        prompt=pool(arguments["arg_0"]),
        max_tokens=_max_tokens(arguments.get("arg_1")),
        parts=_parts(sample, metric),
        # What is beyond the predictions is padding for ranks with fewer questions.
        samples=tuple(
            Sample(output, prediction, _sample_score(metric, dataset, own, gold))
            for output, prediction in zip(outputs[: len(predictions)], predictions, strict=True)
            for own in [_scored(prediction, scored_text(output, arguments["arg_0"], thoughts))]
        )
        if len(predictions) > 1
        else (),
    )


def _scored(prediction: str, answer: str) -> str:
    """What was scored: a missing answer is logged as an empty text, which could be right."""
    return answer if isinstance(answer, NoAnswer) else prediction


def _sample_score(metric: str, dataset: str, prediction: str, gold: str) -> float | None:
    per_item = METRICS[metric].on(answer_form(dataset)) if metric in METRICS else None
    try:
        return None if per_item is None else per_item(prediction, gold)
    except OptionError:  # a package that the metric needs is missing here
        return None


def _parts(sample: Mapping[str, Any], metric: str) -> tuple[Part, ...]:
    """Verdicts on a prompt's instructions, where the metric counts instructions: the record in ``filtered_resps``."""
    if metric not in ("instruction_strict", "instruction_loose"):
        return ()
    record = json.loads(str(sample["filtered_resps"][0]))
    verdict = metric.removeprefix("instruction_")
    return tuple(Part(str(own["instruction"]), float(bool(own[verdict]))) for own in record)


def _score(sample: Mapping[str, Any], metric: str) -> float | None:
    """The question's own score; None for metrics that only all questions have: their samples hold the numbers read."""
    if metric in METRICS and METRICS[metric].per_item is None:
        return None
    return number(sample.get(metric))


def _outputs(resps: Any) -> list[str]:
    # Samples gathered from several ranks may nest one level less; either way the innermost list has the answers.
    while isinstance(resps[0], list):
        resps = resps[0]
    return [str(text) for text in resps] if isinstance(resps, list) else [str(resps)]


def _max_tokens(generation: Any) -> int | None:
    if not isinstance(generation, Mapping):
        return None
    for name in ("max_gen_toks", "max_new_tokens", "max_tokens"):
        if isinstance(generation.get(name), int):
            return int(generation[name])
    return None


def _turns(sample: Mapping[str, Any], pool: Pool) -> tuple[Turn, ...]:
    """The two turns, from the record that the task leaves in ``filtered_resps``."""
    doc = sample["doc"]
    record = sample["filtered_resps"][0]
    record = json.loads(record) if isinstance(record, str) else record
    raw = sample["resps"][0]
    while isinstance(raw[0], list):
        raw = raw[0]
    prompts = (sample["arguments"]["gen_args_0"]["arg_0"], record["second_prompt"])
    references = doc.get("reference") or ()
    judged = {turn["turn"]: turn for turn in record["judgments"]}
    return tuple(
        _turn(
            index + 1,
            judged.get(index + 1, {}),
            question=pool(doc["turns"][index]),
            reference=pool(references[index]) if index < len(references) else None,
            raw=str(raw[index]),
            answer=str(record["answers"][index]),
            prompt=pool(prompts[index]),
        )
        for index in range(2)
    )


def _turn(
    turn: int,
    judged: Mapping[str, Any],
    *,
    question: str,
    reference: str | None,
    raw: str,
    answer: str,
    prompt: str,
) -> Turn:
    return Turn(
        number=turn,
        question=question,
        reference=reference,
        raw=raw,
        answer=raw if raw == answer else answer,
        prompt=prompt,
        rating=number(judged.get("rating")),
        reason=judged.get("reason") if judged else "not judged",
        spread=number(judged.get("spread")),
        messages=tuple((message["role"], message["content"]) for message in judged.get("messages", ())),
        judgments=tuple(
            JudgeReply(
                number(judgment["rating"]),
                judgment.get("reason"),
                judgment.get("text") or "",
                judgment["model"],
                judgment.get("served_model") or "",
            )
            for judgment in judged.get("judgments", ())
        ),
    )
