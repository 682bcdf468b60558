"""Japanese MT-Bench: questions and reference answers in two revisions, and the prompts that judges are given."""

from collections.abc import Mapping
from typing import NamedTuple

from lm_eval_ja.datasets.sources._provides import Provides
from lm_eval_ja.datasets.store import Source

_FASTCHAT = "https://raw.githubusercontent.com/Stability-AI/FastChat"
_NEO = f"{_FASTCHAT}/5d4f13a4731388ffe1453c459c357d863d87037a/fastchat/llm_judge/data"
_2024 = f"{_FASTCHAT}/e37eb28ee490480f6f4989274ed47c55f7dfce82/fastchat/llm_judge/data"

FILES = (
    Source(
        f"{_NEO}/japanese_mt_bench/question_full.jsonl",
        licence="Apache-2.0",
        sha256="4ee861355679a95903beb3962ec413f5e2f676182b7e2ac0f5c5b0d4611bc94b",
        size=42499,
    ),
    Source(
        f"{_NEO}/japanese_mt_bench/reference_answer/gpt-4.jsonl",
        licence="Apache-2.0",
        sha256="0631685c4ebc66390970588b658e4d19047fafb0a00ec1d841616686c07b0d6b",
        size=164189,
    ),
    Source(
        f"{_2024}/japanese_mt_bench/question_full.jsonl",
        licence="Apache-2.0",
        sha256="8f56c8bd5ff93d2120409bc8f77f0020e673c74548c9637f2aace12a323834e5",
        size=42260,
    ),
    Source(
        f"{_2024}/japanese_mt_bench/reference_answer/base-gpt4o-with-human-annotation.jsonl",
        licence="Apache-2.0",
        sha256="8ea6c0b82073908f94b57f67918de5f11286e1dd7334b366ecf47a2c9b774996",
        size=265574,
    ),
    Source(
        f"{_NEO}/judge_prompts.jsonl",
        licence="Apache-2.0",
        sha256="fd283293406d024f44c174b094ef48031d0687a4682fd3a56b29b138f80281b6",
        size=10449,
    ),
    Source(
        "https://raw.githubusercontent.com/wandb/llm-leaderboard/174c8889320a2b46af5bc7fc522e43a777c9c21b/scripts/fastchat/llm_judge/data/judge_prompts.jsonl",
        licence="derived from FastChat (Apache-2.0)",
        sha256="6381e563489c9e06dcf6415f8c7e46f02df3d767261529e2a1a76df3da24ba5e",
        size=13689,
    ),
)

MTBENCH_CATEGORIES: tuple[str, ...] = (
    "coding",
    "extraction",
    "humanities",
    "math",
    "reasoning",
    "roleplay",
    "stem",
    "writing",
)
"""The eight categories, ten questions each (PROTOCOL section 7)."""


class _Revision(NamedTuple):
    questions: str
    references: str


# The later commit keeps an old gpt-4.jsonl that no longer fits the 40 questions it rewrites.
MTBENCH_REVISIONS: Mapping[str, _Revision] = {
    "neo": _Revision(FILES[0].url, FILES[1].url),
    "2024": _Revision(FILES[2].url, FILES[3].url),
}
"""URLs of each revision's questions and references."""

PROVIDES = Provides(files=FILES)
