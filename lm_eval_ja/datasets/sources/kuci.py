"""KUCI (Kyoto University Commonsense Inference): which event follows from a context? As JSON lines.

The files were unavailable when this was written. Of two readings of their text (morphemes with the spaces between them
or without), dev takes the one that makes llm-jp-eval's published file; if neither does, it is an error. Train and test
are read without spaces and stay unverified.
"""

from collections.abc import Callable

from lm_eval_ja.datasets.sources._forms import one_of
from lm_eval_ja.datasets.sources._provides import Dataset, Provides, certified
from lm_eval_ja.datasets.sources._split import Converted, Pair, numbered
from lm_eval_ja.datasets.store import SPLITS, Files, Published, Source, Split, Unit, damaged, json_lines

_FOLDER = "https://raw.githubusercontent.com/ku-nlp/KUCI/main/dataset"
_NOTE = "not pinned to a commit, and no digest is known: dev is held against LLM-jp's published digest"
FILES: dict[Split, Source] = {
    split: Source(f"{_FOLDER}/{split}.jsonl", licence="CC BY-SA 4.0", note=_NOTE) for split in SPLITS
}
_SHA256 = "c56d18cefbc3fb38ab55e4a1c623e60432a0f142c6e49259d9cf7989ea845dfa"
DEV = Published(
    _SHA256,
    instruction=(
        "文脈と選択肢を入力として受け取り、選択肢から文脈の後に続く文として最も適切なものを選択してください。"
        "なお、回答は選択肢の番号（例：0）でするものとします。 "
        "回答となる数値をint型で返し、他には何も含めないことを厳守してください。"
    ),
    output_length=1,
    metrics=("exact_match",),
)
_LETTERS = "abcd"


def _without_spaces(text: str) -> str:
    return text.replace(" ", "")


def _pairs(files: Files, split: Split, text_of: Callable[[str], str]) -> list[Pair]:
    path = files[FILES[split].url]
    pairs = []
    for record in json_lines(path):
        label = record.text("label")
        if label not in _LETTERS:
            raise damaged(path, f"{record.place}: the label is {label!r}, none of {', '.join(_LETTERS)}")
        choices = [text_of(record.text(f"choice_{letter}")) for letter in _LETTERS]
        shown = ",".join(f"{number}.{choice}" for number, choice in enumerate(choices))
        question = f"文脈：{text_of(record.text('context'))}\n選択肢：{shown}"
        pairs.append((question, str(_LETTERS.index(label))))
    return pairs


def _train(files: Files) -> Converted:
    return numbered("kuci", train=_pairs(files, "train", _without_spaces))


def _dev(files: Files) -> Converted:
    readings = [_pairs(files, "dev", text_of) for text_of in (_without_spaces, str)]
    return numbered("kuci", dev=DEV.choose(readings))


def _test(files: Files) -> Converted:
    return numbered("kuci", test=_pairs(files, "test", _without_spaces))


PROVIDES = Provides(
    files=tuple(FILES.values()),
    datasets=(
        Dataset(
            "kuci",
            answer_form=one_of("0123"),
            certificates=certified(_SHA256, "1.4.1"),
            published={"dev": DEV},
        ),
    ),
    units=(
        Unit("kuci-train", (FILES["train"].url,), (("kuci", "train"),), _train),
        Unit("kuci-dev", (FILES["dev"].url,), (("kuci", "dev"),), _dev),
        Unit("kuci-test", (FILES["test"].url,), (("kuci", "test"),), _test),
    ),
)
