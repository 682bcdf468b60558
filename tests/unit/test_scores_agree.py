"""A number that is shown in two places is the same number: the harness's groups and the report, to the last bit."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lm_eval_ja.analysis import tree_scores
from lm_eval_ja.protocols import Leaf, Score, group_score, load_protocol, protocol_names
from tests.support.made_up_runs import jaster_task, run

PROTOCOLS = [load_protocol(name) for name in protocol_names()]


def harness_results(protocol, leaves):
    """The results of tasks and groups as the harness fills them in, from the bottom up."""
    results = {}
    for leaf in protocol.leaves():
        if leaf.name in leaves:
            value, stderr = leaves[leaf.name]
            entry = results.setdefault(leaf.task, {})
            entry |= {f"{leaf.metric},none": value, f"{leaf.metric}_stderr,none": stderr}
    for node in protocol.members_first():
        score = group_score(node.name, results)
        entry = results.setdefault(node.name, {})
        entry["score,none"] = score.value if isinstance(score, Score) else math.nan
        entry["score_stderr,none"] = score.stderr if isinstance(score, Score) else "N/A"
    return results


def run_with(protocol, leaves):
    tasks = {}
    for leaf in protocol.leaves():
        if leaf.name in leaves:
            own = tasks.setdefault(leaf.task, ({}, {}))
            own[0][leaf.metric], own[1][leaf.metric] = leaves[leaf.name]
    return run(
        "m",
        [
            replace(jaster_task("jnli", [0.0]), task=name, values=values, stderrs=errors)
            for name, (values, errors) in tasks.items()
        ],
    )


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_groups_of_the_harness_and_scores_of_the_report_are_one(protocol, data):
    value = st.tuples(st.floats(0, 1), st.floats(0, 0.2))
    leaves = {
        leaf.name: tuple(number * leaf.scale for number in data.draw(value))
        for leaf in protocol.leaves()
        if data.draw(st.integers(0, 19))
    }
    reported = tree_scores(run_with(protocol, leaves), protocol)
    harness = harness_results(protocol, leaves)
    for node in protocol.nodes():
        there = reported[node.name]
        shown = harness[node.name]["score,none"]
        if isinstance(there, Score):
            assert (shown, harness[node.name]["score_stderr,none"]) == (there.value, there.stderr), node.name
        else:
            assert math.isnan(shown), node.name


def test_every_leaf_is_a_score_of_its_own():
    for protocol in PROTOCOLS:
        names = [part.name for part in (*protocol.nodes(), *protocol.leaves())]
        assert len(names) == len(set(names)), protocol.name
        assert all(isinstance(leaf, Leaf) for leaf in protocol.leaves())
