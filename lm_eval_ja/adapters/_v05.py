"""lm-eval 0.5 (0.5.0.dev1).

What a task of ours must do there to keep the prompts, scores, samples and names of results that 0.4 has: data is
loaded and checked when the task is built; one prediction per question goes into ``process_results``; members of a group
keep their own names.
"""

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.metrics import Metric
from lm_eval.api.registry import get_aggregation
from lm_eval.api.task._generation import GenerateTask
from lm_eval.config.task import TaskConfig
from lm_eval.scorers import GenScorer, ScoredDoc


class HarnessTask(GenerateTask):
    """A configured task whose class scores by itself, in ``process_results``."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Configure the task and load the evaluated split.

        Args:
            config: A ``TaskConfig`` as a dictionary.
        """
        super().__init__(config=TaskConfig(**config))
        self.doc_to_text(
            self.eval_docs[0]
        )  # 0.4 loads the data now; what is missing is told before any model runs

    def _build_scorers(self) -> list[GenScorer]:
        """Filters as configured; metrics are names with an aggregation, never looked up."""
        metrics = [
            Metric(
                name=entry["metric"],
                fn=_never_called,
                aggregation=get_aggregation(entry["aggregation"]),
                higher_is_better=entry["higher_is_better"],
                output_type={"generate_until"},
            )
            for entry in self.config.metric_list
        ]
        return [
            GenScorer.from_dict({**pipeline, "metric_list": metrics}, output_type="generate_until")
            for pipeline in self.config.filter_list
        ]

    def override_metric(self, metric_name: str) -> None:
        """``--predict_only``: as in 0.4, answers are still filtered."""
        for scorer in self._scorers:
            scorer.metrics = GenScorer._resolve_metrics(  # noqa: SLF001  # upstream's own way, see Task.override_metric
                [{"metric": metric_name}], ""
            )

    @property
    def predict_only(self) -> bool:
        """Whether the run only generates (``--predict_only`` replaces the metrics by one named so)."""
        return bool(self._has_metric("bypass"))

    @property
    def _qualified_name(self) -> str:
        """Without the group's name in front: no task of ours is in two groups of one run."""
        return str(self.task_name)

    def _try_process_results(
        self, instances: Mapping[int, Sequence[Instance]], filter_key: str
    ) -> dict[int, ScoredDoc]:
        """One prediction per request, as 0.4 hands them over; 0.5 takes each for a list of repeats."""
        return {
            doc_id: ScoredDoc(
                doc_id=doc_id,
                reference=requests[0].target,
                scores={
                    name: [value]
                    for name, value in self.process_results(
                        requests[0].doc, [request.filtered_resps[filter_key] for request in requests]
                    ).items()
                },
            )
            for doc_id, requests in instances.items()
        }

    def own_request(
        self, request_type: str, doc: Mapping[str, Any], arguments: tuple[Any, ...], **kwargs: Any
    ) -> Instance:
        """A request as the harness's own, from what it passes to ``construct_requests`` in ``kwargs``."""
        return Instance(
            request_type=request_type,
            doc=doc,
            arguments=arguments,
            task_name=self.task_name,
            doc_id=kwargs["doc_id"],
            repeats=self.config.repeats,
            target=self.doc_to_target(doc),
        )


def _never_called(*_: Any, **__: Any) -> float:
    raise NotImplementedError("a task of ours scores in process_results")


def make_request(
    request_type: str, doc: Mapping[str, Any], arguments: tuple[Any, ...], task: str, doc_id: int
) -> Instance:
    """A request for one answer, outside any task."""
    return Instance(request_type=request_type, doc=doc, arguments=arguments, task_name=task, doc_id=doc_id)


def stderr_module() -> ModuleType:
    """The module whose ``stderr_for_metric`` decides on standard errors."""
    from lm_eval.api import metrics

    return metrics  # type: ignore[no-any-return]  # upstream is untyped


def task_key(task: Any) -> str:
    """Under which name a task's metrics stand in the results."""
    return str(task._qualified_name)  # noqa: SLF001  # results have no other key for it
