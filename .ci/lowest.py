#!/usr/bin/env python3
"""Print constraints that pin every direct dependency to its lower bound in pyproject.toml, for `pip install -c`.

Nothing is kept beside pyproject.toml, so that what CI installs can't drift from what it promises.
"""

import re
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    from pip._vendor import tomli as tomllib

_REQUIREMENT = re.compile(r"([\w.-]+)(?:\[[\w,]+\])?>=([\w.]+)(?:,\S+)?")


def main() -> int:
    """Print the lower bounds of what is always installed and of the extras whose bounds are our own."""
    pyproject = Path(__file__).resolve().parents[1] / "pyproject.toml"
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    for requirement in (*project["dependencies"], *extras["judge"], *extras["wandb"], *extras["ifeval"]):
        found = _REQUIREMENT.fullmatch(requirement)
        if found is None:
            sys.exit(f"{requirement!r} in pyproject.toml has no lower bound that can be installed")
        print(f"{found[1]}=={found[2]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
