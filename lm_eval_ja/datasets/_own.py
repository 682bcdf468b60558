"""Own data: files that llm-jp-eval itself has converted, read in place of our conversion."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from lm_eval_ja.datasets.store import (
    OWN_DATA,
    OWN_DATA_OPTION,
    OWN_DATA_VARIABLE,
    SPLITS,
    Catalog,
    Settings,
    Shelf,
    Split,
    Store,
    as_table,
    digest_of,
)
from lm_eval_ja.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

_MAX_BYTES = 1 << 30
_LAYOUTS = ("{split}", "evaluation/{split}", "*/evaluation/{split}", "*/*/evaluation/{split}")
"""Where llm-jp-eval's versions write ``{dataset}.json``: below its output folder, a version's, or their parent."""


def open_shelf(settings: Settings, catalog: Catalog, *, build: bool = True) -> Shelf:
    """The shelf of the real data: the user's own files where there are some, else the store."""
    store = Store(settings, catalog, build=build)
    return store if settings.own_data is None else OwnData(settings.own_data, store, catalog)


class OwnData:
    """A shelf that prefers the user's own files to another shelf.

    A file that holds the very samples of our conversion, or that LLM-jp published where ours has no known digest, is
    taken for what it is. One of which nothing is known, or which LLM-jp published for another version, is labelled
    ``own data``. One of the questions of all our splits in a row, as 2.1 has some datasets, stands for ours. Any other
    is an error. Datasets of which
    protocols choose samples by id (chabsa and wiki_*) are left to the other shelf: the files hold no ids.

    Args:
        folder: See docs/offline.md for its layouts.
        shelf: What has the other splits.
        catalog: Known digests.
    """

    def __init__(self, folder: Path, shelf: Shelf, catalog: Catalog) -> None:
        self._folder = folder
        self._shelf = shelf
        self._catalog = catalog

    def table(self, dataset: str, split: Split) -> "pa.Table":
        """Return a split in its own order.

        Raises:
            DataError: Its file is no file of llm-jp-eval, or not the one it should be; or as the other shelf says.
        """
        expected = self._catalog.digests.get((dataset, split))
        path = None if expected is not None and expected.ids is not None else self._find(dataset, split)
        if path is None:
            return self._shelf.table(dataset, split)
        content = _content(path)
        questions, golds = _samples(path, content)
        ids = [f"{dataset}-{split}-{index}" for index in range(len(questions))]
        table = as_table(ids, questions, golds)
        actual = digest_of(questions, golds)
        published = sha256(content).hexdigest() in self._catalog.certificates.get(dataset, {}).values()
        if actual == expected.sha256 if expected is not None else published and split == "dev":
            return table
        if split == "test" and self._is_whole(dataset, questions, golds):
            return self._shelf.table(dataset, split)
        if expected is not None and not published:
            raise DataError(
                f"{path} is not {dataset}/{split} as it must be: expected {expected.n} samples with SHA-256 "
                f"{expected.sha256}, found {len(ids)} with {actual}. Use the file of the right version of llm-jp-eval, "
                f"or take it away: then {dataset} is converted here."
            )
        return table.replace_schema_metadata({OWN_DATA: OWN_DATA})

    def _is_whole(self, dataset: str, questions: list[str], golds: list[str]) -> bool:
        """Whether a test file is the list that llm-jp-eval 2.1 no longer cuts: our own train, dev and test in a row."""
        if not any(
            dataset in own and own[dataset] for own in self._catalog.variants.get("real", {}).values()
        ):
            return False
        parts = [self._shelf.table(dataset, split) for split in SPLITS]
        ours = [
            [text for part in parts for text in part[column].to_pylist()] for column in ("input", "output")
        ]
        return ours == [questions, golds]

    def _find(self, dataset: str, split: Split) -> Path | None:
        found = sorted(set(self._candidates(dataset, split)))
        if len(found) > 1:
            raise DataError(
                f"{self._folder} ({OWN_DATA_VARIABLE} or {OWN_DATA_OPTION}) holds {dataset}/{split} {len(found)} times "
                f"({', '.join(map(str, found))}): name the folder of one version."
            )
        return found[0] if found else None

    def _candidates(self, dataset: str, split: Split) -> Iterator[Path]:
        name = f"{dataset}.json"
        if self._folder.name == split and (self._folder / name).is_file():
            yield self._folder / name
        for layout in _LAYOUTS:
            yield from (
                path for path in self._folder.glob(f"{layout.format(split=split)}/{name}") if path.is_file()
            )


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DataError(f"{path} is larger than any file of llm-jp-eval ({_MAX_BYTES} bytes).")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}.") from error


def _samples(path: Path, content: bytes) -> tuple[list[str], list[str]]:
    """Read inputs and outputs: of the layouts of llm-jp-eval 1.x and 2.x, both have them in the same place."""
    try:
        samples = json.loads(content)["samples"]
        pairs = [(sample["input"], sample["output"]) for sample in samples]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise DataError(
            f"{path} is no file of llm-jp-eval ({type(error).__name__}: {error}): it must be a JSON object whose "
            "'samples' each have an 'input' and an 'output'."
        ) from error
    for index, pair in enumerate(pairs):
        if not all(isinstance(text, str) for text in pair):
            raise DataError(f"{path}: the input and output of sample {index} must be texts.")
    if not pairs:
        raise DataError(f"{path} has no samples.")
    return [question for question, _ in pairs], [gold for _, gold in pairs]
