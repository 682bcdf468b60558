"""MGSM in Japanese: word problems of arithmetic, as TSV. It has a test split only.

llm-jp-eval asks it in the order of the file and takes commas out of the gold answers (so the length of its converted
file fits; no digest of it is published). Its 8 training examples stand in no file of the source.
"""

from lm_eval_ja.datasets.sources._forms import number
from lm_eval_ja.datasets.sources._own import own_data
from lm_eval_ja.datasets.sources._provides import Dataset, Provides
from lm_eval_ja.datasets.sources._split import Converted, numbered
from lm_eval_ja.datasets.store import Expected, Files, Source, Unit, damaged, read_text

TEST = Source(
    "https://raw.githubusercontent.com/google-research/url-nlp/452a21ad3dae5668c06ceeac21ff073e1e40f9be/mgsm/mgsm_ja.tsv",
    licence="CC BY 4.0",
    sha256="59a2b50debe77981fd784cb3b2bef1505e3abf2a37116dc9d7a366ab029b4637",
    size=81043,
)


def _test(files: Files) -> Converted:
    path = files[TEST.url]
    pairs = []
    for place, line in enumerate(read_text(path).split("\n"), start=1):
        if not line:
            continue
        question, tab, answer = line.partition("\t")
        if not tab or "\t" in answer:
            raise damaged(path, f"line {place}: not a question and an answer with one tab between them")
        pairs.append((f"質問：{question}", answer.replace(",", "")))
    return numbered("mgsm", test=pairs)


PROVIDES = Provides(
    files=(TEST,),
    datasets=(
        Dataset(
            "mgsm",
            {"test": Expected(250, "9beb8710e14cf00c1cc1f49419ef74c8664f9876b9d283448d948c524e9269a2")},
            number,
        ),
    ),
    units=(
        Unit("mgsm-test", (TEST.url,), (("mgsm", "test"),), _test),
        own_data("mgsm-train", "mgsm", ("train", "dev"), "its source has a test split only"),
    ),
)
