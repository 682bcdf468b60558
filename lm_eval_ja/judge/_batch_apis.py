"""Which provider's batches a judge has."""

from lm_eval_ja.errors import JudgeError
from lm_eval_ja.judge._batch_anthropic import AnthropicBatches
from lm_eval_ja.judge._batch_api import BatchApi
from lm_eval_ja.judge._batch_openai import OpenAIBatches
from lm_eval_ja.judge._client import JudgeClient
from lm_eval_ja.judge._config import Endpoint, JudgeConfig


def batch_api(config: JudgeConfig, endpoint: Endpoint, client: JudgeClient) -> BatchApi:
    """The batches of a judge, asked through ``client``.

    Raises:
        JudgeError: There are none.
    """
    if endpoint.kind == "azure":
        raise JudgeError(
            "batches on Azure are not supported (deployments of another kind serve them): judge without --batch"
        )
    kind = AnthropicBatches if endpoint.kind == "anthropic" else OpenAIBatches
    return kind(config, endpoint, client)
