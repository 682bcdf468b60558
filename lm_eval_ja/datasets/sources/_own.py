"""Splits that cannot be made here, and are read from llm-jp-eval's own converted files only."""

from functools import partial
from typing import NoReturn

from lm_eval_ja.datasets.store import OWN_DATA_OPTION, OWN_DATA_VARIABLE, Files, Split, Unit
from lm_eval_ja.errors import DataError


def own_data(name: str, dataset: str, splits: tuple[Split, ...], reason: str) -> Unit:
    """A unit of splits that no raw file makes.

    Args:
        name: Of the unit.
        dataset: The dataset.
        splits: The splits.
        reason: Why they cannot be made here, for the user who asks for them.
    """
    made = tuple((dataset, split) for split in splits)
    return Unit(name, (), made, partial(_refuse, f"{' and '.join(splits)} of {dataset}", reason))


def _refuse(what: str, reason: str, files: Files) -> NoReturn:  # noqa: ARG001  # a converter, as the units want it
    raise DataError(
        f"{what} cannot be made here ({reason}). Convert the dataset with llm-jp-eval and name the folder of its "
        f"converted files in {OWN_DATA_VARIABLE}, or in --metadata as {OWN_DATA_OPTION}."
    )
