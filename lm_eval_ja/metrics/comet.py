"""comet_wmt22: translations scored by a model, Unbabel/wmt22-comet-da (PROTOCOL, section 5).

It stands apart from the other metrics because it takes a model of 2 GB and a package that can't live beside current
transformers: COMET 2.2.7 requires transformers below 5, numpy below 2 and huggingface_hub below 1, and forced onto
transformers 5 it loads a model but fails at the first sentence. So it runs in an environment of its own, on saved
samples (``python=``), or here if this environment has it.
"""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval_ja.errors import OptionError
from lm_eval_ja.metrics import _comet_worker

NAME = "comet_wmt22"
"""The metric's name in results."""

MODEL = "Unbabel/wmt22-comet-da"
"""The model of the protocol."""

HOW_TO_GET = (
    "COMET wants transformers 4, so give it an environment of its own: `python -m venv comet-env`, `comet-env/bin/pip "
    'install "unbabel-comet>=2.2.7" "setuptools<81"`, and score logged samples with `lm-eval-ja rescore DIR --metric '
    f"{NAME} --python comet-env/bin/python`. The model ({MODEL}, 2.3 GB) is downloaded on first use; without internet, "
    "copy its folder and name it with --comet-model"
)
"""What to do where COMET is missing."""


@dataclass(frozen=True)
class CometScores:
    """Scores and where they come from.

    Attributes:
        scores: One per item, in the items' order; about 0 to 1, but not bounded.
        version: Version of COMET.
        model: The model that scored.
    """

    scores: tuple[float, ...]
    version: str
    model: str

    @property
    def signature(self) -> str:
        """Model and version, for results."""
        return f"model={self.model},comet={self.version}"


def comet_wmt22(
    sources: Sequence[str],
    predictions: Sequence[str],
    golds: Sequence[str],
    *,
    model: str = MODEL,
    python: str | None = None,
    batch_size: int = 8,
) -> CometScores:
    """Score translations. The dataset's score is the mean over items.

    Args:
        sources: The samples' inputs.
        predictions: Normalised predictions.
        golds: Gold translations.
        model: The model's name on the hub, its folder (with ``hparams.yaml`` and ``checkpoints/model.ckpt``), or a
            checkpoint file.
        python: Python of an environment with COMET; None for this one.
        batch_size: Items at a time.

    Returns:
        The scores.

    Raises:
        OptionError: COMET is missing or doesn't work, or the model cannot be loaded; the message says what to do.
    """
    items = [
        {"src": source, "mt": prediction, "ref": gold}
        for source, prediction, gold in zip(sources, predictions, golds, strict=True)
    ]
    if not items:
        return CometScores((), "", model)
    if python is None:
        answer = _comet_worker.score(items, model, batch_size)
    else:
        answer = _elsewhere(python, items, model, batch_size)
    if "error" in answer:
        raise OptionError(_explain(answer, model, python))
    return CometScores(tuple(answer["scores"]), answer["version"], model)


def _elsewhere(python: str, items: list[dict[str, str]], model: str, batch_size: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="lm-eval-ja-comet-") as folder:
        question, answer = Path(folder, "items.jsonl"), Path(folder, "scores.json")
        # ASCII: a text may hold what splits lines or what no UTF-8 file can.
        question.write_text("".join(json.dumps(item) + "\n" for item in items), encoding="ascii")
        command = [python, _comet_worker.__file__, "--model", model, "--batch-size", str(batch_size)]
        try:
            done = subprocess.run(  # noqa: S603  # the user's own Python
                [*command, "--input", str(question), "--output", str(answer)], check=False
            )
        except OSError as error:
            raise OptionError(
                f"--python {python} can't be run ({error}): give the path of bin/python in an environment with COMET. "
                f"{HOW_TO_GET}."
            ) from error
        if not answer.is_file():
            raise OptionError(
                f"{python} ended with status {done.returncode} and no scores; its own messages stand above"
            )
        found: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
        return found


def _explain(answer: dict[str, Any], model: str, python: str | None) -> str:
    where = python or "this environment"
    if answer["stage"] == "load":
        return (
            f"the COMET model {model} can't be loaded in {where} ({answer['error']}): check the name and the network, "
            "or give --comet-model the folder of a downloaded one, with hparams.yaml and checkpoints/model.ckpt in "
            "it. Its encoder's configuration and tokenizer (xlm-roberta-large) must be in the hub's cache too"
        )
    missing = answer["stage"] == "import"
    return f"COMET {'is missing' if missing else 'fails'} in {where} ({answer['error']}). {HOW_TO_GET}."
