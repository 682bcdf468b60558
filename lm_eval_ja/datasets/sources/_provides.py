"""What a source module provides: its raw files, its datasets, and how the one becomes the other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from lm_eval_ja.datasets.store import Expected, Published, Source, Split, Unit

AnswerForm = Callable[[str], bool]
"""Whether a normalized answer has the form that its dataset asks for. The form, not the truth, is checked."""


class Variant(NamedTuple):
    """Ids of the samples that make up a protocol's own test split, in its order.

    Attributes:
        real: Of the benchmark's data.
        sample: Of the made-up data that ships with the package.
    """

    real: tuple[str, ...]
    sample: tuple[str, ...]


@dataclass(frozen=True)
class Dataset:
    """What is known of a dataset before any file is opened.

    Attributes:
        name: As in the protocols, e.g. ``jcola-in-domain``.
        digests: What its converted splits must be, where that is known.
        answer_form: The form of an answer, None where none is defined (PROTOCOL section 6, "Format check").
        variants: By name, for protocols whose selection and order cannot be derived.
        certificates: By version, LLM-jp's published SHA-256 of llm-jp-eval's own file of the dev split.
        reference_metrics: The metrics in that file, where they differ from the protocol's.
        published: What splits must be of which only the digest of llm-jp-eval's own file is known.
    """

    name: str
    digests: Mapping[Split, Expected] = field(default_factory=dict)
    answer_form: AnswerForm | None = None
    variants: Mapping[str, Variant] = field(default_factory=dict)
    certificates: Mapping[str, str] = field(default_factory=dict)
    reference_metrics: tuple[str, ...] = ()
    published: Mapping[Split, Published] = field(default_factory=dict)


def certified(sha256: str, *versions: str) -> Mapping[str, str]:
    """LLM-jp's published SHA-256 of llm-jp-eval's own dev file, the same in these versions (default: 1.3.1 and 1.4.1).

    ``store.reference_json`` says what the file is.
    """
    return dict.fromkeys(versions or ("1.3.1", "1.4.1"), sha256)


def one_list(dataset: str) -> Mapping[str, Variant]:
    """What llm-jp-eval 2.1 asks of a dataset that it no longer cuts into splits: the first 100 of train, dev and test.

    The made-up data is cut all the same.
    """
    return {"llm_jp_eval_2_1": Variant(tuple(f"{dataset}-train-{index}" for index in range(100)), ())}


class Provides(NamedTuple):
    """All that a source module provides; every module of this folder has one as ``PROVIDES``."""

    files: tuple[Source, ...]
    datasets: tuple[Dataset, ...] = ()
    units: tuple[Unit, ...] = ()
