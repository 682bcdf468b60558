"""Metrics that look at an answer's form only, as they are where a dataset asks for no form: see `Metric.of_form`."""


def in_form(prediction: str, gold: str) -> float:  # noqa: ARG001  # a metric's
    """Tell whether there is an answer; on datasets that ask for a form, whether it has that form.

    Nejumi 3 and 4 call the share of such answers control (制御性).

    Args:
        prediction: The normalised prediction.
        gold: The gold answer, which does not matter.

    Returns:
        1.0 or 0.0.
    """
    return float(prediction != "")


def ool(prediction: str, gold: str) -> float:
    """Tell whether the answer is out of the list of labels, or has another form than asked for: 1 - `in_form`.

    llm-jp-eval 2.1 reports its mean beside every score; where a dataset has no list, of empty answers (inferred).

    Args:
        prediction: The normalised prediction.
        gold: The gold answer, which does not matter.

    Returns:
        1.0 or 0.0.
    """
    return 1.0 - in_form(prediction, gold)
