"""ALT: sentences in Japanese and English."""

from functools import partial

from lm_eval_ja.datasets.sources._provides import Dataset, Provides, certified
from lm_eval_ja.datasets.sources._split import Converted
from lm_eval_ja.datasets.sources._translation import both, both_ways, reference_metrics
from lm_eval_ja.datasets.store import (
    SPLITS,
    Archive,
    Files,
    Source,
    Split,
    Unit,
    damaged,
    open_archive,
    read_text,
)

_SITE = "https://www2.nict.go.jp/astrec-att/member/mutiyama/ALT"
_NOTE = "no digest is known: neither the bytes nor the converted samples are pinned"
CORPUS = Source(f"{_SITE}/ALT-Parallel-Corpus-20191206.zip", licence="CC BY 4.0", note=_NOTE)
LISTS: dict[Split, Source] = {
    split: Source(f"{_SITE}/URL-{split}.txt", licence="CC BY 4.0", note=_NOTE) for split in SPLITS
}
_MEMBER = "ALT-Parallel-Corpus-20191206/data_{language}.txt"


def _keyed_lines(text: str, source: object, kind: str) -> dict[str, str]:
    """ALT's lines by their key, ``{kind}.{document}[.{sentence}]`` before a tab; others don't count."""
    lines = {}
    for number, line in enumerate(text.split("\n"), start=1):
        key, tab, value = line.partition("\t")
        if not tab:
            continue
        if not key.startswith(f"{kind}."):
            raise damaged(source, f"line {number}: {key!r} doesn't begin with {kind}.")
        lines[key.removeprefix(f"{kind}.")] = value
    return lines


def _language(archive: Archive, language: str) -> dict[str, str]:
    name = _MEMBER.format(language=language)
    ((_, text),) = archive.read([name])
    return _keyed_lines(text, archive.label(name), "SNT")


def _convert(split: Split, files: Files) -> Converted:
    listing = files[LISTS[split].url]
    documents = _keyed_lines(read_text(listing), listing, "URL")
    if not documents:
        raise damaged(listing, "names no document")
    with open_archive(files[CORPUS.url]) as archive:
        japanese, english = _language(archive, "ja"), _language(archive, "en")
    pairs = [
        (text, english[sentence])
        for sentence, text in japanese.items()
        if sentence in english and sentence.split(".")[0] in documents
    ]
    return both_ways("alt", split, pairs)


PROVIDES = Provides(
    files=(CORPUS, *LISTS.values()),
    datasets=(
        Dataset(
            "alt-e-to-j",
            certificates=certified("796a834af5a60e5969d31626a1c2e60477bede8b8279c438f33952a38389cb83"),
            reference_metrics=reference_metrics("ja"),
        ),
        Dataset(
            "alt-j-to-e",
            certificates=certified("968bf42ca791f6bdb7d47d4147fc5fe04e68f3495780aef8f294a8e4a993c5d7"),
            reference_metrics=reference_metrics("en"),
        ),
    ),
    units=tuple(
        Unit(f"alt-{split}", (CORPUS.url, LISTS[split].url), both("alt", split), partial(_convert, split))
        for split in SPLITS
    ),
)
