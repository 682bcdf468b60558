"""The same answers under every protocol that shares datasets: each difference has a reason, and reasons add up."""

import itertools
import json
import random
from dataclasses import replace

import pytest

from lm_eval_ja.metrics import METRICS, apply_steps, gold
from lm_eval_ja.protocols import Missing, load_protocol
from lm_eval_ja.rescoring import rescore
from lm_eval_ja.results import Run, read_runs
from tests.support.commands import evaluate_command, run_command

PROTOCOLS = (
    *("neo", "llm_jp_eval", "llm_jp_eval_1_4", "llm_jp_eval_2_1", "llm_jp_eval_2_1_base"),
    *("nejumi3", "nejumi4"),
)
DATASETS = ("jnli", "niilc", "mawps", "chabsa", "jcommonsenseqa")
METADATA = '{"data": "sample", "max_samples": -1}'
NOISE = (
    "<answer>{}</answer>", r"$\boxed{{{}}}$",
    "{}", " {}", "\n\n{}", "回答:{}", "応答: {}", "'{}'", '"{}"', "{}です", "{}\n\n### 入力:", "{}.0", "Ａ{}", "",
)  # fmt: skip


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run with the tasks of all protocols, whose answers are the golds with noise; sampled data, recorded."""
    folder = tmp_path_factory.mktemp("every")
    tasks = [
        rules.task
        for name in PROTOCOLS
        for rules in load_protocol(name).tasks.values()
        if rules.dataset in DATASETS
    ]
    options = ["--metadata", METADATA, "--apply_chat_template", "--tasks", ",".join(tasks)]

    run_command("lm-eval-ja", "prompts", *options, "-o", "prompts.jsonl", folder=folder)
    rng = random.Random(0)
    with (folder / "answers.jsonl").open("w", encoding="utf-8") as file:
        for line in (folder / "prompts.jsonl").read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            dataset = next(name for name in DATASETS if name in record["task"])
            answer = {"jnli": "Neutral", "mawps": "12", "chabsa": "A社 positive\nB社 neutral"}.get(
                dataset, "1"
            )
            file.write(json.dumps({**record, "output": rng.choice(NOISE).format(answer)}) + "\n")
    done = evaluate_command(
        "--model", "recorded", "--model_args", "path=answers.jsonl", *options, folder=folder
    )
    (own,) = read_runs([done.folder]).runs
    return own


def answered_by(every: Run, protocol: str) -> Run:
    """The same run with one protocol's tasks only."""
    tasks = load_protocol(protocol).tasks
    return replace(
        every, tasks={name: task for name, task in every.tasks.items() if name in tasks}, groups={}
    )


@pytest.mark.parametrize(("asked", "scored"), list(itertools.permutations(PROTOCOLS, 2)))
def test_each_difference_has_its_reason_and_the_reasons_add_up(every, asked, scored):
    if any(name.startswith("llm_jp_eval_2_1") for name in (asked, scored)):
        pytest.importorskip("math_verify", reason="the extra math is not installed")
    rescored = rescore(answered_by(every, asked), scored)
    assert rescored.asked_by == (asked,)
    shared = {*DATASETS} - (set() if "nejumi4" not in (asked, scored) else {"chabsa"})  # Nejumi 4 dropped it
    assert {own.rules.dataset for own in rescored.datasets} == shared
    for own in rescored.datasets:
        assert own.source.task in load_protocol(asked).tasks
        assert own.before == own.reproduced, "the run's own rules give the run's own score"
        # Scored from scratch by the rules in the protocol's file.
        rules = own.rules
        predictions = [apply_steps(question.output, rules.normalization) for question in own.source.questions]
        golds = [gold(question.gold) for question in own.source.questions]
        score = METRICS[rules.metrics[0]].score(predictions, golds)
        assert own.scores[rules.metrics[0]].value == pytest.approx(score, abs=1e-12)
        assert own.reproduced + sum(step.change for step in own.steps) == pytest.approx(score, abs=1e-12)
        other = next(r for r in load_protocol(asked).tasks.values() if r.task == own.source.task)
        alike = (other.normalization, other.metrics[0]) == (rules.normalization, rules.metrics[0])
        assert alike == (own.steps == ()), "a difference in the rules is named, and nothing else"
        reasons = [step.what for step in own.steps]
        if other.metrics[0] != rules.metrics[0]:
            assert reasons[-1] == f"{rules.metrics[0]} in place of {other.metrics[0]}"


def notes(every: Run, asked: str, scored: str) -> str:
    return "\n".join(rescore(answered_by(every, asked), scored).notes)


def test_what_was_asked_otherwise_is_said_of_every_kind(every):
    shown = notes(every, "neo", "nejumi4")
    assert "prompt style alpaca, not chat_nejumi" in shown
    assert "temperature 0, not 0.1" in shown
    assert r"stop strings '\n\n', not none" in shown
    assert "split" not in shown
    assert "another selection of questions (chabsa)" in notes(every, "neo", "nejumi3")
    assert notes(every, "nejumi3", "nejumi4") == ""
    shown = notes(every, "llm_jp_eval", "neo")
    assert "split dev, not test" in shown
    assert "shots 4, not 0" in shown
    assert "another selection of questions (chabsa)" in shown
    assert "prompt style" not in shown
    shown = notes(every, "llm_jp_eval_2_1_base", "llm_jp_eval_2_1")
    assert "prompt style alpaca_2_1, not default_2_1" in shown
    assert r"stop strings '\n\n', not none" in shown
    assert "another instruction" in shown
    shown = notes(every, "llm_jp_eval", "llm_jp_eval_1_4")
    assert shown == "", "1.4.1 asks these datasets as 1.3.0 does"


def test_the_table_names_the_number_of_shots_below_the_dataset(every, monkeypatch, capsys):
    from lm_eval_ja.cli import _rescore

    monkeypatch.setenv("COLUMNS", "200")
    _rescore._show(rescore(answered_by(every, "nejumi4"), "nejumi4"))
    shown = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    at = shown.index(next(line for line in shown if line[0] == "jnli"))
    assert [line[0] for line in shown[at : at + 3]] == ["jnli", "jnli@0shot", "jnli@2shot"]
    assert any(line[:2] == ["jnli@2shot:", "in_form"] for line in shown)
    _rescore._show(rescore(answered_by(every, "neo"), "neo"))
    assert "@" not in capsys.readouterr().out


def test_answers_count_for_their_own_number_of_shots_where_a_protocol_asks_for_several(every):
    rescored = rescore(answered_by(every, "neo"), "nejumi4")
    assert {own.rules.shots for own in rescored.datasets} == {0}
    means = {mean.name: mean.after for mean in rescored.means}
    assert means["nejumi4_jnli"] == Missing(("jnli@2shot",), 2)
    (note, *_) = (
        text for text in rescore(answered_by(every, "llm_jp_eval"), "nejumi4").notes if "shots" in text
    )
    assert note == "asked otherwise than nejumi4 asks: shots 4, not 0"
    back = rescore(answered_by(every, "nejumi4"), "neo")
    assert {own.source.shots for own in back.datasets} == {0}
