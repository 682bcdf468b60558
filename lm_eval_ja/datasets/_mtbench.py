"""Questions and reference answers of Japanese MT-Bench, in the two revisions that scores exist for."""

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_eval_ja.datasets._catalog import packaged
from lm_eval_ja.datasets._raw import fetch, json_records
from lm_eval_ja.datasets.sources.mtbench import MTBENCH_CATEGORIES, MTBENCH_REVISIONS
from lm_eval_ja.datasets.store import Catalog, Data, Settings, unknown
from lm_eval_ja.errors import DataError

if TYPE_CHECKING:
    import datasets

_TURNS = 2


def conversations_digest(docs: Iterable[Mapping[str, Any]]) -> str:
    """Name questions and references in their order: the first 12 hex digits of a SHA-256 over them."""
    data = json.dumps([[doc["turns"], doc["reference"]] for doc in docs], ensure_ascii=False)
    return sha256(data.encode()).hexdigest()[:12]


def load_mtbench(
    revision: str = "neo",
    *,
    category: str | None = None,
    data: Data = "real",
    settings: Settings | None = None,
    catalog: Catalog | None = None,
) -> "datasets.Dataset":
    """Load the questions, one of each category in turn, so that any first N are spread evenly.

    Args:
        revision: ``neo``, or ``2024`` for the later revision of questions and references.
        category: Only this category's questions.
        data: The real questions, or the made-up ones that ship with the package.
        settings: Default: from the environment.
        catalog: Default: the packaged one.

    Returns:
        Columns ``id`` (``mtbench-<question id>``), ``question_id``, ``category``, ``turns`` (two texts) and
        ``reference`` (two texts; used for math, reasoning and coding).

    Raises:
        OptionError: Unknown revision or category.
        DataError: A file is unavailable, or is not as it should be.
    """
    if revision not in MTBENCH_REVISIONS:
        raise unknown("MT-Bench revision", revision, MTBENCH_REVISIONS)
    if category is not None and category not in MTBENCH_CATEGORIES:
        raise unknown("MT-Bench category", category, MTBENCH_CATEGORIES)
    catalog = catalog or packaged()

    def get(url: str) -> Path:
        if data == "sample":
            return sample_path(url, catalog=catalog)
        return fetch(url, settings=settings, catalog=catalog)

    source = MTBENCH_REVISIONS[revision]
    references = _references(get(source.references))
    by_category: dict[str, list[dict[str, Any]]] = {name: [] for name in MTBENCH_CATEGORIES}
    path = get(source.questions)
    for where, record in json_records(path):
        question = _question(record, where, references)
        if question["category"] not in by_category:
            raise DataError(f"{where}: unknown category {question['category']!r}")
        by_category[question["category"]].append(question)
    chosen = [by_category[category]] if category else list(by_category.values())
    if not any(chosen):
        raise DataError(f"{path} has no questions{f' of the category {category}' if category else ''}")
    rows = [
        questions[index]
        for index in range(max(map(len, chosen)))
        for questions in chosen
        if index < len(questions)
    ]

    from datasets import Dataset

    return Dataset.from_list(rows)


def sample_path(url: str, *, catalog: Catalog | None = None) -> Path:
    """Where the made-up stand-in of a raw file lies in the package."""
    return (catalog or packaged()).sample_files / url.removeprefix("https://")


def _question(
    record: Mapping[str, Any], where: str, references: Mapping[Any, Sequence[str]]
) -> dict[str, Any]:
    try:
        number, category, turns = record["question_id"], record["category"], list(record["turns"])
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{where}: expected question_id, category and turns ({error!r} is missing)"
        ) from error
    if len(turns) != _TURNS or not all(isinstance(turn, str) and turn for turn in turns):
        raise DataError(f"{where}: question {number} must have two turns of text")
    if number not in references:
        raise DataError(f"{where}: question {number} has no reference answer")
    return {
        "id": f"mtbench-{number}",
        "question_id": number,
        "category": category,
        "turns": turns,
        "reference": list(references[number]),
    }


def _references(path: Path) -> dict[Any, Sequence[str]]:
    references: dict[Any, Sequence[str]] = {}
    for where, record in json_records(path):
        try:
            turns = record["choices"][0]["turns"]
            references[record["question_id"]] = turns
        except (KeyError, IndexError, TypeError) as error:
            raise DataError(f"{where}: expected question_id and choices[0].turns") from error
        if len(turns) != _TURNS:
            raise DataError(f"{where}: the reference of question {record['question_id']} must have two turns")
    return references
