"""Questions of Nejumi 3 and 4 from the real raw files: neo's own where the rules are the same, else 1.3.0's."""

import json
from hashlib import sha1
from pathlib import Path

import pytest

from lm_eval_ja.datasets import Settings, load
from lm_eval_ja.protocols import load_protocol

pytestmark = pytest.mark.mirror

AS_NEO = ("jnli", "janli", "jsem", "jsick", "jamp", "jsquad", "jcommonsenseqa", "jemhopqa", "niilc", "mawps")
AS_TEST = (
    "chabsa",
    "wiki_reading",
    "wiki_ner",
    "wiki_coreference",
    "jcola-in-domain",
    "jblimp",
    "wikicorpus-e-to-j",
)


@pytest.mark.parametrize("protocol", ["nejumi3", "nejumi4"])
@pytest.mark.parametrize("dataset", AS_NEO)
def test_questions_are_those_that_neo_asked(
    protocol, dataset, mirror: Path, real_cache: Path, spec: Path
) -> None:
    golden = json.loads((spec / "neo_items.json").read_text(encoding="utf-8"))["datasets"][dataset]
    test = load(protocol, dataset, settings=Settings(real_cache, mirror))["test"]
    found = [sha1(text.encode(), usedforsecurity=False).hexdigest() for text in test["input"]]
    assert found == [item["input_sha1"] for item in golden]


@pytest.mark.parametrize("dataset", AS_TEST)
def test_the_others_are_the_first_of_1_3_0s_test_split(dataset, mirror: Path, real_cache: Path) -> None:
    settings = Settings(real_cache, mirror)
    number = 20 if "wiki" in dataset else 100
    whole = load("llm_jp_eval", dataset, max_samples=-1, settings=settings)["test"]
    test = load("nejumi3", dataset, settings=settings)["test"]
    assert test["input"] == whole["input"][:number]
    assert test["output"] == whole["output"][:number]
    assert load_protocol("nejumi3").tasks[f"nejumi3_{dataset}_0shot"].questions == number
