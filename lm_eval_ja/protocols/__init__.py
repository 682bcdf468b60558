"""What is measured: one YAML file per protocol, complete, and how its scores add up.

A protocol's questions, prompts, generation settings, normalization, metrics and tree of scores stand here and
nowhere else:
the harness's task files are generated from it, and every score of every view is computed by `evaluate` over its trees.
"""

from lm_eval_ja.protocols._files import (
    ENTRY_POINTS,
    find_conversation,
    find_node,
    find_rules,
    load_protocol,
    protocol_names,
    read_protocol,
)
from lm_eval_ja.protocols._groups import SCORE, group_score, reported_score
from lm_eval_ja.protocols._parse import parse_protocol
from lm_eval_ja.protocols._schema import (
    STATUSES,
    ConversationRules,
    DatasetRules,
    InstructionRules,
    Protocol,
    Status,
)
from lm_eval_ja.protocols._signature import KEY_ORDER, parse_signature, signature
from lm_eval_ja.protocols._status import data_status
from lm_eval_ja.protocols._tree import (
    Leaf,
    Level,
    Mean,
    Member,
    Missing,
    Node,
    Scalable,
    Score,
    evaluate,
    mean_number,
    mean_score,
)

__all__ = [
    "ENTRY_POINTS",
    "KEY_ORDER",
    "SCORE",
    "STATUSES",
    "ConversationRules",
    "DatasetRules",
    "InstructionRules",
    "Leaf",
    "Level",
    "Mean",
    "Member",
    "Missing",
    "Node",
    "Protocol",
    "Scalable",
    "Score",
    "Status",
    "data_status",
    "evaluate",
    "find_conversation",
    "find_node",
    "find_rules",
    "group_score",
    "load_protocol",
    "mean_number",
    "mean_score",
    "parse_protocol",
    "parse_signature",
    "protocol_names",
    "read_protocol",
    "reported_score",
    "signature",
]
