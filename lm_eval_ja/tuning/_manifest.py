"""What an export says of itself: ``manifest.json``."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lm_eval_ja.tuning._overlap import GRAM, NORMALISATION

FORMAT = "lm-eval-ja tuning data 1"
"""First line of every manifest, by which an earlier export is known."""


@dataclass(frozen=True)
class Ngrams:
    """How much of the exported examples stands among the held-out texts, by character 13-grams.

    Attributes:
        examples: Examples long enough to have a 13-gram in input or output.
        any: Those that share at least one with the held-out texts.
        half: Those at least half of whose 13-grams occur there.
        most: Those with 80 % or more.
        all: Those with all of them.
        most_from: Number of examples counted in ``most``, by the held-out dataset that has most of their grams.
    """

    examples: int
    any: int
    half: int
    most: int
    all: int
    most_from: Mapping[str, int]


@dataclass(frozen=True)
class ExportedFile:
    """One split of one dataset in an export.

    Attributes:
        dataset: The dataset's name.
        split: ``train``, ``dev`` or ``dev_first100``.
        path: Place in the export.
        available: Samples that the split has.
        overlapping: Those that occur among the held-out questions, by kind (an example may be of two kinds).
        left_out: Overlapping samples that were left out.
        exported: Examples written.
        digest: SHA-256 of the exported inputs and outputs, by the recipe of ``lm_eval_ja.datasets``.
        is_1_3_0: Whether they are just the samples that llm-jp-eval 1.3.0 has; None where that isn't known.
        file_sha256: SHA-256 of the file, None for Arrow files, whose bytes depend on library versions.
        licences: Of the sources.
        sources: Raw files that it is made from.
        ngrams: What 13-grams tell of the exported examples.
    """

    dataset: str
    split: str
    path: str
    available: int
    overlapping: Mapping[str, int]
    left_out: int
    exported: int
    digest: str
    is_1_3_0: bool | None
    file_sha256: str | None
    licences: tuple[str, ...]
    sources: tuple[str, ...]
    ngrams: Ngrams


@dataclass(frozen=True)
class UnavailableSplit:
    """Data that couldn't be had.

    Attributes:
        protocol: Whose data.
        dataset: The dataset.
        split: The split.
        problem: Why, and what to do about it.
    """

    protocol: str
    dataset: str
    split: str
    problem: str


@dataclass(frozen=True)
class HeldOutSplit:
    """Questions that no example may be.

    Attributes:
        protocol: Protocol that asks them.
        dataset: The dataset.
        split: The split.
        questions: How many.
        digest: As `ExportedFile.digest`.
    """

    protocol: str
    dataset: str
    split: str
    questions: int
    digest: str


@dataclass(frozen=True)
class Manifest:
    """What was exported, from what, and the proof that it holds none of the held-out questions.

    Attributes:
        protocol: Whose datasets and instructions.
        form: ``alpaca`` or ``chat``.
        container: ``jsonl`` or ``dataset``.
        data: ``real`` or ``sample``.
        version: Version of this package.
        keep_overlaps: Whether overlapping samples were kept.
        files: What was exported.
        missing: What was asked for and couldn't be had.
        held_out: What the examples were checked against.
        not_checked: Held-out questions that couldn't be had, so that nothing is proven about them.
        read_back: Examples read back from the written files and looked up among the held-out questions once more.
        found: How many of them occur there.
    """

    protocol: str
    form: str
    container: str
    data: str
    version: str
    keep_overlaps: bool
    files: tuple[ExportedFile, ...]
    missing: tuple[UnavailableSplit, ...]
    held_out: tuple[HeldOutSplit, ...]
    not_checked: tuple[UnavailableSplit, ...]
    read_back: int
    found: int

    def as_json(self) -> str:
        """The text of ``manifest.json``: the same for the same data, options and version, on any machine."""
        fields: dict[str, Any] = asdict(self)
        for missing in (*fields["missing"], *fields["not_checked"]):
            del missing["problem"]  # it names local paths
        proof = {
            "normalisation": NORMALISATION,
            "kinds": {
                "pair": "same input and output as a held-out question",
                "input": "same input, another output",
                "reversed": "translations: the output is a held-out question's input",
            },
            "ngram_length": GRAM,
            "examples_read_back": fields.pop("read_back"),
            "found_among_held_out": fields.pop("found"),
            "held_out": fields.pop("held_out"),
            "not_checked": fields.pop("not_checked"),
        }
        totals = {
            name: sum(getattr(file, name) for file in self.files)
            for name in ("available", "left_out", "exported")
        }
        text = json.dumps(
            {"format": FORMAT, **fields, "totals": totals, "proof": proof}, ensure_ascii=False, indent=2
        )
        return text + "\n"
