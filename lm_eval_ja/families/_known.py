"""Families of models: data, with the source of every fact."""

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from lm_eval_ja._yaml import read_yaml
from lm_eval_ja.families._look import Model


@dataclass(frozen=True)
class Note:
    """Something one has to know about a family.

    Attributes:
        text: What.
        source: Where it was read, an address.
    """

    text: str
    source: str


@dataclass(frozen=True)
class Family:
    """A family of models. See ``families.yaml`` for the meaning of the fields."""

    name: str
    title: str
    match: Mapping[str, str | Sequence[str]]
    notes: tuple[Note, ...] = ()
    bos: str = ""
    thoughts: str = ""
    when: str = ""
    system: str = ""

    def clue(self, model: Model) -> str:
        """What shows that a model belongs to the family; empty if nothing does."""
        if model.model_type and model.model_type in self.match.get("model_type", ()):
            return f"model_type {model.model_type}"
        if model.bos_token and model.bos_token == self.match.get("bos_token"):
            return f"BOS token {model.bos_token}"
        pattern = self.match.get("name")
        found = re.search(pattern, model.called, re.IGNORECASE) if isinstance(pattern, str) else None
        return f"name …{found[0].strip('/')}…" if found else ""

    def thoughts_of(self, model: Model) -> str:
        """How a model of the family marks thoughts that it always has; empty if it has none."""
        return self.thoughts if re.search(self.when, model.called, re.IGNORECASE) else ""


@functools.cache
def families() -> tuple[Family, ...]:
    """All families of the package, in the order in which they apply."""
    text = (resources.files("lm_eval_ja.families") / "families.yaml").read_text(encoding="utf-8")
    return tuple(_family(raw) for raw in read_yaml(text))


def _family(raw: Mapping[str, Any]) -> Family:
    notes = tuple(Note(**note) for note in raw["notes"])
    return Family(**{**raw, "notes": notes})


def recognize(model: Model) -> tuple[Family, ...]:
    """The families that a model belongs to; none if it is unknown."""
    return tuple(family for family in families() if family.clue(model))
