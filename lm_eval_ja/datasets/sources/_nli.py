"""The wording that all inference datasets share."""


def nli_question(premise: str, hypothesis: str) -> str:
    """The input of every inference dataset (PROTOCOL section 1)."""
    return f"前提：{premise}\n仮説：{hypothesis}"
