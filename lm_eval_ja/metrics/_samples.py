"""What several samples of an answer say together."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import comb
from statistics import fmean

from lm_eval_ja.errors import DataError
from lm_eval_ja.metrics._registry import METRICS


def pass_at_k(samples: int, right: int, k: int) -> float:
    """Chance that at least one of ``k`` samples is right, from more samples of the same question.

    The unbiased estimator of Chen et al., "Evaluating Large Language Models Trained on Code" (arXiv:2107.03374), eq. 1:
    the share of the sets of ``k`` samples that hold a right one.

    Args:
        samples: Samples of the question.
        right: How many of them are right.
        k: Size of the sets, from 1 to ``samples``.

    Raises:
        DataError: The numbers contradict each other.

    Examples:
        >>> pass_at_k(4, 1, 1), pass_at_k(4, 1, 2), pass_at_k(4, 0, 4), pass_at_k(4, 3, 2)
        (0.25, 0.5, 0.0, 1.0)
    """
    if not 0 <= right <= samples or not 1 <= k <= samples:
        raise DataError(f"pass@{k} of {right} right samples among {samples}: k must be from 1 to {samples}")
    return 1 - comb(samples - right, k) / comb(samples, k)


def sample_metrics(metric: str, repeats: int) -> tuple[str, ...]:
    """Names of the further scores that several samples give a metric.

    Args:
        metric: Name of the metric.
        repeats: Samples of each question.

    Returns:
        ``<metric>_majority`` for metrics of an answer from 0 to 1, and for those that say right or wrong
        ``<metric>_pass@<k>`` with k 2, 4, 8, … and the number of samples.

    Examples:
        >>> sample_metrics("exact_match", 6)
        ('exact_match_majority', 'exact_match_pass@2', 'exact_match_pass@4', 'exact_match_pass@6')
        >>> sample_metrics("char_f1", 6), sample_metrics("pearson", 6), sample_metrics("char_f1", 1)
        (('char_f1_majority',), (), ())
    """
    own = METRICS[metric]
    if repeats == 1 or own.per_item is None or own.of_form is not None or own.scale != (0.0, 1.0):
        return ()
    names = [f"{metric}_majority"]
    if own.right_or_wrong:
        powers = [2**power for power in range(1, repeats.bit_length()) if 2**power < repeats]
        names += [f"{metric}_pass@{k}" for k in (*powers, repeats)]
    return tuple(names)


def sample_values(
    metric: str, predictions: Sequence[str], gold: str, form: Callable[[str], bool] | None = None
) -> Mapping[str, float]:
    """One question's values of a metric of single answers, and of all that `sample_metrics` names.

    Args:
        metric: Name of the metric.
        predictions: The normalized samples.
        gold: The gold answer.
        form: Tells whether a prediction has the form that the dataset asks for; None where it asks for none.

    Returns:
        By name: the metric itself is the mean over the samples (avg@n). ``majority`` scores the prediction that most
        samples give, and the mean of those where several are given equally often.

    Raises:
        DataError: There are no samples.

    Examples:
        >>> sample_values("exact_match", ["a", "b", "a", "c"], "a")
        {'exact_match': 0.5, 'exact_match_majority': 1.0, 'exact_match_pass@2': 0.8333333333333334, \
'exact_match_pass@4': 1.0}
    """
    per_item = METRICS[metric].on(form)
    if not predictions or per_item is None:
        raise DataError(f"{metric} has no mean over {len(predictions)} samples of a question")
    scores = [per_item(prediction, gold) for prediction in predictions]
    found = {metric: scores[0] if len(scores) == 1 else fmean(scores)}
    for name in sample_metrics(metric, len(scores)):
        kind, _, k = name.removeprefix(f"{metric}_").partition("@")
        if kind == "majority":
            counts = Counter(predictions)
            most = max(counts.values())
            found[name] = fmean(per_item(text, gold) for text, count in counts.items() if count == most)
        else:
            found[name] = pass_at_k(len(scores), sum(score == 1.0 for score in scores), int(k))
    return found


def sample_score(metric: str, predictions: Sequence[Sequence[str]], golds: Sequence[str]) -> float:
    """Score a whole dataset with several samples of every question, by a metric that only all questions have.

    Args:
        metric: Name of the metric, such as ``pearson``.
        predictions: The normalized samples of each question, equally many.
        golds: Gold answers.

    Returns:
        The mean over the first samples' score, the second samples' score, and so on.

    Raises:
        DataError: Questions have different numbers of samples.

    Examples:
        >>> sample_score("pearson", [["1", "2"], ["2", "1"]], ["1", "2"])
        0.0
    """
    counts = {len(own) for own in predictions}
    if len(counts) != 1:
        raise DataError(f"{metric}: questions have {sorted(counts)} samples: give each the same number")
    own = METRICS[metric]
    scores = [own.score(one, golds) for one in zip(*predictions, strict=True)]
    return scores[0] if len(scores) == 1 else fmean(scores)
