"""What the task classes have in common: how they stand in the harness."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from lm_eval_ja import plugin
from lm_eval_ja._unicode import well_formed
from lm_eval_ja.adapters import HarnessTask
from lm_eval_ja.options import pick
from lm_eval_ja.tasks._thoughts import Answers
from lm_eval_ja.tasks.options import AnswerOptions

plugin.install()

SAMPLE_LABEL = "sample, not a benchmark"
"""Stands behind the name of everything that was scored on the made-up sample data."""


class ProtocolTask(HarnessTask):
    """A task of ours in the harness.

    Attributes:
        TASK_VERSION: Raised whenever scores of the same model can change.
        NO_ANSWER: How an answer is scored that thoughts did not end for.
        answers: How answers are told from thoughts.
    """

    TASK_VERSION = 1
    NO_ANSWER = "score 0"

    def __init__(self, config: dict[str, Any]) -> None:
        """Hand the configuration to the harness, which loads the evaluated split.

        Args:
            config: A ``TaskConfig`` as a dictionary.
        """
        self._evaluated: tuple[int, int] | None = None
        self._system_instruction: str | None = None
        self._stops = (config.get("generation_kwargs") or {}).get("until") or []
        metadata = config.get("metadata") or {}
        self.answers = Answers(pick(AnswerOptions, metadata), metadata)
        super().__init__(config=config)
        self.VERSION = self.TASK_VERSION  # a "version" among the user's metadata is not ours

    @staticmethod
    def labelled(config: dict[str, Any], data: str) -> str:
        """The task's display name, saying so if its data is made up."""
        alias = str(config.get("task_alias") or config["task"])
        return f"{alias} ({SAMPLE_LABEL})" if data == "sample" else alias

    def fewshot_docs(self) -> None:
        """Nothing: the harness would load and copy a split; shots are assembled where they are asked for."""

    def build_all_requests(self, **kwargs: Any) -> None:
        """As upstream's, without its request cache: that is keyed too coarsely and returns stale prompts."""
        self._system_instruction = kwargs.get("system_instruction")
        plugin.watch_thoughts(expected=self.answers.expected or not self._stops)
        super().build_all_requests(**{**kwargs, "cache_requests": False, "rewrite_requests_cache": False})

    def construct_requests(self, doc: dict[str, Any], ctx: Any, **kwargs: Any) -> Any:
        """As upstream's. Where thoughts are expected the protocol's stop strings are not sent: thoughts may hold them.

        Answers are cut there when they are scored, as ever; a stop string of the user's own is sent.
        """
        if not self.answers.expected and self._stops and (tags := self.answers.opened_by(ctx)) is not None:
            plugin.warn_of_thoughts(f"the chat template begins thoughts ({tags.opening!r})")
        requests = super().construct_requests(doc, ctx, **kwargs)
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

    def facts(self) -> dict[str, Any]:
        """What the results say about the task besides its configuration: protocol, dataset, signature, …."""
        raise NotImplementedError

    def dump_config(self) -> dict[str, Any]:
        """The configuration that goes into the results, with our facts in its metadata."""
        config: dict[str, Any] = super().dump_config()
        config["metadata"] = {**config.get("metadata", {}), "version": self.TASK_VERSION, **self.facts()}
        return config

    def run_fields(self) -> dict[str, str]:
        """Parts of the signature that every task has: number of questions, system instruction, forced BOS."""
        asked, total = self._evaluated or (len(self.eval_docs), len(self.eval_docs))
        fields = {"n": str(asked) if asked == total else f"{asked}of{total}"}
        if self._system_instruction:
            fields["sys"] = sha256(self._system_instruction.encode()).hexdigest()[:8]
        bos = (self.config.metadata or {}).get("add_bos_token")  # the harness merges the model's arguments in
        if bos is not None:
            fields["bos"] = "on" if bos else "off"
        return fields
