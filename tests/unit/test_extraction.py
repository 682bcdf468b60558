"""Where the answer stands: each step equals the reference's regular expression, on any text and in linear time."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lm_eval_ja.metrics import EXTRACTIONS, apply_steps, check_steps

# llm-jp-eval 2.1's answer patterns, as the facts have them. "".join(groups).strip() of the first match, else "".
PATTERNS = {
    "answer_tags": r"<answer>(.*?)</answer>",
    "first_line": r"(?s)^(.*?)(?=\n|\Z)",
    "json_block": r"```json\s*\n?(.*?)\n?```",
    "code_block": r"```(?:\w+)?\s*\n?(.*?)\n?```",
    "boxed": r"\\boxed\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}",
}
PIECES = st.sampled_from(
    [
        "<answer>",
        "</answer>",
        "```",
        "`",
        "json",
        "\n",
        " ",
        "\\boxed{",
        "{",
        "}",
        "答え",
        "3",
        "</answer",
        "\u3000",
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=3), max_size=14).map("".join)


@pytest.mark.parametrize("step", PATTERNS)
@given(TEXTS)
@example("<answer> neutral </answer>")
@example("```json\n{}\n```")
@example("```42```")
@example("\n3")
def test_a_step_is_the_references_pattern(step, text):
    found = re.search(PATTERNS[step], text, re.DOTALL)
    assert apply_steps(text, [step]) == ("".join(found.groups()).strip() if found else "")


@given(TEXTS)
def test_the_default_pattern_is_the_cut_at_a_blank_line(text):
    found = re.search(r"(?s)^(.*?)(?=\n\n|\Z)", text)
    assert found is not None
    wanted = unicodedata.normalize("NFKC", found[1].strip())
    assert apply_steps(text, ["cut_at_blank_line", "strip", "nfkc"]) == wanted


@pytest.mark.parametrize(
    ("step", "output", "wanted"),
    [
        ("answer_tags", "理由は…\n<answer>\nneutral\n</answer>", "neutral"),
        ("answer_tags", "<answer>a</answer><answer>b</answer>", "a"),
        ("answer_tags", "<answer>a", ""),
        ("answer_tags", "<Answer>a</Answer>", ""),
        ("first_line", "B。\n理由は…", "B。"),
        ("json_block", "```\n{}\n```", ""),
        ("code_block", "```python\ndef f():\n    pass\n```", "def f():\n    pass"),
        ("boxed", r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        ("boxed", r"\boxed{\frac{\sqrt{2}}{2}}", ""),
        ("boxed", r"\boxed{1}, \boxed{2}", "1"),
    ],
)
def test_golden(step, output, wanted):
    assert apply_steps(output, [step]) == wanted


def test_every_extraction_is_a_step():
    check_steps(EXTRACTIONS)
    assert set(EXTRACTIONS) == set(PATTERNS)


@pytest.mark.parametrize("step", EXTRACTIONS)
@pytest.mark.parametrize("piece", ["<answer>", "```json", "```a", "\\boxed{", "\\boxed{{a}", "{a}", "\n"])
def test_a_long_output_is_read_in_linear_time(step, piece):
    """In quadratic time, it would never end within a test's time limit."""
    assert isinstance(apply_steps(piece * 200_000, [step]), str)


# ------------------------------------------------------------------------------------------------ Nejumi's steps


def reference(output: str, prepare: str) -> str:
    """What Nejumi 3 and 4 do, in the order of the facts (NEJUMI34, section 2)."""
    if prepare in ("deletions", "label"):
        if prepare == "deletions":
            for prefix in ("応答:", "回答:", "答え:"):
                output = output.replace(prefix, "")
        output = output.strip().lower()
    elif prepare == "strip":
        output = output.strip()
    output = output.split("\n\n")[0].strip().strip("'").strip('"').strip()
    return unicodedata.normalize("NFKC", output)


STEPS = {
    "label": ["strip", "lower", "cut_at_blank_line", "strip_quotes", "nfkc"],
    "deletions": ["drop_response_prefix", "strip", "lower", "cut_at_blank_line", "strip_quotes", "nfkc"],
    "strip": ["strip", "cut_at_blank_line", "strip_quotes", "nfkc"],
    "untouched": ["cut_at_blank_line", "strip_quotes", "nfkc"],
}
ANSWERS = st.lists(
    st.sampled_from(["応答:", "回答:", "答え:", "\n", "\n\n", "'", '"', " ", "Ａ", "Neutral", "：", "３"])
    | st.text(max_size=2),
    max_size=10,
).map("".join)


@pytest.mark.parametrize("kind", STEPS)
@given(ANSWERS)
@example("\n\n3")
@example("'\"neutral\"'")
def test_nejumis_normalization(kind, output):
    assert apply_steps(output, STEPS[kind]) == reference(output, kind)


def test_only_a_formatter_that_strips_saves_an_answer_behind_a_blank_line():
    assert apply_steps("\n\nneutral", STEPS["label"]) == "neutral"
    assert apply_steps("\n\n3", STEPS["untouched"]) == ""
