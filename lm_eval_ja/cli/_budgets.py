"""Whether gold answers fit into the protocol's token limits, for ``lm-eval-ja doctor --tokenizer``."""

import json
from collections.abc import Sequence
from typing import Any

from lm_eval_ja.cli._harness import load_tasks, parse_metadata
from lm_eval_ja.cli._prepare import print_table
from lm_eval_ja.errors import OptionError
from lm_eval_ja.metrics import METRICS, apply_steps


def report_budgets(tokenizer_name: str, tasks: str, metadata: str | Sequence[str] | None) -> int:
    """Print, per dataset, how many gold answers need more tokens than the limit and what score is left.

    Returns:
        0 if every gold answer fits, else 1.

    Raises:
        OptionError: The tokenizer can't be loaded, or a task is unknown or has no gold answers.
        DataError: A dataset is unavailable.
    """
    from lm_eval_ja.models.recorded import load_tokenizer

    tokenizer = load_tokenizer(tokenizer_name)
    rows = []
    capped = []
    factor = 1
    given = parse_metadata(metadata)
    for name, task in load_tasks(tasks.split(","), metadata=given).items():
        if not hasattr(getattr(task, "block", None), "output_length"):
            raise OptionError(f"{name} has no gold answers with a token limit: name jaster tasks only")
        share, longest, ceiling = _budget(task, tokenizer)
        best = f"{ceiling:.4f}"
        rows.append(
            (
                task.block.dataset,
                str(_limit(task)),
                str(longest),
                f"{share:.1%}",
                task.block.metrics[0],
                best,
            )
        )
        if share:
            capped.append(task.block.dataset)
            factor = max(factor, -(-longest // task.block.output_length))
    print_table(("dataset", "limit", "longest gold", "golds over limit", "metric", "best possible"), rows)
    if capped:
        wanted = json.dumps({**given, "token_budget": f"x{factor}"}, ensure_ascii=False)
        print(
            f"With this tokenizer correct answers of {', '.join(capped)} are truncated. Published scores have the same "
            "limit, in tokens of other tokenizers. To measure the model rather than the limit, raise all limits (no "
            "limit is lowered; the signature then says that the run deviates from the protocol):\n"
            f"  lm_eval run … --tasks {tasks} --metadata '{wanted}'"
        )
    return 1 if capped else 0


def _limit(task: Any) -> int:
    """Most new tokens as the task asks."""
    return int(task.config.generation_kwargs["max_gen_toks"])


def _budget(task: Any, tokenizer: Any) -> tuple[float, int, float]:
    """Share of gold answers over the limit, tokens of the longest, best possible score.

    The best a model can do is to write the gold answer as in the source and be cut at the limit.
    """
    lengths, predictions, golds = [], [], []
    for doc in task.eval_docs:
        ids = tokenizer.encode(doc["output"], add_special_tokens=False)
        lengths.append(len(ids))
        text = doc["output"]
        if len(ids) > _limit(task):
            text = tokenizer.decode(ids[: _limit(task)], skip_special_tokens=True)
        predictions.append(apply_steps(text, task.block.normalization))
        golds.append(task.doc_to_target(doc))
    over = sum(length > _limit(task) for length in lengths)
    return over / len(lengths), max(lengths), METRICS[task.block.metrics[0]].score(predictions, golds)
