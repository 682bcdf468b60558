"""Task files: what is committed is what protocols say, complete in itself, under the names there have always been."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

import lm_eval_ja
from lm_eval_ja.cli import main
from lm_eval_ja.protocols import (
    DatasetRules,
    Leaf,
    find_conversation,
    find_node,
    load_protocol,
    protocol_names,
)
from lm_eval_ja.tasks._block import ConversationBlock, JasterBlock, read_block

TASKS = Path(lm_eval_ja.__file__).parent / "tasks"
FILES = sorted(TASKS.rglob("*.yaml"))
SCORE = "!function lm_eval_ja.tasks.groups.score"

_NAMES = """
llm_jp_eval llm_jp_eval_alt-e-to-j llm_jp_eval_alt-j-to-e llm_jp_eval_chabsa llm_jp_eval_el llm_jp_eval_fa
llm_jp_eval_he llm_jp_eval_jamp llm_jp_eval_janli llm_jp_eval_jblimp llm_jp_eval_jcola-in-domain
llm_jp_eval_jcola-out-of-domain llm_jp_eval_jcommonsenseqa llm_jp_eval_jemhopqa llm_jp_eval_jmmlu
llm_jp_eval_jnli llm_jp_eval_jsem llm_jp_eval_jsick llm_jp_eval_jsquad llm_jp_eval_jsts llm_jp_eval_mawps
llm_jp_eval_mc llm_jp_eval_mmluen llm_jp_eval_mr llm_jp_eval_mt llm_jp_eval_niilc llm_jp_eval_nli
llm_jp_eval_qa llm_jp_eval_rc llm_jp_eval_wiki_coreference llm_jp_eval_wiki_dependency llm_jp_eval_wiki_ner
llm_jp_eval_wiki_pas llm_jp_eval_wiki_reading llm_jp_eval_wikicorpus-e-to-j llm_jp_eval_wikicorpus-j-to-e
llm_jp_eval_1_4 llm_jp_eval_1_4_aio llm_jp_eval_1_4_alt-e-to-j llm_jp_eval_1_4_alt-j-to-e
llm_jp_eval_1_4_chabsa llm_jp_eval_1_4_commonsensemoralja llm_jp_eval_1_4_el llm_jp_eval_1_4_fa
llm_jp_eval_1_4_he llm_jp_eval_1_4_jamp llm_jp_eval_1_4_janli llm_jp_eval_1_4_jcommonsenseqa
llm_jp_eval_1_4_jemhopqa llm_jp_eval_1_4_jmmlu llm_jp_eval_1_4_jnli llm_jp_eval_1_4_jsem
llm_jp_eval_1_4_jsick llm_jp_eval_1_4_jsquad llm_jp_eval_1_4_jsts llm_jp_eval_1_4_kuci
llm_jp_eval_1_4_mawps llm_jp_eval_1_4_mc llm_jp_eval_1_4_mmlu_en llm_jp_eval_1_4_mr llm_jp_eval_1_4_mt
llm_jp_eval_1_4_niilc llm_jp_eval_1_4_nli llm_jp_eval_1_4_qa llm_jp_eval_1_4_rc
llm_jp_eval_1_4_wiki_coreference llm_jp_eval_1_4_wiki_dependency llm_jp_eval_1_4_wiki_ner
llm_jp_eval_1_4_wiki_pas llm_jp_eval_1_4_wiki_reading llm_jp_eval_1_4_wikicorpus-e-to-j
llm_jp_eval_1_4_wikicorpus-j-to-e
llm_jp_eval_2_1 llm_jp_eval_2_1_aio llm_jp_eval_2_1_alt-e-to-j llm_jp_eval_2_1_alt-j-to-e
llm_jp_eval_2_1_chabsa llm_jp_eval_2_1_commonsensemoralja llm_jp_eval_2_1_cr llm_jp_eval_2_1_cr_ja
llm_jp_eval_2_1_el llm_jp_eval_2_1_fa llm_jp_eval_2_1_jamp llm_jp_eval_2_1_janli
llm_jp_eval_2_1_jcommonsenseqa llm_jp_eval_2_1_jemhopqa llm_jp_eval_2_1_jnli llm_jp_eval_2_1_jsem
llm_jp_eval_2_1_jsick llm_jp_eval_2_1_jsquad llm_jp_eval_2_1_kuci llm_jp_eval_2_1_lang_ja
llm_jp_eval_2_1_mawps llm_jp_eval_2_1_mgsm llm_jp_eval_2_1_mr llm_jp_eval_2_1_mr_ja llm_jp_eval_2_1_mt
llm_jp_eval_2_1_niilc llm_jp_eval_2_1_nli llm_jp_eval_2_1_qa llm_jp_eval_2_1_qa_ja llm_jp_eval_2_1_rc
llm_jp_eval_2_1_wiki_coreference llm_jp_eval_2_1_wiki_dependency llm_jp_eval_2_1_wiki_pas
llm_jp_eval_2_1_wiki_reading llm_jp_eval_2_1_wikicorpus-e-to-j llm_jp_eval_2_1_wikicorpus-j-to-e
llm_jp_eval_2_1_base llm_jp_eval_2_1_base_aio llm_jp_eval_2_1_base_alt-e-to-j
llm_jp_eval_2_1_base_alt-j-to-e llm_jp_eval_2_1_base_chabsa llm_jp_eval_2_1_base_commonsensemoralja
llm_jp_eval_2_1_base_cr llm_jp_eval_2_1_base_cr_ja llm_jp_eval_2_1_base_el llm_jp_eval_2_1_base_fa
llm_jp_eval_2_1_base_jamp llm_jp_eval_2_1_base_janli llm_jp_eval_2_1_base_jcommonsenseqa
llm_jp_eval_2_1_base_jemhopqa llm_jp_eval_2_1_base_jnli llm_jp_eval_2_1_base_jsick
llm_jp_eval_2_1_base_kuci llm_jp_eval_2_1_base_lang_ja llm_jp_eval_2_1_base_mawps llm_jp_eval_2_1_base_mgsm
llm_jp_eval_2_1_base_mr llm_jp_eval_2_1_base_mr_ja llm_jp_eval_2_1_base_mt llm_jp_eval_2_1_base_niilc
llm_jp_eval_2_1_base_nli llm_jp_eval_2_1_base_qa llm_jp_eval_2_1_base_qa_ja
llm_jp_eval_2_1_base_wiki_coreference llm_jp_eval_2_1_base_wiki_dependency llm_jp_eval_2_1_base_wiki_pas
llm_jp_eval_2_1_base_wiki_reading
m_ifeval_ja
nejumi nejumi_jaster nejumi_jaster_chabsa nejumi_jaster_el nejumi_jaster_fa nejumi_jaster_jamp
nejumi_jaster_janli nejumi_jaster_jcommonsenseqa nejumi_jaster_jemhopqa nejumi_jaster_jnli
nejumi_jaster_jsem nejumi_jaster_jsick nejumi_jaster_jsquad nejumi_jaster_jsts nejumi_jaster_mawps
nejumi_jaster_mc nejumi_jaster_mr nejumi_jaster_niilc nejumi_jaster_nli nejumi_jaster_qa nejumi_jaster_rc
nejumi_jaster_wiki_coreference nejumi_jaster_wiki_dependency nejumi_jaster_wiki_ner nejumi_jaster_wiki_pas
nejumi_jaster_wiki_reading nejumi_mtbench nejumi_mtbench_2024 nejumi_mtbench_coding
nejumi_mtbench_extraction nejumi_mtbench_humanities nejumi_mtbench_math nejumi_mtbench_reasoning
nejumi_mtbench_roleplay nejumi_mtbench_stem nejumi_mtbench_writing
nejumi3 nejumi3_aio_0shot nejumi3_aio_2shot nejumi3_alt nejumi3_alt-e-to-j nejumi3_alt-e-to-j_0shot
nejumi3_alt-e-to-j_2shot nejumi3_alt-j-to-e nejumi3_alt-j-to-e_0shot nejumi3_alt-j-to-e_2shot nejumi3_chabsa
nejumi3_chabsa_0shot nejumi3_chabsa_2shot nejumi3_commonsensemoralja_0shot nejumi3_commonsensemoralja_2shot
nejumi3_ethics nejumi3_extraction nejumi3_glp nejumi3_jamp nejumi3_jamp_0shot nejumi3_jamp_2shot
nejumi3_janli nejumi3_janli_0shot nejumi3_janli_2shot nejumi3_jblimp nejumi3_jblimp_0shot
nejumi3_jblimp_2shot nejumi3_jcola-in-domain nejumi3_jcola-in-domain_0shot nejumi3_jcola-in-domain_2shot
nejumi3_jcola-out-of-domain nejumi3_jcola-out-of-domain_0shot nejumi3_jcola-out-of-domain_2shot
nejumi3_jcommonsenseqa nejumi3_jcommonsenseqa_0shot nejumi3_jcommonsenseqa_2shot nejumi3_jemhopqa
nejumi3_jemhopqa_0shot nejumi3_jemhopqa_2shot nejumi3_jnli nejumi3_jnli_0shot nejumi3_jnli_2shot
nejumi3_jsem nejumi3_jsem_0shot nejumi3_jsem_2shot nejumi3_jsick nejumi3_jsick_0shot nejumi3_jsick_2shot
nejumi3_jsquad nejumi3_jsquad_0shot nejumi3_jsquad_2shot nejumi3_knowledge nejumi3_math nejumi3_mawps
nejumi3_mawps_0shot nejumi3_mawps_2shot nejumi3_mgsm_0shot nejumi3_mgsm_2shot nejumi3_niilc
nejumi3_niilc_0shot nejumi3_niilc_2shot nejumi3_retrieval nejumi3_semantics nejumi3_syntax
nejumi3_translation nejumi3_wiki_coreference nejumi3_wiki_coreference_0shot nejumi3_wiki_coreference_2shot
nejumi3_wiki_dependency nejumi3_wiki_dependency_0shot nejumi3_wiki_dependency_2shot nejumi3_wiki_ner
nejumi3_wiki_ner_0shot nejumi3_wiki_ner_2shot nejumi3_wiki_pas nejumi3_wiki_pas_0shot nejumi3_wiki_pas_2shot
nejumi3_wiki_reading nejumi3_wiki_reading_0shot nejumi3_wiki_reading_2shot nejumi3_wikicorpus-e-to-j
nejumi3_wikicorpus-e-to-j_0shot nejumi3_wikicorpus-e-to-j_2shot nejumi3_wikicorpus-j-to-e
nejumi3_wikicorpus-j-to-e_0shot nejumi3_wikicorpus-j-to-e_2shot nejumi4 nejumi4_aio_0shot nejumi4_aio_2shot
nejumi4_alt nejumi4_alt-e-to-j nejumi4_alt-e-to-j_0shot nejumi4_alt-e-to-j_2shot nejumi4_alt-j-to-e
nejumi4_alt-j-to-e_0shot nejumi4_alt-j-to-e_2shot nejumi4_applied nejumi4_basic
nejumi4_commonsensemoralja_0shot nejumi4_commonsensemoralja_2shot nejumi4_corrected nejumi4_corrected_alt
nejumi4_corrected_glp nejumi4_ethics nejumi4_general nejumi4_glp nejumi4_jamp nejumi4_jamp_0shot
nejumi4_jamp_2shot nejumi4_janli nejumi4_janli_0shot nejumi4_janli_2shot nejumi4_jblimp nejumi4_jblimp_0shot
nejumi4_jblimp_2shot nejumi4_jcola-in-domain nejumi4_jcola-in-domain_0shot nejumi4_jcola-in-domain_2shot
nejumi4_jcola-out-of-domain nejumi4_jcola-out-of-domain_0shot nejumi4_jcola-out-of-domain_2shot
nejumi4_jcommonsenseqa nejumi4_jcommonsenseqa_0shot nejumi4_jcommonsenseqa_2shot nejumi4_jemhopqa
nejumi4_jemhopqa_0shot nejumi4_jemhopqa_2shot nejumi4_jnli nejumi4_jnli_0shot nejumi4_jnli_2shot
nejumi4_jsem nejumi4_jsem_0shot nejumi4_jsem_2shot nejumi4_jsick nejumi4_jsick_0shot nejumi4_jsick_2shot
nejumi4_jsquad nejumi4_jsquad_0shot nejumi4_jsquad_2shot nejumi4_knowledge nejumi4_kuci_0shot
nejumi4_kuci_2shot nejumi4_math nejumi4_mawps nejumi4_mawps_0shot nejumi4_mawps_2shot nejumi4_mgsm_0shot
nejumi4_mgsm_2shot nejumi4_niilc nejumi4_niilc_0shot nejumi4_niilc_2shot nejumi4_reasoning nejumi4_retrieval
nejumi4_semantics nejumi4_syntax nejumi4_translation
"""
NOT_ASKED = {
    "llm_jp_eval_1_4_cg",
    "llm_jp_eval_1_4_sum",
    "llm_jp_eval_2_1_bbh",
    "llm_jp_eval_2_1_bbh_en",
    "llm_jp_eval_2_1_bbh_ja",
    "llm_jp_eval_2_1_cg",
    "llm_jp_eval_2_1_cr_en",
    "llm_jp_eval_2_1_he_en",
    "llm_jp_eval_2_1_he_ja",
    "llm_jp_eval_2_1_if",
    "llm_jp_eval_2_1_if_en",
    "llm_jp_eval_2_1_if_ja",
    "llm_jp_eval_2_1_lang_en",
    "llm_jp_eval_2_1_mr_en",
    "llm_jp_eval_2_1_qa_en",
    "llm_jp_eval_2_1_sum",
    "llm_jp_eval_2_1_base_bbh",
    "llm_jp_eval_2_1_base_bbh_en",
    "llm_jp_eval_2_1_base_bbh_ja",
    "llm_jp_eval_2_1_base_cg",
    "llm_jp_eval_2_1_base_cr_en",
    "llm_jp_eval_2_1_base_he_en",
    "llm_jp_eval_2_1_base_he_ja",
    "llm_jp_eval_2_1_base_if",
    "llm_jp_eval_2_1_base_if_en",
    "llm_jp_eval_2_1_base_if_ja",
    "llm_jp_eval_2_1_base_lang_en",
    "llm_jp_eval_2_1_base_mr_en",
    "llm_jp_eval_2_1_base_qa_en",
    "llm_jp_eval_2_1_base_rc",
    "llm_jp_eval_2_1_base_sum",
    "nejumi3_aio",
    "nejumi3_bias",
    "nejumi3_controllability",
    "nejumi3_english",
    "nejumi3_expression",
    "nejumi3_jaster_control",
    "nejumi3_jmmlu",
    "nejumi3_mgsm",
    "nejumi3_mmlu_en",
    "nejumi3_reasoning",
    "nejumi3_robustness",
    "nejumi3_toxicity",
    "nejumi3_truth",
    "nejumi4_abstract",
    "nejumi4_aio",
    "nejumi4_apps",
    "nejumi4_bias",
    "nejumi4_coding",
    "nejumi4_control_0shot",
    "nejumi4_control_2shot",
    "nejumi4_controllability",
    "nejumi4_corrected_apps",
    "nejumi4_corrected_coding",
    "nejumi4_corrected_control_0shot",
    "nejumi4_corrected_control_2shot",
    "nejumi4_corrected_controllability",
    "nejumi4_corrected_jaster_control",
    "nejumi4_corrected_jhumaneval",
    "nejumi4_corrected_truth",
    "nejumi4_expert",
    "nejumi4_expression",
    "nejumi4_function_calling",
    "nejumi4_jaster_control",
    "nejumi4_jmmlu",
    "nejumi4_logic",
    "nejumi4_mgsm",
    "nejumi4_mmlu_prox_ja",
    "nejumi4_robustness",
    "nejumi4_toxicity",
    "nejumi4_truth",
}
"""Scores of which no task computes any member."""

NAMES = set(_NAMES.split())
"""Names of tasks and groups, as they were before they were generated: commands and results of users hold them."""


class Loader(yaml.SafeLoader):
    """PyYAML's safe loader, with ``!function`` as text."""


Loader.add_constructor("!function", lambda _, node: f"!function {node.value}")


def read(path: Path) -> dict[str, Any]:
    raw = yaml.load(path.read_text(encoding="utf-8"), Loader)  # noqa: S506  # a SafeLoader
    assert isinstance(raw, dict)
    return raw


RAW = {path: read(path) for path in FILES}


def of_kind(block: str) -> Any:
    return pytest.mark.parametrize(
        "path", [path for path in FILES if block in RAW[path]], ids=lambda path: path.stem
    )


def test_the_names_are_those_there_have_always_been():
    names = [raw[key] for raw in RAW.values() for key in ("task", "group") if isinstance(raw.get(key), str)]
    assert len(names) == len(NAMES)
    assert set(names) == NAMES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_lies_where_its_name_says(path):
    raw = RAW[path]
    assert path.stem == (raw["task"] if isinstance(raw["task"], str) else f"_{raw['group']}")
    assert path.parent.name in protocol_names()
    first = path.read_text(encoding="utf-8").split("\n", 1)[0]
    assert first.startswith("# Written by `lm-eval-ja make-tasks`")
    assert path.parent.name in first


# ------------------------------------------------------------------------------------------------- the command


@pytest.mark.parametrize("name", protocol_names())
def test_the_committed_files_are_what_the_protocol_says(name, capsys):
    assert main(["make-tasks", name, "-o", str(TASKS / name), "--check"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", protocol_names())
def test_the_files_are_written_as_they_are_committed(name, tmp_path, capsys):
    assert main(["make-tasks", name, "-o", str(tmp_path / "new")]) == 0
    written = {path.name: path.read_bytes() for path in (tmp_path / "new").iterdir()}
    assert written == {path.name: path.read_bytes() for path in (TASKS / name).glob("*.yaml")}
    assert f"{len(written)} files, {len(written)} changed" in capsys.readouterr().out
    assert main(["make-tasks", name, "-o", str(tmp_path / "new")]) == 0
    assert f"{len(written)} files, 0 changed" in capsys.readouterr().out


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TASKS / "neo", tmp_path / "neo"))


def test_a_change_is_noticed_and_undone(copy, capsys):
    changed, gone, left_over = (
        copy / name for name in ("_nejumi.yaml", "nejumi_jaster_jnli.yaml", "old.yaml")
    )
    whole = changed.read_bytes()
    changed.write_bytes(whole + b"# mine\n")
    gone.unlink()
    left_over.write_bytes(whole)
    (copy / "my_own.yaml").write_text("task: my_own\n", encoding="utf-8")
    assert main(["make-tasks", "neo", "-o", str(copy), "--check"]) == 1
    shown = capsys.readouterr().out.splitlines()
    assert shown == [f"{path} differs from what neo says" for path in (changed, gone, left_over)]
    assert not gone.exists(), "a check writes nothing"
    assert main(["make-tasks", "neo", "-o", str(copy)]) == 0
    assert "3 changed" in capsys.readouterr().out
    assert changed.read_bytes() == whole
    assert gone.exists()
    assert not left_over.exists(), "what was written for a task that there no longer is"
    assert (copy / "my_own.yaml").exists(), "a user's own file is left alone"
    assert main(["make-tasks", "neo", "-o", str(copy), "--check"]) == 0


def test_a_file_of_the_users_own_is_a_protocol(tmp_path, capsys):
    neo = (TASKS.parent / "protocols" / "neo.yaml").read_text(encoding="utf-8")
    raw = yaml.safe_load(neo)
    raw |= {"name": "mine", "prefix": "mine", "datasets": {"jnli": raw["datasets"]["jnli"]}}
    raw["scores"] = [{"name": "mine", "label": "AVG", "members": ["jnli", "jnli@2shot"]}]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
    assert main(["make-tasks", str(tmp_path / "mine.yaml"), "-o", str(tmp_path / "tasks")]) == 0
    written = {path.name: read(path) for path in (tmp_path / "tasks").iterdir()}
    assert written.keys() == {"_mine.yaml", "mine_jnli.yaml", "mine_jnli_2shot.yaml"}
    assert written["_mine.yaml"]["task"] == ["mine_jnli", "mine_jnli_2shot"]
    assert "num_fewshot" not in written["mine_jnli.yaml"], "a 0 would win over --num_fewshot"
    assert written["mine_jnli_2shot.yaml"]["num_fewshot"] == 2
    assert written["mine_jnli_2shot.yaml"]["jaster"] == written["mine_jnli.yaml"]["jaster"]


def test_what_cannot_be_written_is_said(tmp_path, capsys):
    assert main(["make-tasks", "nejumi", "-o", str(tmp_path)]) == 2
    assert "unknown protocol 'nejumi': choose from" in capsys.readouterr().err
    assert main(["make-tasks", str(tmp_path / "mine.yaml"), "-o", str(tmp_path)]) == 2
    assert "mine.yaml cannot be read" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert main(["make-tasks", "neo", "-o", str(tmp_path / "file" / "tasks")]) == 2
    assert "cannot be written to" in capsys.readouterr().err


# ---------------------------------------------------------------------------------------------- what they say


@of_kind("jaster")
def test_a_datasets_task_is_complete_and_says_what_its_protocol_says(path):
    raw = RAW[path]
    assert "include" not in raw
    assert "!function" not in str(raw["jaster"])
    assert raw["class"] == "!function lm_eval_ja.tasks.jaster.JasterTask"
    assert raw["output_type"] == "generate_until"
    own = load_protocol(path.parent.name)
    rules = own.tasks[raw["task"]]
    block = read_block(JasterBlock, raw["jaster"], path.name)
    said = {
        **dataclasses.asdict(block),
        "task": raw["task"],
        "shots": raw.get("num_fewshot", 0),
        "generation": raw["generation_kwargs"],
    }
    # Variant, status and which of the metrics counts are asked of the protocol at run time.
    expected = {
        name: value for name, value in vars(rules).items() if name not in {"variant", "metric", "status"}
    }
    assert said == expected
    assert {field.name for field in dataclasses.fields(DatasetRules)} - said.keys() == {
        "variant",
        "metric",
        "status",
    }
    assert raw.keys() <= {
        *("task", "class", "output_type", "num_fewshot", "generation_kwargs", "metadata", "jaster"),
    }


@of_kind("mtbench")
def test_a_conversations_task_says_what_its_protocol_says(path):
    raw = RAW[path]
    block = read_block(ConversationBlock, raw["mtbench"], path.name)
    rules = find_conversation(path.parent.name)
    assert rules is not None
    assert (block.protocol, block.revision) == (path.parent.name, rules.revision)
    assert block.max_new_tokens == raw["generation_kwargs"]["max_gen_toks"] == rules.max_new_tokens
    asked = [block.category] if block.category else list(rules.temperatures)
    assert block.temperatures == {category: rules.temperatures[category] for category in asked}
    prefix = load_protocol(path.parent.name).prefix
    assert raw["task"] == (f"{prefix}_{block.category}" if block.category else prefix)
    assert "include" not in raw


@of_kind("group")
def test_a_group_has_the_members_of_its_score(path):
    raw = RAW[path]
    node = find_node(raw["group"])
    assert node is not None
    assert node.protocol == path.parent.name
    rules = load_protocol(node.protocol).tasks
    members = [
        child.task if isinstance(child, Leaf) else child.name
        for child in node.children
        # What nobody is given on first use is in no group, nor is what no task computes.
        if not isinstance(child, Leaf) or child.task not in rules or rules[child.task].status != "own data"
        if child.name not in NOT_ASKED
        if not (isinstance(child, Leaf) and child.given)
    ]
    assert raw["task"] == members
    assert raw["aggregate_metric_list"] == [{"metric": "score", "aggregation": SCORE}]
    assert {*members} <= NAMES


def test_every_score_with_a_group_and_every_rule_has_a_file():
    for own in map(load_protocol, protocol_names()):
        assert own.tasks.keys() <= NAMES
        if own.tasks or own.conversation:
            assert {node.name for node in own.nodes()} - NOT_ASKED <= NAMES
