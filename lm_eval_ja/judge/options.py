"""Options of judging as users give them: ``--metadata`` of the harness, flags of our own command, the environment."""

import difflib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, get_type_hints

from lm_eval_ja._unicode import shown
from lm_eval_ja.datasets import Data, sample_path
from lm_eval_ja.errors import OptionError
from lm_eval_ja.judge._config import Api, JudgeConfig
from lm_eval_ja.judge._prompts import PROMPT_SOURCES, JudgePrompts, load_prompts
from lm_eval_ja.options import check_data, pick

_MOST_DOLLARS = 1e12  # beyond it, numbers are slips, and cannot all be multiplied

NO_JUDGE = "none"
"""``judge_model`` that generates and logs only."""


@dataclass(frozen=True)
class JudgeOptions:
    """Options of everything that has answers judged.

    Attributes:
        judge_model: Name of the judge, or ``none`` to generate and log only.
        judge_api: What it speaks: ``openai``, which most servers do, or ``anthropic``.
        judge_base_url: Its address; None is what the openai package finds (OpenAI, Azure), or Anthropic.
        judge_api_key_env: Name of the environment variable with the key.
        judge_concurrency: Most requests at a time, over all ranks together.
        judge_prompts: ``nejumi``, ``fastchat``, or the path of a file in the same format.
        judge_repeats: Judgments per answer; their mean is the rating.
        judge_strict: Rate unparsable replies -1, as neo did, rather than leave them out.
        judge_max_tokens: Most tokens of a reply (judges that reason need more).
        judge_thoughts: Show the judge what a reasoning model thought, too.
        judge_preflight: Make sure that the judge can be used before anything is generated.
        judge_dry_run: Say what judging would take, and judge nothing.
        judge_price: Dollars per million tokens, sent and received.
        judge_max_cost: Judge nothing if the estimate is more dollars than this; ranks have equal parts of it. Needs
            ``judge_price``.
        data: ``real``, or ``sample`` for the few made-up questions that ship with the package.
    """

    judge_model: str = "gpt-4"
    judge_api: Api = "openai"
    judge_base_url: str | None = None
    judge_api_key_env: str = "OPENAI_API_KEY"
    judge_concurrency: int = 32
    judge_prompts: str = "nejumi"
    judge_repeats: int = 1
    judge_strict: bool = False
    judge_max_tokens: int = 2048
    judge_thoughts: bool = False
    judge_preflight: bool = True
    judge_dry_run: bool = False
    judge_price: tuple[float, float] | None = None
    judge_max_cost: float | None = None
    data: Data = "real"

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            OptionError: A value that cannot work, with those that can.
        """
        check_data(self.data)
        for name in ("judge_strict", "judge_thoughts", "judge_preflight", "judge_dry_run"):
            if not isinstance(getattr(self, name), bool):
                raise OptionError(f"{name} is {shown(getattr(self, name))}; it may be true or false")
        if not isinstance(self.judge_prompts, str):
            raise OptionError(
                f"judge_prompts is {shown(self.judge_prompts)}; it may be {', '.join(PROMPT_SOURCES)}, or the path of "
                "a file"
            )
        if self.judge_price is not None:
            price = self.judge_price
            if not (isinstance(price, list | tuple) and len(price) == 2 and all(map(_is_amount, price))):  # noqa: PLR2004
                raise OptionError(
                    f"judge_price is {shown(price)}; it must be two numbers, dollars per million tokens sent and "
                    "received, e.g. [30, 60]"
                )
        if self.judge_max_cost is not None:
            if not _is_amount(self.judge_max_cost):
                raise OptionError(
                    f"judge_max_cost is {shown(self.judge_max_cost)}; it must be a number of dollars"
                )
            if self.judge_price is None:
                raise OptionError(
                    "judge_max_cost needs judge_price, e.g. [30, 60] dollars per million tokens"
                )
        self.config()

    @classmethod
    def from_run(cls, metadata: Mapping[str, Any] | None) -> "JudgeOptions":
        """Read the options: ``--metadata`` first, then ``LM_EVAL_JA_JUDGE_…`` variables, then the defaults.

        Raises:
            OptionError: A value that cannot work, a name that looks like a misspelt option, or one that looks as if its
                value were a secret (the harness writes metadata into the results).
        """
        return pick(cls, {**_environment(), **(metadata or {})})

    def config(self, ranks: int = 1) -> JudgeConfig:
        """The judge engine's configuration for one of ``ranks`` processes.

        Raises:
            OptionError: A value that cannot work.
        """
        return JudgeConfig(
            model=self.judge_model,
            api=self.judge_api,
            base_url=self.judge_base_url,
            api_key_env=self.judge_api_key_env,
            concurrency=self.judge_concurrency if ranks == 1 else max(1, self.judge_concurrency // ranks),
            repeats=self.judge_repeats,
            strict=self.judge_strict,
            max_tokens=self.judge_max_tokens,
        )

    @property
    def judging(self) -> bool:
        """Whether there is a judge at all."""
        return self.judge_model.lower() != NO_JUDGE

    def prompts(self) -> JudgePrompts:
        """Read the judge's prompts. Made-up questions are rated with the made-up prompts that ship beside them.

        Raises:
            OptionError: The user's file is wrong.
            DataError: A named set is unavailable.
        """
        if self.data == "sample" and self.judge_prompts == JudgeOptions.judge_prompts:
            return load_prompts(sample_path(PROMPT_SOURCES[self.judge_prompts]))
        return load_prompts(self.judge_prompts)


def _environment() -> dict[str, Any]:
    """Options that environment variables set; an empty one sets nothing."""
    known = [field.name.removeprefix("judge_") for field in fields(JudgeOptions) if field.name != "data"]
    found = {}
    for variable, value in os.environ.items():
        prefix, found_prefix, name = variable.lower().partition("lm_eval_ja_judge_")
        if prefix or not found_prefix or not value:
            continue
        if name in known:
            found[f"judge_{name}"] = parse_value(f"judge_{name}", value)
        elif close := difflib.get_close_matches(name, known, n=1, cutoff=0.8):
            raise OptionError(
                f"unknown variable {variable}: did you mean {variable[: -len(name)]}{close[0].upper()}?"
            )
    return found


def _is_amount(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MOST_DOLLARS


def parse_value(option: str, text: str) -> Any:
    """An option's value as an environment variable or a flag has it.

    Args:
        option: The option's name.
        text: For an option that is a text, the value itself; otherwise JSON (numbers, true, false, lists) where it is.
    """
    if get_type_hints(JudgeOptions)[option] in {str, str | None}:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
