"""A real OpenAI-compatible server on 127.0.0.1 that plays the model under evaluation.

It answers chat and plain completions; every answer is fixed by the prompt and differs from all others, so that a test
can tell from an answer, wherever it turns up, which prompt was asked::

    with ModelServer(latency=0.02) as server:
        ...  # lm_eval --model local-chat-completions --model_args base_url=<server.chat_url>,...
        assert server.asked()[prompt] == 1

The protocol work is ``tests/support/judge_server.py``'s.
"""

import hashlib
import json
from collections import Counter

from tests.support.judge_server import Answer, Call, JudgeServer, Script, say

WORDS = ("entailment", "neutral", "contradiction", "yes", "no", "0", "1", "2", "東京", "日本 positive")
"""What an answer starts with; now and then it is right."""


def prompt_of(call: Call) -> str:
    """What the model was asked: the text, or all messages as JSON."""
    if "prompt" in call.body:
        prompt = call.body["prompt"]
        return prompt if isinstance(prompt, str) else str(prompt[0])
    return json.dumps(call.messages, ensure_ascii=False, sort_keys=True)


def answer_to(prompt: str) -> str:
    """The answer: a word that may be right, a blank line (where jaster's answers end), and the prompt's digest."""
    digest = hashlib.sha256(prompt.encode()).hexdigest()
    return f"{WORDS[int(digest, 16) % len(WORDS)]}\n\n{digest}"


def complete(call: Call) -> Answer:
    """The default script."""
    text = answer_to(prompt_of(call))
    if "prompt" not in call.body:
        return say(text)
    body = {"object": "text_completion", "choices": [{"index": 0, "text": text, "finish_reason": "stop"}]}
    return Answer(body=json.dumps(body).encode())


THOUGHT = "まず問題を読みます。\n\nneutral かもしれません。\n\nいいえ、よく考えると、"
"""What a reasoning model thinks: blank lines, and an answer that it takes back."""


def think(call: Call, *, parser: bool = False, opened: bool = False) -> Answer:
    """A reasoning model: thoughts with blank lines, then the default script's answer; one prompt in four without end.

    It stops at stop strings, within thoughts too, and within the thoughts of prompts without end at the token limit.

    Args:
        call: The request.
        parser: Whether the server separates thoughts into ``reasoning_content``.
        opened: Whether the template writes the opening tag.
    """
    answer = answer_to(prompt_of(call))
    endless = thinks_for_ever(prompt_of(call))
    if parser:
        message = {"role": "assistant", "reasoning_content": THOUGHT, "content": None if endless else answer}
        choice = {"index": 0, "message": message, "finish_reason": "length" if endless else "stop"}
        return Answer(
            body=json.dumps({"object": "chat.completion", "model": "m", "choices": [choice]}).encode()
        )
    text = ("" if opened else "<think>\n") + THOUGHT + ("" if endless else f"\n</think>\n\n{answer}")
    for stop in call.body.get("stop") or ():
        text = text.partition(stop)[0]
    return say(text)


def thinks_for_ever(prompt: str) -> bool:
    """Whether `think` never comes to an end of a prompt."""
    return int(hashlib.sha256(prompt.encode()).hexdigest(), 16) % 4 == 0


class ModelServer(JudgeServer):
    """The server; see :class:`tests.support.judge_server.JudgeServer`."""

    def __init__(self, script: Script = complete, *, latency: float = 0.0, port: int = 0) -> None:
        super().__init__(script, latency=latency, port=port)

    @property
    def chat_url(self) -> str:
        return f"{self.url}/chat/completions"

    @property
    def text_url(self) -> str:
        return f"{self.url}/completions"

    def asked(self) -> Counter[str]:
        """How often each prompt was asked."""
        return Counter(prompt_of(call) for call in self.calls)
