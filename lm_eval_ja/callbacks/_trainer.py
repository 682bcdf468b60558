"""A callback of transformers' Trainer that has the harness score the live model on a few questions of jaster."""

import json
import logging
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from transformers import TrainerCallback

import lm_eval_ja
from lm_eval_ja.callbacks._state import left_as_it_was
from lm_eval_ja.errors import OptionError
from lm_eval_ja.protocols import load_protocol

_log = logging.getLogger(__name__)

_TASKS = Path(lm_eval_ja.__file__).parent / "tasks"
_PREFIX = "nejumi_jaster_"


def chosen_questions() -> dict[str, list[int]]:
    """The questions that are asked by default: places in the test split, by dataset.

    72 of nine datasets, chosen to rank models as 900 questions do (``benchmarks/subset.py``, docs/training.md).
    """
    text = Path(__file__).with_name("subset.json").read_text(encoding="utf-8")
    found: dict[str, list[int]] = json.loads(text)
    return found


class NejumiCallback(TrainerCallback):
    """Scores the model in training, and logs ``nejumi/score`` and ``nejumi/<dataset>`` as the Trainer logs its loss.

    The score is the mean over categories of the mean over their datasets, of those that are asked: good for telling
    checkpoints of one training apart, not a score of the leaderboard. Training goes on as if nothing had happened:
    training modes and random states are put back.
    """

    def __init__(
        self,
        trainer: Any,
        *,
        when: int | Literal["evaluate", "save"] = "evaluate",
        tokenizer: Any = None,
        questions: Mapping[str, Sequence[int]] | None = None,
        batch_size: int = 8,
        num_fewshot: int | None = None,
        apply_chat_template: bool = False,
        metadata: Mapping[str, Any] | None = None,
        strict: bool = False,
    ) -> None:
        """Have a trainer's model scored.

        Args:
            trainer: The trainer, whose logs the scores go to.
            when: Every so many steps, or whenever the Trainer evaluates or saves.
            tokenizer: The model's tokenizer (default: the trainer's).
            questions: Places in the test split by dataset, such as ``{"jnli": [0, 5]}`` (default: `chosen_questions`).
            batch_size: Prompts at a time.
            num_fewshot: Worked examples in the prompt.
            apply_chat_template: Whether to ask by the tokenizer's chat template.
            metadata: Options of the tasks, as ``lm_eval run --metadata``.
            strict: Let errors of an evaluation end the training, instead of logging them.

        Raises:
            OptionError: An option can't work.
        """
        if not (when in {"evaluate", "save"} or (isinstance(when, int) and when > 0)):
            raise OptionError(f"when={when!r}: 'evaluate', 'save' or a number of steps is expected")
        self._trainer, self._when, self._strict = trainer, when, strict
        self._tokenizer = trainer.processing_class if tokenizer is None else tokenizer
        if self._tokenizer is None:
            raise OptionError("the trainer has no tokenizer: give NejumiCallback(trainer, tokenizer=...)")
        asked = chosen_questions() if questions is None else questions
        rules = {own.dataset: own for own in load_protocol("neo").tasks.values()}
        if unknown := sorted(asked.keys() - rules.keys()):
            raise OptionError(
                f"questions: no dataset {', '.join(unknown)}; there are {', '.join(sorted(rules))}"
            )
        self._asked = {f"{_PREFIX}{dataset}": list(places) for dataset, places in asked.items() if places}
        self._metric = {f"{_PREFIX}{dataset}": rules[dataset].metrics[0] for dataset in asked}
        self._category = {f"{_PREFIX}{dataset}": str(rules[dataset].category) for dataset in asked}
        self._arguments = {
            "batch_size": batch_size,
            "num_fewshot": num_fewshot,
            "apply_chat_template": apply_chat_template,
            "fewshot_as_multiturn": apply_chat_template,
        }
        self._batch_size = batch_size
        self._metadata = dict(metadata or {})
        self._manager: Any = None

    def on_train_begin(self, args: Any, state: Any, _control: Any, **kwargs: Any) -> None:
        """Get the questions ready, before anything is trained.

        Raises:
            LmEvalJaError: They are unavailable, an option can't work, or the weights are spread over processes.
        """
        if args.fsdp or getattr(args, "deepspeed", None):
            raise OptionError(
                "NejumiCallback asks the model on the first process alone, which FSDP and DeepSpeed do not allow: "
                "score the saved checkpoints with lm-eval-ja sweep"
            )
        if state.is_world_process_zero:
            with left_as_it_was(kwargs["model"]):  # tasks may draw random numbers as they load
                self._load()

    def _load(self) -> None:
        from lm_eval.tasks import TaskManager

        self._manager = TaskManager(
            include_path=str(_TASKS), include_defaults=False, metadata=dict(self._metadata)
        )
        for name, task in self._manager.load(list(self._asked))["tasks"].items():
            number = len(task.eval_docs)
            if wrong := [place for place in self._asked[name] if not 0 <= place < number]:
                raise OptionError(f"questions: {name} has {number} questions, there is no {wrong[0]}")

    def on_step_end(self, _args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Score the model every so many steps."""
        if isinstance(self._when, int) and state.global_step % self._when == 0:
            self._score(state, control, kwargs["model"])

    def on_evaluate(self, _args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Score the model when the Trainer has evaluated it."""
        if self._when == "evaluate":
            self._score(state, control, kwargs["model"])

    def on_save(self, _args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Score the model when the Trainer has saved it."""
        if self._when == "save":
            self._score(state, control, kwargs["model"])

    def _score(self, state: Any, control: Any, model: Any) -> None:
        """Score the model and log, on the first process; an error is logged unless asked for otherwise."""
        if not state.is_world_process_zero or self._manager is None:
            return
        try:
            with left_as_it_was(model):
                scores = self._evaluate(model)
        except Exception:
            if self._strict:
                raise
            _log.exception("the model was not scored at step %d; training goes on", state.global_step)
            return
        due = control.should_log  # which the Trainer takes for done once anything is logged
        self._trainer.log(scores)
        control.should_log = due

    def _evaluate(self, model: Any) -> dict[str, float]:
        import lm_eval
        from lm_eval.models.huggingface import HFLM

        wrapped = HFLM(
            pretrained=model,
            tokenizer=deepcopy(self._tokenizer),  # the harness sets its padding
            batch_size=self._batch_size,
        )
        found = lm_eval.simple_evaluate(
            model=wrapped,
            tasks=list(self._asked),
            samples=self._asked,
            task_manager=self._manager,
            log_samples=False,
            bootstrap_iters=0,
            random_seed=None,
            numpy_random_seed=None,
            torch_random_seed=None,
            **self._arguments,
        )
        values = {task: float(found["results"][task][f"{self._metric[task]},none"]) for task in self._asked}
        categories: dict[str, list[float]] = {}
        for task, value in values.items():
            categories.setdefault(self._category[task], []).append(value)
        return {
            "nejumi/score": fmean(map(fmean, categories.values())),
            **{f"nejumi/{task.removeprefix(_PREFIX)}": value for task, value in values.items()},
        }
