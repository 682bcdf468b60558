"""The Kyoto corpus (wikicorpus): paragraphs of Wikipedia articles in Japanese and English."""

from functools import partial

from lm_eval_ja.datasets.sources._provides import Dataset, Provides, certified, one_list
from lm_eval_ja.datasets.sources._split import ARCHIVE, Converted, Pair, cut_80_10_10
from lm_eval_ja.datasets.sources._translation import both, both_ways, reference_metrics
from lm_eval_ja.datasets.store import (
    SPLITS,
    Expected,
    Files,
    Source,
    Split,
    Unit,
    damaged,
    open_archive,
    parse_xml,
)

FILE = Source(
    "https://alaginrc.nict.go.jp/WikiCorpus/src/wiki_corpus_2.01.tar.gz", licence="CC BY-SA 3.0", note=ARCHIVE
)


def _paragraphs(text: str, source: str) -> list[Pair]:
    """The paragraphs of one article, each from the sentences that have both languages."""
    # The source escapes unevenly; the reference takes every "&" as a plain one, so "&quot;" stays as it is.
    root = parse_xml(text.replace("&", "&amp;"), source)
    pairs = []
    for paragraph in root.findall("par"):
        japanese, english = [], []
        for sentence in paragraph.iterfind("sen"):
            ja, en = sentence.findtext("j"), sentence.findtext("e[@type='check']")
            if ja and en:
                japanese.append(ja)
                english.append(en)
        pairs.append((" ".join(japanese), " ".join(english)))
    return pairs


def _convert(split: Split, files: Files) -> Converted:
    path = files[FILE.url]
    with open_archive(path) as archive:
        # Articles are dealt out, not paragraphs, and only this split's are parsed.
        names = [name for name in archive.names if name.endswith(".xml")]
        chosen = dict(zip(SPLITS, cut_80_10_10(names), strict=True))[split]
        if not chosen:
            raise damaged(path, f"too few .xml members ({len(names)}) for a {split} split")
        articles = {name: _paragraphs(text, archive.label(name)) for name, text in archive.read(chosen)}
    return both_ways("wikicorpus", split, [pair for name in chosen for pair in articles[name]])


PROVIDES = Provides(
    files=(FILE,),
    datasets=(
        Dataset(
            "wikicorpus-e-to-j",
            {
                "train": Expected(28061, "b8186c1c46f43bbfacb19222aabb6fa317fff09d0d27f238968eab063a0afb95"),
                "dev": Expected(3787, "043386f7550fdc1d7b6e2caebd3df63788404d8c20ecbda929a9d249a7ded7bd"),
                "test": Expected(3588, "d0c9f241d4e155a50b31f25a6897d5bdda51fd9c9e7957dc1d7027e95179725e"),
            },
            variants=one_list("wikicorpus-e-to-j"),
            certificates=certified("deab5bc3a7c1073dc6cbd16acc2d6887dc226622d35342442c64c36b64c1cc94"),
            reference_metrics=reference_metrics("ja"),
        ),
        Dataset(
            "wikicorpus-j-to-e",
            {
                "train": Expected(28061, "3b8ee248a67eb5f7233e5800601dda4c437a86dbf457169be4a71d74474671f7"),
                "dev": Expected(3787, "dfdab6e3297dd0f88553ea4607d14e6176ef3799b21d765b214b2e61cb28f799"),
                "test": Expected(3588, "ed5c7852694fe46471441cb9fbe959cd440f08defe3aac4b6ca69377baa36d18"),
            },
            variants=one_list("wikicorpus-j-to-e"),
            certificates=certified("14f78522a2e1afc5394c3bd9ed888927b904fdea598e7c2d6b168d2ed716652f"),
            reference_metrics=reference_metrics("en"),
        ),
    ),
    units=tuple(
        Unit(f"wikicorpus-{split}", (FILE.url,), both("wikicorpus", split), partial(_convert, split))
        for split in SPLITS
    ),
)
