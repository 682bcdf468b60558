"""JSeM: inference problems of formal semantics, as XML, one file per phenomenon."""

from typing import TYPE_CHECKING

from lm_eval_ja.datasets.sources._forms import one_of
from lm_eval_ja.datasets.sources._nli import nli_question
from lm_eval_ja.datasets.sources._provides import Dataset, Provides, certified, one_list
from lm_eval_ja.datasets.sources._split import Converted, Pair, cut_80_10_10, numbered
from lm_eval_ja.datasets.store import Expected, Files, Source, Unit, damaged, parse_xml, read_text

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_FOLDER = (
    "https://raw.githubusercontent.com/DaisukeBekki/JSeM/c2cd39168e267007b4690dbf625329bac57a8185/data/v1.0"
)
FILES = tuple(
    Source(f"{_FOLDER}/{name}.xml", licence="BSD-3-Clause", sha256=sha256, size=size)
    # The order decides the split (PROTOCOL section 1).
    for name, size, sha256 in (
        ("Adjectives", 33861, "15e4dd750516bc82cf16b567d34cb6606374ab70a6b32ba989eef9eeaffd42ba"),
        ("Adverb", 1358671, "402eede2d2c5d6e1e59a32919feac05893f894d63e6c88d48f317a07229dbee1"),
        ("Attitudes", 27726, "9418489419be35acc75466ac65b498670558e12069e62ec0fda2e9525743bada"),
        ("AuxiliaryVerb", 441928, "7b2378ce272b9b1c4ccf3d7695702e7e9d291708fdc1910c38e9ef8ef11bc723"),
        ("CaseParticle", 1888270, "f200b023e2f4ec0b6a744d9d646a5978a630b50e501cf8ad4a02e1631e7023ad"),
        ("Comparatives", 34396, "33b20f9b9a2a7285168da561befb75c86f934ed108f0082af82b133485b453bb"),
        ("CompoundAdjective", 119635, "02dcb58f0cd89b02428e4c032f4ee22e08ddd3bd16e92279b0abf810c3f47ba9"),
        ("CompoundVerb", 544871, "175d88abcd9496c8b956bdc2a9b50e820a158964d1864c3d62c73bf5b0df9943"),
        ("Conditional", 1208353, "8601762d70c2e0c1cd8282788be47b25141f189ede18359a72ba25a386d019ab"),
        ("Conjunction", 3244811, "2c78bfdb63332ab303f47e034789f97bd3e36c652bea735892665809694f59b7"),
        ("Coordination", 116737, "14280984787bba7849fa2b085212fba7e67933cdc3532909e18a427f99af1f7b"),
        ("Ellipsis", 38142, "ce5555092dc8ee831dab74727f87acbe004dc25a7e179c09325f698bf1b590f5"),
        ("GeneralizedQuantifier", 251045, "bd61dce7d537af3a214b50ff010f8f1daa39e3e6e62cf9245b70330446d988c2"),
        ("Modality", 1230439, "2eff6a7f3ecc523b4f7ffc2c8f07e37974a200dc3c111ffcd547014d00eb2efb"),
        ("NP", 48834, "1a672909f4c9c87aefb7c01caedb14bfa68e8f5b30c3c44ac28d825727befca2"),
        ("NewAdjective", 63347, "ffc576c68d9b3e8298c8a5ac8532c4af18dc911d54e029c9e966eac024b6f56b"),
        ("NominalAnaphora", 28940, "0ef4aa40b1e40e39683a7a4712e3d0a17d70a5e0a6c65bec230b4e880813f9bd"),
        ("Plurals", 28575, "f2a3b044493e0a481168ce748fb519a61dee59b386120d51ac7091417cb54000"),
        ("Question", 76479, "d81a1cdd1d2e0c84c98109cdd44f891ac6f0c718c7c7d5601b069a50580c0f8a"),
        ("TemporalReference", 30724, "1e8799f1c371363d201ec0c1f23f8b150b1ad06e9f007d4ff96427432bcbccde"),
        ("Toritate", 468280, "f4c1cc124de96b310301616f353049914f4d9b9306b86b3322d7e3ebddf2cdec"),
        ("Verbs", 13629, "66e2a4816a7b773db66e4af487e9db2f9d5e9963f1d4d2f958fb9326dd6eb0b1"),
    )
)
_URLS = tuple(file.url for file in FILES)
_NO_INFERENCE = frozenset({"", "infelicitous", "unacceptable", "weakacceptable"})
"""Answers that judge a sentence, not an inference; such problems aren't asked."""


def _pairs(text: str, source: object) -> list[Pair]:
    pairs = []
    for problem in parse_xml(text, source).iter("problem"):
        place = f"problem {problem.get('jsem_id')!r}"
        answer = problem.get("answer")
        if answer is None:
            raise damaged(source, f"{place} has no answer")
        if answer in _NO_INFERENCE:
            continue
        premises = [_script(p, source, place) for p in problem.findall("p")]
        hypothesis = problem.find("h")
        if not premises or hypothesis is None:
            raise damaged(source, f"{place} lacks a <p> or <h>")
        pairs.append((nli_question("".join(premises), _script(hypothesis, source, place)), answer))
    return pairs


def _script(element: "Element", source: object, place: str) -> str:
    text = element.findtext("script")
    if text is None:
        raise damaged(source, f"{place}: a <{element.tag}> has no <script>")
    return text.strip()


def _convert(files: Files) -> Converted:
    pairs = [pair for url in _URLS for pair in _pairs(read_text(files[url]), files[url])]
    train, dev, test = cut_80_10_10(pairs)
    return numbered("jsem", train=train, dev=dev, test=test)


PROVIDES = Provides(
    files=FILES,
    datasets=(
        Dataset(
            "jsem",
            {
                "train": Expected(12667, "68222b327d3679364cd7d8a264b4d4d1a06e60a95eebe68aeb72ef426079a6d1"),
                "dev": Expected(1583, "7c70f52e83028e4b0fbd2a5176938c7024d21a933be2e04c7e0b516ff88901a1"),
                "test": Expected(1584, "0e3e6803782e72d9c0ccec001871cfc7802a629b3b43e4ce6fcabac88e0c122d"),
            },
            one_of(("yes", "no", "unknown", "undef")),
            variants=one_list("jsem"),
            certificates=certified("a5bb328dfbe008cdd2595cdaa2cacfb17086506ba1776ec01cbb8cc002d7f329"),
        ),
    ),
    units=(Unit("jsem", _URLS, (("jsem", "train"), ("jsem", "dev"), ("jsem", "test")), _convert),),
)
