"""What a run will take, known before its model is loaded."""

import functools
import logging
import math
import operator
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lm_eval_ja.judge import estimate_tokens
from lm_eval_ja.judge.forecast import Forecast

_log = logging.getLogger("lm_eval.lm_eval_ja")
"""Below lm-eval's own logger: shown where its are, at the level that the user set for it."""

_ANSWER = 400
"""Tokens of an answer to an MT-Bench question, for a guess before there are answers (docs/scaling.md)."""


@dataclass(frozen=True)
class Run:
    """The settings of a run that its prompts depend on, as the harness was given them.

    Attributes:
        limit: Questions per task, or a share of them below 1; None for all.
        samples: Indices of the questions that are asked, by task.
        num_fewshot: Shots; None leaves them to each task.
        system_instruction: The system message.
        chat: Whether a chat template is applied.
        multiturn: Whether each shot is a turn.
        predict_only: Whether nothing is scored.
    """

    limit: float | None = None
    samples: Mapping[str, Sequence[int]] | None = None
    num_fewshot: int | None = None
    system_instruction: str | None = None
    chat: bool = False
    multiturn: bool = False
    predict_only: bool = False

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> "Run":
        """Read the arguments of ``simple_evaluate``."""
        return cls(
            limit=arguments.get("limit"),
            samples=arguments.get("samples"),
            num_fewshot=arguments.get("num_fewshot"),
            system_instruction=arguments.get("system_instruction"),
            chat=bool(arguments.get("apply_chat_template")),
            multiturn=bool(arguments.get("fewshot_as_multiturn")),
            predict_only=bool(arguments.get("predict_only")),
        )

    @property
    def first_rank(self) -> bool:
        """Whether this process speaks for all: launchers number processes before any model is there."""
        return os.environ.get("RANK", "0") == "0" and os.environ.get("LOCAL_RANK", "0") == "0"

    def asked(self, task: str, total: int) -> list[int]:
        """Which of a task's questions are asked, by index; by the harness's rules."""
        if self.samples and task in self.samples:
            return list(self.samples[task])
        if self.limit is None:
            return list(range(total))
        number = math.ceil(total * self.limit) if self.limit < 1 else int(self.limit)
        return list(range(min(number, total)))


@dataclass(frozen=True)
class Work:
    """What one task will ask.

    Attributes:
        prompts: Texts that the model continues, as far as they are known.
        answers: How many answers it gives; each question of MT-Bench has two.
        new_tokens: Most tokens it may generate in all.
        forecast: What judging will take; None without a judge.
    """

    prompts: Sequence[str]
    answers: int
    new_tokens: int
    forecast: Forecast | None = None


def joined(messages: Sequence[Mapping[str, str]], **_: Any) -> str:
    """Stand-in for a chat template that no model has brought yet: the texts alone."""
    return "\n".join(message["content"] for message in messages)


def announce(works: Sequence[Work]) -> None:
    """Say once, on the first rank, what a run will take."""
    if not Run().first_rank:
        return
    _log.info(
        "before the model: %d task(s), %s answers; prompts of %s characters, about %s tokens of GPT-4's tokenizer; at "
        "most %s new tokens",
        len(works),
        f"{sum(work.answers for work in works):,}",
        f"{sum(len(text) for work in works for text in work.prompts):,}",
        f"{round(sum(estimate_tokens(text) for work in works for text in work.prompts)):,}",
        f"{sum(work.new_tokens for work in works):,}",
    )
    forecasts = [work.forecast for work in works if work.forecast is not None]
    if forecasts:
        total = functools.reduce(operator.add, forecasts)
        _log.info("%s", total.text(_ANSWER))
        if total.too_dear:
            _log.warning("%s", total.too_dear)
