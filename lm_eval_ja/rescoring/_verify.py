"""Whether a run's numbers follow from its answers: every score worked out again, every difference named.

Raw answers are normalized, scored and averaged, judges' replies are read again, and each number in the results and the
samples is held against what comes out. Questions and gold answers are held against the digests that the harness and
the signature keep of them. That leaves the raw answers and the judge's words themselves, which nothing in the files
vouches for: who writes a whole run anew, consistently, is not found out.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from lm_eval_ja.errors import DataError, LmEvalJaError
from lm_eval_ja.metrics import read_steps
from lm_eval_ja.protocols import (
    SCORE,
    Leaf,
    Node,
    Score,
    find_node,
    group_score,
    load_protocol,
    parse_signature,
    protocol_names,
)
from lm_eval_ja.rescoring._recompute import Kind, kind_of, same
from lm_eval_ja.results import ResultsFile, find_results, mapping, read_lines, read_results, score_entry

_BROKEN = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, RecursionError)
"""What recomputing an edited sample may raise."""


@dataclass(frozen=True)
class Finding:
    """A value that is not what follows from the answers.

    Attributes:
        file: The file.
        task: The task or group.
        question: The question's id; empty for the results file.
        field: The field.
        found: What stands there.
        expected: What should.
    """

    file: Path
    task: str
    question: str
    field: str
    found: Any
    expected: Any


@dataclass
class Verified:
    """What became of a results file.

    Attributes:
        file: The results file.
        model: The model's name.
        tasks: Tasks whose scores were worked out from the answers.
        questions: Questions in them.
        values: Values compared.
        findings: Those that differ.
        unverified: What could not be verified, and why.
    """

    file: Path
    model: str
    tasks: list[str] = field(default_factory=list)
    questions: int = 0
    values: int = 0
    findings: list[Finding] = field(default_factory=list)
    unverified: list[str] = field(default_factory=list)

    def compare(self, file: Path, task: str, question: str, name: str, found: Any, expected: Any) -> None:
        """Compare one value and remember it if it differs."""
        self.values += 1
        if not same(found, expected):
            self.findings.append(Finding(file, task, question, name, found, expected))


def verify_runs(path: Path) -> list[Verified]:
    """Verify every results file below a folder.

    Args:
        path: A results file, or a folder, which is searched whole.

    Returns:
        What became of each, in the order of their names.

    Raises:
        OptionError: The path does not exist.
        DataError: A results file cannot be read, or none has tasks of this package.
    """
    files = [read_results(file) for file in find_results(path)]
    if not files:
        raise DataError(f"{path} has no results_*.json: give the --output_path of a run of lm_eval")
    own = [file for file in files if file.ours]
    if not own:
        raise DataError(f"{path} has no results of lm-eval-ja's tasks")
    return [verify(file) for file in own]


def verify(file: ResultsFile) -> Verified:
    """Verify one results file and its samples.

    Args:
        file: The results file.

    Returns:
        What was compared, what differs and what could not be verified.
    """
    verified = Verified(file.path, str(file.raw.get("model_name") or file.path.parent.name))
    entries: dict[str, Mapping[str, Any]] = {}
    for task in file.ours:
        logged = mapping(file.raw["results"].get(task))
        try:
            entries[task] = _task(file, task, verified)
        except LmEvalJaError as error:
            entries[task] = logged
            verified.unverified.append(f"{task}: {error}")
        except _BROKEN as error:
            entries[task] = logged
            verified.findings.append(
                Finding(file.path, task, "", "configuration", repr(error), "what the task wrote")
            )
        else:
            verified.tasks.append(task)
            _entry(file.path, task, logged, entries[task], verified)
    _groups(file, entries, verified)
    verified.unverified = list(dict.fromkeys(verified.unverified))
    return verified


# ------------------------------------------------------------------------------------------------------- tasks


def _task(file: ResultsFile, task: str, verified: Verified) -> Mapping[str, Any]:
    """The task's entry in the results as its answers have it; what its samples get wrong is remembered.

    Raises:
        LmEvalJaError: Nothing can be worked out.
    """
    path = file.samples(task)
    if not path.is_file():
        raise DataError(f"no samples ({path.name} is missing): its scores are taken as they stand")
    metadata, config = file.metadata(task), mapping(mapping(file.raw.get("configs")).get(task))
    signature = parse_signature(metadata["signature"])
    metrics = [own["metric"] for own in config["metric_list"]]
    if metrics == ["bypass"]:
        raise DataError("it was generated only (--predict_only): there are no scores")
    lines = _lines(path, task, verified)
    if not lines:
        raise DataError(f"{path.name} holds no samples: its scores are taken as they stand")
    kind = kind_of(lines[0], signature, metadata.get("category"), metrics)
    items = [values for line in lines if (values := _sample(path, task, line, kind, verified)) is not None]
    verified.unverified += [f"{task}: {what}" for what in kind.unverified]
    verified.questions += len(lines)
    _facts(file, task, signature, lines, kind, verified)
    if len(items) < len(lines):
        raise DataError(
            f"its scores: {len(lines) - len(items)} of {len(lines)} samples cannot be scored again"
        )
    entry = {"sample_len": len(lines), **kind.scores(items)}
    if not mapping(file.raw.get("config")).get("bootstrap_iters", 1):  # asked for no standard errors
        logged = mapping(file.raw["results"].get(task))
        entry |= {key: "N/A" for key in entry if logged.get(key) == "N/A" and "_stderr," in key}
    return entry


def _lines(path: Path, task: str, verified: Verified) -> list[dict[str, Any]]:
    """The samples in the order in which the questions were asked."""
    lines = []
    seen: set[str] = set()
    try:
        for number, line in read_lines(path):
            own = str(mapping(line.get("doc")).get("id")) if line is not None else f"line {number}"
            if line is None or "id" not in mapping(line.get("doc")):
                verified.findings.append(
                    Finding(path, task, f"line {number}", "sample", "damaged", "a sample")
                )
            elif own in seen:
                verified.findings.append(Finding(path, task, own, "sample", "a second one", "one"))
            else:
                seen.add(own)
                lines.append(line)
    except OSError as error:
        raise DataError(f"{path.name} cannot be read ({error})") from error
    return lines


def _sample(
    path: Path, task: str, line: Mapping[str, Any], kind: Kind, verified: Verified
) -> Mapping[str, Any] | None:
    """Check one sample; its values for the task's scores, None if it can't be scored."""
    question = str(line["doc"]["id"])
    try:
        own = kind.sample(line)
        hashes = _hashes(line)
    except (*_BROKEN, LmEvalJaError) as error:
        verified.findings.append(
            Finding(path, task, question, "sample", f"cannot be scored ({error!r})", "as it was logged")
        )
        return None
    for name, expected in {**own.fields, **hashes}.items():
        verified.compare(path, task, question, name, line.get(name), expected)
    verified.values += own.checked
    verified.findings += [
        Finding(path, task, question, name, found, expected) for name, found, expected in own.inside
    ]
    verified.unverified += [f"{task}: {what}" for what in own.unverified]
    return own.values


def _hashes(line: Mapping[str, Any]) -> dict[str, str]:
    """The harness's hashes of question, prompt and gold answer, of those that the sample has."""
    texts = {
        "doc_hash": json.dumps(line["doc"], indent=2, ensure_ascii=False),
        "prompt_hash": line["arguments"]["gen_args_0"]["arg_0"],
        "target_hash": str(line["target"]),
    }
    return {
        name: sha256(text.encode()).hexdigest()
        for name, text in texts.items()
        if name in line and isinstance(text, str)
    }


def _facts(
    file: ResultsFile,
    task: str,
    signature: Mapping[str, str],
    lines: Sequence[Mapping[str, Any]],
    kind: Kind,
    verified: Verified,
) -> None:
    """Hold numbers of questions, the signature and the digests of all questions against the samples."""
    asked, _, total = signature["n"].partition("of")
    raw = file.raw
    facts: list[tuple[str, Any, Any]] = [("signature, n", asked, str(len(lines)))]
    counts = mapping(mapping(raw.get("n-samples")).get(task))
    if counts:
        facts.append(("n-samples, effective", counts.get("effective"), len(lines)))
        facts.append(("n-samples, original", counts.get("original"), int(total or asked)))
    if task in mapping(raw.get("n-shot")):
        facts.append(("n-shot", raw["n-shot"][task], int(signature["shots"])))
    if task in mapping(raw.get("versions")):
        facts.append(("version", raw["versions"][task], file.metadata(task).get("version")))
    facts += _normalization(file, task, signature)
    hashes = mapping(raw.get("task_hashes"))
    if task in hashes and all("doc_hash" in line for line in lines):
        text = "".join(line["doc_hash"] + line["prompt_hash"] + line["target_hash"] for line in lines)
        facts.append(("task_hashes", hashes[task], sha256(text.encode()).hexdigest()))
    if total:
        verified.unverified.append(
            f"{task}: the data digest, which is of all {total} questions; {asked} of them were asked"
        )
    else:
        ordered = sorted(lines, key=lambda line: int(line["doc_id"]))
        given = signature["data"]
        prefix = given[: given.rfind("-") + 1]
        digest = prefix + kind.digest([line["doc"] for line in ordered])
        facts.append(("signature, data (digest of questions and gold answers)", given, digest))
    for name, found, expected in facts:
        verified.compare(file.path, task, "", name, found, expected)


def _normalization(file: ResultsFile, task: str, signature: Mapping[str, str]) -> list[tuple[str, Any, Any]]:
    """The steps that the configuration tells of, beside those of the signature."""
    for pipeline in mapping(mapping(file.raw.get("configs")).get(task)).get("filter_list") or ():
        for own in pipeline.get("filter", ()):
            if own.get("function") == "lm_eval_ja_normalize":
                return [("normalization steps", own.get("steps"), list(read_steps(signature["norm"])))]
    return []


# ------------------------------------------------------------------------------------------- the results file


def _entry(
    path: Path,
    name: str,
    logged: Mapping[str, Any],
    expected: Mapping[str, Any],
    verified: Verified,
    prefix: str = "",
) -> None:
    """Compare an entry of the results; a score that nothing accounts for is a finding, too."""
    for key, value in expected.items():
        verified.compare(path, name, "", f"{prefix}{key}", logged.get(key), value)
    for key in logged.keys() - expected.keys():
        if "," in key and isinstance(logged[key], int | float):
            verified.compare(path, name, "", f"{prefix}{key}", logged[key], None)


def _groups(file: ResultsFile, entries: dict[str, Mapping[str, Any]], verified: Verified) -> None:
    """Compare the groups with what follows from the tasks, members first."""
    results, groups = file.raw["results"], mapping(file.raw.get("groups"))
    done: set[str] = set()
    for protocol in map(load_protocol, protocol_names()):
        for node in protocol.members_first():
            if node.name in done or node.name in entries or node.name not in {*results, *groups}:
                continue
            done.add(node.name)
            members = [child.task if isinstance(child, Leaf) else child.name for child in node.children]
            there = {member: entries[member] for member in members if member in entries}
            if not there:
                verified.unverified.append(f"{node.name}: none of its members is in the file")
                continue
            asked = mapping(file.raw.get("group_subtasks")).get(node.name) or list(there)
            parts = [entries.get(name) or mapping(results.get(name)) for name in dict.fromkeys(asked)]
            entries[node.name] = _group(node, there, parts)
            for section, prefix in ((results, ""), (groups, "groups, ")):
                if node.name in section:
                    logged = mapping(section[node.name])
                    _entry(file.path, node.name, logged, entries[node.name], verified, prefix)
    for name in results:
        if name not in entries and name not in file.ours and find_node(name) is None:
            verified.unverified.append(f"{name}: no task or average of lm-eval-ja")


def _group(
    node: Node, there: Mapping[str, Mapping[str, Any]], parts: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """A group's entry: its score from the members that are there, its questions from those that it was run with."""
    score = group_score(node.name, there)
    entry: dict[str, Any] = {"sample_len": sum(part.get("sample_len", 0) for part in parts)}
    if isinstance(score, Score):
        return entry | score_entry({SCORE: score.value, f"{SCORE}_stderr": score.stderr})
    return entry | {f"{SCORE},none": math.nan}
