"""Options of the tasks, which reach them through the harness's ``--metadata``."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lm_eval_ja._unicode import shown
from lm_eval_ja.datasets import OWN_DATA_OPTION, Data, Settings
from lm_eval_ja.errors import OptionError
from lm_eval_ja.options import check_data, check_repeats
from lm_eval_ja.prompts import PromptStyle, load_preset, make_style
from lm_eval_ja.thoughts import AUTO, parse_thoughts

_EVAL_SPLITS = ("test", "dev")


_PROTOCOL = "protocol"
_BUDGET = re.compile(r"protocol|x[1-9]\d{0,5}|\+\d{1,7}", re.ASCII)


@dataclass(frozen=True)
class AnswerOptions:
    """Options of every task: what of a model's text is the answer.

    Attributes:
        thoughts: How thoughts are handled, see :func:`lm_eval_ja.thoughts.parse_thoughts`.
        token_budget: Most new tokens: ``protocol``, or more: ``x4`` for four times the protocol's, ``+4096`` for as
            many besides.
    """

    thoughts: str | Sequence[str] = AUTO
    token_budget: str = _PROTOCOL

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            OptionError: A value that cannot work, with those that can.
        """
        parse_thoughts(self.thoughts)
        if not isinstance(self.token_budget, str) or not _BUDGET.fullmatch(self.token_budget):
            raise OptionError(
                f"token_budget is {shown(self.token_budget)}; it may be protocol, or raise every limit of the "
                "protocol: x4 (four times as many tokens), +4096 (so many more)"
            )

    def tokens(self, limit: int) -> int:
        """Most new tokens where the protocol allows ``limit``: never fewer.

        >>> AnswerOptions(token_budget="x4").tokens(3), AnswerOptions(token_budget="+4096").tokens(1024)
        (12, 5120)
        """
        if self.token_budget == _PROTOCOL:
            return limit
        number = int(self.token_budget[1:])
        return limit * number if self.token_budget[0] == "x" else limit + number


@dataclass(frozen=True)
class JasterOptions:
    """Options of every jaster task.

    Attributes:
        prompt_style: ``alpaca`` or ``chat``; None is the protocol's.
        prompt_preset: Name or path of a prompt preset (see :func:`lm_eval_ja.prompts.load_preset`).
        custom_prompt_template: The user's prompt template.
        custom_fewshots_template: The user's template of one few-shot chunk.
        max_samples: Questions per dataset, from the first; None is the protocol's number, -1 all.
        split: Split that is evaluated, ``test`` or ``dev``; None is the protocol's (neo: test, llm-jp-eval: dev).
        data: ``real``, or ``sample`` for the few made-up questions that ship with the package.
        repeats: Samples of every answer; None is the task file's own, usually 1.
        own_data: Folder of files that llm-jp-eval itself has converted, read in place of our conversion;
            None is that of the environment.
        skip_missing: Leave out the tasks whose data cannot be had (`lm_eval_ja.plugin` does it).
    """

    prompt_style: str | None = None
    prompt_preset: str | None = None
    custom_prompt_template: str | None = None
    custom_fewshots_template: str | None = None
    max_samples: int | None = None
    split: str | None = None
    data: Data = "real"
    repeats: int | None = None
    own_data: str | None = None
    skip_missing: bool = False

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            OptionError: A value that cannot work, with those that can.
        """
        check_data(self.data)
        if self.repeats is not None:
            check_repeats(self.repeats)
        if self.own_data is not None and not (isinstance(self.own_data, str) and self.own_data):
            raise OptionError(f"{OWN_DATA_OPTION} is {shown(self.own_data)}; it must be the path of a folder")
        if not isinstance(self.skip_missing, bool):
            raise OptionError(f"skip_missing is {shown(self.skip_missing)}; it may be true or false")
        if self.split is not None and self.split not in _EVAL_SPLITS:
            raise OptionError(
                f"split is {shown(self.split)}; it may be {' or '.join(map(repr, _EVAL_SPLITS))}"
            )
        if self.max_samples is not None and (
            isinstance(self.max_samples, bool)
            or not isinstance(self.max_samples, int)
            or (self.max_samples < 1 and self.max_samples != -1)
        ):
            raise OptionError(
                f"max_samples is {shown(self.max_samples)}; it must be a positive whole number, or -1 for all questions"
            )

    def places(self) -> Settings:
        """Where data is looked for and kept: the environment's settings, with the user's own files of this run.

        Raises:
            OptionError: There is no such folder.
        """
        places = Settings.from_env()
        if self.own_data is None:
            return places
        return places.with_own_data(OWN_DATA_OPTION, self.own_data)

    def style(self, usual: str) -> PromptStyle:
        """The prompt style these options describe.

        Args:
            usual: The protocol's style.

        Raises:
            OptionError: Unknown style, malformed template, or options that contradict each other.
        """
        if self.prompt_preset is None:
            templates = self.custom_prompt_template, self.custom_fewshots_template
            unnamed = "alpaca" if any(text is not None for text in templates) else usual
            return make_style(unnamed if self.prompt_style is None else self.prompt_style, *templates)
        others = self.prompt_style, self.custom_prompt_template, self.custom_fewshots_template
        if any(text is not None for text in others):
            raise OptionError(
                "use only one of prompt_preset, prompt_style and the custom templates: each says what the prompt is"
            )
        return load_preset(self.prompt_preset).style
