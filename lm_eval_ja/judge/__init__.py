"""Rating open answers with an LLM judge, as MT-Bench does (single-answer grading).

A library of its own: it knows nothing of the harness. ``load_prompts`` and ``build_messages`` make the
requests, ``judge`` gets them answered by any OpenAI-compatible server, or by Anthropic, and keeps every
judgment in a ``JudgmentStore``, ``plan`` says beforehand what that takes, and ``preflight`` whether the judge
can be used at all. ``lm_eval_ja.judge.batches`` gets the same judgments at half price, within a day.
``parse_rating`` is the rule that finds a rating in a reply.
"""

from lm_eval_ja.judge._config import JudgeConfig
from lm_eval_ja.judge._prompts import (
    PROMPT_SOURCES,
    REFERENCE_CATEGORIES,
    JudgedQuestion,
    JudgePrompts,
    build_messages,
    load_prompts,
)
from lm_eval_ja.judge._rating import parse_rating
from lm_eval_ja.judge._ratings import (
    QuestionRating,
    rating_average,
    rating_average_stderr,
    rating_mean,
    rating_stderr,
)
from lm_eval_ja.judge._run import estimate_tokens, judge, plan, preflight
from lm_eval_ja.judge._store import JudgmentStore
from lm_eval_ja.judge._types import JudgeStopped, Judgment, Messages, WorkPlan

__all__ = [
    "PROMPT_SOURCES",
    "REFERENCE_CATEGORIES",
    "JudgeConfig",
    "JudgePrompts",
    "JudgeStopped",
    "JudgedQuestion",
    "Judgment",
    "JudgmentStore",
    "Messages",
    "QuestionRating",
    "WorkPlan",
    "build_messages",
    "estimate_tokens",
    "judge",
    "load_prompts",
    "parse_rating",
    "plan",
    "preflight",
    "rating_average",
    "rating_average_stderr",
    "rating_mean",
    "rating_stderr",
]
