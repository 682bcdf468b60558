"""Files of recorded answers of any kind: each answer is found as it stands in the file, or an error names the place."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lm_eval_ja.adapters import make_request
from lm_eval_ja.errors import DataError, OptionError
from lm_eval_ja.models.recorded import RecordedLM
from tests.support.for_long import calm, explains, for_long

pytestmark = pytest.mark.timeout(7200)
SEEDS = sorted((Path(__file__).parent / "seeds" / "recorded").iterdir())

TEXTS = st.text(max_size=12) | st.sampled_from(
    ["", "p", "\0", "\ud83d", "\ud83d\ude00", "\u2028", "\x85", "\r", "\ufeff", "あ" * 2_000, "{}", "\\ud800"]
)
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.just(10**4000) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
GOOD = st.fixed_dictionaries(
    {"prompt": TEXTS, "output": TEXTS}, optional={"id": TEXTS, "task": ODD, "more": ODD}
)
RECORDS = GOOD | st.dictionaries(st.sampled_from(["prompt", "output", "id", "Prompt"]), ODD, max_size=3) | ODD


def line_of(record: object, ascii_only: bool, ending: str) -> bytes:
    return (json.dumps(record, ensure_ascii=ascii_only) + ending).encode("utf-8", "surrogatepass")


LINES = st.builds(
    line_of, RECORDS, st.booleans(), st.sampled_from(["\n", "\r\n", "\n\n", " \n"])
) | st.binary(max_size=8)
FILES = st.lists(LINES, max_size=5).map(b"".join)
FORMS = {
    "plain": bytes,
    "with a mark": lambda content: b"\xef\xbb\xbf" + content,
    "gzip": gzip.compress,
    "gzip in gzip": lambda content: gzip.compress(gzip.compress(content)),
    "two gzips": lambda content: (
        gzip.compress(content[: len(content) // 2]) + gzip.compress(content[len(content) // 2 :])
    ),
    "half a gzip": lambda content: gzip.compress(content)[: len(content) // 2 + 10],
    "gzip with a tail": lambda content: gzip.compress(content) + b"tail",
    "UTF-16": lambda content: content.decode(errors="replace").encode("utf-16"),
    "UTF-32": lambda content: content.decode(errors="replace").encode("utf-32-le"),
    "Shift JIS": lambda content: content.decode(errors="replace").encode("shift_jis", "replace"),
    "no last line end": lambda content: content.rstrip(),
}


def request(prompt: str, own: str):
    return make_request(
        "generate_until", {"id": own.partition(":")[2]}, (prompt, {}), own.partition(":")[0], 0
    )


def check_file(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        lm = RecordedLM(str(path))
    except DataError as error:
        explains(error, str(path), most=8_000)
        return
    plain = content
    while plain[:2] == b"\x1f\x8b":
        plain = gzip.decompress(plain)
    asked = [json.loads(line) for line in plain.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip()]
    for record in asked:
        outputs = {other["output"] for other in asked if other["prompt"] == record["prompt"]}
        if len(outputs) == 1:
            assert lm.generate_until([request(record["prompt"], "t:other")]) == [record["output"]]
            continue
        try:
            found = lm.generate_until([request(record["prompt"], str(record.get("id", "t:other")))])
        except DataError as error:
            explains(error, str(path), most=30_000)
        else:
            assert found == [record["output"]]


@pytest.mark.parametrize("seed", SEEDS, ids=lambda path: path.name)
def test_what_once_broke_the_reader_is_read_or_refused(seed: Path, tmp_path: Path) -> None:
    check_file(tmp_path / "answers.jsonl", seed.read_bytes())


@pytest.mark.parametrize("form", FORMS)
def test_any_file_is_read_as_it_stands_or_refused(form: str, tmp_path: Path) -> None:
    good = st.lists(GOOD, min_size=1, max_size=4).map(
        lambda records: "".join(json.dumps(record) + "\n" for record in records).encode()
    )

    @calm
    @given(FILES | good)
    @example(b"[" * 100_000)
    @example(b'{"prompt": "p", "output": "o", "n": ' + b"1" * 5_000 + b"}\n")
    @example(b'{"prompt": "p", "output": "o", "id": ' + b"[" * 900 + b"]" * 900 + b"}\n")
    @example(b'{"prompt": "p", "output": "o"}\n\0\n')
    def check(content: bytes) -> None:
        check_file(tmp_path / "answers.jsonl", FORMS[form](content))

    for_long(check)


def test_any_arguments_are_used_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text('{"prompt": "p", "output": "o"}\n', encoding="utf-8")
    values = (
        TEXTS
        | st.just(str(path))
        | st.sampled_from([str(tmp_path), "/dev/null", "~nobody/x", "a\0b", "x" * 300])
    )

    @calm
    @given(
        st.dictionaries(
            st.sampled_from(["path", "model", "batch_size", "device", "name", "pretrained"]), values
        )
    )
    def check(arguments: dict[str, str]) -> None:
        try:
            lm = RecordedLM(**arguments)
        except (DataError, OptionError) as error:
            explains(error, most=8_000)
        else:
            assert arguments["path"] == str(path)
            assert lm.generate_until([request("p", "t:1")]) == ["o"]

    for_long(check)
