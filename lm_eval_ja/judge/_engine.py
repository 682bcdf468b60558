"""The judging itself: which judgments are needed, getting them concurrently, saving each as it comes."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tqdm import tqdm

from lm_eval_ja.errors import JudgeError
from lm_eval_ja.judge._client import JudgeClient, Reply
from lm_eval_ja.judge._config import Endpoint, JudgeConfig, judgment_keys
from lm_eval_ja.judge._faults import CallError
from lm_eval_ja.judge._rating import assess, parse_rating
from lm_eval_ja.judge._retry import Caller, ServiceDown
from lm_eval_ja.judge._store import JudgmentStore, Record
from lm_eval_ja.judge._types import Judgment, Messages


@dataclass(slots=True)
class Job:
    """One judgment to get, and the places in the result that it goes to."""

    key: str
    item: int
    repeat: int
    places: list[int] = field(default_factory=list)
    earlier: Record | None = None


@dataclass(slots=True)
class Survey:
    """What is asked for, against what is there.

    Attributes:
        results: One place per judgment; filled where the store has it.
        jobs: The judgments to get, each once.
    """

    results: list[Judgment | None]
    jobs: list[Job]


def survey(
    items: Sequence[Messages], config: JudgeConfig, endpoint: Endpoint, store: JudgmentStore
) -> Survey:
    """Compare the judgments asked for with the store."""
    results: list[Judgment | None] = []
    jobs: dict[str, Job] = {}
    wanted = list(judgment_keys(items, config, endpoint))
    records = store.find({key for _, _, key in wanted})
    for item, repeat, key in wanted:
        place = len(results)
        results.append(None)
        if key in jobs:
            jobs[key].places.append(place)
            continue
        record = records.get(key)
        judgment = _read(record, config) if record else None
        if judgment is not None and judgment.rating is not None:
            results[place] = judgment
        else:
            jobs[key] = Job(key, item, repeat, [place], record)
    return Survey(results, list(jobs.values()))


def _read(record: Record, config: JudgeConfig) -> Judgment:
    """A saved judgment, under the present reading of ratings."""
    text, finish_reason = record.text, record.finish_reason
    if config.strict and record.first_text is not None:  # the reference asks once
        text, finish_reason = record.first_text, ""
    rating, reason = assess(text, finish_reason, strict=config.strict, max_tokens=config.max_tokens)
    return Judgment(
        rating=rating,
        reason=reason,
        text=text,
        model=record.model,
        served_model=record.served_model,
        prompt_tokens=record.prompt_tokens,
        completion_tokens=record.completion_tokens,
        latency=record.latency,
        repeat=record.repeat,
        cached=True,
        adaptations=record.adaptations,
    )


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
        self.asked = len(self._survey.results)

    async def run(self) -> str | None:
        """Get all judgments.

        Returns:
            None, or why the run stopped early.

        Raises:
            asyncio.CancelledError: Cancelled from outside; what had been received is saved.
            JudgeError: No call could be made at all.
        """
        if not self._survey.jobs:
            return None
        self._store.append(())  # before anything is paid for
        client = JudgeClient(self._config, self._endpoint)
        caller = Caller(client, self._config)
        saver = _Saver(self._store)
        pending = deque(self._survey.jobs)
        done_before = sum(result is not None for result in self._survey.results)
        with tqdm(
            total=self.asked,
            initial=done_before,
            desc="judge",
            unit="judgment",
            mininterval=0.5,
            disable=not self._progress,
        ) as bar:
            saving = asyncio.create_task(saver.run())
            workers = [
                asyncio.create_task(self._work(pending, client, caller, saver, bar))
                for _ in range(min(self._config.concurrency, len(self._survey.jobs)))
            ]
            try:
                return await _first_failure(workers, caller)
            finally:
                pending.clear()  # before Python 3.12 wait_for may swallow a cancellation
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)
                saver.finish()
                await saving
                with contextlib.suppress(Exception):  # nothing depends on a tidy end of the connections
                    await client.close()

    def results(self, unfinished: str) -> list[Judgment]:
        """All judgments in order, with ``unfinished`` as the reason of those that were not made."""
        blank = Judgment(None, unfinished, "", self._config.model)
        repeats = self._config.repeats
        return [
            replace(blank, repeat=place % repeats) if result is None else result
            for place, result in enumerate(self._survey.results)
        ]

    async def _work(
        self, jobs: deque[Job], client: JudgeClient, caller: Caller, saver: "_Saver", bar: "tqdm[Any]"
    ) -> None:
        while jobs:
            job = jobs.popleft()
            try:
                record, judgment = await self._judge(job, client, caller)
            except CallError as exc:
                judgment = Judgment(None, str(exc), "", self._config.model, repeat=job.repeat)
            else:
                # Counted first: a paid reply reaches the caller even where the disk refuses it.
                self._put(job, judgment)
                await saver.save(record)
            self._put(job, judgment)
            self._tokens += judgment.prompt_tokens + judgment.completion_tokens
            self._unscored += (judgment.rating is None) * len(job.places)
            bar.set_postfix(self._notes(), refresh=False)
            bar.update(len(job.places))

    async def _judge(self, job: Job, client: JudgeClient, caller: Caller) -> tuple[Record, Judgment]:
        config = self._config
        replies: list[Reply] = []
        rating, reason = None, None
        for _ in range(1 if config.strict else 1 + config.rating_retries):
            try:
                reply = await caller.call(self._items[job.item])
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
        last = replies[-1]
        first_text = replies[0].text if len(replies) > 1 else None
        if job.earlier is not None:
            first_text = job.earlier.text if job.earlier.first_text is None else job.earlier.first_text
        record = Record(
            key=job.key,
            model=config.model,
            served_model=last.served_model,
            base_url=self._endpoint.url,
            repeat=job.repeat,
            text=last.text,
            finish_reason=last.finish_reason,
            rating=parse_rating(last.text),
            first_text=first_text,
            prompt_tokens=sum(reply.prompt_tokens for reply in replies),
            completion_tokens=sum(reply.completion_tokens for reply in replies),
            latency=round(last.latency, 3),
            adaptations=client.adaptations,
        )
        return record, replace(
            _read(record, config), rating=rating, reason=reason, text=last.text, cached=False
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


async def _first_failure(workers: Sequence["asyncio.Task[None]"], caller: Caller) -> str | None:
    """Wait for the workers; why they stopped early, if they did."""
    done, _ = await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION)
    for worker in done:
        error = worker.exception()
        if isinstance(error, (ServiceDown, JudgeError)):
            return str(error)
        if error is not None:
            raise error
    if caller.failures and not caller.answers:
        return caller.last_failure
    return None


class _Saver:
    """Writes records as they come: one disk flush for all that have come during the last one."""

    def __init__(self, store: JudgmentStore) -> None:
        self._store = store
        self._queue: asyncio.Queue[tuple[Record, asyncio.Future[None]] | None] = asyncio.Queue()

    async def save(self, record: Record) -> None:
        """Return once the record is on the disk.

        Raises:
            JudgeError: It cannot be written.
        """
        saved = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((record, saved))
        await saved

    def finish(self) -> None:
        """End ``run`` once all records handed in are written."""
        self._queue.put_nowait(None)

    async def run(self) -> None:
        """Write until told to finish."""
        running = True
        while running:
            entries = [await self._queue.get()]
            while not self._queue.empty():
                entries.append(self._queue.get_nowait())
            batch = [entry for entry in entries if entry is not None]
            running = len(batch) == len(entries)
            problem = None
            try:
                await asyncio.to_thread(self._store.append, [record for record, _ in batch])
            except JudgeError as exc:
                problem = exc
            for _, waiting in batch:
                if waiting.done():  # cancelled meanwhile
                    continue
                if problem is None:
                    waiting.set_result(None)
                else:
                    waiting.set_exception(problem)
