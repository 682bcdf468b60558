"""``lm-eval-ja doctor``: what is well, what is not, and the fix."""

import json

SAMPLE = ["--metadata", json.dumps({"data": "sample"})]


def findings(done) -> dict[str, tuple[str, str]]:
    """Subject -> (``ok`` or ``FIX``, finding)."""
    lines = [line for line in done.output.splitlines() if line.startswith(("ok  ", "FIX "))]
    return {line[4:].split(": ")[0].strip(): (line[:4].strip(), line.split(": ", 1)[1]) for line in lines}


def test_what_is_there_and_what_is_missing(lm_eval_ja, tmp_path):
    (tmp_path / "mirror").mkdir()
    done = lm_eval_ja("doctor", env={"LM_EVAL_JA_MIRROR": str(tmp_path / "mirror")}, ok=False)
    assert done.code == 1, "no dataset can be had here"
    found = findings(done)
    assert found["bridge"] == ("ok", "on: lm_eval finds our tasks by itself")
    assert found["tasks"][0] == "ok"
    assert found["cache"] == ("ok", str(tmp_path / "cache"))
    assert found["mirror"] == ("ok", str(tmp_path / "mirror"))
    assert found["network"][1] == "off (LM_EVAL_JA_OFFLINE)"
    assert "jnli test: " in done.output
    assert f"save it as {tmp_path}/mirror/raw.githubusercontent.com/yahoojapan/JGLUE/" in done.output


def test_the_bridge_is_off_and_the_places_are_wrong(lm_eval_ja, tmp_path):
    (tmp_path / "file").write_text("")
    env = {
        "LM_EVAL_JA_AUTOLOAD": "0",
        "LM_EVAL_JA_MIRROR": str(tmp_path / "nowhere"),
        "LM_EVAL_JA_CACHE": str(tmp_path / "file"),
    }
    found = findings(lm_eval_ja("doctor", env=env, ok=False))
    assert "off (LM_EVAL_JA_AUTOLOAD=0): give lm_eval --include_path" in found["bridge"][1]
    assert found["mirror"] == (
        "FIX",
        f"{tmp_path}/nowhere is no folder: set LM_EVAL_JA_MIRROR to one, or unset it",
    )
    assert found["cache"][0] == "FIX"
    assert "set LM_EVAL_JA_CACHE" in found["cache"][1]


def test_a_password_in_the_mirror_is_not_shown(lm_eval_ja, tmp_path):
    env = {"LM_EVAL_JA_MIRROR": "http://user:PWPW@127.0.0.1:9/ja"}
    for command in (["doctor"], ["prepare", "--datasets", "jnli"]):
        done = lm_eval_ja(*command, env=env, ok=False)
        assert "PWPW" not in done.output
    assert findings(lm_eval_ja("doctor", env=env, ok=False))["mirror"] == ("ok", "http://***@127.0.0.1:9/ja")


def test_a_cache_that_cannot_be_is_a_finding_and_an_error(lm_eval_ja, tmp_path):
    env = {"LM_EVAL_JA_CACHE": str(tmp_path / ("x" * 300))}
    done = lm_eval_ja("doctor", env=env, ok=False)
    status, finding = findings(done)["settings"]
    assert (done.code, status) == (1, "FIX")
    assert "File name too long" in finding
    assert "Traceback" not in done.output
    done = lm_eval_ja("prepare", "--datasets", "jnli", env=env, ok=False)
    assert done.code == 2
    assert "LM_EVAL_JA_CACHE=" in done.output
    assert "Traceback" not in done.output


def test_a_broken_harness_is_a_finding(lm_eval_ja, tmp_path):
    (tmp_path / "broken" / "lm_eval").mkdir(parents=True)
    (tmp_path / "broken" / "lm_eval" / "__init__.py").write_text("raise RuntimeError('broken on purpose')")
    done = lm_eval_ja("doctor", env={"PYTHONPATH": str(tmp_path / "broken")}, ok=False)
    assert done.code == 1
    status, finding = findings(done)["bridge"]
    assert status == "FIX"
    assert "RuntimeError: broken on purpose" in finding
    assert "Traceback" not in done.output


def test_token_limits(lm_eval_ja, tiny_model):
    """The tokenizer's tokens are bytes: one-byte golds fit a limit of 1, longer Japanese ones are cut."""
    done = lm_eval_ja(
        *("doctor", "--tokenizer", tiny_model, "--tasks", "nejumi_jaster_mc,nejumi_jaster_jemhopqa"),
        *SAMPLE,
        ok=False,
    )
    rows = {line.split()[0]: line.split()[1:] for line in done.output.splitlines() if line.startswith("  j")}
    assert rows["jcommonsenseqa"] == ["1", "1", "0.0%", "exact_match", "1.0000"]
    limit, longest, share, metric, best = rows["jemhopqa"]
    assert (limit, metric) == ("15", "char_f1")
    assert int(longest) > 15
    assert float(share.rstrip("%")) > 0
    assert 0 < float(best) < 1
    assert done.code == 1
    assert "correct answers of jemhopqa are truncated" in done.output
    assert '--metadata \'{"data": "sample", "token_budget": "x' in done.output
