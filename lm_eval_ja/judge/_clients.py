"""Which client talks to which judge."""

from lm_eval_ja.judge._anthropic import AnthropicClient
from lm_eval_ja.judge._config import Endpoint, JudgeConfig
from lm_eval_ja.judge._openai import OpenAIClient
from lm_eval_ja.judge._transport import MOST_BYTES


def connect(
    config: JudgeConfig, endpoint: Endpoint, most_bytes: int = MOST_BYTES
) -> AnthropicClient | OpenAIClient:
    """Set up the client for a judge; nothing is sent.

    Args:
        config: The judge.
        endpoint: Its address.
        most_bytes: Largest answer that is read.

    Raises:
        JudgeError: The ``openai`` package or the key is missing.
    """
    return (AnthropicClient if endpoint.kind == "anthropic" else OpenAIClient)(config, endpoint, most_bytes)
