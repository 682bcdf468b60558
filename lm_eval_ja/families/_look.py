"""What a model's directory says about the model, without loading it: no torch, no transformers, no download."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval_ja.errors import DataError
from lm_eval_ja.families._template import ChatTemplate, read_template

_LENGTHS = ("max_position_embeddings", "n_positions", "n_ctx", "max_sequence_length")
_BASE = re.compile(r"(?:^|[-_./])(?:base|pt|cpt)(?:[-_./]|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Model:
    """A model's directory.

    Attributes:
        folder: The directory.
        called: The names by which it may be known: its own, in the Hugging Face cache the repository's, and the end of
            config.json's ``_name_or_path``.
        model_type: config.json's; empty if it has none.
        architecture: The first of config.json's ``architectures``; empty if it has none.
        context: Longest input in tokens; None if config.json does not say.
        bos_token: Text of the tokenizer's BOS token; empty if it has none.
        adds_bos: Whether the tokenizer puts it before every text; None if its files do not say.
        custom_code: Whether the directory brings Python code that ``trust_remote_code`` runs.
        generation: generation_config.json.
        template_file: Name of the file with the chat template; empty if there is none.
        template: What the chat template does; None if there is none.
    """

    folder: Path
    called: str
    model_type: str
    architecture: str
    context: int | None
    bos_token: str
    adds_bos: bool | None
    custom_code: bool
    generation: Mapping[str, Any]
    template_file: str
    template: ChatTemplate | None

    @property
    def named_base(self) -> bool:
        """Whether its name says that it is a base model: ``…-base``, ``…-pt``, ``…-cpt``."""
        return bool(_BASE.search(self.called))


def look(folder: Path) -> Model:
    """Read a model's directory.

    Raises:
        DataError: There is no such directory, it has no ``config.json``, or a file in it is not what its name says.
    """
    if not folder.is_dir():
        raise DataError(
            f"{folder} is no directory: run-config looks at a model's files and downloads nothing. Fetch them first, "
            f"e.g. `hf download {folder} --local-dir DIR`, and name that directory"
        )
    config = _json(folder / "config.json")
    if config is None:
        held = ", ".join(sorted(path.name for path in folder.iterdir())[:8])
        raise DataError(
            f"{folder} is no model's directory: it has no config.json (it holds {held or 'nothing'}). Name the "
            "directory that --model_args pretrained= would name"
        )
    tokenizer = _json(folder / "tokenizer_config.json") or {}
    bos = _token(tokenizer.get("bos_token")) or _token(
        (_json(folder / "special_tokens_map.json") or {}).get("bos_token")
    )
    inner = config.get("text_config")
    text: dict[str, Any] = inner if isinstance(inner, dict) else config  # a model that also sees or hears
    architectures = config.get("architectures") or [""]
    source, template = _template(folder, tokenizer)
    eos = _token(tokenizer.get("eos_token"))
    return Model(
        folder=folder,
        called=_names(folder, str(config.get("_name_or_path") or "")),
        model_type=str(config.get("model_type") or ""),
        architecture=str(architectures[0]),
        context=next((text[name] for name in _LENGTHS if isinstance(text.get(name), int)), None),
        bos_token=bos,
        adds_bos=_adds_bos(folder, tokenizer, bos),
        custom_code=bool(config.get("auto_map") or tokenizer.get("auto_map")),
        generation=_json(folder / "generation_config.json") or {},
        template_file=source,
        template=read_template(template, bos_token=bos, eos_token=eos) if template else None,
    )


def _names(folder: Path, name_or_path: str) -> str:
    path = folder.absolute()
    cached = [path.parent.parent.name] if path.parent.name == "snapshots" else []
    return "/".join(filter(None, [*cached, path.name, name_or_path.rstrip("/").rpartition("/")[2]]))


def _json(path: Path) -> dict[str, Any] | None:
    """An object from a file; None if there is no such file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read ({error}): fetch the model's files again") from error
    if not isinstance(found, dict):
        raise DataError(f"{path} holds no JSON object: fetch the model's files again")
    return found


def _token(given: Any) -> str:
    """A token's text: tokenizer files hold it as it is or in an object."""
    content = given.get("content") if isinstance(given, dict) else given
    return content if isinstance(content, str) else ""


def _template(folder: Path, tokenizer: Mapping[str, Any]) -> tuple[str, str]:
    """Name of the file with the chat template, and the template. transformers prefers the .jinja file, too."""
    try:
        return "chat_template.jinja", (folder / "chat_template.jinja").read_text(encoding="utf-8")
    except FileNotFoundError:
        pass
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{folder / 'chat_template.jinja'} cannot be read ({error})") from error
    for name, holder in (
        ("tokenizer_config.json", tokenizer),
        ("chat_template.json", _json(folder / "chat_template.json") or {}),
    ):
        found = holder.get("chat_template")
        if isinstance(found, list):  # several, each with a name
            named = {one.get("name"): one.get("template") for one in found if isinstance(one, dict)}
            found = named.get("default")
        if isinstance(found, str) and found:
            return name, found
    return "", ""


def _adds_bos(folder: Path, tokenizer: Mapping[str, Any], bos: str) -> bool | None:
    if isinstance(tokenizer.get("add_bos_token"), bool):
        return bool(tokenizer["add_bos_token"])
    fast = _json(folder / "tokenizer.json")
    if fast is None:
        return None
    steps = fast.get("post_processor") or {}
    every = steps.get("processors", [steps]) if isinstance(steps, dict) else []
    return bool(bos) and any(
        isinstance(piece, dict) and piece.get("SpecialToken", {}).get("id") == bos
        for step in every
        if isinstance(step, dict) and step.get("type") == "TemplateProcessing"
        for piece in step.get("single", [])
    )
