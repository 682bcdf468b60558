"""Answers with known ratings, the ruler that another judge is held against: from a run, or from a file."""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from lm_eval_ja.errors import DataError, OptionError
from lm_eval_ja.judge import JudgedQuestion, JudgePrompts, Messages, build_messages
from lm_eval_ja.rescoring._rejudge import find_runs, judged_tasks
from lm_eval_ja.results import ResultsFile, mapping, read_lines


@dataclass(frozen=True)
class FrozenAnswer:
    """One judged turn.

    Attributes:
        id: The question.
        run: Which model answered.
        category: The question's category.
        turns: The questions.
        reference: Reference answers; empty if there are none.
        answers: The answers as the judge saw them, up to this turn at least.
        turn: Which turn is rated, 1 or 2.
        ratings: The known ratings, one per repeat.
        judge: Who gave them.
        data: ``real``, or ``sample`` for made-up questions, which are rated by made-up prompts.
    """

    id: str
    run: str
    category: str
    turns: tuple[str, ...]
    reference: tuple[str, ...]
    answers: tuple[str, ...]
    turn: int
    ratings: tuple[float, ...]
    judge: str
    data: str

    @property
    def rating(self) -> float:
        """Mean of the known ratings."""
        return sum(self.ratings) / len(self.ratings)

    @property
    def length(self) -> int:
        """Characters of the rated answer."""
        return len(self.answers[self.turn - 1])

    def messages(self, prompts: JudgePrompts, suffix: str = "") -> Messages:
        """What a judge is sent, with ``suffix`` at the end of the rated answer."""
        answers = list(self.answers[: self.turn])
        answers[-1] += suffix
        question = JudgedQuestion(category=self.category, turns=self.turns)
        return build_messages(prompts, question, answers, self.reference or None, self.turn)


def freeze(run: ResultsFile) -> list[FrozenAnswer]:
    """All turns of a run that have a rating from its judge.

    Raises:
        DataError: There are none, or the samples are damaged.
    """
    frozen = [
        answer
        for task in judged_tasks(run)
        for number, sample in read_lines(run.samples(task))
        for answer in _turns(mapping(sample), run, task, number)
    ]
    if not frozen:
        raise DataError(f"{run.path}: no turn has a rating: judge it first, with `lm-eval-ja judge`")
    return frozen


def _turns(sample: Mapping[str, Any], run: ResultsFile, task: str, number: int) -> list[FrozenAnswer]:
    try:
        (text,) = sample["filtered_resps"]
        record, doc = json.loads(text), sample["doc"]
        return [
            FrozenAnswer(
                str(doc["id"]),
                run.path.parent.name,
                doc["category"],
                tuple(doc["turns"]),
                tuple(doc["reference"] or ()),
                tuple(answer or "" for answer in record["answers"]),
                turn["turn"],
                ratings,
                turn["judgments"][0]["model"],
                str(run.metadata(task).get("data", "real")),
            )
            for turn in record["judgments"]
            if (
                ratings := tuple(
                    float(own["rating"]) for own in turn["judgments"] if own["rating"] is not None
                )
            )
        ]
    except (ValueError, LookupError, TypeError) as error:
        raise _damaged(run, task, number, error) from error


def unanswered(run: ResultsFile) -> Counter[str]:
    """How many turns a run has, by category, that are rated without a judge because there is no answer.

    Raises:
        DataError: The samples are damaged.
    """
    found: Counter[str] = Counter()
    for task in judged_tasks(run):
        for number, sample in read_lines(run.samples(task)):
            category, turns = _record(mapping(sample), run, task, number)
            found[category] += sum(turn["rating"] is not None and not turn["judgments"] for turn in turns)
    return found


def _record(
    sample: Mapping[str, Any], run: ResultsFile, task: str, number: int
) -> tuple[str, Sequence[Mapping[str, Any]]]:
    try:
        (text,) = sample["filtered_resps"]
        return str(sample["doc"]["category"]), json.loads(text)["judgments"]
    except (ValueError, LookupError, TypeError) as error:
        raise _damaged(run, task, number, error) from error


def _damaged(run: ResultsFile, task: str, number: int, error: Exception) -> DataError:
    return DataError(f"{run.samples(task)}, line {number}: not a judged MT-Bench sample ({error!r})")


def freeze_runs(folder: Path) -> list[FrozenAnswer]:
    """All rated turns of the newest run of every model below a folder.

    Raises:
        DataError: There are none.
        OptionError: The folder does not exist.
    """
    runs, _ = find_runs(folder)
    return [answer for run in runs for answer in freeze(run)]


def write_frozen(answers: Sequence[FrozenAnswer], path: Path) -> None:
    """Write answers with their ratings, one JSON line each.

    Raises:
        OptionError: The file exists, or cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.writelines(json.dumps(asdict(answer), ensure_ascii=False) + "\n" for answer in answers)
    except OSError as error:
        raise OptionError(f"--freeze {path}: {error.strerror or error}; give a new file") from None


def read_frozen(path: Path) -> list[FrozenAnswer]:
    """Read what :func:`write_frozen` has written, or somebody else in its form.

    Raises:
        DataError: A line is wrong.
        OptionError: The file cannot be read.
    """
    try:
        answers = [_answer(mapping(values), f"{path}, line {number}") for number, values in read_lines(path)]
    except OSError as error:
        raise OptionError(f"--calibrate {path}: {error.strerror or error}") from None
    if not answers:
        raise DataError(
            f"{path} holds no answers: `lm-eval-ja judge --from-run RUN --freeze FILE` makes such a file of judged runs"
        )
    return answers


def _answer(values: Mapping[str, Any], where: str) -> FrozenAnswer:
    try:
        return _checked(values)
    except (ValueError, LookupError, TypeError) as error:
        names = ", ".join(own.name for own in fields(FrozenAnswer))
        raise DataError(
            f"{where}: no answer with known ratings ({error!r}); each line is a JSON object with {names}"
        ) from error


def _checked(values: Mapping[str, Any]) -> FrozenAnswer:
    turns, reference, answers = (tuple(values[name]) for name in ("turns", "reference", "answers"))
    ratings = tuple(float(rating) for rating in values["ratings"])
    turn = values["turn"]
    if turn not in {1, 2} or not ratings or not all(map(math.isfinite, ratings)):
        raise ValueError("turn must be 1 or 2, and there must be a rating")
    texts = (*turns, *reference, *answers)
    if not all(isinstance(text, str) for text in texts) or min(len(turns), len(answers)) < turn:
        raise ValueError("turns and answers must be texts, as many as the rated turn needs")
    return FrozenAnswer(
        str(values["id"]),
        str(values["run"]),
        str(values["category"]),
        turns,
        reference,
        answers,
        turn,
        ratings,
        str(values["judge"]),
        str(values["data"]),
    )
