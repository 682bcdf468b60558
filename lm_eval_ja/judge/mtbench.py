"""Judging the answers of Japanese MT-Bench: from two answers per question to records, ratings and a signature.

Used by the task inside the harness and by ``lm-eval-ja judge`` on saved samples alike.
"""

import json
import logging
import math
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lm_eval_ja._unicode import well_formed
from lm_eval_ja.datasets import Settings
from lm_eval_ja.errors import JudgeError
from lm_eval_ja.judge._config import JudgeConfig
from lm_eval_ja.judge._prompts import JudgedQuestion, JudgePrompts, build_messages
from lm_eval_ja.judge._ratings import QuestionRating
from lm_eval_ja.judge._run import judge, plan
from lm_eval_ja.judge._types import JudgeStopped, Judgment, Messages, WorkPlan
from lm_eval_ja.judge.options import NO_JUDGE, JudgeOptions
from lm_eval_ja.prompts import STOP, visible_answer
from lm_eval_ja.thoughts import AS_FOUND, State, Thoughts

_log = logging.getLogger(__name__)

UNANSWERED = 1.0
"""Rating of a turn without an answer because thoughts did not end: the lowest there is, without asking a judge. Left
out, it would raise the average of a model that can't come to an end."""

UNANSWERED_REASON = "unanswered: "
"""How the reason of such a turn begins."""

_REASONS = (
    f"{UNANSWERED_REASON}the thoughts did not end, and the judge is not asked",
    f"{UNANSWERED_REASON}the thoughts of turn 1 did not end, and the judge is not asked",
)

TURNS = (1, 2)

TurnRecord = dict[str, Any]
"""What is known of one judged turn: ``turn``, ``rating`` (mean of the repeats, None if unscored), ``reason`` (if
unscored or unanswered), ``spread`` (standard deviation of the repeats), ``messages`` (what the judge was sent) and
``judgments`` (one entry per repeat: rating, reason, text, model, served_model, prompt_tokens, completion_tokens,
latency, cached, adaptations)."""


def store_path() -> Path:
    """Where judgments are kept: one file for all runs, so that none is paid for twice."""
    return Settings.from_env().cache / "judgments.jsonl"


Ask = Callable[[Sequence[Messages], JudgeConfig, Path], Sequence[Judgment]]
"""How judgments are got: requests, judge and store in, one judgment per request and repeat out."""


class Deferred(Exception):  # noqa: N818 -- what happened, not an error
    """The requests have been noted; they are answered another time."""


@dataclass
class Session:
    """Judging of one set of answers under the user's options.

    Attributes:
        name: What is judged, for messages.
        options: The user's options.
        prompts: The judge's prompts; None if nothing is to be judged.
        thoughts: How thoughts are told from answers.
        ranks: Processes that judge a part each and share the allowed concurrency and cost.
        adaptations: Deviations that the judge forced, collected as it replies.
        ask: How judgments are got; may raise `Deferred`.
        discount: Part of the usual price that they cost.
    """

    name: str
    options: JudgeOptions
    prompts: JudgePrompts | None
    thoughts: Thoughts = AS_FOUND
    ranks: int = 1
    adaptations: set[str] = field(default_factory=set)
    ask: Ask = judge
    discount: float = 1.0

    def visible(self, answers: Sequence[str], *, chat: bool) -> list[str | None]:
        """The two answers as the judge sees them.

        Args:
            answers: As `lm_eval_ja.plugin.generate_until_multi_turn` gives them.
            chat: Whether a chat template was applied; without one an answer ends at the stop string.

        Returns:
            For each turn the text; None if there is no answer, because thoughts did not end.
        """
        return visible_answers(answers, self.thoughts, chat=chat, whole=self.options.judge_thoughts)

    def judge(
        self, docs: Sequence[Mapping[str, Any]], answers: Sequence[Sequence[str | None]]
    ) -> list[list[TurnRecord]]:
        """Have every turn rated. A judge in trouble raises nothing: what it did not rate is unscored with a reason.

        Turns without an answer are not sent to the judge, see `UNANSWERED`.

        Args:
            docs: Questions, as :func:`lm_eval_ja.datasets.load_mtbench` gives them.
            answers: For each question the two visible answers; None for one that does not exist.

        Returns:
            For each question its two turns.

        Raises:
            KeyboardInterrupt: Ctrl-C. All judgments received are saved.
        """
        asked = [
            (turn, self._messages(doc, texts, turn))
            for doc, texts in zip(docs, answers, strict=True)
            for turn in TURNS
            if texts[turn - 1] is not None
        ]
        records = iter(self._rate(asked))
        judged = [[next(records) if text is not None else {} for text in texts] for texts in answers]
        # Where nothing could be rated, ratings of 1 would be the whole score.
        rated = self.prompts is not None and (
            any(record.get("rating") is not None for pair in judged for record in pair)
            if asked
            else not self.options.judge_dry_run
        )
        return [
            [record or _unanswered(index, pair, rated=rated) for index, record in enumerate(pair)]
            for pair in judged
        ]

    def _messages(self, doc: Mapping[str, Any], texts: Sequence[str | None], turn: int) -> Messages:
        """What the judge is sent; nothing without prompts."""
        if self.prompts is None:
            return []
        question: JudgedQuestion = {"category": doc["category"], "turns": doc["turns"]}
        return build_messages(self.prompts, question, [text or "" for text in texts], doc["reference"], turn)

    def _rate(self, asked: Sequence[tuple[int, Messages]]) -> list[TurnRecord]:
        """Records of turns that have an answer, one for each."""
        if not asked or self.prompts is None:
            return _unscored(asked, f"judge_model={NO_JUDGE}")
        messages = [request for _, request in asked]
        config = self.options.config(self.ranks)
        try:
            if self.options.judge_dry_run or self.options.judge_max_cost is not None:
                refusal = self.refuse(plan(messages, config, store_path()))
                if refusal:
                    return _unscored(asked, refusal)
            judged = self._ask(asked, config)
        except Deferred:
            return _unscored(asked, "not judged yet")
        except JudgeError as error:
            _log.error("%s: nothing was judged: %s", self.name, error)
            return _unscored(asked, f"not judged: {error}")
        except Exception as error:  # noqa: BLE001  # a finished run must not be lost to its judge
            _log.exception("%s: judging failed", self.name)
            return _unscored(asked, f"not judged: {type(error).__name__}: {error}")
        self._report(judged)
        return judged

    def _ask(self, asked: Sequence[tuple[int, Messages]], config: JudgeConfig) -> list[TurnRecord]:
        try:
            judgments = self.ask([request for _, request in asked], config, store_path())
        except JudgeStopped as stopped:
            _log.error("%s", stopped)
            judgments = stopped.judgments
        return [
            _turn(turn, request, judgments[index * config.repeats : (index + 1) * config.repeats])
            for index, (turn, request) in enumerate(asked)
        ]

    def refuse(self, plan: WorkPlan) -> str | None:
        """Say what judging would take, and whether that forbids it."""
        text = (
            f"{self.name}: {plan.judgments} judgments by {self.options.judge_model}: {plan.calls} calls, {plan.cached} "
            f"already in the store, {plan.duplicates} the same as others; about {plan.prompt_tokens} tokens sent and "
            f"{plan.completion_tokens} (at most {plan.max_completion_tokens}) received"
        )
        cost = dollars(self.options, plan.prompt_tokens, plan.completion_tokens, self.discount)
        text += shown_cost(cost)
        print(text, file=sys.stderr)  # noqa: T201  # asked for with judge_dry_run or judge_max_cost
        if self.options.judge_dry_run:
            return "not judged: judge_dry_run"
        limit = self.options.judge_max_cost
        if cost is not None and limit is not None and cost > limit / self.ranks:
            part = f" / {self.ranks} ranks" if self.ranks > 1 else ""
            return f"not judged: the estimate of ${cost:.2f} is more than judge_max_cost={limit}{part}"
        return None

    def _report(self, turns: Sequence[TurnRecord]) -> None:
        self.adaptations.update(
            adaptation
            for turn in turns
            for judgment in turn["judgments"]
            for adaptation in judgment["adaptations"]
        )
        reasons = [turn["reason"] for turn in turns if turn["rating"] is None]
        if reasons:
            _log.warning(
                "%s: %d of %d turns have no rating (%s). They are left out of the scores; `lm-eval-ja judge` on the "
                "saved samples tries them again without generating anything",
                self.name,
                len(reasons),
                len(turns),
                "; ".join(sorted(set(reasons))[:3]),
            )

    def signature_fields(self) -> dict[str, str]:
        """The judge's part of the signature."""
        if self.prompts is None:
            return {"judge": NO_JUDGE}
        config = self.options.config()
        changed = [] if config.max_tokens == JudgeConfig.max_tokens else [f"max_tokens={config.max_tokens}"]
        return {
            "judge": "+".join((config.model, *changed, *sorted(self.adaptations))),
            "judge_prompts": f"{Path(self.options.judge_prompts).name}-{self.prompts.digest[:8]}",
            "judge_repeats": str(config.repeats),
            "judge_strict": "yes" if config.strict else "no",
        }


def visible_answers(
    answers: Sequence[str], thoughts: Thoughts, *, chat: bool, whole: bool
) -> list[str | None]:
    """The two answers as the judge sees them.

    Args:
        answers: As `lm_eval_ja.plugin.generate_until_multi_turn` gives them.
        thoughts: How thoughts are told from answers.
        chat: Whether a chat template was applied; without one an answer ends at the stop string.
        whole: Whether thoughts are shown, too.

    Returns:
        For each turn the text; None if there is no answer, because thoughts did not end.
    """
    opened = thoughts.opened_by(answers[3]) if len(answers) > 3 else None  # noqa: PLR2004  # its place
    visible: list[str | None] = []
    for text in answers[:2]:
        reading = thoughts.read(text, opened)
        if reading.state is State.UNFINISHED or None in visible:
            visible.append(None)
        else:
            visible.append(visible_answer(text if whole else reading.answer, stop=None if chat else STOP))
    return visible


def make_record(visible: Sequence[str | None], second_prompt: str, turns: Sequence[TurnRecord]) -> str:
    """The text that goes into a logged sample: what was judged, what the model was asked second, the judgments."""
    record = {
        "answers": [text or "" for text in visible],
        "empty": [not text for text in visible],
        "second_prompt": second_prompt,
        "judgments": list(turns),
    }
    # A judge's words may be as broken as a model's, and would then keep the samples from being written.
    return well_formed(json.dumps(record, ensure_ascii=False))


def question_values(record: str, category: str, categories: Sequence[str], average: str) -> dict[str, Any]:
    """One question's value of every metric, all of them for every question.

    Args:
        record: Made by :func:`make_record`.
        category: The question's category.
        categories: Categories that are metrics of the task.
        average: Name of the protocol's score over all categories, or the task's name if it is one category.
    """
    ratings: list[float | None] = [turn["rating"] for turn in json.loads(record)["judgments"]]
    own = QuestionRating([rating for rating in ratings if rating is not None], category, average)
    return {
        **{name: own if name == category else math.nan for name in categories},
        "turn_1": math.nan if ratings[0] is None else ratings[0],
        "turn_2": math.nan if ratings[1] is None else ratings[1],
        "score": own,
        "unscored": ratings.count(None),
    }


def dollars(options: JudgeOptions, sent: int, received: int, discount: float = 1) -> float | None:
    """Price of so many tokens, None if the user gave no price."""
    if options.judge_price is None:
        return None
    return discount * (sent * options.judge_price[0] + received * options.judge_price[1]) / 1e6


def shown_cost(cost: float | None) -> str:
    """End of a sentence that says what something costs; empty if no price is known."""
    return "" if cost is None else f", about ${cost:.2f}"


def _unscored(asked: Sequence[tuple[int, Messages]], reason: str) -> list[TurnRecord]:
    return [_turn(turn, request, [], reason) for turn, request in asked]


def _unanswered(index: int, pair: Sequence[TurnRecord], *, rated: bool) -> TurnRecord:
    """Record of a turn without an answer."""
    first = index == 0 or bool(pair[0])  # the first turn that has none
    return {**_turn(TURNS[index], [], [], _REASONS[not first]), "rating": UNANSWERED if rated else None}


def _turn(turn: int, messages: Messages, judgments: Sequence[Judgment], reason: str = "") -> TurnRecord:
    ratings = [judgment.rating for judgment in judgments if judgment.rating is not None]
    reasons = sorted({str(judgment.reason) for judgment in judgments if judgment.rating is None})
    return {
        "turn": turn,
        "rating": statistics.fmean(ratings) if ratings else None,
        "reason": None if ratings else reason or "; ".join(reasons),
        "spread": statistics.stdev(ratings) if len(ratings) > 1 else None,
        "messages": [dict(message) for message in messages],
        "judgments": [
            {
                "rating": judgment.rating,
                "reason": judgment.reason,
                "text": judgment.text,
                "model": judgment.model,
                "served_model": judgment.served_model,
                "prompt_tokens": judgment.prompt_tokens,
                "completion_tokens": judgment.completion_tokens,
                "latency": round(judgment.latency, 3),
                "cached": judgment.cached,
                "adaptations": list(judgment.adaptations),
            }
            for judgment in judgments
        ],
    }
