"""AI王 (AIO, from JAQKET): quiz questions without a passage, as JSON lines.

The files were unavailable when this was written, and how llm-jp-eval cuts them is not known. Of the ways it cuts other
sources, dev takes the one that makes its published file; if none does, it is an error.
"""

from lm_eval_ja.datasets.sources._provides import Dataset, Provides, certified
from lm_eval_ja.datasets.sources._split import Converted, Pair, cut_90_10, numbered, shuffled
from lm_eval_ja.datasets.store import Files, Published, Source, Unit, damaged, json_lines

_FOLDER = "https://jaqket.s3.ap-northeast-1.amazonaws.com/data/aio_02"
_LICENCE = "CC BY-SA 4.0 (companies need another licence)"
_NOTE = "no digest of the file is known: dev is held against LLM-jp's published digest"
DEV_FILE = Source(f"{_FOLDER}/aio_01_dev.jsonl", licence=_LICENCE, note=_NOTE)
TEST_FILE = Source(f"{_FOLDER}/aio_01_test.jsonl", licence=_LICENCE, note=_NOTE)
_SHA256 = "98d951150a86ce9d96caa0d53262a9bc2eb6d1cf91a0c191089eae2af452be3f"
DEV = Published(
    _SHA256,
    instruction="質問を入力とし、回答を出力してください。回答の他には何も含めないことを厳守してください。",
    output_length=50,
    metrics=("char_f1",),
)


def _pairs(files: Files, file: Source) -> list[Pair]:
    path = files[file.url]
    pairs = []
    for record in json_lines(path):
        answers = record.value("answers")
        if not (isinstance(answers, list) and answers and isinstance(answers[0], str)):
            raise damaged(path, f"{record.place}: 'answers' is no list that begins with a text")
        pairs.append((f"質問：{record.text('question')}", answers[0]))
    return pairs


def _dev(files: Files) -> Converted:
    pairs = _pairs(files, DEV_FILE)
    train, dev = cut_90_10(pairs)
    chosen = DEV.choose([dev, shuffled(pairs), pairs])
    # Nothing is left for shots where dev is the whole file.
    return numbered("aio", train=train if chosen == dev else [], dev=chosen)


def _test(files: Files) -> Converted:
    return numbered("aio", test=shuffled(_pairs(files, TEST_FILE)))


PROVIDES = Provides(
    files=(DEV_FILE, TEST_FILE),
    datasets=(Dataset("aio", certificates=certified(_SHA256, "1.4.1"), published={"dev": DEV}),),
    units=(
        Unit("aio-dev", (DEV_FILE.url,), (("aio", "train"), ("aio", "dev")), _dev),
        Unit("aio-test", (TEST_FILE.url,), (("aio", "test"),), _test),
    ),
)
