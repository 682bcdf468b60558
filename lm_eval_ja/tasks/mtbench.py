"""The task class of Japanese MT-Bench: two-turn questions, answered by the model and rated by a judge."""

import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from lm_eval.api.instance import Instance

import lm_eval_ja
from lm_eval_ja._once import once
from lm_eval_ja.datasets import Settings, conversations_digest, load_mtbench
from lm_eval_ja.judge import JudgePrompts, preflight
from lm_eval_ja.judge.forecast import Forecast
from lm_eval_ja.judge.mtbench import Session, TurnRecord, make_record, question_values
from lm_eval_ja.judge.options import JudgeOptions
from lm_eval_ja.prompts import STOP, Conversation
from lm_eval_ja.protocols import load_protocol, signature
from lm_eval_ja.results import stamp_after, write_run
from lm_eval_ja.tasks._ahead import Run, Work
from lm_eval_ja.tasks._base import ProtocolTask
from lm_eval_ja.tasks._block import ConversationBlock, read_block
from lm_eval_ja.thoughts import AUTO

_log = logging.getLogger(__name__)

_KEPT_ANSWERS = 50
"""Runs whose answers stay saved ahead of judging; at some hundred kilobytes each."""

_OTHER_METRICS = {
    "turn_1": "lm_eval_ja_rating_mean",
    "turn_2": "lm_eval_ja_rating_mean",
    "score": "lm_eval_ja_mtbench_average",
    "unscored": "lm_eval_ja_sum",
}


class MTBenchTask(ProtocolTask):
    """Japanese MT-Bench, whole or one category, configured by its YAML's ``mtbench`` block.

    For the block see `lm_eval_ja.tasks._block.ConversationBlock`. Run-time options come with ``--metadata`` or the
    environment, see :class:`~lm_eval_ja.judge.options.JudgeOptions`.
    """

    NO_ANSWER = "are rated 1, and so are the turns after them, without asking the judge"
    ONE_SAMPLE = (
        "MT-Bench answers are asked for once (judge_repeats judges each several times). Run it by itself, without "
        "repeats, with several --seed for the spread of its answers; `lm-eval-ja report` joins such runs"
    )

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Configure the task and load the questions.

        Args:
            config: The whole YAML, with the run's metadata merged into ``metadata`` by the harness.

        Raises:
            OptionError: An option has an unknown name or a value that cannot work.
            DataError: The questions are unavailable; the message says what to do.
        """
        rest = dict(config)
        rest.pop("class", None)
        self.block = read_block(
            ConversationBlock, rest.pop("mtbench", None), f"the block `mtbench` of {rest['task']}"
        )
        self.options = JudgeOptions.from_run(rest.get("metadata"))
        self._form = "conversation"
        self._dropped = False
        category = self.block.category
        self._protocol = load_protocol(self.block.protocol)
        self._average = "" if category else self._protocol.scores[0].name
        self.metrics = (category,) if category else tuple(self.block.temperatures)
        aggregations = {**dict.fromkeys(self.metrics, "lm_eval_ja_rating_mean"), **_OTHER_METRICS}
        super().__init__(
            config={
                **rest,
                "task_alias": self.labelled(rest, self.options.data),
                "test_split": "test",
                "num_fewshot": 0,  # MT-Bench has no examples; a 0 makes the harness leave it alone
                "metric_list": [
                    {"metric": name, "aggregation": aggregation, "higher_is_better": name != "unscored"}
                    for name, aggregation in aggregations.items()
                ],
            }
        )
        self._session = Session(rest["task"], self.options, prompts=None, thoughts=self.answers.handling)
        # The type that ranks are padded by; config.output_type stays generate_until, which is what the user's
        # --gen_kwargs are for.
        self.OUTPUT_TYPE = "generate_until_multi_turn"

    # ---------------------------------------------------------------- questions

    def download(self, dataset_kwargs: dict[str, Any] | None = None, **_: Any) -> None:  # noqa: ARG002  # upstream's
        """Load the questions and references."""
        which, category, data = self.block.revision, self.block.category, self.options.data
        questions = once(
            ("mtbench", which, category, data), lambda: load_mtbench(which, category=category, data=data)
        )
        self.dataset = {"test": questions}

    def doc_to_text(self, doc: dict[str, Any], doc_to_text: Any = None) -> str:  # noqa: ARG002  # upstream's signature
        """What the user says first."""
        return str(doc["turns"][0])

    def doc_to_target(self, doc: Mapping[str, Any], doc_to_target: Any = None) -> str:  # noqa: ARG002  # upstream's
        """The reference answers, for the logs."""
        return "\n\n".join(doc["reference"])

    def build_all_requests(self, **kwargs: Any) -> None:
        """As upstream's, after making sure that the judge can be used: before anything is generated.

        Raises:
            JudgeError: It can't; the message names the cause and the fix.
            DataError: The judge's prompts are unavailable.
            OptionError: The judge's prompts are the user's, and wrong.
        """
        self._session.ranks = kwargs.get("world_size", 1)
        # Under tensor parallelism every process answers every question as rank 0; the harness keeps the first's.
        self._dropped = self._session.ranks == 1 and os.environ.get("LOCAL_RANK", "0") != "0"
        if self.options.judging and not self.predict_only and not self._dropped:
            self._session.prompts = self._try_judge(first_rank=kwargs.get("rank", 0) == 0)
        super().build_all_requests(**kwargs)

    def work(self, run: Run) -> Work:
        """What the model and the judge will be asked, after making sure that the judge can be used.

        Raises:
            JudgeError: It can't; the message names the cause and the fix.
            DataError: The judge's prompts are unavailable.
            OptionError: The judge's prompts are the user's, and wrong.
        """
        docs = [self.eval_docs[index] for index in run.asked(str(self.config.task), len(self.eval_docs))]
        limits = [self._generation(doc["category"], chat=run.chat)["max_gen_toks"] for doc in docs]
        work = Work([turn for doc in docs for turn in doc["turns"]], 2 * len(docs), 2 * sum(map(int, limits)))
        if not self.options.judging or run.predict_only:
            return work
        prompts = self._try_judge(first_rank=run.first_rank)
        return replace(work, forecast=Forecast.of(docs, prompts, self.options, int(max(limits, default=0))))

    def _try_judge(self, *, first_rank: bool) -> JudgePrompts:
        """Make sure, once a run, that the judge can be used."""
        prompts = once(("judge prompts", self.options.judge_prompts, self.options.data), self.options.prompts)
        if self.options.judge_preflight and not self.options.judge_dry_run and first_rank:
            config = self.options.config()
            once(("judge", config), lambda: preflight(config))
        return prompts

    def fewshot_context(self, doc: dict[str, Any], num_fewshot: int, **kwargs: Any) -> Conversation:  # noqa: ARG002
        """The whole conversation as far as it is known: both user turns and how they are put.

        Args:
            doc: The question.
            num_fewshot: Ignored; MT-Bench has no examples.
            **kwargs: ``system_instruction``, ``apply_chat_template`` and more, see upstream.
        """
        chat = bool(kwargs.get("apply_chat_template"))
        self._form = "chat_template" if chat else "conversation"
        return Conversation(
            turns=(doc["turns"][0], doc["turns"][1]),
            chat=chat,
            gen_kwargs=self._generation(doc["category"], chat=chat),
            system=kwargs.get("system_instruction") or None,
            thoughts=self.answers.options.thoughts,
        )

    def _generation(self, category: str, *, chat: bool) -> dict[str, Any]:
        """Generation settings: the protocol's, under those that the task's file or ``--gen_kwargs`` set."""
        own = {
            "until": [] if chat or self.answers.expected else [STOP],
            "max_gen_toks": self.answers.options.tokens(self.block.max_new_tokens),
            "temperature": self.block.temperatures[category],
        }
        given = {
            name: value for name, value in (self.config.generation_kwargs or {}).items() if value is not None
        }
        if not given.get("until"):  # the harness insists on a value in the task's file
            given.pop("until", None)
        return {**own, **given}

    def construct_requests(self, doc: dict[str, Any], ctx: Conversation, **kwargs: Any) -> Instance:
        """One request per question, holding plain data only: it is logged, hashed and sent between ranks."""
        text = ctx.turns[0] if ctx.chat else ctx.first()
        return self.own_request("generate_until_multi_turn", doc, (text, ctx.data()), **kwargs)

    # ---------------------------------------------------------------- judging

    def apply_filters(self) -> None:
        """Have the answers judged, all at once, and put answers and judgments into the samples as one JSON text.

        A judge in trouble never ends the run: its turns are unscored, with the reason.
        """
        super().apply_filters()
        answers = [instance.resps[0] for instance in self._instances]
        visible = [
            self._session.visible(answer, chat=instance.args[1]["chat"])
            for instance, answer in zip(self._instances, answers, strict=True)
        ]
        self._count_thoughts(answers)
        judged: Sequence[list[TurnRecord]] = [[] for _ in self._instances]
        if not self.predict_only:
            saved = None if self._dropped else self._keep_answers(answers)
            try:
                judged = self._session.judge([instance.doc for instance in self._instances], visible)
            except KeyboardInterrupt:
                if saved is not None:
                    _log.warning("interrupted; `lm-eval-ja judge %s` judges the answers, none is lost", saved)
                raise
        for instance, answer, seen, turns in zip(self._instances, answers, visible, judged, strict=True):
            instance.filtered_resps = {"none": make_record(seen, answer[2], turns)}

    def without_thoughts(self, response: Any, instance: Any) -> Any:  # noqa: ARG002  # of a text
        """Both turns as they are: what is visible of them is read turn by turn."""
        return response

    def _count_thoughts(self, answers: Sequence[Sequence[str]]) -> None:
        for first, second, prompt, *opened in answers:
            tags = self.answers.handling.opened_by("".join(opened))
            for answer in (first, second) if prompt else (first,):
                self.answers.count(self.answers.handling.read(answer, tags).state)
        self.answers.report(str(self.config.task), self.NO_ANSWER)

    def _keep_answers(self, answers: Sequence[Sequence[str]]) -> Path | None:
        """Save the answers before any judge is called: the harness writes its files only when all is over.

        Returns:
            A folder that `lm-eval-ja judge` can read, None if it could not be written.
        """
        task = str(self.config.task)
        stamp = stamp_after("")
        folder = Settings.from_env().cache / "answers" / f"{task}-{stamp}-{os.getpid()}"
        results = {
            "results": {task: {"name": task, "alias": task, "sample_len": len(answers)}},
            "configs": {
                task: {
                    "task": task,
                    "metadata": {
                        "data": self.options.data,
                        "thoughts": self.answers.options.thoughts,
                        **self.facts(),
                    },
                }
            },
            "versions": {task: self.TASK_VERSION},
            "n-shot": {task: 0},
            "higher_is_better": {task: self.higher_is_better()},
        }
        samples = (
            {
                "doc": instance.doc,
                "arguments": {"gen_args_0": {"arg_0": instance.args[0], "arg_1": instance.args[1]}},
                "resps": [[list(answer)]],  # one request, one response
            }
            for instance, answer in zip(self._instances, answers, strict=True)
        )
        try:
            folder.mkdir(parents=True)
            _drop_all_but_newest(folder.parent, _KEPT_ANSWERS)
            write_run(folder, stamp, results, {task: samples})
        except OSError as error:
            _log.warning("the answers could not be saved ahead of judging (%s)", error)
            return None
        _log.info("answers saved to %s ahead of judging", folder)
        return folder

    # ---------------------------------------------------------------- scores

    def process_results(self, doc: dict[str, Any], results: list[Any]) -> dict[str, Any]:
        """Turn one question's judgments into the task's metrics, every one of them for every question."""
        if self.predict_only:
            return {"bypass": 999}  # the harness's own placeholder value
        return question_values(results[0], doc["category"], self.metrics, self._average)

    def limit(self) -> int:
        """See :class:`~lm_eval_ja.tasks._base.ProtocolTask`."""
        return self.block.max_new_tokens

    def facts(self) -> dict[str, Any]:
        """See :class:`~lm_eval_ja.tasks._base.ProtocolTask`."""
        return {
            "protocol": self.block.protocol,
            "category": self.block.category,
            "signature": self.signature(),
        }

    def signature(self) -> str:
        """One string that says how this task's numbers came to be."""
        return signature(
            {
                "protocol": self.block.protocol,
                "version": lm_eval_ja.__version__,
                "data": ("sample-" if self.options.data == "sample" else "")
                + conversations_digest(self.eval_docs),
                "split": "test",
                "shots": "0",
                "style": self._form,
                "norm": "thoughts" if self.options.judge_thoughts else "visible",
                **self.answers.signature_fields(stops=self._form == "conversation", usual=AUTO),
                "gen": self._deviations(),
                **self.run_fields(),
                **self._session.signature_fields(),
            }
        )

    def _deviations(self) -> str:
        """How answers were generated: the protocol's way, or every setting that deviates from it."""
        usual: dict[str, Any] = {"max_gen_toks": self.block.max_new_tokens, "until": []}
        if self._protocol.conversation:
            usual["max_gen_toks"] = self._protocol.conversation.max_new_tokens
        given = {
            "max_gen_toks": self.answers.options.tokens(self.block.max_new_tokens),
            **(self.config.generation_kwargs or {}),
        }
        changed = [f"{name}={value}" for name, value in sorted(given.items()) if usual.get(name) != value]
        return f"deviates:{','.join(changed)}" if changed else f"per-category-{usual['max_gen_toks']}"


def _drop_all_but_newest(folder: Path, most: int) -> None:
    """Keep the newest of what a folder holds. Other runs may be doing the same at the same time."""
    dated = []
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            dated.append((path.stat().st_mtime, path))
    for _, old in sorted(dated)[:-most]:
        shutil.rmtree(old, ignore_errors=True)
