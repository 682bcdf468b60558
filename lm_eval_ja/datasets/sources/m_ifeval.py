"""M-IFEval, Japanese part: prompts and the instructions in them that a program can check."""

from lm_eval_ja.datasets.sources._provides import Provides
from lm_eval_ja.datasets.store import Source

FILES = (
    Source(
        "https://raw.githubusercontent.com/lightblue-tech/M-IFEval/0bc3143a919eef2f9ec64aa26da8a546086653de/data/ja_input_data.jsonl",
        licence="Apache-2.0",
        sha256="d74fbbd10fe512ad0a487e1dc85823ecfb9addcdc08fb9182d68616d6056782e",
        size=63010,
    ),
)

M_IFEVAL_JA_URL = FILES[0].url
"""Where the raw file comes from: 172 prompts with 226 instructions."""

PROVIDES = Provides(files=FILES)
