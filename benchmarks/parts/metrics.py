"""(c) Metrics: char_f1 against fuzzywuzzy with python-Levenshtein, set_f1 against its definition as it reads."""

import itertools
import random
from collections.abc import Iterator

from fuzzywuzzy import fuzz

from lm_eval_ja.metrics import char_f1, set_f1
from table import Place, Row, by_turns, seconds

ALPHABET = (
    "あいうえおかきくけこさしすせそたちつてとアイウエオ東京都大阪府日本年月日一二三abcdeABC0123  、。「」・é_"
)


def rows(place: Place) -> Iterator[Row]:
    rng = random.Random(0)
    for length in (10, 60, 600):
        count = max(400, 240_000 // length)
        texts = ["".join(rng.choices(ALPHABET, k=length)) for _ in range(count + 1)]
        pairs = list(itertools.pairwise(texts))
        assert all(char_f1(a, b) == fuzz.token_sort_ratio(a, b) / 100 for a, b in pairs)
        ours, theirs = by_turns(
            place.repeats,
            lambda pairs=pairs: seconds(lambda: [char_f1(a, b) for a, b in pairs]) / len(pairs),
            lambda pairs=pairs: seconds(lambda: [fuzz.token_sort_ratio(a, b) for a, b in pairs]) / len(pairs),
        )
        yield Row(f"char_f1, {length} characters", ours, "fuzzywuzzy", theirs, goal=1)
    for size in (10, 100, 1_000, 10_000):
        prediction = "\n".join(f"{i} positive" for i in range(size))
        gold = "\n".join(f"{i} positive" for i in range(size // 2, size + size // 2))
        assert set_f1(prediction, gold) == naive_set_f1(prediction, gold)
        times = max(1, 1_000 // size)
        ours, theirs = by_turns(
            place.repeats,
            lambda p=prediction, g=gold, n=times: seconds(lambda: [set_f1(p, g) for _ in range(n)]) / n,
            lambda p=prediction, g=gold, n=times: seconds(lambda: [naive_set_f1(p, g) for _ in range(n)]) / n,
        )
        yield Row(f"set_f1, {size:,} lines a side", ours, "naive", theirs)


def naive_set_f1(prediction: str, gold: str) -> float:
    """The definition as it reads: each predicted line is looked for in the list of gold lines."""
    predicted = {line.strip() for line in prediction.split("\n")}
    wanted = [line.strip() for line in gold.split("\n")]
    hits = sum(line in wanted for line in predicted)
    precision, recall = hits / len(predicted), hits / len(wanted)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
