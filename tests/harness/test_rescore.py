"""Rescoring: runs of the real harness on the sample data, answered with the golds and every kind of noise."""

import json
import random
import shutil
from pathlib import Path
from statistics import fmean

import pytest

from lm_eval_ja.analysis import analyse_runs, make_leaderboards
from lm_eval_ja.cli import main
from lm_eval_ja.datasets import load
from lm_eval_ja.errors import DataError, OptionError
from lm_eval_ja.metrics import METRICS, gold, normalize
from lm_eval_ja.protocols import Missing, Score, load_protocol
from lm_eval_ja.report._payload import make_payload
from lm_eval_ja.rescoring import rescore, write_results
from lm_eval_ja.results import read_runs
from tests.support.commands import evaluate_command, run_command

METADATA = '{"data": "sample", "max_samples": -1}'
NOISE = (
    lambda text: f" {text}",
    str.capitalize,
    lambda text: f"回答: {text}",
    lambda text: f"{text}\n\n### 入力:",
    lambda text: f"{text}です",
    lambda text: text,
    lambda text: text,
)


def _answered_run(folder: Path, protocol: str, tasks: str) -> Path:
    """A run of the harness whose answers are the golds with noise."""
    prompts, answers = folder / "prompts.jsonl", folder / "answers.jsonl"
    given = ("--tasks", tasks, "--metadata", METADATA)
    run_command("lm-eval-ja", "prompts", *given, "-o", str(prompts), folder=folder)
    golds = {}
    for entry in load_protocol(protocol).tasks.values():
        samples = load(entry.protocol, entry.dataset, max_samples=-1, data="sample")[entry.split]
        golds |= {f"{entry.task}:{sample['id']}": sample["output"] for sample in samples}
    rng = random.Random(0)
    with answers.open("w", encoding="utf-8") as file:
        for line in prompts.read_text(encoding="utf-8").split("\n")[:-1]:
            record = json.loads(line)
            record["output"] = rng.choice(NOISE)(golds[record["id"]])
            file.write(json.dumps(record) + "\n")
    model = ("--model", "recorded", "--model_args", f"path={answers}")
    return evaluate_command(*model, *given, folder=folder).folder


@pytest.fixture(scope="module")
def neo_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _answered_run(tmp_path_factory.mktemp("neo"), "neo", "nejumi_jaster")


@pytest.fixture(scope="module")
def ljp_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tasks = ["llm_jp_eval"] + [
        rules.task for rules in load_protocol("llm_jp_eval").tasks.values() if rules.category is None
    ]
    return _answered_run(tmp_path_factory.mktemp("ljp"), "llm_jp_eval", ",".join(tasks))


@pytest.fixture
def neo(neo_run: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(neo_run, tmp_path / "copy"))


def _results(folder: Path) -> dict:
    (path,) = folder.rglob("results_*.json")
    return json.loads(path.read_text(encoding="utf-8"))["results"]


def _read(folder: Path):
    (run,) = read_runs([folder]).runs
    return run


@pytest.mark.parametrize("fixture", ["neo_run", "ljp_run"])
def test_a_runs_own_protocol_reproduces_every_number_exactly(fixture, request):
    folder = request.getfixturevalue(fixture)
    rescored = rescore(_read(folder))
    results = _results(folder)
    compared = 0
    for dataset in rescored.datasets:
        assert dataset.steps == ()
        for metric, score in dataset.scores.items():
            logged = results[dataset.rules.task]
            assert score.value == logged[f"{metric},none"]  # to the last bit
            if score.stderr is not None:
                assert score.stderr == logged[f"{metric}_stderr,none"]
            compared += 1
    for mean in rescored.means:
        if isinstance(mean.after, Score):
            assert mean.after.value == results[mean.name]["score,none"]
            assert mean.before == mean.after
            compared += 1
        else:
            assert "score,none" not in results[mean.name] or results[mean.name]["score,none"] != mean.after
    assert compared >= {"neo_run": 16 + 8, "ljp_run": 26 + 1 + 8}[fixture]
    assert len({dataset.after.value for dataset in rescored.datasets}) > 5  # the noise is seen


def test_a_neo_run_under_1_3_0_loses_what_its_clean_up_won(neo_run):
    run = _read(neo_run)
    rescored = rescore(run, "llm_jp_eval")
    assert rescored.asked_by == ("neo",)
    for dataset in rescored.datasets:
        # The definition once more, from the raw answers alone: 1.3.0 cuts and normalises, nothing else.
        golds = [gold(text) for text in _golds(dataset.source.dataset)]
        predictions = [normalize(question.output) for question in dataset.source.questions]
        expected = METRICS[dataset.rules.metrics[0]].score(predictions, golds)
        assert dataset.after.value == pytest.approx(expected, abs=1e-12)
        # The reasons add up to the difference.
        assert sum(step.change for step in dataset.steps) == pytest.approx(
            dataset.after.value - dataset.before
        )
    by_name = {dataset.rules.dataset: dataset for dataset in rescored.datasets}
    assert [step.what for step in by_name["jsquad"].steps] == [
        "without drop_answer_prefix",
        "without lower",
        "without strip",
    ]
    assert [step.what for step in by_name["chabsa"].steps] == ["without strip"]
    assert any(step.questions for step in by_name["jamp"].steps)
    nli = rescored.mean("NLI")
    assert nli.after.value < nli.before.value
    assert isinstance(rescored.mean("HE").after, Missing)
    average = rescored.mean("AVR")
    assert str(average.after) == "missing: HE, MT (7 of 9 present)"
    assert average.before is None, "neo has no such average"
    assert rescored.common.categories == 7
    assert rescored.common.before == pytest.approx(run.groups["nejumi_jaster"].value)
    categories = [mean for mean in rescored.means if mean.depth == 1]
    assert [mean.label for mean in categories] == ["EL", "FA", "HE", "MC", "MR", "MT", "NLI", "QA", "RC"]
    assert rescored.common.after == pytest.approx(
        fmean(mean.after.value for mean in categories if isinstance(mean.after, Score))
    )
    with pytest.raises(KeyError, match="AVG_jaster"):
        rescored.mean("AVG_jaster")


def _golds(dataset: str) -> list[str]:
    return load("neo", dataset, max_samples=-1, data="sample")["test"]["output"][:]


def test_what_was_asked_otherwise_is_said(neo_run):
    notes = "\n".join(rescore(_read(neo_run), "llm_jp_eval").notes)
    assert "split test, not dev" in notes
    assert "shots 0, not 4" in notes
    assert "tokens 1024, not 512 (wiki_dependency)" in notes
    assert "another instruction" in notes
    assert rescore(_read(neo_run)).notes == ()


def test_translation_metrics_can_be_added(ljp_run):
    rescored = rescore(_read(ljp_run), metrics=["bleu_reference_quirk"])
    translated = {d.rules.dataset: d for d in rescored.datasets if d.rules.category == "MT"}
    assert set(translated) == {"alt-e-to-j", "alt-j-to-e", "wikicorpus-e-to-j", "wikicorpus-j-to-e"}
    for dataset in translated.values():
        golds = [question.gold for question in dataset.source.questions]
        expected = METRICS["bleu_reference_quirk"].score([own for (own,) in dataset.predictions], golds)
        assert dataset.scores["bleu_reference_quirk"].value == pytest.approx(expected)
        assert dataset.signatures[dataset.rules.metrics[0]].startswith("nrefs:1|")
    assert all("bleu_reference_quirk" not in d.scores for d in rescored.datasets if d.rules.category != "MT")
    assert any("MT is missing" in note and "--metric comet_wmt22" in note for note in rescored.notes)


def test_what_is_written_reads_as_a_run_of_the_other_protocol(neo):
    rescored = rescore(_read(neo), "llm_jp_eval")
    before = {path: path.read_bytes() for path in neo.rglob("*") if path.is_file()}
    path = write_results(rescored)
    assert all(path.read_bytes() == content for path, content in before.items())
    assert "NaN" not in path.read_text(encoding="utf-8")
    runs = read_runs([path])
    assert not runs.problems
    (run,) = runs.runs
    for dataset in rescored.datasets:
        task = run.tasks[dataset.rules.task]
        assert task.score == dataset.after
        assert [(question.prediction,) for question in task.questions] == list(dataset.predictions)
        assert [question.score for question in task.questions] == list(
            dataset.items[dataset.rules.metrics[0]]
        )
        assert task.signature["rescored"] == "neo"
        assert task.signature["norm"] == "nfkc"
    assert "llm_jp_eval" not in run.groups  # AVR is missing two categories
    raw = json.loads(path.read_text(encoding="utf-8"))
    assert raw["groups"]["llm_jp_eval"]["alias"] == "llm_jp_eval (missing: HE, MT (7 of 9 present))"
    assert raw["rescored"]["asked_by"] == ["neo"]
    # Rescoring the folder again starts from the answers as they were asked, not from the rescored ones.
    again = rescore(_read(neo), "llm_jp_eval")
    assert again.asked_by == ("neo",)
    assert [d.before for d in again.datasets] == [d.before for d in rescored.datasets]


def test_under_its_own_protocol_the_whole_run_is_written_anew(neo):
    run = _read(neo)
    path = write_results(rescore(run))
    (new,) = read_runs([path]).runs
    assert {name: task.score for name, task in new.tasks.items()} == {
        name: task.score for name, task in run.tasks.items()
    }
    assert new.groups == run.groups
    assert {name: task.signature_text for name, task in new.tasks.items()} == {
        name: task.signature_text for name, task in run.tasks.items()
    }


def _shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(["report", str(folder), "--resamples", "50"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("rewritten", [False, True])
def test_the_report_of_llm_jp_eval_says_that_mt_is_missing(ljp_run, tmp_path, capsys, rewritten):
    """BLEU, from 0 to 100, is not COMET: with it the average would be beyond 1."""
    folder = Path(shutil.copytree(ljp_run, tmp_path / "copy"))
    if rewritten:
        assert main(["rescore", str(folder), "--write"]) == 0
        assert len(list(folder.rglob("results_*.json"))) == 2
    runs = read_runs([folder])
    (leaderboard,) = make_leaderboards(runs)
    (row,) = leaderboard.rows
    assert str(row.scores["llm_jp_eval"]) == "missing: MT (8 of 9 present)"
    assert isinstance(row.scores["llm_jp_eval_mt"], Missing)
    assert row.rank is None
    (average,) = load_protocol("llm_jp_eval").scores
    others = [row.scores[child.name].value for child in average.children if child.label != "MT"]
    assert len(others) == 8
    assert max(others) <= 1
    (run,) = runs.runs
    assert {"llm_jp_eval", "llm_jp_eval_mt"} & run.groups.keys() == set()
    shown = _shown(folder, capsys)
    assert "missing: MT (8 of 9 present)" in shown


@pytest.mark.parametrize("protocol", ["neo", "llm_jp_eval"])
def test_what_is_written_beside_a_run_doubles_neither_answers_nor_time(neo, protocol, capsys):
    def payload() -> dict:
        capsys.readouterr()
        analysis = analyse_runs(read_runs([neo]), resamples=50)
        return make_payload(analysis, {}).core

    before = payload()
    (own,) = before["runs"]
    assert own["seconds"] > 0
    assert own["logged"] == own["asked"] > 80
    assert main(["rescore", str(neo), "--protocol", protocol, "--write"]) == 0
    assert main(["rescore", str(neo), "--protocol", protocol, "--write"]) == 0
    after = payload()
    (again,) = after["runs"]
    assert {name: again[name] for name in ("seconds", "asked", "logged")} == {
        name: own[name] for name in ("seconds", "asked", "logged")
    }
    assert len(after["leaderboards"]) == (1 if protocol == "neo" else 2)
    assert all(len(leaderboard["rows"]) == 1 for leaderboard in after["leaderboards"])


def _edit_sample(folder: Path, task: str, change) -> Path:
    (path,) = folder.rglob(f"samples_{task}_*.jsonl")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
    change(lines)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_samples_that_do_not_make_up_the_result_are_reported(neo, capsys):
    _edit_sample(neo, "nejumi_jaster_jamp", lambda lines: [line.update(resps=[["?"]]) for line in lines])
    _edit_sample(neo, "nejumi_jaster_mawps", lambda lines: lines.clear())
    rescored = rescore(_read(neo))
    assert rescored.datasets[0].before != rescored.datasets[0].reproduced == 0
    assert any(
        "nejumi_jaster_jamp" in note and "samples are missing or were changed" in note
        for note in rescored.notes
    )
    assert any("nejumi_jaster_mawps: no samples were logged" in note for note in rescored.notes)
    # What cannot be scored again keeps the run's own score, here and in what is written.
    run = _read(neo)
    assert rescored.mean("MR").after == run.tasks["nejumi_jaster_mawps"].score
    written = read_runs([write_results(rescored)]).runs[0]
    assert written.groups["nejumi_jaster"] == rescored.mean("AVG_jaster").after


def test_a_changed_answer_shows_in_the_exit_status(neo, capsys):
    assert main(["rescore", str(neo)]) == 0
    _edit_sample(neo, "nejumi_jaster_jnli", lambda lines: [line.update(resps=[["?"]]) for line in lines])
    assert main(["rescore", str(neo)]) == 1
    assert "nejumi_jaster_jnli: its" in capsys.readouterr().out


def test_the_table_names_the_reason(neo, capsys):
    assert main(["rescore", str(neo), "--protocol", "llm_jp_eval", "--write"]) == 0
    shown = capsys.readouterr().out
    assert "sample data, not a benchmark" in shown
    assert "without lower: -" in shown
    assert "missing: HE, MT (7 of 9 present)" in shown
    assert "written: " in shown
    assert len(list(neo.rglob("results_*.json"))) == 2


def test_a_question_that_vanishes_before_writing_is_named(neo):
    rescored = rescore(_read(neo))
    _edit_sample(neo, "nejumi_jaster_jsem", lambda lines: lines.pop())
    with pytest.raises(DataError, match=r"samples_nejumi_jaster_jsem.*no longer holds 1 of its answers"):
        write_results(rescored)
    assert len(list(neo.rglob("results_*.json"))) == 1
    assert not list(neo.rglob("*.part"))


def test_what_cannot_be_rescored_is_said(neo, tmp_path):
    with pytest.raises(OptionError, match="unknown protocol 'neoo'"):
        rescore(_read(neo), "neoo")
    with pytest.raises(OptionError, match="exact_match is none of bleu_reference_quirk, comet_wmt22"):
        rescore(_read(neo), metrics=["exact_match"])
    for path in neo.rglob("samples_*.jsonl"):
        path.unlink()
    with pytest.raises(DataError, match=r"no logged answers that neo can score.*--log_samples"):
        rescore(_read(neo))


def test_a_missing_comet_stops_before_anything_is_written(ljp_run, capsys):
    files = sorted(ljp_run.rglob("*"))
    arguments = ["rescore", str(ljp_run), "--metric", "comet_wmt22", "--python", "/nowhere/python", "--write"]
    assert main(arguments) == 2
    assert "--python /nowhere/python can't be run" in capsys.readouterr().err
    assert sorted(ljp_run.rglob("*")) == files


def test_a_normalisation_from_elsewhere_is_refused(neo):
    (path,) = neo.rglob("results_*.json")
    path.write_text(
        path.read_text(encoding="utf-8").replace("norm:nfkc+strip", "norm:nfkc+squeeze"), encoding="utf-8"
    )
    with pytest.raises(DataError, match=r"nfkc\+squeeze.*rescore with the version"):
        rescore(_read(neo))
