"""What goes into the judge engine and what comes out of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lm_eval_ja.errors import JudgeError

Messages = Sequence[Mapping[str, str]]
"""One chat request: messages with the keys ``role`` and ``content``, in order."""


@dataclass(frozen=True, slots=True)
class Judgment:
    """What the judge said about one answer.

    Attributes:
        rating: 1 to 10, or None if unscored. In strict mode -1.0 for a reply without a rating, and whatever
            number the judge wrote otherwise.
        reason: Why there is no rating from 1 to 10; None for an ordinary rating.
        text: The judge's whole reply; empty if there was none.
        model: The judge that was asked for.
        served_model: The name the server gave for the model that replied (``gpt-4-0613`` for ``gpt-4``).
        prompt_tokens: Tokens sent, as the server counted them, over all replies paid for this judgment.
        completion_tokens: Tokens received, likewise.
        latency: Seconds from sending the last request to having its whole reply.
        repeat: Which of ``JudgeConfig.repeats`` judgments of the same answer this is, from 0.
        cached: Nothing was paid now: the judgment was in the store, or an equal request of the same call got
            it.
        adaptations: Deviations from the requested settings that this judge forced, e.g. a refused
            temperature.
    """

    rating: float | None
    reason: str | None
    text: str
    model: str
    served_model: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    latency: float = 0.0
    repeat: int = 0
    cached: bool = False
    adaptations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkPlan:
    """What a call of ``judge`` would do, without doing it.

    Attributes:
        judgments: Judgments asked for: items times repeats.
        cached: Those already in the store.
        duplicates: Those equal to another one asked for now.
        calls: Those that would be requested, each once unless a retry is needed.
        prompt_tokens: Estimated tokens sent by ``calls``. Counted from characters, no tokenizer involved:
            expect it to be right within a quarter.
        completion_tokens: Estimated tokens received, from the usual length of a judgment.
        max_completion_tokens: Upper bound of tokens received: ``calls`` times ``JudgeConfig.max_tokens``.
    """

    judgments: int
    cached: int
    duplicates: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    max_completion_tokens: int


class JudgeStopped(JudgeError):  # noqa: N818 -- names what happened; JudgeError is the family
    """Judging ended early: the judge turned out to be unusable, or judgments could not be saved.

    Attributes:
        judgments: One per judgment asked for, in order. Those that were finished are complete; the others
            have no rating and say in ``reason`` that they were not judged.
    """

    def __init__(self, message: str, judgments: Sequence[Judgment]) -> None:
        super().__init__(message)
        self.judgments = list(judgments)
