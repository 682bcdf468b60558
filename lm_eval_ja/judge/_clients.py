"""Which client talks to which judge."""

from lm_eval_ja.judge._anthropic import AnthropicClient
from lm_eval_ja.judge._config import Endpoint, JudgeConfig
from lm_eval_ja.judge._openai import OpenAIClient


def connect(config: JudgeConfig, endpoint: Endpoint) -> AnthropicClient | OpenAIClient:
    """Set up the client for a judge; nothing is sent.

    Raises:
        JudgeError: The ``openai`` package or the key is missing.
    """
    return (AnthropicClient if endpoint.kind == "anthropic" else OpenAIClient)(config, endpoint)
