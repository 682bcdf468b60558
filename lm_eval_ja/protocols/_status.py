"""How sure it is that what a run asked are the reference's own questions."""

from collections.abc import Mapping

from lm_eval_ja.protocols._files import find_rules
from lm_eval_ja.protocols._schema import Status

SAMPLE = "sample"
"""In place of a status where the questions are made up."""


def data_status(task: str, fields: Mapping[str, str]) -> Status | str:
    """Say it of one task of one run.

    Args:
        task: The harness's task.
        fields: Its signature's: ``data``, a digest, behind ``own-`` where nothing vouches for the user's own file and
            behind ``sample-`` where it is made up; ``split``; ``n``, the number of questions.

    Returns:
        A `Status`, ``sample``, or nothing for a task of no dataset's.

    Examples:
        >>> data_status("llm_jp_eval_jamp", {"data": "0a1b2c3d4e5f", "split": "dev", "n": "100"})
        'certified'
        >>> data_status("llm_jp_eval_jnli", {"data": "own-0a1b2c3d4e5f", "split": "dev", "n": "100"})
        'own data'
        >>> data_status("nejumi_jaster_jamp", {"data": "0a1b2c3d4e5f", "split": "test", "n": "348"})
        'reconstructed'
    """
    rules = find_rules(task)
    if rules is None:
        return ""
    data = fields.get("data", "")
    if data.startswith(f"{SAMPLE}-"):
        return SAMPLE
    if data.startswith("own-"):
        return "own data"
    number = fields.get("n", "").rpartition("of")[2]
    more = number.isdecimal() and rules.questions > 0 and int(number) > rules.questions
    if fields.get("split") != rules.split or (rules.status == "replayed" and more):
        return "reconstructed"
    # Where only its owner has a file, one without a label is the file whose digest is published.
    return "certified" if rules.status == "own data" else rules.status
