"""The task class of every jaster dataset: questions with a gold answer, scored by a function of two strings."""

from collections.abc import Callable, Mapping
from typing import Any

import lm_eval_ja
from lm_eval_ja._once import once
from lm_eval_ja._unicode import shown
from lm_eval_ja.datasets import data_digest, load
from lm_eval_ja.errors import OptionError
from lm_eval_ja.metrics import METRICS, gold, sample_metrics, write_steps
from lm_eval_ja.options import check_repeats, pick
from lm_eval_ja.prompts import Shot
from lm_eval_ja.protocols import data_status, load_protocol, protocol_names, signature
from lm_eval_ja.tasks._ahead import Run, Work
from lm_eval_ja.tasks._base import ProtocolTask
from lm_eval_ja.tasks._block import JasterBlock, read_block
from lm_eval_ja.tasks._values import aggregation, question_values
from lm_eval_ja.tasks.options import JasterOptions


class JasterTask(ProtocolTask):
    """A dataset of a protocol, configured by its YAML's ``jaster`` block (see `lm_eval_ja.tasks._block.JasterBlock`).

    Run-time options come with ``--metadata``, see :class:`~lm_eval_ja.tasks.options.JasterOptions`.

    Attributes:
        block: The block.
        options: The run's options.
        split: Split that is evaluated.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Configure the task and load the evaluated split.

        Args:
            config: The whole YAML, with the run's metadata merged into ``metadata`` by the harness.

        Raises:
            OptionError: An option has an unknown name or a value that cannot work.
            DataError: The evaluated split is unavailable; the message says what to do.
        """
        rest = dict(config)
        rest.pop("class", None)
        self.block = read_block(
            JasterBlock, rest.pop("jaster", None), f"the block `jaster` of {rest['task']}"
        )
        if rest.get("gen_prefix") is not None:
            raise OptionError(f"gen_prefix has no place in the prompts of {rest['task']}: remove it")
        self.options = pick(JasterOptions, rest.get("metadata"))
        self.split: str = self.options.split or self.block.split
        self._style = self.options.style(self.block.prompt_style)
        self._form = self._style.name
        self._shots: dict[int, list[Shot]] = {}
        self._file_generation = dict(rest["generation_kwargs"])
        repeats = self.options.repeats or check_repeats(rest.get("repeats") or 1)
        further = [name for metric in self.block.metrics for name in sample_metrics(metric, repeats)]
        super().__init__(
            config={
                **rest,
                "task_alias": self.labelled(rest, self.options.data),
                "test_split": self.split,
                "generation_kwargs": {"max_gen_toks": self.block.output_length, **self._file_generation},
                "metric_list": [
                    {
                        "metric": name,
                        "aggregation": aggregation(name),
                        "higher_is_better": name not in METRICS or METRICS[name].higher_is_better,
                    }
                    for name in (*self.block.metrics, *further)
                ],
                "filter_list": [
                    {
                        "name": "none",  # result keys read "<metric>,none"
                        "filter": [
                            {
                                "function": "lm_eval_ja_normalize",
                                "steps": list(self.block.normalization),
                                **({"repeats": repeats} if repeats > 1 else {}),
                            }
                        ],
                    }
                ],
            }
        )

    # ---------------------------------------------------------------- questions

    def download(self, dataset_kwargs: dict[str, Any] | None = None, **_: Any) -> None:  # noqa: ARG002  # upstream's
        """Open the dataset; each split is fetched and converted when it is first used, once a run."""
        block, data = self.block, self.options.data
        number, places = self.options.max_samples or block.questions, self.options.places()
        self.dataset = once(
            ("jaster", block.protocol, block.dataset, block.instruction, number, data, places),
            lambda: load(
                block.protocol,
                block.dataset,
                instruction=block.instruction,
                max_samples=number,
                data=data,
                settings=places,
            ),
        )

    def shots(self, number: int) -> list[Shot]:
        """The first ``number`` examples of the train split, as the protocol has them.

        Raises:
            OptionError: The split has fewer, or it is no number of examples.
            DataError: The train file is unavailable.
        """
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise OptionError(f"--num_fewshot is {shown(number)}; it must be a whole number, 0 or more")
        if number not in self._shots:
            train = self.dataset["train"] if number else []
            if number > len(train):
                raise OptionError(
                    f"--num_fewshot {shown(number)} is more than the {len(train)} training examples of "
                    f"{self.block.dataset}"
                )
            self._shots[number] = [
                Shot(train[index]["input"], train[index]["output"]) for index in range(number)
            ]
        return self._shots[number]

    def doc_to_text(self, doc: dict[str, Any], doc_to_text: Any = None) -> str:  # noqa: ARG002  # upstream's signature
        """The question alone, as the harness's integrity checks and logs want it."""
        return str(doc["input"])

    def doc_to_target(self, doc: Mapping[str, Any], doc_to_target: Any = None) -> str:  # noqa: ARG002  # upstream's
        """The gold answer as it is compared: NFKC of the source's."""
        return gold(doc["output"])

    def work(self, run: Run) -> Work:
        """As any task's, after making sure that answers can be scored.

        Raises:
            OptionError: A package that a metric needs is missing, or a prompt cannot be made as asked for.
            DataError: The examples of a few-shot prompt are unavailable.
        """
        if not run.predict_only:
            self._require_packages()
        return super().work(run)

    def build_all_requests(self, **kwargs: Any) -> None:
        """As upstream's, after making sure that answers can be scored: before anything is generated.

        Raises:
            OptionError: A package that a metric needs is missing.
        """
        if not self.predict_only:
            self._require_packages()
        super().build_all_requests(**kwargs)

    def _require_packages(self) -> None:
        for name in self.block.metrics:
            METRICS[name].require()

    # ---------------------------------------------------------------- prompts

    def fewshot_context(
        self,
        doc: dict[str, Any],
        num_fewshot: int,
        system_instruction: str | None = None,
        apply_chat_template: bool = False,
        fewshot_as_multiturn: bool = False,
        chat_template: Callable[..., str] | None = None,
        gen_prefix: str | None = None,  # noqa: ARG002  # upstream's signature
    ) -> str:
        """The whole prompt, in the protocol's form or the user's.

        Args:
            doc: The question.
            num_fewshot: Number of worked examples.
            system_instruction: ``--system_instruction``; a system message, or a paragraph before the prompt.
            apply_chat_template: Whether the prompt is sent as chat messages.
            fewshot_as_multiturn: Whether each shot is a turn (the harness's default under a chat template).
            chat_template: Turns messages into what the backend wants.
            gen_prefix: Refused in the constructor.

        Returns:
            A text, or the backend's own form of a chat.

        Raises:
            OptionError: The prompt style has no such form, or there are not that many examples.
            DataError: The train file is unavailable.
        """
        shots = self.shots(num_fewshot)
        if apply_chat_template and chat_template is not None:
            messages = self._style.messages(
                self.block.instruction, shots, doc["input"], multiturn=fewshot_as_multiturn
            )
            self._form = f"{self._style.name}+chat_template" + ("+multiturn" if len(messages) > 1 else "")
            if system_instruction:
                messages.insert(0, {"role": "system", "content": system_instruction})
            return chat_template(messages, add_generation_prompt=True)
        text = self._style.text(self.block.instruction, shots, doc["input"])
        return f"{system_instruction}\n\n{text}" if system_instruction else text

    # ---------------------------------------------------------------- scores

    def process_results(self, doc: dict[str, Any], results: list[Any]) -> dict[str, Any]:
        """Score one question by every metric. Under ``--predict_only`` there is nothing to score."""
        if self.predict_only:
            return {"bypass": 999}  # the harness's own placeholder value
        target = self.doc_to_target(doc)
        predictions = results[0] if self.repeats > 1 else results[:1]
        return {
            name: value
            for metric in self.block.metrics
            for name, value in question_values(metric, self.block.dataset, predictions, target).items()
        }

    def limit(self) -> int:
        """See :class:`~lm_eval_ja.tasks._base.ProtocolTask`."""
        return self.block.output_length

    def facts(self) -> dict[str, Any]:
        """See :class:`~lm_eval_ja.tasks._base.ProtocolTask`."""
        return {
            "protocol": self.block.protocol,
            "dataset": self.block.dataset,
            "category": self.block.category,
            "status": self._status(),
            "output_length": self.block.output_length,
            "signature": self.signature(),
            **{
                f"{name}_signature": own()
                for name in self.block.metrics
                if (own := METRICS[name].signature) is not None
            },
        }

    def signature(self) -> str:
        """One string that says how this task's number came to be."""
        return signature(
            {
                "protocol": self.block.protocol,
                "version": lm_eval_ja.__version__,
                "data": self._data(),
                "split": self.split,
                "shots": str(self.config.num_fewshot or 0),
                "style": self._form,
                "norm": write_steps(self.block.normalization),
                **self.answers.signature_fields(stops=bool(self._stops)),
                "gen": self._generation(),
                **self.run_fields(),
            }
        )

    def _status(self) -> str:
        """How sure it is that the questions are the reference's own."""
        fields = {"data": self._data(), "split": self.split, **self.run_fields()}
        return data_status(str(self.config.task), fields)

    def _data(self) -> str:
        """The evaluated questions' digest, with a label where they are made up or the user's own."""
        return ("sample-" if self.options.data == "sample" else "") + data_digest(self.eval_docs)

    def _generation(self) -> str:
        """How answers were generated: the protocol's way, or every setting that deviates from it."""
        protocol = {"max_gen_toks": self.block.output_length, **self._protocol_generation()}
        given = dict(self.config.generation_kwargs or {})
        deviations = [
            f"{name}={given.get(name)}"
            for name in sorted(given.keys() | protocol.keys())
            if protocol.get(name) != given.get(name)
        ]
        if deviations:
            return f"deviates:{','.join(deviations)}"
        temperature = protocol.get("temperature", 0)
        return f"{'sampled-' + str(temperature) if temperature else 'greedy'}-{self.block.output_length}"

    def _protocol_generation(self) -> Mapping[str, Any]:
        """What the protocol says of generation; of one that nobody registered, what the task's own file says."""
        if self.block.protocol in protocol_names():
            for rules in load_protocol(self.block.protocol).tasks.values():
                if rules.dataset == self.block.dataset:
                    return rules.generation
        return self._file_generation
