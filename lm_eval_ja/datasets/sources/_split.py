"""Cutting a list of questions into splits as the reference does (PROTOCOL section 1)."""

import random
from collections.abc import Iterable, Sequence
from typing import TypeVar

from lm_eval_ja.datasets.store import DatasetSplit, Sample, Split

T = TypeVar("T")

Pair = tuple[str, str]
"""Input and output of a question that has no identity of its own."""

Converted = dict[DatasetSplit, list[Sample]]
"""What a converter makes."""

ARCHIVE = "the bytes of this archive may change: the converted samples are pinned instead"
"""Note of a file whose host does not promise stable bytes."""

SEED = 42

_SHOTS = 32
"""Size of the train split cut off a dataset that has none."""


def shuffled(items: Iterable[T]) -> list[T]:
    """A copy, shuffled as ``random.seed(42); random.shuffle(list)`` would."""
    copy = list(items)
    random.Random(SEED).shuffle(copy)
    return copy


def cut_90_10(items: Iterable[T]) -> tuple[list[T], list[T]]:
    """Shuffle, then cut at ``int(0.9 * n)``: train and dev."""
    mixed = shuffled(items)
    at = int(0.9 * len(mixed))
    return mixed[:at], mixed[at:]


def cut_80_10_10(items: Iterable[T]) -> tuple[list[T], list[T], list[T]]:
    """Shuffle, then cut at ``int(0.8 * n)`` and ``int(0.9 * n)``: train, dev and test."""
    mixed = shuffled(items)
    first, second = int(0.8 * len(mixed)), int(0.9 * len(mixed))
    return mixed[:first], mixed[first:second], mixed[second:]


def numbered(dataset: str, **splits: Sequence[Pair]) -> Converted:
    """Samples whose id is their place: ``{dataset}-{split}-{index}``.

    Args:
        dataset: The dataset's name.
        **splits: The questions of each split (train, dev, test), in order.

    Returns:
        The samples of each split.
    """
    names: dict[str, Split] = {"train": "train", "dev": "dev", "test": "test"}
    return {
        (dataset, names[split]): [
            Sample(f"{dataset}-{split}-{index}", question, gold)
            for index, (question, gold) in enumerate(pairs)
        ]
        for split, pairs in splits.items()
    }


def with_shots(dataset: str, pairs: Sequence[Pair]) -> Converted:
    """Train, dev and test of a dataset that comes as one shuffled list: 32 questions, and halves of the rest."""
    dev_end = _SHOTS + (len(pairs) - _SHOTS) // 2
    return numbered(dataset, train=pairs[:_SHOTS], dev=pairs[_SHOTS:dev_end], test=pairs[dev_end:])
