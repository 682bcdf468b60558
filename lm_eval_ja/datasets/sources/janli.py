"""JaNLI: adversarial inference, one TSV for all splits."""

from lm_eval_ja.datasets.sources._forms import one_of
from lm_eval_ja.datasets.sources._nli import nli_question
from lm_eval_ja.datasets.sources._provides import Dataset, Provides, certified
from lm_eval_ja.datasets.sources._split import Converted, Pair, cut_90_10, numbered
from lm_eval_ja.datasets.store import Expected, Files, Source, Unit, damaged, tsv_rows

FILE = Source(
    "https://raw.githubusercontent.com/verypluming/JaNLI/2bbb63622570f7b20abc118146141b501efe5183/janli.tsv",
    licence="CC BY-SA 4.0",
    sha256="19e324626dd2229c372cce6c84de0658b290eae5bfa28f9476d4066705151a4f",
    size=2335097,
)

_COLUMNS = {1: "sentence_A_Ja", 2: "sentence_B_Ja", 3: "entailment_label_Ja", -1: "split"}


def _convert(files: Files) -> Converted:
    path = files[FILE.url]
    rest: list[Pair] = []
    test: list[Pair] = []
    for premise, hypothesis, label, split in tsv_rows(path, _COLUMNS):
        if split not in {"train", "test"}:
            raise damaged(path, f"a row's last column is {split!r}, neither train nor test")
        (test if split == "test" else rest).append((nli_question(premise, hypothesis), label))
    train, dev = cut_90_10(rest)
    return numbered("janli", train=train, dev=dev, test=test)


PROVIDES = Provides(
    files=(FILE,),
    datasets=(
        Dataset(
            "janli",
            {
                "train": Expected(12312, "9795abd171137b84cd47307b43525bc3c79701fd038bfe7a4cca529bbd6a143a"),
                "dev": Expected(1368, "ba6f2bd2faee4814f149e5dafa88ca0c873df56240c6337d076abafecddb4e04"),
                "test": Expected(720, "c4b9c2fdbae3a22f2e0817f52ff33e9e43eff2dc8c63254fec6c824a8d321a42"),
            },
            one_of(("entailment", "non-entailment")),
            certificates=certified("9d6694bebbe78c5c02b4fd5da8af930c03cb65d7766042cfe5cad9031a9ce6ef"),
        ),
    ),
    units=(Unit("janli", (FILE.url,), (("janli", "train"), ("janli", "dev"), ("janli", "test")), _convert),),
)
