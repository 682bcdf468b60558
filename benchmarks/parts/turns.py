"""(e) Two turns in two batches, against question by question, as runners in the manner of FastChat generate.

All 80 real questions at their own temperatures, answers of 256 tokens, the tiny model through the harness's ``hf``
backend. Question by question is the same code given one question at a time.
"""

from collections.abc import Iterator
from typing import Any

from parts.models import BATCH, load_model
from table import Place, Row, by_turns, seconds

TOKENS = 256


def rows(place: Place) -> Iterator[Row]:
    import torch
    from lm_eval.api.instance import Instance
    from lm_eval.tasks import TaskManager

    from lm_eval_ja.plugin import TASKS_PATH, generate_until_multi_turn

    manager = TaskManager(
        include_path=str(TASKS_PATH), include_defaults=False, metadata={"judge_model": "none"}
    )
    (task,) = manager.load(["nejumi_mtbench"])["tasks"].values()
    task.set_config("generation_kwargs", {"max_gen_toks": TOKENS}, update=True)
    model = load_model(place.folder)

    def requests(*, chat: bool) -> list[Any]:
        task.build_all_requests(apply_chat_template=chat, chat_template=model.apply_chat_template)
        return list(task.instances)

    def batched() -> list[list[str]]:
        torch.manual_seed(0)
        found: list[list[str]] = generate_until_multi_turn(model, requests(chat=False))
        return found

    def one_by_one() -> None:
        for request in requests(chat=False):
            generate_until_multi_turn(model, [request])

    answers = batched()
    assert len(answers) == 80
    ours, theirs = by_turns(place.repeats, lambda: seconds(batched), lambda: seconds(one_by_one))
    yield Row(f"80 conversations, batches of {BATCH}", ours, "question by question", theirs)

    def passes() -> None:
        torch.manual_seed(0)
        made = requests(chat=False)
        for turn in (0, 1):
            model.generate_until(
                [
                    Instance(
                        "generate_until",
                        request.doc,
                        (answer[2] if turn else request.args[0], dict(request.args[1]["gen_kwargs"])),
                        0,
                    )
                    for request, answer in zip(made, answers, strict=True)
                ]
            )

    ours, theirs = by_turns(place.repeats, lambda: seconds(batched), lambda: seconds(passes))
    yield Row("80 conversations", ours, "the same two passes, straight to the backend", theirs, goal=1.02)
