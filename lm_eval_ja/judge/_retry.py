"""When to try again, when to give a call up, and when to give the judge up."""

import logging
import random
import threading
import time
from typing import TYPE_CHECKING

from lm_eval_ja.judge._client import JudgeClient
from lm_eval_ja.judge._config import JudgeConfig
from lm_eval_ja.judge._faults import CallError, Cause, PermanentError, Scope, TransientError
from lm_eval_ja.judge._types import Messages

if TYPE_CHECKING:
    from lm_eval_ja.judge._reply import Reply

_LOG = logging.getLogger(__name__)
_LONGEST_BACKOFF = 60.0
_LONGEST_WAIT = 600.0  # a server that asks for more is telling of a quota, not of a busy moment
_UNPROVEN_RETRIES = {Cause.TIMEOUT: 1, Cause.OTHER: 3}  # as long as the judge has never answered
_FAILURES_IN_A_ROW = 5
_NOTABLE_WAIT = 10.0


class ServiceDown(Exception):  # noqa: N818 -- a signal to stop, not an error of one call
    """The judge cannot be used, now or at all; going on would only burn retries."""


class Stopped(Exception):  # noqa: N818 -- a signal
    """The run has ended; this call need not be made."""


class Caller:
    """Makes calls through one client, retries what may succeed, and stops all when nothing does.

    Rate limits do not use up a call's retries as long as other calls get through: a slow account then judges
    slowly instead of losing judgments. When a server says how long to wait, every call waits.

    Many threads may use it.

    Attributes:
        answers: Calls so far that showed the judge to be working.
        failures: Calls so far that were given up for a reason that may be the judge's.
    """

    def __init__(self, client: JudgeClient, config: JudgeConfig, stop: threading.Event) -> None:
        self._client = client
        self._config = config
        self._stop = stop
        self._lock = threading.Lock()
        self._resume_at = 0.0
        self._failures_in_a_row = 0
        self.answers = 0
        self.failures = 0
        self.last_failure = ""

    def call(self, messages: Messages) -> "Reply":
        """One reply.

        Raises:
            CallError: This call was given up.
            ServiceDown: Every call would be.
            Stopped: The run has ended meanwhile.
        """
        tries = 0
        answers_before = self.answers
        while True:
            self._pause()
            try:
                reply = self._client.ask(messages, max_tokens=self._config.max_tokens)
            except CallError as exc:
                fault = exc
            else:
                self._note_answer()
                return reply
            if self._stop.is_set():
                raise Stopped
            spared = isinstance(fault, TransientError) and fault.cause is Cause.RATE
            if not spared or self.answers == answers_before:
                tries += 1
            answers_before = self.answers
            if not isinstance(fault, TransientError) or tries > self._retries(fault):
                raise self._give_up(fault, tries)
            self._schedule(fault)
            if not fault.retry_after:
                delay = min(_LONGEST_BACKOFF, self._config.backoff * 2.0 ** min(max(tries, 1) - 1, 10))
                self._wait(delay * random.uniform(0.5, 1.0))

    def _note_answer(self) -> None:
        with self._lock:
            self.answers += 1
            self._failures_in_a_row = 0

    def _retries(self, fault: TransientError) -> int:
        if (fault.retry_after or 0) > _LONGEST_WAIT:
            return 0
        most = self._config.max_retries
        return most if self.answers else min(most, _UNPROVEN_RETRIES.get(fault.cause, most))

    def _give_up(self, fault: CallError, tries: int) -> Exception:
        """Note a call that failed for good; what to raise for it."""
        message = f"{fault}" + (f" ({tries} tries)" if tries > 1 else "")
        scope = fault.scope if isinstance(fault, PermanentError) else None
        if isinstance(fault, TransientError) and (fault.retry_after or 0) > _LONGEST_WAIT:
            message += f"; it asks to wait {fault.retry_after:.0f} s"
        if scope is Scope.TEXT:
            self._note_answer()
            return CallError(message)
        with self._lock:
            self.failures += 1
            self.last_failure = message
            hopeless = scope is Scope.ALL or not (self.answers or scope is Scope.REQUEST)
            # Single requests may be rejected for what they hold; when others are fine that says nothing of the
            # judge.
            if not (scope is Scope.REQUEST and self.answers):
                self._failures_in_a_row += 1
            if hopeless or self._failures_in_a_row >= _FAILURES_IN_A_ROW:
                return ServiceDown(message)
        return CallError(message)

    def _schedule(self, fault: TransientError) -> None:
        """Make every call wait as long as the server asks."""
        if fault.retry_after is None:
            return
        now = time.monotonic()
        with self._lock:
            if fault.retry_after > _NOTABLE_WAIT and now + fault.retry_after > self._resume_at + 1:
                _LOG.warning("the judge asks to wait %.0f s (%s); waiting", fault.retry_after, fault)
            self._resume_at = max(self._resume_at, now + fault.retry_after)

    def _pause(self) -> None:
        while (left := self._resume_at - time.monotonic()) > 0:
            self._wait(left + random.uniform(0, min(1.0, 0.1 * left)))  # not all at the same moment
        if self._stop.is_set():
            raise Stopped

    def _wait(self, duration: float) -> None:
        if self._stop.wait(duration):
            raise Stopped
