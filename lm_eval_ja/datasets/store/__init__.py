"""Fetching, verifying, converting once and keeping: what any dataset needs, and no dataset's name.

Imports nothing from the rest of the package but its errors. ``pyarrow`` and ``requests`` are imported on use.
"""

from lm_eval_ja.datasets.store._archive import Archive, open_archive
from lm_eval_ja.datasets.store._bundle import make_bundle, unpack_bundle
from lm_eval_ja.datasets.store._catalog import DATA, Catalog, Data
from lm_eval_ja.datasets.store._converted import NotConvertedError, Samples, Shelf, Store, as_table
from lm_eval_ja.datasets.store._digest import OWN_DATA, SampleDigest, data_digest, digest_of
from lm_eval_ja.datasets.store._fetch import fetch, find_local, missing_because
from lm_eval_ja.datasets.store._files import progress
from lm_eval_ja.datasets.store._read import (
    Record,
    as_record,
    csv_rows,
    damaged,
    decode,
    json_lines,
    json_list,
    parse_json,
    parse_xml,
    read_text,
    tsv_rows,
)
from lm_eval_ja.datasets.store._reference import Published, reference_json
from lm_eval_ja.datasets.store._settings import OWN_DATA_OPTION, OWN_DATA_VARIABLE, Retry, Settings
from lm_eval_ja.datasets.store._types import (
    SPLITS,
    DatasetSplit,
    Expected,
    Files,
    Sample,
    Source,
    Split,
    Unit,
)
from lm_eval_ja.datasets.store._unknown import unknown

__all__ = [
    "DATA",
    "OWN_DATA",
    "OWN_DATA_OPTION",
    "OWN_DATA_VARIABLE",
    "SPLITS",
    "Archive",
    "Catalog",
    "Data",
    "DatasetSplit",
    "Expected",
    "Files",
    "NotConvertedError",
    "Published",
    "Record",
    "Retry",
    "Sample",
    "SampleDigest",
    "Samples",
    "Settings",
    "Shelf",
    "Source",
    "Split",
    "Store",
    "Unit",
    "as_record",
    "as_table",
    "csv_rows",
    "damaged",
    "data_digest",
    "decode",
    "digest_of",
    "fetch",
    "find_local",
    "json_lines",
    "json_list",
    "make_bundle",
    "missing_because",
    "open_archive",
    "parse_json",
    "parse_xml",
    "progress",
    "read_text",
    "reference_json",
    "tsv_rows",
    "unknown",
    "unpack_bundle",
]
