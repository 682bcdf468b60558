"""Our dev splits, written as llm-jp-eval's own files, against the SHA-256 that LLM-jp publishes of them."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

from lm_eval_ja.datasets import Certificate, Settings, certify, packaged

# Their raw files are in no mirror of the tests; or how they are made is not known.
NOT_HERE = {"alt-e-to-j", "alt-j-to-e", "jnli", "jsquad", "aio", "kuci", "mbpp", "mmlu_en", "xlsum_ja"}


@pytest.fixture(scope="module")
def golden() -> dict[str, dict[str, str]]:
    path = Path(__file__).parents[1] / "golden" / "llmjp_sha256.json"
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reference")


@pytest.fixture(scope="module")
def found(mirror: Path, real_cache: Path, written: Path) -> dict[str, Certificate]:
    settings = Settings(real_cache, mirror)
    return {each.dataset: each for each in certify(folder=written, settings=settings)}


def test_the_published_digests_are_all_there(golden: dict[str, dict[str, str]]) -> None:
    shipped: dict[str, dict[str, str]] = {}
    for dataset, versions in packaged().certificates.items():
        for version, digest in versions.items():
            shipped.setdefault(version, {})[f"{dataset}.json"] = digest
    assert shipped == golden


@pytest.mark.mirror
@pytest.mark.parametrize(("version", "of", "other"), [("1.3.1", 23, set()), ("1.4.1", 28, {"jmmlu"})])
def test_files_come_out_byte_for_byte(
    version: str, of: int, other: set[str], found: dict[str, Certificate], written: Path, golden
) -> None:
    files = golden[version]
    assert len(files) == of
    names = {name.removesuffix(".json") for name in files}
    certified = {name for name in names if version in found[name].versions}
    assert certified == names - NOT_HERE - other
    for name in certified:
        content = (written / version / "evaluation" / "dev" / f"{name}.json").read_bytes()
        assert sha256(content).hexdigest() == files[f"{name}.json"]


@pytest.mark.mirror
def test_what_is_missing_says_so(found: dict[str, Certificate]) -> None:
    assert {name for name, each in found.items() if each.problem} == NOT_HERE
    assert all(each.versions for name, each in found.items() if name not in NOT_HERE)
