"""Prompt presets: templates in small YAML files, the package's own and the user's."""

import difflib
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from lm_eval_ja._unicode import shown
from lm_eval_ja._yaml import read_yaml
from lm_eval_ja.errors import OptionError
from lm_eval_ja.prompts._styles import AlpacaStyle, Message, PromptStyle, make_style

_KEYS = ("description", "prompt", "few_shot", "chat_markup")


@dataclass(frozen=True)
class Preset:
    """A prompt template that goes by a name.

    Attributes:
        name: The preset's name: that of its file.
        description: What it is for.
        prompt: As ``custom_prompt_template``: with ``{input}`` and, as wanted, ``{instruction}`` and
            ``{few_shots_text}``.
        few_shot: As ``custom_fewshots_template``: with ``{input}`` and ``{output}``. None is the protocol's own.
        chat_markup: Whether it writes a chat model's markup itself, so that no chat template may be applied to it.
        style: The style that it makes, checked. Its name in signatures has a digest of the templates, unless they are
            the protocol's own.
    """

    name: str
    description: str
    prompt: str
    few_shot: str | None
    chat_markup: bool
    style: PromptStyle


@dataclass(frozen=True)
class MarkupStyle(AlpacaStyle):
    """A template that already is a rendered chat."""

    def messages(self, *_: Any, **__: Any) -> list[Message]:
        """Not possible: a chat template would wrap the markup in markup.

        Raises:
            OptionError: Always.
        """
        raise OptionError(
            f"the prompt preset {self.name} writes chat markup itself, and --apply_chat_template would add more: leave "
            "out one of the two"
        )


def preset_names() -> tuple[str, ...]:
    """Name the presets of the package, sorted.

    Examples:
        >>> preset_names()
        ('alpaca', 'chatml', 'llama2-ja', 'plain')
    """
    return tuple(sorted(_packaged()))


def load_preset(name_or_path: str) -> Preset:
    r"""Load a preset and check it.

    Args:
        name_or_path: One of `preset_names`, or the path of a YAML file (one that ends in ``.yaml`` or ``.yml``, or has
            a slash) with the keys ``prompt`` and, as wanted, ``few_shot``, ``description``, ``chat_markup``.

    Returns:
        The preset.

    Raises:
        OptionError: There is no such preset or file, or it is not well-formed.

    Examples:
        >>> load_preset("plain").style.text("足し算をせよ。", [], "1+1")
        '足し算をせよ。\n\n入力：1+1\n出力：'
    """
    if not isinstance(name_or_path, str) or not name_or_path:
        raise OptionError(f"prompt_preset is {shown(name_or_path)}; it must be {_choices()}")
    if name_or_path in _packaged():
        text, where, name = _packaged()[name_or_path], f"prompt preset {name_or_path}", name_or_path
    else:
        path = Path(name_or_path)
        if path.suffix not in {".yaml", ".yml"} and path.name == name_or_path:
            close = difflib.get_close_matches(name_or_path, preset_names(), n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise OptionError(f"there is no prompt preset {shown(name_or_path)}: choose {_choices()}.{hint}")
        try:
            text = path.expanduser().read_text(encoding="utf-8")
        except (OSError, ValueError, RuntimeError) as error:  # also a name that no file has, a home of nobody
            raise OptionError(
                f"prompt_preset: {path} can't be read ({error}); choose {_choices()}"
            ) from error
        where, name = f"prompt preset {path}", path.stem
    return _parse(text, where, name)


@functools.cache
def _packaged() -> Mapping[str, str]:
    folder = resources.files("lm_eval_ja.prompts") / "presets"
    return {
        file.name.removesuffix(".yaml"): file.read_text(encoding="utf-8")
        for file in folder.iterdir()
        if file.name.endswith(".yaml")
    }


def _choices() -> str:
    return f"{', '.join(preset_names())}, or the path of a .yaml file"


def _parse(text: str, where: str, name: str) -> Preset:
    try:
        raw: Any = read_yaml(text)
    except ValueError as error:
        raise OptionError(f"{where} is not YAML ({error})") from error
    if not isinstance(raw, Mapping):
        raise OptionError(f"{where} must map names to values, with at least `prompt`; it holds {shown(raw)}")
    unknown = [str(key) for key in raw if key not in _KEYS]
    if unknown or not isinstance(raw.get("prompt"), str):
        raise OptionError(
            f"{where} {'has the unknown key ' + unknown[0] if unknown else 'lacks the text `prompt`'}; its keys may be "
            f"{', '.join(_KEYS)}"
        )
    few_shot, markup, description = (
        raw.get("few_shot"),
        raw.get("chat_markup", False),
        raw.get("description", ""),
    )
    if not isinstance(markup, bool) or not isinstance(description, str):
        raise OptionError(f"{where}: chat_markup must be true or false, and description a text")
    try:
        style = make_style("alpaca", raw["prompt"], few_shot)
    except OptionError as error:
        named = (
            str(error)
            .replace("custom_prompt_template", "`prompt`")
            .replace("custom_fewshots_template", "`few_shot`")
        )
        raise OptionError(f"{where}: {named}") from error
    assert isinstance(style, AlpacaStyle)  # noqa: S101  # what make_style makes of templates
    own = make_style()
    if isinstance(own, AlpacaStyle) and (style.prompt, style.few_shot) == (own.prompt, own.few_shot):
        style = own
    else:
        kind = MarkupStyle if markup else AlpacaStyle
        label = style.name.replace("custom", name, 1)  # make_style's name is custom-<digest>
        style = kind(style.prompt, style.few_shot, name=label)
    return Preset(name, description, raw["prompt"], few_shot, markup, style)
