"""benchmarks/peers.py stays importable without any peer, and its table says what was measured."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import peers  # stands beside the tests

    return peers


def test_ratios_are_of_pairs_of_one_round(peers: Any) -> None:
    rounds = [
        {
            "lm-eval-ja": peers.Measured(seconds=10.0 * load, memory=900.0),
            "lm-eval-ja, cached index": peers.Measured(seconds=8.0 * load, memory=900.0),
            "flexeval": peers.Measured(seconds=other * load, memory=600.0),
        }
        for load, other in ((1, 20.0), (4, 5.0), (1, 10.0))
    ]
    ours, _, theirs = peers.table("40 questions", rounds)
    assert ours == "| 40 questions | lm-eval-ja | 10.0 s |  |  | 900 MiB |  |"
    assert (
        "| **1.00** (0.50 to 2.00) | **0.80** (0.40 to 1.60) | 600 MiB | **1.50** (1.50 to 1.50) |" in theirs
    )


def test_a_row_without_an_index_has_no_second_ratio(peers: Any) -> None:
    rounds = [{name: peers.Measured(1.0, 100.0) for name in ("lm-eval-ja", "inspect_ai")}]
    assert (
        list(peers.table("x", rounds))[1] == "| x | inspect_ai | 1.0 s | **1.00** |  | 100 MiB | **1.00** |"
    )


def test_memory_is_that_of_children_too(peers: Any, tmp_path: Path) -> None:
    child = "import time; b = bytearray(60 << 20); time.sleep(1.5)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    measured = peers.run(peers.Command([sys.executable, "-c", parent]), tmp_path)
    assert measured.memory > 60


def test_a_program_that_fails_is_told_with_what_it_said(peers: Any, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="ended with 3: no model"):
        peers.run(peers.Command([sys.executable, "-c", "print('no model'); raise SystemExit(3)"]), tmp_path)


def test_peers_get_the_questions_that_are_exported(peers: Any, tmp_path: Path) -> None:
    (tmp_path / "questions" / "task_a").mkdir(parents=True)
    line = {"query": "q", "reference": "-", "max_gen_toks": 7, "until": ["\n\n"]}
    (tmp_path / "questions" / "task_a" / "test.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    peers.commands(peers.Case(40), tmp_path, tmp_path, tmp_path)
    setup = json.loads((tmp_path / "flexeval.json").read_text(encoding="utf-8"))["eval_setups"]["task_a"]
    settings = setup["init_args"]["gen_kwargs"]
    assert (settings["max_new_tokens"], settings["stop_sequences"]) == (7, ["\n\n"])


def test_help_needs_no_peer() -> None:
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "peers.py"), "--help"], check=True, capture_output=True, text=True
    )
    assert "--make-environments" in done.stdout
