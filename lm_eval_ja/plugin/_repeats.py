"""Several samples of an answer, on every backend."""

import copy
import dataclasses
import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

_log = logging.getLogger(__name__)


def add_repeated() -> None:
    """Give every backend ``generate_until_repeated``, in terms of its own ``generate_until``.

    The harness hands a request to the backend as often as it is to be answered, and three things then make the answers
    copies of one another: its answer cache has one place for all of them, API models send one seed with each, and so do
    the replicas of a data-parallel vLLM. Retires when upstream's requests carry the number of the sample.
    """
    from lm_eval.api.model import LM

    if not hasattr(LM, "generate_until_repeated"):
        LM.generate_until_repeated = generate_until_repeated


def generate_until_repeated(lm: Any, requests: Sequence[Any]) -> list[str]:
    """Answer questions several times, every time drawn anew.

    Args:
        lm: The backend.
        requests: Instances with the arguments of ``generate_until``, each as often as it is to be answered.

    Returns:
        An answer for each request, as generated.
    """
    from lm_eval.api.model import hash_args

    numbers: Counter[int] = Counter()
    places: Counter[str] = Counter()
    instances, plain, cached, keys = [], [], [], []
    for request in requests:
        number = numbers[id(request)] % (
            request.repeats or 1
        )  # beyond: padding for ranks with fewer questions
        numbers[id(request)] += 1
        arguments = request.args[0], _with_seed(lm, copy.deepcopy(request.args[1]), number)
        instances.append(
            dataclasses.replace(
                request,
                request_type="generate_until",
                arguments=arguments,
                idx=number,
                resps=[],
                filtered_resps={},
            )
        )
        plain.append(hash_args("generate_until", arguments))
        asked = hash_args("generate_until", request.args)
        # Questions may share a prompt, so its answers are counted through.
        cached.append((*request.args, {"sample": places[asked]}))
        keys.append(hash_args("generate_until", cached[-1]))
        places[asked] += 1
    _warn_of_copies(lm, instances)
    store = lm.cache_hook.dbdict
    answers = {} if store is None else {index: store[key] for index, key in enumerate(keys) if key in store}
    todo = [index for index in range(len(instances)) if index not in answers]
    with _kept_as_samples(lm, store, [(plain[index], cached[index]) for index in todo]):
        for part in _passes(lm, todo, instances):
            generated = lm.generate_until([instances[index] for index in part])
            for index, answer in zip(part, generated, strict=True):
                answers[index] = (
                    "" if answer is None else answer
                )  # some servers send null for an empty answer
                if store is not None:
                    store[keys[index]] = answers[index]
            if store is not None:
                store.commit()
    return [answers[index] for index in range(len(instances))]


def draws(settings: Mapping[str, Any]) -> bool:
    """Whether generation settings draw answers: ``do_sample`` alone does, with the model's own temperature."""
    temperature = settings.get("temperature")
    return bool(settings.get("do_sample") if temperature is None else temperature)


def _warn_of_copies(lm: Any, instances: Iterable[Any]) -> None:
    if getattr(lm, "samples_differ", False):
        return
    tasks = {str(own.task_name): None for own in instances if not draws(own.args[1])}
    if tasks:
        _log.warning(
            "repeats is more than 1, but the answers of %s are generated greedily (temperature 0): all samples of a "
            "question will be equal, and avg@n is the score of one. Add --gen_kwargs temperature=0.7, or leave "
            "repeats out",
            ", ".join(list(tasks)[:3]) + (f" and {len(tasks) - 3} more" if len(tasks) > 3 else ""),  # noqa: PLR2004
        )


# ------------------------------------------------------------------------------------------------ seeds


def _with_seed(lm: Any, settings: dict[str, Any], number: int) -> dict[str, Any]:
    """Generation settings whose seed, if any is sent with a request, is the sample's own."""
    if "seed" in settings:
        settings["seed"] = int(settings["seed"]) + number
    elif type(lm).__name__ == "VLLM" and getattr(lm, "data_parallel_size", 1) > 1:
        # Replicas start from one seed, and copies of a request go to one each.
        settings["seed"] = int(lm.model_args.get("seed") or 0) + number
    return settings


def _passes(lm: Any, todo: Sequence[int], instances: Sequence[Any]) -> Iterator[Sequence[int]]:
    """What goes to the backend in one call: everything, but for API models each sample by itself, with its own seed.

    They send one seed with every request; servers that honour it would answer all copies of a prompt alike.
    """
    if not todo:  # backends crash on an empty list
        return
    seed = getattr(lm, "_seed", None)
    if not hasattr(lm, "_create_payload") or not isinstance(seed, int):
        yield todo
        return
    by_sample: dict[int, list[int]] = defaultdict(list)
    for index in todo:
        by_sample[instances[index].idx].append(index)
    try:
        for number, part in sorted(by_sample.items()):
            lm._seed = seed + number  # noqa: SLF001  # what API models send has no other door
            yield part
    finally:
        lm._seed = seed  # noqa: SLF001


# ------------------------------------------------------------------------------------------------ cache


class _SampleHook:
    """Takes the answers that a backend saves batch by batch, each into the next free place of its prompt."""

    def __init__(self, hook: Any, samples: Iterable[tuple[str, tuple[Any, ...]]]) -> None:
        self.dbdict = hook.dbdict
        self._hook = hook
        self._free: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for plain, arguments in samples:
            self._free[plain].append(arguments)

    def add_partial(self, attr: str, req: Iterable[Any], res: Any) -> None:
        from lm_eval.api.model import hash_args

        free = self._free.get(hash_args(attr, req))
        if free:
            self._hook.add_partial(
                attr, free.pop(0), res
            )  # the harness's own, so that others see the answer, too


@contextmanager
def _kept_as_samples(lm: Any, store: Any, samples: Iterable[tuple[str, tuple[Any, ...]]]) -> Iterator[None]:
    if store is None:
        yield
        return
    hook = lm.cache_hook
    lm.set_cache_hook(_SampleHook(hook, samples))
    try:
        yield
    finally:
        lm.set_cache_hook(hook)
