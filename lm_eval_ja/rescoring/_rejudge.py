"""Judging answers that were saved earlier: by a run without a judge, or once more with another one.

Reads the harness's own result and sample files, needs no model, and writes new files beside the old ones.
"""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval_ja.errors import DataError, OptionError
from lm_eval_ja.judge import (
    JudgeConfig,
    Judgment,
    Messages,
    judge,
)
from lm_eval_ja.judge.mtbench import TURNS, Ask, Deferred, Session, make_record, question_values
from lm_eval_ja.judge.options import JudgeOptions
from lm_eval_ja.protocols import find_conversation, load_protocol, parse_signature, protocol_names, signature
from lm_eval_ja.rescoring._aggregate import mtbench_entry
from lm_eval_ja.rescoring._groups import put_group
from lm_eval_ja.results import (
    ResultsFile,
    find_results,
    mapping,
    read_lines,
    read_results,
    stamp_after,
    write_run,
)
from lm_eval_ja.thoughts import AUTO, parse_thoughts

_TEXTS = 3  # the two answers, and the prompt between them


@dataclass(frozen=True)
class Rejudged:
    """A run that was judged.

    Attributes:
        results: The results in the harness's own form.
        path: The new results file; None if nothing was written.
        reason: Why nothing was written; None if something was.
    """

    results: Mapping[str, Any]
    path: Path | None
    reason: str | None = None


def find_runs(path: Path) -> tuple[list[ResultsFile], list[str]]:
    """Find the newest run of every model below a folder, of those that have MT-Bench answers.

    Returns:
        The runs, and what is wrong with files that could not be read.

    Raises:
        OptionError: The path does not exist.
        DataError: There are no such runs.
    """
    found = find_results(path)
    if not found:
        raise DataError(f"{path} has no results_*.json: give the --output_path of a run of lm_eval")
    runs: dict[Path, ResultsFile] = {}
    problems = []
    for results in reversed(found):  # the date in the name sorts
        if results.parent in runs:
            continue
        try:
            file = read_results(results)
        except DataError as error:
            problems.append(str(error))
            continue
        if judged_tasks(file):
            runs[results.parent] = file
    if not runs:
        raise DataError(
            f"{path} has results, but no MT-Bench answers: run lm_eval with --tasks nejumi_mtbench --log_samples"
            + "".join(f"; {problem}" for problem in problems)
        )
    return list(reversed(runs.values())), problems


def judged_tasks(run: ResultsFile) -> list[str]:
    """The MT-Bench tasks of a run whose answers are saved."""
    return [
        name
        for name in run.ours
        if find_conversation(str(run.metadata(name).get("protocol", ""))) and run.samples(name).is_file()
    ]


def requests_of(
    run: ResultsFile, options: JudgeOptions, discount: float = 1.0
) -> tuple[list[Messages], str | None]:
    """What a judge would be asked about a run, in the order of :func:`rejudge`. Nobody is asked, nothing written.

    Args:
        run: The run.
        options: The judge. With ``judge_dry_run``, or where ``judge_max_cost`` forbids it, nothing would be asked, and
            what it would take is said.
        discount: Part of the usual price that judgments cost.

    Returns:
        The requests, and why some of the run's tasks have none; None if all have theirs.

    Raises:
        DataError: The run's files are damaged.
        OptionError: The judge's prompts are the user's, and wrong.
    """
    noted: list[Messages] = []
    reasons: list[str] = []

    def note(items: Sequence[Messages], config: JudgeConfig, store: Path) -> Sequence[Judgment]:  # noqa: ARG001 -- as asked
        noted.extend(items)
        raise Deferred

    for task in judged_tasks(run):
        session = _session(run, task, options, note, discount)
        before = len(noted)
        _, reason = _judge_samples(session, _read_samples(run.samples(task)), (), "")
        if len(noted) == before and reason is not None:
            reasons.append(reason)
    return noted, "; ".join(dict.fromkeys(reasons)) or None


def _session(run: ResultsFile, task: str, options: JudgeOptions, ask: Ask, discount: float = 1.0) -> Session:
    metadata = run.metadata(task)
    own = dataclasses.replace(options, data=metadata.get("data", "real"))
    thoughts = parse_thoughts(metadata.get("thoughts", AUTO))
    return Session(task, own, own.prompts(), thoughts, ask=ask, discount=discount)


def rejudge(run: ResultsFile, options: JudgeOptions, ask: Ask = judge) -> Rejudged:
    """Judge a run's MT-Bench answers and write the run again, with a new date.

    A judge that rated nothing (a dry run, a cost limit, a judge that is down) leaves the run as it is: no file without
    ratings stands in the way of an older one that has some.

    Args:
        run: The run.
        options: The judge; its ``data`` is taken from the run.
        ask: How judgments are got.

    Returns:
        What was judged and written.

    Raises:
        DataError: The run's files are damaged, or the new ones could not be written.
        OptionError: The judge's prompts are the user's, and wrong, or the folder cannot be written to.
    """
    if not options.judge_dry_run:
        _check_writable(run.path.parent)
    results: dict[str, Any] = {
        **run.raw,
        **{
            key: dict(mapping(run.raw.get(key))) for key in ("results", "configs", "groups", "group_subtasks")
        },
    }
    written: dict[str, list[dict[str, Any]]] = {}
    reasons: list[str] = []
    for task in judged_tasks(run):
        metadata = dict(run.metadata(task))
        protocol = load_protocol(str(metadata["protocol"]))
        samples = _read_samples(run.samples(task))
        session = _session(run, task, options, ask)
        category = metadata.get("category")
        if not isinstance(category, str | None):
            raise DataError(
                f"{run.path}: the category of {task} is no name; copy the file again or run again"
            )
        conversation = protocol.conversation
        categories = (category,) if category else tuple(conversation.temperatures if conversation else ())
        judged, reason = _judge_samples(
            session, samples, categories, "" if category else protocol.scores[0].name
        )
        if reason is not None:
            reasons.append(reason)
            continue
        written[task] = judged
        results["results"][task] = {**results["results"][task], **mtbench_entry(judged, categories)}
        metadata["signature"] = _signature(metadata["signature"], session, samples)
        _replace_options(metadata, session.options)
        results["configs"][task] = {**results["configs"][task], "metadata": metadata}
    if not written:
        return Rejudged(results, None, "; ".join(dict.fromkeys(reasons)))
    for name in protocol_names():
        for node in load_protocol(name).members_first():
            if node.name in results["group_subtasks"]:
                put_group(results, node)
    samples_of: dict[str, Any] = {task: written.get(task, run.samples(task)) for task in run.ours}
    try:
        path = write_run(run.path.parent, stamp_after(run.stamp), results, samples_of)
    except OSError as error:
        raise DataError(
            f"{run.path.parent} can't be written to ({error}): make room and run the same command again. All judgments "
            "are saved, none is asked for again"
        ) from error
    return Rejudged(results, path)


def _check_writable(folder: Path) -> None:
    """Make sure that results can be written before any judgment is paid for."""
    probe = folder / f".judge-{os.getpid()}.part"
    try:
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        raise OptionError(
            f"{folder} can't be written to ({error}): new results stand beside the old ones, so copy the folder to a "
            "place that can"
        ) from error


def _replace_options(metadata: dict[str, Any], options: JudgeOptions) -> None:
    """Have the task's metadata name this judge's options, in place of those of the run's."""
    for field in dataclasses.fields(JudgeOptions):
        if field.name.startswith("judge_"):
            metadata.pop(field.name, None)
            if (value := getattr(options, field.name)) != field.default:
                metadata[field.name] = value


def _visible(session: Session, sample: Mapping[str, Any]) -> list[str | None]:
    ((answer, *_padding),) = sample["resps"]
    return session.visible(answer, chat=sample["arguments"]["gen_args_0"]["arg_1"]["chat"])


def _signature(old: str, session: Session, samples: Sequence[Mapping[str, Any]]) -> str:
    """The signature with this judge, and by today's rule: without the field a missing answer was judged as one."""
    fields = {name: value for name, value in parse_signature(old).items() if not name.startswith("judge")}
    if "thoughts" not in fields and any(None in _visible(session, sample) for sample in samples):
        fields["thoughts"] = AUTO
    return signature({**fields, **session.signature_fields()})


def _judge_samples(
    session: Session, samples: Sequence[Mapping[str, Any]], categories: Sequence[str], average: str
) -> tuple[list[dict[str, Any]], str | None]:
    """New samples: the old ones with new judgments and ratings. And why none has a rating, if none has."""
    answers, visible, docs = [], [], []
    for sample in samples:
        ((answer, *_padding),) = sample["resps"]
        answers.append(answer)
        visible.append(_visible(session, sample))
        docs.append(sample["doc"])
    judged = session.judge(docs, visible)
    turns = [turn for pair in judged for turn in pair]
    reason = None
    if turns and all(turn["rating"] is None for turn in turns):
        reason = "; ".join(sorted({str(turn["reason"]) for turn in turns})[:3])
    records = [
        make_record(seen, answer[2], pair)
        for seen, answer, pair in zip(visible, answers, judged, strict=True)
    ]
    return [
        {
            **sample,
            "filtered_resps": [record],
            **question_values(record, sample["doc"]["category"], categories, average),
        }
        for sample, record in zip(samples, records, strict=True)
    ], reason


def _read_samples(path: Path) -> list[dict[str, Any]]:
    samples = []
    for number, sample in read_lines(path):
        try:
            whole = _is_whole(sample)
        except (ValueError, LookupError, TypeError):
            whole = False
        if sample is None or not whole:
            raise DataError(
                f"{path}, line {number}: not a logged MT-Bench sample; run lm_eval again for this model"
            )
        samples.append(sample)
    return samples


def _is_whole(sample: Any) -> bool:
    """Whether a line holds all that judging reads: question, both answers, the second prompt, and how they came."""
    doc = sample["doc"]
    ((answers, *_padding),) = sample["resps"]
    return (
        isinstance(doc["category"], str)
        and isinstance(answers, list)
        and len(answers) >= _TEXTS
        and len(doc["turns"]) >= len(TURNS)
        and all(isinstance(text, str) for text in (*answers, *doc["turns"], *doc["reference"]))
        and isinstance(sample["arguments"]["gen_args_0"]["arg_1"]["chat"], bool)
    )
