"""Instruction-tuning data ("jaster") from the protocols' training splits, proven free of what they evaluate."""

from lm_eval_ja.tuning._examples import FORMS, Form
from lm_eval_ja.tuning._export import EXPORT_SPLITS, ExportSplit, export_tuning
from lm_eval_ja.tuning._manifest import ExportedFile, Manifest, Ngrams, UnavailableSplit
from lm_eval_ja.tuning._write import CONTAINERS, Container

__all__ = [
    "CONTAINERS",
    "EXPORT_SPLITS",
    "FORMS",
    "Container",
    "ExportSplit",
    "ExportedFile",
    "Form",
    "Manifest",
    "Ngrams",
    "UnavailableSplit",
    "export_tuning",
]
