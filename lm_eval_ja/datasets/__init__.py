"""Where questions come from: raw files are fetched, verified, converted once, and loaded per protocol.

Knows nothing of the harness. Importing it is cheap; ``datasets``, ``pyarrow`` and ``requests`` are imported
on use.
"""

from lm_eval_ja.datasets._catalog import answer_form, format_ok, packaged
from lm_eval_ja.datasets._certify import Certificate, certify
from lm_eval_ja.datasets._m_ifeval import M_IFEVAL_JA, instructions_of, load_m_ifeval
from lm_eval_ja.datasets._mtbench import conversations_digest, load_mtbench, sample_path
from lm_eval_ja.datasets._prepare import Row, describe, prepare, raw_urls
from lm_eval_ja.datasets._protocols import available, load
from lm_eval_ja.datasets._raw import fetch, make_bundle, unpack_bundle
from lm_eval_ja.datasets.sources.m_ifeval import M_IFEVAL_JA_URL
from lm_eval_ja.datasets.sources.mtbench import MTBENCH_CATEGORIES, MTBENCH_REVISIONS
from lm_eval_ja.datasets.store import (
    OWN_DATA_OPTION,
    SPLITS,
    Catalog,
    Data,
    DatasetSplit,
    Expected,
    Files,
    Retry,
    Sample,
    SampleDigest,
    Settings,
    Source,
    Split,
    Unit,
    data_digest,
)

__all__ = [
    "MTBENCH_CATEGORIES",
    "MTBENCH_REVISIONS",
    "M_IFEVAL_JA",
    "M_IFEVAL_JA_URL",
    "OWN_DATA_OPTION",
    "SPLITS",
    "Catalog",
    "Certificate",
    "Data",
    "DatasetSplit",
    "Expected",
    "Files",
    "Retry",
    "Row",
    "Sample",
    "SampleDigest",
    "Settings",
    "Source",
    "Split",
    "Unit",
    "answer_form",
    "available",
    "certify",
    "conversations_digest",
    "data_digest",
    "describe",
    "fetch",
    "format_ok",
    "instructions_of",
    "load",
    "load_m_ifeval",
    "load_mtbench",
    "make_bundle",
    "packaged",
    "prepare",
    "raw_urls",
    "sample_path",
    "unpack_bundle",
]
