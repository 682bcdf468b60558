"""What a model's directory says, what is known of its family, and the files that are written of both."""

import json
import re
from pathlib import Path

import pytest
import yaml

from lm_eval_ja.cli import main
from lm_eval_ja.errors import DataError
from lm_eval_ja.families import families, look, read_template, recognize, thoughts_of, write_configs
from tests.support.model_folders import FOLDERS, make_folder


def seen(name, where):
    model = look(make_folder(name, where))
    return model, recognize(model)


def configs_of(name, where, **options):
    return {one.name: one.text for one in write_configs(*seen(name, where), **options)}


# ------------------------------------------------------------------------------------------------ what is known


def test_every_fact_about_a_family_has_its_source() -> None:
    names = [family.name for family in families()]
    assert len(names) == len(set(names)) > 15
    for family in families():
        assert family.match
        assert family.notes or family.name == "llama4"
        assert all(note.text.endswith(".") and note.source.startswith("https://") for note in family.notes)
        assert family.bos in {"", "needed"}
        assert family.thoughts in {"", "think", "harmony", "mistral"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("base-7b", []),
        ("Qwen3-8B", ["qwen3"]),
        ("gemma-2-9b-it", ["gemma"]),
        ("Llama-3.1-Swallow-8B-Instruct-v0.3", ["swallow", "swallow-llama", "llama3"]),
        ("gpt-oss-20b", ["gpt-oss"]),
        ("llm-jp-3-13b-instruct", ["llm-jp-3"]),
        ("sarashina2.2-3b-instruct-v0.1", ["sarashina"]),
    ],
)
def test_families_are_recognized(name, expected, tmp_path) -> None:
    assert [family.name for family in seen(name, tmp_path)[1]] == expected


def test_a_family_is_recognized_in_the_hub_s_cache(tmp_path) -> None:
    snapshots = tmp_path / "models--elyza--Llama-3-ELYZA-JP-8B" / "snapshots"
    make_folder("base-7b", snapshots).rename(snapshots / "0a1b2c")
    model = look(snapshots / "0a1b2c")
    assert [family.name for family in recognize(model)] == ["elyza"]
    assert not model.named_base


@pytest.mark.parametrize(
    ("name", "thoughts"),
    [
        ("Qwen3-8B", "think"),
        ("Qwen3-4B-Thinking-2507", "think"),
        ("gpt-oss-20b", "harmony"),
        ("gemma-2-9b-it", ""),
        ("base-7b", ""),
    ],
)
def test_thoughts_are_found_in_the_template_or_known(name, thoughts, tmp_path) -> None:
    assert thoughts_of(*seen(name, tmp_path)) == thoughts


def test_only_the_thinking_models_of_a_family_think(tmp_path) -> None:
    found = {}
    for name in ("llm-jp-4-8b-thinking", "llm-jp-4-8b-instruct"):
        make_folder("base-7b", tmp_path).rename(tmp_path / name)
        model = look(tmp_path / name)
        found[name] = thoughts_of(model, recognize(model))
    assert found == {"llm-jp-4-8b-thinking": "harmony", "llm-jp-4-8b-instruct": ""}


# ------------------------------------------------------------------------------------------ what templates do


def test_a_template_is_rendered_to_see_what_it_does(tmp_path) -> None:
    template = seen("Llama-3.1-Swallow-8B-Instruct-v0.3", tmp_path)[0].template
    assert template.prompt.startswith("<|begin_of_text|><|system|>\nToday: ")
    assert template.prompt.endswith("<<QUESTION>><|end|>\n<|assistant|>\n")
    assert (template.adds_bos, template.dated, template.date_argument) == (True, True, True)
    assert (template.system, template.second_turn, template.switch) == ("kept", True, "")


@pytest.mark.parametrize(
    ("name", "system"),
    [("gemma-2-9b-it", "refused"), ("llm-jp-3-13b-instruct", "dropped"), ("Qwen3-8B", "kept")],
)
def test_what_becomes_of_a_system_message(name, system, tmp_path) -> None:
    assert seen(name, tmp_path)[0].template.system == system


@pytest.mark.parametrize(
    ("default", "thinks"), [("true", True), ("false", False)], ids=["on by default", "off by default"]
)
def test_a_switch_is_only_one_if_the_prompt_changes(default, thinks) -> None:
    text = f"{{% if enable_thinking|default({default}) %}}T{{% endif %}}{{{{ messages[0].content }}}}"
    template = read_template(text, bos_token="", eos_token="")
    assert (template.switch, template.thinks) == ("enable_thinking", thinks)
    idle = read_template("{% set x = enable_thinking %}a", bos_token="", eos_token="")
    assert (idle.switch, idle.thinks) == ("", False)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{% for", "TemplateSyntaxError"),
        ("{{ raise_exception('never') }}", "never"),
        ("{{ messages.nothing.deeper }}", "UndefinedError"),
        ("{{ ''.__class__.__mro__ }}{{ cycler.__init__.__globals__ }}", "SecurityError"),
    ],
)
def test_what_cannot_be_rendered_is_said(text, error) -> None:
    assert error in read_template(text, bos_token="", eos_token="").error


def test_marks_for_training_are_left_out() -> None:
    text = "{%- generation -%}{{ messages[0]['content'] }}{%- endgeneration -%}"
    assert read_template(text, bos_token="", eos_token="").prompt == "<<QUESTION>>"


# -------------------------------------------------------------------------------------------------- the files


@pytest.mark.parametrize(
    ("name", "ways"),
    [
        ("base-7b", [""]),
        ("Qwen3-8B-Base", [""]),
        ("gemma-2-9b-it", ["", "-chat"]),
        ("Qwen3-8B", ["", "-chat", "-thinking"]),
        ("Qwen3-4B-Thinking-2507", ["", "-thinking"]),
        ("gpt-oss-20b", ["", "-thinking"]),
    ],
)
def test_there_is_a_file_for_every_way_to_ask(name, ways, tmp_path) -> None:
    assert list(configs_of(name, tmp_path)) == [
        f"{benchmark}{way}.yaml" for benchmark in ("jaster", "mtbench") for way in ways
    ]


@pytest.mark.parametrize("backend", ["hf", "vllm", "server"])
@pytest.mark.parametrize("name", FOLDERS)
def test_every_file_is_yaml_that_lm_eval_knows(name, backend, tmp_path) -> None:
    from lm_eval.config.evaluate_config import EvaluatorConfig

    for file, text in configs_of(name, tmp_path, backend=backend).items():
        (tmp_path / file).write_text(text, encoding="utf-8")
        config = EvaluatorConfig.from_config(tmp_path / file)
        assert config.tasks == ("nejumi_jaster" if file.startswith("jaster") else "nejumi_mtbench")
        assert config.apply_chat_template == ("-" in file)
        assert (
            max(
                map(len, re.sub(r"^ *#? +(http|'|system_|gen_).*$", "", text, flags=re.MULTILINE).split("\n"))
            )
            < 130
        )


def test_the_published_way_asks_every_model_the_same(tmp_path) -> None:
    for name in FOLDERS:
        config = yaml.safe_load(configs_of(name, tmp_path / name)["jaster.yaml"])
        assert config["model_args"]["add_bos_token"] == (name == "gemma-2-9b-it"), "which fails without"
        assert {key for key in config if key not in {"model", "model_args"}} == {
            *("tasks", "batch_size", "output_path", "log_samples")
        }


def test_thoughts_are_off_or_expected(tmp_path) -> None:
    configs = {file: yaml.safe_load(text) for file, text in configs_of("Qwen3-8B", tmp_path).items()}
    assert configs["jaster-chat.yaml"]["model_args"]["enable_thinking"] is False
    assert "enable_thinking" not in configs["jaster-thinking.yaml"]["model_args"]
    assert configs["jaster-thinking.yaml"]["metadata"] == {"thoughts": "think", "token_budget": "+4096"}
    assert configs["jaster-thinking.yaml"]["model_args"]["max_length"] == 8192
    server = yaml.safe_load(configs_of("Qwen3-8B", tmp_path / "server", backend="server")["jaster-chat.yaml"])
    assert server["gen_kwargs"] == {"chat_template_kwargs": {"enable_thinking": False}}


def test_a_prompt_with_today_s_date_is_fixed_where_that_can_be(tmp_path) -> None:
    swallow = configs_of("Llama-3.1-Swallow-8B-Instruct-v0.3", tmp_path)["jaster-chat.yaml"]
    assert yaml.safe_load(swallow)["model_args"]["chat_template_args"] == {"date_string": "26 Jul 2024"}
    assert "# system_instruction: あなたは誠実で優秀な日本人のアシスタントです。" in swallow
    effort = configs_of("gpt-oss-20b", tmp_path)["jaster-thinking.yaml"]
    assert yaml.safe_load(effort)["model_args"]["chat_template_args"] == {"reasoning_effort": "medium"}
    assert "today's date" in effort


# ----------------------------------------------------------------------------------------------- the command


def test_the_command_writes_and_says_what_it_saw(tmp_path, capsys) -> None:
    folder = make_folder("Qwen3-8B", tmp_path)
    arguments = ["run-config", str(folder), "-o", str(tmp_path / "configs")]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "Qwen3 (model_type qwen3)" in out
    assert "think, switched by enable_thinking" in out
    assert len(list((tmp_path / "configs").glob("*.yaml"))) == 6
    assert main(arguments) == 2
    assert "already has jaster.yaml" in capsys.readouterr().err
    assert main([*arguments, "--force"]) == 0


def test_the_page_shows_what_the_command_prints(tmp_path, capsys, monkeypatch) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "run-config.md").read_text(encoding="utf-8")
    shown = re.search(r"^\$ lm-eval-ja run-config (.*)\n((?:[^$].*\n|\n)+)", page, re.MULTILINE)
    make_folder("Qwen3-8B", tmp_path / "models")
    monkeypatch.chdir(tmp_path)
    assert main(["run-config", *shown[1].split()]) == 0
    assert capsys.readouterr().out == shown[2]


def test_an_unknown_family_gets_what_its_directory_says(tmp_path, capsys) -> None:
    assert main(["run-config", str(make_folder("base-7b", tmp_path)), "-o", str(tmp_path)]) == 0
    assert "not known: settings are read from the directory alone" in capsys.readouterr().out
    assert "family is not known (LlamaForCausalLM, model_type llama)" in " ".join(
        (tmp_path / "jaster.yaml").read_text(encoding="utf-8").replace("\n# ", " ").split()
    )


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (None, "hf download"),
        ({"a.txt": ""}, "it has no config.json (it holds a.txt)"),
        ({"config.json": "{"}, "config.json cannot be read"),
        ({"config.json": "[]"}, "config.json holds no JSON object"),
        ({"config.json": "{}", "chat_template.jinja": b"\xff"}, "chat_template.jinja cannot be read"),
    ],
)
def test_what_is_no_model_is_named(files, message, tmp_path) -> None:
    folder = tmp_path / "model"
    if files is not None:
        folder.mkdir()
    for name, content in (files or {}).items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=re.escape(message)):
        look(folder)


def test_a_directory_with_next_to_nothing_is_enough(tmp_path) -> None:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    model = look(tmp_path)
    assert (model.context, model.bos_token, model.adds_bos, model.template) == (None, "", None, None)
    assert [one.name for one in write_configs(model, ())] == ["jaster.yaml", "mtbench.yaml"]


def test_facts_stand_in_several_places(tmp_path) -> None:
    files = {
        "config.json": {"text_config": {"max_position_embeddings": 9}, "auto_map": {"AutoModel": "x.X"}},
        "tokenizer_config.json": {
            "chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]
        },
        "special_tokens_map.json": {"bos_token": {"content": "<s>"}},
        "tokenizer.json": {
            "post_processor": {
                "type": "Sequence",
                "processors": [{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}]}],
            }
        },
    }
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
    model = look(tmp_path)
    assert (model.context, model.custom_code, model.bos_token, model.adds_bos) == (9, True, "<s>", True)
    assert model.template.prompt == "d"
    assert "trust_remote_code: true" in write_configs(model, ())[0].text
