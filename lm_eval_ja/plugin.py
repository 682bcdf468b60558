"""The harness's door: the only module that changes how lm-eval itself behaves.

Small hooks, each idempotent and each with the upstream change that retires it in its docstring:

* ``install_discovery``: our tasks folder is searched without ``--include_path``.
* ``_honour_callable_aggregation``: a group's score may be computed by a function of its children's scores.
* ``_add_multi_turn``: a request may have two turns, on every backend.
* ``_honour_own_stderr``: an aggregation may bring its own standard error.
* ``_register``: our metric names, clean-up filter and ``recorded`` model are known to the registries.

They are installed by the ``.pth`` bridge, or by the first ``!function lm_eval_ja.tasks…`` that a task YAML resolves.
"""

import copy
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from lm_eval_ja.prompts import Conversation

TASKS_PATH = Path(__file__).parent / "tasks"
"""Folder with the task YAML files, for ``--include_path``."""

_MARK = "_lm_eval_ja_hook"


def install() -> None:
    """Install every hook but discovery. Safe to call any number of times."""
    _register()
    _honour_callable_aggregation()
    _add_multi_turn()
    _honour_own_stderr()


def is_hooked(function: Callable[..., Any]) -> bool:
    """Whether ``function`` is one of our wrappers."""
    return getattr(function, _MARK, False) is True


def upstream_discovers(manager: ModuleType) -> bool:
    """Whether this lm-eval finds ``lm_eval.tasks`` entry points by itself."""
    try:
        return "entry_points" in inspect.getsource(manager)
    except OSError:  # no source at hand (zipped or frozen): the bridge is the safer guess
        return False


def install_discovery(manager: ModuleType) -> None:
    """Make ``TaskManager`` search our tasks folder, before any path that the user includes.

    Does nothing where lm-eval reads the ``lm_eval.tasks`` entry points itself, which retires this hook
    (EleutherAI/lm-evaluation-harness #4015). A user's own path comes later and so wins over ours.

    Args:
        manager: The module ``lm_eval.tasks.manager``.
    """
    task_manager: Any = manager.TaskManager
    original = task_manager.__init__
    if is_hooked(original) or upstream_discovers(manager):
        return
    signature = inspect.signature(original)

    @functools.wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807  # it replaces a constructor
        bound = signature.bind(self, *args, **kwargs)
        if bound.arguments.get("include_defaults", True):
            bound.arguments["include_path"] = with_tasks_path(bound.arguments.get("include_path"))
        original(*bound.args, **bound.kwargs)

    setattr(__init__, _MARK, True)
    task_manager.__init__ = __init__


def with_tasks_path(include_path: Any) -> list[str | Path]:
    """Put our tasks folder in front of the user's ``include_path``, unless the user named it already."""
    if include_path is None or include_path == "":
        given: list[str | Path] = []
    elif isinstance(include_path, str | Path):
        given = [include_path]
    else:
        given = list(include_path)
    # Named twice, every task of ours would be reported as overriding itself.
    if any(Path(path).resolve() == TASKS_PATH.resolve() for path in given):
        return given
    return [TASKS_PATH, *given]


def _honour_callable_aggregation() -> None:
    """Let ``Group.aggregate`` call a callable ``aggregation`` with the group and its direct children's metrics.

    ``AggMetricConfig`` accepts a callable, but lm-eval 0.4.13 never calls it and averages the leaf tasks instead; a
    mean of category means can't be written. Retires when upstream calls it. Groups without a callable keep
    upstream's code path.
    """
    from lm_eval.api.group import Group

    original = Group.aggregate
    if is_hooked(original):
        return

    @functools.wraps(original)
    def aggregate(self: Any, task_metrics: Mapping[str, Mapping[str, Any]]) -> Any:
        functions = [
            config.aggregation for config in self.aggregate_metric_list or () if callable(config.aggregation)
        ]
        if not functions:
            return original(self, task_metrics)
        entry: dict[str, Any] = {
            "alias": self.alias or self.name,
            "name": self.name,
            "sample_len": sum(
                task_metrics[task.task_name].get("sample_len", 0)
                for task in self.get_all_tasks()
                if task.task_name in task_metrics
            ),
        }
        children = {name: task_metrics[name] for name in self.child_names if name in task_metrics}
        for function in functions:
            entry.update(function(self, children))
        return entry

    setattr(aggregate, _MARK, True)
    Group.aggregate = aggregate


def _honour_own_stderr() -> None:
    """Let an aggregation function bring its standard error as its attribute ``stderr``.

    lm-eval 0.4.13 knows the errors of its own aggregations only; a mean of category means has none of those. Retires
    when ``stderr_for_metric`` can be extended.
    """
    from lm_eval import evaluator_utils

    original = evaluator_utils.stderr_for_metric
    if is_hooked(original):
        return

    @functools.wraps(original)
    def stderr_for_metric(metric: Any, bootstrap_iters: int) -> Any:
        return getattr(metric, "stderr", None) or original(metric, bootstrap_iters)

    setattr(stderr_for_metric, _MARK, True)
    evaluator_utils.stderr_for_metric = stderr_for_metric


def _add_multi_turn() -> None:
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
        For each request ``[first answer, second answer, second prompt]``, answers as generated.
    """
    conversations = [Conversation(**request.args[1]) for request in requests]
    first = [conversation.first(lm.apply_chat_template) for conversation in conversations]
    answers = _generate(lm, requests, first, conversations)
    second = [
        conversation.second(answer, lm.apply_chat_template)
        for conversation, answer in zip(conversations, answers, strict=True)
    ]
    return [
        [answer, final, prompt if isinstance(prompt, str) else str(prompt[0])]
        for answer, final, prompt in zip(
            answers, _generate(lm, requests, second, conversations), second, strict=True
        )
    ]


def _generate(
    lm: Any, requests: Sequence[Any], prompts: Sequence[Any], conversations: Sequence[Conversation]
) -> list[str]:
    """One pass over one turn, through ``--use_cache`` where it is on.

    The harness's caching wrapper knows its own request types only and hands others to the backend, so the cache is
    read and written here, under the keys of plain requests.
    """
    from lm_eval.api.instance import Instance
    from lm_eval.api.model import hash_args

    sampled = any(conversation.gen_kwargs.get("do_sample") for conversation in conversations)
    cache = None if sampled else lm.cache_hook.dbdict  # as upstream: explicit sampling is not cached
    instances = [
        Instance(
            request_type="generate_until",
            doc=request.doc,
            # A copy of its own for each: backends add their own stop strings to the list they are given.
            arguments=(prompt, copy.deepcopy(dict(conversation.gen_kwargs))),
            idx=request.idx,
            metadata=(request.task_name, request.doc_id, 1),
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


def _register() -> None:
    """Make our names known to lm-eval's registries.

    An unregistered metric name sends lm-eval to the Hugging Face hub. Retires when upstream reads the entry-point
    groups for models; metrics and filters have no such group yet.
    """
    # Both are imported by upstream only while their registries are empty, so ours must come after theirs.
    import lm_eval.api.metrics
    import lm_eval.models  # noqa: F401
    from lm_eval.api import registry

    from lm_eval_ja import judge, metrics

    for name, metric in metrics.METRICS.items():
        if name not in registry.metric_registry:
            aggregation = f"lm_eval_ja_{name}" if metric.per_item is None else "mean"
            if metric.per_item is None:
                registry.aggregation_registry.register(aggregation, target=f"lm_eval_ja.tasks._values:{name}")
            registry.register_metric(
                metric=name, higher_is_better=metric.higher_is_better, aggregation=aggregation
            )(metric.per_item or metric.over_items)
    for name, function in (
        ("lm_eval_ja_rating_mean", judge.rating_mean),
        ("lm_eval_ja_mtbench_average", judge.rating_average),
        ("lm_eval_ja_sum", sum),
    ):
        if name not in registry.aggregation_registry:
            registry.register_aggregation(name)(function)
    for table, name, target in (
        (registry.filter_registry, "lm_eval_ja_normalize", "lm_eval_ja.tasks.filters:NormalizeFilter"),
        (registry.model_registry, "recorded", "lm_eval_ja.models.recorded:RecordedLM"),
    ):
        if name not in table:
            table.register(name, target=target)
