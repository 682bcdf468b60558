"""The page under axe-core, the usual checker of accessibility rules, which comes from npm."""

import shutil
import subprocess
import tarfile

import pytest

AXE = "axe-core@4.14.1"
RUN = """
const done = arguments[0];
axe.run(document, { resultTypes: ["violations"] }).then((found) => done(
  found.violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.html.slice(0, 200)}`))));
"""


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The checker's code."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed (Debian: apt-get install npm)")
    folder = tmp_path_factory.mktemp("axe")
    packed = subprocess.run(
        [npm, "pack", "--silent", AXE], check=False, cwd=folder, capture_output=True, text=True
    )
    if packed.returncode:
        pytest.skip(f"npm can't fetch {AXE}: {packed.stderr.strip()[-200:]}")
    with tarfile.open(folder / packed.stdout.split()[-1]) as archive:
        member = archive.extractfile("package/axe.min.js")
        assert member is not None
        return member.read().decode()


def violations(page, axe: str) -> list[str]:
    page.driver.set_script_timeout(120)
    page.js(axe)
    return page.driver.execute_async_script(RUN)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    "view", ["", "#d=jnli&o=b", "#q=mtbench/mtbench-1&d=mtbench"], ids=["whole", "question", "conversation"]
)
def test_the_page_breaks_no_rule(page, report, axe, theme, view):
    page.open(report, view)
    while page.js("return document.documentElement.dataset.theme") != theme:
        page.click("#theme")
    assert violations(page, axe) == []


def test_a_broken_rule_would_be_seen(page, report, axe):
    page.open(report)
    page.js("document.querySelector('main').prepend(document.createElement('img'))")
    assert [rule.partition(":")[0] for rule in violations(page, axe)] == ["image-alt"]
    page.logs()
