"""mathematical_equivalence: verdicts, any text, and comparisons without end, in threads too."""

import importlib.util
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lm_eval_ja.errors import OptionError
from lm_eval_ja.metrics import METRICS, mathematical_equivalence, mathematics

needs_math_verify = pytest.mark.skipif(
    importlib.util.find_spec("math_verify") is None, reason="math-verify is not installed"
)
FOR_EVER = "9^{9^{9^{9}}}"


@pytest.fixture(autouse=True)
def busy_machine(monkeypatch):
    """Verdicts may take their time: only the test of the limit has one."""
    monkeypatch.setattr(mathematics, "TIME_LIMIT", 600.0)


@pytest.mark.parametrize(
    ("prediction", "gold", "same"),
    [
        ("12", "12", 1.0),
        (" 12\n", "12", 1.0),
        ("+012", "12", 1.0),
        ("-0", "0", 1.0),
        ("-12", "12", 0.0),
        ("13", "12", 0.0),
        ("", "12", 0.0),
        ("", "", 1.0),
        ("9" * 5_000, "9" * 5_000 + "0", 0.0),
    ],
)
def test_whole_numbers_need_no_package(prediction, gold, same, monkeypatch):
    monkeypatch.setattr(mathematics._worker, "equal", None)
    assert mathematical_equivalence(prediction, gold) == same


@needs_math_verify
@pytest.mark.parametrize(
    ("prediction", "gold", "same"),
    [
        ("12.0", "12", 1.0),
        ("1,000", "1000", 1.0),
        (r"\frac{1}{2}", "0.5", 1.0),
        (r"\frac{1}{2}", "2", 0.0),
        ("x(x+1)", "x^2+x", 1.0),
        ("12個", "12", 1.0),
        ("50%", "0.5", 1.0),
        ("わかりません", "12", 0.0),
        ("52-17=35", "35", 1.0),
        ("-3.5", "3.5", 0.0),
    ],
)
def test_what_else_is_the_same(prediction, gold, same):
    assert mathematical_equivalence(prediction, gold) == same


@needs_math_verify
@settings(max_examples=60, deadline=None)
@given(
    st.text(max_size=30)
    | st.lists(st.sampled_from(["\\frac", "{", "}", "$", "1", "^", "=", "x", "\n"])).map("".join)
)
def test_no_text_raises(text):
    assert mathematical_equivalence(text, "12") in (0.0, 1.0)


@needs_math_verify
def test_a_comparison_without_end_is_given_up_and_the_next_one_works(monkeypatch, caplog):
    assert mathematical_equivalence("1.50", "1.5") == 1.0, "the process has started"
    with monkeypatch.context() as patch:
        patch.setattr(mathematics, "TIME_LIMIT", 0.0)
        assert mathematical_equivalence(FOR_EVER, "3") == 0.0
    assert "no verdict in time" in caplog.text
    verdicts: list[float] = []
    threads = [
        threading.Thread(target=lambda: verdicts.append(mathematical_equivalence("2.50", "2.5")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verdicts == [1.0] * 4


@needs_math_verify
@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_process_may_be_ended_while_a_comparison_is_under_way():
    """As at the end of Python, with a thread still scoring: that comparison has no verdict, and no thread breaks."""
    asked = threading.Event()

    class Watched(mathematics._Worker):
        def _next(self, limit):
            asked.set()
            return super()._next(limit)

    before = set(threading.enumerate())
    worker = Watched()
    for _ in range(3):
        assert worker.equal("1.50", "1.5")
        asked.clear()
        process = worker._process
        verdicts = []
        asking = threading.Thread(target=lambda own=verdicts: own.append(worker.equal(FOR_EVER, "3")))
        asking.start()
        asked.wait()
        enders = [threading.Thread(target=worker.stop) for _ in range(4)]
        for thread in enders:
            thread.start()
        for thread in (asking, *enders):
            thread.join()
        assert verdicts == [False]
        assert process.poll() is not None
        assert process.stdin.closed
    for reader in set(threading.enumerate()) - before:
        reader.join()
    assert worker.equal("1.50", "1.5")
    worker.stop()


def test_the_package_is_asked_for_before_anything_is_generated(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(OptionError, match=r"lm-eval-ja\[math\]"):
        METRICS["mathematical_equivalence"].require()
