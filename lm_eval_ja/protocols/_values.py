"""Values out of a protocol file, each refused with the place where it stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lm_eval_ja.errors import DataError


@dataclass(frozen=True)
class At:
    """A mapping in the file, and where it stands there."""

    raw: Mapping[str, Any]
    where: str

    def text(self, key: str) -> str:
        value = self.raw.get(key)
        if not isinstance(value, str) or not value:
            raise DataError(f"{self.where}: {key} must be a text, found {value!r}")
        return value

    def number(self, key: str, default: Any = None) -> float:
        value = self.raw.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise DataError(f"{self.where}: {key} must be a number above 0, found {value!r}")
        return float(value)

    def whole(self, key: str, default: Any = None, least: int = 0) -> int:
        value = self.raw.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise DataError(f"{self.where}: {key} must be a whole number from {least}, found {value!r}")
        return value

    def texts(self, key: str, default: Any = None) -> tuple[str, ...]:
        value = self.raw.get(key, default)
        if not isinstance(value, list) or not all(isinstance(text, str) and text for text in value):
            raise DataError(f"{self.where}: {key} must be a list of texts, found {value!r}")
        return tuple(value)

    def choice(self, key: str, choices: Sequence[str], default: str | None = None) -> str:
        value = self.raw.get(key, default)
        if value not in choices:
            raise DataError(f"{self.where}: {key} must be one of {', '.join(choices)}, found {value!r}")
        return str(value)

    def below(self, key: str, required: Sequence[str], optional: Sequence[str] = ()) -> "At":
        return take(self.raw.get(key), f"{self.where}, {key}", required, optional)


def take(raw: Any, where: str, required: Sequence[str], optional: Sequence[str] = ()) -> At:
    if not isinstance(raw, Mapping):
        raise DataError(f"{where}: expected a mapping with {', '.join(required)}, found {raw!r}")
    missing = [key for key in required if key not in raw]
    unknown = [key for key in raw if key not in required and key not in optional]
    if missing or unknown:
        raise DataError(
            f"{where}: missing keys: {missing or 'none'}; unknown keys: {unknown or 'none'};"
            f" allowed: {', '.join((*required, *optional))}"
        )
    return At(raw, where)
