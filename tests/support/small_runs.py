"""Small results folders in the harness's format, written by hand, for tests that need exact contents."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

DATE = "2026-11-01T10-00-00.000000"
INSTRUCTION = "質問に答えてください。"


def question(
    own: str,
    output: str,
    score: float | None,
    *,
    gold: str = "東京",
    prediction: str | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A line of a samples file, but for the metric's name."""
    return {"id": own, "output": output, "score": score, "gold": gold, "prediction": prediction, **more}


def conversation(
    own: str, category: str, answers: Sequence[str], ratings: Sequence[float | None], judge: str = "gpt-4"
) -> dict[str, Any]:
    """A line of an MT-Bench samples file."""
    judged = [
        {
            "turn": turn,
            "rating": rating,
            "reason": None if rating is not None else "no rating in the reply",
            "spread": None,
            "messages": [{"role": "system", "content": "judge"}, {"role": "user", "content": answer}],
            "judgments": [
                {
                    "rating": rating,
                    "reason": None,
                    "text": f"Rating: [[{rating}]]",
                    "model": judge,
                    "served_model": judge,
                }
            ],
        }
        for turn, (answer, rating) in enumerate(zip(answers, ratings, strict=True), 1)
    ]
    record = {
        "answers": list(answers),
        "empty": [not answer for answer in answers],
        "second_prompt": "二つ目のプロンプト",
        "judgments": judged,
    }
    known = [rating for rating in ratings if rating is not None]
    return {
        "doc_id": 0,
        "doc": {
            "id": own,
            "category": category,
            "turns": ["最初の質問", "次の質問"],
            "reference": ["参照一", "参照二"],
        },
        "target": "参照一\n\n参照二",
        "arguments": {
            "gen_args_0": {"arg_0": "最初のプロンプト", "arg_1": {"gen_kwargs": {"max_gen_toks": 1024}}}
        },
        "resps": [[[*answers, "二つ目のプロンプト"]]],
        "filtered_resps": [json.dumps(record, ensure_ascii=False)],
        "metrics": ["score"],
        "score": sum(known) / len(known) if known else float("nan"),
    }


def task(
    dataset: str,
    metric: str,
    lines: Sequence[Mapping[str, Any]],
    *,
    limit: int = 10,
    logged: bool = True,
    **signature: str,
) -> dict[str, Any]:
    """A jaster task of neo with its samples."""
    fields = {
        "protocol": "neo",
        "version": "0.1.0",
        "data": f"d-{dataset}",
        "split": "test",
        "n": "100",
        "shots": "0",
        "style": "alpaca",
        "norm": "nfkc+strip+lower",
        "gen": f"greedy-{limit}",
    } | signature
    samples = [
        {
            "doc_id": 99 - number,  # deliberately no use as a key
            "doc": {
                "id": line["id"],
                "dataset": dataset,
                "instruction": INSTRUCTION,
                "input": f"質問：{line['id']}",
                "output": line["gold"],
            },
            "target": line["gold"],
            "arguments": {
                "gen_args_0": {
                    "arg_0": f"{INSTRUCTION}\n{line['id']}",
                    "arg_1": {"max_gen_toks": limit, "until": ["\n\n"]},
                }
            },
            "resps": [[line["output"]]],
            "filtered_resps": [line["output"].strip() if line["prediction"] is None else line["prediction"]],
            "metrics": [metric],
            metric: float("nan") if line["score"] is None else line["score"],
        }
        for number, line in enumerate(lines)
    ]
    scores = [line["score"] for line in lines]
    value = float("nan") if None in scores or not scores else sum(scores) / len(scores)
    return {
        "name": f"nejumi_jaster_{dataset}",
        "values": {f"{metric},none": value, f"{metric}_stderr,none": 0.05},
        "metadata": {"protocol": "neo", "dataset": dataset, "category": "X", "version": 1},
        "metric_list": [{"metric": metric}],
        "signature": fields,
        "samples": samples if logged else None,
    }


def mtbench(
    lines: Sequence[Mapping[str, Any]],
    values: Mapping[str, float],
    *,
    name: str = "nejumi_mtbench",
    **signature: str,
) -> dict[str, Any]:
    """The MT-Bench task with its samples; ``values`` are category means and ``score``."""
    fields = {
        "protocol": "mtbench-ja-neo",
        "version": "0.1.0",
        "data": "d-mtbench",
        "n": "80",
        "shots": "0",
        "style": "conversation",
        "norm": "visible",
        "gen": "per-category-1024",
        "judge": "gpt-4",
    } | signature
    return {
        "name": name,
        "values": {f"{metric},none": value for metric, value in values.items()} | {"unscored,none": 0},
        "metadata": {"protocol": fields["protocol"], "category": None, "version": 1},
        "metric_list": [{"metric": "score"}],
        "signature": fields,
        "samples": list(lines),
    }


def foreign(name: str = "hellaswag") -> dict[str, Any]:
    """A task that isn't ours."""
    return {
        "name": name,
        "values": {"acc,none": 0.5},
        "metadata": {"version": 1.0},
        "metric_list": [{"metric": "acc"}],
        "signature": None,
        "samples": None,
    }


def write_run(
    folder: Path,
    tasks: Sequence[Mapping[str, Any]],
    *,
    model: str = "lab/model",
    date: str = DATE,
    version: int = 1,
    **config: Any,
) -> Path:
    """Write a results file and its samples, as the harness would."""
    folder.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {
        "results": {
            task["name"]: {"name": task["name"], "alias": task["name"], **task["values"]} for task in tasks
        },
        "group_subtasks": {},
        "configs": {},
        "versions": {task["name"]: version for task in tasks},
        "n-samples": {},
        "config": {"model": "hf", "model_args": {"pretrained": model}, "limit": None} | config,
        "lm_eval_version": "0.4.13",
        "model_name": model,
        "total_evaluation_time_seconds": "90.5",
    }
    for own in tasks:
        metadata = dict(own["metadata"])
        if own["signature"]:
            metadata["signature"] = "|".join(f"{key}:{value}" for key, value in own["signature"].items())
        results["configs"][own["name"]] = {
            "task": own["name"],
            "metadata": metadata,
            "metric_list": own["metric_list"],
        }
        if own["samples"] is not None:
            results["n-samples"][own["name"]] = {
                "original": len(own["samples"]),
                "effective": len(own["samples"]),
            }
            text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in own["samples"])
            (folder / f"samples_{own['name']}_{date}.jsonl").write_text(
                text, encoding="utf-8", errors="surrogatepass"
            )
    path = folder / f"results_{date}.json"
    path.write_text(json.dumps(results, ensure_ascii=False), encoding="utf-8")
    return path


CATEGORIES = {
    "jamp": "exact_match",
    "janli": "exact_match",
    "jnli": "exact_match",
    "jsem": "exact_match",
    "jsick": "exact_match",
    "jemhopqa": "char_f1",
    "niilc": "char_f1",
    "jsquad": "char_f1",
    "jcommonsenseqa": "exact_match",
    "mawps": "exact_match",
    "chabsa": "set_f1",
    "wiki_reading": "char_f1",
    "wiki_ner": "set_f1",
    "wiki_dependency": "set_f1",
    "wiki_pas": "set_f1",
    "wiki_coreference": "set_f1",
}


def whole_jaster(scores: Mapping[str, float] | None = None, **signature: str) -> list[dict[str, Any]]:
    """All 16 tasks; each with four questions of which a score's share is right."""
    tasks = []
    for dataset, metric in CATEGORIES.items():
        score = (scores or {}).get(dataset, 0.5)
        lines = [
            question(f"{dataset}-test-{n}", "東京" if n < 4 * score else "大阪", float(n < 4 * score))
            for n in range(4)
        ]
        tasks.append(task(dataset, metric, lines, **signature))
    return tasks
