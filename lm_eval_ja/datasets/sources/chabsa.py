"""chABSA: sentences of financial reports with targets and their polarity, a JSON file per company."""

from pathlib import PurePosixPath

from lm_eval_ja.datasets.sources._forms import every_line
from lm_eval_ja.datasets.sources._provides import Dataset, Provides, Variant, certified
from lm_eval_ja.datasets.sources._split import ARCHIVE, Converted, cut_80_10_10
from lm_eval_ja.datasets.store import (
    SPLITS,
    Expected,
    Files,
    Sample,
    Source,
    Unit,
    as_record,
    damaged,
    open_archive,
    parse_json,
)

FILE = Source(
    "https://s3-ap-northeast-1.amazonaws.com/dev.tech-sketch.jp/chakki/public/chABSA-dataset.zip",
    licence="CC BY 4.0",
    note=ARCHIVE,
)
_SUFFIX = "_ann.json"
_POLARITIES = frozenset({"positive", "neutral", "negative"})

# The reference took the files in the order of one machine's folder. What neo published is 100 sentences, here as
# file and sentence_id, in its order; they come from all three splits.
_NEO = tuple(
    f"chabsa-{sentence}"
    for sentence in """
    e00058-5 e00033-28 e01528-5 e00273-11 e02682-0 e05714-12 e02732-25 e01398-1 e04877-14 e05469-6
    e00772-17 e00603-2 e05714-23 e04331-24 e04768-32 e01469-10 e01968-14 e00693-31 e01402-24 e00838-12
    e01849-37 e02423-10 e01249-20 e01244-40 e01183-14 e00024-24 e00035-18 e01054-27 e30479-1 e02289-8
    e02889-6 e00024-5 e02390-1 e01244-35 e04123-40 e01903-2 e04136-12 e02105-7 e00838-14 e02246-2
    e01230-0 e05011-1 e02946-4 e02632-34 e01764-10 e00457-22 e00107-7 e01946-0 e00034-9 e00838-5
    e04768-40 e03693-28 e00603-6 e01974-13 e01244-3 e01974-11 e04147-73 e04191-12 e02643-31 e21200-20
    e04877-18 e00772-16 e00686-44 e01992-20 e04331-42 e01624-6 e00024-42 e03505-45 e00069-0 e00435-27
    e01620-2 e02732-27 e02563-6 e04329-12 e00435-58 e00939-9 e01054-1 e00840-29 e01620-11 e23818-1
    e00840-28 e01097-17 e01462-7 e00435-3 e04948-2 e01244-31 e00886-1 e01987-21 e01334-10 e03929-0
    e03267-2 e01054-10 e04078-23 e27633-31 e04360-40 e03580-26 e01533-31 e01798-25 e21200-14 e01968-1
    """.split()  # noqa: SIM905  # a hundred short words read better than a hundred quoted ones
)
_NEO_SAMPLE = tuple(
    f"chabsa-{sentence}"
    for sentence in "e90003-3 e90001-1 e90005-6 e90002-0 e90004-3 e90006-2 e90001-5 e90003-7".split()  # noqa: SIM905  # as above
)


def _samples(text: str, source: str, stem: str) -> list[Sample]:
    samples = []
    for sentence in as_record(parse_json(text, source), source, "the file").children("sentences"):
        opinions = sentence.children("opinions")
        if opinions:
            samples.append(
                Sample(
                    id=f"chabsa-{stem}-{sentence.number('sentence_id')}",
                    input=f"文章：{sentence.text('sentence')}",
                    output="\n".join(
                        f"{opinion.text('target')} {opinion.text('polarity')}" for opinion in opinions
                    ),
                )
            )
    return samples


def _convert(files: Files) -> Converted:
    path = files[FILE.url]
    by_name: dict[str, list[Sample]] = {}
    with open_archive(path) as archive:
        for member, text in archive.read([name for name in archive.names if _is_annotation(name)]):
            name = PurePosixPath(member).name
            by_name[name] = _samples(text, archive.label(member), name.removesuffix(_SUFFIX))
    if not by_name:
        raise damaged(path, f"has no member e*{_SUFFIX}")
    ordered = [sample for name in sorted(by_name) for sample in by_name[name]]
    return {("chabsa", split): samples for split, samples in zip(SPLITS, cut_80_10_10(ordered), strict=True)}


def _is_annotation(member: str) -> bool:
    name = PurePosixPath(member).name
    return name.startswith("e") and name.endswith(_SUFFIX)


def _target_and_polarity(line: str) -> bool:
    """``{target} {polarity}``; the target may contain spaces."""
    target, _, polarity = line.rpartition(" ")
    return bool(target) and polarity in _POLARITIES


PROVIDES = Provides(
    files=(FILE,),
    datasets=(
        Dataset(
            "chabsa",
            {
                "train": Expected(
                    2572,
                    "62c2defada2cb212bb0daa32c3a17f2f0be06eda985f44eb6fb0259cfd63507f",
                    ids="3fcb3a0277f42bb0d3fb522540119dad0a87c3c42a526c5ac7790af754c2425f",
                ),
                "dev": Expected(
                    321,
                    "1e6d6da5007cd82bbe2dae5bb60de734d4bdd2c50429953e016d6adf3941e481",
                    ids="6ff8635e0956b3fc11309f5600bad015a47ab727a5f7b4da92e6ddc2c1ccdcbd",
                ),
                "test": Expected(
                    322,
                    "cf4a5bca2c6f40aa963baae344759253f1542d10a7cb89704c47df5ecad4ac1f",
                    ids="ebf3627977e75a81e14d5d2627caa08fd61f2dfe087200e52aa434328414c3b1",
                ),
            },
            every_line(_target_and_polarity),
            {"neo": Variant(_NEO, _NEO_SAMPLE)},
            certificates=certified("a04db94fd91894ed48593d2824b70fed9a241fd7e81aea854a8d32af1389a592"),
        ),
    ),
    units=(Unit("chabsa", (FILE.url,), tuple(("chabsa", split) for split in SPLITS), _convert),),
)
