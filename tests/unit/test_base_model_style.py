"""The prompt of llm-jp-eval 2.1 for base models, held against its template as Jinja renders it."""

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_eval_ja.prompts import Shot, make_style

TEMPLATE = """\
以下は、タスクを説明する指示と、文脈のある入力の組み合わせです。要求を適切に満たす応答を書きなさい。

### 指示:
{{ dataset_instruction }}
回答以外には何も含めないことを厳守してください。
{%- if few_shots %}
{%- for shot in few_shots %}

### 入力:
{{ shot.input }}

### 応答:
{{ shot.output }}

{%- endfor %}
{% endif %}
### 入力:
{{ input }}

### 応答:
"""
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(TEXTS, st.lists(st.builds(Shot, TEXTS, TEXTS), max_size=3), TEXTS)
def test_the_prompt_is_what_jinja_renders(instruction, shots, question):
    template = jinja2.Environment(autoescape=False).from_string(TEMPLATE)  # noqa: S701  # no HTML
    wanted = template.render(dataset_instruction=instruction, few_shots=shots, input=question)
    assert make_style("alpaca_2_1").text(instruction, shots, question) == wanted


@pytest.mark.parametrize("shots", [[], [Shot("1+1", "2")]])
def test_its_signature_name_is_its_own(shots):
    style = make_style("alpaca_2_1")
    assert style.name == "alpaca_2_1"
    assert style.text("足せ。", shots, "2+2").endswith("\n### 入力:\n2+2\n\n### 応答:")
