"""Many checkpoints and one judge, scaled down: is the judge better asked inside each run, or once afterwards?

    python benchmarks/overnight.py MIRROR --checkpoints 8 --at-once 2 --latency 1

Every checkpoint is a real run of nejumi_mtbench (80 questions, 160 judgments) with recorded answers of its own, a
process as a scheduler would start it; all share one cache and one judgment store. *Inside*: each run asks the judge.
*Afterwards*: the runs only generate, and one ``lm-eval-ja judge`` does the rest. Both must come to the same scores,
with no judgment asked twice. With recorded answers generation takes no time, so what is measured is the rest: what a
checkpoint costs beside its model, and how long a GPU would wait for the judge.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from table import ROOT

sys.path.insert(0, str(ROOT))
from tests.support.judge_server import JudgeServer


def write_answers(path: Path, checkpoint: int) -> None:
    """Recorded answers that no other checkpoint gives."""
    from lm_eval_ja.datasets import load_mtbench
    from lm_eval_ja.prompts import Conversation

    with path.open("w", encoding="utf-8") as file:
        for question in load_mtbench("neo"):
            talk = Conversation(tuple(question["turns"]), chat=False)
            answer = f"チェックポイント{checkpoint}の{question['question_id']}番への答え。" * 40
            for prompt in (talk.first(), talk.second(answer)):
                file.write(json.dumps({"prompt": prompt, "output": answer}, ensure_ascii=False) + "\n")


def evaluate(folder: Path, checkpoint: int, judge: dict[str, object]) -> float:
    """One run; its seconds."""
    command = [sys.executable, "-m", "lm_eval", "run", "--model", "recorded", "--tasks", "nejumi_mtbench"]
    command += ["--model_args", f"path={folder / f'answers-{checkpoint}.jsonl'}", "--log_samples"]
    command += ["--output_path", str(folder / "out" / f"{checkpoint}"), "--metadata", json.dumps(judge)]
    return timed(command)


def timed(command: list[str]) -> float:
    """Seconds that a command takes."""
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return time.perf_counter() - start


def scores(folder: Path) -> Iterator[float]:
    """Each checkpoint's newest score."""
    for own in sorted((folder / "out").iterdir(), key=lambda path: int(path.name)):
        newest = max(own.rglob("results_*.json"), key=lambda path: path.name)
        yield json.loads(newest.read_text(encoding="utf-8"))["results"]["nejumi_mtbench"]["score,none"]


def measure(way: str, options: argparse.Namespace) -> list[float]:
    """Run and judge all checkpoints; their scores."""
    with tempfile.TemporaryDirectory() as name, JudgeServer(latency=options.latency) as server:
        folder = Path(name)
        os.environ |= {
            "LM_EVAL_JA_MIRROR": str(options.mirror.resolve()),
            "LM_EVAL_JA_CACHE": str(folder / "cache"),
            "LM_EVAL_JA_JUDGE_BASE_URL": server.url,
            "LM_EVAL_JA_JUDGE_CONCURRENCY": str(options.concurrency),
        }
        for checkpoint in range(options.checkpoints):
            write_answers(folder / f"answers-{checkpoint}.jsonl", checkpoint)
        metadata: dict[str, object] = {} if way == "inside" else {"judge_model": "none"}

        def run(checkpoint: int) -> float:
            return evaluate(folder, checkpoint, metadata)

        start = time.perf_counter()
        with ThreadPoolExecutor(options.at_once) as pool:
            each = list(pool.map(run, range(options.checkpoints)))
        runs = time.perf_counter() - start
        judge = [sys.executable, "-m", "lm_eval_ja.cli", "judge", str(folder / "out")]
        judging = timed(judge) if way == "afterwards" else 0.0
        asked = [count for text, count in server.asked().items() if '"1"' not in text]  # not the preflights
        print(
            f"{way:10}  {options.checkpoints} runs, {options.at_once} at a time: {runs:6.1f} s "
            f"({sum(each) / len(each):.1f} s each), judging afterwards {judging:6.1f} s; "
            f"{len(asked)} judgments, asked twice: {sum(count > 1 for count in asked)}",
            flush=True,
        )
        return list(scores(folder))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("mirror", type=Path, help="folder with the raw files, laid out as <host>/<path>")
    parser.add_argument("--checkpoints", type=int, default=8)
    parser.add_argument("--at-once", type=int, default=2, help="runs at a time, as many as there are GPUs")
    parser.add_argument("--latency", type=float, default=1.0, help="seconds that the judge takes")
    parser.add_argument("--concurrency", type=int, default=32, help="judge_concurrency")
    options = parser.parse_args()
    os.environ |= {"OPENAI_API_KEY": "benchmark", "HF_HUB_OFFLINE": "1"}
    found = {way: measure(way, options) for way in ("inside", "afterwards")}
    ideal = 160 * options.checkpoints / options.concurrency * options.latency
    print(f"ideal for the judgments, one after another run: {ideal:.1f} s")
    print(f"scores equal: {found['inside'] == found['afterwards']}")


if __name__ == "__main__":
    main()
