"""mawps in Japanese: word problems of arithmetic."""

import re

from lm_eval_ja.datasets.sources._forms import number
from lm_eval_ja.datasets.sources._provides import Dataset, Provides, certified
from lm_eval_ja.datasets.sources._split import Converted, numbered, shuffled
from lm_eval_ja.datasets.store import Expected, Files, Record, Source, Unit, damaged, json_list

_REPOSITORY = (
    "https://raw.githubusercontent.com/nlp-waseda/chain-of-thought-ja-dataset"
    "/2ad9fcbc597e70424f0b40ee2749570ba3f581bf"
)
_FOLDER = f"{_REPOSITORY}/dataset/mawps"
ZERO_SHOT = Source(
    f"{_FOLDER}/zero_shot_example.json",
    licence="Apache-2.0",
    sha256="3f2c5d2f6263133b1bfda2b0b9ae1baf98746da2c1402ba20f52ebc6b2b3d186",
    size=2252,
)
SHOT = Source(
    f"{_FOLDER}/shot_example.json",
    licence="Apache-2.0",
    sha256="737554c857d3433b1340abd3a2ae2aaf80ff0921d8ad68d765d34501b94c437b",
    size=4129,
)
TEST = Source(
    f"{_FOLDER}/test.json",
    licence="Apache-2.0",
    sha256="0fde5adf64075da1157a866e991555e8aef2fb816ee5ce053302744741970fd7",
    size=314948,
)

_SOLUTION = "\n解答："
_ANSWER = re.compile("答えは(.*?)です。")


def _problem(record: Record, text: str) -> tuple[str, str]:
    question, found, solution = text.partition(_SOLUTION)
    if not found:
        raise damaged(record.source, f"{record.place}: no 解答： on a line of its own")
    return question, solution


def _train(files: Files) -> Converted:
    pairs = []
    for file in (ZERO_SHOT, SHOT):
        for record in json_list(files[file.url]):
            question, solution = _problem(record, record.text("shot_example"))
            answer = _ANSWER.search(solution)
            if answer is None:
                raise damaged(record.source, f"{record.place}: no 答えは…です。")
            pairs.append((question, answer[1]))
    return numbered("mawps", train=pairs)


def _test(files: Files) -> Converted:
    pairs = shuffled(
        (_problem(record, record.text("question"))[0], record.text("answer"))
        for record in json_list(files[TEST.url])
    )
    half = int(len(pairs) / 2)
    return numbered("mawps", dev=pairs[:half], test=pairs[half:])


PROVIDES = Provides(
    files=(ZERO_SHOT, SHOT, TEST),
    datasets=(
        Dataset(
            "mawps",
            {
                "train": Expected(16, "22caa5a5aa67947a729384b79fd3e09d1a85f0645c1957e4da03614302e72227"),
                "dev": Expected(500, "973badd602425f86148300cc20a30c5d1cc395242a21e77e7ddc1cc943efba3b"),
                "test": Expected(500, "45dc526c2d9273951c4c9a207a492235fe7cd59c01d2de4df90da5226bbc5dcc"),
            },
            number,
            certificates=certified("b9c26eb7e2daa3ed53b5f174651bec44ed74f45799e81bb12f448046d4e04052"),
        ),
    ),
    units=(
        Unit("mawps-train", (ZERO_SHOT.url, SHOT.url), (("mawps", "train"),), _train),
        Unit("mawps-test", (TEST.url,), (("mawps", "dev"), ("mawps", "test")), _test),
    ),
)
