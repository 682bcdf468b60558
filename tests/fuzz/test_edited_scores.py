"""`lm-eval-ja verify`: random edits to every kind of scored field of a real run are all found, and nothing else is."""

import json
import math
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lm_eval_ja.cli import main
from lm_eval_ja.datasets import load, load_mtbench
from lm_eval_ja.errors import DataError
from lm_eval_ja.prompts import Conversation
from lm_eval_ja.protocols import load_protocol
from lm_eval_ja.rescoring import rescore, verify_runs, write_results
from lm_eval_ja.rescoring._recompute import kind_of
from lm_eval_ja.results import read_runs
from tests.support.judge_server import JudgeServer, say

EDITS = int(os.environ.get("LM_EVAL_JA_VERIFY_EDITS", "100"))
OTHERS = "nejumi_jaster_jsts,llm_jp_eval_alt-e-to-j,m_ifeval_ja"
METADATA = '{"data": "sample", "max_samples": -1, "split": "test"}'
NOISE = (
    lambda text: f" {text}",
    str.capitalize,
    lambda text: f"回答: {text}",
    lambda text: f"{text}\n\n### 入力:",
    lambda text: f"{text}です",
    lambda text: text,
)


def rate(call):
    """A judge whose rating depends on what it is sent, and who has none to give now and then."""
    number = sum(map(ord, call.prompt)) % 11
    return say(f"説明です。評価：[[{number}]]" if number else "評価できません。")


def _answers(prompts: Path) -> list[dict]:
    golds = {}
    for name in ("neo", "llm_jp_eval"):
        for rules in load_protocol(name).tasks.values():
            samples = load(rules.protocol, rules.dataset, max_samples=-1, data="sample")["test"]
            golds |= {f"{rules.task}:{sample['id']}": sample["output"] for sample in samples}
    rng = random.Random(0)
    lines = [json.loads(line) for line in prompts.read_text(encoding="utf-8").split("\n") if line]
    answers = [
        {**line, "output": rng.choice(NOISE)(golds.get(line["id"], "はい、「東京」です。\n* 一つ"))}
        for line in lines
    ]
    for doc in load_mtbench("neo", data="sample"):
        talk = Conversation(tuple(doc["turns"]), chat=False)
        first = f"一つ目の答え {doc['question_id']} ### 余分"
        answers.append({"prompt": talk.first(), "output": first})
        answers.append(
            {"prompt": talk.second(first), "output": f"<think>え</think>二つ目 {doc['question_id']}"}
        )
    return answers


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the harness with every kind of task, answered with noise, judged twice by a real server."""
    folder = tmp_path_factory.mktemp("verify")
    prompts, answers = folder / "prompts.jsonl", folder / "answers.jsonl"
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("LM_EVAL_JA_")]:
            patch.delenv(name)
        patch.setenv("LM_EVAL_JA_CACHE", str(folder / "cache"))
        for name in ("LM_EVAL_JA_OFFLINE", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
            patch.setenv(name, "1")
        patch.setenv("OPENAI_API_KEY", "sk-0123456789abcdef")
        asked = f"nejumi_jaster,{OTHERS}"
        assert main(["prompts", "--tasks", asked, "-o", str(prompts), "--metadata", METADATA]) == 0
        answers.write_text("".join(json.dumps(line) + "\n" for line in _answers(prompts)), encoding="utf-8")
        with JudgeServer(rate) as server:
            options = json.dumps({**json.loads(METADATA), "judge_base_url": server.url, "judge_repeats": 2})
            model = ("--model", "recorded", "--model_args", f"path={answers}", "--metadata", options)
            out = ("--output_path", str(folder / "out"), "--log_samples")
            done = subprocess.run(
                [sys.executable, "-m", "lm_eval", "run", *model, "--tasks", f"nejumi,{OTHERS}", *out],
                capture_output=True,
                text=True,
                encoding="utf-8",
                check=False,
            )
        assert done.returncode == 0, done.stdout + done.stderr
    return folder / "out"


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(made, tmp_path / "out"))


# ----------------------------------------------------------------------------------------------------- edits


def _numbers(value, path=()):
    """Paths to every number in a JSON value."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield path
    for key, below in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from _numbers(below, (*path, key))


def _changed(value, rng: random.Random):
    """Another value of the same kind, sometimes nearly the same."""
    if isinstance(value, str):
        place = rng.randrange(len(value) + 1)
        return value[:place] + rng.choice(("", "1", "東")) + value[place + rng.randint(0, 1) :]
    if value is None or math.isnan(value):
        return rng.choice((1.0, 7, 0.5))
    return rng.choice(
        (value + rng.choice((-1, 1)) * 10 ** rng.uniform(-9, 0), 1 - value, value * 10 + 1, None)
    )


def _holder(value, path):
    for key in path[:-1]:
        value = value[key]
    return value


def _edit_results(raw, rng: random.Random) -> None:
    path = rng.choice([(s, *path) for s in ("results", "groups", "n-samples") for path in _numbers(raw[s])])
    holder = _holder(raw, path)
    holder[path[-1]] = _changed(holder[path[-1]], rng)


def _edit_record(sample, rng: random.Random) -> None:
    """Change the judge's record: a turn's rating or spread, a judgment's rating or words, an answer."""
    record = json.loads(sample["filtered_resps"][0])
    turn = rng.choice(record["judgments"])
    judgment = rng.choice(turn["judgments"])
    match rng.randrange(5):
        case 0:
            turn["rating"] = _changed(turn["rating"], rng)
        case 1:
            turn["spread"] = _changed(turn["spread"], rng)
        case 2:
            judgment["rating"] = _changed(judgment["rating"], rng)
        case 3:
            judgment["text"] = "[[3.5]]"
        case _:
            record["answers"][rng.randrange(2)] += "。"
    sample["filtered_resps"] = [json.dumps(record, ensure_ascii=False)]


def _edit_sample(sample, rng: random.Random) -> None:
    """Change one scored field: a value, the prediction or verdicts, the gold answer, the question, the raw answer."""
    talk = "turns" in sample["doc"]
    name = rng.choice((*sample["metrics"], "target", "doc", "resps", "filtered_resps"))
    if name == "resps" and talk:
        sample["resps"][0][0][rng.randrange(2)] = "別の答え"
    elif name == "resps":
        sample["resps"] = [["別の答え"]]
    elif name == "doc" and talk:
        sample["doc"]["reference"][rng.randrange(2)] += "。"
    elif name == "doc":
        key = rng.choice(("input", "output"))
        sample["doc"][key] = _changed(sample["doc"][key], rng)
    elif name == "filtered_resps" and talk:
        _edit_record(sample, rng)
    elif name == "filtered_resps":
        sample[name] = [_changed(sample[name][0], rng)]
    else:
        sample[name] = _changed(sample[name], rng)


def test_a_real_run_follows_from_its_answers(made, capsys):
    (verified,) = verify_runs(made)
    assert verified.findings == []
    assert verified.unverified == []
    assert len(verified.tasks) == 16 + 4
    assert verified.values > 1000
    assert main(["verify", str(made)]) == 0
    assert "all follow from the answers" in capsys.readouterr().out


def test_every_edit_of_a_scored_field_is_found_where_it_was_made(run):
    files = sorted(path for path in run.rglob("*.json*") if path.is_file())
    texts = {path: path.read_text(encoding="utf-8") for path in files}
    assert len(files) == 1 + 20
    often = [
        file for file in files for _ in range(1 + 7 * (file.suffix == ".json") + 4 * ("mtbench" in file.name))
    ]
    edited = 0
    for seed in range(EDITS):
        rng = random.Random(seed)
        path = rng.choice(often)
        lines = (
            [json.loads(texts[path])]
            if path.suffix == ".json"
            else [json.loads(line) for line in texts[path].split("\n") if line]
        )
        number = rng.randrange(len(lines))
        before = json.dumps(lines[number])
        (_edit_results if path.suffix == ".json" else _edit_sample)(lines[number], rng)
        if json.dumps(lines[number]) == before:
            continue
        edited += 1
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        (verified,) = verify_runs(run)
        found = [own for own in verified.findings if own.file == path]
        assert found, f"seed {seed}: {path.name}: {before[:300]} -> {json.dumps(lines[number])[:300]}"
        if path.suffix == ".jsonl":
            assert {own.question for own in found} == {lines[number]["doc"]["id"]}, f"seed {seed}"
        path.write_text(texts[path], encoding="utf-8")
    assert edited > EDITS * 0.8
    assert verify_runs(run)[0].findings == []


# --------------------------------------------------------------------------------------------- further cases


def _samples(run: Path, task: str) -> Path:
    (path,) = run.rglob(f"samples_{task}_2*.jsonl")
    return path


def test_the_command_names_file_question_and_field(run, capsys):
    path = _samples(run, "nejumi_jaster_jsquad")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    lines[0]["char_f1"] = 0.123
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert main(["verify", str(run)]) == 1
    told = capsys.readouterr().out
    assert (
        f"{path.name} nejumi_jaster_jsquad {lines[0]['doc']['id']}: char_f1 is 0.123, but should be" in told
    )
    assert main(["verify", str(run), "--json"]) == 1
    (own,) = json.loads(capsys.readouterr().out)
    (finding,) = own["findings"]
    assert (finding["question"], finding["field"], finding["found"]) == (
        lines[0]["doc"]["id"],
        "char_f1",
        0.123,
    )


def test_a_removed_line_and_a_second_one_are_found(run):
    path = _samples(run, "nejumi_jaster_jnli")
    first, *rest = path.read_text(encoding="utf-8").split("\n")
    path.write_text("\n".join(rest), encoding="utf-8")
    assert {"signature, n", "sample_len", "task_hashes"} <= {
        own.field for own in verify_runs(run)[0].findings
    }
    path.write_text("\n".join((first, first, *rest)), encoding="utf-8")
    assert [own.found for own in verify_runs(run)[0].findings] == ["a second one"]


def test_an_added_score_is_found(run):
    (path,) = run.rglob("results_*.json")
    raw = json.loads(path.read_text(encoding="utf-8"))
    raw["results"]["nejumi_jaster_jnli"]["char_f1,none"] = 0.99
    path.write_text(json.dumps(raw), encoding="utf-8")
    (finding,) = verify_runs(run)[0].findings
    assert (finding.task, finding.field, finding.found) == ("nejumi_jaster_jnli", "char_f1,none", 0.99)


def test_what_cannot_be_verified_is_said(run, capsys):
    _samples(run, "nejumi_jaster_jnli").unlink()
    path = _samples(run, "nejumi_mtbench")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    record = json.loads(lines[0]["filtered_resps"][0])
    del record["judgments"][0]["judgments"][0]["text"]
    lines[0]["filtered_resps"] = [json.dumps(record)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert main(["verify", str(run)]) == 3
    told = capsys.readouterr().out
    assert "not verified: nejumi_jaster_jnli: no samples" in told
    assert "not verified: nejumi_mtbench: ratings whose judge's text is not stored" in told


def test_rescored_runs_are_verified_by_the_rules_they_were_scored_by(run):
    (own,) = read_runs([run]).runs
    written = write_results(rescore(own, "llm_jp_eval"))
    found = {verified.file: verified for verified in verify_runs(run)}
    assert found[written].findings == []
    assert len(found[written].tasks) > 10


def test_several_samples_of_an_answer_are_scored_together():
    sample = {
        "doc": {"id": "jnli-0", "dataset": "jnli", "input": "x", "output": "neutral"},
        "arguments": {"gen_args_0": {"arg_0": "prompt"}},
        "resps": [["neutral", " entailment", "padding of a rank"]],
    }
    metrics = ["exact_match", "exact_match_majority", "exact_match_pass@2"]
    kind = kind_of(sample, {"norm": "nfkc+strip", "repeats": "2"}, None, metrics)
    own = kind.sample(sample)
    assert own.fields["filtered_resps"] == [["neutral", "entailment"]]
    assert {name: own.fields[name] for name in metrics} == dict(zip(metrics, (0.5, 0.5, 1.0), strict=True))
    assert kind.scores([own.values])["exact_match_pass@2,none"] == 1.0
    assert kind.unverified == ()
    with pytest.raises(DataError, match="1 of 2 answers"):
        kind.sample({**sample, "resps": [["neutral"]]})


@pytest.mark.parametrize("thought", ["<think>まず", "<reasoning>hm</reasoning>はい", "<think>hm</think>はい"])
def test_conversations_from_before_thoughts_were_told_by_their_tags_are_verified_as_they_were_judged(thought):
    """Then all behind the last ``</think>`` was judged, and of thoughts that did not end all."""
    seen = thought.rpartition("</think>")[2]
    judgment = {"rating": 3.0, "text": "評価：[[3]]"}
    turns = [
        {
            "turn": turn,
            "rating": 3.0,
            "reason": None,
            "spread": None,
            "messages": [{"role": "user", "content": f"{seen} / {seen}"}],
            "judgments": [judgment],
        }
        for turn in (1, 2)
    ]
    record = {"answers": [seen, seen], "empty": [False, False], "second_prompt": "p", "judgments": turns}
    sample = {
        "doc": {"id": "1", "category": "math", "turns": ["一", "二"], "reference": []},
        "arguments": {"gen_args_0": {"arg_0": "一", "arg_1": {"chat": True, "think_end": "</think>"}}},
        "resps": [[[thought, thought, "p"]]],
        "filtered_resps": [json.dumps(record)],
    }
    fields = {"protocol": "mtbench-ja-neo", "norm": "visible", "judge_repeats": "1", "judge_strict": "no"}
    own = kind_of(sample, fields, None, []).sample(sample)
    assert own.inside == []
    assert own.values["turn_1"] == 3.0
    sample["resps"][0][0][0] = "別の答え"
    assert kind_of(sample, fields, None, []).sample(sample).inside != []


def test_nothing_to_verify_is_an_error(tmp_path, capsys):
    assert main(["verify", str(tmp_path)]) == 2
    assert "no results_*.json" in capsys.readouterr().err
