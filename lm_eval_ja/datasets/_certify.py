"""Certificates: our samples written as llm-jp-eval's own files, and held against the SHA-256 that LLM-jp publishes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from lm_eval_ja.datasets._catalog import packaged
from lm_eval_ja.datasets._own import open_shelf
from lm_eval_ja.datasets.store import Catalog, Settings, Split, reference_json, unknown
from lm_eval_ja.errors import DataError, LmEvalJaError
from lm_eval_ja.protocols import load_protocol, protocol_names

CERTIFIED_SPLIT: Split = "dev"
"""LLM-jp publishes the digests of the dev files."""


@dataclass(frozen=True)
class Certificate:
    """What became of one dataset's dev split.

    Attributes:
        dataset: Its name.
        published: LLM-jp's SHA-256 by version of llm-jp-eval.
        found: SHA-256 of our file, or of the closest one where protocols word it differently; empty if there is none.
        versions: The versions whose published digest ours equals.
        problem: Why there is none, empty if there is one.
    """

    dataset: str
    published: dict[str, str]
    found: str = ""
    versions: tuple[str, ...] = ()
    problem: str = ""


def certify(
    datasets: Iterable[str] | None = None,
    *,
    folder: Path | None = None,
    build: bool = True,
    settings: Settings | None = None,
    catalog: Catalog | None = None,
) -> Iterator[Certificate]:
    """Write dev splits as llm-jp-eval's own files and compare them with what LLM-jp publishes.

    Args:
        datasets: Default: all whose digest is published.
        folder: Where to keep the files, as ``{version}/evaluation/dev/{dataset}.json``; default: nowhere.
        build: Whether to fetch and convert what is not ready.
        settings: Default: from the environment.
        catalog: Default: the packaged one.

    Yields:
        A certificate for each.

    Raises:
        OptionError: No digest of a dataset is published.
        DataError: A file cannot be written.
    """
    settings, catalog = settings or Settings.from_env(), catalog or packaged()
    shelf = open_shelf(settings, catalog, build=build)
    for dataset in sorted(catalog.certificates) if datasets is None else datasets:
        if dataset not in catalog.certificates:
            raise unknown("dataset with a published digest", dataset, sorted(catalog.certificates))
        published = dict(catalog.certificates[dataset])
        try:
            table = shelf.table(dataset, CERTIFIED_SPLIT)
        except LmEvalJaError as error:
            yield Certificate(dataset, published, problem=str(error))
            continue
        questions, golds = table["input"].to_pylist(), table["output"].to_pylist()
        files = {
            sha256(content).hexdigest(): content
            for head in _heads(dataset, catalog)
            for content in [reference_json(*head, questions, golds)]
        }
        equal = tuple(version for version, digest in published.items() if digest in files)
        if not files:
            yield Certificate(
                dataset, published, problem="No protocol here asks its dev split as llm-jp-eval does."
            )
            continue
        if folder is not None:
            for version in equal:
                path = folder / version / "evaluation" / CERTIFIED_SPLIT / f"{dataset}.json"
                _write(path, files[published[version]])
        found = published[equal[0]] if equal else next(iter(files))
        yield Certificate(dataset, published, found, equal)


def _heads(dataset: str, catalog: Catalog) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """Instruction, output length and metrics, as each protocol words them that asks the dev split."""
    heads = []
    published = catalog.published.get((dataset, CERTIFIED_SPLIT))
    if published is not None:
        heads.append((published.instruction, published.output_length, published.metrics))
    for name in protocol_names():
        for rules in load_protocol(name).tasks.values():
            if rules.dataset == dataset and rules.split == CERTIFIED_SPLIT:
                metrics = catalog.reference_metrics.get(dataset, rules.metrics)
                heads.append((rules.instruction, rules.output_length, metrics))
    yield from dict.fromkeys(heads)


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise DataError(f"Cannot write {path}: {error}. Choose a writable folder.") from error
