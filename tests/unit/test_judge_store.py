"""The judgment store: nothing lost, nothing mixed up, whatever happens to the file."""

import dataclasses
import hashlib
import json
import os
import stat
import subprocess
import sys
import threading

import pytest
from filelock import FileLock

from lm_eval_ja.errors import JudgeError
from lm_eval_ja.judge import JudgmentStore, _store
from lm_eval_ja.judge._store import Record


def record(name, rating=5.0, text="[[5]]"):
    return Record(
        key=hashlib.sha256(str(name).encode()).hexdigest(),
        model="gpt-4",
        served_model="gpt-4-0613",
        base_url="http://host/v1",
        repeat=0,
        text=text,
        finish_reason="stop",
        rating=rating,
        first_text=None,
        prompt_tokens=1,
        completion_tokens=2,
        latency=0.5,
        adaptations=("one",),
    )


def get(store, key):
    """The judgment with this key, if it is there."""
    return store.find([key]).get(key)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "store.jsonl"


def test_what_is_saved_is_found_by_this_and_by_later_stores(path):
    store = JudgmentStore(path)
    assert get(store, record(1).key) is None
    assert not path.parent.exists()  # looking writes nothing
    store.append([record(1), record(2, None, "改行\n\u2028 と 😀")])
    for reader in (store, JudgmentStore(path)):
        assert get(reader, record(1).key) == record(1)
        assert get(reader, record(2).key) == record(2, None, "改行\n\u2028 と 😀")
        assert get(reader, record(3).key) is None


def test_one_readable_line_per_judgment(path):
    JudgmentStore(path).append([record(1, text="良い [[5]]")])
    (line,) = path.read_bytes().splitlines(keepends=True)
    assert line.endswith(b"\n")
    assert "良い [[5]]".encode() in line
    values = json.loads(line)
    assert list(values) == [*(field.name for field in dataclasses.fields(Record)), "check"]
    del values["check"]
    assert values == {**dataclasses.asdict(record(1, text="良い [[5]]")), "adaptations": ["one"]}


def old_line(judgment):
    """A line as it was before lines had a checksum."""
    return json.dumps(dataclasses.asdict(judgment), ensure_ascii=False).encode() + b"\n"


def test_lines_without_a_checksum_are_read(path):
    JudgmentStore(path).append(())
    path.write_bytes(old_line(record(1)) + old_line(record(2, None, "改行\n")))
    JudgmentStore(path).append([record(3)])
    store = JudgmentStore(path)
    assert [get(store, record(n).key) for n in (1, 2, 3)] == [record(1), record(2, None, "改行\n"), record(3)]


def test_no_flipped_bit_makes_another_judgment():
    good = record(1, text="良い [[5]]")
    line = good.to_line()
    assert Record.from_line(line) == good
    for place in range(len(line) - 1):
        for bit in range(8):
            flipped = bytearray(line)
            flipped[place] ^= 1 << bit
            assert Record.from_line(bytes(flipped)) is None, (place, bit)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", 5),
        ("text", None),
        ("rating", "9"),
        ("repeat", "0"),
        ("adaptations", None),
        ("key", 1),
        ("other", 1),
    ],
)
def test_a_line_of_another_form_is_damaged(name, value):
    values = {**dataclasses.asdict(record(1)), name: value}
    assert Record.from_line(json.dumps(values).encode()) is None
    assert Record.from_line(b"[" * 100_000) is None


def test_text_that_is_no_valid_unicode_survives(path):
    JudgmentStore(path).append([record(1, text="\ud83d [[5]]")])
    assert get(JudgmentStore(path), record(1).key).text == "\ud83d [[5]]"


@pytest.mark.parametrize("cut", [1, 20, 150])
def test_a_torn_last_line_is_ignored_and_the_next_one_starts_afresh(path, cut):
    JudgmentStore(path).append([record(1), record(2)])
    path.write_bytes(path.read_bytes()[:-cut])
    store = JudgmentStore(path)
    assert get(store, record(1).key) == record(1)
    assert get(store, record(2).key) is None
    store.append([record(3)])
    for reader in (store, JudgmentStore(path)):
        assert get(reader, record(1).key) == record(1)
        assert get(reader, record(2).key) == (record(2) if cut == 1 else None)  # only its newline was missing
        assert get(reader, record(3).key) == record(3)


def test_damaged_lines_are_named_and_cost_only_themselves(path, caplog):
    JudgmentStore(path).append([record(1)])
    with path.open("ab") as file:
        file.write(b'\x00\xff garbage\n{"key": "short"}\n[1]\n\n')
    JudgmentStore(path).append([record(2)])
    store = JudgmentStore(path)
    assert get(store, record(1).key)
    assert get(store, record(2).key)
    assert "ignored a damaged line at byte" in caplog.text
    assert str(path) in caplog.text


def test_the_first_judgment_with_a_rating_counts(path):
    store = JudgmentStore(path)
    unrated = record(1, None, "?")
    store.append([unrated])
    assert get(store, unrated.key) == unrated
    store.append([record(1, 7.0, "[[7]]")])
    store.append([record(1, 9.0, "[[9]]"), unrated])
    for reader in (store, JudgmentStore(path)):
        assert get(reader, unrated.key).rating == 7.0


def test_lines_of_other_processes_are_seen(path):
    mine, other = JudgmentStore(path), JudgmentStore(path)
    mine.append([record(1)])
    other.append([record(2)])
    assert get(mine, record(2).key) == record(2)
    mine.append([record(3)])
    assert get(other, record(3).key) == record(3)


def test_a_file_that_is_replaced_is_read_anew(path):
    store = JudgmentStore(path)
    store.append([record(1), record(2)])
    path.write_bytes(record(3).to_line())
    assert get(store, record(1).key) is None
    assert get(store, record(3).key) == record(3)
    path.unlink()
    assert get(store, record(3).key) is None
    store.append([record(4)])
    assert get(JudgmentStore(path), record(4).key) == record(4)


def test_the_files_name_is_as_durable_as_its_first_judgment(path, monkeypatch):
    synced = []
    path = path.parent / "more" / "folders" / path.name
    top = path.parents[3]

    def sync(folder):
        synced.append(
            (folder, sorted(entry.name for entry in folder.iterdir() if "." not in entry.name), path.exists())
        )

    monkeypatch.setattr(_store, "_sync_directory", sync)
    store = JudgmentStore(path)
    store.append(())  # as a run does before it asks for anything: the file is there, but empty
    new_folders = [
        (top, ["folder"], False),
        (top / "folder", ["more"], False),
        (top / "folder" / "more", ["folders"], False),
    ]
    assert synced == new_folders
    store.append([record(1)])
    store.append([record(2)])
    assert synced == [*new_folders, (path.parent, [], True)]


def test_every_judgment_is_flushed_to_the_disk_before_it_counts_as_saved(path, monkeypatch):
    flushed = []

    def fsync(handle):
        if stat.S_ISREG(os.fstat(handle).st_mode):
            flushed.append(path.read_bytes())

    monkeypatch.setattr(os, "fsync", fsync)
    store = JudgmentStore(path)
    store.append([record(1)])
    store.append([record(2), record(3)])
    lines = [record(number).to_line() for number in (1, 2, 3)]
    assert flushed == [lines[0], b"".join(lines)]


WRITER = """
import sys
sys.path.insert(0, sys.argv[1])
from test_judge_store import record
from lm_eval_ja.judge import JudgmentStore, _store
store = JudgmentStore(sys.argv[2])
for number in range(100):
    store.append([record(f"{sys.argv[3]}-{number}", text="x" * 5000 + "[[5]]")])
"""


def test_many_processes_can_write_at_once(path):
    here = os.path.dirname(__file__)  # noqa: PTH120 -- an argument
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, here, str(path), str(n)]) for n in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert len(path.read_bytes().splitlines()) == 300
    store = JudgmentStore(path)
    assert all(get(store, record(f"{n}-{number}").key) for n in range(3) for number in range(100))


def test_a_writer_waits_for_the_lock(path):
    JudgmentStore(path).append([record(1)])
    writer = threading.Thread(target=JudgmentStore(path).append, args=([record(2)],))
    with FileLock(f"{path}.lock"):
        writer.start()
        writer.join(0.3)
        assert writer.is_alive()
        assert path.read_bytes() == record(1).to_line()
    writer.join()
    assert path.read_bytes() == record(1).to_line() + record(2).to_line()


LIMITED = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from test_judge_store import record
from lm_eval_ja.judge import JudgmentStore, _store
store = JudgmentStore(sys.argv[2])
store.append([record(1)])
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
try:
    store.append([record(2, text="x" * 5000)])
except Exception as exc:
    print(type(exc).__name__, exc)
store.append([record(3)])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a limit of file sizes stands in for a full disk")
def test_a_full_disk_is_an_error_that_leaves_the_file_whole(path):
    here = os.path.dirname(__file__)  # noqa: PTH120 -- an argument
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, here, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"JudgeError judgment store {path}: cannot be written: File too large")
    assert path.read_bytes() == record(1).to_line() + record(3).to_line()


def test_a_place_that_cannot_be_a_store_is_named(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(JudgeError, match=r"cannot be written: .*run again: what was saved before is kept"):
        JudgmentStore(tmp_path / "file" / "store.jsonl").append([record(1)])
    with pytest.raises(JudgeError, match=f"judgment store {tmp_path}: cannot be read: Is a directory"):
        get(JudgmentStore(tmp_path), record(1).key)


# --- claims ---------------------------------------------------------------------------------------------------------


def keys(*names):
    return [record(name).key for name in names]


def test_what_one_run_claims_no_other_does_until_it_is_released(path):
    mine, other = JudgmentStore(path), JudgmentStore(path)
    with mine.claim(keys(1, 2)) as first:
        assert first.keys == set(keys(1, 2))
        with other.claim(keys(2, 3)) as second:
            assert second.keys == set(keys(3))
        mine.append([record(2)])
    with other.claim(keys(2, 3)) as third:
        assert third.keys == set(keys(2, 3))
        assert third.records == {record(2).key: record(2)}
    assert list(path.with_name("store.jsonl.claims").iterdir()) == []


def test_a_claim_ends_with_an_error_too(path):
    store = JudgmentStore(path)
    with pytest.raises(ZeroDivisionError), store.claim(keys(1)):
        raise ZeroDivisionError
    with store.claim(keys(1)) as again:
        assert again.keys == set(keys(1))


CLAIMER = """
import sys
sys.path.insert(0, sys.argv[1])
from test_judge_store import JudgmentStore, keys
with JudgmentStore(sys.argv[2]).claim(keys(1, 2)):
    print("claimed", flush=True)
    sys.stdin.read()
"""


def test_the_claim_of_a_killed_process_is_none(path):
    here = os.path.dirname(__file__)  # noqa: PTH120 -- an argument
    command = [sys.executable, "-c", CLAIMER, here, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "claimed\n"
        store = JudgmentStore(path)
        with store.claim(keys(1, 3)) as claim:
            assert claim.keys == set(keys(3))
        process.kill()
        process.wait()
        with store.claim(keys(1, 3)) as claim:
            assert claim.keys == set(keys(1, 3))
    assert list(path.with_name("store.jsonl.claims").iterdir()) == []
