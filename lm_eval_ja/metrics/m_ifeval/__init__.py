"""M-IFEval, Japanese part: does a response follow instructions that a program can check?

Behavior as in lightblue-tech/M-IFEval at 0bc3143 (Apache-2.0), with every quirk that changes a verdict; written from a
description of that behavior. `evaluate` judges a response, `values` turns the verdicts into a prompt's scores,
`instruction_accuracy` adds them up. Words and languages need the extra ``ifeval``, see `require_packages`.
"""

from lm_eval_ja.metrics.m_ifeval._instructions import INSTRUCTION_IDS, Instruction, parse_instructions
from lm_eval_ja.metrics.m_ifeval._sentences import count_sentences
from lm_eval_ja.metrics.m_ifeval._tokens import require_packages
from lm_eval_ja.metrics.m_ifeval._verdicts import (
    METRICS,
    Followed,
    Verdict,
    evaluate,
    instruction_accuracy,
    instruction_stderr,
    values,
    variants,
)

__all__ = [
    "INSTRUCTION_IDS",
    "METRICS",
    "Followed",
    "Instruction",
    "Verdict",
    "count_sentences",
    "evaluate",
    "instruction_accuracy",
    "instruction_stderr",
    "parse_instructions",
    "require_packages",
    "values",
    "variants",
]
