"""Options given with --metadata: values checked, slips named, other people's keys left alone."""

import inspect
from dataclasses import asdict

import pytest

from lm_eval_ja.errors import OptionError
from lm_eval_ja.judge.options import JudgeOptions
from lm_eval_ja.options import pick
from lm_eval_ja.prompts import make_style
from lm_eval_ja.tasks.options import AnswerOptions, JasterOptions


def test_other_keys_are_left_alone():
    options = pick(JasterOptions, {"pretrained": "x", "dtype": "auto", "version": 3, "split": "dev"})
    assert options == JasterOptions(split="dev")
    assert pick(JasterOptions, None) == JasterOptions()


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"custom_promt_template": "{input}"}, "did you mean 'custom_prompt_template'"),
        ({"max_sample": 3}, "did you mean 'max_samples'"),
        ({"prompt_stile": "chat"}, "did you mean 'prompt_style'"),
        ({"split": "train"}, "'train'"),
        ({"data": "fake"}, "'fake'"),
        ({"max_samples": 0}, "max_samples is 0"),
        ({"max_samples": -2}, "max_samples is -2"),
        ({"max_samples": "10"}, "max_samples is '10'"),
        ({"max_samples": True}, "max_samples is True"),
        ({"prompt_presets": "chatml"}, "did you mean 'prompt_preset'"),
    ],
)
def test_bad_options_are_named(metadata, message):
    with pytest.raises(OptionError, match=message):
        pick(JasterOptions, metadata)


SECRETS = [
    "OPENAI_API_KEY", "openai_api_key", "judge_api_key", "judge_key", "AZURE_OPENAI_AD_TOKEN", "hf_token", "HF_TOKEN",
    "api_key", "apikey", "apiKey", "api-key", "x-api-key", "token", "access_token", "accessToken", "auth_token",
    "bearer_token", "authorization", "Authorization", "password", "db_password", "secret", "client_secret",
    "secret_key", "aws_secret_access_key", "wandb_api_key", "ANTHROPIC_API_KEY", "github_token", "private_key",
    "credentials", "passphrase", "huggingface_token", "session_token",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("options", [JudgeOptions.from_run, lambda given: pick(JasterOptions, given)])
def test_names_of_secrets_are_refused(name, options):
    for given in ({name: "sk-1"}, {"notes": {"more": [{name: "sk-1"}]}}):
        with pytest.raises(
            OptionError, match=f"{name} in --metadata would be written into the results"
        ) as error:
            options(given)
        assert "sk-1" not in str(error.value)


def test_what_only_ends_like_a_secret_is_none():
    options = {
        "judge_api_key_env": "HOUSE_KEY", "judge_max_tokens": 5, "sort_key": "id", "max_tokens": 3, "eos_token": "</s>",
        "think_end_token": "</think>", "add_bos_token": True, "tokenizer": "x", "tokenizer_backend": "huggingface",
        "keyword": "x", "use_auth_token": True, "token": None, "prefix_token_id": 3, "secretary": "x", "key": "x",
    }  # fmt: skip
    assert JudgeOptions.from_run(options).judge_max_tokens == 5
    with pytest.raises(OptionError, match="did you mean 'judge_max_tokens'"):
        JudgeOptions.from_run({"judge_max_token": 5})


def test_judge_prompts_are_a_name_or_a_path():
    with pytest.raises(OptionError, match="judge_prompts is 4; it may be nejumi, fastchat, or the path"):
        JudgeOptions.from_run({"judge_prompts": 4})


def test_the_options_of_one_task_are_no_slips_to_the_other():
    assert pick(JasterOptions, asdict(JudgeOptions())) == JasterOptions()
    assert pick(JudgeOptions, asdict(JasterOptions())) == JudgeOptions()


def test_a_preset_is_a_style():
    style = JasterOptions(prompt_preset="chatml").style("alpaca")
    assert "<|im_start|>user" in style.text("I", [], "q")
    with pytest.raises(OptionError, match="use only one of prompt_preset"):
        _ = JasterOptions(prompt_preset="chatml", prompt_style="chat").style("alpaca")
    with pytest.raises(OptionError, match="chatlm"):
        _ = JasterOptions(prompt_preset="chatlm").style("alpaca")


def test_the_protocols_style_is_taken_unless_another_is_asked_for():
    for usual, other in (("alpaca", "chat"), ("chat", "alpaca")):
        assert JasterOptions().style(usual) == make_style(usual)
        assert JasterOptions(prompt_style=other).style(usual) == make_style(other) != make_style(usual)
        own = JasterOptions(custom_prompt_template="{instruction}!{input}").style(usual)
        assert own.text("I", [], "q") == "I!q", (
            "a template of the user's own is no chat, whatever the protocol's"
        )


def test_no_model_argument_is_taken_for_a_slip():
    pytest.importorskip("torch")  # lm_eval's own module needs it
    from lm_eval.models.api_models import TemplateAPI
    from lm_eval.models.huggingface import HFLM
    from lm_eval.models.openai_completions import LocalChatCompletion

    vllm = {
        "tensor_parallel_size",
        "data_parallel_size",
        "max_model_len",
        "max_num_seqs",
        "max_gen_toks",
        "swap_space",
    }
    for model in (HFLM, TemplateAPI, LocalChatCompletion):
        names = vllm | set(inspect.signature(model.__init__).parameters) - {"self", "kwargs"}
        assert len(names) > len(vllm) or model is LocalChatCompletion
        assert pick(JasterOptions, dict.fromkeys(names)) == JasterOptions()


def test_a_token_budget_only_rises():
    for text, limit, raised in (
        ("protocol", 3, 3),
        ("x1", 3, 3),
        ("x4", 3, 12),
        ("+4096", 1024, 5120),
        ("+0", 3, 3),
    ):
        assert pick(AnswerOptions, {"token_budget": text}).tokens(limit) == raised
    for text in ("x0", "x-1", "x0.5", "-5", "64", 64, "", "x", "+", None, "+1e3", "x９"):
        with pytest.raises(
            OptionError, match=r"token_budget is .*; it may be protocol, or raise every limit"
        ):
            pick(AnswerOptions, {"token_budget": text})
    with pytest.raises(OptionError, match="did you mean 'token_budget'"):
        pick(AnswerOptions, {"token_budgets": "x4"})


def test_misspelled_variables_of_the_judge_are_named(monkeypatch):
    monkeypatch.setenv("LM_EVAL_JA_JUDGE_MODLE", "gpt-4o")
    with pytest.raises(
        OptionError, match="unknown variable LM_EVAL_JA_JUDGE_MODLE: did you mean LM_EVAL_JA_JUDGE_MODEL"
    ):
        JudgeOptions.from_run(None)
    monkeypatch.delenv("LM_EVAL_JA_JUDGE_MODLE")
    monkeypatch.setenv("LM_EVAL_JA_JUDGE_API_KEY", "sk-1")  # a variable that judge_api_key_env may name
    monkeypatch.setenv("LM_EVAL_JA_JUDGE_MODEL", "4")  # a text, although JSON would make a number of it
    assert JudgeOptions.from_run(None).judge_model == "4"


def test_huge_values_are_named_in_short():
    """Python writes no number of more than 4300 digits."""
    for options, value in (
        ({"max_samples": -(10**5000)}, "<int too large to be shown>"),
        ({"prompt_style": "x" * 10**6}, r"x… \(1000002 characters\)"),
    ):
        with pytest.raises(OptionError, match=value):
            pick(JasterOptions, options).style("alpaca")
    with pytest.raises(OptionError, match="judge repeats: a whole number, 1 to 1000, is expected, not <int"):
        JudgeOptions.from_run({"judge_repeats": 10**5000})
