"""The Trainer's callback in real trainings of a tiny model."""

import random
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
if find_spec("torch") is None or find_spec("transformers") is None or find_spec("accelerate") is None:
    pytest.skip('no Trainer: pip install "lm-eval-ja[hf]"', allow_module_level=True)

REPOSITORY = Path(__file__).resolve().parents[2]
QUESTIONS = {"jnli": [1, 0], "niilc": [0]}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("tiny")
    make = [sys.executable, str(REPOSITORY / "scripts" / "make_tiny_model.py"), str(folder)]
    subprocess.run(make, check=True, capture_output=True)
    return str(folder)


@pytest.fixture(autouse=True)
def _clean(tmp_path, monkeypatch):
    monkeypatch.setenv("LM_EVAL_JA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LM_EVAL_JA_OFFLINE", "1")


def train(tiny, folder, make_callback=None, **more):
    """Six steps with dropout and shuffled data; the trainer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainingArguments, set_seed

    set_seed(0)
    model = AutoModelForCausalLM.from_pretrained(tiny, attention_dropout=0.3)
    model.model.layers[0].mlp.eval()  # part of the model is frozen in eval mode: it must stay so
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    data = [
        {"input_ids": ids, "labels": ids, "attention_mask": torch.ones_like(ids)}
        for ids in torch.randint(0, 256, (24, 16))
    ]
    settings = {"eval_strategy": "steps", "eval_steps": 2, "save_strategy": "no", **more}
    args = TrainingArguments(
        output_dir=str(folder),
        max_steps=6,
        per_device_train_batch_size=2,
        logging_steps=1,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        **settings,
    )
    trainer = Trainer(model, args, train_dataset=data, eval_dataset=data[:2], processing_class=tokenizer)
    if make_callback is not None:
        trainer.add_callback(make_callback(trainer))
    trainer.train()
    return trainer


def scored(trainer) -> list[dict]:
    return [entry for entry in trainer.state.log_history if "nejumi/score" in entry]


def callback(**options):
    from lm_eval_ja.callbacks import NejumiCallback

    given = {"questions": QUESTIONS, "metadata": {"data": "sample"}, **options}
    return lambda trainer: NejumiCallback(trainer, **given)


def test_training_with_it_and_without_it_is_the_same_to_the_bit(tiny, tmp_path):
    import torch

    plain = train(tiny, tmp_path / "plain")
    after = random.random(), torch.rand(1).item()
    watched = train(tiny, tmp_path / "watched", callback(when=2))
    assert (random.random(), torch.rand(1).item()) == after
    weights = watched.model.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in plain.model.state_dict().items())
    losses = [
        [entry["loss"] for entry in run.state.log_history if "loss" in entry] for run in (plain, watched)
    ]
    assert losses[0] == losses[1]
    assert [entry["step"] for entry in scored(watched)] == [2, 4, 6]
    assert watched.processing_class.padding_side == plain.processing_class.padding_side


def test_the_score_is_the_harness_s_own_of_the_saved_model(tiny, tmp_path):
    import lm_eval
    from lm_eval.tasks import TaskManager

    trainer = train(tiny, tmp_path / "run", callback())
    entries = scored(trainer)
    assert [entry["step"] for entry in entries] == [2, 4, 6]
    assert set(entries[-1]) - {"step", "epoch"} == {"nejumi/score", "nejumi/jnli", "nejumi/niilc"}
    trainer.save_model(str(tmp_path / "saved"))
    from lm_eval_ja.plugin import TASKS_PATH

    manager = TaskManager(include_path=str(TASKS_PATH), include_defaults=False, metadata={"data": "sample"})
    found = lm_eval.simple_evaluate(
        model="hf",
        model_args={"pretrained": str(tmp_path / "saved")},
        tasks=["nejumi_jaster_jnli", "nejumi_jaster_niilc"],
        samples={"nejumi_jaster_jnli": [1, 0], "nejumi_jaster_niilc": [0]},
        task_manager=manager,
        device="cpu",
    )["results"]
    jnli = found["nejumi_jaster_jnli"]["exact_match,none"]
    niilc = found["nejumi_jaster_niilc"]["char_f1,none"]
    assert entries[-1]["nejumi/jnli"] == jnli
    assert entries[-1]["nejumi/niilc"] == niilc
    assert entries[-1]["nejumi/score"] == (jnli + niilc) / 2


def test_an_error_is_logged_and_training_goes_on_unless_asked(tiny, tmp_path, monkeypatch, caplog):
    import lm_eval

    from lm_eval_ja.callbacks import _trainer

    def broken(**_):
        raise RuntimeError("no memory")

    monkeypatch.setattr(lm_eval, "simple_evaluate", broken, raising=False)
    trainer = train(
        tiny, tmp_path / "a", callback(when="save"), save_strategy="steps", save_steps=3, eval_strategy="no"
    )
    assert trainer.state.global_step == 6
    assert scored(trainer) == []
    lines = [record for record in caplog.records if record.name == _trainer.__name__]
    assert [record.getMessage() for record in lines] == [
        f"the model was not scored at step {step}; training goes on" for step in (3, 6)
    ]
    with pytest.raises(RuntimeError, match="no memory"):
        train(tiny, tmp_path / "b", callback(when=1, strict=True))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"when": 0}, "'evaluate', 'save' or a number of steps"),
        ({"questions": {"jnli": [0], "nothing": [0]}}, "no dataset nothing"),
        ({"questions": {"jnli": [999]}}, "there is no 999"),
        ({"metadata": {"dta": "sample"}}, "dta"),
    ],
)
def test_what_cannot_work_is_told_before_the_first_step(options, reason, tiny, tmp_path):
    from lm_eval_ja.errors import OptionError

    with pytest.raises(OptionError, match=reason):
        train(tiny, tmp_path / "run", callback(**options))


def test_the_chosen_questions_are_in_the_real_test_splits(mirror, real_cache, monkeypatch):
    monkeypatch.setenv("LM_EVAL_JA_CACHE", str(real_cache))
    monkeypatch.setenv("LM_EVAL_JA_MIRROR", str(mirror))
    from lm_eval_ja.callbacks import chosen_questions
    from lm_eval_ja.datasets import load

    chosen = chosen_questions()
    assert sum(map(len, chosen.values())) == 72
    for dataset, places in chosen.items():
        assert max(places) < len(load("neo", dataset)["test"]), dataset
        assert len(set(places)) == 8, dataset
