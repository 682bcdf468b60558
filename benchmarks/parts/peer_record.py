"""Run a program's console script and write down what the model was really given: ``peer_record.py FILE SCRIPT ARG…``.

Each call of ``generate`` adds a JSON line per prompt: its tokens without padding, and how many tokens came.
"""

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import transformers


def main() -> None:
    """Wrap ``generate``, then be that script."""
    out = Path(sys.argv[1])
    original = transformers.generation.GenerationMixin.generate

    def generate(self: Any, *args: Any, **settings: Any) -> Any:
        found = original(self, *args, **settings)
        tokens = settings.get("input_ids", args[0] if args else None)
        mask = settings["attention_mask"]
        sequences = getattr(found, "sequences", found)
        with out.open("a", encoding="utf-8") as file:
            for row, seen, whole in zip(tokens, mask, sequences, strict=True):
                line = {
                    "prompt": row[seen.bool()].tolist(),
                    "padded": len(row),
                    "answer": whole[len(row) :].tolist(),
                }
                file.write(json.dumps(line) + "\n")
        return found

    transformers.generation.GenerationMixin.generate = generate
    sys.argv = sys.argv[2:]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
