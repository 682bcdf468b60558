"""From training splits to a folder of examples."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, get_args

import numpy as np

import lm_eval_ja
from lm_eval_ja.datasets import Catalog, Data, Expected, SampleDigest, Settings, Split, load, packaged
from lm_eval_ja.errors import DataError, OptionError
from lm_eval_ja.protocols import DatasetRules, load_protocol
from lm_eval_ja.tuning._examples import FORMS, Form, make_example
from lm_eval_ja.tuning._held_out import HeldOutQuestions, is_translation, load_held_out, sorted_rules
from lm_eval_ja.tuning._manifest import ExportedFile, Manifest, Ngrams, UnavailableSplit
from lm_eval_ja.tuning._overlap import KINDS, normalise
from lm_eval_ja.tuning._write import (
    CONTAINERS,
    MANIFEST,
    OVERLAPS,
    Container,
    Writer,
    make_writer,
    new_folder,
    read_back,
)

if TYPE_CHECKING:
    import datasets

ExportSplit = Literal["train", "dev", "dev_first100"]
EXPORT_SPLITS: tuple[ExportSplit, ...] = get_args(ExportSplit)

_BATCH = 1000
_FIRST = 100
_HALF, _MOST = 0.5, 0.8


def export_tuning(
    output: str | Path,
    *,
    protocol: str = "llm_jp_eval",
    datasets: Sequence[str] | None = None,
    splits: Sequence[ExportSplit] = ("train",),
    form: Form = "alpaca",
    container: Container = "jsonl",
    keep_overlaps: bool = False,
    force: bool = False,
    data: Data = "real",
    settings: Settings | None = None,
    catalog: Catalog | None = None,
) -> Manifest:
    """Write the instruction-tuning data that a protocol's training splits make.

    Held out are the test splits of every protocol here, whole, and the dev split of a protocol that evaluates dev
    (llm-jp-eval), unless dev is exported. Samples that occur among them are listed in ``overlaps.jsonl`` and left out;
    ``keep_overlaps`` keeps them, and then the files hold just what llm-jp-eval 1.3.0 makes.

    An example's ID is ``<dataset>-<index in the split>``, as llm-jp-eval's, whether or not others were left out.

    Args:
        output: Folder to write; it appears when all is done.
        protocol: Whose datasets, splits and instructions: ``llm_jp_eval`` or ``neo``.
        datasets: Default: all of the protocol.
        splits: ``dev_first100`` is the first 100 samples of dev, as llm-jp-eval writes them.
        form: ``alpaca`` or ``chat``, see `make_example`.
        container: ``jsonl``, or ``dataset`` for a folder that ``datasets.load_from_disk`` reads.
        keep_overlaps: Export overlapping samples too.
        force: Replace an earlier export.
        data: ``sample`` for the made-up examples in the package.
        settings: Default: from the environment.
        catalog: Default: the packaged one.

    Returns:
        What ``manifest.json`` says. Datasets that couldn't be had are in ``missing``, and the rest is exported.

    Raises:
        OptionError: Unknown protocol, dataset, split, form or container, or the folder can't be written.
        DataError: Nothing of what was asked for is available.
    """
    known = {rules.dataset: rules for rules in sorted_rules(load_protocol(protocol))}
    wanted = [known[name] for name in _names("dataset", datasets or tuple(known), tuple(known))]
    chosen = _names("split", splits, EXPORT_SPLITS)
    _names("form", [form], FORMS)
    _names("container", [container], CONTAINERS)
    settings, catalog = settings or Settings.from_env(), catalog or packaged()
    with new_folder(Path(output), force=force) as folder:
        opened = [
            _open(rules, split, protocol, data, settings, catalog)
            for split in EXPORT_SPLITS
            if split in chosen
            for rules in wanted
        ]
        sources = [source for source in opened if isinstance(source, _Source)]
        missing = [source for source in opened if isinstance(source, UnavailableSplit)]
        if not sources:
            raise DataError(missing[0].problem)
        held_out = load_held_out(hold_dev=chosen == ["train"], data=data, settings=settings, catalog=catalog)
        writer = make_writer(container, folder)
        with (folder / OVERLAPS).open("w", encoding="utf-8") as overlaps:
            export = _Export(writer, overlaps, held_out, form, keep_overlaps=keep_overlaps)
            files = export.run(sources)
        writer.close()
        read, found = _prove(container, folder, files, held_out, known)
        if found and not keep_overlaps:
            raise DataError(
                f"{found} examples just written occur among the held-out questions: please report this"
            )
        manifest = Manifest(
            protocol=protocol,
            form=form,
            container=container,
            data=data,
            version=lm_eval_ja.__version__,
            keep_overlaps=keep_overlaps,
            files=tuple(files),
            missing=tuple(missing),
            held_out=held_out.splits,
            not_checked=held_out.missing,
            read_back=read,
            found=found,
        )
        (folder / MANIFEST).write_text(manifest.as_json(), encoding="utf-8")
    return manifest


@dataclass(frozen=True)
class _Source:
    """A split to export."""

    rules: DatasetRules
    split: ExportSplit
    samples: "datasets.Dataset"
    expected: Expected | None
    licences: tuple[str, ...]
    urls: tuple[str, ...]


def _names(kind: str, given: Sequence[str], known: Sequence[str]) -> list[str]:
    unknown = [name for name in given if name not in known]
    if unknown or not given:
        named = repr(unknown[0]) if unknown else "(none given)"
        raise OptionError(f"unknown {kind} {named}: choose from {', '.join(known)}")
    return list(dict.fromkeys(given))


def _open(
    rules: DatasetRules, split: ExportSplit, protocol: str, data: Data, settings: Settings, catalog: Catalog
) -> _Source | UnavailableSplit:
    own: Split = "train" if split == "train" else "dev"
    try:
        samples = load(
            rules.protocol, rules.dataset, max_samples=-1, data=data, settings=settings, catalog=catalog
        )[own]
    except DataError as error:
        return UnavailableSplit(protocol, rules.dataset, split, str(error))
    if split == "dev_first100":
        samples = samples.select(range(min(_FIRST, len(samples))))
    expected = catalog.digests.get((rules.dataset, own)) if data == "real" and split == own else None
    urls = catalog.unit(rules.dataset, own).urls
    licences = dict.fromkeys(catalog.source(url).licence for url in urls)
    return _Source(rules, split, samples, expected, tuple(licences), urls)


class _Export:
    """Writes sources one after another, and counts what it leaves out."""

    def __init__(
        self,
        writer: Writer,
        overlaps: IO[str],
        held_out: HeldOutQuestions,
        form: Form,
        *,
        keep_overlaps: bool,
    ) -> None:
        self._writer = writer
        self._overlaps = overlaps
        self._held_out = held_out
        self._form = form
        self._keep = keep_overlaps

    def run(self, sources: Sequence[_Source]) -> list[ExportedFile]:
        from tqdm import tqdm

        total = sum(len(source.samples) for source in sources)
        with tqdm(total=total, desc="exporting", unit="example", delay=2, leave=False) as bar:
            return [self._file(source, bar) for source in sources]

    def _file(self, source: _Source, bar: Any) -> ExportedFile:
        rules, split = source.rules, source.split
        path = self._writer.begin(split, rules.dataset)
        digest, grams = SampleDigest(), _GramCounts(self._held_out)
        kinds: Counter[str] = Counter()
        left_out = exported = 0
        for start in range(0, len(source.samples), _BATCH):
            batch = source.samples[start : start + _BATCH]
            kept: list[tuple[str, str]] = []
            rows = zip(batch["id"], batch["input"], batch["output"], strict=True)
            for index, (own_id, question, answer) in enumerate(rows, start):
                name = f"{rules.dataset}-{index}"
                normal = normalise(question), normalise(answer)
                match = self._held_out.exact.find(*normal, translation=is_translation(rules))
                if match is not None:
                    kinds.update(match.kinds)
                    self._list(
                        {
                            "ID": name,
                            "dataset": rules.dataset,
                            "split": split,
                            "id": own_id,
                            "kinds": match.kinds,
                            "held_out": [place._asdict() for place in match.places],
                            "left_out": not self._keep,
                        }
                    )
                    if not self._keep:
                        left_out += 1
                        continue
                self._writer.add(make_example(self._form, name, rules.instruction, question, answer))
                digest.add(question, answer)
                exported += 1
                kept.append(normal)
            grams.add(kept)
            bar.update(len(batch["id"]))
        file_digest = self._writer.end()
        expected = source.expected
        return ExportedFile(
            dataset=rules.dataset,
            split=split,
            path=path,
            available=len(source.samples),
            overlapping={kind: kinds[kind] for kind in KINDS},
            left_out=left_out,
            exported=exported,
            digest=digest.hexdigest(),
            is_1_3_0=None
            if expected is None
            else (expected.n, expected.sha256) == (exported, digest.hexdigest()),
            file_sha256=file_digest,
            licences=source.licences,
            sources=source.urls,
            ngrams=grams.result(),
        )

    def _list(self, overlap: dict[str, Any]) -> None:
        self._overlaps.write(json.dumps(overlap, ensure_ascii=False) + "\n")


@dataclass
class _GramCounts:
    held_out: HeldOutQuestions
    examples: int = 0
    reached: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    most_from: Counter[str] = field(default_factory=Counter)

    def add(self, examples: Sequence[tuple[str, str]]) -> None:
        shares, datasets = self.held_out.grams.shares(examples)
        self.examples += int(np.isfinite(shares).sum())
        for level, reached in enumerate((shares > 0, shares >= _HALF, shares >= _MOST, shares >= 1)):
            self.reached[level] += int(reached.sum())
        for dataset in datasets[shares >= _MOST]:
            self.most_from[self.held_out.grams.datasets[dataset]] += 1

    def result(self) -> Ngrams:
        reached = dict(zip(("any", "half", "most", "all"), self.reached, strict=True))
        return Ngrams(examples=self.examples, most_from=dict(self.most_from.most_common()), **reached)


def _prove(
    container: Container,
    folder: Path,
    files: Sequence[ExportedFile],
    held_out: HeldOutQuestions,
    known: Mapping[str, DatasetRules],
) -> tuple[int, int]:
    """Read the examples back and look every one up once more.

    Returns:
        How many there are, and how many of them occur among the held-out questions.
    """
    read = found = 0
    for dataset, question, answer in read_back(
        container, folder, {file.path: file.dataset for file in files}
    ):
        translation = is_translation(known[dataset])
        read += 1
        found += (
            held_out.exact.find(normalise(question), normalise(answer), translation=translation) is not None
        )
    return read, found
