"""Requests with two turns, on every backend."""

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any

from lm_eval_ja.prompts import Conversation
from lm_eval_ja.thoughts import ServerAnswer, Tags, parse_thoughts


def add_multi_turn() -> None:
    """Give every backend ``generate_until_multi_turn``, in terms of its own ``generate_until``.

    Retires when upstream's request types include conversations. A backend's own method of that name is left alone.
    """
    from lm_eval.api.model import LM

    if not hasattr(LM, "generate_until_multi_turn"):
        LM.generate_until_multi_turn = generate_until_multi_turn


def generate_until_multi_turn(lm: Any, requests: Sequence[Any]) -> list[list[str]]:
    """Answer two-turn questions: all first turns in one call of the backend, then all second turns in one call.

    Args:
        lm: The backend.
        requests: Instances whose arguments are ``(text, conversation)``: the first prompt as a text, and the plain data
            of a :class:`lm_eval_ja.prompts.Conversation`.

    Returns:
        For each request ``[first answer, second answer, second prompt]``, answers as generated; with a fourth text, the
        opening tag of thoughts, if that ended the prompts. Where the first answer's thoughts did not end there is
        nothing to refer to: the second turn is not asked, its answer and prompt are empty.
    """
    conversations = [Conversation(**request.args[1]) for request in requests]
    first = [conversation.first(lm.apply_chat_template) for conversation in conversations]
    answers = _generate(lm, requests, first, conversations)
    opened = [
        _opened(lm, conversation, prompt) for conversation, prompt in zip(conversations, first, strict=True)
    ]
    turns = [
        [_text(answer, conversation), "", "", *([tags.opening] if tags else [])]
        for answer, conversation, tags in zip(answers, conversations, opened, strict=True)
    ]
    asked: dict[int, Any] = {}
    for index, (conversation, turn, tags) in enumerate(zip(conversations, turns, opened, strict=True)):
        prompt = conversation.second(turn[0], lm.apply_chat_template, tags)
        if prompt is not None:
            asked[index] = prompt
    final = _generate(
        lm, [requests[index] for index in asked], [*asked.values()], [conversations[index] for index in asked]
    )
    for (index, prompt), answer in zip(asked.items(), final, strict=True):
        second = prompt if isinstance(prompt, str) else str(prompt[0])
        turns[index][1:3] = [_text(answer, conversations[index]), second]
    return turns


def _opened(lm: Any, conversation: Conversation, prompt: Any) -> Tags | None:
    """The tags whose opening one ends a prompt, unless the backend takes thoughts off by itself."""
    if not isinstance(prompt, str) or getattr(lm, "think_end_token", None) is not None:
        return None
    return parse_thoughts(conversation.thoughts).opened_by(prompt)


def _text(answer: str, conversation: Conversation) -> str:
    return (
        answer.raw(parse_thoughts(conversation.thoughts).tags) if isinstance(answer, ServerAnswer) else answer
    )


def _generate(
    lm: Any, requests: Sequence[Any], prompts: Sequence[Any], conversations: Sequence[Conversation]
) -> list[str]:
    """One pass over one turn, through ``--use_cache`` where it is on.

    The harness's caching wrapper knows its own request types only and hands others to the backend, so the cache is
    read and written here, under the keys of plain requests.
    """
    from lm_eval.api.model import hash_args

    sampled = any(conversation.gen_kwargs.get("do_sample") for conversation in conversations)
    cache = None if sampled else lm.cache_hook.dbdict  # as upstream: explicit sampling is not cached
    instances = [
        dataclasses.replace(
            request,
            request_type="generate_until",
            # A copy of its own for each: backends add their own stop strings to the list they are given.
            arguments=(prompt, copy.deepcopy(dict(conversation.gen_kwargs))),
            resps=[],
            filtered_resps={},
        )
        for request, prompt, conversation in zip(requests, prompts, conversations, strict=True)
    ]
    keys = [hash_args("generate_until", instance.args) for instance in instances]
    answers: dict[int, str] = {}
    if cache is not None:
        answers = {index: cache[key] for index, key in enumerate(keys) if key in cache}
    todo = [index for index in range(len(instances)) if index not in answers]
    if todo:  # backends crash on an empty list
        generated = lm.generate_until([instances[index] for index in todo])
        for index, answer in zip(todo, generated, strict=True):
            answers[index] = "" if answer is None else answer  # some servers send null for an empty answer
            if cache is not None:
                cache[keys[index]] = answers[index]
    if cache is not None:
        cache.commit()
    return [answers[index] for index in range(len(instances))]
