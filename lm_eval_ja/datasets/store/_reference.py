"""llm-jp-eval's own file of a converted split, byte for byte: what LLM-jp publishes the SHA-256 of."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256


def reference_json(
    instruction: str,
    output_length: int,
    metrics: Sequence[str],
    questions: Iterable[str],
    golds: Iterable[str],
) -> bytes:
    """Write a split as llm-jp-eval 1.3 and 1.4 do.

    Args:
        instruction: What the model is told to do.
        output_length: Longest answer, in tokens.
        metrics: In the reference's order.
        questions: Inputs of the samples.
        golds: Their outputs.

    Returns:
        The file's bytes; it has no final newline.
    """
    file = {
        "instruction": instruction,
        "output_length": output_length,
        "metrics": list(metrics),
        "few_shots": [],
        "samples": [
            {"input": question, "output": gold} for question, gold in zip(questions, golds, strict=True)
        ],
    }
    return json.dumps(file, ensure_ascii=False, indent=4).encode()


@dataclass(frozen=True)
class Published:
    """A split that is known by nothing but the digest of llm-jp-eval's own file of it.

    Attributes:
        sha256: Of the file, as LLM-jp publishes it.
        instruction: What else stands in the file.
        output_length: Likewise.
        metrics: Likewise.
    """

    sha256: str
    instruction: str
    output_length: int
    metrics: tuple[str, ...]

    def found(self, questions: Iterable[str], golds: Iterable[str]) -> str:
        """Return the SHA-256 of the file that these samples make."""
        content = reference_json(self.instruction, self.output_length, self.metrics, questions, golds)
        return sha256(content).hexdigest()

    def choose(self, readings: Sequence[list[tuple[str, str]]]) -> list[tuple[str, str]]:
        """Choose the reading of a source that makes the file; if none does, the first, for the check to refuse."""
        for pairs in readings:
            if self.found((question for question, _ in pairs), (gold for _, gold in pairs)) == self.sha256:
                return pairs
        return readings[0]
