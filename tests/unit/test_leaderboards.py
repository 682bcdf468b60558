"""Which runs are ranked together, and the scores they are ranked by."""

import pytest

from lm_eval_ja.analysis import make_leaderboards
from lm_eval_ja.protocols import Missing
from lm_eval_ja.results import read_runs
from tests.support import small_runs as s

TALK = s.conversation("mtbench-1", "coding", ["a", "b"], [8, 6])
CATEGORIES = ["coding", "extraction", "humanities", "math", "reasoning", "roleplay", "stem", "writing"]
RATINGS = {**dict.fromkeys(CATEGORIES, 7.0), "score": 7.0}


def leaderboards(tmp_path):
    return make_leaderboards(read_runs([tmp_path], all_runs=True))


def test_scores_follow_the_protocol(tmp_path):
    scores = {"jamp": 1.0, "jemhopqa": 0.25, "wiki_reading": 1.0}
    s.write_run(tmp_path, [*s.whole_jaster(scores), s.mtbench([TALK], RATINGS)])
    (leaderboard,) = leaderboards(tmp_path)
    (row,) = leaderboard.rows
    values = {column.label: row.scores[column.name] for column in leaderboard.columns}
    assert values["NLI"].value == pytest.approx(0.6)
    assert values["QA"].value == pytest.approx(0.375)
    assert values["FA"].value == pytest.approx(0.6)
    average = (0.6 + 0.375 + 0.5 * 4 + 0.6) / 7
    assert values["AVG_jaster"].value == pytest.approx(average)
    assert values["AVG_mtbench"].value == 7.0
    assert values["Overall"].value == pytest.approx((average + 0.7) / 2)
    assert values["coding"].value == 7.0
    assert leaderboard.primary == "nejumi"
    assert [column.label for column in leaderboard.columns][:5] == [
        "Overall",
        "AVG_jaster",
        "AVG_mtbench",
        "NLI",
        "QA",
    ]


def test_what_lacks_a_member_is_missing_not_zero(tmp_path):
    tasks = [task for task in s.whole_jaster() if task["name"] != "nejumi_jaster_niilc"]
    s.write_run(tmp_path, tasks)
    (leaderboard,) = leaderboards(tmp_path)
    (row,) = leaderboard.rows
    assert row.scores["nejumi_jaster_qa"] == Missing(("niilc",), 2)
    assert row.scores["nejumi_jaster"] == Missing(("QA",), 7)
    assert leaderboard.primary == "nejumi_jaster_nli"
    assert "niilc" not in {column.label for column in leaderboard.columns}
    assert row.rank is None  # the first place among those without an average is no place on the leaderboard


@pytest.mark.parametrize(
    ("field", "value"),
    [("data", "other"), ("shots", "4"), ("split", "dev"), ("style", "chat"), ("gen", "deviates:x=1"),
     ("sys", "abcd"), ("norm", "nfkc")],
)  # fmt: skip
def test_what_can_change_a_score_separates(tmp_path, field, value):
    s.write_run(tmp_path / "a", s.whole_jaster(), model="a")
    s.write_run(tmp_path / "b", s.whole_jaster(), model="b")
    s.write_run(tmp_path / "c", s.whole_jaster(**{field: value}), model="c")
    first, second = leaderboards(tmp_path)
    assert [row.run.key for row in first.rows] == ["a", "b"]
    assert [row.run.key for row in second.rows] == ["c"]
    assert second.rows[0].rank == 1
    assert not first.differences
    (difference,) = second.differences
    assert (difference.setting, difference.here, difference.tasks) == (field, value, 16)


def test_judges_and_task_versions_separate(tmp_path):
    for number, judge in enumerate(("gpt-4", "gpt-4", "gpt-4o")):
        s.write_run(tmp_path / f"{number}", [s.mtbench([TALK], RATINGS, judge=judge)], model=f"m{number}")
    s.write_run(tmp_path / "v", [s.mtbench([TALK], RATINGS)], model="v", version=2)
    sizes = [
        ([row.run.key for row in leaderboard.rows], [d.setting for d in leaderboard.differences])
        for leaderboard in leaderboards(tmp_path)
    ]
    assert sizes == [(["m0", "m1"], []), (["m2"], ["judge"]), (["v"], ["task_version"])]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("style", "alpaca+chat_template"),
        ("version", "9.9.9"),
        ("template", "enable_thinking=False"),
        ("bos", "on"),
        ("style", "alpaca+chat_template+multiturn"),
    ],
)
def test_what_is_the_models_own_does_not_separate(tmp_path, field, value):
    s.write_run(tmp_path / "a", s.whole_jaster(), model="a")
    s.write_run(tmp_path / "b", s.whole_jaster(**{field: value}), model="b")
    (leaderboard,) = leaderboards(tmp_path)
    assert len(leaderboard.rows) == 2


def test_a_run_of_some_tasks_joins_the_leaderboard_it_agrees_with(tmp_path):
    s.write_run(tmp_path / "a", [*s.whole_jaster(), s.mtbench([TALK], RATINGS)], model="a")
    s.write_run(tmp_path / "b", s.whole_jaster(), model="b")
    (leaderboard,) = leaderboards(tmp_path)
    assert [(row.run.key, row.rank) for row in leaderboard.rows] == [("a", 1), ("b", None)]


def test_equal_scores_share_a_rank(tmp_path):
    for model, score in (("a", 0.5), ("b", 1.0), ("c", 0.5), ("d", 0.25)):
        s.write_run(tmp_path / model, s.whole_jaster(dict.fromkeys(s.CATEGORIES, score)), model=model)
    (leaderboard,) = leaderboards(tmp_path)
    assert [(row.run.key, row.rank) for row in leaderboard.rows] == [("b", 1), ("a", 2), ("c", 2), ("d", 4)]


def test_a_later_revision_of_mtbench_is_on_a_leaderboard_of_its_own(tmp_path):
    own = s.mtbench([TALK], RATINGS, name="nejumi_mtbench_2024", protocol="mtbench-ja-2024")
    s.write_run(tmp_path, [*s.whole_jaster(), s.mtbench([TALK], RATINGS), own])
    neo, later = leaderboards(tmp_path)
    assert later.title == "Japanese MT-Bench (2024)"
    assert [column.label for column in later.columns][:2] == ["AVG_mtbench_2024", "coding"]
    assert later.primary == "nejumi_mtbench_2024"
    assert "nejumi_mtbench_2024" not in {column.name for column in neo.columns}


def test_sample_data_never_leads(tmp_path):
    for model in ("a", "b"):
        s.write_run(tmp_path / model, s.whole_jaster(data="sample-1"), model=model)
    s.write_run(tmp_path / "real", s.whole_jaster(), model="real")
    first, second = leaderboards(tmp_path)
    assert not first.is_sample
    assert second.is_sample


def test_categories_run_as_tasks_of_their_own_add_up(tmp_path):
    tasks = []
    for number, category in enumerate(CATEGORIES):
        own = s.mtbench(
            [TALK], {category: 1.0 + number, "score": 1.0 + number}, name=f"nejumi_mtbench_{category}"
        )
        own["metadata"]["category"] = category
        tasks.append(own)
    s.write_run(tmp_path, tasks)
    (leaderboard,) = leaderboards(tmp_path)
    assert leaderboard.rows[0].scores["nejumi_mtbench"].value == 4.5
    assert leaderboard.rows[0].scores["nejumi_mtbench_writing"].value == 8.0


def test_a_limited_run_is_partial_and_ranked_nowhere(tmp_path):
    s.write_run(tmp_path / "a", s.whole_jaster(dict.fromkeys(s.CATEGORIES, 0.4)), model="a")
    limited = dict.fromkeys(s.CATEGORIES, 1.0)
    for model in ("b", "c"):
        s.write_run(tmp_path / model, s.whole_jaster(limited, n="5of100"), model=model)
    whole, part = leaderboards(tmp_path)
    assert [(row.run.key, row.rank) for row in whole.rows] == [("a", 1)]
    assert (whole.partial, part.partial) == ("", "5 of 100")
    assert part.title == "Nejumi LLM Leaderboard Neo, PARTIAL (5 of 100)"
    assert [(row.run.key, row.rank) for row in part.rows] == [("b", None), ("c", None)]
    assert [(d.setting, d.here, d.there) for d in part.differences] == [("n", "5of100", "100")]


def test_few_questions_by_max_samples_are_partial_too(tmp_path):
    s.write_run(tmp_path, s.whole_jaster(n="5"))
    (leaderboard,) = leaderboards(tmp_path)
    assert leaderboard.partial == "5 of 100"


def test_mtbench_of_some_categories_is_missing_not_their_mean(tmp_path):
    s.write_run(tmp_path, [*s.whole_jaster(), s.mtbench([TALK], {"coding": 5.0, "math": 5.5, "score": 5.25})])
    (leaderboard,) = leaderboards(tmp_path)
    scores = leaderboard.rows[0].scores
    lacking = tuple(name for name in CATEGORIES if name not in ("coding", "math"))
    assert scores["nejumi_mtbench"] == Missing(lacking, 8)
    assert scores["nejumi"] == Missing(("AVG_mtbench",), 2)
    assert leaderboard.primary == "nejumi_jaster"


def test_mtbench_alone_has_a_leaderboard_of_its_own(tmp_path):
    s.write_run(tmp_path, [s.mtbench([TALK], RATINGS)])
    (leaderboard,) = leaderboards(tmp_path)
    assert leaderboard.protocol == "mtbench-ja-neo"
    assert leaderboard.rows[0].rank == 1
