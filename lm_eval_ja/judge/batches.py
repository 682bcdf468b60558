"""Judging at half price: through the providers' batch APIs, into the same store, in steps that may end at any point.

What makes it safe to be killed anywhere: a batch is written down before it is sent, and again once its name is known.
Of a batch without a name it is found out first whether the provider has it; what is in batches is asked for by nobody
else; and results are in the store before their batch is done with.

A module of its own, because it needs pydantic, which comes with the openai package.
"""

import contextlib
import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lm_eval_ja.errors import JudgeError
from lm_eval_ja.judge._batch_api import BatchApi, Progress, Unclear
from lm_eval_ja.judge._batch_apis import batch_api
from lm_eval_ja.judge._clients import connect
from lm_eval_ja.judge._config import Endpoint, JudgeConfig, judgment_keys, resolve_endpoint
from lm_eval_ja.judge._faults import CallError
from lm_eval_ja.judge._ledger import Batch, Ledger, new_batch
from lm_eval_ja.judge._run import try_out
from lm_eval_ja.judge._store import JudgmentStore, Record
from lm_eval_ja.judge._survey import Job, read_record, record_of, survey
from lm_eval_ja.judge._types import Judgment, Messages

_LOG = logging.getLogger(__name__)
_SETTLING = 60.0  # seconds within which a batch that was sent is sure to be listed
_TIMEOUT = 600.0  # uploads and results are large
_MOST_BYTES = 512 * 2**20  # of results
_BATCH_REQUESTS, _BATCH_BYTES = 20_000, 100 * 2**20  # well below either provider's limits


@dataclass(frozen=True)
class BatchState:
    """One batch and how far it is.

    Attributes:
        name: The provider's name for it, or ours while that is not known.
        judgments: How many it was asked for.
        progress: What the provider says; None while it is not known whether the provider has it.
    """

    name: str
    judgments: int
    progress: Progress | None

    @property
    def ended(self) -> bool:
        """Whether it can be collected."""
        return self.progress is not None and self.progress.ended

    def __str__(self) -> str:
        """One line for users."""
        if self.progress is None:
            return f"{self.name}: {self.judgments} judgments; not known yet whether the provider has it"
        problem = f": {self.progress.problem}" if self.progress.problem else ""
        return (
            f"{self.name}: {self.progress.done} of {self.judgments} judgments, {self.progress.state}{problem}"
        )


@dataclass(frozen=True)
class Submitted:
    """What was submitted.

    Attributes:
        batches: The new batches' names.
        judgments: How many they were asked for.
        cached: Judgments that were in the store.
        waiting: Judgments that earlier batches have been asked for.
        elsewhere: Judgments that another run is asking for at the moment.
    """

    batches: tuple[str, ...]
    judgments: int
    cached: int
    waiting: int
    elsewhere: int


def submit(
    items: Sequence[Messages], config: JudgeConfig, store: JudgmentStore, *, preflight: bool = True
) -> Submitted:
    """Ask for all judgments that are neither in the store nor in a batch, in batches.

    Args:
        items: Messages of each request.
        config: The judge.
        store: Where judgments are kept.
        preflight: Ask the judge for one token first, which also finds out the settings that it refuses.

    Raises:
        JudgeError: The judge cannot be used, or its batches cannot.
    """
    endpoint = resolve_endpoint(config)
    ledger = Ledger(store.path)
    with ledger.lock(), _api(config, endpoint) as api:
        for batch in _of_judge(ledger.open(), endpoint):
            _settle(batch, api, ledger, wait=True)
        found = survey(items, config, endpoint, store)
        with store.claim([job.key for job in found.jobs]) as claim:
            held = ledger.held()
            jobs = [
                job
                for job in found.jobs
                if job.key in claim.keys
                and job.key not in held
                and not _rated(claim.records.get(job.key), config)
            ]
            bodies, adaptations = _bodies(jobs, items, config, endpoint, preflight=preflight)
            repeats = {job.key: job.repeat for job in jobs}
            before = api.newest() if jobs else ""
            names = []
            for requests in _parts(bodies):
                part = {key: repeats[key] for key in requests}
                batch = new_batch(config.api, endpoint.url, config.model, part, adaptations, before)
                names.append(_send(batch, requests, api, ledger))
    waiting = sum(job.key in held for job in found.jobs)
    return Submitted(
        tuple(names),
        len(jobs),
        sum(result is not None for result in found.results),
        waiting,
        len(found.jobs) - waiting - len(jobs),
    )


def status(items: Sequence[Messages], config: JudgeConfig, store: JudgmentStore) -> list[BatchState]:
    """How far the batches are that hold any of these judgments. Collects nothing.

    Raises:
        JudgeError: The provider cannot be asked.
    """
    endpoint = resolve_endpoint(config)
    ledger = Ledger(store.path)
    with ledger.lock(), _api(config, endpoint) as api:
        return [_look(batch, api, ledger)[0] for batch in _holding(ledger, items, config, endpoint)]


def collect(items: Sequence[Messages], config: JudgeConfig, store: JudgmentStore) -> list[BatchState]:
    """Save what has come of the batches that hold any of these judgments, of those that have ended.

    Returns:
        The batches that have not ended.

    Raises:
        JudgeError: The provider cannot be asked, or judgments could not be saved. Run again to go on from there.
    """
    endpoint = resolve_endpoint(config)
    ledger = Ledger(store.path)
    pending = []
    with ledger.lock(), _api(config, endpoint) as api:
        for noted in _holding(ledger, items, config, endpoint):
            state, batch = _look(noted, api, ledger)
            if batch is not None and batch.id is not None and state.progress is not None and state.ended:
                ledger.close(batch, _save(batch, state.progress, api, config, endpoint, store))
            elif batch is not None:
                pending.append(state)
    return pending


def from_store(items: Sequence[Messages], config: JudgeConfig, store: JudgmentStore) -> list[Judgment]:
    """The judgments as the store has them; nobody is asked. What it has not is unscored with a reason.

    Raises:
        JudgeError: The store cannot be read.
    """
    endpoint = resolve_endpoint(config)
    ledger = Ledger(store.path)
    wanted = list(judgment_keys(items, config, endpoint))
    records = store.find({key for _, _, key in wanted})
    failures = ledger.failures()
    blank = Judgment(None, None, "", config.model)
    judgments = []
    for _, repeat, key in wanted:
        if (record := records.get(key)) is not None:
            judgment = read_record(record, config)
        else:
            why = failures.get(key, "never asked for; submit it with --batch submit")
            judgment = replace(blank, reason=f"not judged: {why}", repeat=repeat)
        judgments.append(judgment)
    return judgments


@contextlib.contextmanager
def _api(config: JudgeConfig, endpoint: Endpoint) -> Iterator[BatchApi]:
    client = connect(replace(config, timeout=max(config.timeout, _TIMEOUT)), endpoint, _MOST_BYTES)
    with contextlib.closing(client):
        yield batch_api(config, endpoint, client)


def _of_judge(batches: Sequence[Batch], endpoint: Endpoint) -> list[Batch]:
    """Batches that this judge's provider can be asked about."""
    return [batch for batch in batches if batch.url == endpoint.url]


def _holding(
    ledger: Ledger, items: Sequence[Messages], config: JudgeConfig, endpoint: Endpoint
) -> list[Batch]:
    keys = {key for _, _, key in judgment_keys(items, config, endpoint)}
    return [batch for batch in _of_judge(ledger.open(), endpoint) if keys & batch.requests.keys()]


def _rated(record: Record | None, config: JudgeConfig) -> bool:
    return record is not None and read_record(record, config).rating is not None


def _bodies(
    jobs: Sequence[Job],
    items: Sequence[Messages],
    config: JudgeConfig,
    endpoint: Endpoint,
    *,
    preflight: bool,
) -> tuple[dict[str, dict[str, Any]], tuple[str, ...]]:
    """Requests by key, in the dialect that the judge was found to want; and how that deviates from the settings."""
    with contextlib.closing(connect(config, endpoint)) as client:
        if jobs and preflight and (problem := try_out(client, config)) is not None:
            raise JudgeError(f"the judge {config.model} at {endpoint.url} cannot be used: {problem}")
        bodies = {job.key: client.body(items[job.item], config.max_tokens) for job in jobs}
        return bodies, client.adaptations


def _parts(bodies: Mapping[str, dict[str, Any]]) -> Iterator[dict[str, dict[str, Any]]]:
    """Requests in portions that providers take."""
    part: dict[str, dict[str, Any]] = {}
    size = 0
    for key, body in bodies.items():
        length = len(json.dumps(body))
        if part and (len(part) >= _BATCH_REQUESTS or size + length > _BATCH_BYTES):
            yield part
            part, size = {}, 0
        part[key] = body
        size += length
    if part:
        yield part


def _send(batch: Batch, requests: Mapping[str, dict[str, Any]], api: BatchApi, ledger: Ledger) -> str:
    """Submit one batch; its name."""
    ledger.write(batch)
    try:
        name = api.create(batch, requests)
    except Unclear as exc:
        raise JudgeError(
            f"{exc}. Whether it got the batch is not known; run the same command again: that finds it, or submits it"
        ) from None
    except JudgeError:
        ledger.drop(batch)
        raise
    ledger.write(replace(batch, id=name))
    return name


def _settle(batch: Batch, api: BatchApi, ledger: Ledger, *, wait: bool) -> tuple[Batch | None, str | None]:
    """Find out whether the provider has a batch of which no name was saved.

    Returns:
        The batch as it is known now, None if the provider never got it; and why it is still not known.
    """
    if batch.id is not None:
        return batch, None
    known = frozenset(other.id for other in ledger.all() if other.id is not None)
    # By the wall clock, for it was another process that sent it; if that clock was set back, the longest wait is due.
    left = min(_SETTLING, max(0.0, batch.created + _SETTLING - time.time()))
    while True:
        name, maybe = api.find(batch, known)
        if name is not None:
            named = replace(batch, id=name)
            ledger.write(named)
            return named, None
        if maybe is not None:
            return batch, f"{maybe} may be it, which will be known once that has ended"
        if not left:
            ledger.drop(batch)
            return None, None
        if not wait:
            return batch, f"which is known in {left:.0f} s"
        _LOG.warning("a batch was being submitted when its process ended: looking for it for %.0f s", left)
        time.sleep(left)
        left = 0.0


def _look(noted: Batch, api: BatchApi, ledger: Ledger) -> tuple[BatchState, Batch | None]:
    """How far a batch is, and what is known of it now; None if the provider never got it."""
    batch, why = _settle(noted, api, ledger, wait=False)
    if batch is None or batch.id is None:
        name = f"{noted.name}, {why}" if why else f"{noted.name}, which the provider never got"
        return BatchState(name, len(noted.requests), None), batch
    try:
        return BatchState(batch.name, len(batch.requests), api.progress(batch.id)), batch
    except JudgeError as exc:
        raise JudgeError(
            f"batch {batch.name}: {exc}. Was it submitted with another account's key? If it is gone for good, delete "
            f"{ledger.path(batch)}"
        ) from None


def _save(
    batch: Batch,
    progress: Progress,
    api: BatchApi,
    config: JudgeConfig,
    endpoint: Endpoint,
    store: JudgmentStore,
) -> dict[str, str]:
    """Put a batch's judgments into the store.

    Returns:
        Why there is no judgment, by key.
    """
    if progress.problem:
        return dict.fromkeys(batch.requests, f"batch {batch.name} failed: {progress.problem}")
    config = replace(config, model=batch.model)
    known = store.find(batch.requests.keys())
    failed = dict.fromkeys(batch.requests, f"batch {batch.name} has no result for it")
    records = []
    for key, result in api.results(batch.name, progress):
        if key not in failed:  # not ours, or a second result
            continue
        if isinstance(result, CallError):
            failed[key] = str(result)
            continue
        del failed[key]
        earlier = known.get(key)
        if earlier is None or not (_rated(earlier, config) or earlier.text == result.text):
            job = Job(key, 0, batch.requests[key], earlier=earlier)
            records.append(record_of(job, [result], config, endpoint, batch.adaptations))
    store.append(records)
    return failed
