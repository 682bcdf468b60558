"""JCoLA: is a sentence acceptable?"""

from lm_eval_ja.datasets.sources._forms import BINARY
from lm_eval_ja.datasets.sources._provides import Dataset, Provides
from lm_eval_ja.datasets.sources._split import Converted, Pair, numbered, shuffled, with_shots
from lm_eval_ja.datasets.store import Expected, Files, Source, Unit, json_lines

_REPOSITORY = "https://raw.githubusercontent.com/osekilab/JCoLA/2bd758291d743e34b39ee4152daddbdfab3d2ffa"
_FOLDER = f"{_REPOSITORY}/data/jcola-v1.0"
TRAIN = Source(
    f"{_FOLDER}/in_domain_train-v1.0.json",
    licence="see repository (CC BY-SA 4.0 at HEAD)",
    sha256="c665f8a8b371b34c3c8947cde3670637cf0403ac7529ba8bb62370d07f008396",
    size=1322900,
)
VALID = Source(
    f"{_FOLDER}/in_domain_valid-v1.0.json",
    licence="see repository (CC BY-SA 4.0 at HEAD)",
    sha256="677fb021886b6829d6a84e8ca9f62808f6bd479fa829439f49eac4f94f23658c",
    size=165053,
)
OUT_OF_DOMAIN = Source(
    f"{_FOLDER}/out_of_domain_valid-v1.0.json",
    licence="see repository (CC BY-SA 4.0 at HEAD)",
    sha256="029d60eb01a96ef333ffb247468bc3123f7a31a2668fa83757dd57af3ad50237",
    size=130945,
)

_IN, _OUT = "jcola-in-domain", "jcola-out-of-domain"


def _pairs(files: Files, file: Source) -> list[Pair]:
    return [(record.text("sentence"), str(record.number("label"))) for record in json_lines(files[file.url])]


def _in_domain_train(files: Files) -> Converted:
    pairs = shuffled(_pairs(files, TRAIN))
    at = len(pairs) * 9 // 10
    return numbered(_IN, train=pairs[:at], dev=pairs[at:])


def _in_domain_test(files: Files) -> Converted:
    return numbered(_IN, test=_pairs(files, VALID))


def _out_of_domain(files: Files) -> Converted:
    return with_shots(_OUT, shuffled(_pairs(files, OUT_OF_DOMAIN)))


PROVIDES = Provides(
    files=(TRAIN, VALID, OUT_OF_DOMAIN),
    datasets=(
        Dataset(
            _IN,
            {
                "train": Expected(6227, "90ad7be579687ac89245ed94275af9127949efbf5b632e37ecda068e34730bfe"),
                "dev": Expected(692, "c5b6ae5d7f667b0dc6f35beb097fa68c1d3eb3aac4f2aa107c60c7e7359ff5c1"),
                "test": Expected(865, "48f2f039b69f1921ee21530bc2b35f6a8783f2b1a64a65b7f12d371721d234a9"),
            },
            BINARY,
        ),
        Dataset(
            _OUT,
            {
                "train": Expected(32, "b18c758cb80bf566f6a56a8acf050d25df1e4cdc3d361b9fc1878e7eb89e9bfb"),
                "dev": Expected(326, "3d4d5cf736bb3f41b73652efef479e44c17261572c95f4f28beaab318711dd52"),
                "test": Expected(327, "d5e3d29e3289e8d4e6c7bb0834997ccf1686e9f5f4a00ed05e76ee8034327bcd"),
            },
            BINARY,
        ),
    ),
    units=(
        Unit(f"{_IN}-train", (TRAIN.url,), ((_IN, "train"), (_IN, "dev")), _in_domain_train),
        Unit(f"{_IN}-test", (VALID.url,), ((_IN, "test"),), _in_domain_test),
        Unit(_OUT, (OUT_OF_DOMAIN.url,), ((_OUT, "train"), (_OUT, "dev"), (_OUT, "test")), _out_of_domain),
    ),
)
