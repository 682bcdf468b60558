"""(d) Judging, against the ideal: a server that takes half a second per answer, and nothing else takes any time.

And against what FastChat's ``gen_judgment`` does: a pool of threads that share one client of the openai package, and
nothing is saved before all is done.

The server runs in a process of its own. ``preflight`` comes first, as in every real run; it also loads ``openai``.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from lm_eval_ja.judge import JudgeConfig, Judgment, Messages, judge, preflight
from table import ROOT, Place, Row, by_turns, seconds

LATENCY = 0.5
WAVES = 5  # judgments per connection
GOALS = {32: 1.25, 128: 1.15}


@contextmanager
def server(latency: float) -> Iterator[str]:
    """Base URL of a judge server."""
    command = [sys.executable, str(ROOT / "tests" / "support" / "judge_server.py"), "--latency", str(latency)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


def items(number: int) -> list[Messages]:
    """Requests of the size of MT-Bench's, about 3,000 characters."""
    filler = "回答の本文です。" * 350
    return [
        [{"role": "system", "content": "You judge."}, {"role": "user", "content": f"{index} {filler}"}]
        for index in range(number)
    ]


def rows(place: Place) -> Iterator[Row]:
    for concurrency in (1, 8, 32, 128):
        number = max(20, WAVES * concurrency)
        measured = [once(concurrency, number) for _ in range(place.repeats)]
        yield Row(
            f"{number} judgments, {concurrency} at a time",
            measured,
            f"{LATENCY} s each and nothing else",
            [number / concurrency * LATENCY] * place.repeats,
            goal=GOALS.get(concurrency),
        )

    for concurrency, goal in ((32, 1.02), (128, None)):
        number = WAVES * concurrency
        ours, theirs = by_turns(
            place.repeats, partial(once, concurrency, number), partial(pool_of_threads, concurrency, number)
        )
        yield Row(f"{number} judgments, {concurrency} at a time", ours, "FastChat's loop", theirs, goal=goal)


def pool_of_threads(concurrency: int, number: int) -> float:
    """Seconds that the same calls take in FastChat's manner."""
    import openai

    def call(messages: Messages) -> str | None:
        reply = client.chat.completions.create(
            model="gpt-4",
            messages=list(messages),  # type: ignore[arg-type]  # the package's own types
            n=1,
            temperature=0,
            max_tokens=2048,
        )
        return reply.choices[0].message.content

    with (
        server(LATENCY) as url,
        openai.OpenAI(base_url=url, api_key=os.environ.get("OPENAI_API_KEY")) as client,
    ):
        requests = items(number)
        with ThreadPoolExecutor(concurrency) as pool:
            return seconds(lambda: list(pool.map(call, requests)))


def once(concurrency: int, number: int) -> float:
    """Seconds that the judgments take."""
    with server(LATENCY) as url, tempfile.TemporaryDirectory() as folder:
        config = JudgeConfig(base_url=url, concurrency=concurrency)
        preflight(config)
        judgments: list[Judgment] = []
        taken = seconds(
            lambda: judgments.extend(
                judge(items(number), config, Path(folder, "store.jsonl"), progress=False)
            )
        )
        assert len(judgments) == number
        assert all(judgment.rating for judgment in judgments)
    return taken
