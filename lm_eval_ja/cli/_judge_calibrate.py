"""``lm-eval-ja judge --calibrate``: hold a new judge against ratings that are known."""

import argparse
import dataclasses
import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lm_eval_ja.analysis.agreement import Estimate, Mapped
from lm_eval_ja.errors import DataError, OptionError
from lm_eval_ja.judge import Judgment, Messages, judge, plan, preflight
from lm_eval_ja.judge.mtbench import Session, store_path
from lm_eval_ja.judge.options import JudgeOptions
from lm_eval_ja.rescoring import (
    Calibration,
    FrozenAnswer,
    calibrate,
    calibration_requests,
    find_runs,
    freeze,
    freeze_runs,
    human_mean,
    map_scores,
    read_frozen,
    read_human,
    unanswered,
    write_frozen,
)

_Scores = Mapping[str, Mapping[str, Mapped]]


def run(args: argparse.Namespace, options: JudgeOptions) -> int:
    """Calibrate.

    Returns:
        Exit status: 0; 1 if a run's score could not be mapped, or limits forbade to judge.

    Raises:
        OptionError: An option cannot work.
        DataError: There are no known ratings, or they say too little.
        JudgeError: The judge cannot be used.
    """
    frozen = read_frozen(args.calibrate) if args.calibrate else freeze_runs(args.from_run)
    if args.freeze:
        write_frozen(frozen, args.freeze)
        print(f"written: {args.freeze} ({len(frozen)} answers, rated by {_judges(frozen)})")
        return 0
    targets, blank = _targets(args.folder, options) if args.folder else ({}, {})
    human = read_human(args.human) if args.human else None
    if human is not None:  # before anything is paid for
        for rated in targets.values() or [frozen]:
            human_mean(rated, human)
    options = dataclasses.replace(options, data=frozen[0].data)  # type: ignore[arg-type]  # checked by the options
    requests, probed = calibration_requests(frozen, options.prompts())
    judgments = _judge(requests, options)
    if judgments is None:
        return 0 if options.judge_dry_run else 1
    found = calibrate(frozen, probed, judgments, options.config())
    print("\n".join(_lines(found)))
    mapped = {name: map_scores(found, rated, args.max_width, blank[name]) for name, rated in targets.items()}
    for name, scores in mapped.items():
        print(f"\n{name}, rated by {found.new}, on the scale of {', '.join(found.old)}:")
        print("\n".join(f"  {label:<13} {_mapped(score)}" for label, score in scores.items()))
    humans = {} if human is None else _humans(found, targets, human)
    if args.json:
        _write_json(args.json, found, mapped, humans)
    return 1 if any(scores["score"].refusal is not None for scores in mapped.values()) else 0


def _judges(answers: Sequence[FrozenAnswer]) -> str:
    return ", ".join(sorted({answer.judge for answer in answers}))


def _targets(
    folder: Path, options: JudgeOptions
) -> tuple[dict[str, list[FrozenAnswer]], dict[str, Mapping[str, int]]]:
    """The runs whose scores are to be mapped: turns as the new judge has rated them; turns without an answer."""
    targets = {}
    blank: dict[str, Mapping[str, int]] = {}
    for results in find_runs(folder)[0]:
        rated = freeze(results)
        if _judges(rated) != options.judge_model:
            raise DataError(
                f"{results.path}: rated by {_judges(rated)}, not by {options.judge_model}: judge it first, with "
                f"`lm-eval-ja judge {folder} --judge_model {options.judge_model}`"
            )
        if {len(answer.ratings) for answer in rated} != {options.judge_repeats}:
            print(
                f"{results.path}: not rated {options.judge_repeats} times each, as the frozen answers are now: its "
                "interval holds for the same --judge_repeats only",
                file=sys.stderr,
            )
        targets[str(results.path.parent)] = rated
        blank[str(results.path.parent)] = unanswered(results)
    return targets, blank


def _judge(requests: Sequence[Messages], options: JudgeOptions) -> list[Judgment] | None:
    """Ask the new judge, within the limits; None if they forbid it."""
    config = options.config()
    if options.judge_dry_run or options.judge_max_cost is not None:
        refusal = Session("calibration", options, None).refuse(plan(requests, config, store_path()))
        if refusal is not None:
            print(refusal, file=sys.stderr)
            return None
    if options.judge_preflight:
        preflight(config)
    return judge(requests, config, store_path())


def _humans(
    found: Calibration, targets: Mapping[str, Sequence[FrozenAnswer]], human: Mapping[tuple[str, int], float]
) -> dict[str, Estimate]:
    """What humans would say of each run, or of the frozen answers where there is none."""
    again = [dataclasses.replace(answer, ratings=(rating,)) for answer, rating in found.pairs]
    humans = {}
    for name, rated in (targets or {"frozen answers": again}).items():
        humans[name], known, others = human_mean(rated, human)
        print(
            f"\n{name}: humans would rate {_estimate(humans[name])} on average ({known} turns rated by humans, "
            f"{known + others} by {found.new})"
        )
    return humans


def _lines(found: Calibration) -> list[str]:
    own, probe = found.agreement, found.probe
    unrated = f"; {own.unrated} frozen answers got no rating" if own.unrated else ""
    many = "s" if found.repeats > 1 else ""
    return [
        (
            f"{own.answers} answers of {own.questions} questions, rated by {', '.join(found.old)} and by {found.new} "
            f"({found.repeats} judgment{many} each){unrated}"
        ),
        f"  difference    new - old: {_estimate(own.difference, '+')}",
        (
            f"  scale         new = offset + slope x old: offset {_estimate(own.offset, '+')}, "
            f"slope {_estimate(own.slope)}"
        ),
        (
            f"  agreement     Krippendorff's alpha {own.alpha:.2f}, weighted kappa {own.kappa:.2f}; same rating "
            f"{own.exact:.0%}, within 1 point {own.near:.0%}"
        ),
        f"  with itself   {_self(found)}",
        f"  length        {_effect(found.length, 'for an answer twice as long', 'lengths do not differ')}",
        f"  second turns  {_effect(found.second_turn, 'against first ones', 'one turn only')}",
        "  position      does not apply: one answer is rated at a time",
        "  injection     "
        + (
            "no answer has a rating low enough to be raised"
            if probe is None
            else f"{probe.answers} answers that ask for a 10: ratings change by {probe.change:+.2f}; {probe.raised} "
            f"raised and {probe.lowered} lowered by 2 or more"
        ),
    ]


def _self(found: Calibration) -> str:
    new = (
        "unknown: needs --judge_repeats 2 or more"
        if found.self_new is None
        else f"alpha {found.self_new:.2f} over {found.repeats} repeats"
    )
    return new if found.self_old is None else f"{new}; old judge: alpha {found.self_old:.2f}"


def _effect(effect: Estimate | None, what: str, otherwise: str) -> str:
    return otherwise if effect is None else f"{_estimate(effect, '+')} {what}, at equal old rating"


def _estimate(estimate: Estimate, sign: str = "") -> str:
    return f"{estimate.value:{sign}.2f} [{estimate.low:{sign}.2f}, {estimate.high:{sign}.2f}]"


def _mapped(score: Mapped) -> str:
    if score.refusal is not None or score.mapped is None:
        return f"{score.given:.2f} -> refused: {score.refusal}"
    return f"{score.given:.2f} -> {_estimate(score.mapped)}"


def _write_json(path: Path, found: Calibration, mapped: _Scores, humans: Mapping[str, Estimate]) -> None:
    values = dataclasses.asdict(dataclasses.replace(found, pairs=()))
    values["pairs"] = [
        {"run": own.run, "id": own.id, "turn": own.turn, "old": own.rating, "new": rating}
        for own, rating in found.pairs
    ]
    values["mapped"] = {
        name: {label: dataclasses.asdict(score) for label, score in scores.items()}
        for name, scores in mapped.items()
    }
    values["human"] = {name: dataclasses.asdict(estimate) for name, estimate in humans.items()}
    text = json.dumps(_finite(values), indent=2, ensure_ascii=False)
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise OptionError(f"--json {path}: {error.strerror or error}") from None
    print(f"written: {path}")


def _finite(value: Any) -> Any:
    """NaN as null, which JSON has."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(own) for key, own in value.items()}
    return [_finite(own) for own in value] if isinstance(value, list | tuple) else value
