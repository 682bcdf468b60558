"""What the two translation sources share: both directions from the same pairs, long ones left out."""

from lm_eval_ja.datasets.sources._split import Converted, Pair, numbered
from lm_eval_ja.datasets.store import DatasetSplit, Split

_MAX_CHARACTERS = 500
"""Pairs whose two texts together are this long or longer aren't asked."""


def both_ways(dataset: str, split: Split, pairs: list[Pair]) -> Converted:
    """The two datasets made from (Japanese, English) pairs."""
    short = [(ja, en) for ja, en in pairs if len(ja) + len(en) < _MAX_CHARACTERS]
    return {
        **numbered(f"{dataset}-e-to-j", **{split: [(en, ja) for ja, en in short]}),
        **numbered(f"{dataset}-j-to-e", **{split: short}),
    }


def both(dataset: str, split: Split) -> tuple[DatasetSplit, ...]:
    """What ``both_ways`` makes."""
    return (f"{dataset}-e-to-j", split), (f"{dataset}-j-to-e", split)


def reference_metrics(language: str) -> tuple[str, ...]:
    """The metrics in llm-jp-eval's own file of a dataset that is translated into a language."""
    return f"bleu_{language}", f"bert_score_{language}_f1", "comet_wmt22"
