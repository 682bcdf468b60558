"""Publishing formats: nothing lost, read back by the projects whose formats they are."""

import csv
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from lm_eval_ja.analysis import analyse_runs
from lm_eval_ja.cli import main
from lm_eval_ja.report._payload import make_payload
from lm_eval_ja.report._publish import _details
from lm_eval_ja.report._records import records_of, shareable
from lm_eval_ja.results import read_runs
from tests.support import small_runs as s

CATEGORIES = ("coding", "extraction", "humanities", "math", "reasoning", "roleplay", "stem", "writing")


def write(folder: Path, model: str = "lab/model", **config) -> Path:
    """All of neo: four questions for each dataset, one conversation for each category."""
    talks = [
        s.conversation(f"mtbench-{n}", name, ["秘密の答え", "b"], [8, 6]) for n, name in enumerate(CATEGORIES)
    ]
    values = {**dict.fromkeys(CATEGORIES, 7.0), "turn_1": 8.0, "turn_2": 6.0, "score": 7.0}
    tasks = [
        *s.whole_jaster({"jnli": 0.75}),
        s.mtbench(talks, values, judge_prompts="p-1234", judge_repeats="1"),
    ]
    s.write_run(folder, tasks, model=model, **config)
    return folder


@pytest.fixture
def run(tmp_path):
    return write(tmp_path / "run")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "public"


def published(run, out, *options):
    assert main(["publish", str(run), "-o", str(out), *options]) == 0


def numbers(run: Path) -> dict[str, float]:
    """Every score of the results, by a record's name."""
    (path,) = run.glob("results_*.json")
    found = {}
    for task, entry in json.loads(path.read_text(encoding="utf-8"))["results"].items():
        for key, value in entry.items():
            metric, comma, _ = key.partition(",")
            if comma and not metric.endswith("_stderr") and metric != "unscored":
                found[f"{task}_{metric}"] = value
    return found


def known(run: Path) -> dict[str, object]:
    analysis = analyse_runs(read_runs([run]), tokenizers=False)
    (own,) = analysis.runs.runs
    return {record.name: record for _, records in records_of(analysis, own) for record in records}


def test_every_score_of_the_results_is_a_record_once(run):
    records = known(run)
    expected = numbers(run)
    found = {
        f"{own.task.task}_{_metric(own)}": own.score.value for own in records.values() if own.task is not None
    }
    average = expected.pop("nejumi_mtbench_score")  # stands as the average that it is
    assert found == expected
    assert records["nejumi_mtbench"].score.value == average
    assert {"nejumi", "nejumi_jaster", "nejumi_jaster_nli", "nejumi_mtbench"} <= records.keys()


def _metric(record) -> str:
    return record.name.removeprefix(f"{record.task.task}_") if record.task.is_mtbench else record.metric


def test_eval_results_are_read_back_by_the_hub(run, out):
    published(
        run,
        out,
        "--format",
        "eval-results",
        "--benchmark",
        "lab/nejumi",
        "--source-url",
        "https://example.org/x",
    )
    path = out / "lab" / "model" / ".eval_results" / "neo.yaml"
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    by_name = {entry["dataset"]["task_id"]: entry for entry in entries}
    records = known(run)
    assert by_name.keys() == records.keys()
    for name, record in records.items():
        entry = by_name[name]
        assert entry["value"] == record.score.value  # unrounded
        assert entry["dataset"]["id"] == "lab/nejumi"
        assert entry["date"] == "2026-11-01"
        assert entry["source"]["url"] == "https://example.org/x"
        notes = dict(part.split(": ", 1) for part in entry["notes"].split("; "))
        assert notes["questions"] == str(record.questions)
        if record.interval:
            assert (float(notes["low_95"]), float(notes["high_95"])) == record.interval
        if record.score.stderr is not None:
            assert float(notes["stderr"]) == record.score.stderr
        if record.task is not None:
            assert notes["signature"] == record.task.signature_text
    hub = pytest.importorskip("huggingface_hub")
    if not hasattr(hub, "parse_eval_result_entries"):
        pytest.skip("this huggingface_hub is older than the format")
    assert hub.eval_result_entries_to_yaml(hub.parse_eval_result_entries(entries)) == entries


def test_what_counts_down_is_best_at_its_lowest(run):
    analysis = analyse_runs(read_runs([run]), resamples=0)
    _, (record, *_) = next(records_of(analysis, analysis.runs.runs[0]))
    for metric, ends in (("ool", (1.0, 0.0)), ("exact_match", (0.0, 1.0))):
        own = _details(replace(record, metric=metric, worst=0.0, best=1.0), analysis.runs.runs[0])
        assert (own["worst"], own["best"]) == ends


def test_model_index_is_read_back_by_the_hub(run, out):
    published(run, out, "--format", "model-index")
    text = (out / "lab" / "model" / "model-index.yaml").read_text(encoding="utf-8")
    hub = pytest.importorskip("huggingface_hub")
    card = hub.ModelCard(f"---\n{text}---\n")
    records = known(run)
    assert len(card.data.eval_results) == len(records)
    for result, record in zip(card.data.eval_results, records.values(), strict=True):
        assert result.metric_value == record.score.value
        assert result.metric_type == record.metric
        assert result.metric_args["questions"] == record.questions
        if record.interval:
            assert (result.metric_args["low_95"], result.metric_args["high_95"]) == record.interval
        if record.task is not None:
            assert result.metric_args["signature"] == record.task.signature_text
    assert card.data.to_dict()["model-index"] == yaml.safe_load(text)["model-index"]


EEE = ("--format", "every-eval-ever", "--organization", "My Lab", "--relationship", "third_party")


def test_every_eval_ever_holds_everything(run, out):
    published(run, out, *EEE)
    (path,) = out.rglob("*.json")
    uuid = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    assert re.fullmatch(rf"data/neo/lab/model/{uuid}\.json", path.relative_to(out).as_posix())
    log = json.loads(path.read_text(encoding="utf-8"))
    assert log["source_metadata"]["evaluator_relationship"] == "third_party"
    records = known(run)
    results = {result["evaluation_result_id"]: result for result in log["evaluation_results"]}
    assert results.keys() == records.keys()
    for name, record in records.items():
        details, metric = results[name]["score_details"], results[name]["metric_config"]
        assert details["score"] == record.score.value
        assert metric["min_score"] <= details["score"] <= metric["max_score"]
        assert details["uncertainty"]["num_samples"] == record.questions
        if record.interval:
            ends = details["uncertainty"]["confidence_interval"]
            assert (ends["lower"], ends["upper"], ends["confidence_level"]) == (*record.interval, 0.95)
        assert all(isinstance(value, str) for value in details["details"].values())
    assert (
        results["nejumi_mtbench_coding"]["metric_config"]["llm_scoring"]["judges"][0]["model_info"]["id"]
        == "gpt-4"
    )
    published(run, out, *EEE)
    assert len(list(out.rglob("*.json"))) == 1  # the same run again is the same record


def test_every_eval_ever_passes_its_own_validator(run, out):
    program = shutil.which("every_eval_ever")
    if program is None:
        pytest.skip("every_eval_ever is not on PATH: pip install every-eval-ever (Python 3.12 or later)")
    published(run, out, *EEE)
    files = [str(path) for path in out.rglob("*.json")]
    done = subprocess.run([program, "validate", *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_leaderboard_is_a_folder_without_questions_answers_and_paths(run, out, tmp_path):
    write(tmp_path / "other", model="lab/other")
    assert (
        main(["publish", str(run), str(tmp_path / "other"), "--format", "leaderboard", "-o", str(out)]) == 0
    )
    data = json.loads((out / "leaderboard.json").read_text(encoding="utf-8"))
    (board,) = data["leaderboards"]
    assert [row["run"] for row in board["rows"]] == ["lab/model", "lab/other"]
    assert board["rows"][0]["scores"]["nejumi_jaster"].keys() >= {"value", "stderr", "low", "high"}
    assert len(list(csv.DictReader((out / "leaderboard.csv").open(encoding="utf-8")))) == 2
    for path in out.iterdir():
        text = path.read_text(encoding="utf-8")
        assert str(tmp_path) not in text
        assert "秘密の答え" not in text
    payload = make_payload(shareable(analyse_runs(read_runs([run]), tokenizers=False)), {})
    assert payload.core["sets"] == []
    assert payload.core["runs"][0]["args"] == {}
    assert "<table" in (out / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("model", "options", "told"),
    [
        ("lab/model", ["--format", "eval-results"], "needs --benchmark"),
        ("lab/model", ["--format", "every-eval-ever"], "needs --organization"),
        ("/data/checkpoints/step-100", ["--format", "model-index"], "--model-id org/model"),
        ("__data__step-100", ["--format", "model-index"], "--model-id org/model"),
        ("lab/model", ["--format", "model-index", "--model-id", "step 100"], "must look like org/model"),
        ("lab/model", ["--format", "model-index", "--model-id", "../../x"], "must look like org/model"),
    ],
)
def test_what_a_format_needs_is_asked_for(tmp_path, out, capsys, model, options, told):
    write(tmp_path / "run", model=model)
    assert main(["publish", str(tmp_path / "run"), "-o", str(out), *options]) == 2
    assert told in capsys.readouterr().err
    assert not out.exists()


def test_one_id_for_two_models_is_refused(tmp_path, out, capsys):
    write(tmp_path / "runs" / "a", model="a")
    write(tmp_path / "runs" / "b", model="b")
    assert (
        main(
            [
                "publish",
                str(tmp_path / "runs"),
                "--format",
                "model-index",
                "--model-id",
                "x/y",
                "-o",
                str(out),
            ]
        )
        == 2
    )
    assert "2 runs were found" in capsys.readouterr().err


def test_sample_data_is_not_published(tmp_path, out, capsys):
    s.write_run(tmp_path / "run", s.whole_jaster(data="sample-d"), model="lab/model")
    assert main(["publish", str(tmp_path / "run"), "--format", "model-index", "-o", str(out)]) == 2
    assert "no benchmark to publish" in capsys.readouterr().err
    assert main(["publish", str(tmp_path / "run"), "--format", "leaderboard", "-o", str(out)]) == 0
    assert (
        json.loads((out / "leaderboard.json").read_text(encoding="utf-8"))["leaderboards"][0]["sample"]
        is True
    )


def test_names_cannot_leave_the_folder(tmp_path, out):
    write(tmp_path / "run", model="../..")
    assert main(["publish", str(tmp_path / "run"), "--format", "model-index", "-o", str(out)]) == 2
    write(tmp_path / "run", model="lab/..")
    published(tmp_path / "run", out, "--format", "model-index")
    assert [path.parent.name for path in tmp_path.rglob("model-index.yaml")] == ["_"]
