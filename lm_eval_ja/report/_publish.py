"""Results in the forms that others read: the Hugging Face Hub's, Every Eval Ever's, and a folder that is a website.

Formats by their own documents: huggingface.co/docs/hub/eval-results (``.eval_results/*.yaml``), the model card's
``model-index`` (huggingface.co/docs/hub/model-cards), and the JSON schema 0.3.0 of evalevalai.com's Every Eval Ever.
"""

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml

import lm_eval_ja
from lm_eval_ja.analysis import Analysis, Leaderboard
from lm_eval_ja.datasets import raw_urls
from lm_eval_ja.errors import DataError, LmEvalJaError, OptionError
from lm_eval_ja.metrics import METRICS
from lm_eval_ja.report._data import as_csv, as_json
from lm_eval_ja.report._html import write_html
from lm_eval_ja.report._records import Record, records_of, shareable
from lm_eval_ja.results import Run

_SCHEMA = "0.3.0"
_SHARED_ARGUMENTS = ("revision", "dtype", "quantization", "add_bos_token", "max_length", "max_model_len")
"""Model arguments that say how the model was run; others may be paths, addresses or keys."""

_OWN_MACHINE = ("hf", "vllm", "sglang", "gguf", "nemo_lm", "mamba_ssm")
"""Backends that load the model themselves."""
_UNKNOWN = {"deployment_type": "unknown", "model_availability": "unknown"}
_UNSAFE = re.compile(r"[^\w.-]+")


@dataclass(frozen=True)
class Publisher:
    """Who publishes, and under which names.

    Attributes:
        model_id: The model's id on the Hub, such as ``org/model``; None for the name in the results.
        benchmark: Id of the Hub's dataset that is the benchmark (``eval-results``).
        source_url: Where the results can be seen.
        organization: Who ran the evaluation (``every-eval-ever``).
        relationship: What that is to the model's developer: ``first_party``, ``third_party``, ``collaborative``,
            ``other``.
    """

    model_id: str | None = None
    benchmark: str | None = None
    source_url: str | None = None
    organization: str | None = None
    relationship: str = "other"


def publish(analysis: Analysis, formats: Sequence[str], folder: Path, publisher: Publisher) -> list[Path]:
    """Write results in publishing formats.

    Args:
        analysis: The results.
        formats: Some of ``eval-results``, ``model-index``, ``every-eval-ever``, ``leaderboard``.
        folder: Where to.
        publisher: Who publishes.

    Returns:
        The files.

    Raises:
        OptionError: Something that a format needs is not given, or the folder cannot be written to.
        DataError: The results are of the made-up sample data.
    """
    runs = analysis.runs.runs
    _check(runs, formats, publisher)
    files: dict[Path, str] = {}
    for run in runs:
        for name in formats:
            if name in _WRITERS:
                files |= {folder / path: text for path, text in _WRITERS[name](analysis, run, publisher)}
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return [*files, *(_leaderboard(analysis, folder) if "leaderboard" in formats else [])]
    except OSError as error:
        raise OptionError(f"{folder} can't be written to ({error}): choose another -o") from error


def _check(runs: Sequence[Run], formats: Sequence[str], publisher: Publisher) -> None:
    if publisher.model_id and len(runs) > 1:
        raise OptionError(
            f"--model-id is one model's, and {len(runs)} runs were found: name the folder of one"
        )
    if "eval-results" in formats and not publisher.benchmark:
        raise OptionError(
            "eval-results needs --benchmark: the id of the Hub's benchmark dataset that shows the scores, such as "
            "my-org/nejumi-neo"
        )
    if "every-eval-ever" in formats and not publisher.organization:
        raise OptionError("every-eval-ever needs --organization: who ran the evaluation")
    if set(formats) == {"leaderboard"}:
        return
    for run in runs:
        if run.is_sample:
            raise DataError(
                f"{run.key} answered the made-up sample questions: that is no benchmark to publish"
            )
        model_of(run, publisher)


def model_of(run: Run, publisher: Publisher) -> str:
    """The model's id.

    Raises:
        OptionError: The results name a path, which is nobody's model.
    """
    name = publisher.model_id or run.model
    if not publisher.model_id and (
        name.startswith(("/", ".", "~", "__")) or name.count("/") > 1 or "\\" in name
    ):
        raise OptionError(
            f"the results call the model {name}: give the name to publish with --model-id org/model"
        )
    if publisher.model_id and not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise OptionError(f"--model-id {name!r} is no id on the Hub: it must look like org/model")
    return name


def _folder(model: str) -> Path:
    return Path(*(_safe(part) for part in model.split("/")))


def _safe(text: str) -> str:
    return _UNSAFE.sub("_", text).strip(".") or "_"


def _dumped(data: Any) -> str:
    return yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=1000)


# ------------------------------------------------------------------------------------------- Hugging Face


def _counts_down(record: Record) -> bool:
    return record.metric in METRICS and not METRICS[record.metric].higher_is_better


def _details(record: Record, run: Run) -> dict[str, Any]:
    """All that belongs to a score and has no place of its own in a format."""
    own: dict[str, Any] = {"label": record.label, "metric": record.metric}
    ends = (record.best, record.worst) if _counts_down(record) else (record.worst, record.best)
    own |= dict(zip(("worst", "best"), ends, strict=True))
    if record.score.stderr is not None:
        own["stderr"] = record.score.stderr
    if record.interval is not None:
        own |= {"low_95": record.interval[0], "high_95": record.interval[1]}
    if record.questions is not None:
        own["questions"] = record.questions
    if record.task is not None:
        own |= {"signature": record.task.signature_text, "task_version": record.task.version}
        if record.task.is_mtbench and "unscored" in record.task.values:
            own["unscored_turns"] = int(record.task.values["unscored"])
    if record.members:
        own["mean_of"] = ", ".join(record.members)
    return own | {"lm_eval": run.lm_eval_version, "backend": run.backend}


def _eval_results(analysis: Analysis, run: Run, publisher: Publisher) -> Iterator[tuple[Path, str]]:
    """``.eval_results/<protocol>.yaml``: one entry per score; everything else about it stands in ``notes``."""
    for leaderboard, records in records_of(analysis, run):
        entries = []
        for record in records:
            entry: dict[str, Any] = {
                "dataset": {"id": publisher.benchmark, "task_id": record.name},
                "value": record.score.value,
            }
            if run.date is not None:
                entry["date"] = run.date.date().isoformat()
            if publisher.source_url:
                entry["source"] = {"url": publisher.source_url, "name": "lm-eval-ja"}
            notes = _details(record, run)
            entry["notes"] = "; ".join(f"{name}: {value}" for name, value in notes.items())
            entries.append(entry)
        name = f"{_safe(leaderboard.protocol)}.yaml"
        yield _folder(model_of(run, publisher)) / ".eval_results" / name, _dumped(entries)


def _model_index(analysis: Analysis, run: Run, publisher: Publisher) -> Iterator[tuple[Path, str]]:
    """``model-index.yaml``: the metadata of a model card, one result per score."""
    results = []
    for leaderboard, records in records_of(analysis, run):
        for record in records:
            task = record.task
            metric = {
                "type": record.metric,
                "value": record.score.value,
                "name": record.label,
                "args": _details(record, run),
            }
            dataset: dict[str, Any] = {
                "type": f"{leaderboard.protocol}/{record.name}",
                "name": f"{leaderboard.title}: {record.label}",
            }
            if task is not None:
                dataset["split"] = task.signature.get("split", "test")
                dataset["args"] = {"num_few_shot": task.shots}
            result: dict[str, Any] = {
                "task": {"type": "text-generation", "name": "Text Generation"},
                "dataset": dataset,
                "metrics": [metric],
            }
            if publisher.source_url:
                result["source"] = {"name": "lm-eval-ja", "url": publisher.source_url}
            results.append(result)
    model = model_of(run, publisher)
    index = {"model-index": [{"name": model.split("/")[-1], "results": results}]}
    yield _folder(model) / "model-index.yaml", _dumped(index)


# ---------------------------------------------------------------------------------------- Every Eval Ever


def _every_eval_ever(analysis: Analysis, run: Run, publisher: Publisher) -> Iterator[tuple[Path, str]]:
    """``data/<protocol>/<developer>/<model>/<uuid>.json``: the datastore's own layout."""
    model = model_of(run, publisher)
    developer = model.split("/")[0] if "/" in model else "unknown"
    for leaderboard, records in records_of(analysis, run):
        identity = f"{leaderboard.protocol}/{model}/{run.date.isoformat() if run.date else ''}"
        signatures = "\n".join(record.task.signature_text for record in records if record.task is not None)
        digest = sha256(f"{identity}\n{signatures}".encode("utf-8", "surrogatepass")).digest()
        log = {
            "schema_version": _SCHEMA,
            "evaluation_id": f"{leaderboard.protocol}/{model}/{int(time.time())}",
            "retrieved_timestamp": str(int(time.time())),
            "source_metadata": {
                "source_name": "lm-eval-ja",
                "source_type": "evaluation_run",
                "source_organization_name": publisher.organization,
                "evaluator_relationship": publisher.relationship,
                "additional_details": _texts({"url": publisher.source_url}),
            },
            "eval_library": {
                "name": "lm_eval",
                "version": run.lm_eval_version,
                "additional_details": {"plugin": "lm-eval-ja", "plugin_version": lm_eval_ja.__version__},
            },
            "model_info": {
                "name": model,
                "id": model if "/" in model else f"unknown/{model}",
                "developer": developer,
                "inference_engine": {"name": run.backend},
                "additional_details": _texts(
                    {
                        "deployment_type": "self_deployed" if run.backend in _OWN_MACHINE else "unknown",
                        "model_availability": "unknown",
                        "chat_template": run.chat_template,
                        **{name: run.model_args.get(name) for name in _SHARED_ARGUMENTS},
                    }
                ),
            },
            "evaluation_results": [_result(leaderboard, record, run) for record in records],
        }
        if run.date is not None:
            log["evaluation_timestamp"] = run.date.isoformat()
        path = Path("data", _safe(leaderboard.protocol), _safe(developer), _safe(model.split("/")[-1]))
        text = json.dumps(log, ensure_ascii=False, indent=2, allow_nan=False)
        yield path / f"{UUID(bytes=digest[:16], version=4)}.json", text + "\n"


def _texts(details: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in details.items() if value is not None}


def _result(leaderboard: Leaderboard, record: Record, run: Run) -> dict[str, Any]:
    uncertainty: dict[str, Any] = {}
    if record.score.stderr is not None:
        uncertainty["standard_error"] = {"value": record.score.stderr, "method": "analytic"}
    if record.interval is not None:
        low, high = record.interval
        method = "over questions, through the averages (lm-eval-ja docs/comparing.md)"
        uncertainty["confidence_interval"] = {
            "lower": low,
            "upper": high,
            "confidence_level": 0.95,
            "method": method,
        }
    if record.questions is not None:
        uncertainty["num_samples"] = record.questions
    metric: dict[str, Any] = {
        "evaluation_description": f"{leaderboard.title}: {record.label}",
        "metric_id": record.metric if record.task is not None else f"{leaderboard.protocol}.{record.name}",
        "metric_name": record.metric,
        "metric_unit": "proportion" if record.best == 1 else "points",
        "lower_is_better": _counts_down(record),
        "score_type": "continuous",
        "min_score": record.worst,
        "max_score": record.best,
    }
    result: dict[str, Any] = {
        "evaluation_result_id": record.name,
        "evaluation_name": f"{leaderboard.protocol}.{record.name}",
        "source_data": _source_data(leaderboard, record),
        "metric_config": metric,
        "score_details": {"score": record.score.value, "details": _texts(_details(record, run))},
    }
    if uncertainty:
        result["score_details"]["uncertainty"] = uncertainty
    if record.task is not None:
        fields = record.task.signature
        if record.task.is_mtbench and fields.get("judge", "none") != "none":
            judge = fields["judge"]
            metric["llm_scoring"] = {
                "judges": [{"model_info": {"name": judge, "id": judge, "additional_details": _UNKNOWN}}],
                "input_prompt": f"judge prompts {fields.get('judge_prompts', 'unknown')} (name and digest)",
                "additional_details": _texts(
                    {name: fields.get(name) for name in ("judge_repeats", "judge_strict")}
                ),
            }
        result["generation_config"] = _generation(record)
    return result


def _source_data(leaderboard: Leaderboard, record: Record) -> dict[str, Any]:
    task = record.task
    if task is None:
        return {
            "dataset_name": record.label,
            "source_type": "other",
            "additional_details": {"mean_of": ", ".join(record.members)},
        }
    details = _texts({"digest": task.signature.get("data"), "split": task.signature.get("split")})
    try:
        urls = list(raw_urls(leaderboard.protocol, [task.dataset]))
    except LmEvalJaError:  # a protocol or dataset of the user's own
        urls = []
    source = {"source_type": "url", "url": urls} if urls else {"source_type": "other"}
    return {"dataset_name": task.dataset, **source, "additional_details": details}


def _generation(record: Record) -> dict[str, Any]:
    assert record.task is not None  # noqa: S101  # the caller's job
    given = record.task.generation
    arguments = {
        name: given[key]
        for name, key in (("temperature", "temperature"), ("top_p", "top_p"), ("max_tokens", "max_gen_toks"))
        if isinstance(given.get(key), int | float)
    }
    details = {name: str(value) for name, value in given.items()}
    return {"generation_args": arguments, "additional_details": details}


# --------------------------------------------------------------------------------------------- leaderboard


def _leaderboard(analysis: Analysis, folder: Path) -> list[Path]:
    """A website without a server: the report, and its numbers as JSON and CSV. No questions, answers or paths."""
    public = shareable(analysis)
    page, data, table = (folder / name for name in ("index.html", "leaderboard.json", "leaderboard.csv"))
    write_html(public, page)
    data.write_text(as_json(public) + "\n", encoding="utf-8")
    table.write_text(as_csv(public), encoding="utf-8")
    return [page, data, table]


_WRITERS = {
    "eval-results": _eval_results,
    "model-index": _model_index,
    "every-eval-ever": _every_eval_ever,
}
