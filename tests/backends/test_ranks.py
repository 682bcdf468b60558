"""Two real data-parallel ranks, through torchrun with gloo on CPU, give what one process gives.

``accelerate launch --cpu`` starts one process whatever it is told, so torchrun it is.
"""

import json
import math
import pickle
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import SAMPLE, Finished, environment
from tests.support.judge_server import JudgeServer

LAUNCHER = Path(__file__).with_name("rank_launcher.py")
KEY = {"OPENAI_API_KEY": "sk-anything"}
FIELDS = ("doc", "target", "arguments", "filtered_resps", "metrics", "doc_hash", "prompt_hash", "target_hash")


class Plain(pickle.Unpickler):
    """Unpickles, and notes whose classes were needed."""

    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self.packages: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        self.packages.add(module.partition(".")[0])
        return super().find_class(module, name)


@dataclass
class Sent:
    """What one rank sent to the first: samples by task, values by task and metric."""

    samples: dict[str, list[dict[str, Any]]]
    values: dict[str, dict[tuple[str, str], list[float]]]
    packages: set[str]
    size: int


def read_sent(folder: Path, rank: int) -> Sent:
    parts, packages, sizes = [], set(), []
    for path in sorted(folder.glob(f"rank{rank}-*.pickle")):
        with path.open("rb") as file:
            plain = Plain(file)
            parts.append(plain.load())
        packages |= plain.packages
        sizes.append(path.stat().st_size)
    samples, values = parts
    return Sent(samples, values, packages, sizes[0])


@pytest.fixture
def two_ranks(tmp_path, tiny_model):
    """Run ``lm_eval`` on two ranks. Gives the run, and what each rank sent."""

    def run(*args: str, env: dict[str, str] | None = None) -> tuple[Finished, list[Sent]]:
        sent = tmp_path / "sent"
        sent.mkdir()
        torchrun = "torch.distributed.run --nproc_per_node 2 --rdzv_backend c10d --rdzv_endpoint localhost:0"
        done = subprocess.run(
            [
                *(sys.executable, "-m", *torchrun.split(), str(LAUNCHER)),
                *("run", *args, "--output_path", "two", "--log_samples"),
            ],
            env={
                **environment(tmp_path, env),
                "ACCELERATE_USE_CPU": "true",
                "OMP_NUM_THREADS": "1",
                "RANK_OUT": str(sent),
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=600,
            check=False,
        )
        output = done.stdout + done.stderr
        assert done.returncode == 0, output[-6000:]
        return Finished(0, output, tmp_path / "two"), [read_sent(sent, rank) for rank in (0, 1)]

    return run


@pytest.fixture
def options(tiny_model) -> list[str]:
    # One question at a time: neighbours in a batch move the last bits of the logits, and so an answer now and then.
    return f"--model hf --model_args pretrained={tiny_model} --device cpu --batch_size 1".split()


def by_id(samples: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Samples by our own id: the harness's order and numbers differ between ranks and one process."""
    joined = {sample["doc"]["id"]: sample for sample in samples}
    assert len(joined) == len(samples)
    return joined


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Equal but for the last bits: sums are taken in another order."""
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key] == (pytest.approx(value, nan_ok=True) if isinstance(value, float) else value), key


def assert_plain(sent: list[Sent]) -> None:
    """The samples hold no model: no class but builtins and our numbers, and hardly more bytes than their JSON."""
    for rank in sent:
        assert rank.packages <= {"lm_eval_ja", "builtins", "collections"}
        assert rank.size < 1.2 * len(json.dumps(rank.samples, ensure_ascii=False).encode()) + 2000


def test_jaster_scores_and_samples_are_those_of_one_process(lm_eval, two_ranks, options):
    # An odd number of questions per dataset: the second rank's requests are padded for each of them.
    run = [
        *options,
        "--tasks",
        "nejumi_jaster",
        "--limit",
        "5",
        "--gen_kwargs",
        "max_gen_toks=8",
        "--metadata",
        SAMPLE,
    ]
    one = lm_eval(*run)
    two, sent = two_ranks(*run)
    expected, found = one.results(), two.results()
    assert len(found["results"]) == 1 + 7 + 16
    assert found["results"].keys() == expected["results"].keys()
    for name, entry in expected["results"].items():
        assert_same(found["results"][name], entry)
    for task, config in expected["configs"].items():
        assert found["configs"][task]["metadata"]["signature"] == config["metadata"]["signature"]
        mine, theirs = by_id(two.samples(task)), by_id(one.samples(task))
        assert mine.keys() == theirs.keys()
        for key, sample in theirs.items():
            assert {name: mine[key][name] for name in FIELDS} == {name: sample[name] for name in FIELDS}
            assert mine[key]["resps"][0][0] == sample["resps"][0][0], "a padded request has further responses"
        assert [len(rank.samples[task]) for rank in sent] == [3, 2]
        assert {sample["doc"]["id"] for rank in sent for sample in rank.samples[task]} == theirs.keys()
        assert sent[0].values[task].keys() == sent[1].values[task].keys()
    assert_plain(sent)


def test_mtbench_is_judged_once_by_both_ranks_together(lm_eval, two_ranks, options):
    def run(server: JudgeServer) -> list[str]:
        metadata = {"data": "sample", "judge_base_url": server.url, "judge_concurrency": 4}
        return [
            *(*options, "--tasks", "nejumi_mtbench", "--limit", "7", "--metadata", json.dumps(metadata)),
            # Greedy: the ranks' random numbers are not those of one process.
            *("--gen_kwargs", "temperature=0,max_gen_toks=24"),
        ]

    # Slow enough that the ranks' judging overlaps for sure.
    with JudgeServer(latency=2.0) as server:
        two, sent = two_ranks(*run(server), env=KEY)
        judged = {key for key in server.asked() if len(json.loads(key)) == 2}  # the preflight has one message
        assert len(judged) == 14
        assert len(server.calls) == 15, "no judgment twice, and one preflight"
        assert 2 < server.most_at_once <= 4, (
            "both at a time, the allowed number of calls divided between them"
        )
    with JudgeServer() as server:
        one = lm_eval(*run(server), env={**KEY, "LM_EVAL_JA_CACHE": str(two.folder.parent / "fresh")})
        assert judged <= set(server.asked()), "the same questions, answers and references were judged"
    expected, found = one.results()["results"]["nejumi_mtbench"], two.results()["results"]["nejumi_mtbench"]
    assert found["unscored,none"] == 0
    assert math.isnan(found["writing,none"]), "the eighth question is left out"
    assert_same(found, expected)
    mine, theirs = by_id(two.samples("nejumi_mtbench")), by_id(one.samples("nejumi_mtbench"))
    assert mine.keys() == theirs.keys()
    for key, sample in theirs.items():
        assert mine[key]["arguments"] == sample["arguments"]
        assert mine[key]["resps"][0][0] == sample["resps"][0][0]
        records = [json.loads(samples[key]["filtered_resps"][0]) for samples in (mine, theirs)]
        assert records[0]["answers"] == records[1]["answers"]
        for turn, other in zip(*(record["judgments"] for record in records), strict=True):
            assert [turn[name] for name in ("turn", "rating", "messages")] == [
                other[name] for name in ("turn", "rating", "messages")
            ]
    metrics = {"coding", "extraction", "humanities", "math", "reasoning", "roleplay", "stem", "writing"}
    for rank, number in zip(sent, (4, 3), strict=True):
        values = rank.values["nejumi_mtbench"]
        assert {name for name, _ in values} == {*metrics, "turn_1", "turn_2", "score", "unscored"}
        assert {len(numbers) for numbers in values.values()} == {number}
    assert_plain(sent)


def test_the_ranks_share_the_budget(tmp_path, monkeypatch):
    """A rank sees its own part of the answers only, and must not spend the whole of ``judge_max_cost`` on it."""
    from lm_eval_ja.datasets import load_mtbench
    from lm_eval_ja.judge.mtbench import Session
    from lm_eval_ja.judge.options import JudgeOptions

    monkeypatch.setenv("OPENAI_API_KEY", "sk-anything")
    monkeypatch.setenv("LM_EVAL_JA_CACHE", str(tmp_path))
    docs = list(load_mtbench("neo", data="sample"))[:2]
    answers = [["答え", "答え"]] * len(docs)

    def calls(ranks: int, limit: float) -> int:
        with JudgeServer() as server:
            options = JudgeOptions(
                data="sample", judge_base_url=server.url, judge_price=(1e6, 0), judge_max_cost=limit
            )
            Session("test", options, options.prompts(), ranks=ranks).judge(docs, answers)
            return len(server.calls)

    # At a dollar per token: the four judgments take more than 400 tokens and fewer than 4000.
    assert [calls(1, 400), calls(1, 4000)] == [0, 4]
    assert [calls(10, 4000), calls(2, 8000)] == [0, 4]
