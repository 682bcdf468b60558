"""Result folders for tests, screenshots and benchmarks: one real run of the harness, multiplied.

`real_run` has the harness score recorded answers to the sample questions, MT-Bench judged by the tests' own judge
server. `multiply` makes any number of made-up models of it, in the harness's format, with as many questions as the real
benchmark and scores computed by the package's own metrics. Nothing in it comes from a real dataset or model.
"""

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from lm_eval_ja.datasets import MTBENCH_CATEGORIES
from lm_eval_ja.metrics import METRICS, gold, normalize
from lm_eval_ja.protocols import Score, group_score

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = {"data": "sample"}
MODELS = (
    "example-lab/hayate-70b-instruct",
    "example-lab/hayate-13b-instruct",
    "example-lab/hayate-7b",
    "sakuragaoka/aozora-34b-chat",
    "sakuragaoka/aozora-8b-chat",
    "kitsune-ai/kitsune-20b",
    "kitsune-ai/kitsune-3b-instruct",
    "mizuumi/seiryu-mini-1.8b",
)
_WORDS = [
    "雨",
    "風",
    "山",
    "川",
    "海",
    "町",
    "駅",
    "橋",
    "森",
    "畑",
    "祭り",
    "市場",
    "工場",
    "学校",
    "図書館",
    "旅人",
    "職人",
    "農家",
    "子ども",
    "先生",
    "料理",
    "音楽",
    "絵画",
    "歴史",
    "計画",
    "方法",
    "理由",
    "結果",
    "条件",
    "例",
    "静かな",
    "新しい",
    "大切な",
    "小さな",
    "明るい",
    "古い",
    "遠い",
    "考える",
    "試す",
    "作る",
    "選ぶ",
    "比べる",
    "確かめる",
    "続ける",
    "伝える",
    "まとめる",
    "見直す",
    "始める",
]
_PARTICLES = ("は", "を", "に", "で", "と", "から", "まで", "も", "が")


@dataclass(frozen=True)
class Persona:
    """How a made-up model answers: shares of each kind of answer."""

    name: str
    skill: float
    chatty: float = 0.03
    empty: float = 0.01
    cut: float = 0.03
    foreign: float = 0.01


def personas(number: int, seed: int = 0) -> list[Persona]:
    rng = random.Random(seed)
    names = [MODELS[i] if i < len(MODELS) else f"example-lab/model-{i:02d}" for i in range(number)]
    found = []
    for index, name in enumerate(names):
        skill = 0.86 - 0.62 * index / max(1, number - 1)
        found.append(
            Persona(
                name,
                skill,
                chatty=rng.choice((0.01, 0.04, 0.18)),
                empty=rng.uniform(0, 0.03),
                cut=rng.uniform(0, 0.06),
                foreign=rng.uniform(0, 0.05),
            )
        )
    return found


def real_run(folder: Path, judge_url: str, cache: Path) -> Path:
    """Have the harness score recorded answers to the sample questions. Returns the folder with results and samples."""
    from lm_eval_ja.cli import main
    from lm_eval_ja.datasets import load_mtbench
    from lm_eval_ja.prompts import STOP, Conversation

    folder.mkdir(parents=True, exist_ok=True)
    prompts = folder / "prompts.jsonl"
    assert (
        main(["prompts", "--tasks", "nejumi_jaster", "--metadata", json.dumps(SAMPLE), "-o", str(prompts)])
        == 0
    )
    lines = [
        {**json.loads(line), "output": "わかりません"}
        for line in prompts.read_text(encoding="utf-8").splitlines()
    ]
    for doc in load_mtbench("neo", data="sample"):
        talk = Conversation(turns=tuple(doc["turns"]), chat=False, gen_kwargs={"until": [STOP]})
        first, answer = talk.first(), f"{doc['category']}について答えます。"
        lines += [
            {"id": f"{doc['id']}-1", "prompt": first, "output": answer},
            {"id": f"{doc['id']}-2", "prompt": talk.second(answer), "output": "続きを答えます。"},
        ]
    answers = folder / "answers.jsonl"
    answers.write_text(
        "\n".join(json.dumps(line, ensure_ascii=False) for line in lines) + "\n", encoding="utf-8"
    )
    out = folder / "out"
    metadata = json.dumps({**SAMPLE, "judge_base_url": judge_url, "judge_model": "judge-a"})
    command = [
        sys.executable,
        "-m",
        "lm_eval",
        "run",
        "--model",
        "recorded",
        "--model_args",
        f"path={answers}",
    ]
    command += ["--tasks", "nejumi", "--metadata", metadata, "--output_path", str(out), "--log_samples"]
    environment = {
        **os.environ,
        "OPENAI_API_KEY": "none",
        "LM_EVAL_JA_CACHE": str(cache),
        "HF_HUB_OFFLINE": "1",
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return next(out.rglob("results_*.json")).parent


# ----------------------------------------------------------------------------------------------- many models


def multiply(
    real: Path,
    out: Path,
    people: Sequence[Persona],
    *,
    questions: int = 100,
    conversations: int = 80,
    long: bool = True,
    seed: int = 0,
    edit: Callable[[str, dict[str, Any]], None] | None = None,
) -> Path:
    """Write one results folder per made-up model.

    Args:
        real: What `real_run` returned.
        out: Folder to write to.
        people: The models.
        questions: Questions per jaster dataset (a fifth of it for wiki_*).
        conversations: MT-Bench questions.
        long: Whether MT-Bench answers have their usual length.
        seed: Seed of all answers.
        edit: Called with the model's name and its results before they are written.
    """
    results = json.loads(next(real.glob("results_*.json")).read_text(encoding="utf-8"))
    templates = {
        path.name.split("_2")[0].removeprefix("samples_"): [
            json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()
        ]
        for path in real.glob("samples_*.jsonl")
    }
    for number, person in enumerate(people):
        folder = out / person.name.replace("/", "__")
        folder.mkdir(parents=True, exist_ok=True)
        date = f"2026-11-{1 + number % 28:02d}T12-00-00.000000"
        own = json.loads(json.dumps(results))
        rng = random.Random(f"{seed}-{person.name}")
        for task, lines in templates.items():
            if task.startswith("nejumi_mtbench"):
                made = list(_conversations(lines, conversations, person, rng, long))
            else:
                count = max(1, questions // 5) if "_wiki_" in task else questions
                made = list(_answers(own["configs"][task], lines, count, person, rng, seed))
            (folder / f"samples_{task}_{date}.jsonl").write_text(
                "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in made), encoding="utf-8"
            )
            own["results"][task] |= _aggregate(task, made)
            own["n-samples"][task] = {"original": len(made), "effective": len(made)}
            _resign(own["configs"][task]["metadata"], n=str(len(made)))
        _add_up(own)
        own["model_name"] = person.name
        own["config"] |= {"model": "vllm" if number % 2 else "hf", "model_args": {"pretrained": person.name}}
        own["total_evaluation_time_seconds"] = str(rng.uniform(200, 4000))
        if edit:
            edit(person.name, own)
        (folder / f"results_{date}.json").write_text(
            json.dumps(own, ensure_ascii=False, indent=2), encoding="utf-8"
        )
    return out


def _resign(metadata: dict[str, Any], **fields: str) -> None:
    parts = dict(part.split(":", 1) for part in metadata["signature"].split("|")) | fields
    metadata["signature"] = "|".join(f"{key}:{value}" for key, value in parts.items())


def resign(results: dict[str, Any], task: str, **fields: str) -> None:
    """Change fields of a task's signature."""
    _resign(results["configs"][task]["metadata"], **fields)


def _answers(
    config: dict[str, Any],
    lines: list[dict[str, Any]],
    count: int,
    person: Persona,
    rng: random.Random,
    seed: int,
) -> Iterator[dict[str, Any]]:
    metric = config["metric_list"][0]["metric"]
    signature = dict(part.split(":", 1) for part in config["metadata"]["signature"].split("|"))
    steps = signature["norm"].split("+")[1:]
    labels = sorted({line["doc"]["output"] for line in lines})
    for index in range(count):
        line = json.loads(json.dumps(lines[index % len(lines)]))
        doc = line["doc"]
        if index >= len(lines):
            # Its own sentence makes each a text of its own, equal for all models.
            extra = sentence(random.Random(f"{seed}-{doc['id']}-{index}"), 6)
            doc["input"] = f"{doc['input']}\n（補足{index}：{extra}）"
            doc["id"] = f"{doc['id'].rsplit('-', 1)[0]}-{index}"
        prompt = line["arguments"]["gen_args_0"]
        prompt["arg_0"] = prompt["arg_0"].replace(lines[index % len(lines)]["doc"]["input"], doc["input"])
        hard = random.Random(f"{seed}-hard-{doc['id']}").random()
        output = _output(doc["output"], metric, labels, person, rng, hard)
        line["resps"] = [[output]]
        line["filtered_resps"] = [normalize(output, steps)]
        score = METRICS[metric].per_item
        assert score is not None
        line[metric] = score(line["filtered_resps"][0], gold(doc["output"]))
        line["doc_id"] = index
        yield line


def _output(
    right: str, metric: str, labels: Sequence[str], person: Persona, rng: random.Random, hard: float
) -> str:
    kinds = ("chatty", "empty", "cut", "foreign")
    weights = [person.chatty, person.empty, person.cut, person.foreign]
    kind = rng.choices(("plain", *kinds), [1 - sum(weights), *weights])[0]
    knows = rng.random() * 0.5 + hard * 0.5 < person.skill
    if metric == "exact_match":
        others = [label for label in labels if label != right] or ["0"]
        answer = right if knows else rng.choice(others)
    elif metric == "char_f1":
        answer = right if knows else sentence(rng, 2)
    else:
        own = right.split("\n")
        kept = [line for line in own if rng.random() < (0.95 if knows else 0.3)]
        answer = "\n".join(kept + ([] if knows else [f"{rng.choice(_WORDS)} {own[0].split(' ')[-1]}"]))
    if kind == "chatty":
        wrapped = (
            f"Sure, I can help with that! The answer is {answer}.",
            f"もちろんです。\n答えは「{answer}」です。",
            f"**{answer}**",
        )
        return rng.choice(wrapped) if "\n" not in answer else f"以下の通りです：\n{answer}"
    if kind == "empty":
        return rng.choice(("", "\n\n"))
    if kind == "cut":
        return answer[: max(1, int(len(answer) * 0.7))]
    if kind == "foreign":
        return rng.choice(("I am not sure about this one.", "这个问题我不知道，对不起。", "잘 모르겠습니다."))
    return answer


def sentence(rng: random.Random, words: int) -> str:
    """A meaningless Japanese sentence."""
    return "".join(rng.choice(_WORDS) + rng.choice(_PARTICLES) for _ in range(words)) + "。"


def _conversations(
    lines: list[dict[str, Any]], count: int, person: Persona, rng: random.Random, long: bool
) -> Iterator[dict[str, Any]]:
    for index in range(count):
        line = json.loads(json.dumps(lines[index % len(lines)]))
        doc = line["doc"]
        if index >= len(lines):
            doc["id"] = f"mtbench-{100 + index}"
            doc["turns"] = [f"{turn}（条件{index}）" for turn in doc["turns"]]
        record = json.loads(line["filtered_resps"][0])
        size = rng.randint(8, 30) if long else 2
        record["answers"] = [paragraph(rng, size), paragraph(rng, size)]
        if rng.random() < person.empty:
            record["answers"][1] = ""
        if doc["category"] == "coding" and long:
            record["answers"][0] += "\n\n```python\ndef f(xs):\n    return sorted(xs)\n```"
        line["resps"] = [[[*record["answers"], record["second_prompt"]]]]
        for turn in record["judgments"]:
            rating = min(10.0, max(1.0, round(rng.gauss(10 * person.skill - turn["turn"] * 0.4, 1.8))))
            turn["rating"] = rating
            turn["judgments"][0] |= {
                "rating": rating,
                "reason": None,
                "text": f"{paragraph(rng, 6)}\n\nRating: [[{rating:.0f}]]",
            }
            for message in turn["messages"]:
                message["content"] = message["content"][:1200]
        ratings = [turn["rating"] for turn in record["judgments"]]
        line["filtered_resps"] = [json.dumps(record, ensure_ascii=False)]
        line |= {name: float("nan") for name in MTBENCH_CATEGORIES}
        line |= {doc["category"]: fmean(ratings), "score": fmean(ratings), "unscored": 0}
        line |= {"turn_1": ratings[0], "turn_2": ratings[1]}
        yield line


def paragraph(rng: random.Random, sentences: int) -> str:
    return "".join(sentence(rng, rng.randint(3, 8)) for _ in range(sentences))


def _aggregate(task: str, made: list[dict[str, Any]]) -> dict[str, Any]:
    if not task.startswith("nejumi_mtbench"):
        metric = made[0]["metrics"][0]
        values = [line[metric] for line in made]
        return {
            f"{metric},none": fmean(values),
            f"{metric}_stderr,none": _stderr(values),
            "sample_len": len(made),
        }
    found: dict[str, Any] = {"sample_len": len(made), "unscored,none": 0}
    means = []
    for category in MTBENCH_CATEGORIES:
        values = [line["score"] for line in made if line["doc"]["category"] == category]
        found |= {f"{category},none": fmean(values), f"{category}_stderr,none": _stderr(values)}
        means.append(Score(fmean(values), found[f"{category}_stderr,none"] if len(values) > 1 else None))
    for turn in ("turn_1", "turn_2"):
        values = [line[turn] for line in made]
        found |= {f"{turn},none": fmean(values), f"{turn}_stderr,none": _stderr(values)}
    found["score,none"] = fmean(score.value for score in means)
    return found


def _stderr(values: Sequence[float]) -> float | str:
    return stdev(values) / len(values) ** 0.5 if len(values) > 1 else "N/A"


def _add_up(results: dict[str, Any]) -> None:
    groups = results["group_subtasks"]
    done: set[str] = set(results["configs"])
    while len(done) < len(results["results"]):
        for group, children in groups.items():
            if group in done or not set(children) <= done:
                continue
            score = group_score(group, {child: results["results"][child] for child in children})
            assert isinstance(score, Score)
            own = {
                "score,none": score.value,
                "score_stderr,none": "N/A" if score.stderr is None else score.stderr,
            }
            results["results"][group] |= own
            results["groups"][group] |= own
            done.add(group)
