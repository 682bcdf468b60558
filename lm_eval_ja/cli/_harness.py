"""Loading tasks the way the harness does, for commands that look into them without running a model."""

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lm_eval_ja.errors import OptionError


def parse_metadata(given: str | Sequence[str] | None) -> dict[str, Any]:
    """Parse ``--metadata``: a JSON object or, as lm-eval 0.4.13 takes it too, ``key=value`` once or more.

    Args:
        given: The option's values.

    Raises:
        OptionError: They are neither.
    """
    values = [given] if isinstance(given, str) else list(given or ())
    metadata: dict[str, Any] = {}
    for text in filter(None, values):
        if "=" in text and not text.lstrip().startswith("{"):
            metadata |= _key_values(text)
            continue
        try:
            parsed = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise OptionError(
                f"--metadata is neither key=value nor JSON ({error}): {text!r}. Examples: split=dev, "
                '\'{"split": "dev"}\''
            ) from error
        if not isinstance(parsed, dict):
            raise OptionError(f"--metadata must be a JSON object or key=value, not {text!r}")
        metadata |= parsed
    return metadata


def _key_values(text: str) -> dict[str, Any]:
    """``key=value``, read by the harness's own code so that both commands understand the same."""
    from lm_eval._cli.utils import key_val_to_dict

    try:
        found: dict[str, Any] = key_val_to_dict(text)
    except ValueError as error:
        raise OptionError(f"--metadata: {error}; write key=value, or a JSON object") from error
    return found


def load_tasks(
    names: Sequence[str], *, metadata: Mapping[str, Any], include_path: str | None = None
) -> dict[str, Any]:
    """Load tasks by name or pattern. The harness's own tasks are indexed only if a name is not ours.

    Args:
        names: Task, group or tag names; ``*`` and ``?`` match.
        metadata: Run-time options, as ``lm_eval --metadata``.
        include_path: A folder with further tasks, as ``lm_eval --include_path``.

    Returns:
        Leaf tasks by name, in the harness's order.

    Raises:
        OptionError: A name matches nothing, or there is no such folder.
    """
    from lm_eval.tasks import TaskManager

    if include_path is not None and not Path(include_path).is_dir():  # the harness says nothing
        raise OptionError(f"--include_path {include_path} is no folder")

    from lm_eval_ja.plugin import with_tasks_path

    given = with_tasks_path(include_path)
    manager = TaskManager(include_path=given, include_defaults=False, metadata=dict(metadata))
    if include_path or not set(names) <= set(manager.all_tasks):
        manager = TaskManager(include_path=given, metadata=dict(metadata))
    selected: list[str] = []
    for name in names:
        # 0.5.0.dev1 hands unknown names back, and knows names with a format or a path behind them.
        matches = [
            match for match in manager.match_tasks([name]) if re.split("@|::", match)[0] in manager.all_tasks
        ]
        if not matches:
            close = difflib.get_close_matches(name, manager.all_tasks, n=3)
            hint = (
                f": did you mean {' or '.join(close)}?"
                if close
                else " (lm_eval ls tasks lists what there is)"
            )
            raise OptionError(f"no task is named {name!r}{hint}")
        selected += [match for match in matches if match not in selected]
    tasks: dict[str, Any] = manager.load(selected)["tasks"]
    return tasks
