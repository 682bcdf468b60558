"""JEMHopQA: multi-hop questions without a passage. Its train file makes train and dev, its dev file test."""

from lm_eval_ja.datasets.sources._provides import Dataset, Provides, certified
from lm_eval_ja.datasets.sources._split import Converted, Pair, cut_90_10, numbered
from lm_eval_ja.datasets.store import Expected, Files, Source, Unit, json_list

_REPOSITORY = "https://raw.githubusercontent.com/aiishii/JEMHopQA/fed5024f4f39f02727e699cb7ccb67935a779a5a"
TRAIN = Source(
    f"{_REPOSITORY}/corpus/train.json",
    licence="CC BY-SA 4.0",
    sha256="c64392b4087299bcfaa02fe2584128b5dc50fe5ea83e1bd600cadfc984669e65",
    size=433076,
)
DEV = Source(
    f"{_REPOSITORY}/corpus/dev.json",
    licence="CC BY-SA 4.0",
    sha256="2f3b8a518ca3051fc002f343ba3c26f6f3be902464061b43c30c5a1d37a9269a",
    size=47990,
)


def _pairs(files: Files, file: Source) -> list[Pair]:
    return [
        (f"質問：{record.text('question')}", record.text("answer")) for record in json_list(files[file.url])
    ]


def _train(files: Files) -> Converted:
    train, dev = cut_90_10(_pairs(files, TRAIN))
    return numbered("jemhopqa", train=train, dev=dev)


def _test(files: Files) -> Converted:
    return numbered("jemhopqa", test=_pairs(files, DEV))


PROVIDES = Provides(
    files=(TRAIN, DEV),
    datasets=(
        Dataset(
            "jemhopqa",
            {
                "train": Expected(953, "32cccb1243f4eab686b88565afd967236e015d911f8f36c8f782692490a219fa"),
                "dev": Expected(106, "f6f89eaa59ffaaf730b21bf10d1fa200f33aa906cba3ade47017883d4605652c"),
                "test": Expected(120, "229aaf1c687af0a69824a7ba158b5b438cef8841c16c09395ab36f6c355cb2c6"),
            },
            certificates=certified("7364e2e5381f1355f53109c73f8f506616b6690d686e96bba681585976f13399"),
        ),
    ),
    units=(
        Unit("jemhopqa-train", (TRAIN.url,), (("jemhopqa", "train"), ("jemhopqa", "dev")), _train),
        Unit("jemhopqa-test", (DEV.url,), (("jemhopqa", "test"),), _test),
    ),
)
