"""What the package needs: declared, documented, imported, and nothing else; and what it must never do."""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import lm_eval_ja

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest brings it

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(lm_eval_ja.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
PAGE = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

CALLED = {"pyyaml": "yaml", "unbabel-comet": "comet"}
"""Import names that are not the distribution's."""
BROUGHT = {
    "torch": "lm_eval[hf]",
    "transformers": "lm_eval[hf]",
    "math_verify": "lm_eval[math]",
}
"""Import names that come with an extra of another package."""


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


# ------------------------------------------------------------------------------------------- what is declared


def declared() -> dict[str, list[str]]:
    """Requirements by extra; what is always installed under an empty name."""
    return {"": PROJECT["project"]["dependencies"], **PROJECT["project"]["optional-dependencies"]}


def documented() -> dict[str, dict[str, str]]:
    """Who uses it, by extra and requirement, from the page's two tables."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    _, always, extras, _ = PAGE.split("\n## ", 3)
    for requirement, users in re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", always, re.MULTILINE):
        found[""][requirement] = users
    for extra, requirement, users in re.findall(
        r"^\| `([\w-]+)` \| (\S+) \| ([^|]+) \|", extras, re.MULTILINE
    ):
        if requirement == "nothing":
            found.setdefault(extra, {})
        else:
            found[extra][requirement.strip("`")] = users
    return dict(found)


def test_every_requirement_stands_in_the_documents_and_nothing_else() -> None:
    assert {extra: sorted(rows) for extra, rows in documented().items()} == {
        extra: sorted(requirements) for extra, requirements in declared().items()
    }


def test_what_builds_the_package_is_documented() -> None:
    assert [name for name in PROJECT["build-system"]["requires"] if f"`{name}`" not in PAGE] == []


@pytest.mark.parametrize("extra", ["", "judge", "wandb", "ifeval"])
def test_every_requirement_of_ours_has_a_lower_bound_and_no_upper_one(extra: str) -> None:
    for requirement in map(Requirement, declared()[extra]):
        assert [clause.operator for clause in requirement.specifier] == [">="], requirement


def test_the_only_upper_bound_is_the_documented_one() -> None:
    requirements = [Requirement(name) for names in declared().values() for name in names]
    capped = [r for r in requirements if any(clause.operator not in {">=", "=="} for clause in r.specifier)]
    assert list(map(str, capped)) == ["setuptools<81"]


# ------------------------------------------------------------------------------------------- what comes in


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Third-party packages that a file imports, and whether importing the file imports them."""

    def within(node: ast.AST, at_once: bool) -> Iterator[tuple[str, bool]]:
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "importlib.import_module":
            names = [ast.literal_eval(node.args[0])]
        for name in names:
            top = name.partition(".")[0]
            if top not in sys.stdlib_module_names and top != "lm_eval_ja":
                yield top, at_once
        later = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or (
            isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        )
        for child in ast.iter_child_nodes(node):
            yield from within(child, at_once and not later)

    return within(tree(path), True)


@cache
def importers() -> dict[str, dict[Path, bool]]:
    """Files by the package they import, with whether it is imported at once."""
    found: dict[str, dict[Path, bool]] = defaultdict(dict)
    for path in FILES:
        for name, at_once in imports(path):
            found[name][path] = found[name].get(path, False) or at_once
    return found


def import_name(requirement: str) -> str:
    name = canonicalize_name(Requirement(requirement).name)
    return CALLED.get(name, name.replace("-", "_"))


def rooms(names: set[str]) -> set[str]:
    """Where in the package something is imported."""
    paths = {path.relative_to(PACKAGE) for name in names for path in importers().get(name, {})}
    return {path.parts[0].removesuffix(".py") for path in paths}


def test_nothing_undeclared_is_imported() -> None:
    extras = ("", "judge", "wandb", "ifeval", "comet")
    requirements = [requirement for extra in extras for requirement in declared()[extra]]
    assert set(importers()) - {import_name(name) for name in requirements} - set(BROUGHT) == set()


@pytest.mark.parametrize("requirement", PROJECT["project"]["dependencies"])
def test_what_is_always_installed_is_needed_where_the_documents_say(requirement: str) -> None:
    assert rooms({import_name(requirement)}) == set(re.findall(r"`(\w+)`", documented()[""][requirement]))


@pytest.mark.parametrize(
    ("extra", "requirement", "names"),
    [
        ("hf", "lm_eval[hf]", {"transformers"}),
        ("judge", "openai>=1.56", {"openai"}),
        ("wandb", "wandb>=0.18.6", {"wandb"}),
        ("ifeval", "janome>=0.5.0", {"janome"}),
        ("ifeval", "langdetect>=1.0.9", {"langdetect"}),
        ("comet", "unbabel-comet>=2.2.7", {"comet", "torch"}),
    ],
)
def test_what_is_optional_is_imported_where_it_is_used_only(
    extra: str, requirement: str, names: set[str]
) -> None:
    assert rooms(names) == set(re.findall(r"`(\w+)`", documented()[extra][requirement]))
    own = PACKAGE / "callbacks"  # derives from a class of transformers; nothing else imports it
    at_once = [path for name in names for path, now in importers()[name].items() if now]
    assert [path for path in at_once if path.parent != own] == []


# ------------------------------------------------------------------------------------------- what it never does

FORBIDDEN = {
    *("eval", "exec", "compile", "__import__", "yaml.load", "yaml.unsafe_load", "yaml.full_load"),
    *("os.system", "os.popen", "subprocess.getoutput", "ssl._create_unverified_context"),
}


def dangers(node: ast.AST) -> Iterator[str]:
    """What docs/dependencies.md says that the package has none of."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [str(node.module)]
        yield from {"pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle"} & set(names)
    if isinstance(node, ast.Attribute) and node.attr in {"CERT_NONE", "extractall", "extract"}:
        yield node.attr
    if isinstance(node, ast.Call):
        if (name := ast.unparse(node.func)) in FORBIDDEN:
            yield name
        for keyword in node.keywords:
            if (keyword.arg, ast.unparse(keyword.value)) in {("shell", "True"), ("verify", "False")}:
                yield f"{keyword.arg}={ast.unparse(keyword.value)}"


DANGEROUS = """
import pickle
from marshal import loads
eval(x)
yaml.load(x)
requests.get(x, verify=False)
subprocess.run(x, shell=True)
tar.extractall()
context.verify_mode = ssl.CERT_NONE
"""


def test_dangers_are_seen() -> None:
    assert len([name for node in ast.walk(ast.parse(DANGEROUS)) for name in dangers(node)]) == 8


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_of_the_package_does_what_is_dangerous(path: Path) -> None:
    assert [name for node in ast.walk(tree(path)) for name in dangers(node)] == []
