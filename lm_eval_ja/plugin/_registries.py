"""Our names in lm-eval's registries."""

from collections.abc import Mapping

_AGGREGATIONS: Mapping[str, str] = {
    "lm_eval_ja_pearson": "lm_eval_ja.tasks._values:pearson",
    "lm_eval_ja_spearman": "lm_eval_ja.tasks._values:spearman",
    "lm_eval_ja_rating_mean": "lm_eval_ja.judge:rating_mean",
    "lm_eval_ja_mtbench_average": "lm_eval_ja.judge:rating_average",
    "lm_eval_ja_instruction_accuracy": "lm_eval_ja.metrics.m_ifeval:instruction_accuracy",
    "lm_eval_ja_sum": "lm_eval_ja.tasks._values:total",
}


def register() -> None:
    """Make our aggregations, filter and model known, each under a name that says whose it is, to be loaded on use.

    No metric is registered: the registry is one for all, a user's own ``@register_metric(metric="pearson")`` would
    find its name taken, and a task with its own ``process_results`` needs no look-up. Retires when upstream reads entry
    points; aggregations and filters have no such group yet.
    """
    # Both are imported by upstream only while their registries are empty, so ours must come after theirs.
    import lm_eval.api.metrics
    import lm_eval.models  # noqa: F401
    from lm_eval.api import registry

    for table, targets in (
        (registry.aggregation_registry, _AGGREGATIONS),
        (registry.filter_registry, {"lm_eval_ja_normalize": "lm_eval_ja.tasks.filters:NormalizeFilter"}),
        (registry.model_registry, {"recorded": "lm_eval_ja.models.recorded:RecordedLM"}),
    ):
        for name, target in targets.items():
            if name not in table:
                table.register(name, target=target)
