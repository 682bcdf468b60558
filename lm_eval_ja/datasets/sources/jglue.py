"""JGLUE v1.1: JNLI, JSQuAD, JCommonsenseQA and JSTS. Train files make train and dev, valid files test."""

from collections.abc import Callable

from lm_eval_ja.datasets.sources._forms import THREE_WAY, one_of
from lm_eval_ja.datasets.sources._nli import nli_question
from lm_eval_ja.datasets.sources._provides import Dataset, Provides, certified
from lm_eval_ja.datasets.sources._split import Converted, Pair, cut_90_10, numbered
from lm_eval_ja.datasets.store import (
    Expected,
    Files,
    Record,
    Source,
    Unit,
    as_record,
    damaged,
    json_lines,
    parse_json,
    read_text,
)

# v1.1.0 and no later: v1.2 and up relabel 29 rows of JNLI's test split.
_FOLDER = (
    "https://raw.githubusercontent.com/yahoojapan/JGLUE/6791a5003e6deaa6fb2458bcb3aa1f58dc52ef33/datasets"
)
JNLI_TRAIN = Source(
    f"{_FOLDER}/jnli-v1.1/train-v1.1.json",
    licence="CC BY-SA 4.0",
    git_blob="14d9948a80dc585cfd53eb358594b0722b937802",
)
JNLI_VALID = Source(
    f"{_FOLDER}/jnli-v1.1/valid-v1.1.json",
    licence="CC BY-SA 4.0",
    sha256="39a41d5a112cc6c5baafa7d2464e579843e904a4b7206a4e905517a257f6459c",
    size=632452,
)
JSQUAD_TRAIN = Source(
    f"{_FOLDER}/jsquad-v1.1/train-v1.1.json",
    licence="CC BY-SA 4.0",
    git_blob="20ce716ee531e3e23088f5840a3b0751ae803424",
)
JSQUAD_VALID = Source(
    f"{_FOLDER}/jsquad-v1.1/valid-v1.1.json",
    licence="CC BY-SA 4.0",
    sha256="fb0a57a35281ff03bbe7f0e878cff5b577985fbe6fcb242e7e8ddb63d1c0ab11",
    size=1976638,
)
JCOMMONSENSEQA_TRAIN = Source(
    f"{_FOLDER}/jcommonsenseqa-v1.1/train-v1.1.json",
    licence="CC BY-SA 4.0",
    sha256="9b55fae5ecb3aedd6f8ce5bc09196c3b629864668ec6c18eee4d65c0aa48229e",
    size=1879961,
)
JCOMMONSENSEQA_VALID = Source(
    f"{_FOLDER}/jcommonsenseqa-v1.1/valid-v1.1.json",
    licence="CC BY-SA 4.0",
    sha256="0d8d76f3bfa0d174866939882faccdd01fbc2bcd5a76c43748ba0c40a7b3b8d4",
    size=235633,
)
JSTS_TRAIN = Source(
    f"{_FOLDER}/jsts-v1.1/train-v1.1.json",
    licence="CC BY-SA 4.0",
    sha256="db6bd653270ac9786759920413a48973164d322998f34dd4ae32202af5e66969",
    size=3164816,
)
JSTS_VALID = Source(
    f"{_FOLDER}/jsts-v1.1/valid-v1.1.json",
    licence="CC BY-SA 4.0",
    sha256="7c0bdcb381179f01096c635d058853d96da1e1248d23fe3f5c2beed5dc2d9b1a",
    size=372253,
)

_Reader = Callable[[Files, Source], list[Pair]]


def _jnli(record: Record) -> Pair:
    return nli_question(record.text("sentence1"), record.text("sentence2")), record.text("label")


def _jcommonsenseqa(record: Record) -> Pair:
    choices = ",".join(f"{number}.{record.text(f'choice{number}')}" for number in range(5))
    return f"質問：{record.text('question')}\n選択肢：{choices}", str(record.number("label"))


def _jsts(record: Record) -> Pair:
    question = f"文1：{record.text('sentence1')}\n文2：{record.text('sentence2')}"
    return question, str(record.number("label"))


def _lines(convert: Callable[[Record], Pair]) -> _Reader:
    return lambda files, file: [convert(record) for record in json_lines(files[file.url])]


def _jsquad(files: Files, file: Source) -> list[Pair]:
    path = files[file.url]
    pairs = []
    for article in as_record(parse_json(read_text(path), path), path, "the file").children("data"):
        for paragraph in article.children("paragraphs"):
            context = paragraph.text("context")
            for question in paragraph.children("qas"):
                answers = question.children("answers")
                if not answers:
                    raise damaged(path, f"{question.place}: no answer")
                pairs.append((f"文章：{context}\n質問：{question.text('question')}", answers[0].text("text")))
    return pairs


def _units(dataset: str, read: _Reader, train_file: Source, valid_file: Source) -> tuple[Unit, Unit]:
    def train_and_dev(files: Files) -> Converted:
        train, dev = cut_90_10(read(files, train_file))
        return numbered(dataset, train=train, dev=dev)

    def test(files: Files) -> Converted:
        return numbered(dataset, test=read(files, valid_file))

    return (
        Unit(f"{dataset}-train", (train_file.url,), ((dataset, "train"), (dataset, "dev")), train_and_dev),
        Unit(f"{dataset}-test", (valid_file.url,), ((dataset, "test"),), test),
    )


PROVIDES = Provides(
    files=(
        *(JNLI_TRAIN, JNLI_VALID, JSQUAD_TRAIN, JSQUAD_VALID),
        *(JCOMMONSENSEQA_TRAIN, JCOMMONSENSEQA_VALID, JSTS_TRAIN, JSTS_VALID),
    ),
    datasets=(
        # No digest of train and dev is known: the train files are pinned by their git blob ids.
        Dataset(
            "jnli",
            {
                "test": Expected(2434, "dba922e178a580e1665f5f0f2ff7ef7b2bc4a313b06606353cc2821ae0069def"),
            },
            THREE_WAY,
            certificates=certified("d40257164b1bf2eaeae370c9879819ff5509964ea116ee4148dca062a9c02e0f"),
        ),
        Dataset(
            "jsquad",
            {
                "test": Expected(4442, "cdfabdb8192985df60426095d349c23f47c1d35fb232a66032570f10b8b60240"),
            },
            certificates=certified("0dcac3647a3768deeae53dc058474b21a3f4d9d37ffa3a3ec541505964afac8e"),
        ),
        Dataset(
            "jcommonsenseqa",
            {
                "train": Expected(8045, "866fe45413680f936c8185e8b0df5d45be89bbcd4fba112f8dfc6a70bc95dcf8"),
                "dev": Expected(894, "0f27aadf47f27d2755eab661e5aec9ad06527839d79927137852cf7cd0acd218"),
                "test": Expected(1119, "ded00a89a8d38d4f2c95a902c26deabdb913a9e07bed274c7d4aede410b64903"),
            },
            one_of("01234"),
            certificates=certified("ac30df014eee8d24d62a5e1fbd4ed1e3b5d76bffb836ffb4c9fa59e72a056591"),
        ),
        Dataset(
            "jsts",
            {
                "train": Expected(11205, "085cd5b649eebe9ad4404d59b890569a4664d00bfefc8a3c5967ae52bc1677a0"),
                "dev": Expected(1246, "78878a7c5572e4a2b7caabb69cc09b824a7df4ae4e2768b473cf0c9ba4b58ac7"),
                "test": Expected(1457, "161d579b88923cf906c89c17f1057881b22b60af5714e2785a0f6241b38809a4"),
            },
            certificates=certified("e17f77bdd3ffc3cccf4b3a1af8a1463b8cae260ba8c607188b8e4b45f468806e"),
        ),
    ),
    units=(
        *_units("jnli", _lines(_jnli), JNLI_TRAIN, JNLI_VALID),
        *_units("jsquad", _jsquad, JSQUAD_TRAIN, JSQUAD_VALID),
        *_units("jcommonsenseqa", _lines(_jcommonsenseqa), JCOMMONSENSEQA_TRAIN, JCOMMONSENSEQA_VALID),
        *_units("jsts", _lines(_jsts), JSTS_TRAIN, JSTS_VALID),
    ),
)
