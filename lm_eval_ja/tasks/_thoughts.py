"""How a task tells answers from thoughts, and what it says of them."""

import logging
import sys
from typing import Any

from lm_eval_ja.tasks.options import AnswerOptions
from lm_eval_ja.thoughts import AUTO, KEEP, ServerAnswer, State, Tags, parse_thoughts, write_field

_log = logging.getLogger(__name__)


class Answers:
    """Reads a task's answers and counts what they have of thoughts.

    Attributes:
        options: The run's options.
        handling: How its option ``thoughts`` handles them.
        by_backend: Whether the backend takes thoughts off by itself (its argument ``think_end_token``).
    """

    def __init__(self, options: AnswerOptions, metadata: dict[str, Any]) -> None:
        """Start counting.

        Args:
            options: The run's.
            metadata: Given by the user, with the model's arguments merged in by the harness.
        """
        self.handling = parse_thoughts(options.thoughts)
        self.options = options
        self.by_backend = metadata.get("think_end_token") is not None
        self._answers = self._thoughts = self._unfinished = self._by_server = 0
        self._others = (0, 0, 0)

    @property
    def expected(self) -> bool:
        """Whether stop strings are kept from the backend."""
        return self.handling.expected

    @property
    def settled(self) -> bool:
        """Whether the user has said what to do with thoughts."""
        return self.expected or not self.handling.tags

    def opened_by(self, prompt: Any) -> Tags | None:
        """The tags whose opening one ends a prompt, where the answer has the rest of it."""
        if self.by_backend or not isinstance(prompt, str):
            return None
        return self.handling.opened_by(prompt)

    def raw(self, response: str) -> str:
        """What of a response goes into the samples."""
        if not isinstance(response, ServerAnswer):
            return response
        self._by_server += 1
        return response.raw(self.handling.tags)

    def answer(self, response: str, prompt: Any) -> str:
        """The answer in a response: empty if thoughts did not end."""
        reading = self.handling.read(response, self.opened_by(prompt))
        self.count(reading.state)
        return reading.answer

    def count(self, state: State) -> None:
        """Count an answer."""
        self._answers += 1
        self._thoughts += state is not State.NONE
        self._unfinished += state is State.UNFINISHED

    def hear_from(self, ranks: int) -> None:
        """Learn what the other ranks of a run have counted, as every rank's answers are in its scores.

        Every rank calls it as often as the others.

        Args:
            ranks: How many there are, by the harness.
        """
        distributed: Any = sys.modules.get(
            "torch.distributed"
        )  # where there are ranks, the backend has it loaded
        if ranks == 1 or distributed is None or not distributed.is_initialized():
            return
        own = (self._thoughts, self._unfinished, self._by_server)
        counts = [own] * ranks
        distributed.all_gather_object(counts, own)
        thoughts, unfinished, by_server = (sum(column) for column in zip(*counts, strict=True))
        self._others = (thoughts - own[0], unfinished - own[1], by_server - own[2])

    def report(self, task: str, scored: str) -> None:
        """Say how many answers are missing because thoughts did not end.

        Args:
            task: The task.
            scored: How they are scored.
        """
        if self._unfinished:
            _log.warning(
                "%s: %d of %d answers never came: the thoughts did not end before the token limit%s. They %s. More "
                "tokens: docs/thoughts.md",
                task,
                self._unfinished,
                self._answers,
                "" if self.expected else " or a stop string",
                scored,
            )

    def signature_fields(self, *, stops: bool, usual: str = KEEP) -> dict[str, str]:
        """The part of the signature; nothing where thoughts are handled as usual, or there were none.

        Args:
            stops: Whether the protocol has stop strings, which thoughts may hold.
            usual: What a signature without the field means: ``keep``, or ``auto`` (MT-Bench).
        """
        how = []
        found = self._thoughts + self._others[0]
        unfinished = self._unfinished + self._others[1]
        either = found + self._by_server + self._others[2]
        if self.expected:
            how.append(write_field("separated", self.handling))
        elif not self.handling.tags:
            how += [KEEP] if usual != KEEP else []
        elif either and stops:
            how.append(AUTO if found else "server")
        elif either and usual == KEEP:
            how.append("separated")
        elif unfinished:  # without the field: runs of before, which scored the thoughts as an answer
            how.append(AUTO)
        if self.by_backend:
            how.append("think_end_token")
        return {"thoughts": "+".join(how)} if how else {}
