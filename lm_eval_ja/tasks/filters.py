"""Normalization as a filter of the harness, so that logged samples show the prediction that was scored."""

from collections.abc import Iterable, Sequence
from typing import Any

from lm_eval.api.filter import Filter

from lm_eval_ja.metrics import apply_steps


class NormalizeFilter(Filter):
    """Turns each question's first answer into its prediction (see :func:`lm_eval_ja.metrics.apply_steps`)."""

    def __init__(self, steps: Sequence[str] = ()) -> None:
        super().__init__()
        self.steps = tuple(steps)

    def apply(self, resps: Iterable[Sequence[str]], docs: Sequence[dict[str, Any]]) -> list[str]:  # noqa: ARG002  # upstream
        """Normalize the first response of every question; padded requests leave further ones, which are not answers."""
        return [apply_steps(responses[0], self.steps) for responses in resps]
