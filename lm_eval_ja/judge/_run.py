"""The engine's front door."""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lm_eval_ja.errors import JudgeError
from lm_eval_ja.judge._client import JudgeClient
from lm_eval_ja.judge._clients import connect
from lm_eval_ja.judge._config import JudgeConfig, resolve_endpoint
from lm_eval_ja.judge._engine import Engine
from lm_eval_ja.judge._faults import CallError, Cause, TransientError
from lm_eval_ja.judge._store import JudgmentStore
from lm_eval_ja.judge._survey import survey
from lm_eval_ja.judge._types import JudgeStopped, Judgment, Messages, WorkPlan

_LOG = logging.getLogger(__name__)

_PREFLIGHT_TIMEOUT = 20.0
_PREFLIGHT_TRIES = 3
_OUT_OF_TOKENS = "output limit was reached"  # reasoning models' way of refusing a one-token reply

_USUAL_JUDGMENT = 350  # tokens; a Japanese explanation of some sentences
_TOKENS_PER_ASCII, _TOKENS_PER_OTHER = 0.25, 1.1  # GPT-4's tokenizer on English and on Japanese
_TOKENS_PER_MESSAGE = 4


def judge(
    items: Sequence[Messages],
    config: JudgeConfig,
    store: JudgmentStore | str | Path,
    *,
    progress: bool = True,
) -> list[Judgment]:
    """Have answers rated.

    Judgments in the store are taken from there if they have a rating (in strict mode: always); all others are
    requested, each once however often it is asked for, and saved as they come. A reply without a rating, or
    with one outside 1 to 10, is asked for again and then left unscored with a reason; the next run tries it
    anew. In strict mode it is rated as the reference did: any number counts, none is -1. A call that fails
    for good leaves its judgment unscored with a reason, in strict mode as well.

    Args:
        items: Messages of each request, see ``build_messages``.
        config: The judge.
        store: Where judgments are kept, or the path of that file.
        progress: Show a progress bar on stderr.

    Returns:
        ``len(items) * config.repeats`` judgments: those of the first item, then those of the second, and so
        on.

    Raises:
        JudgeError: The key or the endpoint is not set, or the store cannot be used; nothing was requested.
        JudgeStopped: The judge turned out to be unusable (key refused, no quota, not reachable, ...), or
            judgments could not be saved. All that were made are in the exception.
        KeyboardInterrupt: Ctrl-C. All judgments received are saved; the message says how to go on.
    """
    store = store if isinstance(store, JudgmentStore) else JudgmentStore(store)
    engine = Engine(items, config, resolve_endpoint(config), store, progress=progress)
    try:
        stopped = engine.run()
    except KeyboardInterrupt:
        done = sum(judgment.rating is not None for judgment in engine.results(""))
        message = (
            f"judging interrupted: {done} of {engine.asked} judgments are saved in {store.path}; "
            "run the same command again to go on from there"
        )
        _LOG.warning(message)
        raise KeyboardInterrupt(message) from None
    if stopped is None:
        return engine.results("")
    judgments = engine.results(f"not judged: {stopped}")
    done = sum(judgment.rating is not None for judgment in judgments)
    raise JudgeStopped(
        f"the judge {config.model} stopped: {stopped}. {done} of {engine.asked} judgments are done; "
        f"run again with the same store ({store.path}) to go on from there",
        judgments,
    )


def plan(items: Sequence[Messages], config: JudgeConfig, store: JudgmentStore | str | Path) -> WorkPlan:
    """What ``judge`` would request. Sends nothing, writes nothing, needs no key.

    Raises:
        JudgeError: The endpoint is not set, or the store cannot be read.
    """
    store = store if isinstance(store, JudgmentStore) else JudgmentStore(store)
    found = survey(items, config, resolve_endpoint(config), store)
    calls = len(found.jobs)
    return WorkPlan(
        judgments=len(found.results),
        cached=sum(result is not None for result in found.results),
        duplicates=sum(len(job.places) - 1 for job in found.jobs),
        calls=calls,
        prompt_tokens=sum(estimate_sent(items[job.item]) for job in found.jobs),
        completion_tokens=estimate_received(calls, config),
        max_completion_tokens=calls * config.max_tokens,
    )


def preflight(config: JudgeConfig) -> None:
    """Make sure, within seconds, that the judge can be used: ask it for a single token.

    Raises:
        JudgeError: It cannot. The message names the cause (variable not set, key refused, no quota, unknown
            model, not reachable, ...) and what to do.
    """
    endpoint = resolve_endpoint(config)
    client = connect(replace(config, timeout=min(config.timeout, _PREFLIGHT_TIMEOUT)), endpoint)
    try:
        problem = try_out(client, config)
    finally:
        client.close()
    if problem is not None:
        raise JudgeError(f"the judge {config.model} at {endpoint.url} cannot be used: {problem}")


def try_out(client: JudgeClient, config: JudgeConfig) -> str | None:
    """Ask for a token; why none came, if the judge is to blame."""
    for tries_left in reversed(range(_PREFLIGHT_TRIES)):
        try:
            client.ask([{"role": "user", "content": "1"}], max_tokens=1)
        except CallError as exc:
            fault = exc
        else:
            return None
        if _OUT_OF_TOKENS in str(fault):
            return None
        if isinstance(fault, TransientError) and fault.cause is Cause.RATE:
            _LOG.warning("the judge %s is there, but limits its rate at the moment (%s)", config.model, fault)
            return None
        if not (isinstance(fault, TransientError) and fault.cause is Cause.OTHER and tries_left):
            break
        time.sleep(min(config.backoff, 1.0))
    return str(fault)


def estimate_tokens(text: str) -> float:
    """About how many tokens of GPT-4's tokenizer a text has, from its characters."""
    ascii_length = sum(character.isascii() for character in text)
    return ascii_length * _TOKENS_PER_ASCII + (len(text) - ascii_length) * _TOKENS_PER_OTHER


def estimate_sent(messages: Messages) -> int:
    """About how many tokens a request has."""
    return round(sum(estimate_tokens(message["content"]) + _TOKENS_PER_MESSAGE for message in messages))


def estimate_received(calls: int, config: JudgeConfig) -> int:
    """About how many tokens the replies to so many requests have."""
    return calls * min(_USUAL_JUDGMENT, config.max_tokens)
