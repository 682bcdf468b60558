"""Reading a set of options out of everything that a user, a model and an environment gave.

The harness merges ``--metadata`` with the model's arguments before a task sees either, so unknown names can't simply
be refused; a name that is nearly one of ours is taken for a slip and is.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar, get_args

from lm_eval_ja._unicode import shown
from lm_eval_ja.datasets import Data
from lm_eval_ja.errors import OptionError

T = TypeVar("T")

_OWNERS = (
    "api|access|account|ad|anthropic|auth|aws|azure|bearer|client|cohere|gemini|gh|github|gitlab|google|hf|hub|"
    "huggingface|hugging_face|judge|mistral|oauth|openai|personal|private|refresh|sas|security|session|signing|ssh|"
    "subscription|wandb"
)
_SECRET = re.compile(
    rf"token|(.*_)?(({_OWNERS})_?(keys?|tokens?)|authorization|bearer|pwd)"
    r"|(.*_)?(secrets?|passwords?|passwd|passphrase|credentials?)(_.*)?"
)
"""Names of secrets, in lower case and with underscores. ``eos_token``, ``max_tokens`` and ``sort_key`` are none."""


def pick(options: type[T], given: Mapping[str, Any] | None) -> T:
    """Make ``options`` (a dataclass) of the entries of ``given`` that are its fields.

    Raises:
        OptionError: A value that cannot work, a name that looks like a misspelt option, or one that looks as if its
            value were a secret (the harness writes all of them into the results).
    """
    given = given or {}
    names = [field.name for field in fields(options)]  # type: ignore[arg-type]  # a dataclass, which T can't say
    _refuse_secrets({key: value for key, value in given.items() if key not in names})
    for key in given:
        close = difflib.get_close_matches(str(key), names, n=1, cutoff=0.8)
        if close and key not in names:
            raise OptionError(f"unknown option {shown(key)} in --metadata: did you mean {close[0]!r}?")
    return options(**{name: given[name] for name in names if name in given})


def _refuse_secrets(given: Mapping[Any, Any]) -> None:
    """Refuse texts, however deep, whose names say that they are secrets."""
    waiting: list[Any] = [given]
    seen: set[int] = set()  # a list may hold itself
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Mapping):
            for key, own in value.items():
                if isinstance(own, str) and own and _SECRET.fullmatch(_plain(key)):
                    raise OptionError(
                        f"{key} in --metadata would be written into the results (in --model_args likewise): put the "
                        "secret into an environment variable, HF_TOKEN or OPENAI_API_KEY for instance; "
                        "judge_api_key_env names the judge's"
                    )
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value


def _plain(key: Any) -> str:
    """A name in lower case and with underscores."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(key))  # apiKey
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def check_data(data: str) -> None:
    """Check the option ``data``.

    Raises:
        OptionError: It is neither ``real`` nor ``sample``.
    """
    if data not in get_args(Data):
        raise OptionError(f"data is {shown(data)}; it may be {' or '.join(map(repr, get_args(Data)))}")


def check_repeats(repeats: Any) -> int:
    """Check the number of samples of every answer, and return it.

    Raises:
        OptionError: It is no whole number from 1.
    """
    if isinstance(repeats, bool) or not isinstance(repeats, int) or repeats < 1:
        raise OptionError(
            f"repeats is {shown(repeats)}; it must be a whole number from 1: samples of every answer"
        )
    return repeats
