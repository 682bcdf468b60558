"""Everything that is promised about speed, in one table of ratios: ``python benchmarks/run.py MIRROR``.

Each row is two things measured by turns in this one run, as often as ``--repeats`` says, and the median of their
ratios. Rows appear as they are done; with ``-o`` the table is written to a file as well. About a quarter of an hour on
two cores.
"""

import argparse
import importlib
import logging
import os
import sys
import tempfile
from pathlib import Path

from table import ROOT, Place, header, line, machine

PARTS = {
    "overhead": "(a) What a run costs beyond the model",
    "preparation": "(b) Getting the data ready",
    "metrics": "(c) Metrics",
    "judge": "(d) Judging",
    "turns": "(e) Two turns",
    "report": "(f) Reports",
    "interactions": "(f) What a reader of a report waits for",
    "growth": "(g) Growth with the number of questions",
}


def main() -> int:
    """Print the table; the exit status is 1 if a goal is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("mirror", type=Path, help="folder with the raw files, laid out as <host>/<path>")
    parser.add_argument("parts", nargs="*", metavar="part", help=f"{', '.join(PARTS)} (default: all)")
    parser.add_argument("--repeats", type=int, default=3, help="measurements of each thing (default 3)")
    parser.add_argument("-o", "--output", type=Path, help="file for the table, as Markdown")
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown or not options.mirror.is_dir() or options.repeats < 1:
        parser.error(f"no such part or folder, or too few repeats: {sorted(unknown) or options.mirror}")
    sys.path.insert(1, str(ROOT))  # for tests.support, which makes servers and runs
    # Nothing but the packages and the mirror is used, whatever the developer has set.
    os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "TQDM_DISABLE": "1"}
    os.environ.setdefault("OPENAI_API_KEY", "benchmark")
    logging.disable(logging.WARNING)
    text: list[str] = []

    def show(part: str) -> None:
        print(part, flush=True)
        text.append(part)

    show(machine())
    met = True
    for name in options.parts or PARTS:
        show(f"\n### {PARTS[name]}\n\n{header()}")
        with tempfile.TemporaryDirectory() as folder:
            os.environ |= {
                "LM_EVAL_JA_MIRROR": str(options.mirror.resolve()),
                "LM_EVAL_JA_CACHE": str(Path(folder, "cache")),
                "HF_DATASETS_CACHE": str(Path(folder, "datasets")),
            }
            place = Place(options.mirror.resolve(), Path(folder), options.repeats)
            for row in importlib.import_module(f"parts.{name}").rows(place):
                show(line(row.cells()))
                met &= row.met
    if options.output:
        options.output.write_text("\n".join(text) + "\n", encoding="utf-8")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
