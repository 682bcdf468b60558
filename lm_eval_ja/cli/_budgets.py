"""Whether gold answers fit into the protocol's token limits, for ``lm-eval-ja doctor --tokenizer``."""

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
        DataError: A dataset can't be had.
    """
    from lm_eval_ja.models.recorded import load_tokenizer

    tokenizer = load_tokenizer(tokenizer_name)
    rows = []
    capped = []
    for name, task in load_tasks(tasks.split(","), metadata=parse_metadata(metadata)).items():
        if not hasattr(getattr(task, "block", None), "output_length"):
            raise OptionError(f"{name} has no gold answers with a token limit: name jaster tasks only")
        share, longest, ceiling = _budget(task, tokenizer)
        best = f"{ceiling:.4f}"
        rows.append(
            (
                task.block.dataset,
                str(task.block.output_length),
                str(longest),
                f"{share:.1%}",
                task.block.metrics[0],
                best,
            )
        )
        if share:
            capped.append(task.block.dataset)
    print_table(("dataset", "limit", "longest gold", "golds over limit", "metric", "best possible"), rows)
    if capped:
        print(
            f"With this tokenizer right answers of {', '.join(capped)} are cut off. Published scores have the same "
            "limit, in tokens of other tokenizers; to measure the model rather than the limit, run those tasks "
            "with e.g. --gen_kwargs max_gen_toks=64 (the signature then says that the run deviates from the protocol)."
        )
    return 1 if capped else 0


def _budget(task: Any, tokenizer: Any) -> tuple[float, int, float]:
    """Share of gold answers over the limit, tokens of the longest, best possible score.

    The best a model can do is to write the gold answer as in the source and be cut at the limit.
    """
    lengths, predictions, golds = [], [], []
    for doc in task.eval_docs:
        ids = tokenizer.encode(doc["output"], add_special_tokens=False)
        lengths.append(len(ids))
        text = doc["output"]
        if len(ids) > task.block.output_length:
            text = tokenizer.decode(ids[: task.block.output_length], skip_special_tokens=True)
        predictions.append(apply_steps(text, task.block.normalization))
        golds.append(task.doc_to_target(doc))
    over = sum(length > task.block.output_length for length in lengths)
    return over / len(lengths), max(lengths), METRICS[task.block.metrics[0]].score(predictions, golds)
