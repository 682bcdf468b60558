"""Forms of an answer that several sources ask for. Nothing is stripped here; an empty answer has no form."""

from collections.abc import Collection

from lm_eval_ja.datasets.sources._provides import AnswerForm


def one_of(allowed: Collection[str]) -> AnswerForm:
    """The answer is one of these texts."""
    return frozenset(allowed).__contains__


def every_line(form: AnswerForm) -> AnswerForm:
    """Every line of the answer has a form."""
    return lambda text: all(form(line) for line in text.split("\n"))


def number(text: str) -> bool:
    """Python's ``float`` accepts it; so white space around it, ``1_000`` and ``nan`` pass."""
    try:
        float(text)
    except ValueError:
        return False
    return True


THREE_WAY = one_of(("entailment", "contradiction", "neutral"))
LETTER = one_of("ABCD")
BINARY = one_of("01")
