"""How scores add up: groups with a function of their own, aggregations with a standard error of their own."""

import functools
from collections.abc import Mapping
from typing import Any

from lm_eval_ja.plugin._marks import is_hooked, mark


def honour_callable_aggregation() -> None:
    """Let ``Group.aggregate`` call a callable ``aggregation`` with the group and its direct children's metrics.

    ``AggMetricConfig`` accepts a callable, but lm-eval never calls it and averages the leaf tasks instead; a mean of
    category means can't be written. Retires when upstream calls it. Groups without a callable keep upstream's code
    path.
    """
    from lm_eval.api.group import Group

    from lm_eval_ja.adapters import task_key

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
        leaves = map(task_key, self.get_all_tasks())
        entry: dict[str, Any] = {
            "alias": self.alias or self.name,
            "name": self.name,
            "sample_len": sum(
                task_metrics[name].get("sample_len", 0) for name in leaves if name in task_metrics
            ),
        }
        children = {name: task_metrics[name] for name in self.child_names if name in task_metrics}
        for function in functions:
            entry.update(function(self, children))
        return entry

    mark(aggregate, "aggregation")
    Group.aggregate = aggregate


def honour_own_stderr() -> None:
    """Let an aggregation function bring its standard error as its attribute ``stderr``.

    lm-eval 0.4 knows the errors of its own aggregations only, 0.5 resamples every other 100,000 times; a mean of
    category means has an error that is neither. A function of ours without ``stderr`` has none. Retires when
    ``stderr_for_metric`` can be extended.
    """
    from lm_eval_ja.adapters import stderr_module

    home: Any = stderr_module()
    original = home.stderr_for_metric
    if is_hooked(original):
        return

    @functools.wraps(original)
    def stderr_for_metric(metric: Any, bootstrap_iters: int) -> Any:
        if str(getattr(metric, "__module__", "")).startswith("lm_eval_ja."):
            return getattr(metric, "stderr", None)
        return getattr(metric, "stderr", None) or original(metric, bootstrap_iters)

    mark(stderr_for_metric, "stderr")
    home.stderr_for_metric = stderr_for_metric
