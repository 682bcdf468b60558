"""What the task classes have in common: how they stand in the harness."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from hashlib import sha256
from typing import Any
from weakref import WeakSet

from lm_eval_ja import plugin
from lm_eval_ja._unicode import shown, well_formed
from lm_eval_ja.adapters import HarnessTask
from lm_eval_ja.errors import OptionError
from lm_eval_ja.options import check_repeats, pick
from lm_eval_ja.tasks._ahead import Run, Work, announce, joined
from lm_eval_ja.tasks._thoughts import Answers
from lm_eval_ja.tasks.options import AnswerOptions

plugin.install()

SAMPLE_LABEL = "sample, not a benchmark"
"""Stands behind the name of everything that was scored on the made-up sample data."""

_REPEATED = "generate_until_repeated"

_log = logging.getLogger(__name__)

_LIMITS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
"""Names under which backends take a limit on new tokens."""


class ProtocolTask(HarnessTask):
    """A task of ours in the harness.

    Attributes:
        TASK_VERSION: Raised whenever scores of the same model can change.
        NO_ANSWER: How an answer is scored that thoughts did not end for.
        ONE_SAMPLE: Why no more than one sample of an answer can be scored; empty where any number can.
        answers: How answers are told from thoughts.
        repeats: Samples of every answer.
    """

    TASK_VERSION = 1
    NO_ANSWER = "score 0"
    ONE_SAMPLE: str = ""

    def __init__(self, config: dict[str, Any]) -> None:
        """Hand the configuration to the harness, which loads the evaluated split.

        Args:
            config: A ``TaskConfig`` as a dictionary.

        Raises:
            OptionError: Several samples are asked for where only one can be scored.
        """
        given = (config.get("metadata") or {}).get("repeats")
        self.repeats = check_repeats(config.get("repeats") or 1 if given is None else given)
        if self.repeats > 1 and self.ONE_SAMPLE:
            raise OptionError(f"{config['task']} cannot take repeats={self.repeats}: {self.ONE_SAMPLE}")
        config = {**config, "repeats": self.repeats}
        self._evaluated: tuple[int, int] | None = None
        self._system_instruction: str | None = None
        self._ranks = 1
        self._stops = (config.get("generation_kwargs") or {}).get("until") or []
        metadata = config.get("metadata") or {}
        options = pick(AnswerOptions, metadata)
        self.answers = Answers(options, metadata)
        generation = dict(config.get("generation_kwargs") or {})
        if "max_gen_toks" in generation:
            generation["max_gen_toks"] = options.tokens(generation["max_gen_toks"])
        super().__init__(config={**config, "generation_kwargs": generation})
        _alive.add(self)
        plugin.claim(str(config["task"]))
        self.VERSION = self.TASK_VERSION  # a "version" among the user's metadata is not ours
        if self.repeats > 1:
            self.OUTPUT_TYPE = _REPEATED  # config.output_type stays, which is what --gen_kwargs are for

    @staticmethod
    def labelled(config: dict[str, Any], data: str) -> str:
        """The task's display name, saying so if its data is made up."""
        alias = str(config.get("task_alias") or config["task"])
        return f"{alias} ({SAMPLE_LABEL})" if data == "sample" else alias

    def before_model(self, arguments: Mapping[str, Any]) -> Work:
        """Check what can be checked before a model is loaded, and say what the run will take.

        Called on tasks that are built for this only: the harness builds its own.

        Args:
            arguments: What ``simple_evaluate`` was given.

        Raises:
            LmEvalJaError: Something is wrong, see ``work``.
        """
        _alive.discard(self)
        return self.work(Run.of(arguments))

    def work(self, run: Run) -> Work:
        """Make the prompts, with the texts of a chat in place of the template that the model will bring.

        Raises:
            OptionError: A prompt cannot be made as asked for.
            DataError: The examples of a few-shot prompt are unavailable.
        """
        docs = self.eval_docs
        own = self.config.num_fewshot
        shots = own if run.num_fewshot is None or own == 0 else run.num_fewshot  # the harness's rule
        asked = [docs[index] for index in run.asked(str(self.config.task), len(docs))]
        prompts = [
            self.fewshot_context(
                doc,
                shots or 0,
                system_instruction=run.system_instruction,
                apply_chat_template=run.chat,
                fewshot_as_multiturn=run.multiturn,
                chat_template=joined if run.chat else None,
            )
            for doc in asked
        ]
        longest = int((self.config.generation_kwargs or {}).get("max_gen_toks") or 0)
        answers = len(asked) * self.repeats
        return Work(prompts, answers, longest * answers)

    @staticmethod
    def announce(works: Sequence[Work]) -> None:
        """Say once what a run will take; ``works`` are what ``before_model`` gave for its tasks."""
        announce(works)

    def fewshot_docs(self) -> None:
        """Nothing: the harness would load and copy a split; shots are assembled where they are asked for."""

    def set_repeats(self, repeats: int) -> None:
        """Called by lm-eval 0.5 for ``--repeats``, when the task's metrics are fixed.

        Raises:
            OptionError: It differs from the task's.
        """
        if repeats != self.repeats:
            raise OptionError(
                f"--repeats {repeats} comes too late for {self.config.task}: give --metadata "
                f"'{{\"repeats\": {repeats}}}'"
            )

    def build_all_requests(self, **kwargs: Any) -> None:
        """As upstream's, without its request cache: that is keyed too coarsely and returns stale prompts.

        Raises:
            OptionError: ``--system_instruction`` is no text that a model can take.
        """
        system = kwargs.get("system_instruction")
        if system is not None and (not isinstance(system, str) or well_formed(system) != system):
            raise OptionError(f"--system_instruction is {shown(system)}; it must be a text in valid Unicode")
        self._system_instruction = system
        self._ranks = kwargs.get("world_size", 1)
        _warn_of_lower_limits()
        plugin.watch_thoughts(expected=self.answers.settled or not self._stops)
        super().build_all_requests(**{**kwargs, "cache_requests": False, "rewrite_requests_cache": False})

    def construct_requests(self, doc: dict[str, Any], ctx: Any, **kwargs: Any) -> Any:
        """As upstream's; where several samples are asked for, requests of a type that draws every one anew.

        Where thoughts are expected the protocol's stop strings are not sent: thoughts may hold them. Answers are cut
        there when they are scored, as ever; a stop string of the user's own is sent.
        """
        if not self.answers.settled and self._stops and (tags := self.answers.opened_by(ctx)) is not None:
            plugin.warn_of_thoughts(f"the chat template begins thoughts ({tags.opening!r})")
        if self.repeats == 1:
            requests = super().construct_requests(doc, ctx, **kwargs)
        else:
            settings = deepcopy(self.config.generation_kwargs)
            requests = self.own_request(_REPEATED, doc, (ctx, settings), **kwargs)
        if self.answers.expected:
            for request in requests if isinstance(requests, list) else [requests]:
                prompt, generation = request.arguments
                if generation.get("until") == self._stops:
                    request.arguments = (prompt, {**generation, "until": []})
        return requests

    def doc_iterator(self, **kwargs: Any) -> Iterator[tuple[int, Any]]:
        """As upstream's; notes how many questions were asked, for the signature."""
        limit, samples = kwargs.get("limit"), kwargs.get("samples")
        total = len(self.eval_docs)
        self._evaluated = (len(samples) if samples else min(int(limit), total) if limit else total, total)
        return super().doc_iterator(**kwargs)  # type: ignore[no-any-return]  # upstream is untyped

    def apply_filters(self) -> None:
        """As upstream's, on answers that can be written to a UTF-8 file: a lone surrogate would lose all samples.

        Filters see answers without thoughts; what is logged in ``resps`` keeps them.
        """
        for instance in self._instances:
            instance.resps = [self._printable(response) for response in instance.resps]
        logged = [instance.resps for instance in self._instances]
        for instance in self._instances:
            instance.resps = [self.without_thoughts(response, instance) for response in instance.resps]
        super().apply_filters()
        for instance, responses in zip(self._instances, logged, strict=True):
            instance.resps = responses
        self.answers.report(str(self.config.task), self.NO_ANSWER)
        self.answers.hear_from(self._ranks)

    def without_thoughts(self, response: Any, instance: Any) -> Any:
        """What filters see of a response to a request."""
        return self.answers.answer(response, instance.args[0])

    def _printable(self, response: Any) -> Any:
        if response is None:  # some servers send null for an empty answer
            return ""
        if isinstance(response, str):
            return well_formed(self.answers.raw(response))
        if isinstance(response, list):
            return [self._printable(part) for part in response]
        return response

    def limit(self) -> int | None:
        """Most new tokens by the protocol; None if it has no limit."""
        raise NotImplementedError

    def lowered(self) -> tuple[str, int] | None:
        """Setting and value by which the user has lowered the limit; None if it is not lower."""
        limit, given = self.limit(), self.config.generation_kwargs or {}
        low = [(name, given[name]) for name in _LIMITS if isinstance(given.get(name), int)]
        return next(((name, value) for name, value in low if limit is not None and value < limit), None)

    def facts(self) -> dict[str, Any]:
        """What the results say about the task besides its configuration: protocol, dataset, signature, …."""
        raise NotImplementedError

    def dump_config(self) -> dict[str, Any]:
        """The configuration that goes into the results, with our facts in its metadata."""
        config: dict[str, Any] = super().dump_config()
        config["metadata"] = {**config.get("metadata", {}), "version": self.TASK_VERSION, **self.facts()}
        return config

    def run_fields(self) -> dict[str, str]:
        """Parts of the signature that every task has: questions, system instruction, template, forced BOS, repeats."""
        asked, total = self._evaluated or (len(self.eval_docs), len(self.eval_docs))
        fields = {"n": str(asked) if asked == total else f"{asked}of{total}"}
        if self._system_instruction:
            fields["sys"] = sha256(self._system_instruction.encode()).hexdigest()[:8]
        model_args = self.config.metadata or {}  # the harness merges the model's arguments in
        given = model_args.get("chat_template_args")
        variables = dict(given) if isinstance(given, dict) else {}
        if model_args.get("enable_thinking") is not None:
            variables["enable_thinking"] = model_args["enable_thinking"]
        if variables:
            fields["template"] = ",".join(f"{name}={value}" for name, value in sorted(variables.items()))
        bos = model_args.get("add_bos_token")
        if bos is not None:
            fields["bos"] = "on" if bos else "off"
        if self.repeats > 1:
            fields["repeats"] = str(self.repeats)
        return fields


_alive: WeakSet[ProtocolTask] = WeakSet()
"""Tasks whose limits were not looked at yet."""


def _warn_of_lower_limits() -> None:
    """Say, once for all tasks of a run, where the user's limit is below the protocol's."""
    tasks = sorted(_alive, key=lambda task: str(task.config.task))
    _alive.clear()
    lowered = [(task, *found) for task in tasks if (found := task.lowered())]
    if not lowered:
        return
    name, value = lowered[0][1:]
    _log.warning(
        "%s=%d is below the protocol's limit of %s: answers are cut there that the protocol lets end. To raise limits "
        'and lower none, leave it out of --gen_kwargs and give --metadata \'{"token_budget": "+%d"}\'',
        name,
        value,
        ", ".join(f"{task.config.task} ({task.limit()})" for task, *_ in lowered),
        value,
    )
