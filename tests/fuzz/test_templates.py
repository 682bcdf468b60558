"""Prompt templates and YAML of any kind: refused, or filled as Python's own formatting fills them."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from lm_eval_ja.errors import LmEvalJaError, OptionError
from lm_eval_ja.prompts import Shot, load_preset, make_style, preset_names
from lm_eval_ja.protocols import read_protocol
from lm_eval_ja.report import read_models
from tests.support.for_long import calm, explains, for_long

pytestmark = pytest.mark.timeout(7200)
SEEDS = sorted((Path(__file__).parent / "seeds" / "yaml").iterdir())

TEXTS = st.text(max_size=12) | st.sampled_from(
    ["{", "}", "{}", "{0}", "{x}", "\0", "\ud83d", "\r\n", "\u2028", "あ" * 999]
)
PIECES = st.sampled_from(
    [
        *("{input}", "{output}", "{instruction}", "{few_shots_text}", "{input}{output}", "{input:}"),
        *(
            "{",
            "}",
            "{{",
            "}}",
            "{{input}}",
            "{{{input}}}",
            "{input!r}",
            "{input:>9}",
            "{input.x}",
            "{input[0]}",
        ),
        *("{}", "{0}", "{input", "{ input }", "{input:{input}}", "{few_shot_text}", "{\ud800}", "{input!}"),
    ]
)
TEMPLATES = st.lists(PIECES | TEXTS, max_size=8).map("".join)
USABLE = st.lists(
    st.sampled_from(["{input}", "{instruction}", "{few_shots_text}", "{{", "}}"]) | TEXTS, max_size=6
)
ANY = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.lists(TEXTS, max_size=2)
    | st.binary(max_size=4)
)
SHOTS = st.lists(st.builds(Shot, TEXTS, TEXTS), max_size=3)


def expected(prompt: str, few_shot: str, instruction: str, shots: list[Shot], question: str) -> str:
    """The prompt, by Python's own formatting: templates that are accepted hold nothing that it takes otherwise."""
    chunks = "".join(few_shot.format(input=shot.input, output=shot.output) for shot in shots)
    return prompt.format(instruction=instruction, few_shots_text=chunks, input=question)


PROMPT, FEW_SHOT = "{instruction}{few_shots_text}{input}", "{input}{output}"
"""Templates in place of None; what they give is compared where neither was None."""


def check_style(prompt, few_shot, instruction, shots, question) -> None:
    try:
        style = make_style("alpaca", prompt, few_shot)
        text = style.text(instruction, shots, question)
    except OptionError as error:
        explains(error)
        return
    if prompt is not None:
        prompt.encode()
    if few_shot is not None:
        few_shot.encode()
    if prompt is not None and (few_shot is not None or not shots):
        assert text == expected(prompt, few_shot or "", instruction, shots, question)
    if prompt is None and few_shot is None:
        assert style == make_style()
    else:
        assert style.name.startswith("custom-")
    again = make_style("alpaca", prompt, few_shot)
    assert again == style


def test_a_template_is_refused_or_means_what_it_says() -> None:
    templates = st.none() | TEMPLATES | USABLE.map("".join) | ANY

    @calm
    @given(templates, templates, TEXTS, SHOTS, TEXTS)
    @example("\ud800{input}", None, "", [], "")
    @example("{input" + "x" * 100_000, None, "", [], "")
    @example(10**5000, None, "", [], "")
    def check(prompt, few_shot, instruction, shots, question) -> None:
        check_style(prompt, few_shot, instruction, shots, question)

    for_long(check)


def test_names_of_styles_are_refused_or_known() -> None:
    @calm
    @given(ANY | TEXTS | st.sampled_from(["alpaca", "chat", "alpaca_2_1", "default_2_1", "Chat"]))
    @example([["alpaca"]])
    @example(10**5000)
    def check(name) -> None:
        try:
            style = make_style(name)
        except OptionError as error:
            explains(error, most=500)
        else:
            assert style.name == name

    for_long(check)


# ------------------------------------------------------------------------------------------------------------- YAML

SCALARS = st.sampled_from(
    [
        *(
            "prompt",
            "few_shot",
            "chat_markup",
            "description",
            "size",
            "labels",
            "<<",
            "=",
            "~",
            "''",
            "x",
            "7.2B",
        ),
        *(
            "2001-99-99",
            "1:99:99",
            "1" * 5000,
            "0o9",
            "0x",
            "08",
            "1e999",
            ".nan",
            "-.inf",
            "yes",
            "@",
            "%",
            "\t",
        ),
        *(
            "'{input}'",
            '"{input}{output}"',
            '"\\ud800"',
            '"\\UFFFFFFFF"',
            "!!int x",
            "!!int ''",
            "!!float ''",
        ),
        *(
            "!!bool x",
            "!!timestamp x",
            "!!binary é",
            "!!python/object:x.y {}",
            "!x y",
            "&a",
            "*a",
            "*b",
            "|",
            ">",
        ),
    ]
)
BLOCKS = st.recursive(
    SCALARS | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda parts: f"[{', '.join(parts)}]")
        | st.lists(st.tuples(inner, inner), max_size=4).map(
            lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"
        )
    ),
    max_leaves=8,
)
LINES = st.lists(st.tuples(SCALARS | TEXTS, BLOCKS), max_size=5).map(
    lambda pairs: "".join(f"{key}: {value}\n" for key, value in pairs)
)
PRESETS = st.dictionaries(
    st.sampled_from(["prompt", "few_shot", "chat_markup", "description", "fewshot"]),
    TEMPLATES | USABLE.map("".join) | ANY,
    max_size=4,
).map(lambda raw: yaml.safe_dump(raw, allow_unicode=True))
FILES = (LINES | BLOCKS | PRESETS).map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(
    max_size=40
)


def check_file(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    for read in (load_preset, lambda name: read_models(Path(name)), lambda name: read_protocol(Path(name))):
        check_reader(read, path)


def check_reader(read: Callable[[str], object], path: Path) -> None:
    try:
        found = read(str(path))
    except LmEvalJaError as error:
        explains(error, str(path), path.name, most=4_000)
    else:
        repr(found).encode()


@pytest.mark.parametrize("seed", SEEDS, ids=lambda path: path.name)
def test_what_once_broke_a_reader_is_read_or_refused(seed: Path, tmp_path: Path) -> None:
    check_file(tmp_path / "own.yaml", seed.read_bytes())


def test_any_yaml_is_read_or_refused(tmp_path: Path) -> None:
    @calm
    @given(FILES)
    @example(b"- " * 5_000)
    @example(b"{a: " * 5_000)
    @example(b"prompt: " + b"1" * 5_000)
    def check(content: bytes) -> None:
        check_file(tmp_path / "own.yaml", content)

    for_long(check)


def test_a_preset_means_what_its_templates_mean(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"

    @calm
    @given(USABLE.map("".join), st.none() | st.just("{output}<{input}>"), st.booleans(), SHOTS, TEXTS)
    def check(prompt: str, few_shot: str | None, markup: bool, shots: list[Shot], question: str) -> None:
        raw = {"prompt": prompt, "few_shot": few_shot, "chat_markup": markup}
        path.write_bytes(yaml.safe_dump(raw).encode())
        with contextlib.suppress(OptionError):
            text = make_style("alpaca", prompt, few_shot).text("I", shots, question)
            preset = load_preset(str(path))
            assert preset.style.text("I", shots, question) == text
            assert (preset.prompt, preset.few_shot, preset.chat_markup) == (prompt, few_shot, markup)

    for_long(check)


def test_any_name_of_a_preset_is_known_or_refused() -> None:
    @calm
    @given(
        ANY
        | TEXTS
        | st.sampled_from(["~nobody/x.yaml", "\0.yaml", "a/\ud800", "あ" * 999 + ".yml", "/dev/null/x"])
    )
    def check(name) -> None:
        try:
            assert load_preset(name).name == name
        except OptionError as error:
            explains(error, most=4_000)
        else:
            assert name in preset_names()

    for_long(check)
