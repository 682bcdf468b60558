"""MMLU in English: one tar with a CSV per subject and split, questions with four choices."""

from functools import partial
from itertools import chain
from pathlib import PurePosixPath

from lm_eval_ja.datasets.sources._forms import LETTER
from lm_eval_ja.datasets.sources._provides import Dataset, Provides, certified
from lm_eval_ja.datasets.sources._split import ARCHIVE, Converted, Pair, numbered, shuffled
from lm_eval_ja.datasets.store import (
    SPLITS,
    Expected,
    Files,
    Source,
    Split,
    Unit,
    csv_rows,
    damaged,
    decode,
    open_archive,
)

FILE = Source("https://people.eecs.berkeley.edu/~hendrycks/data.tar", licence="MIT", note=ARCHIVE)
_FOLDERS: dict[Split, str] = {"train": "dev", "dev": "val", "test": "test"}
"""MMLU's own name for each split."""

_COLUMNS = 6  # question, four choices, letter


def _convert(split: Split, files: Files) -> Converted:
    folder = _FOLDERS[split]
    subjects: dict[str, list[Pair]] = {}
    with open_archive(files[FILE.url]) as archive:
        wanted = [
            name for name in archive.names if PurePosixPath(name).match(f"data/{folder}/*_{folder}.csv")
        ]
        if not wanted:
            raise damaged(files[FILE.url], f"has no member data/{folder}/*_{folder}.csv")
        for member, data in archive.read_bytes(wanted):
            source = archive.label(member)
            rows = csv_rows(decode(data, source, newlines=False), source, _COLUMNS)
            # "Qusetion" is the reference's spelling, and so part of the protocol.
            subjects[member] = shuffled(
                (f"Qusetion: {question}\nChoices: A.{a}, B.{b}, C.{c}, D.{d}", letter)
                for question, a, b, c, d, letter in rows
            )
    return numbered("mmluen", **{split: _round_robin([subjects[name] for name in wanted])})


def _round_robin(subjects: list[list[Pair]]) -> list[Pair]:
    """Subject by subject in turns as long as every subject has a question left, then what is left of each."""
    shortest = min(map(len, subjects))
    turns = chain.from_iterable(zip(*(subject[:shortest] for subject in subjects), strict=True))
    return [*turns, *chain.from_iterable(subject[shortest:] for subject in subjects)]


PROVIDES = Provides(
    files=(FILE,),
    datasets=(
        Dataset(
            "mmluen",
            {
                "train": Expected(285, "b2d16352f7c1448ef46e6e4a80a4203b03e42b94fac7610f50101c08b3df15ed"),
                "dev": Expected(1531, "3bbc334d42d79a4da242afc6a3ee1618b048c4e54c5c8fb89c955edd4143ed9e"),
                "test": Expected(14042, "fa2e88bfbe06ba0006d65345795506a183ec8dff9f2e1b77d59f438eb7e2d04e"),
            },
            LETTER,
            certificates=certified(
                "57436596f139a2857a5e6d183b0abbea42910c72a9911c69504c39a0f16c985a", "1.3.1"
            ),
        ),
    ),
    units=tuple(
        Unit(f"mmluen-{split}", (FILE.url,), (("mmluen", split),), partial(_convert, split))
        for split in SPLITS
    ),
)
