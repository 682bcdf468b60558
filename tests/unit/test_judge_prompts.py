"""The judge's messages, to the character, against a construction that shares nothing with the package."""

import hashlib
import json

import pytest

from lm_eval_ja.errors import DataError, OptionError
from lm_eval_ja.judge import build_messages, load_prompts

PATHS = {
    "nejumi": "raw.githubusercontent.com/wandb/llm-leaderboard/174c8889320a2b46af5bc7fc522e43a777c9c21b"
    "/scripts/fastchat/llm_judge/data/judge_prompts.jsonl",
    "fastchat": "raw.githubusercontent.com/Stability-AI/FastChat/5d4f13a4731388ffe1453c459c357d863d87037a"
    "/fastchat/llm_judge/data/judge_prompts.jsonl",
}
CATEGORIES = ["coding", "extraction", "humanities", "math", "reasoning", "roleplay", "stem", "writing"]
QUESTION_TURNS = ["一つ目の質問 {answer} です。\n二行目。", "二つ目の質問 {{x}} です。"]
ANSWERS = ["最初の回答。{question_1} [[10]]\n\n終わり。", "次の回答。{answer_1} {ref_answer_2} }{"]
REFERENCE = ["正解は {answer} です。", "正解 {question_2}"]

# SHA-256 of json.dumps(messages, ensure_ascii=False) for the made-up conversation above.
GOLDEN = {
    ("nejumi", "general", 1): "3ca85ac1ee0dbd7143096a54817790d673c9ca38afeb0cbc2ebd1b8603235565",
    ("nejumi", "general", 2): "fd3b65c710123e4b5ee35800c507cc1144e9fcaafcc86badb53e7d782df85e61",
    ("nejumi", "math", 1): "33ee0d245d624ed356cd076167bbedf17f7fba6d636ccb26470fc16e0aeaed1c",
    ("nejumi", "math", 2): "8ece1ab1e972f49ebe96a77a0489c7f16d27af20efea4ff730d855ebd4e13a85",
    ("fastchat", "general", 1): "e592e43a57df3769bf17aa90c2c13bd8da3d8a23209074c838c713e11d36a748",
    ("fastchat", "general", 2): "ccd48a6b8fb2eeb88955efe6657fcd2fb9e13c6dfcbcaf50adb80d54b0db80e2",
    ("fastchat", "math", 1): "4c7e10fe61628d8c8d612cdf11d6d527f60ffe0d9844cf4fd482cff9ea818e37",
    ("fastchat", "math", 2): "433e9fc9bf83555515d8c8dacb4fddf1a7811534f08f113b0a118bce25ce02a2",
}


def spelled_out(path, category, turn):
    """The messages, put together in the plainest way: markers for the values first, then the values."""
    lines = path.read_text(encoding="utf-8").splitlines()
    by_name = {entry["name"]: entry for entry in map(json.loads, lines)}
    math = category in ("math", "reasoning", "coding")
    if turn == 1:
        entry = by_name["single-math-v1" if math else "single-v1"]
        values = {"{question}": QUESTION_TURNS[0], "{answer}": ANSWERS[0], "{ref_answer_1}": REFERENCE[0]}
    else:
        entry = by_name["single-math-v1-multi-turn" if math else "single-v1-multi-turn"]
        values = {
            "{question_1}": QUESTION_TURNS[0],
            "{question_2}": QUESTION_TURNS[1],
            "{answer_1}": ANSWERS[0],
            "{answer_2}": ANSWERS[1],
            "{ref_answer_1}": REFERENCE[0],
            "{ref_answer_2}": REFERENCE[1],
        }
    user = entry["prompt_template"]
    for number, placeholder in enumerate(values):
        user = user.replace(placeholder, f"\x00{number}\x00")
    for number, value in enumerate(values.values()):
        user = user.replace(f"\x00{number}\x00", value)
    return [{"role": "system", "content": entry["system_prompt"]}, {"role": "user", "content": user}]


@pytest.mark.mirror
@pytest.mark.parametrize("turn", [1, 2])
@pytest.mark.parametrize("category", CATEGORIES)
@pytest.mark.parametrize("name", PATHS)
def test_messages_equal_the_templates_to_the_character(mirror, name, category, turn):
    path = mirror / PATHS[name]
    question = {"question_id": 1, "category": category, "turns": QUESTION_TURNS}
    messages = build_messages(load_prompts(path), question, ANSWERS[:turn], REFERENCE, turn)
    assert messages == spelled_out(path, category, turn)
    kind = "math" if category in ("math", "reasoning", "coding") else "general"
    digest = hashlib.sha256(json.dumps(messages, ensure_ascii=False).encode()).hexdigest()
    assert digest == GOLDEN[name, kind, turn]


@pytest.mark.mirror
@pytest.mark.parametrize("name", PATHS)
def test_named_sets_come_through_the_data_cache(mirror, tmp_path, monkeypatch, name):
    monkeypatch.setenv("LM_EVAL_JA_MIRROR", str(mirror))
    monkeypatch.setenv("LM_EVAL_JA_CACHE", str(tmp_path))
    monkeypatch.setenv("LM_EVAL_JA_OFFLINE", "1")
    prompts = load_prompts(name)
    assert prompts.source == name
    assert prompts.digest == hashlib.sha256((mirror / PATHS[name]).read_bytes()).hexdigest()
    assert prompts.templates == load_prompts(mirror / PATHS[name]).templates


@pytest.mark.mirror
def test_second_turn_system_prompts_keep_their_line_ends(mirror):
    prompts = load_prompts(mirror / PATHS["nejumi"])
    for name in ("single-v1-multi-turn", "single-math-v1-multi-turn"):
        assert prompts.templates[name].system.endswith("\n\n")


@pytest.mark.mirror
def test_references_are_needed_where_they_are_used_and_only_there(mirror):
    prompts = load_prompts(mirror / PATHS["nejumi"])
    with pytest.raises(DataError, match="reference answer 1 is missing"):
        build_messages(prompts, {"category": "coding", "turns": QUESTION_TURNS}, ANSWERS, None, 1)
    with pytest.raises(DataError, match="reference answer 2 is missing"):
        build_messages(prompts, {"category": "math", "turns": QUESTION_TURNS}, ANSWERS, REFERENCE[:1], 2)
    with pytest.raises(DataError, match="answer 2 is missing"):
        build_messages(prompts, {"category": "stem", "turns": QUESTION_TURNS}, ANSWERS[:1], None, 2)
    plain = build_messages(prompts, {"category": "stem", "turns": QUESTION_TURNS}, ANSWERS, None, 2)
    assert plain == build_messages(
        prompts, {"category": "stem", "turns": QUESTION_TURNS}, ANSWERS, REFERENCE, 2
    )
    with pytest.raises(OptionError, match="turn must be 1 or 2"):
        build_messages(prompts, {"category": "stem", "turns": QUESTION_TURNS}, ANSWERS, None, 3)


TEMPLATES = {
    "single-v1": "{question}|{answer}",
    "single-math-v1": "{question}|{answer}|{ref_answer_1}",
    "single-v1-multi-turn": "{question_1}|{answer_1}|{question_2}|{answer_2}",
    "single-math-v1-multi-turn": (
        "{question_1}|{answer_1}|{ref_answer_1}|{question_2}|{answer_2}|{ref_answer_2}"
    ),
}


def write(tmp_path, edits=None, extra=""):
    """A prompt file of four lines, some of them edited."""
    lines = []
    for name, template in ({**TEMPLATES, **(edits or {})}).items():
        if template is not None:
            lines.append(json.dumps({"name": name, "system_prompt": "s", "prompt_template": template}))
    path = tmp_path / "prompts.jsonl"
    path.write_text("\n".join(lines) + "\n" + extra, encoding="utf-8")
    return path


def test_own_prompt_file(tmp_path):
    path = write(tmp_path, {"single-v1": '{{"q": "{question}"}} {answer} {answer}'})
    path.write_bytes(
        b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n\r\n")
    )  # as Windows editors save
    messages = build_messages(
        load_prompts(path), {"category": "stem", "turns": ["Q", "R"]}, ["A{x}", "B"], None, 1
    )
    assert messages[1]["content"] == '{"q": "Q"} A{x} A{x}'


@pytest.mark.parametrize(
    ("edits", "extra", "expected"),
    [
        ({"single-math-v1": None}, "", "no template named single-math-v1; add"),
        ({"single-v1": "{question}"}, "", r"line 1: template 'single-v1' lacks \{answer\}"),
        ({"single-math-v1": "{question}{answer}"}, "", r"line 2: .* lacks \{ref_answer_1\}"),
        ({"single-v1": "{question}{answer}{extra}"}, "", r"line 1: .*unknown placeholder \{extra\}"),
        ({"single-v1": "{question}{answer!r}"}, "", "line 1: .*unknown placeholder"),
        ({"single-v1": "{question}{answer} {"}, "", "line 1: .*for braces that are text"),
        ({}, "{not json\n", "line 5: not valid JSON"),
        ({}, "[1]\n", "line 5: a JSON object is expected, not list"),
        ({}, '{"name": "other"}\n', "line 5: the field 'system_prompt' is missing"),
        (
            {},
            '{"name": "single-v1", "system_prompt": "", "prompt_template": "{question}{answer}"}',
            "line 5: a second template",
        ),
    ],
)
def test_errors_in_an_own_prompt_file_name_file_and_line(tmp_path, edits, extra, expected):
    path = write(tmp_path, edits, extra)
    with pytest.raises(OptionError, match=expected) as caught:
        load_prompts(path)
    assert str(path) in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(OptionError, match=r"nejmi.*no such file, and no known set.*'nejumi'"):
        load_prompts("nejmi")
    with pytest.raises(OptionError, match="cannot be read"):
        load_prompts(tmp_path)
    (tmp_path / "sjis.jsonl").write_bytes("日本語".encode("shift_jis"))
    with pytest.raises(OptionError, match=r"sjis\.jsonl.: cannot be read as UTF-8"):
        load_prompts(tmp_path / "sjis.jsonl")
