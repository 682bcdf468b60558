"""Normalization as a filter of the harness, so that logged samples show the prediction that was scored."""

from collections.abc import Iterable, Sequence
from typing import Any

from lm_eval.api.filter import Filter

from lm_eval_ja.metrics import apply_steps


class NormalizeFilter(Filter):
    """Turns each question's answers into predictions (see :func:`lm_eval_ja.metrics.apply_steps`)."""

    def __init__(self, steps: Sequence[str] = (), repeats: int = 1) -> None:
        super().__init__()
        self.steps = tuple(steps)
        self.repeats = repeats

    def apply(
        self,
        resps: Iterable[Sequence[str]],
        docs: Sequence[dict[str, Any]],  # noqa: ARG002  # upstream's signature
    ) -> list[str | list[str]]:
        """Normalize every question's answer, or each of its samples: then its prediction is a list.

        Padded requests leave further responses, which are not answers.
        """
        found = [[apply_steps(text, self.steps) for text in responses[: self.repeats]] for responses in resps]
        return [own[0] if self.repeats == 1 else own for own in found]
