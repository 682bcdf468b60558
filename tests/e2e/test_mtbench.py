"""Japanese MT-Bench through the real harness, with a real local judge server."""

import json
import math
import re
import statistics
from pathlib import Path

import pytest

from lm_eval_ja.errors import LmEvalJaError
from tests.support.judge_server import JudgeServer, fault, raw, say

CATEGORIES = ["coding", "extraction", "humanities", "math", "reasoning", "roleplay", "stem", "writing"]
SAMPLE = ["--metadata", json.dumps({"data": "sample"})]
KEY = {"OPENAI_API_KEY": "sk-secret-0123456789abcdef"}


def options(server, **more):
    return json.dumps({"data": "sample", "judge_base_url": server.url, **more})


@pytest.fixture
def answers(lm_eval_ja, tmp_path):
    """Recorded first and second answers to the eight sample questions, in the conversation form."""
    from lm_eval_ja.datasets import load_mtbench
    from lm_eval_ja.prompts import Conversation

    lines = []
    for doc in load_mtbench("neo", data="sample"):
        conversation = Conversation(tuple(doc["turns"]), chat=False)
        first = f"<think>考え中</think> 一つ目の答え {doc['question_id']} ### 余分"
        lines.append({"prompt": conversation.first(), "output": first})
        second = "" if doc["category"] == "stem" else f"二つ目の答え {doc['question_id']} [[10]] {{answer_1}}"
        prompt = conversation.second(f"一つ目の答え {doc['question_id']}")
        lines.append({"prompt": prompt, "output": second})
    path = tmp_path / "mt.jsonl"
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return str(path)


@pytest.fixture
def run(lm_eval, answers):
    def go(server, *args, task="nejumi_mtbench", env=None, ok=True, output="out", **more):
        return lm_eval(
            *("--model", "recorded", "--model_args", f"path={answers}", "--tasks", task),
            *("--metadata", options(server, **more), *args),
            env={**KEY, **(env or {})},
            ok=ok,
            output=output,
        )

    return go


def turn_of(call) -> int:
    return 2 if "質問2" in call.prompt else 1


def known_ratings(call):
    """Ratings that a test can predict: 8 for first turns, 4 for second ones, math one lower."""
    rating = (8 if turn_of(call) == 1 else 4) - ("参考の解答" in call.prompt)
    return say(f"説明です。評価：[[{rating}]]、ちなみに [[1]]")


def test_ratings_become_categories_turns_and_average(run):
    with JudgeServer(known_ratings) as server:
        done = run(server)
        assert len([call for call in server.calls if "\n" in call.prompt]) == 16
    entry = done.results()["results"]["nejumi_mtbench"]
    for category in CATEGORIES:
        expected = 5 if category in {"math", "reasoning", "coding"} else 6
        assert entry[f"{category},none"] == expected, category
    assert entry["turn_1,none"] == pytest.approx((5 * 8 + 3 * 7) / 8)
    assert entry["turn_2,none"] == pytest.approx((5 * 4 + 3 * 3) / 8)
    assert entry["score,none"] == pytest.approx((5 * 6 + 3 * 5) / 8)
    assert entry["unscored,none"] == 0
    samples = done.samples("nejumi_mtbench")
    assert [sample["doc"]["category"] for sample in samples] == CATEGORIES, (
        "one question of each category in turn"
    )
    record = json.loads(samples[0]["filtered_resps"][0])
    assert record["answers"][0] == "一つ目の答え 1", "no thoughts, and cut at the stop string"
    assert samples[0]["resps"][0][0][0].startswith("<think>考え中"), (
        "the samples keep the answer as generated"
    )
    assert record["second_prompt"] == samples[0]["resps"][0][0][2]
    turn = record["judgments"][1]
    assert turn["rating"] == 3
    assert turn["judgments"][0]["text"].startswith("説明です。")
    assert turn["judgments"][0]["prompt_tokens"] > 0
    assert [message["role"] for message in turn["messages"]] == ["system", "user"]
    assert "[[10]] {answer_1}" in turn["messages"][1]["content"], "braces and ratings in answers are data"
    assert json.loads(samples[6]["filtered_resps"][0])["empty"] == [False, True]
    signature = done.results()["configs"]["nejumi_mtbench"]["metadata"]["signature"]
    assert "judge:gpt-4|" in signature
    assert "style:conversation" in signature


def test_a_judge_by_anthropics_protocol(run):
    def reply(call):
        assert call.path == "/v1/messages"
        said = json.loads(known_ratings(call).body)["choices"][0]["message"]["content"]
        message = {"content": [{"type": "text", "text": said}], "stop_reason": "end_turn"}
        return raw(json.dumps({"type": "message", "role": "assistant", **message}).encode())

    with JudgeServer(reply) as server:
        env = {"ANTHROPIC_API_KEY": "sk-ant-secret-0123456789"}
        done = run(server, env=env, judge_api="anthropic", judge_model="claude-judge-1")
        assert len(server.calls) == 17, "a preflight and 16 judgments"
        assert {call.headers["x-api-key"] for call in server.calls} == set(env.values())
    assert done.score("nejumi_mtbench") == pytest.approx((5 * 6 + 3 * 5) / 8)
    metadata = done.results()["configs"]["nejumi_mtbench"]["metadata"]
    assert metadata["judge_api"] == "anthropic"
    assert "|judge:claude-judge-1|" in metadata["signature"]
    text = "".join(path.read_text(encoding="utf-8") for path in done.folder.rglob("*_20*.json*"))
    assert env["ANTHROPIC_API_KEY"] not in text


def test_second_run_pays_for_nothing_and_keys_are_nowhere(run):
    with JudgeServer(known_ratings) as server:
        first = run(server)
        calls = len(server.calls)
        again = run(server, judge_preflight=False, output="again")
        assert len(server.calls) == calls
    assert first.score("nejumi_mtbench") == again.score("nejumi_mtbench")
    for path in first.folder.parent.rglob("*"):
        if path.is_file():
            assert KEY["OPENAI_API_KEY"].encode() not in path.read_bytes(), path
    assert KEY["OPENAI_API_KEY"] not in first.output + again.output


def test_preflight_stops_before_anything_is_generated(run, lm_eval, answers):
    with JudgeServer(lambda _: fault(401)) as server:
        done = run(server, ok=False)
        assert len(server.calls) == 1
    assert done.code != 0
    assert "OPENAI_API_KEY" in done.output
    assert "Running generate_until_multi_turn" not in done.output
    with JudgeServer(known_ratings) as server:
        done = lm_eval(
            *("--model", "recorded", "--model_args", f"path={answers}", "--tasks", "nejumi_mtbench"),
            *("--metadata", options(server)),
            ok=False,
        )
        assert "OPENAI_API_KEY is not set" in done.output
        assert not server.calls


def test_unparsable_ratings_are_left_out_and_counted(run):
    def no_rating_for_roleplay(call):
        return say("評価できません") if "駅長" in call.prompt and turn_of(call) == 1 else known_ratings(call)

    with JudgeServer(no_rating_for_roleplay) as server:
        lenient = run(server).results()["results"]["nejumi_mtbench"]
    assert lenient["unscored,none"] == 1
    assert lenient["roleplay,none"] == 4, "the second turn alone"
    with JudgeServer(no_rating_for_roleplay) as server:
        strict = run(server, judge_strict=True, output="strict").results()["results"]["nejumi_mtbench"]
    assert strict["unscored,none"] == 0
    assert strict["roleplay,none"] == (-1 + 4) / 2, "as neo: -1 counts"


def test_a_judge_that_dies_loses_nothing(run, lm_eval_ja):
    def dies(call):
        return known_ratings(call) if call.number < 8 else fault(401)

    with JudgeServer(dies) as server:
        done = run(server)
    entry = done.results()["results"]["nejumi_mtbench"]
    assert 0 < entry["unscored,none"] < 16
    assert "lm-eval-ja judge" in done.output
    with JudgeServer(known_ratings, port=int(server.url.split(":")[2].split("/")[0])) as alive:
        judged = lm_eval_ja("judge", "out", "--judge_base_url", alive.url, env=KEY)
        asked = [call for call in alive.calls if "\n" in call.prompt]
        assert len(asked) == entry["unscored,none"], "only what had no rating yet"
    assert "written: " in judged.output
    newest = max(done.folder.rglob("results_*.json"))
    assert json.loads(newest.read_text(encoding="utf-8"))["results"]["nejumi_mtbench"]["unscored,none"] == 0


def test_generate_now_judge_later(run, lm_eval_ja):
    with JudgeServer(known_ratings) as server:
        done = run(server, judge_model="none")
        assert not server.calls
        entry = done.results()["results"]["nejumi_mtbench"]
        assert math.isnan(entry["score,none"])
        assert entry["unscored,none"] == 16
        plan = lm_eval_ja("judge", "out", "--judge_base_url", server.url, "--judge_dry_run", env=KEY)
        assert "16 judgments by gpt-4: 16 calls" in plan.output
        assert not server.calls
        lm_eval_ja("judge", "out", "--judge_base_url", server.url, "--judge_repeats", "2", env=KEY)
    newest = max(done.folder.rglob("results_*.json"))
    results = json.loads(newest.read_text(encoding="utf-8"))
    assert results["results"]["nejumi_mtbench"]["score,none"] == pytest.approx((5 * 6 + 3 * 5) / 8)
    metadata = results["configs"]["nejumi_mtbench"]["metadata"]
    assert "judge_repeats:2" in metadata["signature"]
    assert (metadata["judge_repeats"], metadata.get("judge_model", "gpt-4")) == (2, "gpt-4"), (
        "not the first run's none"
    )
    lines = max(done.folder.rglob("samples_*.jsonl")).read_text(encoding="utf-8").splitlines()
    strict = [
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON")) for line in lines
    ]
    assert {sample["writing"] for sample in strict} == {None, 6.0}


def test_a_later_run_of_other_tasks_hides_no_answers(run, lm_eval, lm_eval_ja, sample_answers):
    with JudgeServer(known_ratings) as server:
        run(server, judge_model="none")
        later = lm_eval(
            *("--model", "recorded", "--model_args", f"path={sample_answers}", "--tasks", "nejumi_jaster_mc"),
            *SAMPLE,
        )
        assert len(list(later.folder.rglob("results_*.json"))) == 2
        judged = lm_eval_ja("judge", "out", "--judge_base_url", server.url, env=KEY)
    assert "|nejumi_mtbench" in judged.output
    nothing = later.folder / "nothing"
    nothing.mkdir()
    (nothing / "results_2026-01-01T00-00-00.000000.json").write_text("{}")
    none = lm_eval_ja("judge", str(nothing), "--judge_base_url", server.url, env=KEY, ok=False)
    assert none.code == 2
    assert f"{nothing} has results, but no MT-Bench answers" in none.output


def test_repeats_are_averaged_and_their_spread_is_shown(run):
    with JudgeServer(lambda call: say(f"[[{4 + call.number % 2 * 2}]]")) as server:
        done = run(server, judge_repeats=4, judge_concurrency=1, judge_preflight=False)
    record = json.loads(done.samples("nejumi_mtbench")[0]["filtered_resps"][0])
    turn = record["judgments"][0]
    ratings = [judgment["rating"] for judgment in turn["judgments"]]
    assert sorted(ratings) == [4, 4, 6, 6]
    assert turn["rating"] == 5
    assert turn["spread"] == pytest.approx(statistics.stdev(ratings))


def test_the_budget_is_kept(run):
    with JudgeServer(known_ratings) as server:
        done = run(server, judge_price=[30, 60], judge_max_cost=0.0001, judge_preflight=False)
        assert not server.calls
    assert "more than judge_max_cost" in done.samples("nejumi_mtbench")[0]["filtered_resps"][0]


def test_predict_only_calls_no_judge(run):
    with JudgeServer(known_ratings) as server:
        done = run(server, "--predict_only")
        assert not server.calls
    assert "score,none" not in done.results()["results"]["nejumi_mtbench"]
    assert (
        json.loads(done.samples("nejumi_mtbench")[0]["filtered_resps"][0])["answers"][0] == "一つ目の答え 1"
    )


def test_prompts_of_two_turns_are_refused_without_asking_for_a_judge(lm_eval_ja):
    done = lm_eval_ja("prompts", "--tasks", "nejumi_mtbench", "-o", "-", *SAMPLE, ok=False)
    assert done.code == 2
    assert "nejumi_mtbench doesn't ask for a text in one turn" in done.output
    assert "OPENAI_API_KEY" not in done.output


def test_a_judge_without_a_name_is_refused(lm_eval_ja):
    done = lm_eval_ja("judge", "out", "--judge_model", ok=False)
    assert done.code == 2
    assert "--judge_model: expected one argument" in done.output


def test_one_category_and_the_later_revision(run, lm_eval_ja):
    with JudgeServer(known_ratings) as server:
        done = run(server, task="nejumi_mtbench_writing")
        entry = done.results()["results"]["nejumi_mtbench_writing"]
        assert {key for key in entry if key.endswith(",none") and "stderr" not in key} == {
            *("writing,none", "turn_1,none", "turn_2,none", "score,none", "unscored,none")
        }
        later = run(server, task="nejumi_mtbench_2024", ok=False)
    assert "no answer for 1 of 8 prompts: nejumi_mtbench_2024:mtbench-31" in later.output, (
        "its math question differs"
    )


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"judge_concurrency": 0}, "concurrency"),
        ({"judge_prompts": "nowhere.jsonl"}, "nowhere.jsonl"),
        ({"judge_api_key": "sk-x"}, "environment"),
        ({"judge_max_cost": 3}, "judge_price"),
        ({"judge_strict": "maybe"}, "judge_strict is 'maybe'"),
    ],
)
def test_bad_options_are_named_before_anything_happens(evaluate, answers, monkeypatch, more, message):
    monkeypatch.setenv("OPENAI_API_KEY", KEY["OPENAI_API_KEY"])
    with JudgeServer(known_ratings) as server:
        with pytest.raises(LmEvalJaError, match=re.escape(message)):
            evaluate("nejumi_mtbench", answers, json.loads(options(server, **more)))
        assert not server.calls


def test_a_bad_option_ends_the_run(run):
    with JudgeServer(known_ratings) as server:
        done = run(server, ok=False, judge_modle="x")
        assert not server.calls
    assert done.code != 0
    assert "did you mean 'judge_model'" in done.output


def test_environment_sets_what_is_site_wide(lm_eval, answers):
    with JudgeServer(known_ratings) as server:
        done = lm_eval(
            *("--model", "recorded", "--model_args", f"path={answers}", "--tasks", "nejumi_mtbench"),
            *("--metadata", json.dumps({"data": "sample"})),
            env={**KEY, "LM_EVAL_JA_JUDGE_BASE_URL": server.url, "LM_EVAL_JA_JUDGE_MODEL": "house-judge"},
        )
        assert {call.body["model"] for call in server.calls} == {"house-judge"}
    assert "judge:house-judge" in str(done.results()["configs"]["nejumi_mtbench"]["metadata"])


def test_overall_is_the_mean_of_jaster_and_a_tenth_of_mtbench(lm_eval, answers, sample_answers, tmp_path):
    both = tmp_path / "both.jsonl"
    both.write_bytes(Path(answers).read_bytes() + Path(sample_answers).read_bytes())
    with JudgeServer(known_ratings) as server:
        done = lm_eval(
            *("--model", "recorded", "--model_args", f"path={both}", "--tasks", "nejumi"),
            *("--metadata", options(server)),
            env=KEY,
        )
    results = done.results()["results"]
    jaster, mtbench = results["nejumi_jaster"], results["nejumi_mtbench"]
    overall = results["nejumi"]
    assert overall["score,none"] == pytest.approx((jaster["score,none"] + mtbench["score,none"] / 10) / 2)
    assert "nejumi (sample, not a benchmark)" in done.output


def test_two_turns_on_a_real_model_with_and_without_template(lm_eval, tiny_model):
    def run(server, output, *template):
        return lm_eval(
            *(
                "--model",
                "hf",
                "--model_args",
                f"pretrained={tiny_model}",
                "--device",
                "cpu",
                "--batch_size",
                "8",
            ),
            *("--tasks", "nejumi_mtbench", "--gen_kwargs", "max_gen_toks=16", "--metadata", options(server)),
            *("--use_cache", f"cache-{len(template)}", *template),
            env=KEY,
            output=output,
        )

    with JudgeServer(known_ratings) as server:
        for template in ([], ["--apply_chat_template"]):
            samples = run(server, f"out-{len(template)}", *template).samples("nejumi_mtbench")
            record = json.loads(samples[0]["filtered_resps"][0])
            assert samples[0]["doc"]["turns"][1] in record["second_prompt"]
            assert record["answers"][0] in record["second_prompt"]
            assert record["second_prompt"].endswith("<|assistant|>\n" if template else "応答: \n")
            again = run(server, f"again-{len(template)}", *template)
            assert "Running generate_until requests: 100%" not in again.output, (
                "both turns came from the cache"
            )
            assert [s["resps"] for s in again.samples("nejumi_mtbench")] == [s["resps"] for s in samples]
