"""Prompts and instructions of M-IFEval, Japanese part."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lm_eval_ja.datasets._catalog import packaged
from lm_eval_ja.datasets._raw import fetch, json_records
from lm_eval_ja.datasets.sources.m_ifeval import M_IFEVAL_JA_URL
from lm_eval_ja.datasets.store import Catalog, Data, Settings
from lm_eval_ja.errors import DataError

if TYPE_CHECKING:
    import datasets

M_IFEVAL_JA = "m_ifeval_ja"
"""The dataset's name."""


def load_m_ifeval(
    *, data: Data = "real", settings: Settings | None = None, catalog: Catalog | None = None
) -> "datasets.Dataset":
    """Load the prompts in the order of the raw file.

    Args:
        data: The real prompts, or the made-up ones that ship with the package.
        settings: Default: from the environment.
        catalog: Default: the packaged one.

    Returns:
        The columns of every dataset: ``id`` (``m_ifeval_ja-<key>``), ``dataset``, ``instruction`` (empty), ``input``
        (the prompt) and ``output``, the prompt's instructions as a JSON text, see `instructions_of`.

    Raises:
        DataError: The file is unavailable, or is not as it should be.
    """
    catalog = catalog or packaged()
    if data == "sample":
        path = catalog.sample_files / M_IFEVAL_JA_URL.removeprefix("https://")
    else:
        path = fetch(M_IFEVAL_JA_URL, settings=settings, catalog=catalog)
    rows = [_row(record, where) for where, record in json_records(path)]
    ids = [row["id"] for row in rows]
    if not rows or len(set(ids)) < len(ids):
        raise DataError(f"{path} has no prompts, or two with one key: delete it and fetch it again")

    from datasets import Dataset

    return Dataset.from_list(rows)


def instructions_of(output: str) -> list[dict[str, Any]]:
    """Read the column ``output`` of a prompt.

    Returns:
        ``{"id": ..., "kwargs": {...}}`` for each instruction, in the order of the raw file.
    """
    found: list[dict[str, Any]] = json.loads(output)
    return found


def _row(record: Mapping[str, Any], where: str) -> dict[str, str]:
    try:
        key, prompt = record["key"], record["prompt"]
        ids, arguments = list(record["instruction_id_list"]), list(record["kwargs"])
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{where}: expected key, prompt, instruction_id_list and kwargs ({error!r})"
        ) from error
    if not isinstance(prompt, str) or not prompt or not ids or len(ids) != len(arguments):
        raise DataError(
            f"{where}: expected a prompt, and as many kwargs as instructions; found {prompt!r}, {ids}, {arguments}"
        )
    instructions = [{"id": name, "kwargs": own} for name, own in zip(ids, arguments, strict=True)]
    return {
        "id": f"{M_IFEVAL_JA}-{key}",
        "dataset": M_IFEVAL_JA,
        "instruction": "",
        "input": prompt,
        "output": json.dumps(instructions, ensure_ascii=False),
    }
