"""What a report can't know from results: a model's size, licence, organisation and release, and labels of one's own.

example-lab/hayate-7b:            # as the report names it; a pattern such as example-lab/* stands for several
  name: Hayate 7B                 # what to call it (otherwise its own name)
  size: 7.2B                      # parameters: 7.2B, 350M, or a number of billions
  licence: Apache-2.0
  organisation: Example Lab       # otherwise what stands before the slash
  release: 2026-03
  labels: [sLLM, open]
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from lm_eval_ja._unicode import shown
from lm_eval_ja._yaml import read_yaml
from lm_eval_ja.errors import OptionError

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMBT]?)B?", re.IGNORECASE)
_BILLIONS = {"K": 1e-6, "M": 1e-3, "B": 1.0, "": 1.0, "T": 1e3}


@dataclass(frozen=True)
class Facts:
    """Facts about a model.

    Attributes:
        name: What to call it; empty for its own name.
        size: Billions of parameters; None if unknown.
        licence: Its licence; empty if unknown.
        organisation: Who made it; empty if unknown.
        release: When it was released, as written; empty if unknown.
        labels: Labels of the user's own.
    """

    name: str = ""
    size: float | None = None
    licence: str = ""
    organisation: str = ""
    release: str = ""
    labels: tuple[str, ...] = ()


def read_models(path: Path) -> dict[str, Facts]:
    """Read ``models.yaml``.

    Args:
        path: The file.

    Returns:
        Facts by the model's name or pattern.

    Raises:
        OptionError: The file can't be read or says something that can't be understood.
    """
    try:
        raw = read_yaml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OptionError(f"--models {path} can't be read: {error}") from error
    if not isinstance(raw, dict) or not all(isinstance(own, dict) for own in raw.values()):
        raise OptionError(
            f"--models {path} must map each model to its facts; example: "
            "{example-lab/hayate-7b: {size: 7.2B, licence: Apache-2.0, labels: [sLLM]}}"
        )
    return {str(model): _facts(path, str(model), own) for model, own in raw.items()}


def _facts(path: Path, model: str, raw: Mapping[Any, Any]) -> Facts:
    known = [field.name for field in fields(Facts)]
    unknown = [str(name) for name in raw if name not in known]
    if unknown:
        raise OptionError(
            f"--models {path}: {model} has {', '.join(unknown)}; known are {', '.join(known)} "
            "(anything else is a label)"
        )
    labels = raw.get("labels") or ()
    labels = (labels,) if isinstance(labels, str) else labels
    if not isinstance(labels, list | tuple):
        raise OptionError(f"--models {path}: labels of {model} must be a list, such as [sLLM, open]")
    texts = {
        name: str(raw[name]) for name in known if name not in ("size", "labels") and raw.get(name) is not None
    }
    return Facts(**texts, size=_size(path, model, raw.get("size")), labels=tuple(map(str, labels)))


def _size(path: Path, model: str, raw: Any) -> float | None:
    if raw is None:
        return None
    found = _SIZE.fullmatch(str(raw).strip())
    if isinstance(raw, bool) or not found:
        raise OptionError(
            f"--models {path}: size of {model} is {shown(raw)}; write 7.2B, 350M or a number of billions"
        )
    return float(found[1]) * _BILLIONS[found[2].upper()]


def match_models(models: Mapping[str, Facts], keys: Iterable[str]) -> tuple[dict[str, Facts], list[str]]:
    """Find the facts of each run.

    Args:
        models: What `read_models` returned.
        keys: The runs' keys: the model's name, with something added to it where one model has several runs.

    Returns:
        Facts by key for the runs that have any, the exact name before a pattern; and the names that fit no run.
    """
    found: dict[str, Facts] = {}
    used: set[str] = set()
    for key in keys:
        names = [name for name in models if _fits(name, key)]
        used.update(names)
        if names:
            found[key] = models[min(names, key=lambda name: ("*" in name or "?" in name, -len(name)))]
    return found, [name for name in models if name not in used]


def _fits(name: str, key: str) -> bool:
    return fnmatchcase(key, name) or fnmatchcase(key.partition(" (")[0], name)
