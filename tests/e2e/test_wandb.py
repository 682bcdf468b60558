"""Weights & Biases, offline: what arrives in the run folder is read back from its files and its transaction log."""

import importlib.util
import json
import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lm_eval_ja.datasets import MTBENCH_CATEGORIES
from lm_eval_ja.errors import OptionError
from lm_eval_ja.protocols import load_protocol
from lm_eval_ja.report._wandb import log_to_wandb
from lm_eval_ja.results import read_runs
from tests.support.judge_server import JudgeServer

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("wandb") is None,
    reason='no wandb: pip install "lm-eval-ja[wandb]" runs these tests',
)

OFFLINE = {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "OPENAI_API_KEY": "sk-secret-0123456789abcdef"}
FAILED = "Logging to W&B failed"
NEO = load_protocol("neo")
DATASETS = sorted((rules.dataset, rules.metric) for rules in NEO.tasks.values() if rules.category)
CATEGORIES = next(node for node in NEO.nodes() if node.name == "nejumi_jaster").children


@dataclass
class Logged:
    """An offline W&B run, read back."""

    folder: Path
    records: list[Any]

    def tables(self) -> dict[str, dict[str, Any]]:
        """Tables by the name under which they were logged, each with ``columns`` and ``data``."""
        found = {}
        for name, value in self.items("history").items():
            if isinstance(value, dict) and value.get("_type") == "table-file":
                found[name] = json.loads((self.folder / "files" / value["path"]).read_text(encoding="utf-8"))
                assert value["nrows"] == len(found[name]["data"])
        return found

    def items(self, kind: str) -> dict[str, Any]:
        """Everything that ``kind`` of record ever set."""
        found: dict[str, Any] = {}
        for record in self.records:
            if record.WhichOneof("record_type") == kind:
                part = getattr(record, kind)
                for item in part.item if kind == "history" else part.update:
                    *above, last = item.nested_key or [item.key]
                    place = found
                    for name in above:
                        place = place.setdefault(name, {})
                    place[last] = json.loads(item.value_json)
        return found

    def run(self) -> Any:
        return next(record.run for record in self.records if record.WhichOneof("record_type") == "run")


def read_back(place: Path) -> list[Logged]:
    """Every offline run under ``place``, oldest first, once wandb's own process has written all of it."""
    deadline = time.monotonic() + 60
    runs: list[Logged] = []
    for file in sorted(place.glob("wandb/offline-run-*/run-*.wandb")):
        while not (records := parse(file)) or not any(
            own.WhichOneof("record_type") == "exit" for own in records
        ):
            assert time.monotonic() < deadline, f"{file} was never finished"
            time.sleep(0.2)
        runs.append(Logged(file.parent, records))
    return runs


def parse(file: Path) -> list[Any]:
    from wandb.proto import wandb_internal_pb2

    records = []
    for data in log_records(file.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        records.append(record)
    return records


def log_records(data: bytes) -> Iterator[bytes]:
    """Records of a transaction log: 32 KiB blocks of chunks (checksum, length, type), after a header of 7 bytes."""
    position, whole = 7, b""
    assert data[:4] in (b"", b":W&B")
    while position + 7 <= len(data):
        left = 32768 - position % 32768
        if left < 7:
            position += left
            continue
        length, kind = struct.unpack_from("<HB", data, position + 4)
        whole += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # a whole record, or the last chunk of one
            yield whole
            whole = b""


@pytest.fixture
def offline(tmp_path):
    """Where this process logs to."""
    return tmp_path


@pytest.fixture
def log(offline):
    """`log_to_wandb`, offline. The folder is given each time: wandb keeps its first one for the whole process."""
    return lambda runset, **settings: log_to_wandb(
        runset, {"dir": str(offline), "mode": "offline", **settings}
    )


# ------------------------------------------------------------------------------------- the harness's own logging


def test_the_harness_logs_every_kind_of_task(lm_eval, tiny_model):
    tasks = "nejumi,nejumi_mtbench_2024,llm_jp_eval_nli,llm_jp_eval_jsts"
    with JudgeServer() as server:
        metadata = json.dumps({"data": "sample", "judge_base_url": server.url})
        done = lm_eval(
            *("--model", "hf", "--model_args", f"pretrained={tiny_model}", "--tasks", tasks),
            *("--limit", "2", "--gen_kwargs", "max_gen_toks=4", "--batch_size", "8", "--metadata", metadata),
            *("--wandb_args", "project=test", "id=abc123"),
            env=OFFLINE,
        )
    assert FAILED not in done.output
    (logged,) = read_back(done.folder.parent)
    assert logged.run().run_id == "abc123"
    tables = logged.tables()
    results = done.results()
    for task in results["configs"]:
        (path,) = done.folder.rglob(f"samples_{task}_2???-??-??T*.jsonl")
        samples = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
        table = tables.pop(f"{task}_eval_results")
        metrics = [metric["metric"] for metric in results["configs"][task]["metric_list"]]
        assert table["columns"][-len(metrics) :] == metrics
        assert [row[0] for row in table["data"]] == [sample["doc_id"] for sample in samples]
        at = table["columns"].index("filtered_predictions")
        assert [row[at] for row in table["data"]] == [sample["filtered_resps"][0] for sample in samples]
    assert set(tables) == {"evaluation/eval_results", "evaluation/group_eval_results"}
    groups = tables["evaluation/group_eval_results"]["data"]
    assert {row[0] for row in groups} == set(results["groups"])
    assert ["nejumi", "score"] in [[row[0], row[4]] for row in groups]
    assert_no_secret(done.folder.parent)


def test_the_harness_logs_generation_only(lm_eval, sample_answers):
    done = lm_eval(
        *("--model", "recorded", "--model_args", f"path={sample_answers}", "--tasks", "nejumi_jaster_nli"),
        *("--metadata", json.dumps({"data": "sample"}), "--predict_only", "--wandb_args", "project=test"),
        env=OFFLINE,
    )
    assert FAILED not in done.output
    (logged,) = read_back(done.folder.parent)
    assert len([name for name in logged.tables() if name.endswith("_eval_results")]) >= 5


# --------------------------------------------------------------------------------------------- the report's own


@pytest.fixture(scope="module")
def evaluated(sample_answers, tmp_path_factory):
    """Results of the sample questions of jaster."""
    folder = tmp_path_factory.mktemp("evaluated")
    subprocess.run(
        [
            *(sys.executable, "-m", "lm_eval", "run", "--model", "recorded", "--tasks", "nejumi_jaster"),
            *("--model_args", f"path={sample_answers}", "--metadata", json.dumps({"data": "sample"})),
            *("--output_path", str(folder), "--log_samples"),
        ],
        check=True,
        capture_output=True,
        env={**os.environ, "LM_EVAL_JA_CACHE": str(folder / "cache"), "LM_EVAL_JA_OFFLINE": "1"},
    )
    return folder


def test_neos_tables_arrive_with_their_names_and_columns(lm_eval, tiny_model, log, offline):
    with JudgeServer() as server:
        metadata = json.dumps({"data": "sample", "judge_base_url": server.url, "judge_repeats": 2})
        done = lm_eval(
            *("--model", "hf", "--model_args", f"pretrained={tiny_model}", "--tasks", "nejumi"),
            *("--gen_kwargs", "max_gen_toks=4", "--batch_size", "16", "--metadata", metadata),
            env=OFFLINE,
        )
    runset = read_runs([done.folder])
    log(runset, project="test", name="my run", group="tiny")
    (logged,) = read_back(offline)
    assert (logged.run().project, logged.run().display_name, logged.run().run_group) == (
        "test",
        "my run",
        "tiny",
    )
    tables = logged.tables()
    results = done.results()["results"]
    check_leaderboards(tables, results, tiny_model)
    check_outputs(tables, done)
    check_conversations(tables["mtbench_output_table"], done.samples("nejumi_mtbench"))
    check_ours(tables, results)
    assert logged.items("summary")["Overall"] == pytest.approx(results["nejumi"]["score,none"])
    assert_no_secret(offline)


def check_leaderboards(tables, results, model):
    scores = {"AVG_jaster": results["nejumi_jaster"]["score,none"]}
    scores |= {c.label: results[c.name]["score,none"] for c in CATEGORIES}
    scores |= {f"{d}_{metric}": results[NEO.task(d)][f"{metric},none"] for d, metric in DATASETS}
    row = one_row(tables["jaster_leaderboard_table"])
    assert {name: row[name] for name in scores} == pytest.approx(scores)
    assert list(row)[1:9] == ["AVG_jaster", "EL", "FA", "MC", "MR", "NLI", "QA", "RC"]
    assert row["basemodel_name"] == model
    assert row["num_few_shots"] == 0
    ratings = {name: results["nejumi_mtbench"][f"{name},none"] for name in MTBENCH_CATEGORIES}
    ratings["AVG_mtbench"] = results["nejumi_mtbench"]["score,none"]
    assert one_row(tables["mtbench_leaderboard_table"]) == {"basemodel_name": model, **ratings}
    both = one_row(tables["leaderboard_table"])
    assert both == {**row, **one_row(tables["mtbench_leaderboard_table"])}
    assert tables["jaster_radar_table"]["columns"] == ["category", "score"]
    assert dict(tables["jaster_radar_table"]["data"]) == {c.label: scores[c.label] for c in CATEGORIES}
    assert dict(tables["mtbench_radar_table"]["data"]) == {name: ratings[name] for name in MTBENCH_CATEGORIES}


def check_outputs(tables, done):
    outputs = tables["jaster_output_table"]
    assert outputs["columns"] == [
        *(
            "run_name",
            "basemodel_name",
            "target_dataset",
            "num_few_shots",
            "data_type",
            "id",
            "input",
            "pred",
        ),
        *("true", "prompt", "exact", "char_f1", "set_f1", "latency"),
    ]
    asked = {dataset: done.samples(NEO.task(dataset)) for dataset, _ in DATASETS}
    assert len(outputs["data"]) == sum(map(len, asked.values())) >= 80
    for cells in outputs["data"]:
        line = dict(zip(outputs["columns"], cells, strict=True))
        (sample,) = [s for s in asked[line["target_dataset"]] if s["doc"]["id"] == line["id"]]
        assert (line["input"], line["true"]) == (sample["doc"]["input"], sample["target"])
        assert line["pred"] == sample["filtered_resps"][0]
        assert line["prompt"] == sample["arguments"]["gen_args_0"]["arg_0"]
        metric = dict(DATASETS)[line["target_dataset"]]
        assert line["exact" if metric == "exact_match" else metric] == sample[metric]
    dev = tables["jaster_output_table_dev"]
    assert dev["columns"] == outputs["columns"]
    counts = {dataset: sum(cells[2] == dataset for cells in dev["data"]) for dataset, _ in DATASETS}
    most = {dataset: 5 if dataset.startswith("wiki_") else 10 for dataset, _ in DATASETS}
    assert counts == {dataset: min(len(asked[dataset]), most[dataset]) for dataset, _ in DATASETS}


def check_conversations(talk, samples):
    assert talk["columns"] == [
        *("question_id", "category", "answer_id", "model", "question", "answer", "judge", "user_prompt"),
        *("judgment", "score", "turn", "tstamp"),
    ]
    assert len(talk["data"]) == 8 * 2 * 2, "questions, turns, judgings"
    line = dict(zip(talk["columns"], talk["data"][0], strict=True))
    sample = samples[0]
    judged = json.loads(sample["filtered_resps"][0])["judgments"][0]
    assert line["question_id"] == sample["doc"]["question_id"]
    assert line["question"] == sample["doc"]["turns"][0]
    assert line["user_prompt"] == judged["messages"][1]["content"]
    assert line["judgment"] == judged["judgments"][0]["text"]
    assert line["score"] == judged["judgments"][0]["rating"]


def check_ours(tables, results):
    ours = tables["scores_table"]
    of = {
        cells[ours["columns"].index("score")]: dict(zip(ours["columns"], cells, strict=True))
        for cells in ours["data"]
    }
    assert of["Overall"]["value"] == pytest.approx(results["nejumi"]["score,none"])
    assert of["NLI"]["low"] <= of["NLI"]["value"] <= of["NLI"]["high"]
    assert of["coding"]["low"] is None, "one question has no spread"
    assert (of["AVG_jaster"]["rank"], of["AVG_jaster"]["ranked_runs"]) == (1, 1)
    failures = tables["failure_table"]
    assert sorted(cells[2] for cells in failures["data"]) == sorted([d for d, _ in DATASETS] + ["mtbench"])


def test_one_part_logs_the_tables_of_that_part(evaluated, log, offline):
    log(read_runs([evaluated]), project="test")
    (logged,) = read_back(offline)
    assert logged.run().display_name.endswith("sample_answers.jsonl")
    assert set(logged.tables()) == {
        *("jaster_leaderboard_table", "jaster_output_table", "jaster_output_table_dev", "jaster_radar_table"),
        *("scores_table", "failure_table"),
    }


def test_several_runs_are_logged_one_by_one(evaluated, log, offline):
    (first,) = read_runs([evaluated]).runs
    shutil.copytree(first.files[0].parent, offline / "again")
    (results,) = (offline / "again").glob("results_*.json")
    raw = json.loads(results.read_text(encoding="utf-8"))
    results.write_text(json.dumps({**raw, "model_name": "another/model"}), encoding="utf-8")
    runset = read_runs([evaluated, offline / "again"])
    assert len(runset.runs) == 2
    log(runset, project="test", name="mine")
    logged = read_back(offline)
    names = sorted(one.run().display_name for one in logged)
    assert names == sorted(["mine-another/model", f"mine-{first.key}"])
    models = {one_row(one.tables()["jaster_leaderboard_table"])["basemodel_name"] for one in logged}
    assert models == {"another/model", first.model}
    with pytest.raises(OptionError, match=r"id=abc.*2 runs to log"):
        log(runset, id="abc")


def test_the_run_that_the_harness_made_is_continued(lm_eval, sample_answers, log, offline):
    done = lm_eval(
        *("--model", "recorded", "--model_args", f"path={sample_answers}", "--tasks", "nejumi_jaster_nli"),
        *("--metadata", json.dumps({"data": "sample"}), "--wandb_args", "project=test,id=abc123"),
        env=OFFLINE,
    )
    log(read_runs([done.folder]), project="test", id="abc123")
    harness, report = read_back(offline)
    assert harness.run().run_id == report.run().run_id == "abc123"
    assert "nejumi_jaster_jnli_eval_results" in harness.tables()
    row = one_row(report.tables()["jaster_leaderboard_table"])
    assert row["NLI"] == pytest.approx(done.score("nejumi_jaster_nli"))
    assert row["AVG_jaster"] is None, "missing is never an average of what happens to be there"


def test_an_unknown_setting_is_named(evaluated, log, offline):
    with pytest.raises(OptionError, match=r"does not know projekt: it takes project"):
        log(read_runs([evaluated]), projekt="test")
    assert read_back(offline) == []


def test_without_a_login_the_message_says_what_to_do(evaluated, log, offline, monkeypatch):
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(offline))
    monkeypatch.setenv("NETRC", str(offline / "none"))
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(OptionError, match="wandb login"):
        log(read_runs([evaluated]), project="test", mode="online")


def test_without_wandb_the_message_says_what_to_install(evaluated, tmp_path):
    (tmp_path / "no" / "wandb").mkdir(parents=True)
    (tmp_path / "no" / "wandb" / "__init__.py").write_text("raise ImportError('not here')", encoding="utf-8")
    program = (
        "import sys\n"
        f"sys.path.insert(0, {str(tmp_path / 'no')!r})\n"
        "from lm_eval_ja.results import read_runs\n"
        "from lm_eval_ja.report._wandb import log_to_wandb\n"
        f"log_to_wandb(read_runs([{str(evaluated)!r}]), {{}})\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert 'pip install "lm-eval-ja[wandb]"' in done.stderr


def one_row(table: dict[str, Any]) -> dict[str, Any]:
    (row,) = table["data"]
    return dict(zip(table["columns"], row, strict=True))


def assert_no_secret(folder: Path) -> None:
    files = [file for file in folder.rglob("wandb/**/*") if file.is_file()]
    assert files
    assert not [file for file in files if OFFLINE["OPENAI_API_KEY"].encode() in file.read_bytes()]
