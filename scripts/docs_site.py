"""Lay out the documentation site's sources: ``docs/``, the pages at the repository's root, and the API reference.

    python scripts/docs_site.py out/docs && mkdocs build      # `make docs` does both

Documents link each other as files of the repository, so that they read well there, too. Here the README and its
neighbours become pages, links between both places are turned, and links to anything else lead to the repository.
"""

import argparse
import re
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REPOSITORY = "https://github.com/lm-eval-ja/lm-eval-ja"
PAGES = {
    "README.md": "readme.md",
    "README.ja.md": "readme.ja.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "RELEASING.md": "releasing.md",
}
"""File at the root -> page of the site."""
API = (
    "protocols",
    "results",
    "analysis",
    "metrics",
    "datasets",
    "prompts",
    "judge",
    "rescoring",
    "report",
    "errors",
)
"""Rooms whose public names make up the library."""

_LINK = re.compile(r"(!?\[[^\]]*\]\()([^()\s]+)(\))")


def turn_links(text: str, file: Path, page: str) -> str:
    """The text of a document with its links as the site needs them.

    Args:
        text: Markdown.
        file: The document in the repository.
        page: The page's path on the site.
    """
    up = "../" * page.count("/")

    def turned(match: re.Match[str]) -> str:
        target, mark, anchor = match[2].partition("#")
        path = (file.parent / target).resolve()
        if not target or ":" in target or not path.is_relative_to(ROOT):
            return match[0]
        inside = path.relative_to(ROOT).as_posix()
        if inside in PAGES:
            link = up + PAGES[inside]
        elif inside.startswith("docs/"):
            link = up + inside.removeprefix("docs/")
        else:
            link = f"{REPOSITORY}/{'tree' if path.is_dir() else 'blob'}/main/{inside}"
        return f"{match[1]}{link}{mark}{anchor}{match[3]}"

    return _LINK.sub(turned, text)


def lay_out(out: Path) -> None:
    """Write the site's sources into a folder, in place of what stood there."""
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(ROOT / "docs", out)
    sources = {path: path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    sources |= {ROOT / name: page for name, page in PAGES.items()}
    for file, page in sources.items():
        (out / page).write_text(turn_links(file.read_text(encoding="utf-8"), file, page), encoding="utf-8")
    (out / "api").mkdir()
    for room in API:
        text = f"# `lm_eval_ja.{room}`\n\n::: lm_eval_ja.{room}\n"
        (out / "api" / f"{room}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Lay out the documentation site's sources.")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder that is written anew")
    lay_out(parser.parse_args().out)
