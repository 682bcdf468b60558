"""What the task classes have in common: how they stand in the harness."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from lm_eval_ja import plugin
from lm_eval_ja._unicode import shown, well_formed
from lm_eval_ja.adapters import HarnessTask
from lm_eval_ja.errors import OptionError

plugin.install()

SAMPLE_LABEL = "sample, not a benchmark"
"""Stands behind the name of everything that was scored on the made-up sample data."""


class ProtocolTask(HarnessTask):
    """A task of ours in the harness.

    Attributes:
        TASK_VERSION: Raised whenever scores of the same model can change.
    """

    TASK_VERSION = 1

    def __init__(self, config: dict[str, Any]) -> None:
        """Hand the configuration to the harness, which loads the evaluated split.

        Args:
            config: A ``TaskConfig`` as a dictionary.
        """
        self._evaluated: tuple[int, int] | None = None
        self._system_instruction: str | None = None
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
        """As upstream's, without its request cache: that is keyed too coarsely and returns stale prompts.

        Raises:
            OptionError: ``--system_instruction`` is no text that a model can take.
        """
        system = kwargs.get("system_instruction")
        if system is not None and (not isinstance(system, str) or well_formed(system) != system):
            raise OptionError(f"--system_instruction is {shown(system)}; it must be a text in valid Unicode")
        self._system_instruction = system
        super().build_all_requests(**{**kwargs, "cache_requests": False, "rewrite_requests_cache": False})

    def doc_iterator(self, **kwargs: Any) -> Iterator[tuple[int, Any]]:
        """As upstream's; notes how many questions were asked, for the signature."""
        limit, samples = kwargs.get("limit"), kwargs.get("samples")
        total = len(self.eval_docs)
        self._evaluated = (len(samples) if samples else min(int(limit), total) if limit else total, total)
        return super().doc_iterator(**kwargs)  # type: ignore[no-any-return]  # upstream is untyped

    def apply_filters(self) -> None:
        """As upstream's, on answers that can be written to a UTF-8 file: a lone surrogate would lose all samples."""
        for instance in self._instances:
            instance.resps = [_printable(response) for response in instance.resps]
        super().apply_filters()

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


def _printable(response: Any) -> Any:
    if response is None:  # some servers send null for an empty answer
        return ""
    if isinstance(response, str):
        return well_formed(response)
    if isinstance(response, list):
        return [_printable(part) for part in response]
    return response
