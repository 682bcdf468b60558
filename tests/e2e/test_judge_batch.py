"""``lm-eval-ja judge --batch`` as a user runs it, killed on the way, against both providers' protocols."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys

from tests.e2e.conftest import environment
from tests.e2e.test_mtbench import answers  # noqa: F401 -- a fixture
from tests.support.batch_servers import AnthropicProvider, OpenAIProvider
from tests.support.judge_server import JudgeServer

KEYS = {"OPENAI_API_KEY": "sk-secret-0123456789abcdef", "ANTHROPIC_API_KEY": "sk-ant-secret-0123456789"}


def newest(folder):
    """The newest results and samples, but for dates and for what no two calls have in common."""
    results = json.loads(max(folder.rglob("results_*.json")).read_text(encoding="utf-8"))
    lines = max(folder.rglob("samples_nejumi_mtbench_*.jsonl")).read_text(encoding="utf-8").splitlines()
    samples = [json.loads(line) for line in lines]
    for sample in samples:
        (text,) = sample["filtered_resps"]
        record = json.loads(text)
        for turn in record["judgments"]:
            for judgment in turn["judgments"]:
                del judgment["latency"], judgment["cached"]
        sample["filtered_resps"] = record
    return json.dumps([results, samples], sort_keys=True)


def test_half_price_gives_the_results_of_direct_judging(lm_eval, lm_eval_ja, answers, tmp_path):  # noqa: F811 -- the fixture
    """For each provider: direct, then submitted, killed, submitted again, looked at, collected."""
    options = {"data": "sample", "judge_model": "none"}
    lm_eval(
        *("--model", "recorded", "--model_args", f"path={answers}", "--tasks", "nejumi_mtbench"),
        *("--metadata", json.dumps(options)),
    )
    for provider, flags in (
        (OpenAIProvider(), []),
        (AnthropicProvider(), ["--judge_api", "anthropic", "--judge_model", "claude-judge-1"]),
    ):
        with JudgeServer(provider) as server:
            flags += ["--judge_base_url", server.url]
            for name in ("direct", "batch"):
                shutil.rmtree(tmp_path / name, ignore_errors=True)
                shutil.copytree(tmp_path / "out", tmp_path / name)
            lm_eval_ja("judge", "direct", *flags, env={**KEYS, "LM_EVAL_JA_CACHE": str(tmp_path / "other")})
            shutil.copytree(tmp_path / "cache", tmp_path / "other", dirs_exist_ok=True)
            provider.rated.clear()

            if isinstance(provider, OpenAIProvider):
                limits = ["--judge_price", "[30, 60]", "--judge_max_cost", "0.001"]
                done = lm_eval_ja("judge", "batch", "--batch", "submit", *flags, *limits, env=KEYS, ok=False)
                sent, received = map(int, re.findall(r"about (\d+) tokens sent and (\d+)", done.output)[0])
                half = (sent * 30 + received * 60) / 2e6
                assert f"the estimate of ${half:.2f} is more than judge_max_cost" in done.output
                assert (done.code, provider.batches) == (1, [])

            process = subprocess.Popen(
                [sys.executable, "-m", "lm_eval_ja.cli", "judge", "batch", "--batch", "submit", *flags],
                env=environment(tmp_path, KEYS),
                cwd=tmp_path,
            )

            def kill(call, pid=process.pid):
                if call.method == "POST" and call.path.endswith("/batches"):
                    os.kill(pid, signal.SIGKILL)

            provider.after = kill
            assert process.wait(300) == -signal.SIGKILL, (
                "after the provider took the batch, before it could say so"
            )
            provider.after = lambda call: None
            assert len(provider.batches) == 1
            if isinstance(provider, AnthropicProvider):
                provider.finish()  # only then it is known whose it is
            done = lm_eval_ja("judge", "batch", "--batch", "submit", *flags, env=KEYS)
            assert "0 judgments submitted, 16 in earlier batches, 0 in the store" in done.output
            if isinstance(provider, OpenAIProvider):
                early = lm_eval_ja("judge", "batch", "--batch", "collect", *flags, env=KEYS, ok=False)
                assert early.code == 1
                assert "batch_0: 0 of 16 judgments, validating" in early.output
                assert len(list((tmp_path / "batch").rglob("results_*.json"))) == 1, "nothing is written yet"
                assert lm_eval_ja("judge", "batch", "--batch", "status", *flags, env=KEYS, ok=False).code == 1
                provider.finish()
                done = lm_eval_ja("judge", "batch", "--batch", "status", *flags, env=KEYS)
                assert "all have ended" in done.output
            done = lm_eval_ja("judge", "batch", "--batch", "collect", *flags, env=KEYS)
            assert "written: batch" in done.output
            assert len(provider.batches) == 1
            assert set(provider.rated.values()) == {1}
            assert newest(tmp_path / "batch") == newest(tmp_path / "direct")
            kept = "".join(path.read_text() for path in tmp_path.glob("cache/judgments.jsonl*/**/*.json"))
            assert kept
            assert not any(key in kept for key in KEYS.values())
