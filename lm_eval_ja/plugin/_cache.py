"""``--use_cache``: no model is given another's answers, and no seed another seed's."""

import functools
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lm_eval_ja.errors import OptionError
from lm_eval_ja.plugin._marks import is_hooked, mark
from lm_eval_ja.plugin._repeats import draws

_RECORD = "lm_eval_ja:model"
"""Key of our entry in the harness's cache file; all others are SHA-256 digests."""

_NAMING = (
    *("pretrained", "model", "path", "model_path", "model_id", "engine", "filename", "gguf_file"),
    *("revision", "subfolder", "peft", "delta", "lora_local_path"),
    "think_end_token",  # what is kept then is the answer alone, which without it would be read as thoughts
)
"""Model arguments that say which model it is, and what of its texts is kept; how and where it runs may change from run
to run."""

_ARGUMENTS = "_lm_eval_ja_arguments"

_own_tasks: set[str] = set()


def claim(task: str) -> None:
    """Note the name of a task of ours: only its requests are checked."""
    _own_tasks.add(task)


def remember_arguments() -> None:
    """Keep a model's arguments with it: the cache is handed the model alone. Retires with `refuse_others_answers`."""
    from lm_eval.api.model import LM

    for name in ("create_from_arg_obj", "create_from_arg_string"):
        original = getattr(LM, name).__func__
        if is_hooked(original):
            continue
        setattr(LM, name, classmethod(_remembering(original)))


def _remembering(original: Any) -> Any:
    @functools.wraps(original)
    def create(cls: Any, arguments: Any, additional_config: Any = None) -> Any:
        made = original(cls, arguments, additional_config)
        if isinstance(arguments, str):
            from lm_eval.utils import simple_parse_args_string

            arguments = simple_parse_args_string(arguments)
        setattr(made, _ARGUMENTS, dict(arguments or {}))
        return made

    mark(create, "arguments")
    return create


def refuse_others_answers() -> None:
    """Let the harness's answer cache refuse a second model, and sampled answers under a second seed.

    Its keys are prompt and generation settings alone, so that another model on the same file is given the first one's
    answers and scores the same. Only requests of our tasks are checked. Retires when the keys hold the model.
    """
    from lm_eval.api.model import CachingLM

    original = CachingLM.__getattr__
    if is_hooked(original):
        return

    @functools.wraps(original)
    def get(self: Any, name: str) -> Any:
        found = original(self, name)
        if not name.startswith("generate_until"):
            return found

        @functools.wraps(found)
        def generate(requests: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
            own = [request for request in requests if request.task_name in _own_tasks]
            if own:
                sampled = any(draws(request.args[1].get("gen_kwargs", request.args[1])) for request in own)
                _check(self.dbdict, str(self.cache_db), self.lm, sampled=sampled)
            return found(requests, *args, **kwargs)

        return generate

    mark(get, "cache")
    CachingLM.__getattr__ = get


def _check(store: Any, path: str, lm: Any, *, sampled: bool) -> None:
    arguments: Mapping[str, Any] | None = getattr(lm, _ARGUMENTS, None)
    if arguments is None:  # made in Python, by hand: nobody can say what it is
        return
    model = {"backend": type(lm).__name__} | {
        name: _absolute(arguments[name]) for name in _NAMING if arguments.get(name)
    }
    torch = sys.modules.get("torch")
    seed = [None if torch is None else torch.initial_seed(), arguments.get("seed")]
    known = json.loads(store[_RECORD]) if _RECORD in store else {}
    if known.get("model", model) != model:
        raise OptionError(
            f"--use_cache {path} holds the answers of {_text(known['model'])}, and this run evaluates {_text(model)}: "
            "give every model a cache file of its own"
        )
    if sampled and known.get("seed", seed) != seed:
        raise OptionError(
            f"--use_cache {path} holds answers that were sampled with another --seed (or seed= of the model): this run "
            "would be given them. Give every seed a cache file of its own"
        )
    record = {"model": model} | ({"seed": seed} if sampled else {})
    if known | record != known:
        store[_RECORD] = json.dumps(known | record)
        store.commit()


def _absolute(value: Any) -> str:
    """A path, however it was written, or a name as it is."""
    return str(Path(str(value)).resolve()) if Path(str(value)).exists() else str(value)


def _text(model: Mapping[str, str]) -> str:
    named = ",".join(f"{name}={value}" for name, value in model.items() if name != "backend")
    return f"{named or 'no named model'} ({model['backend']})"
