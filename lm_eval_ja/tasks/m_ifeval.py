"""The task class of M-IFEval: prompts whose instructions a program checks in the answer."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import lm_eval_ja
from lm_eval_ja._once import once
from lm_eval_ja.datasets import Data, data_digest, instructions_of, load_m_ifeval
from lm_eval_ja.errors import DataError, OptionError
from lm_eval_ja.metrics.m_ifeval import (
    METRICS,
    Instruction,
    Verdict,
    evaluate,
    parse_instructions,
    require_packages,
    values,
)
from lm_eval_ja.options import check_data, pick
from lm_eval_ja.protocols import load_protocol, protocol_names, signature
from lm_eval_ja.tasks._ahead import Run, Work
from lm_eval_ja.tasks._base import ProtocolTask
from lm_eval_ja.tasks._block import InstructionBlock, read_block

_ACCURACY = "lm_eval_ja_instruction_accuracy"


@dataclass(frozen=True)
class MIfevalOptions:
    """Options of the task.

    Attributes:
        data: ``real``, or ``sample`` for the few made-up prompts that ship with the package.
    """

    data: Data = "real"

    def __post_init__(self) -> None:
        """Check the value.

        Raises:
            OptionError: It cannot work.
        """
        check_data(self.data)


class MIfevalTask(ProtocolTask):
    """The Japanese part of M-IFEval, configured by its YAML's ``m_ifeval`` block.

    For the block see `lm_eval_ja.tasks._block.InstructionBlock`. Each sample's ``filtered_resps`` hold the verdicts as
    a JSON text: a list of ``{"instruction": ..., "strict": ..., "loose": ...}``.
    """

    ONE_SAMPLE = (
        "instructions are checked in one answer. Leave repeats out, and run it with several --seed instead"
    )

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Configure the task and load the prompts.

        Args:
            config: The whole YAML, with the run's metadata merged into ``metadata`` by the harness.

        Raises:
            OptionError: An option has an unknown name or a value that cannot work.
            DataError: The prompts are unavailable, or have instructions that nothing can check.
        """
        rest = dict(config)
        rest.pop("class", None)
        self.block = read_block(
            InstructionBlock, rest.pop("m_ifeval", None), f"the block `m_ifeval` of {rest['task']}"
        )
        if rest.get("gen_prefix") is not None:
            raise OptionError(f"gen_prefix has no place in the prompts of {rest['task']}: remove it")
        self.options = pick(MIfevalOptions, rest.get("metadata"))
        self._form = "plain"
        self._file_generation = dict(rest["generation_kwargs"])
        super().__init__(
            config={
                **rest,
                "task_alias": self.labelled(rest, self.options.data),
                "test_split": "test",
                "metric_list": [
                    {
                        "metric": name,
                        "aggregation": _ACCURACY if name.startswith("instruction") else "mean",
                        "higher_is_better": True,
                    }
                    for name in METRICS
                ],
            }
        )

    # ---------------------------------------------------------------- questions

    def download(self, dataset_kwargs: dict[str, Any] | None = None, **_: Any) -> None:  # noqa: ARG002  # upstream's
        """Load the prompts, and read all their instructions: none may turn out unknown after generation."""
        prompts = once(("m_ifeval", self.options.data), lambda: load_m_ifeval(data=self.options.data))
        for doc in prompts:
            _instructions(doc)
        self.dataset = {"test": prompts}

    def doc_to_text(self, doc: dict[str, Any], doc_to_text: Any = None) -> str:  # noqa: ARG002  # upstream's signature
        """The prompt."""
        return str(doc["input"])

    def doc_to_target(self, doc: Mapping[str, Any], doc_to_target: Any = None) -> str:  # noqa: ARG002  # upstream's
        """The prompt's instructions with their arguments, for the logs."""
        return str(doc["output"])

    def work(self, run: Run) -> Work:
        """As any task's, after making sure that answers can be judged.

        Raises:
            OptionError: A package that the checkers need is missing.
        """
        if not run.predict_only:
            require_packages()
        return super().work(run)

    def build_all_requests(self, **kwargs: Any) -> None:
        """As upstream's, after making sure that answers can be judged: before anything is generated.

        Raises:
            OptionError: A package that the checkers need is missing.
        """
        if not self.predict_only:
            require_packages()
        super().build_all_requests(**kwargs)

    def fewshot_context(
        self,
        doc: dict[str, Any],
        num_fewshot: int,  # noqa: ARG002  # there are no examples
        system_instruction: str | None = None,
        apply_chat_template: bool = False,
        fewshot_as_multiturn: bool = False,  # noqa: ARG002  # upstream's signature
        chat_template: Callable[..., str] | None = None,
        gen_prefix: str | None = None,  # noqa: ARG002  # upstream's signature
    ) -> str:
        """The prompt alone: one user message, or the text as it is.

        Args:
            doc: The prompt.
            num_fewshot: Ignored.
            system_instruction: ``--system_instruction``; a system message, or a paragraph before the prompt.
            apply_chat_template: Whether the prompt is sent as chat messages.
            fewshot_as_multiturn: Ignored.
            chat_template: Turns messages into what the backend wants.
            gen_prefix: Refused in the constructor.

        Returns:
            A text, or the backend's own form of a chat.
        """
        text = self.doc_to_text(doc)
        if apply_chat_template and chat_template is not None:
            self._form = "plain+chat_template"
            messages = [{"role": "user", "content": text}]
            if system_instruction:
                messages.insert(0, {"role": "system", "content": system_instruction})
            return chat_template(messages, add_generation_prompt=True)
        return f"{system_instruction}\n\n{text}" if system_instruction else text

    # ---------------------------------------------------------------- scores

    def apply_filters(self) -> None:
        """Judge the answers, and put the verdicts into the samples in their place (the answers stay in ``resps``)."""
        super().apply_filters()
        if self.predict_only:
            return
        for instance in self._instances:
            (answer,) = instance.filtered_resps.values()  # without thoughts
            verdicts = evaluate(_instructions(instance.doc), answer)
            record = json.dumps([vars(verdict) for verdict in verdicts])
            instance.filtered_resps = dict.fromkeys(instance.filtered_resps, record)

    def process_results(self, doc: dict[str, Any], results: list[Any]) -> dict[str, Any]:  # noqa: ARG002  # upstream's
        """Turn one prompt's verdicts into every metric. Under ``--predict_only`` there is nothing to score."""
        if self.predict_only:
            return {"bypass": 999}  # the harness's own placeholder value
        return dict(values([Verdict(**verdict) for verdict in json.loads(results[0])]))

    def limit(self) -> int | None:
        """See :class:`~lm_eval_ja.tasks._base.ProtocolTask`."""
        return self._file_generation.get("max_gen_toks")

    def facts(self) -> dict[str, Any]:
        """See :class:`~lm_eval_ja.tasks._base.ProtocolTask`."""
        return {
            "protocol": self.block.protocol,
            "dataset": self.block.dataset,
            "category": None,
            "signature": self.signature(),
        }

    def signature(self) -> str:
        """One string that says how this task's numbers came to be."""
        return signature(
            {
                "protocol": self.block.protocol,
                "version": lm_eval_ja.__version__,
                "data": ("sample-" if self.options.data == "sample" else "") + data_digest(self.eval_docs),
                "split": "test",
                "shots": "0",
                "style": self._form,
                "norm": "none",
                **self.answers.signature_fields(stops=bool(self._stops)),
                "gen": self._generation(),
                **self.run_fields(),
            }
        )

    def _generation(self) -> str:
        """How answers were generated: the protocol's way, or every setting that deviates from it."""
        usual = dict(self._file_generation)
        if self.block.protocol in protocol_names():
            rules = load_protocol(self.block.protocol).instructions
            if rules is not None:
                usual = {"until": [], "max_gen_toks": rules.max_new_tokens, "temperature": rules.temperature}
        given = dict(self.config.generation_kwargs or {})
        deviations = [
            f"{name}={given.get(name)}"
            for name in sorted(given.keys() | usual.keys())
            if usual.get(name) != given.get(name)
        ]
        if deviations:
            return f"deviates:{','.join(deviations)}"
        temperature = usual.get("temperature", 0)
        return f"{f'sampled-{temperature}' if temperature else 'greedy'}-{usual.get('max_gen_toks')}"


def _instructions(doc: Mapping[str, Any]) -> tuple[Instruction, ...]:
    own = instructions_of(doc["output"])
    try:
        return parse_instructions([each["id"] for each in own], [each["kwargs"] for each in own])
    except DataError as error:
        raise DataError(f"{doc['id']}: {error}") from error
