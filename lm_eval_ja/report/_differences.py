"""What sets a table apart from the first one of its protocol, in plain words."""

import re

from lm_eval_ja.analysis import SettingDifference

NAMES = {
    "gen": "generation settings",
    "judge": "judge",
    "judge_prompts": "judge's prompts",
    "judge_repeats": "judgments per answer",
    "judge_strict": "strict judging",
    "norm": "normalization",
    "shots": "worked examples",
    "split": "split",
    "style": "prompt",
    "sys": "system instruction",
    "task_version": "version of the task",
    "thoughts": "thoughts",
}
"""What the fields of a signature are called; others by their own name."""

_PLAIN = {"–": "none", "": "the protocol's"}
_SOME = re.compile(r"(\d+)of(\d+)")


def in_words(difference: SettingDifference) -> str:
    """Say a difference.

    Examples:
        >>> in_words(SettingDifference("n", "100, 20", "10of100, 10of20", 16))
        'this table has all questions; table 1 has only 10 per dataset'
        >>> in_words(SettingDifference("style", "chat", "alpaca", 16))
        'prompt: here chat; in table 1 alpaca (16 tasks)'
        >>> in_words(SettingDifference("gen", "deviates:max_gen_toks=64", "greedy-3, greedy-7, …", 16))
        "generation settings: here max_gen_toks=64; in table 1 the protocol's (16 tasks)"
        >>> in_words(SettingDifference("data", "1a2b3c", "4d5e6f", 1))
        'the questions are not those of table 1'
    """
    here, there = difference.here, difference.there
    if difference.setting == "data":
        return f"the questions are not those of table 1{_in(difference)}"
    if difference.setting == "n":
        (kind, number), (other, others) = asked(here, there), asked(there, here)
        return f"this table has {_ASKED[kind].format(number)}; table 1 has {_ASKED[other].format(others)}"
    here, there = (_PLAIN.get(value, value) for value in map(generation, (here, there)))
    name = NAMES.get(difference.setting, difference.setting)
    return f"{name}: here {here}; in table 1 {there}{_in(difference)}"


def asked(own: str, other: str) -> tuple[str, str]:
    """How many questions a table asked: values of a signature's ``n``, beside those of the other table.

    Returns:
        ``all``, ``only``, ``some`` or ``each``; and how many per dataset, if that is one number or not known to be all.

    Examples:
        >>> asked("10of100", "100"), asked("100", "10of100"), asked("50", "100"), asked("5of6, 6of6", "6")
        (('only', '10'), ('all', ''), ('each', '50'), ('some', ''))
    """
    parts = [part for part in own.split(", ") if part != "…"]
    numbers = [match[1] for part in parts if (match := _SOME.fullmatch(part))]
    if numbers:
        same = len(numbers) == len(parts) and len(set(numbers)) == 1
        return ("only", numbers[0]) if same else ("some", "")
    totals = [match[2] for part in other.split(", ") if (match := _SOME.fullmatch(part))]
    return ("all", "") if totals == parts else ("each", own)


_ASKED = {
    "all": "all questions",
    "only": "only {} per dataset",
    "some": "only some of the questions",
    "each": "{} per dataset",
}


def generation(values: str) -> str:
    """Values of a signature's ``gen`` without the words for it: what deviates; nothing where it is the protocol's way.

    Examples:
        >>> generation("deviates:max_gen_toks=64, deviates:until=['#']"), generation("greedy-3, greedy-7, …")
        ("max_gen_toks=64, until=['#']", '')
    """
    if values.startswith(("greedy-", "per-category-")) and "deviates:" not in values:
        return ""
    return values.replace("deviates:", "")


def _in(difference: SettingDifference) -> str:
    return f" ({difference.tasks} tasks)" if difference.tasks > 1 else ""
