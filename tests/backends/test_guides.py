"""The guides, followed: their files are written, their commands run, in English and Japanese the same ones.

What is replaced is little: the model is a tiny one, the questions are the sample's, servers are local ones.
"""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lm_eval_ja.cli import main
from tests.support.judge_server import JudgeServer
from tests.support.model_server import ModelServer

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "guides"
GUIDES = sorted(path for path in FOLDER.glob("*.md") if not path.name.endswith(".ja.md"))
SERVERS = ("https://api.example.com/v1", "http://localhost:8000/v1")
NOT_OURS = {"pip", "vllm"}


def fences(path: Path, language: str) -> list[str]:
    every = re.findall(r"^```(.*)\n((?:(?!```).*\n)*)```$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return [text for name, text in every if name == language]


def files_of(path: Path) -> dict[str, Any]:
    """The configs that a guide shows, by the name in their first line."""
    return {text.split("\n")[0].removeprefix("# "): yaml.safe_load(text) for text in fences(path, "yaml")}


def commands_of(path: Path) -> list[list[str]]:
    lines = "".join(fences(path, "sh")).replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def each_guide(test: Any) -> Any:
    return pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)(test)


@each_guide
def test_both_languages_show_the_same(guide: Path) -> None:
    japanese = guide.with_suffix(".ja.md")
    assert commands_of(guide) == commands_of(japanese)
    assert files_of(guide) == files_of(japanese)
    for path, other in ((guide, japanese), (japanese, guide)):
        assert f"({other.name})" in path.read_text(encoding="utf-8").split("\n")[2], (
            "a link to the other language"
        )
    assert fences(guide, "") == fences(japanese, ""), "output"


@each_guide
def test_a_guide_can_be_followed(guide, tiny_model, tmp_path, lm_eval_here, monkeypatch, request) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "my-model").symlink_to(tiny_model)
    shown = files_of(guide)
    written = {words[words.index("--config") + 1] for words in commands_of(guide) if "--config" in words}
    for name in written & set(shown):
        Path(name).write_text(yaml.safe_dump(shown.pop(name)), encoding="utf-8")
    bundled = guide.stem == "without-internet"
    if bundled:
        monkeypatch.setenv("LM_EVAL_JA_MIRROR", str(request.getfixturevalue("mirror")))
    with ModelServer() as model, JudgeServer() as judge:
        monkeypatch.setenv("LM_EVAL_JA_JUDGE_BASE_URL", judge.url)
        for words in commands_of(guide):
            follow(words, model.url, lm_eval_here, monkeypatch, real=bundled)
        assert bool(judge.calls) == any("OPENAI_API_KEY=..." in words for words in commands_of(guide))
    for name, config in shown.items():  # what is shown of a file that a command has written
        assert yaml.safe_load(Path("configs", name).read_text(encoding="utf-8")) == config
    assert list(Path("out").rglob("results_*.json"))


def follow(
    words: list[str],
    server: str,
    lm_eval: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    *,
    real: bool,
) -> None:
    """Do what a line says."""
    program, *arguments = words
    if ">" in arguments:
        arguments = arguments[: arguments.index(">")]
    if program == "export":
        for name, _, value in (word.partition("=") for word in arguments):
            monkeypatch.setenv(name, value)
        if arguments[0].startswith(
            "LM_EVAL_JA_OFFLINE"
        ):  # another machine: no mirror, and nothing in its cache
            monkeypatch.delenv("LM_EVAL_JA_MIRROR")
            monkeypatch.setenv("LM_EVAL_JA_CACHE", str(Path("other-cache").absolute()))
    elif program == "lm-eval-ja":
        if arguments[0] == "doctor":  # ends with 1 if answers do not fit
            assert main([*arguments, "--metadata", "data=sample"]) in {0, 1}
        else:
            assert main(arguments) == 0
    elif program == "lm_eval":
        name = arguments[arguments.index("--config") + 1]
        arguments[arguments.index("--config") + 1] = tried(Path(name), server, real=real)
        lm_eval(*arguments)
    else:
        assert program in NOT_OURS, words


def tried(path: Path, server: str, *, real: bool) -> str:
    """A config with what a test needs: little of everything, on a CPU, at local servers. Returns a file's name."""
    text = path.read_text(encoding="utf-8")
    for address in SERVERS:
        text = text.replace(address, server)
    config = yaml.safe_load(text)
    if not real:
        config["metadata"] = {**config.get("metadata", {}), "data": "sample"}
    config["gen_kwargs"] = {**config.get("gen_kwargs", {}), "max_gen_toks": 4}
    config |= {"limit": 1, "device": "cpu", "batch_size": 4 if "batch_size" in config else 1}
    changed = path.with_name(f"tried-{path.name}")
    changed.write_text(yaml.safe_dump(config), encoding="utf-8")
    return str(changed)


def test_nothing_else_is_in_the_folder() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {
        name for guide in GUIDES for name in (guide.name, guide.with_suffix(".ja.md").name)
    }
