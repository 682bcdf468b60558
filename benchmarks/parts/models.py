"""The tiny model, loaded once per process."""

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from table import ROOT

BATCH = 32


@cache
def load_model(folder: Path) -> Any:
    """The harness's ``hf`` backend with a tiny model of random weights, on CPU."""
    from lm_eval.models.huggingface import HFLM

    script = ROOT / "scripts" / "make_tiny_model.py"
    subprocess.run([sys.executable, str(script), str(folder / "tiny")], check=True, capture_output=True)
    return HFLM(pretrained=str(folder / "tiny"), device="cpu", batch_size=BATCH, add_bos_token=False)
