"""The policy of a gate: what a candidate must keep and what it must gain, read from YAML and checked."""

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from lm_eval_ja._yaml import read_yaml
from lm_eval_ja.errors import OptionError
from lm_eval_ja.protocols import KEY_ORDER, Level

ALPHA = 0.05
_KEYS = ("rules", "alpha", "allow_different")
_MARGINS = ("lose_at_most", "gain_more_than")
_RULE_KEYS = ("score", "every", "below", *_MARGINS)
_LEVELS: tuple[str, ...] = get_args(Level)
_SETTINGS = (*KEY_ORDER, "task_version")


@dataclass(frozen=True)
class Rule:
    """One condition of a policy.

    Attributes:
        score: Name or label of the score; empty where ``level`` says that the rule is for many.
        level: Level whose every score the rule is for; empty otherwise.
        below: Name or label of the score below which those are; empty for all.
        limit: The difference, candidate minus baseline, must be above it.
        share: Whether the limit is a share of the score's best value, otherwise it is in the score's points.
        text: The condition as the policy has it, such as ``lose_at_most 0.01``.
    """

    score: str
    level: str
    below: str
    limit: float
    share: bool
    text: str

    def limit_of(self, best: float) -> float:
        """The limit in points of a score with this best value."""
        return self.limit * best if self.share else self.limit


@dataclass(frozen=True)
class Policy:
    """What a candidate is held against.

    Attributes:
        rules: The conditions; GO needs all of them.
        alpha: Most that a wrong GO may happen, and a wrong NO-GO.
        allow_different: Settings in which the runs may differ.
    """

    rules: tuple[Rule, ...]
    alpha: float = ALPHA
    allow_different: tuple[str, ...] = ()


def read_policy(path: Path) -> Policy:
    """Read a policy file.

    Args:
        path: A YAML file, see docs/gate.md.

    Raises:
        OptionError: It cannot be read or is not a policy; the message names the entry and what it may be.
    """
    try:
        raw = read_yaml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OptionError(f"policy {path} cannot be read: {error}") from error
    return parse_policy(raw, str(path))


def parse_policy(raw: Any, where: str = "policy") -> Policy:
    """Check what a policy file holds.

    Args:
        raw: The file's content.
        where: Its name, for messages.

    Raises:
        OptionError: It is not a policy.

    Examples:
        >>> parse_policy({"rules": [{"score": "AVG_jaster", "lose_at_most": 0.01}]}).rules
        (Rule(score='AVG_jaster', level='', below='', limit=-0.01, share=False, text='lose_at_most 0.01'),)
    """
    if not isinstance(raw, Mapping):
        raise OptionError(f"{where}: a policy is a mapping with the key rules")
    _check_keys(raw, _KEYS, where)
    rules = raw.get("rules")
    if not isinstance(rules, Sequence) or isinstance(rules, str) or not rules:
        raise OptionError(f"{where}: rules must be a list of one rule or more")
    alpha = _number(raw.get("alpha", ALPHA), f"{where}: alpha")
    if not 0 < alpha < 0.5:  # noqa: PLR2004  # more than a coin's
        raise OptionError(f"{where}: alpha is {alpha}; it must be above 0 and below 0.5, such as 0.05")
    allowed = raw.get("allow_different", [])
    if not isinstance(allowed, Sequence) or isinstance(allowed, str):
        raise OptionError(f"{where}: allow_different must be a list of settings, such as [shots]")
    for name in allowed:
        if name not in _SETTINGS:
            raise OptionError(
                f"{where}: allow_different has {name!r}, which is none of {', '.join(_SETTINGS)}"
            )
    return Policy(
        tuple(_rule(own, f"{where}: rule {number}") for number, own in enumerate(rules, 1)),
        alpha,
        tuple(allowed),
    )


def _rule(raw: Any, where: str) -> Rule:
    if not isinstance(raw, Mapping):
        raise OptionError(f"{where} must be a mapping such as {{score: AVG_jaster, lose_at_most: 0.01}}")
    _check_keys(raw, _RULE_KEYS, where)
    if ("score" in raw) == ("every" in raw):
        raise OptionError(f"{where} needs one of score (a score's name) and every (a level), not both")
    if sum(name in raw for name in _MARGINS) != 1:
        raise OptionError(f"{where} needs one of {' and '.join(_MARGINS)}, not both")
    (margin,) = (name for name in _MARGINS if name in raw)
    value, share = _margin(raw[margin], f"{where}: {margin}")
    if value < 0:
        raise OptionError(f"{where}: {margin} is {raw[margin]}; it must not be negative")
    if margin == "lose_at_most" and value == 0:
        raise OptionError(
            f"{where}: lose_at_most is 0, which equal models fail; give a loss that you accept, or gain_more_than: 0"
        )
    level, score = raw.get("every", ""), raw.get("score", "")
    if "every" in raw and level not in _LEVELS:
        raise OptionError(f"{where}: every is {level!r}; it must be one of {', '.join(_LEVELS)}")
    if "score" in raw and (not isinstance(score, str) or not score):
        raise OptionError(f"{where}: score is {score!r}; it must be a score's name, such as AVG_jaster")
    below = raw.get("below", "")
    if "below" in raw and (not level or not isinstance(below, str)):
        raise OptionError(f"{where}: below goes with every and is a score's name, such as AVG_jaster")
    limit = -value if margin == "lose_at_most" else value
    return Rule(score, level, below, limit, share, f"{margin} {raw[margin]}")


def _margin(value: Any, where: str) -> tuple[float, bool]:
    """A margin in points, or as a percentage of the score's best value."""
    if isinstance(value, str) and value.rstrip().endswith("%"):
        try:
            return _number(float(value.rstrip()[:-1]), where) / 100, True
        except ValueError:
            raise OptionError(f"{where} is {value!r}; write a number or a percentage such as 2%") from None
    return _number(value, where), False


def _check_keys(raw: Mapping[Any, Any], known: Sequence[str], where: str) -> None:
    for key in raw:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"it may have {', '.join(known)}"
            raise OptionError(f"{where}: unknown key {key!r}; {hint}")


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise OptionError(
            f"{where} is {value!r}; it must be a number (or, for margins, a percentage such as 2%)"
        )
    return float(value)
