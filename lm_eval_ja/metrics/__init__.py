"""How an answer is scored: pure functions from strings to numbers, with no knowledge of any harness.

Every metric takes the *normalised* prediction (`normalize`) and the gold answer (`gold`), never crashes on
odd text, and says in its docstring which oddities of the references it keeps.
"""

from lm_eval_ja.metrics._bleu import bleu_en, bleu_ja, bleu_reference_quirk, bleu_signature
from lm_eval_ja.metrics._correlation import parse_number, pearson, spearman
from lm_eval_ja.metrics._form import in_form, ool
from lm_eval_ja.metrics._normalize import (
    CUT,
    DROP_ANSWER_PREFIX,
    EXTRACTIONS,
    LOWER,
    NFKC,
    STEPS,
    STRIP,
    apply_steps,
    check_steps,
    gold,
    nfkc,
    normalize,
    read_steps,
    write_steps,
)
from lm_eval_ja.metrics._registry import METRICS, Metric
from lm_eval_ja.metrics._samples import pass_at_k, sample_metrics, sample_score, sample_values
from lm_eval_ja.metrics._text import char_f1, exact_match, exact_match_figure, set_f1
from lm_eval_ja.metrics.mathematics import mathematical_equivalence

__all__ = [
    "CUT",
    "DROP_ANSWER_PREFIX",
    "EXTRACTIONS",
    "LOWER",
    "METRICS",
    "NFKC",
    "STEPS",
    "STRIP",
    "Metric",
    "apply_steps",
    "bleu_en",
    "bleu_ja",
    "bleu_reference_quirk",
    "bleu_signature",
    "char_f1",
    "check_steps",
    "exact_match",
    "exact_match_figure",
    "gold",
    "in_form",
    "mathematical_equivalence",
    "nfkc",
    "normalize",
    "ool",
    "parse_number",
    "pass_at_k",
    "pearson",
    "read_steps",
    "sample_metrics",
    "sample_score",
    "sample_values",
    "set_f1",
    "spearman",
    "write_steps",
]
