"""What contributors and services meet: workflows, templates, owners. Held against the repository, without a service."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest brings it

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def workflow(path: Path) -> dict[Any, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in workflow(path)["jobs"].values() for step in job["steps"]]


def scripts(path: Path) -> list[str]:
    return [step["run"] for step in steps(path) if "run" in step]


each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


@each_workflow
def test_a_workflow_may_do_nothing_that_it_does_not_say(path: Path) -> None:
    assert workflow(path)["permissions"] == {}
    jobs = workflow(path)["jobs"].values()
    assert all("permissions" in job and "timeout-minutes" in job for job in jobs)
    writes = [
        (path.stem, kind) for job in jobs for kind, right in job["permissions"].items() if right == "write"
    ]
    assert set(writes) <= {("release", "id-token"), ("docs", "contents")}


@each_workflow
def test_scripts_of_workflows_are_shell_and_take_nothing_from_the_outside(path: Path) -> None:
    for script in scripts(path):
        checked = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
        assert checked.returncode == 0, checked.stderr
        assert "${{" not in script, "what others can write reaches a shell through env only"


@each_workflow
def test_the_sites_sources_are_laid_out_before_it_is_built(path: Path) -> None:
    for script in scripts(path):
        build = re.search(r"\b(mike deploy|mkdocs build)\b", script)
        assert build is None or "scripts/docs_site.py out/docs" in script[: build.start()]


@each_workflow
def test_what_workflows_run_exists(path: Path) -> None:
    for script in scripts(path):
        assert set(re.findall(r"\bmake ([a-z-]+)", script)) <= TARGETS
        assert [
            name for name in re.findall(r"(?:^|\s)(\.ci/\w+(?:\.py)?)", script) if not (ROOT / name).exists()
        ] == []
        extras = re.findall(r"\.\[([\w,]+)\]", script)
        assert {name for names in extras for name in names.split(",")} <= set(
            PROJECT["optional-dependencies"]
        )


def test_every_workflow_was_looked_at() -> None:
    assert {path.stem for path in WORKFLOWS} == {"test", "nightly", "docs", "release"}
    assert sum(len(scripts(path)) for path in WORKFLOWS) >= 8


def test_the_matrix_is_what_the_project_promises() -> None:
    tests = workflow(ROOT / ".github" / "workflows" / "test.yml")["jobs"]
    oldest = PROJECT["requires-python"].removeprefix(">=")
    assert tests["check"]["strategy"]["matrix"]["python"][0] == oldest
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    supported = re.findall(r"^(?:OLD|NEW)=lm_eval==(\S+)$", script, re.MULTILINE)
    assert sorted(tests["harness"]["strategy"]["matrix"]["lm-eval"]) == sorted(supported)


def test_every_owned_place_exists() -> None:
    lines = (ROOT / ".github" / "CODEOWNERS").read_text(encoding="utf-8").splitlines()
    places = [line.split()[0] for line in lines if line.startswith("/")]
    assert places
    assert [place for place in places if not (ROOT / place.strip("/")).exists()] == []


def test_make_targets_in_documents_exist() -> None:
    texts = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / ".github").rglob("*.md")]
    named = {
        name
        for path in texts
        for name in re.findall(r"(?:`|^    )make ([a-z-]+)", path.read_text("utf-8"), re.MULTILINE)
    }
    assert "check" in named
    assert named - TARGETS == set()


def test_the_site_has_every_page() -> None:
    pages = {f"{path.relative_to(ROOT / 'docs')}" for path in (ROOT / "docs").rglob("*.md")}
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert {page for page in pages if page not in text} == set()


def test_the_repository_has_one_address() -> None:
    source = PROJECT["urls"]["Source"]
    assert f"repo_url: {source}\n" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert f'REPOSITORY = "{source}"' in (ROOT / "scripts" / "docs_site.py").read_text(encoding="utf-8")
    for readme in ("README.md", "README.ja.md"):
        assert f"git clone {source}" in (ROOT / readme).read_text(encoding="utf-8")
