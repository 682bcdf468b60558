"""The exported questions, and judgments, as tasks of inspect_ai; run in its own environment.

``PEER_QUESTIONS`` names the folder of JSON lines, one file per task; with ``PEER_JUDGE`` the folder's answers are rated
by the judge of that name instead.
"""

import json
import os
from pathlib import Path
from typing import Any

from inspect_ai import Task, task  # type: ignore[import-not-found]  # stands in its own environment
from inspect_ai.dataset import Sample  # type: ignore[import-not-found]
from inspect_ai.model import ModelOutput  # type: ignore[import-not-found]
from inspect_ai.scorer import exact, model_graded_qa  # type: ignore[import-not-found]
from inspect_ai.solver import generate, solver  # type: ignore[import-not-found]


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _add(path: Path) -> None:
    @task(name=path.parent.name)
    def questions() -> Any:
        lines = _lines(path)
        return Task(
            dataset=[Sample(input=line["query"], target=line["reference"]) for line in lines],
            solver=generate(max_tokens=lines[0]["max_gen_toks"], stop_seqs=lines[0]["until"]),
            scorer=exact(),
        )

    globals()[path.parent.name] = questions  # where inspect_ai looks for tasks


@solver
def saved_answer() -> Any:
    async def solve(state: Any, generate: Any) -> Any:  # noqa: ARG001  # its protocol
        state.output = ModelOutput.from_content("saved", state.metadata["answer"])
        return state

    return solve


if "PEER_JUDGE" in os.environ:

    @task
    def judging() -> Any:
        lines = _lines(Path(os.environ["PEER_QUESTIONS"]))
        return Task(
            dataset=[
                Sample(input=line["question"], target="-", metadata={"answer": line["answer"]})
                for line in lines
            ],
            solver=saved_answer(),
            scorer=model_graded_qa(
                template="{question}\n\n{answer}\n\n{instructions}",
                instructions="Rate the answer like this: [[5]].",
                grade_pattern=r"\[\[(\d+)\]\]",
                model=os.environ["PEER_JUDGE"],
            ),
        )

else:
    for _path in sorted(Path(os.environ["PEER_QUESTIONS"]).glob("*/test.jsonl")):
        _add(_path)
