"""What every module in ``datasets/sources`` owes, and that a new one needs no line anywhere else."""

import ast
import pkgutil
from importlib import import_module
from pathlib import Path

import pytest

from lm_eval_ja.datasets import SPLITS, packaged, sources
from lm_eval_ja.datasets.sources import Provides, every_source
from lm_eval_ja.datasets.sources._provides import one_list

NAMES = [module.name for module in pkgutil.iter_modules(sources.__path__) if module.name[0] != "_"]
FOLDER = Path(sources.__path__[0])


def provides(name: str) -> Provides:
    return import_module(f"lm_eval_ja.datasets.sources.{name}").PROVIDES


@pytest.mark.parametrize("name", NAMES)
class TestEverySource:
    def test_holds_together(self, name: str) -> None:
        """Its units need its own files only and make its own datasets, all of them, in all splits."""
        source = provides(name)
        own = {file.url for file in source.files}
        needed = {url for unit in source.units for url in unit.urls}
        assert needed == own or not source.units
        made = [made for unit in source.units for made in unit.produces]
        assert sorted(made) == sorted(
            (dataset.name, split) for dataset in source.datasets for split in SPLITS
        )

    def test_digests_and_variants_fit(self, name: str) -> None:
        for dataset in provides(name).datasets:
            for expected in dataset.digests.values():
                assert expected.n > 0
                assert {len(expected.sha256), len(expected.ids or expected.sha256)} == {64}
            for variant in dataset.variants.values():
                if (
                    variant != one_list(dataset.name)["llm_jp_eval_2_1"]
                ):  # there ids are places, which digests hold
                    assert all(dataset.digests[split].ids for split in SPLITS), "samples are chosen by id"
                    assert variant.sample
                assert variant.real
                for ids in variant:
                    assert len(ids) == len(set(ids))
                    assert all(name.startswith(f"{dataset.name}-") for name in ids)

    def test_says_what_it_is(self, name: str) -> None:
        assert ast.get_docstring(ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8")))


def test_no_file_unit_or_dataset_is_provided_twice() -> None:
    every = every_source()
    for names in (
        [file.url for source in every for file in source.files],
        [unit.name for source in every for unit in source.units],
        [dataset.name for source in every for dataset in source.datasets],
    ):
        assert len(names) == len(set(names))


def test_the_store_knows_no_dataset() -> None:
    names = {dataset.name for source in every_source() for dataset in source.datasets}
    text = "\n".join(path.read_text(encoding="utf-8") for path in (FOLDER.parent / "store").glob("*.py"))
    words: set[object] = set()
    for path in (FOLDER.parent / "store").glob("*.py"):
        module = ast.parse(path.read_text(encoding="utf-8"))
        words |= {node.value for node in ast.walk(module) if isinstance(node, ast.Constant)}
    assert words & names == set()
    assert "lm_eval_ja.datasets.sources" not in text


NEW = '''"""Two lakes."""

from lm_eval_ja.datasets.sources._provides import Dataset, Provides
from lm_eval_ja.datasets.sources._split import numbered
from lm_eval_ja.datasets.store import Source, Unit, read_text

FILE = Source("https://files.example/lakes.txt", licence="CC0", note="made up")


def _convert(files):
    pairs = [tuple(line.split("\\t")) for line in read_text(files[FILE.url]).splitlines()]
    return numbered("lakes", train=pairs, dev=pairs, test=pairs)


PROVIDES = Provides(
    files=(FILE,),
    datasets=(Dataset("lakes", answer_form=str.isalpha),),
    units=(Unit("lakes", (FILE.url,), (("lakes", "train"), ("lakes", "dev"), ("lakes", "test")), _convert),),
)
'''


def test_a_module_is_all_that_a_new_source_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "zz_lakes.py").write_text(NEW, encoding="utf-8")
    monkeypatch.setattr(sources, "__path__", [*sources.__path__, str(tmp_path)])
    catalog = packaged.__wrapped__()
    assert set(catalog.units) == {*packaged().units, "lakes"}
    raw = tmp_path / "lakes.txt"
    raw.write_text("湖は？\t琵琶湖\n", encoding="utf-8")
    unit = catalog.unit("lakes", "test")
    (sample,) = unit.convert({unit.urls[0]: raw})["lakes", "test"]
    assert (sample.id, sample.output) == ("lakes-test-0", "琵琶湖")
    assert catalog.answer_forms["lakes"](sample.output)
