"""WikipediaAnnotatedCorpus: five datasets from the same documents, each document parsed once for all five."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from lm_eval_ja.datasets.sources._forms import every_line
from lm_eval_ja.datasets.sources._provides import Dataset, Provides, Variant, certified
from lm_eval_ja.datasets.sources._split import ARCHIVE, Converted
from lm_eval_ja.datasets.store import (
    SPLITS,
    Archive,
    Expected,
    Files,
    Sample,
    Source,
    Split,
    Unit,
    damaged,
    open_archive,
)

FILE = Source(
    "https://codeload.github.com/ku-nlp/WikipediaAnnotatedCorpus/tar.gz/refs/tags/v1.1.2",
    licence="CC BY-SA 4.0",
    note=ARCHIVE,
)
_ROOT = "WikipediaAnnotatedCorpus-1.1.2"

DATASETS = ("wiki_reading", "wiki_ner", "wiki_dependency", "wiki_pas", "wiki_coreference")

# The reference took the documents in the order of one machine's folder. What neo published is 20 of each dataset, in
# this order: the first 20 of these that have a gold answer there.
_NEO_DOCUMENTS = """
wiki00084870 wiki00099674 wiki00223327 wiki00088227 wiki00166079 wiki00214345 wiki00167502 wiki00087350
wiki00105236 wiki00142913 wiki00128804 wiki00176573 wiki00139404 wiki00121097 wiki00305755 wiki00151169
wiki00149179 wiki00164702 wiki00193937 wiki00223860 wiki00282563 wiki00142106 wiki00161368 wiki00172575
wiki00207493 wiki00127761 wiki00230876
""".split()  # noqa: SIM905  # short words read better unquoted
_NEO_WITHOUT = {
    "wiki_ner": frozenset(
        [
            "wiki00084870",
            "wiki00087350",
            "wiki00105236",
            "wiki00128804",
            "wiki00139404",
            "wiki00305755",
            "wiki00149179",
        ]
    )
}
"""Documents among these that have no gold answer."""

_NEO_SAMPLE = "wiki90000104 wiki90000101 wiki90000106 wiki90000103 wiki90000102 wiki90000105".split()  # noqa: SIM905  # as above


def _neo(dataset: str) -> Variant:
    without = _NEO_WITHOUT.get(dataset, frozenset())
    chosen = [name for name in _NEO_DOCUMENTS if name not in without][:20]
    return Variant(*(tuple(f"{dataset}-{name}" for name in names) for names in (chosen, _NEO_SAMPLE)))


def _convert(split: Split, files: Files) -> Converted:
    converted: Converted = {(dataset, split): [] for dataset in DATASETS}
    with open_archive(files[FILE.url]) as archive, _quiet_rhoknp():
        ids = _document_ids(archive, split)
        texts = dict(archive.read(list(ids.values())))
        for doc_id in sorted(ids):
            for dataset, (question, gold) in _golds(texts[ids[doc_id]], archive.label(ids[doc_id])).items():
                if gold:
                    converted[dataset, split].append(Sample(f"{dataset}-{doc_id}", question, gold))
    return converted


def _document_ids(archive: Archive, split: Split) -> dict[str, str]:
    """The ids of a split's documents and the archive's members that hold them."""
    listing = f"{_ROOT}/id/{split}.id"
    ((_, text),) = archive.read([listing])
    ids = [line.strip() for line in text.split("\n") if line.strip()]
    if not ids:
        raise damaged(archive.label(listing), "names no document")
    return {doc_id: f"{_ROOT}/knp/{doc_id[:8]}/{doc_id}.knp" for doc_id in ids}


def _golds(text: str, source: str) -> dict[str, tuple[str, str]]:
    """Input and gold of the five datasets for one document in KNP format."""
    from rhoknp import Document

    from lm_eval_ja.datasets.sources import _wiki_golds as golds

    if not text.rstrip("\n").endswith("\nEOS"):
        raise damaged(source, "does not end with EOS")
    try:
        document = Document.from_knp(text)
        return golds.convert(document)
    except (ValueError, AssertionError, AttributeError, IndexError, KeyError) as error:
        raise damaged(source, f"not a document in KNP format ({error})") from error


@contextmanager
def _quiet_rhoknp() -> Iterator[None]:
    """Annotation slips in the corpus are known and part of the protocol; rhoknp would warn of each."""
    logger = logging.getLogger("rhoknp")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


# Predictions are in NFKC form, which makes the brackets half-width; raw outputs have the full-width ones.
_ENTITY_TYPE = re.compile("[（(](?:組織名|人名|地名|固有物名|日付表現|時刻表現|金額表現|割合表現)[)）]")


def _entities(text: str) -> bool:
    """Items ``{entity}（{type}）`` joined with one space, on one line; the entity may contain spaces."""
    # A split at spaces would cut entities such as "Visual Basic"; each type ends an item.
    first, *others = _ENTITY_TYPE.split(text)
    if "\n" in text or not others or others.pop():
        return False
    return bool(first.strip()) and all(item.startswith(" ") and bool(item.strip()) for item in others)


def _phrase_and_parent(line: str) -> bool:
    """``{phrase} -> {phrase}``."""
    phrase, arrow, parent = line.partition(" -> ")
    return bool(arrow and phrase.strip() and parent.strip())


PROVIDES = Provides(
    files=(FILE,),
    datasets=(
        Dataset(
            "wiki_reading",
            {
                "train": Expected(
                    1517,
                    "cf329ce6789a937ce5930a6107c7ffd1d8151b5c6ac6ee007d2bffcf172b41df",
                    ids="0d137941827cb149f1e36a2bd40756a5ea91f9fa1b52d80a55c0519de6388652",
                ),
                "dev": Expected(
                    100,
                    "fcf5a3ca7fb8d2bbdc7e87f871e4c71a1daea117c51be12510ff1b91f2cf9e1d",
                    ids="3571b64fb9f7f7f415e2af59cf63d9e9c94d20845bccb29eb024bd4d581b7f85",
                ),
                "test": Expected(
                    200,
                    "eb07c1aef9aed92c22511b1511f0a4bae091ecc97f0e9823d5a14c9b2f68d8ef",
                    ids="777db3573c8f181089555c263773fdf8aa48941ab3c387f354ab38d9ddf23732",
                ),
            },
            None,
            {"neo": _neo("wiki_reading")},
            certificates=certified("a7effd48ba08ce8be97df1736ccb39351d1b954f067593fa3975f105d089009e"),
        ),
        Dataset(
            "wiki_ner",
            {
                "train": Expected(
                    881,
                    "23622c87e03d99d9cd7839db8ccb5ab2d54b82a391c962cd26b73b5e228de99d",
                    ids="18ada1681bc7698163d7c26950a0e0f3d2c2189a39b6065a6fce801568fd8fcd",
                ),
                "dev": Expected(
                    64,
                    "397da6868f8ac9e3269fdb03a3b434be1a95cad3f0933f687c8a60cb5eb2ea8e",
                    ids="80343d885c66f15c8a057cf5df2a63e2a47c5245e86b1f731c70127dae61a2b8",
                ),
                "test": Expected(
                    113,
                    "96c23e2bebde6c24749834539844e8c9ccdd984c7f4031829a4fba2b178a5c49",
                    ids="c97988b3d7339829fc4c8dcef5c6d11b40aca33ef8ad3823b543b870f3c043c1",
                ),
            },
            _entities,
            {"neo": _neo("wiki_ner")},
            certificates=certified("8547820e11679dbd3782aa3201a56be496a953a11a1403fb6874aaf6f678237a"),
        ),
        Dataset(
            "wiki_dependency",
            {
                "train": Expected(
                    1517,
                    "c98a743bf13916b13afb1d1f3fe9e6cd8362d7691953320459f1e06c23b5d365",
                    ids="160e3efa8624279667493b5da23eee6b460c4d6c2c203f5a7872017288fe9195",
                ),
                "dev": Expected(
                    100,
                    "2b7374a01cd9b1b38245993a4079001033c5686b294acf8e7641651b22bdb630",
                    ids="9e2474721d29d782354387975cee814b73d721c34be71a52bbbfab9d68c67213",
                ),
                "test": Expected(
                    200,
                    "2df16b4f0e8c433c137e222f36e66c19a39848c280a6005ad8c61b0740f6bf9d",
                    ids="fa0d6db987d443c66096b302757544801b9b3548ef9ceb8cf5991400154dfed4",
                ),
            },
            every_line(_phrase_and_parent),
            {"neo": _neo("wiki_dependency")},
            certificates=certified("de405fe7788d0ffa1d31398caa1d4bdf56728c3f3f5a9485f43ee68d3ea403a4"),
        ),
        Dataset(
            "wiki_pas",
            {
                "train": Expected(
                    1514,
                    "72d831d56b1e0f9301b5fde5231e79c1865aabc74219d0b64ac8494e9ba2d3f0",
                    ids="8bac123c2aa4edda18ee51aa87e99d9c793e7f62baacc7998774c4086066e96c",
                ),
                "dev": Expected(
                    100,
                    "8c06f2378c587eece148886e463bd9bcb6ef79848e41420ca028fc8a47a1e9df",
                    ids="680eb7c3731925ab4ed9fb046e8ad103276756e1ff7b9f4b154fb7bade26c8bd",
                ),
                "test": Expected(
                    199,
                    "88d45f268a75fac1214f752f66e638e8ee5b5a8bdca51aac9ebe5718c4e48b8f",
                    ids="14052a18ca79e7d9453a064dba85f08f8568e9c92664cb87a554edb38f10e768",
                ),
            },
            None,
            {"neo": _neo("wiki_pas")},
            certificates=certified("accb3307d8cd48b83831527245e679fe5d52b51e1262f82aa86fefbe9429e9a3"),
        ),
        Dataset(
            "wiki_coreference",
            {
                "train": Expected(
                    1515,
                    "9f9965c837d991278bd000e204e25c9d5cc3b1cbedd3ecc7dd47483db482a00b",
                    ids="ff9f30df966744b0e186787fd338d1467190f5830fb348f8f5bb537343d17974",
                ),
                "dev": Expected(
                    100,
                    "f4dcb6c021391a7c4c141ab9f8dd4a2ea5751451b72a594ab153e674d3d88e7b",
                    ids="3ba3235b92e7f1b10121066f1e03fac02cb45d747b25b73f203668e789398a6f",
                ),
                "test": Expected(
                    200,
                    "305d8226813478bc9f69a802edb20d747e29371ba079303b2b0ce01408b8679d",
                    ids="27471cb8983ef9025918545f9b889454964d535a041174b231c3d06d3933af3c",
                ),
            },
            None,
            {"neo": _neo("wiki_coreference")},
            certificates=certified("0e83398d8619b1bcc86f3a3abd8fead41f142fe0b3416b9733648a9cbda2197a"),
        ),
    ),
    units=tuple(
        Unit(
            f"wiki-{split}",
            (FILE.url,),
            tuple((dataset, split) for dataset in DATASETS),
            partial(_convert, split),
        )
        for split in SPLITS
    ),
)
