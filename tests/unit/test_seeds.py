"""Runs that differ only in the seed: one row, mean and spread, every run still there."""

import csv
import io
import json
import statistics
from dataclasses import replace

import pytest

from lm_eval_ja.analysis import (
    analyse,
    analyse_runs,
    bootstrap_intervals,
    compare_runs,
    join_seeds,
    make_leaderboards,
    spreads,
)
from lm_eval_ja.analysis._differences import pair_runs
from lm_eval_ja.report import as_csv, as_json, report_tables
from lm_eval_ja.results import RunSet, read_runs
from tests.support.made_up_runs import jaster_task, mtbench_task, run

CATEGORIES = ("coding", "extraction", "humanities", "math", "reasoning", "roleplay", "stem", "writing")
SIGNED = {"protocol": "neo", "data": "d", "split": "test", "gen": "deviates:temperature=0.7"}


def seeded(seed, scores, key="m", **changes):
    task = jaster_task("jnli", scores, signature=SIGNED)
    return run(f"{key} ({seed})", [task], **{"model": key, "seed": f"--seed {seed}", **changes})


@pytest.fixture
def three():
    return RunSet(
        (
            seeded(1, [1.0, 0.0, 1.0, 0.0]),
            seeded(2, [1.0, 1.0, 1.0, 0.0]),
            seeded(3, [1.0, 0.0, 0.0, 0.0]),
        )
    )


def test_scores_are_means_and_the_spread_is_that_of_the_runs(three):
    (joined,) = join_seeds(three).runs
    assert (joined.key, len(joined.members)) == ("m", 3)
    task = joined.tasks["nejumi_jaster_jnli"]
    assert task.score.value == pytest.approx(0.5)
    means = [1.0, 1 / 3, 2 / 3, 0.0]
    assert [question.score for question in task.questions] == pytest.approx(means)
    assert task.score.stderr == pytest.approx(statistics.stdev(means) / 2)
    assert [[s.score for s in question.samples] for question in task.questions][1] == [0.0, 1.0, 0.0]
    spread = spreads(joined)["nejumi_jaster_jnli"]
    assert spread.values == (("--seed 1", 0.5), ("--seed 2", 0.75), ("--seed 3", 0.25))
    assert (spread.mean, spread.deviation) == (pytest.approx(0.5), pytest.approx(0.25))
    assert spreads(three.runs[0]) == {}
    interval = bootstrap_intervals([joined], resamples=50)["m"].scores["nejumi_jaster_jnli"]
    assert interval is not None
    assert interval.stderr == pytest.approx(task.score.stderr)


@pytest.mark.parametrize(
    "other",
    [
        seeded(2, [1.0] * 4, key="another model"),
        seeded(2, [1.0] * 4, model_args={"dtype": "float16"}),
        seeded(2, [1.0] * 4, limit=4.0),
        seeded(2, [1.0] * 4, backend="hf"),
        seeded(1, [1.0] * 4),
        replace(
            seeded(2, [1.0] * 4),
            tasks={"nejumi_jaster_jnli": jaster_task("jnli", [1.0] * 4, signature={**SIGNED, "shots": "4"})},
        ),
        replace(seeded(2, [1.0]), tasks={"nejumi_jaster_jamp": jaster_task("jamp", [1.0], signature=SIGNED)}),
    ],
)
def test_what_differs_in_more_than_the_seed_stays_apart(three, other):
    runs = RunSet((three.runs[0], other))
    assert {own.key for own in join_seeds(runs).runs} == {own.key for own in runs.runs}


def test_the_seed_may_be_the_models_or_among_the_generation_settings():
    first = seeded(1, [1.0, 0.0], model_args={"pretrained": "m", "seed": 1})
    second = seeded(2, [0.0, 0.0], model_args={"pretrained": "m", "seed": 2})
    signatures = [{**SIGNED, "gen": f"deviates:seed={seed},temperature=0.7"} for seed in (1, 2)]
    runs = [
        replace(own, tasks={name: replace(task, signature=signed) for name, task in own.tasks.items()})
        for own, signed in zip((first, second), signatures, strict=True)
    ]
    (joined,) = join_seeds(RunSet(tuple(runs))).runs
    assert len(joined.members) == 2
    (leaderboard,) = make_leaderboards(runs)
    assert len(leaderboard.rows) == 2, "a seed is no setting that keeps runs apart"


def test_runs_without_all_samples_are_joined_without_questions(three):
    cut = replace(
        three.runs[1],
        tasks={n: replace(t, questions=t.questions[:2]) for n, t in three.runs[1].tasks.items()},
    )
    (joined,) = join_seeds(RunSet((three.runs[0], cut))).runs
    task = joined.tasks["nejumi_jaster_jnli"]
    assert (task.score.value, task.questions) == (pytest.approx(0.625), ())


def test_runs_that_are_equal_are_remarked_on():
    runs = RunSet((seeded(1, [1.0, 0.0]), seeded(2, [1.0, 0.0])))
    (problem,) = join_seeds(runs).problems
    assert problem.kind == "equal_seeds"
    assert "2 runs of m with different seeds have equal scores" in problem.text


def test_a_task_that_one_run_has_is_that_runs(three):
    more = jaster_task("jamp", [1.0, 0.0], signature=SIGNED)
    first = replace(three.runs[0], tasks={**three.runs[0].tasks, more.task: more})
    (joined,) = join_seeds(RunSet((first, *three.runs[1:]))).runs
    assert joined.tasks[more.task] == more
    assert spreads(joined)["nejumi_jaster_jamp"].deviation is None


def rated(seed, rating):
    ratings = {category: [[[rating], [rating]], [[rating - 1], [rating]]] for category in CATEGORIES}
    task = mtbench_task(ratings)
    return run(f"m ({seed})", [task], model="m", seed=f"--seed {seed}")


def test_conversations_are_joined_and_each_answer_and_judgment_says_its_seed():
    runs = RunSet((rated(1, 4.0), rated(2, 8.0)))
    (joined,) = join_seeds(runs).runs
    task = joined.tasks["nejumi_mtbench"]
    assert task.score.value == pytest.approx(5.75)
    first = task.questions[0].turns[0]
    assert (first.rating, first.answer) == (6.0, "[--seed 1]\n答え1\n\n[--seed 2]\n答え1")
    assert [judgment.text for judgment in first.judgments] == ["[--seed 1] ", "[--seed 2] "]
    failures = analyse(joined)["nejumi_mtbench"]
    assert sum(failures.counts.values()) == 2 * len(task.questions)
    assert len(failures.findings) == len(task.questions)
    assert bootstrap_intervals([joined], resamples=50)["m"].scores["nejumi_mtbench"] is not None


def unanswered(own):
    """The run with the first turn of every category without an answer, which is rated 1 without a judge."""
    task = own.tasks["nejumi_mtbench"]
    turn = {"rating": 1.0, "reason": "unanswered: the thoughts did not end", "judgments": (), "answer": ""}
    questions = [
        replace(question, turns=(replace(question.turns[0], **turn), *question.turns[1:]))
        if number % 2 == 0
        else question
        for number, question in enumerate(task.questions)
    ]
    values = {
        name: statistics.fmean(
            turn.rating for question in questions if question.category == name for turn in question.turns
        )
        for name in CATEGORIES
    }
    score = replace(task.score, value=statistics.fmean(values.values()))
    changed = replace(task, questions=tuple(questions), values={**task.values, **values}, score=score)
    return replace(own, tasks={task.task: changed})


def test_a_turn_that_one_run_did_not_answer_counts_in_what_is_joined():
    runs = (unanswered(rated(1, 4.0)), rated(2, 8.0))
    (joined,) = join_seeds(RunSet(runs)).runs
    first = joined.tasks["nejumi_mtbench"].questions[0].turns[0]
    assert (first.rating, [own.rating for own in first.judgments]) == (4.5, [1.0, 8.0])
    interval = bootstrap_intervals([joined], resamples=50)["m"].scores["nejumi_mtbench"]
    assert interval is not None, "questions and score say the same"
    other = rated(3, 6.0)
    same = compare_runs(joined, replace(other, key="n"), permutations=10).differences
    found = {own.name.name: own.a for own in same}
    assert found["nejumi_mtbench"] == pytest.approx(statistics.fmean((3.0, 7.75)))


def test_a_turn_that_was_not_answered_has_no_judges_noise():
    ratings = {category: [[[5, 7], [6, 8]], [[4, 5], [6, 6]]] for category in CATEGORIES}
    own, other = (run(key, [mtbench_task(ratings)], model=key) for key in "ab")
    for a in (own, unanswered(own)):
        assert pair_runs(a, other).repeat_variances()["nejumi_mtbench"] > 0


def test_table_csv_and_json_show_mean_spread_and_every_run(three):
    other = seeded(1, [0.0] * 4, key="other")
    analysis = analyse_runs(join_seeds(RunSet((*three.runs, other))), resamples=20, tokenizers=False)
    tables = {table.title: table for table in report_tables(analysis)}
    ranking = next(iter(tables.values()))
    assert [field.header for field in ranking.fields][:3] == ["Model", "Runs", "#"]
    row = next(row for row in ranking.rows if row[0] == "m")
    assert row[1] == "3"
    assert any("0.5000 ±0.2500" in cell for cell in row)
    assert next(own for own in ranking.rows if own[0] == "other (1)")[1] == "1"
    (by_seed,) = (table for title, table in tables.items() if title.endswith("runs by seed"))
    assert [own[1] for own in by_seed.rows] == ["--seed 1", "--seed 2", "--seed 3", "mean", "± sd"]
    lines = {own["model"]: own for own in csv.DictReader(io.StringIO(as_csv(analysis)))}
    assert float(lines["m"]["nejumi_jaster_jnli_sd"]) == pytest.approx(0.25)
    assert (lines["m"]["nejumi_jaster_jnli_runs"], lines["other (1)"]["nejumi_jaster_jnli_runs"]) == ("3", "")
    data = json.loads(as_json(analysis))
    members = data["runs"]["m"]["members"]
    assert [own["scores"]["nejumi_jaster_jnli"] for own in members] == [0.5, 0.75, 0.25]
    assert "members" not in data["runs"]["other (1)"]


def test_comparing_takes_all_runs_of_a_model_and_flips_only_what_all_agree_on(three):
    joined = join_seeds(three).runs[0]
    other = join_seeds(RunSet((seeded(1, [0.0] * 4, key="b"), seeded(2, [0.0] * 4, key="b")))).runs[0]
    comparison = compare_runs(joined, other, permutations=100)
    kinds = {change.a.id: change.kind for change in comparison.changes}
    assert kinds == {"jnli-0000": "right_to_wrong", "jnli-0001": "worse", "jnli-0002": "worse"}


# ------------------------------------------------------------------------------------------------ files


def write(folder, stamp, seed, tasks, value=0.5):
    folder.mkdir(parents=True, exist_ok=True)
    config = dict.fromkeys(("random_seed", "numpy_seed", "torch_seed", "fewshot_seed"), seed)
    signed = "protocol:neo|data:d|split:test|n:2|shots:0|style:alpaca|norm:nfkc|gen:deviates:temperature=0.7"
    results = {
        "results": {task: {"exact_match,none": value, "exact_match_stderr,none": 0.1} for task in tasks},
        "configs": {
            task: {"metadata": {"protocol": "neo", "dataset": task.rpartition("_")[2], "signature": signed}}
            for task in tasks
        },
        "config": {"model": "hf", "model_args": {"pretrained": "lab/m"}, **config},
        "model_name": "lab/m",
    }
    path = folder / f"results_2026-11-{stamp:02}T10-00-00.000000.json"
    path.write_text(json.dumps(results), encoding="utf-8")


def test_files_of_other_seeds_are_runs_and_files_of_the_same_seed_older_ones(tmp_path):
    write(tmp_path, 1, 1, ["nejumi_jaster_jnli"], 0.25)
    write(tmp_path, 2, 2, ["nejumi_jaster_jnli"], 0.5)
    write(tmp_path, 3, 2, ["nejumi_jaster_jnli"], 0.75)
    found = read_runs([tmp_path])
    assert sorted(own.seed for own in found.runs) == ["--seed 1", "--seed 2"]
    assert [problem.kind for problem in found.problems if problem.kind == "older"] == ["older"]
    (joined,) = join_seeds(found).runs
    assert joined.tasks["nejumi_jaster_jnli"].score.value == 0.5
    assert len(read_runs([tmp_path], all_runs=True).runs) == 3


def test_files_with_other_tasks_complete_each_other_whatever_their_seeds(tmp_path):
    write(tmp_path, 1, 1, ["nejumi_jaster_jnli"])
    write(tmp_path, 2, 2, ["nejumi_jaster_jamp"])
    (found,) = read_runs([tmp_path]).runs
    assert set(found.tasks) == {"nejumi_jaster_jnli", "nejumi_jaster_jamp"}
