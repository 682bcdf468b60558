"""One room, one job: imports point one way, and what begins with an underscore is private to its room."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import lm_eval_ja

PACKAGE = Path(lm_eval_ja.__file__).parent
ROOMS = sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file())


def test_imports_point_one_way() -> None:
    program = Path(sys.executable).with_name("lint-imports")  # the environment need not be activated
    assert program.is_file(), "import-linter is missing: pip install -e '.[test]'"
    done = subprocess.run([program], cwd=PACKAGE.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def private_imports(path: Path) -> list[str]:
    """What a module imports from private modules of other rooms."""
    room = path.relative_to(PACKAGE).parts[0]
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("lm_eval_ja."):
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            found += [
                name
                for name in names
                if (parts := name.split("."))[1] in ROOMS
                and parts[1] != room
                and any(part.startswith("_") for part in parts[2:])
            ]
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_private_modules_are_used_in_their_room_only(room: str) -> None:
    found = {str(path.relative_to(PACKAGE)): private_imports(path) for path in (PACKAGE / room).rglob("*.py")}
    assert {path: names for path, names in found.items() if names} == {}


def test_nothing_imports_the_callbacks_which_need_transformers() -> None:
    named = [
        path
        for path in PACKAGE.rglob("*.py")
        if path.parent.name != "callbacks" and "lm_eval_ja.callbacks" in path.read_text(encoding="utf-8")
    ]
    assert named == []
