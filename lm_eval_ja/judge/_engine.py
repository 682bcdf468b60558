"""The judging itself: getting judgments concurrently, saving each as it comes."""

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from lm_eval_ja.errors import JudgeError
from lm_eval_ja.judge._client import JudgeClient
from lm_eval_ja.judge._clients import connect
from lm_eval_ja.judge._config import Endpoint, JudgeConfig
from lm_eval_ja.judge._faults import CallError
from lm_eval_ja.judge._ledger import Batch, Ledger
from lm_eval_ja.judge._rating import assess
from lm_eval_ja.judge._retry import Caller, ServiceDown, Stopped
from lm_eval_ja.judge._saver import Saver
from lm_eval_ja.judge._store import JudgmentStore, Record
from lm_eval_ja.judge._survey import Job, read_record, record_of, survey
from lm_eval_ja.judge._types import Judgment, Messages

if TYPE_CHECKING:
    from lm_eval_ja.judge._reply import Reply

_LOG = logging.getLogger(__name__)
_PATIENCE = 2.0  # seconds that calls which cannot be ended (a name being looked up, say) are waited for
_LOOK_AGAIN = 1.0  # seconds between looks at what other runs are asking for


class Engine:
    """One run over some items.

    Attributes:
        asked: Judgments asked for.
    """

    def __init__(
        self,
        items: Sequence[Messages],
        config: JudgeConfig,
        endpoint: Endpoint,
        store: JudgmentStore,
        *,
        progress: bool,
    ) -> None:
        self._items = items
        self._config = config
        self._endpoint = endpoint
        self._store = store
        self._survey = survey(items, config, endpoint, store)
        self._progress = progress
        self._tokens = 0
        self._unscored = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._stopped: str | None = None
        self._waiting = False
        self._bar: tqdm[Any]
        self.asked = len(self._survey.results)

    def run(self) -> str | None:
        """Get all judgments.

        Returns:
            None, or why the run stopped early.

        Raises:
            KeyboardInterrupt: Ctrl-C; what had been received is saved.
            JudgeError: No call could be made at all.
        """
        if not self._survey.jobs:
            return None
        client = connect(self._config, self._endpoint)
        caller = Caller(client, self._config, self._stop)
        with (
            contextlib.closing(client),
            tqdm(
                total=self.asked,
                initial=sum(result is not None for result in self._survey.results),
                desc="judge",
                unit="judgment",
                mininterval=0.5,
                disable=not self._progress,
            ) as self._bar,
        ):
            jobs = self._survey.jobs
            while True:
                jobs, pause = self._round(jobs, client, caller)
                if self._stopped is not None or not jobs:
                    break
                self._stop.wait(pause)
        if self._stopped is None and caller.failures and not caller.answers:
            return caller.last_failure
        return self._stopped

    def _round(self, jobs: Sequence[Job], client: JudgeClient, caller: Caller) -> tuple[list[Job], float]:
        """Get what no other run is asking for.

        Returns:
            What others are asking for, and the seconds after which to look again whether they got it.
        """
        begun = time.monotonic()
        try:
            with self._store.claim([job.key for job in jobs]) as claim:
                pause = max(_LOOK_AGAIN, 10 * (time.monotonic() - begun))  # reading may take long, too
                # After the claim: whoever submits a batch writes it down while claiming what is in it.
                held = Ledger(self._store.path).held()
                left = [
                    job
                    for job in jobs
                    if not (
                        self._take(job, claim.records.get(job.key)) or self._leave(job, held.get(job.key))
                    )
                ]
                others = [job for job in left if job.key not in claim.keys]
                self._get([job for job in left if job.key in claim.keys], client, caller)
        except JudgeError as exc:
            if jobs is self._survey.jobs:
                raise
            self._stopped = str(exc)
            return [], 0.0
        if others and not self._waiting:
            self._waiting = True
            _LOG.warning(
                "%d judgments are being asked for by another run with the same store (%s): waiting for it",
                len(others),
                self._store.path,
            )
        return others, pause

    def _take(self, job: Job, record: Record | None) -> bool:
        """Use what another run has saved since the survey, if it did and it has a rating."""
        if record is None or record == job.earlier:
            return False
        judgment = read_record(record, self._config)
        if judgment.rating is None:
            job.earlier = record
            return False
        self._put(job, judgment)
        self._bar.update(len(job.places))
        return True

    def _leave(self, job: Job, batch: Batch | None) -> bool:
        """Leave a judgment to the batch that asks for it, if one does: it is paid for."""
        if batch is None:
            return False
        reason = f"not judged: asked for in batch {batch.name}; collect it with `lm-eval-ja judge … --batch collect`"
        self._put(job, Judgment(None, reason, "", self._config.model, repeat=job.repeat))
        self._bar.update(len(job.places))
        return True

    def _get(self, jobs: Sequence[Job], client: JudgeClient, caller: Caller) -> None:
        """Get judgments, many at a time."""
        pending = deque(jobs)
        saver = Saver(self._store)
        workers = [
            threading.Thread(
                target=self._work, args=(pending, client, caller, saver), name="judge", daemon=True
            )
            for _ in range(min(self._config.concurrency, len(jobs)))
        ]
        started: list[threading.Thread] = []
        try:
            for worker in workers:
                try:
                    worker.start()
                except RuntimeError:  # the system has no more threads for us: fewer do as well
                    if not started:
                        raise
                    break
                started.append(worker)
            for worker in started:
                while worker.is_alive():
                    worker.join(0.5)  # in slices: an endless wait cannot be interrupted on Windows
        finally:
            if any(worker.is_alive() for worker in started):
                self._halt(client)
                deadline = time.monotonic() + _PATIENCE
                for worker in started:
                    worker.join(max(0.0, deadline - time.monotonic()))
            saver.finish()

    def _halt(self, client: JudgeClient, reason: str | None = None) -> None:
        with self._lock:
            self._stopped = self._stopped or reason
        self._stop.set()
        client.abort()

    def results(self, unfinished: str) -> list[Judgment]:
        """All judgments in order, with ``unfinished`` as the reason of those that were not made."""
        blank = Judgment(None, unfinished, "", self._config.model)
        repeats = self._config.repeats
        return [
            replace(blank, repeat=place % repeats) if result is None else result
            for place, result in enumerate(self._survey.results)
        ]

    def _work(self, jobs: deque[Job], client: JudgeClient, caller: Caller, saver: Saver) -> None:
        while not self._stop.is_set():
            try:
                job = jobs.popleft()
            except IndexError:
                return
            try:
                self._finish(job, client, caller, saver)
            except Stopped:
                return
            except (ServiceDown, JudgeError) as exc:
                self._halt(client, str(exc))

    def _finish(self, job: Job, client: JudgeClient, caller: Caller, saver: Saver) -> None:
        """Get one judgment and save it. Whatever nobody has foreseen costs this one only."""
        judgment = None
        try:
            record, judgment = self._judge(job, client, caller)
            # Counted first: a paid reply reaches the caller even where the disk refuses it.
            self._put(job, judgment)
            saver.save(record)
        except CallError as exc:
            judgment = Judgment(None, str(exc), "", self._config.model, repeat=job.repeat)
            self._put(job, judgment)
        except (ServiceDown, Stopped, JudgeError):
            raise
        except Exception as exc:  # noqa: BLE001 -- what it is nobody knows; the log has it all
            _LOG.exception("a judgment failed")
            if judgment is None:
                reason = f"not judged: {type(exc).__name__}"
                judgment = Judgment(None, reason, "", self._config.model, repeat=job.repeat)
                self._put(job, judgment)
        with self._lock:
            self._tokens += judgment.prompt_tokens + judgment.completion_tokens
            self._unscored += (judgment.rating is None) * len(job.places)
            self._bar.set_postfix(self._notes(), refresh=False)
            self._bar.update(len(job.places))

    def _judge(self, job: Job, client: JudgeClient, caller: Caller) -> tuple[Record, Judgment]:
        config = self._config
        replies: list[Reply] = []
        rating, reason = None, None
        for _ in range(1 if config.strict else 1 + config.rating_retries):
            try:
                reply = caller.call(self._items[job.item])
            except CallError:
                if not replies:
                    raise
                break  # a reply is paid for: keep it, even without a rating
            replies.append(reply)
            rating, reason = assess(
                reply.text, reply.finish_reason, strict=config.strict, max_tokens=config.max_tokens
            )
            if rating is not None:
                break
        record = record_of(job, replies, config, self._endpoint, client.adaptations)
        return record, replace(
            read_record(record, config), rating=rating, reason=reason, text=record.text, cached=False
        )

    def _put(self, job: Job, judgment: Judgment) -> None:
        first, *rest = job.places
        self._survey.results[first] = judgment
        for place in rest:
            self._survey.results[place] = replace(judgment, cached=True)

    def _notes(self) -> Mapping[str, object]:
        notes: dict[str, object] = {"tokens": self._tokens}
        if self._unscored:
            notes["unscored"] = self._unscored
        return notes
