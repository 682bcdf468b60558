"""What a further checkpoint costs in a sweep, beyond its own generation: ``python benchmarks/sweep.py MIRROR``.

A sweep over tiny models in this process. Of each: the time from the end of the one before to its own end, less the time
in ``generate_until``. Compared with a command of its own (``lm_eval run``): its whole time, less the same generation.
Goal: at most 2 s per further model. The exit status is 1 if it is missed.
"""

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[1]
GOAL = 2.0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("mirror", type=Path, help="folder with the raw files, as LM_EVAL_JA_MIRROR")
    parser.add_argument("--models", type=int, default=4, help="checkpoints (default 4)")
    parser.add_argument("--limit", default="5", help="questions of each dataset (default 5)")
    options = parser.parse_args()
    os.environ["LM_EVAL_JA_MIRROR"] = str(options.mirror.resolve())
    os.environ["HF_HUB_OFFLINE"] = "1"
    with tempfile.TemporaryDirectory() as name:
        os.environ["LM_EVAL_JA_CACHE"] = str(Path(name, "cache"))
        os.chdir(name)
        names = [f"step-{number}" for number in range(options.models)]
        for seed, model in enumerate(names):
            make = [sys.executable, str(ROOT / "scripts" / "make_tiny_model.py"), model, "--seed", str(seed)]
            subprocess.run(make, check=True, capture_output=True)
        words = ["--tasks", "nejumi_jaster", "--limit", options.limit, "--batch_size", "16"]
        load = os.getloadavg()[0]
        generating, further = sweep(names, words)
        start = time.perf_counter()
        single = [sys.executable, "-m", "lm_eval", "run", "--model_args", f"pretrained={names[-1]}", *words]
        subprocess.run([*single, "--output_path", "single", "--log_samples"], check=True, capture_output=True)
        alone = time.perf_counter() - start
    print(f"load {load:.1f}, {os.cpu_count()} cores, {16 * int(options.limit)} questions each")
    print(f"generation: {statistics.median(generating):.1f} s a model")
    shown = ", ".join(f"{seconds:.2f}" for seconds in further)
    print(f"a further model in the sweep, beyond that: {shown} s (goal: {GOAL:.0f})")
    print(f"a command of its own, beyond that: {alone - generating[-1]:.1f} s")
    return 0 if statistics.median(further) <= GOAL else 1


def sweep(names: list[str], words: list[str]) -> tuple[list[float], list[float]]:
    """Seconds of generation of each model, and what each but the first took beyond that."""
    from lm_eval.models.huggingface import HFLM

    from lm_eval_ja.cli import main as command
    from lm_eval_ja.sweep import Ledger

    generating: list[float] = []
    ends: list[float] = []
    generate: Any = HFLM.generate_until
    add: Any = Ledger.add

    def timed(self: Any, *args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        answers = generate(self, *args, **kwargs)
        generating.append(time.perf_counter() - start)
        return answers

    def noted(self: Any, done: Any) -> None:
        add(self, done)
        ends.append(time.perf_counter())

    with patch.object(HFLM, "generate_until", timed), patch.object(Ledger, "add", noted):
        if command(["sweep", *names, *words, "--output_path", "out"]):
            raise SystemExit("the sweep has failed")
    spans = [after - before for before, after in itertools.pairwise(ends)]
    return generating, [span - own for span, own in zip(spans, generating[1:], strict=True)]


if __name__ == "__main__":
    sys.exit(main())
