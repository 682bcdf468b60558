"""Runs whose thoughts were scored are scored again without them; what was never generated is said to be lost."""

import json

import pytest

from lm_eval_ja.cli import main
from lm_eval_ja.rescoring import rescore, verify_runs, write_results
from lm_eval_ja.results import read_runs
from lm_eval_ja.thoughts import parse_thoughts
from tests.support import small_runs as s

THOUGHT = "まず\n\nneutral かも"
OUTPUTS = [
    f"<think>{THOUGHT}</think>\n\nneutral\n\n以上",
    f"{THOUGHT}</think>entailment",
    f"<think>{THOUGHT}",
    "neutral",
]


def write(
    folder,
    outputs=OUTPUTS,
    *,
    gold="neutral",
    opening="<think>",
    dataset="jnli",
    metric="exact_match",
    **fields,
):
    """A run that was scored with its thoughts; its last answer has none."""
    lines = [
        s.question(
            f"q-{number}",
            output.replace("<think>", opening).replace("</think>", opening.replace("<", "</")),
            float(output == gold),
            gold=gold,
        )
        for number, output in enumerate(outputs)
    ]
    s.write_run(folder, [s.task(dataset, metric, lines, **fields)])
    (run,) = read_runs([folder]).runs
    return run


@pytest.mark.parametrize(("opening", "option"), [("<think>", "separate"), ("<考>", ["<考>", "</考>"])])
def test_answers_are_scored_without_thoughts(tmp_path, opening, option):
    (dataset,) = rescore(write(tmp_path, opening=opening), thoughts=parse_thoughts(option)).datasets
    assert (dataset.before, dataset.reproduced, dataset.after.value) == (0.25, 0.25, 0.5)
    assert [(step.what, step.change, step.questions) for step in dataset.steps] == [
        ("without thoughts", 0.25, 1)
    ]
    assert dataset.predictions == (("neutral",), ("entailment",), ("",), ("neutral",))


def test_a_lost_answer_is_wrong_even_where_nothing_is_the_answer(tmp_path):
    run = write(tmp_path, ["<think>まず", ""], gold="", dataset="chabsa", metric="set_f1")
    assert rescore(run, thoughts=parse_thoughts("think")).datasets[0].after.value == 0.5


def test_a_sample_without_an_answer_is_wrong_even_where_nothing_is_the_answer(tmp_path):
    write(tmp_path, ["", "<think>まず"], gold="", dataset="chabsa", metric="set_f1", thoughts="separated")
    path = next(tmp_path.rglob("samples_*.jsonl"))
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        line["resps"], line["filtered_resps"] = [[*line["resps"][0], "<think>ま"]], [["", ""]]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    (run,) = read_runs([tmp_path]).runs
    scores = [[own.score for own in q.samples] for q in run.tasks["nejumi_jaster_chabsa"].questions]
    assert scores == [[1.0, 0.0], [0.0, 0.0]]


def test_what_is_lost_is_said_and_the_signature_changes(tmp_path, capsys):
    write(tmp_path)
    assert main(["rescore", str(tmp_path), "--strip-thoughts", "--write"]) == 0
    said = capsys.readouterr().out
    assert (
        "nejumi_jaster_jnli: 1 of 4 answers are lost: the thoughts were cut off at a blank line or at the token"
        in said
    )
    assert '\'{"thoughts": "separate", "token_budget": "+4096"}\'' in said
    again = max(tmp_path.rglob("results_*.json"))
    (run,) = read_runs([again]).runs
    (task,) = run.tasks.values()
    assert (task.signature["thoughts"], task.score.value) == ("auto", 0.5)
    assert [question.output for question in task.questions] == OUTPUTS, "samples keep what was generated"
    (dataset,) = rescore(run).datasets
    assert (dataset.reproduced, dataset.steps) == (0.5, ()), "its own rules reproduce it"


def test_without_thoughts_nothing_changes(tmp_path):
    run = write(tmp_path, ["neutral", "entailment", "neutral</p>"])
    plain, stripped = rescore(run), rescore(run, thoughts=parse_thoughts("separate"))
    assert plain.datasets == stripped.datasets
    assert not any("lost" in note for note in stripped.notes)


def test_a_backend_that_took_thoughts_off_left_the_answer(tmp_path):
    """Its prompt may end with the opening tag all the same."""
    run = write(tmp_path, ["neutral", "<think>まず"], thoughts="auto+think_end_token")
    (dataset,) = rescore(run).datasets
    assert (dataset.reproduced, dataset.predictions) == (0.5, (("neutral",), ("",)))


@pytest.mark.parametrize("protocol", ["nejumi4", "llm_jp_eval_2_1_base"])
def test_what_is_written_says_which_scores_count_down_and_counts_questions_as_verify_does(tmp_path, protocol):
    """In Nejumi 4's tree a task is a member of several averages."""
    (results,) = [write_results(rescore(write(tmp_path), protocol))]
    raw = json.loads(results.read_text(encoding="utf-8"))
    for task, metrics in raw["higher_is_better"].items():
        assert metrics == {name: name != "ool" for name in metrics}, task
    assert protocol != "llm_jp_eval_2_1_base" or "ool" in raw["higher_is_better"][f"{protocol}_jnli"]
    (verified,) = [own for own in verify_runs(tmp_path) if own.file == results]
    assert [own for own in verified.findings if own.field.endswith("sample_len")] == []
    assert set(raw["groups"]), "there are averages to verify"


def test_one_tag_is_not_enough(tmp_path, capsys):
    write(tmp_path)
    assert main(["rescore", str(tmp_path), "--strip-thoughts", "<t>"]) == 2
    assert "or the tags themselves, e.g." in capsys.readouterr().err
