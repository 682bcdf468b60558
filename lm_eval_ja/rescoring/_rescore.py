"""Scoring a run's logged answers under a protocol, and saying which difference in the rules changed what."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from lm_eval_ja.errors import DataError, OptionError
from lm_eval_ja.metrics import METRICS, STEPS, bleu_signature, normalize, parse_number
from lm_eval_ja.metrics.comet import HOW_TO_GET, MODEL, NAME, comet_wmt22
from lm_eval_ja.rescoring._types import DatasetRescore, Level, Rescored, Step
from lm_eval_ja.results import Question, Run, TaskResult
from lm_eval_ja.scoring import (
    Missing,
    Protocol,
    Score,
    average,
    category_scores,
    load_protocol,
    protocol_names,
)
from lm_eval_ja.tasks.catalog import Entry, entries

TRANSLATION_METRICS = ("bleu_reference_quirk", NAME)
"""Metrics that can be asked for beyond those of the tasks."""

_TRANSLATION = "MT"
_AGREES = 1e-12


@dataclass(frozen=True)
class Comet:
    """Where and with what COMET runs, see `lm_eval_ja.metrics.comet.comet_wmt22`."""

    python: str | None = None
    model: str = MODEL
    batch_size: int = 8


def rescore(
    run: Run, protocol: str | None = None, *, metrics: Sequence[str] = (), comet: Comet | None = None
) -> Rescored:
    """Score the logged answers of a run anew.

    Answers are taken as generated and cleaned, compared and averaged by the rules of the protocol. What was asked can't
    be changed: the result is what these answers score, and `Rescored.notes` says how they were asked.

    Args:
        run: A run with logged samples, see `lm_eval_ja.report.read_runs`.
        protocol: One of `lm_eval_ja.scoring.protocol_names`; by default the run's own.
        metrics: Further metrics for translations: ``comet_wmt22``, ``bleu_reference_quirk``.
        comet: Where COMET runs.

    Returns:
        The scores, before and after.

    Raises:
        OptionError: Unknown protocol or metric, or COMET is missing or doesn't work.
        DataError: The run holds no answers that the protocol can score.
    """
    unknown = [metric for metric in metrics if metric not in TRANSLATION_METRICS]
    if unknown:
        raise OptionError(f"--metric {unknown[0]} is none of {', '.join(TRANSLATION_METRICS)}")
    definition = load_protocol(protocol or _own_protocol(run))
    notes: list[str] = []
    datasets = []
    for entry in _in_order(definition):
        source = _source(run, entry, definition)
        if source is None:
            continue
        if source.questions:
            datasets.append(_dataset(source, entry, metrics, comet or Comet(), notes))
        else:
            notes.append(f"{source.task}: no samples were logged (--log_samples), so it can't be scored anew")
    if not datasets:
        raise DataError(
            f"{run.files[0]} holds no logged answers that {definition.name} can score: it needs samples_*.jsonl beside "
            f"it, of tasks such as {definition.task('jnli')} (lm_eval … --log_samples)"
        )
    asked_by = tuple(sorted({_protocol_of(dataset.source) for dataset in datasets}))
    notes += _asked_differently(datasets, definition)
    if NAME not in metrics and any(dataset.entry.category == _TRANSLATION for dataset in datasets):
        notes.append(
            f"{_TRANSLATION} is missing: its score is {NAME}, which takes a model. Add --metric {NAME}. {HOW_TO_GET}."
        )
    categories = _categories(run, definition, datasets, asked_by)
    means = average(definition, {level.name: level.after for level in categories})
    return Rescored(
        run=run,
        protocol=definition,
        asked_by=asked_by,
        datasets=tuple(datasets),
        categories=tuple(categories),
        average=Level(definition.average_name, definition.group, run.groups.get(definition.group), means),
        common=_common(categories),
        notes=tuple(notes),
    )


# ------------------------------------------------------------------------------------------------ what is scored


def _originals(run: Run) -> list[TaskResult]:
    """The run's tasks with gold answers, without those that an earlier rescoring wrote."""
    return [task for task in run.tasks.values() if not task.is_mtbench and "rescored" not in task.signature]


def _protocol_of(task: TaskResult) -> str:
    """The protocol whose group of tasks a task stands in."""
    for name in protocol_names():
        if task.task == load_protocol(name).task(task.dataset):
            return name
    return ""


def _own_protocol(run: Run) -> str:
    own = sorted({_protocol_of(task) for task in _originals(run)} - {""})
    if not own:
        raise DataError(
            f"{run.files[0]} has no tasks with gold answers (MT-Bench is judged anew with `lm-eval-ja judge`)"
        )
    if len(own) > 1:
        raise OptionError(
            f"{run.files[0]} has tasks of {' and '.join(own)}: choose how to score them with --protocol"
        )
    return own[0]


def _in_order(protocol: Protocol) -> list[Entry]:
    found = entries(protocol.name)
    order = [member.dataset for category in protocol.categories for member in category.members]
    order += [member.dataset for member in protocol.outside_average]
    return [found[dataset] for dataset in order if dataset in found]


def _source(run: Run, entry: Entry, protocol: Protocol) -> TaskResult | None:
    """The run's task with answers to the dataset's questions, the protocol's own before any other's."""
    tasks = [task for task in _originals(run) if task.dataset == entry.dataset]
    return min(tasks, key=lambda task: task.task != protocol.task(entry.dataset), default=None)


def _clean(task: TaskResult) -> list[str]:
    """The clean-up that the run's signature tells of."""
    steps = task.signature.get("norm", "").split("+")
    unknown = [step for step in steps[1:] if step not in STEPS]
    if steps[0] != "nfkc" or unknown:
        raise DataError(
            f"the signature of {task.task} tells of a normalisation that this version doesn't know "
            f"({task.signature_text}): rescore with the version that made the run"
        )
    return steps[1:]


# ------------------------------------------------------------------------------------------------ one dataset


def _dataset(
    source: TaskResult, entry: Entry, metrics: Sequence[str], comet: Comet, notes: list[str]
) -> DatasetRescore:
    questions = source.questions
    path = [(source.metric, _clean(source), "")]
    path += [(source.metric, steps, what) for steps, what in _ways(path[0][1], entry.clean)]
    if entry.metric != source.metric:
        path.append((entry.metric, list(entry.clean), f"{entry.metric} in place of {source.metric}"))
    values = [_values(metric, questions, _predict(questions, steps)) for metric, steps, _ in path]
    steps = [
        Step(what, now.score.value - then.score.value, _changed(then, now, metric))
        for (metric, _, what), then, now in zip(path[1:], values, values[1:], strict=False)
    ]
    before = None if source.score is None else source.score.value
    reproduced = values[0].score.value
    if before is not None and not math.isclose(before, reproduced, rel_tol=0, abs_tol=_AGREES):
        notes.append(
            f"{source.task}: its {len(questions)} logged answers score {reproduced:.4f} by its own rules, but its "
            f"results say {before:.4f} of {source.asked} questions: samples are missing or were changed"
        )
    predictions = _predict(questions, entry.clean)
    scored = {name: _values(name, questions, predictions) for name in (entry.metric, *entry.further_metrics)}
    signatures = {
        name: bleu_signature("ja" if name == "bleu_ja" else "en")
        for name in scored
        if name in ("bleu_ja", "bleu_en")
    }
    if entry.category == _TRANSLATION:
        for name in metrics:
            if name == NAME:
                scored[name], signatures[name] = _comet(questions, predictions, comet)
            else:
                scored[name] = _values(name, questions, predictions)
    return DatasetRescore(
        source=source,
        entry=entry,
        before=before,
        reproduced=reproduced,
        scores={name: value.score for name, value in scored.items()},
        items={name: value.items for name, value in scored.items()},
        predictions=tuple(predictions),
        steps=tuple(steps),
        signatures=signatures,
    )


def _ways(old: Sequence[str], new: Sequence[str]) -> list[tuple[list[str], str]]:
    """From one clean-up to another, a step at a time: the later ones are taken away first."""
    now = list(old)
    ways = []
    for step in reversed(old):
        if step not in new:
            now = [kept for kept in now if kept != step]
            ways.append((list(now), f"without {step}"))
    for step in new:
        if step not in old:
            now.append(step)
            ways.append((list(now), f"with {step}"))
    if now != list(new):
        ways.append((list(new), f"in the order {', '.join(new)}"))
    return ways


def _predict(questions: Sequence[Question], steps: Sequence[str]) -> list[str]:
    return [normalize(question.output, steps) for question in questions]


@dataclass(frozen=True)
class _Values:
    score: Score
    items: tuple[float, ...]


def _values(metric: str, questions: Sequence[Question], predictions: Sequence[str]) -> _Values:
    golds = [question.gold for question in questions]
    per_item = METRICS[metric].per_item
    if per_item is None:
        numbers = tuple(map(parse_number, predictions))
        return _Values(Score(METRICS[metric].score(predictions, golds)), numbers)
    return _mean(tuple(map(per_item, predictions, golds)))


def _mean(items: tuple[float, ...]) -> _Values:
    """Mean and standard error in the harness's own arithmetic, so that its results come out to the last bit."""
    mean = sum(items) / len(items)
    if len(items) == 1:
        return _Values(Score(mean), items)
    deviation = math.sqrt(sum([(item - mean) ** 2 for item in items]) / (len(items) - 1))
    return _Values(Score(mean, deviation / math.sqrt(len(items))), items)


def _comet(questions: Sequence[Question], predictions: Sequence[str], comet: Comet) -> tuple[_Values, str]:
    found = comet_wmt22(
        [question.input for question in questions],
        predictions,
        [question.gold for question in questions],
        model=comet.model,
        python=comet.python,
        batch_size=comet.batch_size,
    )
    return _mean(found.scores), found.signature


def _changed(then: _Values, now: _Values, metric: str) -> int | None:
    if METRICS[metric].per_item is None:
        return None
    return sum(a != b for a, b in zip(then.items, now.items, strict=True))


# ------------------------------------------------------------------------------------------------ averages and notes


def _categories(
    run: Run, protocol: Protocol, datasets: Sequence[DatasetRescore], asked_by: Sequence[str]
) -> list[Level]:
    members = {
        member.dataset: member.metric for category in protocol.categories for member in category.members
    }
    scores = {
        dataset.entry.dataset: dataset.scores.get(members[dataset.entry.dataset])
        for dataset in datasets
        if dataset.entry.dataset in members
    }
    after = category_scores(protocol, scores)
    before: dict[str, Score | Missing] = {}
    for definition in map(load_protocol, filter(None, asked_by)):
        tasks = {dataset.source.dataset: dataset.source for dataset in datasets}
        computed = category_scores(
            definition,
            {
                member.dataset: _logged(tasks.get(member.dataset), member.metric)
                for category in definition.categories
                for member in category.members
            },
        )
        for category in definition.categories:
            before[category.name] = run.groups.get(category.group, computed[category.name])
    return [
        Level(category.name, category.group, before.get(category.name), after[category.name])
        for category in protocol.categories
    ]


def _logged(task: TaskResult | None, metric: str) -> Score | None:
    if task is None or metric not in task.values:
        return None
    return Score(task.values[metric], task.stderrs.get(metric))


def _common(categories: Sequence[Level]) -> Level | None:
    """Mean of the categories that have a score on both sides, where not all do."""
    both = [
        (level.before, level.after)
        for level in categories
        if isinstance(level.before, Score) and isinstance(level.after, Score)
    ]
    if not both or len(both) == len(categories):
        return None
    return Level(
        f"mean of these {len(both)}",
        "",
        Score(fmean(before.value for before, _ in both)),
        Score(fmean(after.value for _, after in both)),
    )


def _asked_differently(datasets: Sequence[DatasetRescore], protocol: Protocol) -> list[str]:
    """How the questions were asked where the protocol would ask them otherwise."""
    ways: dict[str, list[str]] = {}
    for dataset in datasets:
        entry, source = dataset.entry, dataset.source
        facts = [
            ("split", source.signature.get("split", entry.split), entry.split),
            ("shots", str(source.shots), str(entry.shots)),
        ]
        limits = {question.max_tokens for question in source.questions} - {None}
        facts += [("tokens", str(limit), str(entry.output_length)) for limit in limits]
        for name, given, wanted in facts:
            if given != wanted:
                ways.setdefault(f"{name} {given}, not {wanted}", []).append(entry.dataset)
        if any(question.instruction != entry.instruction for question in source.questions):
            ways.setdefault("another instruction", []).append(entry.dataset)
    return [
        f"asked otherwise than {protocol.name} asks: {way}"
        + ("" if len(names) == len(datasets) else f" ({', '.join(names)})")
        for way, names in ways.items()
    ]
