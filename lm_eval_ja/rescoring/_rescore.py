"""Scoring a run's logged answers under a protocol, and saying which difference in the rules changed what."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from lm_eval_ja.analysis import is_shown, leaf_scores, tree_scores
from lm_eval_ja.datasets import answer_form
from lm_eval_ja.errors import DataError, OptionError
from lm_eval_ja.metrics import (
    METRICS,
    apply_steps,
    parse_number,
    read_steps,
    sample_metrics,
    sample_score,
    sample_values,
)
from lm_eval_ja.metrics.comet import HOW_TO_GET, MODEL, NAME, comet_wmt22
from lm_eval_ja.protocols import (
    DatasetRules,
    Leaf,
    Missing,
    Node,
    Protocol,
    Score,
    evaluate,
    find_rules,
    load_protocol,
    mean_score,
    protocol_names,
)
from lm_eval_ja.rescoring._aggregate import mean_score_of
from lm_eval_ja.rescoring._asked import asked_otherwise
from lm_eval_ja.rescoring._thoughts import lost_answers, own_answers, thoughts_field, without_thoughts
from lm_eval_ja.rescoring._types import Common, DatasetRescore, Rescored, RescoredMean, Step
from lm_eval_ja.results import Question, Run, TaskResult
from lm_eval_ja.thoughts import Thoughts

TRANSLATION_METRICS = ("bleu_reference_quirk", NAME)
"""Metrics that can be asked for beyond those of the tasks."""

_AGREES = 1e-12


@dataclass(frozen=True)
class Comet:
    """Where and with what COMET runs, see `lm_eval_ja.metrics.comet.comet_wmt22`."""

    python: str | None = None
    model: str = MODEL
    batch_size: int = 8


def rescore(
    run: Run,
    protocol: str | None = None,
    *,
    metrics: Sequence[str] = (),
    comet: Comet | None = None,
    thoughts: Thoughts | None = None,
) -> Rescored:
    """Score the logged answers of a run again.

    Answers are taken as generated and normalized, compared and averaged by the rules of the protocol. What was
    asked can't be changed: the result is what these answers score, and `Rescored.notes` says how they were asked.

    Args:
        run: A run with logged samples, see `lm_eval_ja.results.read_runs`.
        protocol: One of `lm_eval_ja.protocols.protocol_names`; by default the run's own.
        metrics: Further metrics for translations: ``comet_wmt22``, ``bleu_reference_quirk``.
        comet: Where COMET runs.
        thoughts: How thoughts are separated from the answers; by default as the run has done it.

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
    for rules in _in_order(definition):
        source = _source(run, rules, definition)
        if source is None:
            continue
        if source.questions:
            datasets.append(_dataset(source, rules, metrics, comet or Comet(), thoughts, notes))
        else:
            notes.append(
                f"{source.task}: no samples were logged (--log_samples), so it cannot be scored again"
            )
    if not datasets:
        raise DataError(
            f"{run.files[0]} holds no logged answers that {definition.name} can score: it needs samples_*.jsonl beside "
            f"it, of tasks such as {next(iter(definition.tasks), definition.prefix)} (lm_eval … --log_samples)"
        )
    asked_by = tuple(sorted({_protocol_of(dataset.source) for dataset in datasets}))
    notes += _asked_differently(datasets, definition)
    without = sorted(
        {str(own.rules.category) for own in datasets if own.rules.metric == NAME and NAME not in own.scores}
    )
    if without:
        notes.append(
            f"{', '.join(without)} is missing: its score is {NAME}, which takes a model. Add --metric {NAME}. "
            f"{HOW_TO_GET}."
        )
    means = _means(run, definition, datasets, asked_by)
    return Rescored(
        run=run,
        protocol=definition,
        asked_by=asked_by,
        datasets=tuple(datasets),
        means=means,
        common=_common(definition, means),
        notes=tuple(notes),
    )


# ------------------------------------------------------------------------------------------------ what is scored


def _originals(run: Run) -> list[TaskResult]:
    """The run's tasks with gold answers, without those that an earlier rescoring wrote."""
    return [task for task in run.tasks.values() if find_rules(task.task) is not None and not task.rescored]


def _protocol_of(task: TaskResult) -> str:
    """The protocol whose task it is."""
    return next((name for name in protocol_names() if task.task in load_protocol(name).tasks), "")


def _own_protocol(run: Run) -> str:
    own = sorted({_protocol_of(task) for task in _originals(run)} - {""})
    if not own:
        raise DataError(
            f"{run.files[0]} has no tasks with gold answers (`lm-eval-ja judge` judges MT-Bench again)"
        )
    if len(own) > 1:
        raise OptionError(
            f"{run.files[0]} has tasks of {' and '.join(own)}: choose how to score them with --protocol"
        )
    return own[0]


def _in_order(protocol: Protocol) -> list[DatasetRules]:
    """Rules of every task, in the order of the trees, those in none last."""
    order = [leaf.task for leaf in protocol.leaves()]
    return sorted(
        protocol.tasks.values(),
        key=lambda rules: order.index(rules.task) if rules.task in order else len(order),
    )


def _source(run: Run, rules: DatasetRules, protocol: Protocol) -> TaskResult | None:
    """The run's task with answers to the dataset's questions, the protocol's own before any other's.

    Where the protocol asks a dataset with several numbers of shots, answers count once: for their own number, or where
    the run has none of the protocol's numbers for the first of these.
    """
    tasks = [task for task in _originals(run) if task.dataset == rules.dataset]
    numbers = [own.shots for own in protocol.tasks.values() if own.dataset == rules.dataset]
    if len(numbers) > 1 and (rules.shots != numbers[0] or any(task.shots in numbers for task in tasks)):
        tasks = [task for task in tasks if task.shots == rules.shots]
    return min(tasks, key=lambda task: (task.task != rules.task, task.shots != rules.shots), default=None)


def _normalization(task: TaskResult) -> list[str]:
    """The steps that the run's signature tells of."""
    try:
        return list(read_steps(task.signature.get("norm", "")))
    except OptionError as error:
        raise DataError(
            f"the signature of {task.task} tells of a normalization that this version doesn't know "
            f"({error}; {task.signature_text}): rescore with the version that made the run"
        ) from error


# ------------------------------------------------------------------------------------------------ one dataset


def _check(source: TaskResult) -> None:
    if source.metric not in METRICS:
        raise DataError(
            f"{source.file}: {source.task} is scored by {source.metric!r}, which this version doesn't know: the file "
            "was edited, or made by a newer version"
        )
    if any((len(question.samples) or 1) != source.repeats for question in source.questions):
        raise DataError(
            f"{source.file}: the samples of {source.task} do not hold {source.repeats} answers to every question, as "
            "its signature says: they were changed, or are incomplete"
        )


def _dataset(
    source: TaskResult,
    rules: DatasetRules,
    metrics: Sequence[str],
    comet: Comet,
    thoughts: Thoughts | None,
    notes: list[str],
) -> DatasetRescore:
    _check(source)
    logged = own_answers(source)
    questions = logged if thoughts is None else without_thoughts(source, thoughts)
    path = [(source.metric, _normalization(source), "")]
    if questions != logged:
        path.append((source.metric, path[0][1], "without thoughts"))
    if thoughts is not None:
        notes += lost_answers(source, questions)
    path += [(source.metric, steps, what) for steps, what in _ways(path[0][1], rules.normalization)]
    if rules.metrics[0] != source.metric:
        path.append(
            (rules.metrics[0], list(rules.normalization), f"{rules.metrics[0]} in place of {source.metric}")
        )
    values = [
        _values(metric, answers, _predict(answers, steps))
        for (metric, steps, _), answers in zip(path, [logged, *[questions] * len(path)], strict=False)
    ]
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
    predictions = _predict(questions, rules.normalization)
    scored = {name: _values(name, questions, predictions) for name in rules.metrics}
    for metric in rules.metrics:
        for name in sample_metrics(metric, source.repeats):
            scored[name] = _further(metric, name, questions, predictions)
    signatures = {name: own() for name in rules.metrics if (own := METRICS[name].signature) is not None}
    if rules.metric == NAME:
        for name in metrics:
            if name == NAME:
                scored[name], signatures[name] = _comet(questions, predictions, comet)
            else:
                scored[name] = _values(name, questions, predictions)
    return DatasetRescore(
        source=source,
        rules=rules,
        before=before,
        reproduced=reproduced,
        scores={name: value.score for name, value in scored.items()},
        items={name: value.items for name, value in scored.items()},
        predictions=tuple(predictions),
        steps=tuple(steps),
        signatures=signatures,
        thoughts=thoughts_field(source, thoughts, changed=questions != logged),
    )


def _ways(old: Sequence[str], new: Sequence[str]) -> list[tuple[list[str], str]]:
    """From one normalization to another, a step at a time: the later ones are taken away first."""
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


_Predictions = Sequence[tuple[str, ...]]
"""For every question the prediction of its answer, or of each of its samples."""


def _predict(questions: Sequence[Question], steps: Sequence[str]) -> list[tuple[str, ...]]:
    return [
        tuple(apply_steps(answer.output, steps) for answer in question.samples or (question,))
        for question in questions
    ]


@dataclass(frozen=True)
class _Values:
    score: Score
    items: tuple[float, ...]


def _values(metric: str, questions: Sequence[Question], predictions: _Predictions) -> _Values:
    if METRICS[metric].per_item is None:
        numbers = tuple(fmean(map(parse_number, own)) for own in predictions)
        return _Values(
            Score(sample_score(metric, predictions, [question.gold for question in questions])), numbers
        )
    return _further(metric, metric, questions, predictions)


def _further(metric: str, name: str, questions: Sequence[Question], predictions: _Predictions) -> _Values:
    """A metric, or what several samples add to it."""
    form = answer_form(questions[0].dataset)
    return _mean(
        tuple(
            sample_values(metric, own, question.gold, form)[name]
            for question, own in zip(questions, predictions, strict=True)
        )
    )


def _mean(items: tuple[float, ...]) -> _Values:
    return _Values(mean_score_of(items), items)


def _comet(questions: Sequence[Question], predictions: _Predictions, comet: Comet) -> tuple[_Values, str]:
    answers = [(question, text) for question, own in zip(questions, predictions, strict=True) for text in own]
    found = comet_wmt22(
        [question.input for question, _ in answers],
        [text for _, text in answers],
        [question.gold for question, _ in answers],
        model=comet.model,
        python=comet.python,
        batch_size=comet.batch_size,
    )
    scores = iter(found.scores)
    return _mean(tuple(fmean([next(scores) for _ in own]) for own in predictions)), found.signature


def _changed(then: _Values, now: _Values, metric: str) -> int | None:
    if METRICS[metric].per_item is None:
        return None
    return sum(a != b for a, b in zip(then.items, now.items, strict=True))


# ------------------------------------------------------------------------------------------------ averages and notes


def _means(
    run: Run, protocol: Protocol, datasets: Sequence[DatasetRescore], asked_by: Sequence[str]
) -> tuple[RescoredMean, ...]:
    rescored = {dataset.rules.task: dataset for dataset in datasets}
    leaves = {
        leaf.name: rescored[leaf.task].scores.get(leaf.metric) if leaf.task in rescored else score
        for leaf in protocol.leaves()
        if (score := leaf_scores(run, protocol).get(leaf.name)) is not None or leaf.task in rescored
    }
    before: dict[str, Score | Missing] = {}
    originals = replace(run, tasks={name: task for name, task in run.tasks.items() if not task.rescored})
    for definition in map(load_protocol, filter(None, asked_by)):
        scores = tree_scores(originals, definition)
        for node in definition.nodes():
            before.setdefault(node.label, run.groups.get(node.name, scores[node.name]))
    tasks = {leaf.task for leaf in protocol.leaves() if leaf.name in leaves}
    found: list[RescoredMean] = []

    def visit(part: Node | Leaf, depth: int, after: dict[str, Score | Missing]) -> None:
        if not isinstance(part, Node) or part.protocol != protocol.name:
            return
        shown = depth > 0 or is_shown(part, tasks)  # below a mean that is shown, what is missing is shown too
        if shown:
            found.append(RescoredMean(part.name, part.label, depth, before.get(part.label), after[part.name]))
        for child in part.children:
            visit(child, depth + shown, after)

    for root in protocol.scores:
        visit(root, 0, evaluate(root, leaves, mean_score))
    return tuple({mean.name: mean for mean in reversed(found)}.values())[::-1]


def _common(protocol: Protocol, means: Sequence[RescoredMean]) -> Common | None:
    """Mean of the categories that have a score on both sides, where not all do."""
    categories = {node.name for node in protocol.nodes() if node.level == "category"}
    own = [mean for mean in means if mean.name in categories]
    both = [
        (mean.before.value, mean.after.value)
        for mean in own
        if isinstance(mean.before, Score) and isinstance(mean.after, Score)
    ]
    if not both or len(both) == len(own):
        return None
    return Common(len(both), fmean(before for before, _ in both), fmean(after for _, after in both))


def _asked_differently(datasets: Sequence[DatasetRescore], protocol: Protocol) -> list[str]:
    """How the questions were asked where the protocol would ask them otherwise."""
    ways: dict[str, list[str]] = {}
    for dataset in datasets:
        for way in asked_otherwise(dataset.source, dataset.rules):
            ways.setdefault(way, []).append(dataset.rules.dataset)
    return [
        f"asked otherwise than {protocol.name} asks: {way}"
        + ("" if len(names) == len(datasets) else f" ({', '.join(dict.fromkeys(names))})")
        for way, names in ways.items()
    ]
