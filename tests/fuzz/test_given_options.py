"""Options of any name and value: refused with an OptionError, or they mean what they say."""

import json
import math
import os
from dataclasses import MISSING, fields
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lm_eval_ja.cli import main
from lm_eval_ja.errors import LmEvalJaError, OptionError
from lm_eval_ja.judge import load_prompts
from lm_eval_ja.judge.options import JudgeOptions
from lm_eval_ja.options import pick
from lm_eval_ja.tasks.options import JasterOptions
from tests.support.for_long import calm, explains, for_long

pytestmark = pytest.mark.timeout(7200)

HUGE = 10**4000
ITSELF: list[object] = []
ITSELF.append(ITSELF)

NAMES = [field.name for options in (JasterOptions, JudgeOptions) for field in fields(options)]
NEARLY = st.builds(
    lambda name, at, to: name[: at % len(name)] + to + name[at % len(name) + 1 :],
    st.sampled_from(NAMES),
    st.integers(0, 30),
    st.sampled_from(["", "x", "_", "é"]),
)
TEXTS = st.text(max_size=12) | st.sampled_from(
    [
        *(
            "alpaca",
            "chat",
            "chatml",
            "real",
            "sample",
            "dev",
            "test",
            "none",
            "NONE",
            "nejumi",
            "gpt-4",
            "true",
            "1",
        ),
        *(
            "{input}",
            "{instruction}{few_shots_text}{input}",
            "{input}{output}",
            "\ud800",
            "\0",
            "x" * 100_000,
            "~nobody",
        ),
        *(
            "http://127.0.0.1:9/v1",
            "http://127.0.0.1:99999/v1",
            "http://[::1",
            "//x",
            "http://u:p@x/v1",
            "HOUSE_KEY",
        ),
    ]
)
NUMBERS = st.sampled_from(
    [
        0,
        1,
        -1,
        2,
        3,
        32,
        1000,
        1001,
        10**9,
        2**63,
        10**400,
        HUGE,
        -HUGE,
        1.0,
        0.5,
        1e308,
        math.inf,
        -math.inf,
        math.nan,
    ]
)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS | st.binary(max_size=3)
VALUES = SCALARS | st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
PRICES = st.lists(NUMBERS, min_size=2, max_size=2)
GIVEN = st.dictionaries(
    st.sampled_from(NAMES) | NEARLY | TEXTS | st.none() | st.integers(), VALUES | PRICES, max_size=4
)


def check_pick(options, given):
    """What is accepted is what was given, or the default where nothing was."""
    try:
        found = options(given)
    except OptionError as error:
        explains(error)
        return None
    for field in fields(found):
        assert field.default is not MISSING
        value = given.get(field.name, field.default)
        own = getattr(found, field.name)
        assert own == value or own is value
    return found


@calm
@given(GIVEN)
@example({"max_samples": 10**400})
@example({"max_samples": HUGE})
@example({"split": ["dev"]})
@example({"notes": ITSELF})
@example({"prompt_preset": "chatml", "custom_prompt_template": ""})
def check_jaster(options) -> None:
    found = check_pick(lambda own: pick(JasterOptions, own), options)
    if found is None:
        return
    try:
        style = found.style("alpaca")
    except OptionError as error:
        explains(error)
        return
    one_of = [
        found.prompt_preset,
        found.prompt_style,
        found.custom_prompt_template or found.custom_fewshots_template,
    ]
    assert sum(name is not None for name in one_of) <= 2, (
        "a template of one's own may name the style that it has"
    )
    assert found.prompt_preset is None or one_of[1:] == [None, None]
    if found.prompt_style is not None:
        assert style.name.startswith(("custom-", found.prompt_style))
    if found.custom_prompt_template is not None:
        assert style.text("I", [], "Q") == found.custom_prompt_template.format(
            instruction="I", few_shots_text="", input="Q"
        )


@calm
@given(GIVEN)
@example({"judge_repeats": 2**63})
@example({"judge_max_tokens": 10**400})
@example({"judge_price": [10**400, 1]})
@example({"judge_price": [1, 2], "judge_max_cost": math.inf})
@example({"judge_model": "\ud800"})
@example({"judge_model": "a\0b"})
@example({"judge_concurrency": HUGE})
@example({"judge_base_url": "http://x:" + "1" * 5_000})
def check_judge(options) -> None:
    found = check_pick(JudgeOptions.from_run, options)
    if found is None:
        return
    config = found.config()
    assert (config.model, config.base_url, config.repeats) == (
        found.judge_model,
        found.judge_base_url,
        found.judge_repeats,
    )
    json.dumps([config.model, config.base_url], ensure_ascii=False).encode()  # what a request is made of
    assert 0 < config.repeats <= 1000
    assert math.isfinite(sum(map(float, found.judge_price or (0, 0))) * config.max_tokens)


def test_options_of_jaster(monkeypatch) -> None:
    for_long(check_jaster)


def test_options_of_the_judge(monkeypatch) -> None:
    for name in os.environ:
        if name.startswith("LM_EVAL_JA_JUDGE"):
            monkeypatch.delenv(name)
    for_long(check_judge)


def test_variables_of_the_judge_are_options_of_the_judge(monkeypatch) -> None:
    """As the same options given: a variable holds a text, or JSON where the option is no text."""
    texts = {"judge_api", "judge_model", "judge_base_url", "judge_api_key_env", "judge_prompts"}
    usable = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=10)
    values = usable | st.sampled_from(
        ["1", "true", "[30, 60]", "[" * 100_000, "1" * 5_000, "1e999", "NaN", '{"a": 1}', "none", "4"]
    )
    names = [field.name for field in fields(JudgeOptions) if field.name != "data"]

    @calm
    @given(st.dictionaries(st.sampled_from(names), values, max_size=3))
    @example({"judge_repeats": "[" * 100_000})
    @example({"judge_model": "4"})
    def check(given_values) -> None:
        with monkeypatch.context() as patch:
            for name, value in given_values.items():
                patch.setenv(f"LM_EVAL_JA_{name.upper()}", value)
            try:
                found = JudgeOptions.from_run(None)
            except OptionError as error:
                explains(error)
                return
        for name, value in given_values.items():
            if value:
                assert getattr(found, name) == (value if name in texts else json.loads(value))

    for_long(check)


# ------------------------------------------------------------------------------------------------------ in a task


@pytest.fixture
def sample_task(monkeypatch, tmp_path):
    """Makes a task of ours on the sample data, as the harness does, with all its requests."""
    from lm_eval.tasks import TaskManager

    from lm_eval_ja.plugin import TASKS_PATH

    monkeypatch.setenv("LM_EVAL_JA_CACHE", str(tmp_path))
    monkeypatch.setenv("LM_EVAL_JA_OFFLINE", "1")

    def make(name, metadata, shots, system):
        metadata = {"data": "sample", "judge_preflight": False, **metadata}
        manager = TaskManager(include_path=str(TASKS_PATH), include_defaults=False, metadata=metadata)
        task = manager.load([name])["tasks"][name]
        task.set_config("num_fewshot", shots)
        task.build_all_requests(rank=0, world_size=1, system_instruction=system)
        return task

    return make


def test_what_a_task_accepts_is_what_it_asks(sample_task, capsys) -> None:
    own = st.dictionaries(
        st.sampled_from([field.name for field in fields(JasterOptions)]) | TEXTS, VALUES, max_size=3
    )

    @settings(calm, max_examples=30)
    @given(
        st.sampled_from(["jnli", "jsts", "wiki_ner"]),
        own,
        NUMBERS | st.sampled_from(["2", None]),
        st.none() | TEXTS,
    )
    @example("jnli", {"max_samples": 10**400}, 0, None)
    @example("jnli", {}, -1, None)
    @example("jnli", {}, True, None)
    @example("jnli", {}, "2", None)
    @example("jnli", {}, 0, "\ud800")
    def check(dataset, metadata, shots, system) -> None:
        if metadata.get("data") == "real":
            return
        try:
            task = sample_task(f"nejumi_jaster_{dataset}", metadata, shots, system)
        except LmEvalJaError as error:
            explains(error)
            return
        count = metadata.get("max_samples")
        assert len(task.instances) == len(task.eval_docs)
        if count is not None and count != -1:
            assert len(task.eval_docs) <= count
        assert metadata.get("split") in (None, task.split)
        for request in task.instances:
            prompt = request.args[0]
            prompt.encode()
            assert request.doc["input"] in prompt
            assert prompt.startswith(system or "")
        facts = task.facts()["signature"]
        assert f"|shots:{shots or 0}|" in facts
        assert ("|sys:" in facts) == bool(system)

    for_long(check)
    capsys.readouterr()


def test_a_dry_run_of_any_judge_says_what_it_would_take(sample_task, capsys) -> None:
    names = [field.name for field in fields(JudgeOptions) if field.name != "data"]
    own = st.dictionaries(st.sampled_from(names) | TEXTS, VALUES | PRICES, max_size=4)

    @settings(calm, max_examples=25)
    @given(own)
    @example({"judge_repeats": 1000, "judge_max_tokens": 10**9, "judge_price": [1e12, 1e12]})
    @example({"judge_prompts": "\0"})
    @example({"judge_prompts": "~nobody/prompts"})
    def check(metadata) -> None:
        try:
            task = sample_task("nejumi_mtbench_coding", {**metadata, "judge_dry_run": True}, 0, None)
        except LmEvalJaError as error:
            explains(error)
            return
        for instance in task.instances:
            instance.resps = [("one", "two", "second prompt")]
        capsys.readouterr()
        task.apply_filters()
        said = capsys.readouterr().err
        repeats = task.options.judge_repeats
        assert metadata.get("judge_repeats", 1) == repeats
        if task.options.judging:
            assert f"{2 * repeats} judgments by {task.options.judge_model}" in said
        (record,) = [json.loads(instance.filtered_resps["none"]) for instance in task.instances]
        assert all("TypeError" not in turn["reason"] for turn in record["judgments"])
        assert all("Error:" not in turn["reason"] for turn in record["judgments"])

    for_long(check)


# ----------------------------------------------------------------------------------------------- prompts of a judge

FIELDS = [
    "{question}",
    "{answer}",
    "{question_1}",
    "{answer_1}",
    "{ref_answer_1}",
    "{{",
    "}}",
    "{",
    "{x}",
    "\ud800",
]
ENTRIES = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["single-v1", "single-math-v1", "single-v1-multi-turn", "pair-v2"]) | VALUES,
        "system_prompt": TEXTS | VALUES,
        "prompt_template": st.lists(st.sampled_from(FIELDS), max_size=5).map("".join) | VALUES,
    }
)


def as_line(value) -> bytes:
    try:
        return json.dumps(value, default=str).encode()
    except ValueError:
        return b"1" * 5_000


PROMPT_FILES = st.lists(ENTRIES.map(as_line) | st.binary(max_size=9), max_size=4).map(b"\n".join)


def test_any_file_of_judge_prompts_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"

    @calm
    @given(PROMPT_FILES)
    @example(b"[" * 100_000)
    @example(b"1" * 5_000)
    def check(content: bytes) -> None:
        path.write_bytes(content)
        try:
            prompts = load_prompts(path)
        except OptionError as error:
            explains(error, str(path))
        else:
            for template in prompts.templates.values():
                template.system.encode()
                "".join(text for text, _ in template.parts).encode()

    for_long(check)


# ------------------------------------------------------------------------------------------------- the command line


def test_any_metadata_of_our_own_commands(capsys, monkeypatch, tmp_path) -> None:
    """`lm-eval-ja prompts` in this process: 0 with prompts, or 2 with one line that says why."""
    monkeypatch.setenv("LM_EVAL_JA_CACHE", str(tmp_path))
    monkeypatch.setenv("LM_EVAL_JA_OFFLINE", "1")
    texts = st.text(st.characters(blacklist_categories=["Cs"]), max_size=12)
    pairs = st.builds(lambda key, value: f"{key}={value}", st.sampled_from(NAMES) | NEARLY | texts, texts)
    some = st.one_of(
        texts,
        pairs,
        st.dictionaries(
            st.sampled_from(NAMES) | texts, st.none() | st.booleans() | texts | st.integers(), max_size=2
        ).map(json.dumps),
        st.sampled_from(
            [
                "{",
                "[]",
                "[" * 100_000,
                '{"max_samples": ' + "1" * 5000 + "}",
                "max_samples=" + "1" * 5000,
                "=",
                "a=b,c",
            ]
        ),
    )

    @settings(calm, max_examples=25)
    @given(st.lists(some, min_size=1, max_size=2))
    @example(["max_samples=" + "1" * 5000])
    def check(values) -> None:
        output = tmp_path / "prompts.jsonl"
        output.unlink(missing_ok=True)
        command = ["prompts", "--tasks", "nejumi_jaster_jnli", "-o", str(output), "--metadata", "data=sample"]
        status = main([*command, *(value for value in values if not value.startswith("-"))])
        said = capsys.readouterr().err
        assert (status, output.exists()) in {(0, True), (2, False)}, said
        assert "Traceback" not in said

    for_long(check)
