"""What every layer of tests shares: the real raw files, and a cache of its own for each session."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# What is tried is the same in every run of the suite; `make fuzz` tries something else each time.
settings.register_profile("fixed", derandomize=True)
if "LM_EVAL_JA_FUZZ_SECONDS" not in os.environ:
    settings.load_profile("fixed")

_DEFAULT_MIRROR = Path(__file__).resolve().parents[2] / "shared" / "mirror"


def _mirror_path() -> Path | None:
    configured = os.environ.get("LM_EVAL_JA_MIRROR")
    path = Path(configured) if configured else _DEFAULT_MIRROR
    return path if path.is_dir() else None


@pytest.fixture(scope="session")
def mirror() -> Path:
    """Folder with the real raw files, laid out as ``<host>/<path>``."""
    path = _mirror_path()
    if path is None:
        if os.environ.get("LM_EVAL_JA_REQUIRE_MIRROR"):
            pytest.fail("the mirror of the raw files is missing where the real-data tests must run")
        pytest.skip("no mirror of the raw files: set LM_EVAL_JA_MIRROR to a folder laid out as <host>/<path>")
    return path


@pytest.fixture(scope="session")
def spec() -> Path:
    """Folder with the protocol's golden values (``neo_items.json``, ``splits_1_3_0.json``, ``instructions.json``)."""
    return Path(__file__).parent / "golden"


@pytest.fixture(scope="session")
def real_cache(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cache folder that the session's real-data tests share, so that each dataset is converted once."""
    return tmp_path_factory.mktemp("real-cache")


@pytest.fixture(autouse=True)
def _no_width_of_the_runners(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of pytest-xdist have the width of the terminal that started them in ``COLUMNS``."""
    monkeypatch.delenv("COLUMNS", raising=False)
