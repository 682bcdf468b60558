"""Why answers fail: every answer in exactly one class, and the score if the form were forgiven.

The definitions are for people to check and stand, in the same order, in ``docs/report.md``.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from statistics import fmean

from lm_eval_ja.analysis._lenient import read_leniently, right_or_wrong, visible
from lm_eval_ja.analysis._samples import each_question, each_sample, most_frequent
from lm_eval_ja.datasets import format_ok
from lm_eval_ja.errors import OptionError
from lm_eval_ja.judge.mtbench import UNANSWERED_REASON
from lm_eval_ja.metrics import EXTRACTIONS, METRICS, apply_steps, nfkc, read_steps
from lm_eval_ja.results import Question, Run, TaskResult, Turn
from lm_eval_ja.thoughts import AS_FOUND, Reading, State, read_logged

PARTLY = 0.5
"""From this score on an answer measured by overlap (char_f1, set_f1) counts as partly right."""

GAIN = 0.1
"""By how much forgiving the form must raise an overlap score for the form to be what failed."""


class Outcome(str, Enum):
    """What became of a question."""

    CORRECT = "correct"
    """Full score."""
    PARTIAL = "partial"
    """Measured by overlap, `PARTLY` or more."""
    FORMAT_ERROR = "breach"
    """The right answer, with text around it or in another form than asked."""
    TRUNCATED = "truncated"
    """Cut off at the token limit before a right answer."""
    EMPTY = "empty"
    """No text at all, or none before the first blank line."""
    LANGUAGE = "language"
    """Replied in another language than the answer's."""
    WRONG = "wrong"
    """Anything else."""
    RATED = "rated"
    """MT-Bench: both turns answered and rated."""
    UNSCORED = "unscored"
    """There is no score."""
    THINKING = "thinking"
    """No answer: the model ran out of tokens while thinking."""


@dataclass(frozen=True)
class Finding:
    """What was found out about one answer.

    Attributes:
        outcome: Its class.
        lenient: Score if the form were forgiven, never below the score; None for MT-Bench, M-IFEval and unscored.
        form: Whether the prediction has the form asked for; None where the dataset defines none.
    """

    outcome: Outcome
    lenient: float | None
    form: bool | None


@dataclass(frozen=True)
class Failures:
    """Outcomes of one run in one dataset.

    Attributes:
        dataset: The dataset.
        counts: Number of answers by outcome: of questions, or of samples where there are several of each.
        score: Mean score; None if nothing is scored.
        lenient: Mean score if the form were forgiven; None for MT-Bench and M-IFEval.
        compliance: Share of predictions in the form asked for, 0 to 1; None where none is defined.
        findings: What was found about each question, in the order of ``TaskResult.questions``.
        long_golds: Gold answers that need more tokens than the limit, so that a correct answer is truncated; None
            without the model's tokenizer, for conversations, and where no question has a limit.
    """

    dataset: str
    counts: Mapping[Outcome, int]
    score: float | None
    lenient: float | None
    compliance: float | None
    findings: tuple[Finding, ...]
    long_golds: int | None = None


CountTokens = Callable[[Sequence[str]], Sequence[int]]
"""Numbers of tokens of texts, by the model's own tokenizer."""


def analyse(run: Run, count_tokens: CountTokens | None = None) -> dict[str, Failures]:
    """Classify all logged answers of a run.

    Args:
        run: The run.
        count_tokens: Counts the tokens of the outputs, so that reaching the limit is known rather than inferred from
            the text.

    Returns:
        Failures by task name, for the tasks with samples.
    """
    joined = [analyse(member, count_tokens) for member in run.members]
    return {
        name: _all_runs(task, [own[name] for own in joined if name in own])
        if joined and task.is_mtbench
        else _all_samples(task, count_tokens)
        for name, task in run.tasks.items()
        if task.questions
    }


def _all_runs(task: TaskResult, runs: Sequence[Failures]) -> Failures:
    """Of conversations, which have no samples, those of the runs that were joined."""
    findings = zip(*(own.findings for own in runs), strict=True)
    scored = [question.score for question in task.questions if question.score is not None]
    return replace(
        runs[0],
        counts={outcome: n for outcome in Outcome if (n := sum(own.counts.get(outcome, 0) for own in runs))},
        score=fmean(scored) if scored else None,
        findings=tuple(most_frequent(own, lambda finding: finding.outcome) for own in findings),
    )


def _all_samples(task: TaskResult, count_tokens: CountTokens | None) -> Failures:
    """Every sample counts as an answer; a question's finding is what most of its samples are."""
    found = _task(each_sample(task), count_tokens)
    return replace(found, findings=each_question(task, found.findings, lambda finding: finding.outcome))


def _task(task: TaskResult, count_tokens: CountTokens | None) -> Failures:
    tokens: Sequence[int | None] = [None] * len(task.questions)
    if count_tokens:
        # Of two turns the longer answer: either may have been cut off.
        numbers = [
            count_tokens([_generated(question)[turn] for question in task.questions]) for turn in _turns(task)
        ]
        tokens = [max(both) for both in zip(*numbers, strict=True)]
    steps, thoughts = _steps(task), task.signature.get("thoughts", "")
    findings = tuple(
        _mtbench(question, number)
        if question.turns
        else _answer(question, read_logged(question.output, question.prompt, thoughts), steps, number)
        for question, number in zip(task.questions, tokens, strict=True)
    )
    scored = [q.score for q in task.questions if q.score is not None]
    if any(q.parts for q in task.questions):  # they count, not the prompts
        scored = [part.value for q in task.questions for part in q.parts]
    lenient = [finding.lenient for finding in findings if finding.lenient is not None]
    forms = [finding.form for finding in findings if finding.form is not None]
    return Failures(
        dataset=task.dataset,
        counts={outcome: n for outcome in Outcome if (n := sum(f.outcome is outcome for f in findings))},
        score=fmean(scored) if scored else None,
        lenient=fmean(lenient) if lenient else None,
        compliance=fmean(forms) if forms else None,
        findings=findings,
        long_golds=_long_golds(task, count_tokens),
    )


def _long_golds(task: TaskResult, count_tokens: CountTokens | None) -> int | None:
    limited = [q for q in task.questions if q.max_tokens is not None and not q.turns]
    if count_tokens is None or not limited:
        return None
    lengths = count_tokens([question.gold for question in limited])
    return sum(n > (q.max_tokens or 0) for n, q in zip(lengths, limited, strict=True))


def failed_parts(task: TaskResult) -> dict[str, tuple[int, int]]:
    """How many of a task's parts (M-IFEval's instructions) are wrong, and of how many, by what they ask for.

    Returns:
        Numbers by the part's name, sorted; empty for tasks whose questions have no parts.
    """
    found: dict[str, tuple[int, int]] = {}
    for part in sorted(
        (part for question in task.questions for part in question.parts), key=lambda part: part.name
    ):
        wrong, total = found.get(part.name, (0, 0))
        found[part.name] = wrong + (part.value < 1), total + 1
    return found


def _steps(task: TaskResult) -> tuple[str, ...] | None:
    """Steps by which the task's answers were normalized; None if this version does not know them."""
    try:
        return read_steps(task.signature.get("norm", ""))
    except OptionError:
        return None


def _turns(task: TaskResult) -> range:
    return range(len(_generated(task.questions[0])))


def _generated(question: Question) -> tuple[str, ...]:
    return tuple(turn.raw for turn in question.turns) or (question.output,)


# ------------------------------------------------------------------------------------------------- one answer


def _answer(question: Question, reading: Reading, steps: Sequence[str] | None, tokens: int | None) -> Finding:
    form = format_ok(question.dataset, question.prediction)
    if reading.state is State.UNFINISHED and (question.score or 0.0) < _best(question.metric):
        return Finding(Outcome.THINKING, question.score, form)
    if question.score is None:
        return Finding(Outcome.UNSCORED, None, form)
    lenient = max(question.score, _lenient_score(question, reading.answer, steps))
    # Of instructions, each followed or not, there is nothing to forgive.
    return Finding(_outcome(question, lenient, tokens), None if question.parts else lenient, form)


def _outcome(question: Question, lenient: float, tokens: int | None) -> Outcome:  # noqa: PLR0911  # one per class
    best = _best(question.metric)
    score, lenient = (question.score or 0.0) / best, lenient / best
    overlap = not right_or_wrong(question.metric)
    if score >= 1.0:
        return Outcome.CORRECT
    if not question.output.strip():
        return Outcome.EMPTY
    if lenient >= (PARTLY if overlap else 1.0) and lenient - score >= GAIN:
        return Outcome.FORMAT_ERROR
    if not question.prediction.strip():
        return Outcome.EMPTY
    if is_cut(question, tokens):
        return Outcome.TRUNCATED
    if other_language(
        question.prediction, question.gold, closed=format_ok(question.dataset, question.gold) is True
    ):
        return Outcome.LANGUAGE
    return Outcome.PARTIAL if overlap and score >= PARTLY else Outcome.WRONG


def _best(metric: str) -> float:
    """Best value of a metric; 1 for one that this package does not compute (COMET)."""
    return METRICS[metric].scale[1] if metric in METRICS else 1.0


def _lenient_score(question: Question, answer: str, steps: Sequence[str] | None) -> float:
    reading = read_leniently(question.dataset, question.metric, answer)
    metric = METRICS.get(question.metric)
    if reading is None or metric is None or metric.per_item is None:
        return 0.0
    if steps is None:
        reading = reading.strip()
    else:  # a reading is the answer itself: there is nothing to take out of it
        reading = apply_steps(reading, [step for step in steps if step not in EXTRACTIONS])
    return metric.per_item(reading, question.gold)


def is_cut(question: Question, tokens: int | None) -> bool:
    """Whether an answer was cut off at the token limit.

    A wrong answer out of a closed set is whole, and not cut. With the number of tokens: it reaches the limit. Without,
    by signs in the text, and only if the text is long enough (a token is a byte or more): a beginning of the gold
    answer, for datasets with a closed set of answers; a last line that alone lacks the form that all lines before it
    have.
    """
    limit, output = question.max_tokens, question.output
    if right_or_wrong(question.metric) and format_ok(question.dataset, question.prediction):
        return False
    if tokens is not None and limit is not None:
        return tokens >= limit
    if limit is None or len(output.encode("utf-8", "surrogatepass")) < limit:
        return False
    prediction = question.prediction.strip()
    if right_or_wrong(question.metric):
        return bool(prediction) and question.gold.startswith(prediction) and prediction != question.gold
    *head, last = visible(output).rstrip().split("\n")
    return bool(head) and _formed(question, "\n".join(head)) and not _formed(question, last)


def _formed(question: Question, text: str) -> bool:
    return bool(format_ok(question.dataset, nfkc(text).strip()))


# -------------------------------------------------------------------------------------------------- MT-Bench

_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_LONG = 20


def _mtbench(question: Question, tokens: int | None) -> Finding:
    turns = question.turns
    outcome = Outcome.RATED
    if any((turn.reason or "").startswith(UNANSWERED_REASON) or _unfinished(turn) for turn in turns):
        outcome = Outcome.THINKING
    elif any(not turn.answer.strip() for turn in turns):
        outcome = Outcome.EMPTY
    elif any(turn.rating is None for turn in turns):
        outcome = Outcome.UNSCORED
    elif any(_turn_cut(turn) for turn in turns) or (
        tokens is not None and question.max_tokens is not None and tokens >= question.max_tokens
    ):
        outcome = Outcome.TRUNCATED
    elif any(_not_japanese(turn) for turn in turns):
        outcome = Outcome.LANGUAGE
    return Finding(outcome, None, None)


def _turn_cut(turn: Turn) -> bool:
    return turn.raw.count("```") % 2 == 1


def _unfinished(turn: Turn) -> bool:
    return AS_FOUND.read(turn.raw).state is State.UNFINISHED


def _not_japanese(turn: Turn) -> bool:
    """Prose of some length without Japanese, where the user wrote Japanese. Code is no prose."""
    prose = _CODE.sub("", turn.answer)
    return len(_LETTER.findall(prose)) >= _LONG and other_language(prose, turn.question, closed=False)


# -------------------------------------------------------------------------------------------------- language

_LETTER = re.compile(r"[^\W\d_]")
_KANA = re.compile(r"[\u3041-\u30ff\uff66-\uff9f]")
_HAN = re.compile(r"[\u3005\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
_CHINESE = re.compile(r"[你您们這这么吗没还让给说对时为它她]")
_WORD_LENGTH = 2


def scripts(text: str) -> frozenset[str]:
    """Which writing systems a text uses: ``japanese`` (kana or han), ``chinese``, ``latin``, ``other``.

    Han without kana is taken for Chinese only if it holds a character that Japanese does not use.

    >>> [sorted(scripts(text)) for text in ("東京タワー", "这是东京", "Tokyo 123", "도쿄")]
    [['japanese'], ['chinese'], ['latin'], ['other']]
    """
    found = set()
    if _KANA.search(text):
        found.add("japanese")
    elif _HAN.search(text):
        found.add("chinese" if _CHINESE.search(text) else "japanese")
    if _LATIN.search(text):
        found.add("latin")
    if any(not (_KANA.match(c) or _HAN.match(c) or _LATIN.match(c)) for c in _LETTER.findall(text)):
        found.add("other")
    return frozenset(found)


def other_language(prediction: str, gold: str, *, closed: bool) -> bool:
    """Whether a prediction shares no writing system with what was asked for.

    Args:
        prediction: The prediction.
        gold: The gold answer; its writing systems are what was asked for. Where it has no letters (numbers), Japanese
            and Latin will do.
        closed: Whether the dataset has a closed set of answers; otherwise Japanese will do as well, since a name may be
            written in either way.
    """
    letters = len(_LETTER.findall(prediction))
    if letters < _WORD_LENGTH or 2 * letters < len("".join(prediction.split())):  # noise is in no language
        return False
    asked = scripts(gold) or frozenset({"japanese", "latin"})
    if not closed:
        asked |= {"japanese"}
    return not scripts(prediction) & asked
