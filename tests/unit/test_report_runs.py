"""Reading the harness's files back, whatever state they are in."""

import json

import pytest

from lm_eval_ja.errors import DataError, OptionError
from lm_eval_ja.results import read_runs
from tests.support import small_runs as s


def jnli(*scores: float | None, **more):
    lines = [s.question(f"jnli-test-{n}", "neutral", score, gold="neutral") for n, score in enumerate(scores)]
    return s.task("jnli", "exact_match", lines, **more)


def kinds(runs) -> set[str]:
    return {problem.kind for problem in runs.problems}


def test_everything_in_the_files_is_read(tmp_path):
    talk = s.conversation("mtbench-1", "coding", ["答え", ""], [8, None])
    tasks = [jnli(1.0, 0.0, shots="4"), s.mtbench([talk], {"coding": 8.0, "score": 8.0})]
    s.write_run(tmp_path / "m", tasks, model="lab/model", limit=2)
    (run,) = read_runs([tmp_path]).runs
    assert (run.key, run.model, run.backend, run.seconds, run.limit) == (
        "lab/model",
        "lab/model",
        "hf",
        90.5,
        2,
    )
    assert run.date.isoformat() == "2026-11-01T10:00:00"
    assert run.shots == (4,)
    assert run.judge == "gpt-4"
    assert run.tokenizer == "lab/model"
    assert not run.chat_template
    assert not run.is_sample
    task = run.tasks["nejumi_jaster_jnli"]
    assert (task.dataset, task.metric, task.score.value, task.asked) == ("jnli", "exact_match", 0.5, 2)
    question = run.questions()["jnli", "jnli-test-1"]
    assert (question.input, question.gold, question.prediction) == ("質問：jnli-test-1", "neutral", "neutral")
    assert (question.score, question.max_tokens, question.instruction) == (0.0, 10, s.INSTRUCTION)
    talked = run.questions()["mtbench", "mtbench-1"]
    first, second = talked.turns
    assert (first.rating, first.judgments[0].text, first.reference) == (8, "Rating: [[8]]", "参照一")
    assert (second.rating, second.reason, second.prompt) == (
        None,
        "no rating in the reply",
        "二つ目のプロンプト",
    )
    assert talked.score == 8
    assert talked.category == "coding"


def test_newest_run_of_each_model(tmp_path):
    s.write_run(tmp_path / "a", [jnli(0.0)], date="2026-11-01T10-00-00.000000")
    s.write_run(tmp_path / "a", [jnli(1.0)], date="2026-11-02T10-00-00.000000")
    s.write_run(tmp_path / "b", [jnli(0.0)], model="other")
    runs = read_runs([tmp_path])
    assert [run.key for run in runs.runs] == ["lab/model", "other"]
    assert runs.runs[0].tasks["nejumi_jaster_jnli"].score.value == 1.0
    assert kinds(runs) == {"older"}
    every = read_runs([tmp_path], all_runs=True)
    assert [run.key for run in every.runs] == [
        "lab/model (2026-11-01 10:00:00)",
        "lab/model (2026-11-02 10:00:00)",
        "other",
    ]


def test_two_runs_at_the_same_second_keep_apart(tmp_path):
    s.write_run(tmp_path / "a", [jnli(0.0)], date="2026-11-01T10-00-00.1")
    s.write_run(tmp_path / "b", [jnli(1.0)], date="2026-11-01T10-00-00.2")
    keys = [run.key for run in read_runs([tmp_path], all_runs=True).runs]
    assert len(set(keys)) == 2


def test_files_that_complete_each_other_are_one_run(tmp_path):
    talk = s.conversation("mtbench-1", "coding", ["a", "b"], [8, 6])
    s.write_run(tmp_path, [jnli(1.0)], date="2026-11-01T10-00-00.0")
    s.write_run(tmp_path, [s.mtbench([talk], {"coding": 7.0, "score": 7.0})], date="2026-11-02T10-00-00.0")
    (run,) = read_runs([tmp_path]).runs
    assert set(run.tasks) == {"nejumi_jaster_jnli", "nejumi_mtbench"}
    assert run.seconds == 181
    assert len(run.files) == 2


def test_files_with_other_settings_are_not_mixed(tmp_path):
    talk = s.conversation("mtbench-1", "coding", ["a", "b"], [8, 6])
    s.write_run(
        tmp_path, [jnli(1.0)], date="2026-11-01T10-00-00.0", model_args={"pretrained": "m", "dtype": "half"}
    )
    s.write_run(tmp_path, [s.mtbench([talk], {"score": 7.0})], date="2026-11-02T10-00-00.0")
    runs = read_runs([tmp_path])
    assert [set(run.tasks) for run in runs.runs] == [{"nejumi_jaster_jnli"}, {"nejumi_mtbench"}]
    assert len({run.key for run in runs.runs}) == 2


def test_nan_is_no_score(tmp_path):
    s.write_run(tmp_path, [jnli(1.0, None)])
    assert "NaN" in (tmp_path / f"results_{s.DATE}.json").read_text()
    runs = read_runs([tmp_path])
    task = runs.runs[0].tasks["nejumi_jaster_jnli"]
    assert task.score is None
    assert [question.score for question in task.questions] == [1.0, None]
    assert kinds(runs) == {"nan"}


@pytest.mark.parametrize("cut", [5, 300, 301, 302, 303])
def test_a_truncated_line_costs_one_question(tmp_path, cut):
    s.write_run(tmp_path, [jnli(1.0, 1.0, 0.0)])
    (samples,) = tmp_path.glob("samples_*")
    whole = samples.read_bytes()
    samples.write_bytes(whole[: whole.rindex(b"\n", 0, -1) + cut])  # some cuts fall inside a character
    runs = read_runs([tmp_path])
    assert len(runs.runs[0].questions()) == 2
    (problem,) = runs.problems
    assert problem.kind == "truncated"
    assert "first: line 3" in problem.text
    assert "--log_samples" in problem.text


@pytest.mark.parametrize(
    "line",
    ["[]", "1", '{"doc": 1}', '{"doc": {"id": "x"}}', "{" * 100_000, '{"doc": {"id": "x", "turns": []}}'],
)
def test_lines_of_another_shape_are_left_out(tmp_path, line):
    s.write_run(tmp_path, [jnli(1.0)])
    (samples,) = tmp_path.glob("samples_*")
    with samples.open("a") as file:
        file.write(line + "\n")
    runs = read_runs([tmp_path])
    assert len(runs.runs[0].questions()) == 1
    assert kinds(runs) == {"truncated"}


def test_the_first_of_two_equal_ids_counts(tmp_path):
    lines = [s.question("jnli-test-0", "neutral", 1.0), s.question("jnli-test-0", "other", 0.0)]
    s.write_run(tmp_path, [s.task("jnli", "exact_match", lines)])
    runs = read_runs([tmp_path])
    assert runs.runs[0].questions()["jnli", "jnli-test-0"].output == "neutral"
    assert kinds(runs) == {"duplicate"}


def test_other_tasks_are_left_out_and_listed(tmp_path):
    s.write_run(tmp_path, [jnli(1.0), s.foreign("arc_easy"), s.foreign("hellaswag")])
    runs = read_runs([tmp_path])
    assert set(runs.runs[0].tasks) == {"nejumi_jaster_jnli"}
    (problem,) = runs.problems
    assert problem.kind == "not_ours"
    assert "arc_easy, hellaswag" in problem.text


def test_results_without_samples(tmp_path):
    s.write_run(tmp_path, [jnli(1.0, logged=False)])
    runs = read_runs([tmp_path])
    assert runs.runs[0].tasks["nejumi_jaster_jnli"].score.value == 1.0
    assert runs.runs[0].questions() == {}
    (problem,) = runs.problems
    assert problem.kind == "no_samples"
    assert "--log_samples" in problem.text


def test_a_folder_without_results(tmp_path):
    (tmp_path / "notes.json").write_text("{}")
    with pytest.raises(DataError, match=r"no results in .*expected files named results_"):
        read_runs([tmp_path])


def test_a_folder_with_foreign_results_only(tmp_path):
    s.write_run(tmp_path, [s.foreign()])
    with pytest.raises(DataError, match=r"no results of lm-eval-ja's tasks.*hellaswag"):
        read_runs([tmp_path])


def test_a_path_that_does_not_exist(tmp_path):
    with pytest.raises(OptionError, match="nowhere doesn't exist: give the folder of --output_path"):
        read_runs([tmp_path / "nowhere"])


@pytest.mark.parametrize("text", ['{"results": {', "[]", '{"results": []}', "\x00\x01"])
def test_a_damaged_results_file_is_reported(tmp_path, text):
    s.write_run(tmp_path / "good", [jnli(1.0)])
    (tmp_path / "results_2026-11-03T10-00-00.0.json").write_text(text)
    runs = read_runs([tmp_path])
    assert len(runs.runs) == 1
    assert kinds(runs) == {"unreadable"}


def test_files_may_be_named_and_count_once(tmp_path):
    path = s.write_run(tmp_path, [jnli(1.0)])
    assert len(read_runs([path, tmp_path, tmp_path / "." / path.name], all_runs=True).runs) == 1


def test_several_versions_are_noted(tmp_path):
    s.write_run(tmp_path / "a", [jnli(1.0)], model="a")
    s.write_run(tmp_path / "b", [jnli(1.0, version="0.2.0")], model="b")
    runs = read_runs([tmp_path])
    assert kinds(runs) == {"versions"}
    assert "0.1.0, 0.2.0" in runs.problems[0].text


def test_a_run_that_only_generated(tmp_path):
    own = jnli(1.0)
    own["values"] = {"bypass,none": 999}
    s.write_run(tmp_path, [own])
    runs = read_runs([tmp_path])
    assert runs.runs[0].tasks["nejumi_jaster_jnli"].score is None
    assert "--predict_only" in runs.problems[0].text


def test_group_scores_are_the_harness_own(tmp_path):
    path = s.write_run(tmp_path, [jnli(1.0)])
    raw = json.loads(path.read_text())
    raw["group_subtasks"] = {
        "nejumi_jaster_nli": ["nejumi_jaster_jnli"],
        "mixed": ["nejumi_jaster_jnli", "arc_easy"],
    }
    raw["results"]["nejumi_jaster_nli"] = {"score,none": 0.25, "score_stderr,none": "N/A"}
    raw["results"]["mixed"] = {"score,none": 0.5}
    path.write_text(json.dumps(raw))
    (run,) = read_runs([tmp_path]).runs
    assert {name: score.value for name, score in run.groups.items()} == {"nejumi_jaster_nli": 0.25}


def test_an_unreadable_signature_is_reported(tmp_path):
    path = s.write_run(tmp_path, [jnli(1.0)])
    raw = json.loads(path.read_text())
    raw["configs"]["nejumi_jaster_jnli"]["metadata"]["signature"] = "no signature"
    path.write_text(json.dumps(raw))
    runs = read_runs([tmp_path])
    assert kinds(runs) == {"unreadable"}
    assert runs.runs[0].tasks["nejumi_jaster_jnli"].signature["unreadable"] == "no signature"


def test_sample_data_is_labelled(tmp_path):
    s.write_run(tmp_path, [jnli(1.0, data="sample-abc")])
    assert read_runs([tmp_path]).runs[0].is_sample


# ------------------------------------------------------------------------------- which results of a model count


def test_results_with_other_signatures_are_runs_of_their_own(tmp_path):
    s.write_run(tmp_path, [jnli(0.0)], date="2026-11-01T10-00-00.0")
    s.write_run(tmp_path, [jnli(1.0, shots="4")], date="2026-11-02T10-00-00.0")
    s.write_run(tmp_path, [jnli(0.5)], date="2026-11-03T10-00-00.0")
    runs = read_runs([tmp_path])
    scores = {
        run.tasks["nejumi_jaster_jnli"].shots: run.tasks["nejumi_jaster_jnli"].score.value
        for run in runs.runs
    }
    assert scores == {0: 0.5, 4: 1.0}, "the newest of each signature"
    assert [problem.path.name for problem in runs.problems] == ["results_2026-11-01T10-00-00.0.json"]


def test_a_limited_run_in_the_same_folder_hides_no_complete_one(tmp_path):
    s.write_run(tmp_path, [jnli(0.5)], date="2026-11-01T10-00-00.0")
    s.write_run(tmp_path, [jnli(1.0, n="5of100")], date="2026-11-02T10-00-00.0", limit=5)
    assert {run.limit: run.tasks["nejumi_jaster_jnli"].score.value for run in read_runs([tmp_path]).runs} == {
        None: 0.5,
        5: 1.0,
    }


def test_a_later_run_without_a_score_outranks_no_number(tmp_path):
    s.write_run(tmp_path, [jnli(0.5)], date="2026-11-01T10-00-00.0")
    s.write_run(tmp_path, [jnli(None)], date="2026-11-02T10-00-00.0")
    (run,) = read_runs([tmp_path]).runs
    assert run.tasks["nejumi_jaster_jnli"].score.value == 0.5


def test_conversations_complete_runs_with_any_number_of_shots(tmp_path):
    talk = s.conversation("mtbench-1", "coding", ["a", "b"], [8, 6])
    s.write_run(tmp_path, [jnli(0.0)], date="2026-11-01T10-00-00.0")
    s.write_run(tmp_path, [jnli(1.0, shots="4")], date="2026-11-02T10-00-00.0")
    s.write_run(tmp_path, [s.mtbench([talk], {"score": 7.0})], date="2026-11-03T10-00-00.0")
    runs = read_runs([tmp_path]).runs
    assert [set(run.tasks) for run in runs] == [{"nejumi_jaster_jnli", "nejumi_mtbench"}] * 2


def test_numbers_read_for_a_correlation_are_no_scores(tmp_path):
    lines = [s.question("jsts-test-0", "4.0", 4.0, gold="1.0")]
    s.write_run(tmp_path, [s.task("jsts", "pearson", lines)])
    (question,) = read_runs([tmp_path]).runs[0].questions().values()
    assert question.score is None


def test_answers_that_were_judged_later_are_one_run_with_the_unjudged(tmp_path):
    talk = s.conversation("mtbench-1", "coding", ["a", "b"], [8, 6])
    s.write_run(
        tmp_path, [s.mtbench([talk], {"score": float("nan")}, judge="none")], date="2026-11-01T10-00-00.0"
    )
    s.write_run(tmp_path, [s.mtbench([talk], {"score": 7.0})], date="2026-11-02T10-00-00.0")
    (run,) = read_runs([tmp_path]).runs
    assert run.tasks["nejumi_mtbench"].score.value == 7.0
