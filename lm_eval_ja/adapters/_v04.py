"""lm-eval 0.4."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask


class HarnessTask(ConfigurableTask):
    """A configured task whose class scores by itself, in ``process_results``."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Configure the task and load the evaluated split.

        Args:
            config: A ``TaskConfig`` as a dictionary.
        """
        # The key keeps the harness from looking the metrics up by name, here or on the hub; the method is what runs.
        super().__init__(config={**config, "process_results": "process_results"})

    @property
    def predict_only(self) -> bool:
        """Whether the run only generates (``--predict_only`` replaces the metrics by one named so)."""
        return "bypass" in self._metric_fn_list

    def own_request(
        self, request_type: str, doc: Mapping[str, Any], arguments: tuple[Any, ...], **kwargs: Any
    ) -> Instance:
        """A request as the harness's own, from what it passes to ``construct_requests`` in ``kwargs``."""
        return Instance(
            request_type=request_type, doc=doc, arguments=arguments, idx=0, metadata=kwargs["metadata"]
        )


def make_request(
    request_type: str, doc: Mapping[str, Any], arguments: tuple[Any, ...], task: str, doc_id: int
) -> Instance:
    """A request for one answer, outside any task."""
    return Instance(
        request_type=request_type, doc=doc, arguments=arguments, idx=0, metadata=(task, doc_id, 1)
    )


def stderr_module() -> ModuleType:
    """The module whose ``stderr_for_metric`` decides on standard errors."""
    from lm_eval import evaluator_utils

    return evaluator_utils  # type: ignore[no-any-return]  # upstream is untyped


def task_key(task: Any) -> str:
    """Under which name a task's metrics stand in the results."""
    return str(task.task_name)
