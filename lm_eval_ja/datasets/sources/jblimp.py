"""JBLiMP: which of two sentences is acceptable?"""

import random

from lm_eval_ja.datasets.sources._forms import one_of
from lm_eval_ja.datasets.sources._provides import Dataset, Provides
from lm_eval_ja.datasets.sources._split import SEED, Converted, with_shots
from lm_eval_ja.datasets.store import Expected, Files, Source, Unit, json_lines

_REPOSITORY = "https://raw.githubusercontent.com/osekilab/JBLiMP/99c5a50bcea4e648aa02e0d2ae35ef09030b6833"
FILE = Source(
    f"{_REPOSITORY}/data/validated/validated_minimal_pairs.jsonl",
    licence="none stated",
    sha256="5132c9eb10cb57fc578f44dec94589dda0242bc561198f7a186f3cf033b842a7",
    size=81397,
)


def _convert(files: Files) -> Converted:
    generator = random.Random(SEED)  # one for the sides and for the order
    pairs = []
    for record in json_lines(files[FILE.url]):
        good, bad = record.text("good_sentence"), record.text("bad_sentence")
        good_first = generator.randint(0, 1) == 0
        a, b = (good, bad) if good_first else (bad, good)
        pairs.append((f"a: {a}\nb: {b}", "a" if good_first else "b"))
    generator.shuffle(pairs)
    return with_shots("jblimp", pairs)


PROVIDES = Provides(
    files=(FILE,),
    datasets=(
        Dataset(
            "jblimp",
            {
                "train": Expected(32, "d320899e94c9a73bb6e4995423a73e33c19ee47f9d24bb6fb438ab92a6ebd657"),
                "dev": Expected(149, "4bff11cc61e54c31fcde511f4df0bec293d6150d515e4df0680614e530833f00"),
                "test": Expected(150, "69b0a155eb756067b29ff039e5260ac6fb3bfeb3558d306b4ea84edd1264dfe3"),
            },
            one_of("ab"),
        ),
    ),
    units=(
        Unit("jblimp", (FILE.url,), (("jblimp", "train"), ("jblimp", "dev"), ("jblimp", "test")), _convert),
    ),
)
