"""The harness's task files, written from a protocol: one self-contained YAML per task and per group."""

from collections.abc import Iterable, Mapping
from typing import Any

from lm_eval_ja.protocols import ConversationRules, DatasetRules, InstructionRules, Leaf, Node, Protocol

WRITTEN = "# Written by `lm-eval-ja make-tasks`"
"""What the files begin with."""

_HEADER = WRITTEN + " from the protocol {name}; to change it for good, change {name}.yaml.\n"
_FUNCTION = "!function "


def task_files(protocol: Protocol) -> dict[str, str]:
    """Write the task files of a protocol.

    Args:
        protocol: The protocol.

    Returns:
        Text by file name, sorted.

    Examples:
        >>> from lm_eval_ja.protocols import load_protocol
        >>> print(task_files(load_protocol("neo"))["_nejumi_jaster_qa.yaml"])
        # Written by `lm-eval-ja make-tasks` from the protocol neo; to change it for good, change neo.yaml.
        group: nejumi_jaster_qa
        task:
          - nejumi_jaster_jemhopqa
          - nejumi_jaster_niilc
        aggregate_metric_list:
          - metric: score
            aggregation: !function lm_eval_ja.tasks.groups.score
        metadata:
          version: 1
        <BLANKLINE>
    """
    contents: dict[str, Mapping[str, Any]] = {
        f"{rules.task}.yaml": _dataset(rules) for rules in protocol.tasks.values()
    }
    if protocol.conversation is not None:
        categories = protocol.conversation.temperatures if protocol.conversation.category_tasks else ()
        for category in (None, *categories):
            task = protocol.prefix if category is None else f"{protocol.prefix}_{category}"
            contents[f"{task}.yaml"] = _conversation(protocol, protocol.conversation, task, category)
    elif protocol.instructions is not None:
        contents[f"{protocol.prefix}.yaml"] = _instructions(protocol, protocol.instructions)
    else:
        contents |= {
            f"_{node.name}.yaml": _group(node, protocol)
            for node in protocol.nodes()
            if node.protocol == protocol.name and _asked(node, protocol)
        }
    header = _HEADER.format(name=protocol.name)
    return {name: header + "".join(_lines(contents[name])) for name in sorted(contents)}


def _dataset(rules: DatasetRules) -> dict[str, Any]:
    return {
        "task": rules.task,
        "class": f"{_FUNCTION}lm_eval_ja.tasks.jaster.JasterTask",
        "output_type": "generate_until",
        # A 0 would make the harness ignore --num_fewshot.
        **({"num_fewshot": rules.shots} if rules.shots else {}),
        "generation_kwargs": rules.generation,
        "metadata": {"version": 1},
        "jaster": {
            "protocol": rules.protocol,
            "dataset": rules.dataset,
            "split": rules.split,
            "questions": rules.questions,
            "category": rules.category,
            "metrics": list(rules.metrics),
            "output_length": rules.output_length,
            "prompt_style": rules.prompt_style,
            "normalization": list(rules.normalization),
            "instruction": rules.instruction,
        },
    }


def _conversation(
    protocol: Protocol, rules: ConversationRules, task: str, category: str | None
) -> dict[str, Any]:
    temperatures = rules.temperatures if category is None else {category: rules.temperatures[category]}
    return {
        "task": task,
        "class": f"{_FUNCTION}lm_eval_ja.tasks.mtbench.MTBenchTask",
        "output_type": "generate_until",
        # What is set here or with --gen_kwargs wins over the block's; the harness insists on `until`.
        "num_fewshot": 0,
        "generation_kwargs": {"max_gen_toks": rules.max_new_tokens, "until": []},
        "metadata": {"version": 1},
        "mtbench": {
            "protocol": protocol.name,
            "revision": rules.revision,
            **({} if category is None else {"category": category}),
            "max_new_tokens": rules.max_new_tokens,
            "temperatures": dict(temperatures),
        },
    }


def _instructions(protocol: Protocol, rules: InstructionRules) -> dict[str, Any]:
    return {
        "task": protocol.prefix,
        "class": f"{_FUNCTION}lm_eval_ja.tasks.m_ifeval.MIfevalTask",
        "output_type": "generate_until",
        "num_fewshot": 0,
        "generation_kwargs": {
            "until": [],
            "max_gen_toks": rules.max_new_tokens,
            "temperature": rules.temperature,
        },
        "metadata": {"version": 1},
        "m_ifeval": {"protocol": protocol.name, "dataset": rules.dataset},
    }


def _asked(node: Node, protocol: Protocol) -> list[str]:
    """What a group runs.

    Without what no task computes, and without datasets that anyone but their owners would be refused: these are named
    on the command line beside the group, and count in reports all the same.
    """
    return list(
        dict.fromkeys(
            child.task if isinstance(child, Leaf) else child.name
            for child in node.children
            if (_asked(child, protocol) if isinstance(child, Node) else _can_be_had(child, protocol))
        )
    )


def _can_be_had(leaf: Leaf, protocol: Protocol) -> bool:
    rules = protocol.tasks.get(leaf.task)
    return not leaf.given and (rules is None or rules.status != "own data")


def _group(node: Node, protocol: Protocol) -> dict[str, Any]:
    return {
        "group": node.name,
        "task": _asked(node, protocol),
        "aggregate_metric_list": [
            {"metric": "score", "aggregation": f"{_FUNCTION}lm_eval_ja.tasks.groups.score"}
        ],
        "metadata": {"version": 1},
    }


# -------------------------------------------------------------------------------------------------------- writing


def _lines(content: Mapping[str, Any], indent: str = "") -> Iterable[str]:
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield f"{indent}{key}:\n"
            yield from _lines(value, f"{indent}  ")
        elif isinstance(value, str) and "\n" in value:
            yield f"{indent}{key}: |-\n"
            yield from (f"{indent}  {line}\n" if line else "\n" for line in value.split("\n"))
        elif key == "task" and isinstance(value, list):
            yield f"{indent}{key}:\n"
            yield from (f"{indent}  - {name}\n" for name in value)
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            yield f"{indent}{key}:\n"
            for entry in value:
                first, *rest = _lines(entry, f"{indent}    ")
                yield f"{indent}  - {first.lstrip()}"
                yield from rest
        else:
            yield f"{indent}{key}: {_scalar(value)}\n"


def _scalar(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_scalar, value))}]"
    if value is None:
        return "null"
    if isinstance(value, str):
        plain = value.startswith(_FUNCTION) or (
            value.replace("_", "").replace("-", "").isalnum() and value.isascii()
        )
        return (
            value
            if plain and not value.isdigit()
            else '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
        )
    return str(value)
