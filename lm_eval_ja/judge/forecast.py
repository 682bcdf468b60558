"""What judging Japanese MT-Bench will take, said before there is any answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lm_eval_ja.judge._prompts import JudgePrompts, build_messages
from lm_eval_ja.judge._run import estimate_received, estimate_sent
from lm_eval_ja.judge.mtbench import TURNS, dollars, shown_cost
from lm_eval_ja.judge.options import JudgeOptions


@dataclass(frozen=True)
class Forecast:
    """What judging will take, before there are answers.

    Attributes:
        options: The judge.
        calls: Requests, if the store has no judgment yet and none must be asked for again.
        sent: Tokens sent without the answers, estimated from characters.
        read: How many times an answer is sent: a question's first twice, its second once.
        longest: Most tokens of an answer.
    """

    options: JudgeOptions
    calls: int
    sent: int
    read: int
    longest: int

    @classmethod
    def of(
        cls, docs: Sequence[Mapping[str, Any]], prompts: JudgePrompts, options: JudgeOptions, longest: int
    ) -> "Forecast":
        """Count for questions, as :func:`lm_eval_ja.datasets.load_mtbench` gives them."""
        messages = [
            build_messages(
                prompts,
                {"category": doc["category"], "turns": doc["turns"]},
                ["", ""],
                doc["reference"],
                turn,
            )
            for doc in docs
            for turn in TURNS
        ]
        repeats = options.judge_repeats
        return cls(
            options,
            calls=len(messages) * repeats,
            sent=sum(map(estimate_sent, messages)) * repeats,
            read=len(docs) * (len(TURNS) + 1) * repeats,
            longest=longest,
        )

    def __add__(self, other: "Forecast") -> "Forecast":
        """Both together, by the same judge."""
        return Forecast(
            self.options,
            self.calls + other.calls,
            self.sent + other.sent,
            self.read + other.read,
            max(self.longest, other.longest),
        )

    def cost(self, answer: int) -> float | None:
        """Dollars, if answers have so many tokens; None without ``judge_price``."""
        return dollars(self.options, self.sent + self.read * answer, self._received)

    def text(self, answer: int) -> str:
        """Say it, for answers of a usual length in tokens and for the longest."""
        usual = min(answer, self.longest)
        return (
            f"judge {self.options.judge_model}: {self.calls:,} calls, fewer if the store has some; with answers of "
            f"{usual:,} tokens about {self.sent + self.read * usual:,} tokens sent and {self._received:,} received"
            f"{shown_cost(self.cost(usual))}; with answers of {self.longest:,} tokens about "
            f"{self.sent + self.read * self.longest:,} sent{shown_cost(self.cost(self.longest))}"
        )

    @property
    def too_dear(self) -> str:
        """What to say if ``judge_max_cost`` is too low for any answers; else empty."""
        least, limit = self.cost(0), self.options.judge_max_cost
        if least is None or limit is None or least <= limit:
            return ""
        return (
            f"judge_max_cost={limit} is less than judging empty answers costs{shown_cost(least)}: nothing will be "
            "judged, unless the store has judgments already"
        )

    @property
    def _received(self) -> int:
        return estimate_received(self.calls, self.options.config())
