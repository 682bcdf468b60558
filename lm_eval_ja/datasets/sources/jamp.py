"""Jamp: temporal inference, as TSV."""

from lm_eval_ja.datasets.sources._forms import THREE_WAY
from lm_eval_ja.datasets.sources._nli import nli_question
from lm_eval_ja.datasets.sources._provides import Dataset, Provides, certified
from lm_eval_ja.datasets.sources._split import Converted, cut_90_10, numbered
from lm_eval_ja.datasets.store import Expected, Files, Source, Unit, tsv_rows

_REPOSITORY = (
    "https://raw.githubusercontent.com/tomo-ut/temporalNLI_dataset/f578b5daac7bff3855d238c032a60fd047cddd9c"
)
TRAIN = Source(
    f"{_REPOSITORY}/dataset/train_all.tsv",
    licence="CC BY-SA 4.0",
    sha256="711f496ffd7806b83e13502af6b91774f8e05f1fb13215bd33c6824607e3b07b",
    size=2103221,
)
TEST = Source(
    f"{_REPOSITORY}/dataset/test_2.tsv",
    licence="CC BY-SA 4.0",
    sha256="10001a07e00b8a21f370838f6cd3869c7edfb1fd2b7b69cfcefebea68009bf07",
    size=76940,
)

_COLUMNS = {1: "premise", 2: "hypothesis", 3: "gold_label"}


def _train(files: Files) -> Converted:
    train, dev = cut_90_10(
        (nli_question(p, h), label) for p, h, label in tsv_rows(files[TRAIN.url], _COLUMNS)
    )
    return numbered("jamp", train=train, dev=dev)


def _test(files: Files) -> Converted:
    rows = tsv_rows(files[TEST.url], _COLUMNS)
    return numbered("jamp", test=[(nli_question(p, h), label) for p, h, label in rows])


PROVIDES = Provides(
    files=(TRAIN, TEST),
    datasets=(
        Dataset(
            "jamp",
            {
                "train": Expected(8955, "29a1ec08b0159fabde1b7ec3b5c5506a1015b946c5f44c9aed1b180eacaae7fe"),
                "dev": Expected(995, "553149f78c080d2ad9b98ace4faf2f5bffeccc4ad288f8c1d6ce9a32d1251de3"),
                "test": Expected(348, "180bc700fa27f682fbf253bed31fbbafd7f2696bfcbd123b4f692a4c2ccd5eca"),
            },
            THREE_WAY,
            certificates=certified("bee9d6124ccc20b02e2dc42b75c0548f9caf0a8c88af164ee726eebdb28c17cc"),
        ),
    ),
    units=(
        Unit("jamp-train", (TRAIN.url,), (("jamp", "train"), ("jamp", "dev")), _train),
        Unit("jamp-test", (TEST.url,), (("jamp", "test"),), _test),
    ),
)
