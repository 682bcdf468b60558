"""Which judgments are needed, and what is saved of one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lm_eval_ja.judge._config import Endpoint, JudgeConfig, judgment_keys
from lm_eval_ja.judge._rating import assess, parse_rating
from lm_eval_ja.judge._store import JudgmentStore, Record
from lm_eval_ja.judge._types import Judgment, Messages

if TYPE_CHECKING:
    from lm_eval_ja.judge._reply import Reply


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
        judgment = read_record(record, config) if record else None
        if judgment is not None and judgment.rating is not None:
            results[place] = judgment
        else:
            jobs[key] = Job(key, item, repeat, [place], record)
    return Survey(results, list(jobs.values()))


def read_record(record: Record, config: JudgeConfig) -> Judgment:
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


def record_of(
    job: Job,
    replies: Sequence["Reply"],
    config: JudgeConfig,
    endpoint: Endpoint,
    adaptations: tuple[str, ...],
) -> Record:
    """What is saved of all replies that were paid for."""
    last = replies[-1]
    first_text = replies[0].text if len(replies) > 1 else None
    if job.earlier is not None:
        first_text = job.earlier.text if job.earlier.first_text is None else job.earlier.first_text
    return Record(
        key=job.key,
        model=config.model,
        served_model=last.served_model,
        base_url=endpoint.url,
        repeat=job.repeat,
        text=last.text,
        finish_reason=last.finish_reason,
        rating=parse_rating(last.text),
        first_text=first_text,
        prompt_tokens=sum(reply.prompt_tokens for reply in replies),
        completion_tokens=sum(reply.completion_tokens for reply in replies),
        latency=round(last.latency, 3),
        adaptations=adaptations,
    )
