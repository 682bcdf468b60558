"""What a logged sample should hold, and what its task should score, worked out from the raw answers alone.

One function for each kind of task (answers with a gold answer, instructions, rated conversations). Each takes the
samples as they were read and gives back the fields that follow from the raw answer, and the task's scores.
"""

import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lm_eval_ja.datasets import SampleDigest, answer_form, conversations_digest, instructions_of
from lm_eval_ja.errors import DataError, LmEvalJaError
from lm_eval_ja.judge import parse_rating
from lm_eval_ja.judge.mtbench import TURNS, UNANSWERED, question_values, visible_answers
from lm_eval_ja.metrics import (
    METRICS,
    apply_steps,
    gold,
    parse_number,
    sample_metrics,
    sample_score,
    sample_values,
)
from lm_eval_ja.metrics.m_ifeval import METRICS as INSTRUCTION_METRICS
from lm_eval_ja.metrics.m_ifeval import (
    evaluate,
    instruction_accuracy,
    instruction_stderr,
    parse_instructions,
    require_packages,
    values,
)
from lm_eval_ja.prompts import STOP, visible_answer
from lm_eval_ja.protocols import find_conversation, load_protocol
from lm_eval_ja.rescoring._aggregate import mean_and_error, mtbench_entry
from lm_eval_ja.thoughts import FAMILIES, read_field, scored_text

Sample = Mapping[str, Any]
Scores = dict[str, float | str | None]
"""A task's entry in the results: scores by their key, such as ``char_f1,none``."""


@dataclass
class Recomputed:
    """One sample, or what is wrong inside it.

    Attributes:
        fields: What the sample should hold, by field.
        values: Its value of each metric, as the task adds them up.
        inside: Fields within the judge's record that are not what follows from the rest: name, found, expected.
        checked: How many fields within the record were checked.
        unverified: What nothing in the sample says anything about.
    """

    fields: dict[str, Any]
    values: dict[str, Any]
    inside: list[tuple[str, Any, Any]] = field(default_factory=list)
    checked: int = 0
    unverified: list[str] = field(default_factory=list)

    def expect(self, name: str, found: Any, expected: Any) -> None:
        """Note a field within the record if it is not as it should be."""
        self.checked += 1
        if not same(found, expected):
            self.inside.append((name, found, expected))


@dataclass(frozen=True)
class Kind:
    """How the samples of a task are scored.

    Attributes:
        sample: What a sample should hold.
        scores: The task's scores, from every sample's values.
        digest: The data digest, from all documents in their order.
        unverified: What can't be verified in any sample of the task.
    """

    sample: Callable[[Sample], Recomputed]
    scores: Callable[[Sequence[Mapping[str, Any]]], Scores]
    digest: Callable[[Sequence[Mapping[str, Any]]], str]
    unverified: tuple[str, ...] = ()


def same(found: Any, expected: Any) -> bool:
    """Whether two logged values are the same; numbers but for rounding, NaN and null both being no number.

    >>> same(0.1 + 0.2, 0.3), same(None, float("nan")), same(True, 1.0), same("1", 1)
    (True, True, False, False)
    """
    if _is_number(found) and _is_number(expected):
        try:
            return (_is_nan(found) and _is_nan(expected)) or math.isclose(
                found, expected, rel_tol=1e-12, abs_tol=1e-12
            )
        except OverflowError:  # a whole number of hundreds of digits
            return False
    if _is_number(found) or _is_number(expected):
        number, other = (found, expected) if _is_number(found) else (expected, found)
        return other is None and _is_nan(number)
    return type(found) is type(expected) and bool(found == expected)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def kind_of(
    sample: Sample, signature: Mapping[str, str], category: str | None, metrics: Sequence[str]
) -> Kind:
    """Choose how a task's samples are scored.

    Args:
        sample: One of them.
        signature: The fields of the task's signature.
        category: The category, where an MT-Bench task is one category.
        metrics: The task's metrics, by its configuration.

    Raises:
        LmEvalJaError: This installation can't score them; the message says why.
    """
    if "turns" in sample["doc"]:
        return _conversations(signature, category)
    if set(metrics) <= set(INSTRUCTION_METRICS):
        return _instructions(signature, metrics)
    return _answers(signature, metrics)


def _texts(responses: Any) -> list[str]:
    """The answers of a question: the innermost list, whatever lists ranks have put around it."""
    while isinstance(responses, list) and responses and isinstance(responses[0], list):
        responses = responses[0]
    return [str(text) for text in responses] if isinstance(responses, list) else [str(responses)]


def _scored(own: Sample, signature: Mapping[str, str], number: int = 1) -> list[str]:
    """The part of each answer that was scored; what is beyond the number is padding of ranks."""
    prompt = own["arguments"]["gen_args_0"]["arg_0"]
    texts = _texts(own["resps"])[:number]
    if len(texts) < number:
        raise DataError(f"{len(texts)} of {number} answers")
    return [scored_text(text, prompt, signature.get("thoughts", "")) for text in texts]


def _samples_digest(docs: Sequence[Mapping[str, Any]]) -> str:
    digest = SampleDigest()
    for doc in docs:
        digest.add(doc["input"], doc["output"])
    return digest.hexdigest()[:12]


# ------------------------------------------------------------------------------------------------ gold answers


def _answers(signature: Mapping[str, str], metrics: Sequence[str]) -> Kind:
    from lm_eval_ja.metrics import read_steps

    repeats = int(signature.get("repeats", "1"))
    steps = read_steps(signature["norm"])
    for name in metrics:
        if name in METRICS:
            METRICS[name].require()
    known = [name for name in metrics if name in METRICS]
    further = {name for metric in known for name in sample_metrics(metric, repeats)}
    unknown = [name for name in metrics if name not in METRICS and name not in further]
    over_all = {name for name in known if METRICS[name].per_item is None}

    def sample(own: Sample) -> Recomputed:
        predictions = [apply_steps(text, steps) for text in _scored(own, signature, repeats)]
        reference = gold(own["doc"]["output"])
        form = answer_form(own["doc"]["dataset"])
        logged: dict[str, Any] = {name: own[name] for name in unknown}
        for name in known:
            if name in over_all:
                logged[name] = statistics.fmean(map(parse_number, predictions))
            else:
                logged |= sample_values(name, predictions, reference, form)
        fields = {
            "filtered_resps": predictions if repeats == 1 else [predictions],
            "target": reference,
            "metrics": list(metrics),
        }
        return Recomputed({**fields, **logged}, {**logged, "predictions": predictions, "gold": reference})

    def scores(items: Sequence[Mapping[str, Any]]) -> Scores:
        entry: Scores = {}
        for name in metrics:
            if name in over_all:
                own = sample_score(name, [i["predictions"] for i in items], [i["gold"] for i in items])
                entry |= {f"{name},none": own, f"{name}_stderr,none": "N/A"}
            else:
                entry |= mean_and_error(name, [item[name] for item in items])
        return entry

    return Kind(
        sample,
        scores,
        _samples_digest,
        tuple(f"values of {name} (a model computes them); their mean was checked" for name in unknown),
    )


# ------------------------------------------------------------------------------------------------ instructions


def _instructions(signature: Mapping[str, str], metrics: Sequence[str]) -> Kind:
    require_packages()

    def sample(own: Sample) -> Recomputed:
        given = instructions_of(own["doc"]["output"])
        instructions = parse_instructions([each["id"] for each in given], [each["kwargs"] for each in given])
        verdicts = evaluate(instructions, _scored(own, signature)[0])
        logged = values(verdicts)
        fields = {
            "filtered_resps": [json.dumps([vars(verdict) for verdict in verdicts])],
            "target": str(own["doc"]["output"]),
            "metrics": list(metrics),
        }
        return Recomputed({**fields, **logged}, dict(logged))

    def scores(items: Sequence[Mapping[str, Any]]) -> Scores:
        entry: Scores = {}
        for name in metrics:
            own = [item[name] for item in items]
            if name.startswith("instruction"):
                error = instruction_stderr(own) if len(own) > 1 else "N/A"
                entry |= {f"{name},none": instruction_accuracy(own), f"{name}_stderr,none": error}
            else:
                entry |= mean_and_error(name, own)
        return entry

    return Kind(sample, scores, _samples_digest)


# ----------------------------------------------------------------------------------------------- conversations


def _conversations(signature: Mapping[str, str], category: str | None) -> Kind:
    name = signature.get("protocol", "")
    rules = find_conversation(name)
    if rules is None:
        raise LmEvalJaError(f"the protocol {name!r} is not installed")
    categories = (category,) if category else tuple(rules.temperatures)
    average = "" if category else load_protocol(name).scores[0].name

    def sample(own: Sample) -> Recomputed:
        ((answer, *_padding),) = own["resps"]
        record = json.loads(own["filtered_resps"][0])
        asked = own["arguments"]["gen_args_0"]["arg_1"]
        found = Recomputed({"target": "\n\n".join(own["doc"]["reference"])}, {})
        thoughts, whole = read_field(signature.get("thoughts", "")), signature.get("norm") == "thoughts"
        visible = visible_answers(answer, thoughts, chat=asked["chat"], whole=whole)
        if "thoughts" not in asked and record["answers"] == (
            before := _seen_before(answer, asked, whole=whole)
        ):
            visible = before
        seen = [text or "" for text in visible]
        found.expect("answers", record["answers"], seen)
        found.expect("empty", record["empty"], [not text for text in seen])
        found.expect("second_prompt", record["second_prompt"], answer[2])
        turns = record["judgments"]
        found.expect("turns", [turn["turn"] for turn in turns], list(TURNS))
        for turn in turns:
            if visible[turn["turn"] - 1] is None:
                _unanswered(turn, found)
            else:
                _turn(turn, seen, signature, found)
        corrected = json.dumps({**record, "judgments": turns})
        logged = question_values(corrected, own["doc"]["category"], categories, average)
        found.fields |= {"metrics": list(logged), **logged}
        found.values = logged
        return found

    return Kind(sample, lambda items: mtbench_entry(items, categories), conversations_digest)


def _seen_before(answer: Sequence[str], asked: Mapping[str, Any], *, whole: bool) -> list[str | None]:
    """What a judge saw before there was the option ``thoughts``: all behind a last closing tag, or all."""
    texts = answer[:2] if whole else [text.rpartition(FAMILIES["think"].closing)[2] for text in answer[:2]]
    return [visible_answer(text, stop=None if asked["chat"] else STOP) for text in texts]


def _unanswered(turn: Mapping[str, Any], found: Recomputed) -> None:
    """Check a turn whose thoughts did not end: no judge was asked."""
    where = f"turn {turn['turn']}: "
    found.expect(f"{where}judgments", turn["judgments"], [])
    found.expect(f"{where}rating", turn["rating"], None if turn["rating"] is None else UNANSWERED)


def _turn(turn: dict[str, Any], seen: Sequence[str], signature: Mapping[str, str], found: Recomputed) -> None:
    """Check one turn's judgments, and put what they should be in their place."""
    where = f"turn {turn['turn']}: "
    strict = signature.get("judge_strict") == "yes"
    judgments = turn["judgments"]
    repeats = int(signature.get("judge_repeats", 0))
    if judgments:
        found.expect(f"{where}number of judgments", len(judgments), repeats)
        sent = "\n".join(message["content"] for message in turn["messages"])
        found.expect(f"{where}answers in messages", all(text in sent for text in seen[: turn["turn"]]), True)
    for number, judgment in enumerate(judgments, 1):
        name = f"{where}rating of judgment {number}" if len(judgments) > 1 else f"{where}judge's rating"
        if judgment.get("text") is None:
            found.unverified.append("ratings whose judge's text is not stored")
            continue
        rating = parse_rating(judgment["text"], strict=strict)
        if rating is None and strict and (judgment["rating"] is not None or judgment["text"]):
            rating = -1.0  # a reply without a rating; where there was no reply at all there is none
        found.expect(name, judgment["rating"], rating)
        judgment["rating"] = rating
    ratings = [judgment["rating"] for judgment in judgments if judgment["rating"] is not None]
    rating = statistics.fmean(ratings) if ratings else None
    found.expect(f"{where}rating", turn["rating"], rating)
    found.expect(f"{where}spread", turn["spread"], statistics.stdev(ratings) if len(ratings) > 1 else None)
    found.expect(f"{where}reason", turn["reason"] is None, bool(ratings))
    turn["rating"] = rating
