"""Where questions come from: raw files are fetched, verified, converted once, and loaded per protocol.

Knows nothing of the harness. Importing it is cheap; ``datasets``, ``pyarrow`` and ``requests`` are imported
on use.
"""

from lm_eval_ja.datasets._bundle import make_bundle, unpack_bundle
from lm_eval_ja.datasets._catalog import Catalog, Data, Expected, packaged
from lm_eval_ja.datasets._digest import SampleDigest, data_digest
from lm_eval_ja.datasets._fetch import fetch
from lm_eval_ja.datasets._m_ifeval import (
    M_IFEVAL_JA,
    M_IFEVAL_JA_URL,
    instructions_of,
    load_m_ifeval,
)
from lm_eval_ja.datasets._mtbench import MTBENCH_CATEGORIES, MTBENCH_REVISIONS, load_mtbench, sample_path
from lm_eval_ja.datasets._prepare import Row, describe, prepare, raw_urls
from lm_eval_ja.datasets._protocols import available, load
from lm_eval_ja.datasets._settings import Retry, Settings
from lm_eval_ja.datasets._sources import Source
from lm_eval_ja.datasets._types import SPLITS, DatasetSplit, Files, Sample, Split, Unit

__all__ = [
    "MTBENCH_CATEGORIES",
    "MTBENCH_REVISIONS",
    "M_IFEVAL_JA",
    "M_IFEVAL_JA_URL",
    "SPLITS",
    "Catalog",
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
    "available",
    "data_digest",
    "describe",
    "fetch",
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
