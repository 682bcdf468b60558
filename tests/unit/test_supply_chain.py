"""What the package depends on and never does: declared imports, no code from data."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import lm_eval_ja

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(lm_eval_ja.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
DISTRIBUTIONS = {"yaml": "pyyaml", "comet": "unbabel-comet"}
"""Distributions that are not called what is imported."""


def requirements() -> dict[str, dict[str, str]]:
    """Names and requirements of pyproject.toml: ``"core"`` and each extra."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extras = text.partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    found = {"core": re.search(r"^dependencies = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)[1]}
    found |= dict(re.findall(r"^(\w+) = \[(.*?)\](?:  #[^\n]*)?$", extras, re.MULTILINE | re.DOTALL))
    return {
        name: {re.match(r"[\w-]+", own)[0].lower(): own for own in re.findall(r'"([^"]+)"', listed)}
        for name, listed in found.items()
    }


def imports(module: Path) -> Iterator[tuple[str, bool]]:
    """Distributions that a module imports, and whether that happens when it is imported itself."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module]
        else:
            continue
        for name in names:
            top = name.partition(".")[0]
            if top not in sys.stdlib_module_names and top != "lm_eval_ja":
                yield DISTRIBUTIONS.get(top, top), node in tree.body


def test_every_import_is_a_declared_dependency() -> None:
    declared = requirements()
    extras = {name for extra in ("hf", "judge", "wandb", "comet") for name in declared[extra]}
    extras |= {"transformers"}  # of lm_eval[hf]
    imported = {(name, top) for module in MODULES for name, top in imports(module)}
    assert {name for name, top in imported if top} <= declared["core"].keys()
    assert {name for name, _ in imported} <= declared["core"].keys() | extras
    assert declared["core"].keys() <= {name for name, _ in imported}  # nothing is declared for nothing


def test_the_documentation_gives_a_reason_for_every_requirement() -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    reasons = dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", text, re.MULTILINE))
    listed = {own for extra in requirements().values() for own in extra.values()}
    assert reasons.keys() == listed
    assert all(len(reason) > 20 for reason in reasons.values())


def test_no_upper_bound_without_a_reason() -> None:
    capped = {own for extra in requirements().values() for own in extra.values() if re.search("<|==|~=", own)}
    # pkg_resources, which COMET imports, is gone from later ones; fuzzywuzzy 0.18.0 is the reference itself.
    assert capped == {"setuptools<81", "fuzzywuzzy==0.18.0"}


FORBIDDEN_IMPORTS = {"pickle", "cPickle", "dill", "marshal", "shelve", "joblib"}
FORBIDDEN_CALLS = {
    "eval",
    "exec",
    "extractall",
    "extract",
    "unpack_archive",
    "system",
    "popen",
    "unsafe_load",
    "full_load",
}


def offences(tree: ast.AST) -> Iterator[str]:
    """Ways in which data could become code, or an endpoint go unchecked."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            yield from (name for name in names if name.partition(".")[0] in FORBIDDEN_IMPORTS)
        elif isinstance(node, ast.Call):
            function = node.func
            name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
            whose = getattr(getattr(function, "value", None), "id", "")
            if name in FORBIDDEN_CALLS or (whose, name) == ("torch", "load"):
                yield f"{whose}.{name}"
            if (whose, name) == ("yaml", "load") and not (len(node.args) > 1 or node.keywords):
                yield "yaml.load without a loader"
            for keyword in node.keywords:
                value = getattr(keyword.value, "value", None)
                if (keyword.arg, value) in {
                    ("verify", False),
                    ("shell", True),
                    ("allow_pickle", True),
                    ("trust_remote_code", True),
                }:
                    yield f"{name}({keyword.arg}={value})"
        elif isinstance(node, ast.Attribute) and node.attr in {"CERT_NONE", "_create_unverified_context"}:
            yield node.attr


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from dill import loads",
        "eval(text)",
        "tar.extractall(path)",
        "torch.load(path)",
        "yaml.load(text)",
        "requests.get(url, verify=False)",
        "subprocess.run(text, shell=True)",
        "numpy.load(path, allow_pickle=True)",
        "AutoTokenizer.from_pretrained(name, trust_remote_code=True)",
        "context.verify_mode = ssl.CERT_NONE",
    ],
)
def test_the_search_for_offences_finds_them(code: str) -> None:
    assert list(offences(ast.parse(code)))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_data_never_becomes_code(module: Path) -> None:
    assert list(offences(ast.parse(module.read_text(encoding="utf-8")))) == []


def test_the_yaml_loader_of_the_task_files_is_a_safe_one() -> None:
    import yaml

    from lm_eval_ja.tasks import catalog

    assert issubclass(catalog._Loader, yaml.SafeLoader)
