"""Reading YAML that somebody else wrote: presets, protocols, facts about models."""

from typing import Any

import yaml

_MOST_VALUES = 1_000_000
"""More than any file of ours or anybody's holds; a few nested aliases stand for more than any memory does."""


class _Loader(yaml.SafeLoader):
    """Safe YAML in which no key stands twice: of two values, one would be lost without a word."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    problem = f"the key {key.value!r} stands twice"
                    raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
                seen.add((key.tag, key.value))
        return node


def read_yaml(text: str) -> Any:
    """Read a document.

    Args:
        text: YAML.

    Returns:
        Mappings, lists, texts, numbers and so on, as ``yaml.safe_load`` gives them.

    Raises:
        ValueError: It is no YAML, a key stands twice in a mapping, a value is none of its kind (``2001-99-99`` is a
            date to YAML), a text is none that a UTF-8 file can hold, or aliases make too much of it.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _check(node)
        return loader.construct_document(node)
    except Exception as error:  # PyYAML's constructors raise KeyError, AttributeError, OverflowError, ...
        known = isinstance(error, yaml.YAMLError | ValueError)
        raise ValueError(str(error) if known else f"{type(error).__name__}: {error}") from error


def _check(node: yaml.Node) -> None:
    if _size(node, {}) > _MOST_VALUES:
        raise ValueError(f"its aliases expand to more than {_MOST_VALUES:,} values, or to themselves")


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """Count the values below a node, each as often as an alias stands for it; check texts on the way."""
    if id(node) not in known:
        known[id(node)] = _MOST_VALUES + 1  # what a node that holds itself will find
        below: list[yaml.Node] = []
        if isinstance(node, yaml.ScalarNode):
            node.value.encode()  # a UnicodeEncodeError is a ValueError
        elif isinstance(node, yaml.MappingNode):
            below = [part for pair in node.value for part in pair]
        else:
            below = node.value
        known[id(node)] = 1 + sum(_size(part, known) for part in below)
    return known[id(node)]
