"""Datasets of llm-jp-eval that cannot be made here: its own converted files are read instead (own data)."""

from lm_eval_ja.datasets.sources._own import own_data
from lm_eval_ja.datasets.sources._provides import Dataset, Provides, certified
from lm_eval_ja.datasets.store import SPLITS

_REASONS = {
    "mmlu_en": "how llm-jp-eval 1.4 words MMLU's questions is not known",
    "mbpp": "its answers are programs to be run",
    "xlsum_ja": "how llm-jp-eval selects its articles is not known",
}
_SHA256 = {
    "mmlu_en": "4e37b02fe76048bf1e2acd802560dc10c312b821e7641de765770bb94e50c078",
    "mbpp": "92ad569be57387e1103d859bfb8020a47bda24965e551bf2ae98c20847613c6d",
    "xlsum_ja": "44f2e6805f3f269fa577ca57bab81a12ff154c4220ee74861b53581ea8e5c1a5",
}

PROVIDES = Provides(
    files=(),
    datasets=tuple(
        Dataset(dataset, certificates=certified(sha256, "1.4.1")) for dataset, sha256 in _SHA256.items()
    ),
    units=tuple(own_data(dataset, dataset, SPLITS, reason) for dataset, reason in _REASONS.items()),
)
