"""Protocol files: what they can say, what is refused and where, and files of other packages."""

import importlib
import logging
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import yaml

from lm_eval_ja.errors import DataError
from lm_eval_ja.protocols import (
    Leaf,
    Missing,
    Node,
    Protocol,
    _files,
    evaluate,
    find_node,
    load_protocol,
    mean_number,
    parse_protocol,
    protocol_names,
    read_protocol,
)
from lm_eval_ja.tasks.generate import task_files

ASKED = {
    "split": "test",
    "questions": 100,
    "shots": 0,
    "prompt_style": "alpaca",
    "normalization": ["nfkc"],
    "generation": {"until": ["\n\n"], "temperature": 0.0},
}
X = {"metrics": ["char_f1"], "output_length": 5, "instruction": "答えよ。"}
TREE = {"name": "mine", "label": "AVG", "members": ["x"]}


def minimal(**changes: Any) -> dict[str, Any]:
    raw = {
        "name": "mine",
        "title": "Mine",
        "prefix": "mine",
        "asked": ASKED,
        "datasets": {"x": X, "y": {**X, "metrics": ["bleu_en"]}},
        "scores": [TREE],
    }
    return {key: value for key, value in {**raw, **changes}.items() if value is not ...}


def parse(**changes: Any) -> Protocol:
    return parse_protocol(minimal(**changes), "mine.yaml", load_protocol)


def tree(*members: Any, **changes: Any) -> list[dict[str, Any]]:
    return [{**TREE, "members": list(members), **changes}]


# ------------------------------------------------------------------------------------------------ what can be said


def test_a_minimal_protocol_needs_one_dataset():
    own = parse()
    leaf = Leaf("mine_x", "x", "mine_x", "char_f1")
    (root,) = own.scores
    assert (root.name, root.label, root.protocol, root.level) == ("mine", "AVG", "mine", "category")
    assert root.children == (leaf,)
    assert own.leaves() == (leaf,)
    assert own.tasks["mine_x"].category == "AVG"
    assert own.tasks["mine_y"].category is None, "in no tree, and a task all the same"
    assert (own.order, own.conversation, own.wandb_tables) == (100, None, None)


def test_weights_scales_and_labels_are_read():
    members = [
        {"dataset": "x", "weight": 2, "label": "X"},
        {"dataset": "y", "scale": 100, "metric": "bleu_ja", "name": "mine_other"},
    ]
    (root,) = parse(scores=tree(*members, missing="skip", scale=10, level="overall")).scores
    assert [(own.weight, own.child.label, own.child.scale) for own in root.members] == [
        (2.0, "X", 1.0),
        (1.0, "y", 100.0),
    ]
    assert (root.missing, root.scale, root.level) == ("skip", 10.0, "overall")
    assert evaluate(root, {"mine_x": 0.4, "mine_other": 70.0}, mean_number)["mine"] == pytest.approx(5.0)
    assert evaluate(root, {"mine_x": 0.4}, mean_number)["mine"] == pytest.approx(4.0)


def test_a_dataset_may_be_asked_with_several_numbers_of_shots():
    own = parse(scores=tree("x", "x@2shot", "y@0shot"))
    (root,) = own.scores
    assert [(leaf.name, leaf.label, leaf.task) for leaf in root.leaves()] == [
        ("mine_x", "x", "mine_x"),
        ("mine_x_2shot", "x@2shot", "mine_x_2shot"),
        ("mine_y", "y@0shot", "mine_y"),  # the protocol's usual number
    ]
    assert {task: (rules.dataset, rules.shots) for task, rules in own.tasks.items()} == {
        "mine_x": ("x", 0),
        "mine_x_2shot": ("x", 2),
        "mine_y": ("y", 0),
    }
    assert own.datasets == ("x", "y")
    assert parse(scores=tree("x@2shot")).tasks.keys() == {"mine_x_2shot", "mine_y"}


def test_a_list_of_numbers_of_shots_makes_a_task_at_each():
    several = {**ASKED, "shots": [0, 2]}
    of_x = {"name": "mine_x", "label": "x", "level": "dataset", "members": ["x@0shot", "x@2shot"]}
    own = parse(asked=several, scores=tree(of_x, level="average"))
    assert {name: (rules.shots, rules.category) for name, rules in own.tasks.items()} == {
        "mine_x_0shot": (0, "AVG"),
        "mine_x_2shot": (2, "AVG"),
        "mine_y_0shot": (0, None),
        "mine_y_2shot": (2, None),
    }
    assert [leaf.task for leaf in own.leaves()] == ["mine_x_0shot", "mine_x_2shot"]
    assert own.datasets == ("x", "y")
    assert {"mine_x_0shot.yaml", "mine_y_2shot.yaml", "_mine_x.yaml"} <= task_files(own).keys()
    one = parse(asked=several, datasets={"x": {**X, "shots": 0}}, scores=tree("x", "x@4shot"))
    assert {name: rules.shots for name, rules in one.tasks.items()} == {"mine_x": 0, "mine_x_4shot": 4}


@pytest.mark.parametrize("shots", [[], [0, 0], [0, -1], [True], ["2"], "2", None])
def test_numbers_of_shots_that_mean_nothing_are_refused(shots):
    with pytest.raises(DataError, match="shots must be"):
        parse(asked={**ASKED, "shots": shots})


def test_a_tree_says_which_of_several_numbers_of_shots():
    with pytest.raises(DataError, match="x is asked with 0 and 2 shots: say which, such as x@0shot"):
        parse(asked={**ASKED, "shots": [0, 2]})


def test_what_no_task_computes_is_missing_in_runs_and_in_no_group():
    own = parse(
        datasets={"x": {**X, "shots": 4}, "y": {**X, "status": "own data"}},
        scores=tree("x", "y", {"name": "mine_z", "label": "Z", "members": [{"given": "hle", "scale": 10}]}),
    )
    (root,) = own.scores
    assert root.leaves()[2] == Leaf("mine_hle", "hle", "mine_hle", "score", 10.0, given=True)
    assert {rules.dataset: (rules.shots, rules.status) for rules in own.tasks.values()} == {
        "x": (4, "reconstructed"),
        "y": (0, "own data"),
    }
    with pytest.raises(DataError, match="a member below is called mine_hle, too"):
        parse(scores=tree({"name": "mine_hle", "label": "HLE", "members": [{"given": "hle"}]}))
    files = task_files(own)
    assert files.keys() == {"mine_x.yaml", "mine_y.yaml", "_mine.yaml"}
    assert "- mine_x\n" in files["_mine.yaml"]
    assert "mine_y" not in files["_mine.yaml"]


def test_a_node_may_stand_in_several_trees_and_leaves_in_other_protocols():
    first = {"name": "mine_a", "label": "A", "members": ["x"]}
    scores = [
        *tree(first, {"node": "nejumi_jaster_qa", "of": "neo", "weight": 3}),
        {
            "name": "mine_by_language",
            "label": "JA",
            "members": [
                {"node": "mine_a"},
                "y",
                {"task": "nejumi_mtbench", "metric": "roleplay", "scale": 10},
                {"task": "hellaswag", "metric": "acc_norm", "label": "HS"},
            ],
        },
    ]
    own = parse(scores=scores)
    usual, language = own.scores
    assert usual.children[0] is language.children[0]
    assert usual.children[1] is find_node("nejumi_jaster_qa")
    assert usual.members[1].weight == 3
    assert [node.name for node in own.nodes()] == ["mine", "mine_a", "nejumi_jaster_qa", "mine_by_language"]
    assert own.related() == ("neo",)
    roleplay, hellaswag = language.children[2:]
    assert roleplay == Leaf("nejumi_mtbench_roleplay", "roleplay", "nejumi_mtbench", "roleplay", 10.0)
    assert hellaswag == Leaf("hellaswag_acc_norm", "HS", "hellaswag", "acc_norm")
    values = {"mine_x": 0.2, "mine_y": 0.4, roleplay.name: 8.0, hellaswag.name: 0.6}
    assert evaluate(language, values, mean_number)["mine_by_language"] == pytest.approx(0.5)
    found = evaluate(usual, values, mean_number)
    assert found["mine"] == Missing(("QA",), 2)
    assert set(own.tasks) == {"mine_x", "mine_y"}


def test_questions_may_be_another_protocols():
    own = parse(
        asked={**ASKED, "variant": "mine"},
        datasets={"x": X, "jsts": {**X, "questions_of": "llm_jp_eval", "split": "dev", "questions": 7}},
    )
    rules = own.tasks["mine_jsts"]
    assert (rules.protocol, rules.split, rules.questions, rules.variant) == ("llm_jp_eval", "dev", 7, None)
    assert own.tasks["mine_x"].variant == "mine"
    assert own.datasets == ("x",)


# --------------------------------------------------------------------------------------------- what is refused

TALK = {"dataset": "talk", "revision": "1", "max_new_tokens": 9, "temperatures": {"coding": 0.0}}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (None, "mine.yaml: expected a mapping"),
        ({"name": "x"}, r"mine.yaml: missing keys: \['title', 'prefix', 'scores'\]"),
        (minimal(weights={}), r"unknown keys: \['weights'\]"),
        (minimal(name=""), "mine.yaml: name must be a text, found ''"),
        (minimal(order=-1), "mine.yaml: order must be a whole number from 0, found -1"),
        (minimal(asked=...), "`datasets` and `asked` .* go together"),
        (minimal(datasets=...), "`datasets` and `asked` .* go together"),
        (minimal(datasets=["x"]), r"datasets must map each dataset to its rules, found \['x'\]"),
        (minimal(datasets={False: X}), "datasets: a dataset's name must be a text, found False"),
        (minimal(datasets={"x": None}), "mine.yaml, datasets, x: expected a mapping"),
        (minimal(datasets={"x": {**X, "clean": []}}), r"datasets, x: .*unknown keys: \['clean'\]"),
        (
            minimal(datasets={"x": {**X, "metrics": "f1"}}),
            "datasets, x: metrics must be a list of texts, found 'f1'",
        ),
        (minimal(datasets={"x": {**X, "output_length": 0}}), "output_length must be a whole number from 1"),
        (minimal(datasets={"x": {**X, "output_length": True}}), "whole number from 1, found True"),
        (minimal(datasets={"x": {**X, "instruction": 3}}), "instruction must be a text, found 3"),
        (
            minimal(asked={**ASKED, "generation": {"top_p": 1}}),
            r"asked, generation: .*unknown keys: \['top_p'\]",
        ),
        (minimal(asked={**ASKED, "shots": -1}), "asked: shots must be a whole number from 0, found -1"),
        (minimal(asked={k: v for k, v in ASKED.items() if k != "split"}), r"missing keys: \['split'\]"),
        (
            minimal(asked={k: v for k, v in ASKED.items() if k != "normalization"}),
            "datasets, x: normalization must be a list of texts, found None",
        ),
        (minimal(scores={"a": 1}), "scores must be a list of trees"),
        (minimal(scores=["x"]), "mine.yaml, scores: expected a mapping with name, label, members"),
        (minimal(scores=tree()), "mine.yaml, scores, mine: members must be a list of one or more, found"),
        (minimal(scores=tree("z")), "scores, mine: 'z' is not among the protocol's datasets"),
        (minimal(scores=tree("z@2shot")), "scores, mine: 'z' is not among the protocol's datasets"),
        (minimal(scores=tree(3)), "a member must be a dataset's name or a mapping, found 3"),
        (minimal(scores=tree("x", "x")), "scores, mine: a member more than once: x"),
        (
            minimal(scores=tree("x", {"dataset": "x", "metric": "set_f1", "label": "again"})),
            "mine_x stands for two scores: give one of them a `name`",
        ),
        (minimal(scores=tree({"dataset": "x", "weight": 0})), "weight must be a number above 0, found 0"),
        (minimal(scores=tree({"dataset": "x", "scale": "1"})), "scale must be a number above 0, found '1'"),
        (
            minimal(scores=tree({"dataset": "x", "scale": float("nan")})),
            "must be a number above 0, found nan",
        ),
        (minimal(scores=tree({"data": "x"})), r"missing keys: \['dataset'\]; unknown keys: \['data'\]"),
        (
            minimal(scores=tree("x", missing="zero")),
            "missing must be one of missing, skip, found 'zero'",
        ),
        (minimal(scores=tree("x", level="top")), "level must be one of overall, average, category, dataset"),
        (minimal(scores=[TREE, TREE]), r"a score of that name stands above already.*\{node: mine\}"),
        (minimal(scores=tree({"node": "later"})), "there is no score 'later' above.*`of: PROTOCOL`"),
        (minimal(scores=tree({"node": "mine", "of": "neo"})), "there is no score 'mine' in neo"),
        (minimal(scores=tree({"node": "a", "of": "no"})), "scores, mine: unknown protocol 'no': choose from"),
        (minimal(conversation={"dataset": "talk"}), r"mine.yaml, conversation: missing keys: \['revision'"),
        (minimal(conversation={**TALK, "temperatures": {"a": "hot"}}), "temperatures must map categories"),
        (minimal(conversation={**TALK, "max_new_tokens": 0}), "max_new_tokens must be a whole number from 1"),
    ],
)
def test_malformed_protocols_are_refused_and_the_place_is_named(raw, message):
    with pytest.raises(DataError, match=message):
        parse_protocol(raw, "mine.yaml", load_protocol)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [", "mine.yaml cannot be read"),
        ("a: !!python/object/apply:os.getcwd []", "mine.yaml cannot be read"),
        (yaml.safe_dump(minimal(name="other")), "must be named after its protocol, other.yaml"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_protocol(path)


def test_bytes_that_are_no_text_are_named(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"name: \xff")
    with pytest.raises(DataError, match=r"mine\.yaml cannot be read"):
        read_protocol(path)


# ------------------------------------------------------------------------------------- files of other packages


def forget() -> None:
    for cached in (_files.protocol_files, _files.protocol_names, _files.load_protocol, _files._nodes):
        cached.cache_clear()


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Installs protocol files as another package would: an entry point that leads to the package's folder."""
    folder = tmp_path / "made_up_protocols"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    entry = EntryPoint("mine", "made_up_protocols", _files.ENTRY_POINTS)

    def install(*more: EntryPoint, **files: Any) -> None:
        for name, raw in files.items():
            text = raw if isinstance(raw, str) else yaml.safe_dump(raw)
            (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        importlib.invalidate_caches()
        monkeypatch.setattr(_files, "entry_points", lambda group: [entry, *more])
        forget()

    yield install
    sys.modules.pop("made_up_protocols", None)
    monkeypatch.undo()
    forget()


def test_another_packages_protocol_is_found(outside):
    before = protocol_names()
    outside(mine=minimal())
    assert protocol_names() == (*before, "mine")
    assert isinstance(find_node("mine"), Node)
    assert load_protocol("mine").title == "Mine"


def test_protocols_that_refer_to_each_other_in_a_circle_are_named(outside, caplog):
    before = protocol_names()
    outside(
        one={**minimal(name="one"), "scores": tree({"node": "two", "of": "two"}, name="one")},
        two={**minimal(name="two"), "scores": tree({"node": "one", "of": "one"}, name="two")},
    )
    with pytest.raises(DataError, match="in a circle: one → two → one"):
        load_protocol("one")
    with caplog.at_level(logging.WARNING, "lm_eval_ja"):
        assert protocol_names() == before
    assert "the protocol one is left out" in caplog.text
    assert "the protocol two is left out" in caplog.text


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("name: [", "cannot be read"),
        (minimal(scores=[]) | {"extra": 1}, "unknown keys"),
        (minimal(scores=tree({"node": "a", "of": "nothing"})), "unknown protocol 'nothing'"),
        (minimal(scores=tree("x", name="nejumi")), "the name nejumi is taken by the protocol neo"),
        (
            minimal(prefix="nejumi_jaster", datasets={"x": X, "jnli": X}),
            "the name nejumi_jaster_jnli is taken",
        ),
        (
            minimal(scores=tree({"dataset": "x", "name": "nejumi_jaster_jnli"})),
            "the name nejumi_jaster_jnli is taken",
        ),
    ],
)
def test_another_packages_broken_protocol_stops_nothing(outside, caplog, raw, why):
    before, nodes = protocol_names(), find_node("nejumi")
    outside(mine=raw)
    with caplog.at_level(logging.WARNING, "lm_eval_ja"):
        assert protocol_names() == before
    assert "the protocol mine is left out" in caplog.text
    assert why in caplog.text
    assert find_node("nejumi") == nodes


def test_the_packages_own_files_and_other_entries_survive_a_package_that_cannot_be_imported(outside, caplog):
    before = protocol_names()
    broken = EntryPoint("broken", "no_such_package_anywhere", _files.ENTRY_POINTS)
    with caplog.at_level(logging.WARNING, "lm_eval_ja"):
        outside(broken, mine=minimal(), neo=minimal(name="neo", title="Not neo"))
        assert protocol_names() == (*before, "mine")
    assert "protocols of broken (no_such_package_anywhere) are left out" in caplog.text
    assert load_protocol("neo").title == "Nejumi LLM Leaderboard Neo"
