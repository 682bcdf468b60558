"""Where protocol files are: in this folder, and in folders that other packages name by an entry point.

A package adds protocols by an entry point of the group ``lm_eval_ja.protocols`` whose value is a module or package in
whose folder the files lie::

    [project.entry-points."lm_eval_ja.protocols"]
    mine = "my_package.protocols"
"""

import functools
import logging
from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from lm_eval_ja._yaml import read_yaml
from lm_eval_ja.errors import DataError, OptionError
from lm_eval_ja.protocols._parse import parse_protocol
from lm_eval_ja.protocols._schema import ConversationRules, DatasetRules, Protocol
from lm_eval_ja.protocols._tree import Node

_log = logging.getLogger(__name__)

ENTRY_POINTS = "lm_eval_ja.protocols"
"""Group of entry points by which other packages add protocols."""


@functools.cache
def protocol_files() -> Mapping[str, Path]:
    """Map every protocol's name, which is its file's, to its file; the package's own win over others of that name."""
    folders = [Path(__file__).parent]
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
        try:
            folders += map(Path, _folders(import_module(entry.value)))
        except Exception as error:  # noqa: BLE001, PERF203  # another package's fault must not stop this one
            _log.warning("protocols of %s (%s) are left out: %r", entry.name, entry.value, error)
    files: dict[str, Path] = {}
    for folder in folders:
        for file in sorted(folder.glob("*.yaml")):
            files.setdefault(file.stem, file)
    return files


def _folders(module: Any) -> list[str]:
    return list(module.__path__) if hasattr(module, "__path__") else [str(Path(module.__file__).parent)]


@functools.cache
def protocol_names() -> tuple[str, ...]:
    """List all protocols, in the order in which they are shown.

    One of another package that cannot be read, or takes a name that is taken, is left out with a warning.

    Examples:
        >>> protocol_names()[:2]
        ('neo', 'llm_jp_eval')
    """
    found: list[Protocol] = []
    for name, file in protocol_files().items():
        try:
            protocol = load_protocol(name)
            _check_names(protocol, found)
            found.append(protocol)
        except DataError as error:  # noqa: PERF203  # each file for itself
            if file.parent == Path(__file__).parent:
                raise
            _log.warning("the protocol %s is left out: %s", name, error)
    return tuple(protocol.name for protocol in sorted(found, key=lambda own: (own.order, own.name)))


def _check_names(protocol: Protocol, others: Iterable[Protocol]) -> None:
    """Refuse a second score or task of one name: neither views nor the harness could tell them apart."""
    for other in others:
        scores = {part.name: part for root in other.scores for part in root.walk()}
        taken = [
            part.name
            for root in protocol.scores
            for part in root.walk()
            if scores.get(part.name, part) != part
        ]
        taken += [task for task in protocol.tasks if task in other.tasks]
        if taken:
            raise DataError(f"{protocol.name}: the name {taken[0]} is taken by the protocol {other.name}")


_loading: list[str] = []


@functools.cache
def load_protocol(name: str) -> Protocol:
    """Load a protocol.

    Args:
        name: One of `protocol_names`.

    Returns:
        The protocol.

    Raises:
        OptionError: There is no such protocol.
        DataError: Its file is not well-formed.

    Examples:
        >>> neo = load_protocol("neo")
        >>> [root.label for root in neo.scores], [child.label for child in neo.scores[0].children]
        (['Overall'], ['AVG_jaster', 'AVG_mtbench'])
    """
    if name not in protocol_files():
        raise OptionError(f"unknown protocol {name!r}: choose from {', '.join(protocol_files())}")
    return read_protocol(protocol_files()[name])


def read_protocol(path: Path) -> Protocol:
    """Read a protocol file.

    Raises:
        DataError: It cannot be read, or is not well-formed.
    """
    if path.stem in _loading:
        raise DataError(
            f"{path}: protocols refer to each other in a circle: {' → '.join((*_loading, path.stem))}"
        )
    try:
        raw = read_yaml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    _loading.append(path.stem)
    try:
        protocol = parse_protocol(raw, path.name, load_protocol)
    finally:
        _loading.pop()
    if protocol.name != path.stem:
        raise DataError(f"{path}: the file must be named after its protocol, {protocol.name}.yaml")
    return protocol


def find_node(name: str) -> Node | None:
    """Find a score by its name, which is that of the harness's group, among all protocols' own."""
    return _nodes().get(name)


@functools.cache
def _nodes() -> Mapping[str, Node]:
    return {node.name: node for own in map(load_protocol, protocol_names()) for node in own.nodes()}


def find_rules(task: str) -> DatasetRules | None:
    """Find the rules of a harness task among all protocols'; None if it isn't a dataset's of any."""
    for protocol in map(load_protocol, protocol_names()):
        if task in protocol.tasks:
            return protocol.tasks[task]
    return None


def find_conversation(protocol: str) -> ConversationRules | None:
    """Find the rules of a protocol's conversations by its name; None if it has none or is unknown."""
    return load_protocol(protocol).conversation if protocol in protocol_names() else None
