"""What bites when plugging into the harness, rule by rule: the real evaluator, in this process, on the sample data."""

import json
import logging
import math
import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import lm_eval
import pytest
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager

from lm_eval_ja.cli import main
from lm_eval_ja.plugin import TASKS_PATH
from lm_eval_ja.results import write_run
from tests.support.judge_server import JudgeServer, fault, rate

NO_JUDGE = {"judge_model": "none"}


class Constant(LM):
    """A real LM that says the same whatever it is asked."""

    tokenizer_name = "constant"

    def generate_until(self, requests):
        return ["答え" for _ in requests]

    def apply_chat_template(self, chat_history, add_generation_prompt=True):
        return json.dumps(chat_history, ensure_ascii=False)

    loglikelihood = loglikelihood_rolling = None


class Silent(Constant):
    """A backend that hands on a server's null."""

    def generate_until(self, requests):
        return [None for _ in requests]


@pytest.fixture
def evaluate(tmp_path, monkeypatch):
    monkeypatch.setenv("LM_EVAL_JA_CACHE", str(tmp_path / "cache"))
    for name in ("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "OPENAI_API_TYPE", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)

    def run(
        task: str, metadata: dict[str, Any] | None = None, model: LM | None = None, **options: Any
    ) -> dict[str, Any]:
        manager = TaskManager(
            include_path=str(TASKS_PATH),
            include_defaults=False,
            metadata={"data": "sample", **(metadata or {})},
        )
        return lm_eval.simple_evaluate(
            model=model or Constant(), tasks=[task], task_manager=manager, bootstrap_iters=0, **options
        )

    return run


@pytest.mark.parametrize("options", [{"judge_dry_run": True}, {"judge_price": [1, 1], "judge_max_cost": 5}])
def test_a_judge_that_cannot_be_found_loses_no_answer(evaluate, monkeypatch, caplog, options):
    """Two keys name two judges; whoever skips the preflight learns it when all answers are there."""
    monkeypatch.setenv("OPENAI_API_KEY", "one")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "other")
    with caplog.at_level(logging.ERROR):
        results = evaluate("nejumi_mtbench", {"judge_preflight": False, **options})
    assert "both OPENAI_API_KEY and AZURE_OPENAI_* are set" in caplog.text
    assert results["results"]["nejumi_mtbench"]["unscored,none"] == 16
    record = json.loads(results["samples"]["nejumi_mtbench"][0]["filtered_resps"][0])
    assert record["answers"] == ["答え", "答え"]
    assert record["judgments"][0]["reason"].startswith("not judged: both OPENAI_API_KEY")


def test_a_store_that_is_none_loses_no_answer(evaluate, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "one")
    (tmp_path / "cache" / "judgments.jsonl").mkdir(parents=True)
    results = evaluate("nejumi_mtbench", {"judge_dry_run": True})
    record = json.loads(results["samples"]["nejumi_mtbench"][0]["filtered_resps"][0])
    assert record["answers"] == ["答え", "答え"]
    assert "judgments.jsonl" in record["judgments"][0]["reason"]


def test_answers_are_saved_before_the_first_call_and_those_of_fifty_runs_stay(
    evaluate, monkeypatch, tmp_path
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-anything")
    answers = tmp_path / "cache" / "answers"
    for number in range(60):
        (answers / f"old-{number}").mkdir(parents=True)
        os.utime(answers / f"old-{number}", (1e9 + number, 1e9 + number))
    seen = []

    def script(call):
        seen.append(sum(path.stat().st_size > 0 for path in answers.glob("*/samples_*.jsonl")))
        return rate(call)

    with JudgeServer(script) as server:
        evaluate("nejumi_mtbench", {"judge_base_url": server.url, "judge_preflight": False})
        (saved,) = answers.glob("nejumi_mtbench-*")
        assert main(["judge", str(saved), "--judge_base_url", server.url, "--no-judge_preflight"]) == 0
    assert seen == [1] * 16, "the command reads them there, and had nothing left to ask"
    assert {path.name for path in answers.glob("old-*")} == {f"old-{number}" for number in range(11, 60)}


def test_another_run_that_drops_old_answers_meanwhile_leaves_this_ones(
    evaluate, monkeypatch, tmp_path, caplog
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-anything")
    answers = tmp_path / "cache" / "answers"
    for number in range(60):
        (answers / f"old-{number:02}").mkdir(parents=True)
        os.utime(answers / f"old-{number:02}", (1e9 + number, 1e9 + number))
    list_folder = Path.iterdir

    def listed_and_gone(folder):
        found = list(list_folder(folder))
        if folder == answers:
            for number in range(5):
                (answers / f"old-{number:02}").rmdir()
        return iter(found)

    monkeypatch.setattr(Path, "iterdir", listed_and_gone)
    with JudgeServer() as server:
        evaluate("nejumi_mtbench_math", {"judge_base_url": server.url, "judge_preflight": False})
    monkeypatch.undo()
    assert "could not be saved" not in caplog.text
    assert len(list(answers.glob("nejumi_mtbench_math-*/samples_*.jsonl"))) == 1
    assert len(list(answers.iterdir())) == 50


def test_the_signature_says_what_the_judge_refused(evaluate, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-anything")
    refusal = fault(400, "Unsupported parameter: 'temperature' is not supported with this model.")
    with JudgeServer(lambda call: refusal if "temperature" in call.body else rate(call)) as server:
        results = evaluate("nejumi_mtbench_math", {"judge_base_url": server.url})
    signature = results["configs"]["nejumi_mtbench_math"]["metadata"]["signature"]
    assert "|judge:gpt-4+temperature=0 refused: judge's default used|" in signature


def test_what_is_logged_is_what_the_documents_list(evaluate, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-anything")
    with JudgeServer() as server:
        results = evaluate("nejumi_mtbench_math", {"judge_base_url": server.url})
    record = json.loads(results["samples"]["nejumi_mtbench_math"][0]["filtered_resps"][0])
    page = (Path(__file__).parents[2] / "docs" / "mtbench.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", page.partition("## What is logged")[2], re.MULTILINE))
    assert set(record) == set(rows)
    turn, judgment = rows["judgments"].split("one entry per repeat")
    (own, *_) = record["judgments"]
    assert set(own) == {*re.findall(r"`(\w+)`", turn), "judgments"}
    assert set(own["judgments"][0]) == set(re.findall(r"`(\w+)`", judgment))


def test_groups_are_computed_again_when_answers_are_judged(evaluate, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-anything")
    run = evaluate("nejumi", NO_JUDGE)
    samples = run.pop("samples")
    for sample in (sample for task in samples.values() for sample in task):  # as the harness logs them
        sample["arguments"] = {
            f"gen_args_{i}": {f"arg_{j}": argument for j, argument in enumerate(arguments)}
            for i, arguments in enumerate(sample["arguments"])
        }
    assert math.isnan(run["results"]["nejumi"]["score,none"])
    write_run(tmp_path / "out", "2026-11-01T10-00-00.000000", run, samples)
    with JudgeServer() as server:
        assert main(["judge", str(tmp_path / "out"), "--judge_base_url", server.url]) == 0
    newest = max((tmp_path / "out").rglob("results_*.json"))
    found = json.loads(newest.read_text(encoding="utf-8"))["results"]
    jaster, mtbench = found["nejumi_jaster"]["score,none"], found["nejumi_mtbench"]["score,none"]
    assert found["nejumi"]["score,none"] == pytest.approx((jaster + mtbench / 10) / 2)


def test_tensor_parallel_processes_ask_for_no_judgment_twice(evaluate, monkeypatch, tmp_path):
    """All of them say that they are rank 0; the harness drops the results of all but the first."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-anything")
    with JudgeServer() as server:
        monkeypatch.setenv("LOCAL_RANK", "1")
        dropped = evaluate("nejumi_mtbench", {"judge_base_url": server.url})
        assert dropped is None or find_spec("lm_eval.scorers"), "0.5 asks the model for its rank instead"
        assert server.calls == []
        assert not (tmp_path / "cache" / "answers").exists()
        monkeypatch.setenv("LOCAL_RANK", "0")
        results = evaluate("nejumi_mtbench", {"judge_base_url": server.url})
    assert results["results"]["nejumi_mtbench"]["unscored,none"] == 0


def test_the_request_cache_is_not_used(evaluate):
    """The harness's keys know nothing of prompt styles: a cached prompt would be another style's."""
    from lm_eval.caching.cache import PATH

    def cached():
        from pathlib import Path

        return sorted(Path(PATH).glob("*")) if Path(PATH).is_dir() else []

    def prompt(**metadata):
        results = evaluate("nejumi_jaster_jnli", metadata, cache_requests=True)
        return results["samples"]["nejumi_jaster_jnli"][0]["arguments"][0][0]

    before = cached()
    assert prompt().startswith("以下は")
    assert prompt(custom_prompt_template="問：{input}").startswith("問：")
    assert cached() == before


def test_shots_are_set_for_jaster_and_have_no_place_in_mtbench(evaluate):
    jaster = evaluate("nejumi_jaster_jnli", num_fewshot=2)
    assert jaster["n-shot"]["nejumi_jaster_jnli"] == 2
    assert "|shots:2|" in jaster["configs"]["nejumi_jaster_jnli"]["metadata"]["signature"]
    mtbench = evaluate("nejumi_mtbench", NO_JUDGE, num_fewshot=2)
    assert mtbench["n-shot"]["nejumi_mtbench"] == 0
    assert "|shots:0|" in mtbench["configs"]["nejumi_mtbench"]["metadata"]["signature"]


def test_a_version_among_the_users_metadata_is_not_ours(evaluate):
    results = evaluate("nejumi_jaster_jnli", {"version": 7})
    assert results["versions"]["nejumi_jaster_jnli"] == 1
    assert results["configs"]["nejumi_jaster_jnli"]["metadata"]["version"] == 1


def test_temperature_is_the_categorys_unless_the_user_says_otherwise(evaluate):
    def temperatures(**options):
        samples = evaluate("nejumi_mtbench", NO_JUDGE, **options)["samples"]["nejumi_mtbench"]
        return {
            sample["doc"]["category"]: sample["arguments"][0][1]["gen_kwargs"]["temperature"]
            for sample in samples
        }

    own = temperatures()
    assert (own["writing"], own["math"], own["stem"]) == (0.7, 0.0, 0.1)
    assert set(temperatures(gen_kwargs="temperature=0.3").values()) == {0.3}


def test_a_backend_gets_three_settings_and_no_more(evaluate):
    """hf refuses names it does not know; the caching wrapper skips requests with ``do_sample``."""
    (jaster, *_) = evaluate("nejumi_jaster_jnli")["samples"]["nejumi_jaster_jnli"]
    (mtbench, *_) = evaluate("nejumi_mtbench", NO_JUDGE)["samples"]["nejumi_mtbench"]
    for kwargs in (jaster["arguments"][0][1], mtbench["arguments"][0][1]["gen_kwargs"]):
        assert set(kwargs) == {"until", "max_gen_toks", "temperature"}


def test_a_group_holds_what_the_tables_can_show(evaluate):
    results = evaluate("nejumi_jaster", limit=2)["results"]
    for name in ("nejumi_jaster", "nejumi_jaster_nli"):
        assert set(results[name]) == {"alias", "name", "sample_len", "score,none", "score_stderr,none"}
    assert results["nejumi_jaster"]["sample_len"] == 32


def test_every_question_has_every_metric(evaluate):
    results = evaluate("nejumi_mtbench", NO_JUDGE)
    named = {metric["metric"] for metric in results["configs"]["nejumi_mtbench"]["metric_list"]}
    assert len(named) == 8 + 4
    for sample in results["samples"]["nejumi_mtbench"]:
        assert set(sample["metrics"]) == named <= set(sample)


def test_null_answers_are_empty_answers(evaluate):
    results = evaluate("nejumi_jaster_qa", model=Silent())
    assert results["results"]["nejumi_jaster_qa"]["score,none"] == 0
    assert results["samples"]["nejumi_jaster_niilc"][0]["filtered_resps"] == [""]
