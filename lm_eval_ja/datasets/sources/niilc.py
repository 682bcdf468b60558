"""NIILC: questions without a passage, as XML. Its dev file makes train and dev."""

from lm_eval_ja.datasets.sources._provides import Dataset, Provides, certified
from lm_eval_ja.datasets.sources._split import Converted, Pair, cut_90_10, numbered
from lm_eval_ja.datasets.store import Expected, Files, Source, Unit, damaged, parse_xml, read_text

_REPOSITORY = "https://raw.githubusercontent.com/mynlp/niilc-qa/b6d47968b2e301a5e953fb1922a08ed56099646b"
DEV = Source(
    f"{_REPOSITORY}/data/NIILC-ECQA2015_dev.xml",
    licence="CC BY-SA 4.0",
    sha256="983dcaeb9ef38ca45d1114e8b420fdd4b358e827c235b1bfb4fc5e50ca70caf3",
    size=874651,
)
TEST = Source(
    f"{_REPOSITORY}/data/NIILC-ECQA2015_test.xml",
    licence="CC BY-SA 4.0",
    sha256="4a787463961db87e56e496c49cb40ca59f26d220e3ccc48588ad65b0dd4ce0d2",
    size=219195,
)


def _pairs(files: Files, file: Source) -> list[Pair]:
    path = files[file.url]
    pairs = []
    for question in parse_xml(read_text(path), path).iter("question"):
        text = question.findtext("text")
        if text is None:
            raise damaged(path, f"question {question.get('id')!r} has no <text>")
        answers = [(answer.text or "").strip() for answer in question.iterfind("answers/answer")]
        gold = ",".join(answer for answer in answers if answer)
        if gold != "-":  # the source's mark for "no answer known"
            pairs.append((f"質問：{text.strip()}", gold))
    return pairs


def _train(files: Files) -> Converted:
    train, dev = cut_90_10(_pairs(files, DEV))
    return numbered("niilc", train=train, dev=dev)


def _test(files: Files) -> Converted:
    return numbered("niilc", test=_pairs(files, TEST))


PROVIDES = Provides(
    files=(DEV, TEST),
    datasets=(
        Dataset(
            "niilc",
            {
                "train": Expected(715, "7997c30d47fc269c9dfc7c84675abe9454a4dfaa06c7fc7cc1c9cd54446505b4"),
                "dev": Expected(80, "b333b9dc9386060f69a618b2034c2667cb5a059764d112809aea772fd1249eec"),
                "test": Expected(198, "5531449f2acaaaf12730a3eda612269fe01f2b6a29f9bad79d48a6ac5f4c1827"),
            },
            certificates=certified("ff0cf49012ad6416b0828cbcf16882cafc68c30483e4ef51863641d23fe1befc"),
        ),
    ),
    units=(
        Unit("niilc-train", (DEV.url,), (("niilc", "train"), ("niilc", "dev")), _train),
        Unit("niilc-test", (TEST.url,), (("niilc", "test"),), _test),
    ),
)
