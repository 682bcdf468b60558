"""JSICK: compositional inference, as TSV."""

from lm_eval_ja.datasets.sources._forms import THREE_WAY
from lm_eval_ja.datasets.sources._nli import nli_question
from lm_eval_ja.datasets.sources._provides import Dataset, Provides, certified
from lm_eval_ja.datasets.sources._split import Converted, cut_90_10, numbered
from lm_eval_ja.datasets.store import Expected, Files, Source, Unit, tsv_rows

_REPOSITORY = "https://raw.githubusercontent.com/verypluming/JSICK/b3034994192fae2f41b5937bcf69544e4282fc39"
TRAIN = Source(
    f"{_REPOSITORY}/jsick/train.tsv",
    licence="CC BY-SA 4.0",
    sha256="5aee77c7cb5e598c35cadc99f54eb53f980cf554219f497871fbdcc5a25b71be",
    size=786436,
)
TEST = Source(
    f"{_REPOSITORY}/jsick/test.tsv",
    licence="CC BY-SA 4.0",
    sha256="173a6d34939d02d82ff655dbea8e21286048afb13fcd92513e9f7dd38c621bdc",
    size=1817631,
)

_COLUMNS = {8: "sentence_A_Ja", 9: "sentence_B_Ja", 10: "entailment_label_Ja"}


def _train(files: Files) -> Converted:
    train, dev = cut_90_10(
        (nli_question(p, h), label) for p, h, label in tsv_rows(files[TRAIN.url], _COLUMNS)
    )
    return numbered("jsick", train=train, dev=dev)


def _test(files: Files) -> Converted:
    rows = tsv_rows(files[TEST.url], _COLUMNS)
    return numbered("jsick", test=[(nli_question(p, h), label) for p, h, label in rows])


PROVIDES = Provides(
    files=(TRAIN, TEST),
    datasets=(
        Dataset(
            "jsick",
            {
                "train": Expected(4500, "718f7e068260263f05b97d1ee82f439580f39f76efd09c2c669c6ed0398c8974"),
                "dev": Expected(500, "539c51bb8b1e377ef92eaa4d7c4f1c81a2a0cb3cda172d2c13bcdce3dfc080a5"),
                "test": Expected(4927, "70575191539a886b61e74c4a964278e8c17e902b560ebba6248110b0c5d8ef22"),
            },
            THREE_WAY,
            certificates=certified("bd4291ab4b325654ec8e1b9f2f4d69f6508b7d071d4da41b7cafc9eeb297f33e"),
        ),
    ),
    units=(
        Unit("jsick-train", (TRAIN.url,), (("jsick", "train"), ("jsick", "dev")), _train),
        Unit("jsick-test", (TEST.url,), (("jsick", "test"),), _test),
    ),
)
