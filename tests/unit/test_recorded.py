"""The recorded model: answers found by prompt; what is missing or doubled is named."""

import gzip
import json

import pytest

from lm_eval_ja.adapters import make_request
from lm_eval_ja.errors import DataError, OptionError
from lm_eval_ja.models.recorded import RecordedLM, render_chat


def request(prompt: str, doc_id: str = "a-0", task: str = "t"):
    return make_request("generate_until", {"id": doc_id}, (prompt, {"until": []}), task, 0)


@pytest.fixture
def answers(tmp_path):
    def write(*records):
        path = tmp_path / "answers.jsonl"
        path.write_text(
            "".join(r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) + "\n" for r in records),
            encoding="utf-8",
        )
        return str(path)

    return write


def test_answers_come_back_by_prompt_in_the_order_asked(answers):
    lm = RecordedLM(
        answers({"prompt": "問1", "output": "一"}, "\n", {"id": "t:b", "prompt": "問2", "output": ""})
    )
    assert lm.generate_until([request("問2"), request("問1"), request("問2")]) == ["", "一", ""]


def test_missing_answers_are_named(answers):
    lm = RecordedLM(answers({"id": "t:a-0", "prompt": "p", "output": "o"}))
    with pytest.raises(DataError, match=r"no answer for 2 of 3 prompts: t:a-1, t:a-2\."):
        lm.generate_until([request("p"), request("q", "a-1"), request("r", "a-2")])


def test_doubled_ids_are_named(answers):
    line = {"id": "t:a-0", "prompt": "p", "output": "o"}
    with pytest.raises(DataError, match="same id: t:a-0"):
        RecordedLM(answers(line, {**line, "prompt": "other"}))


def test_one_prompt_with_two_outputs_is_told_apart_by_id(answers):
    lm = RecordedLM(
        answers({"id": "t:a-0", "prompt": "p", "output": "x"}, {"id": "t:a-1", "prompt": "p", "output": "y"})
    )
    assert lm.generate_until([request("p", "a-1"), request("p", "a-0")]) == ["y", "x"]
    with pytest.raises(DataError, match=r"t:a-2 differently under the ids t:a-0, t:a-1"):
        lm.generate_until([request("p", "a-2")])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("not json\n", "line 1: expected a JSON object"),
        ("[1]\n", "line 1"),
        ('{"prompt": "p"}\n', "`output`"),
        ('{"prompt": "p", "output": null, "id": "t:1"}\n', "id 't:1'"),
        ("", "holds no answers"),
    ],
)
def test_bad_lines_are_named(answers, line, message):
    with pytest.raises(DataError, match=message):
        RecordedLM(answers(line))


@pytest.mark.parametrize("name", ["answers.jsonl.gz", "answers.jsonl"])
def test_gzip_is_read_whatever_its_name(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress('{"prompt": "問", "output": "答"}\n'.encode()))
    assert RecordedLM(str(path)).generate_until([request("問")]) == ["答"]
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match=rf"{name}, after line \d: damaged gzip"):
        RecordedLM(str(path))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            '{"prompt": "p", "output": "o"}\n'.encode("utf-16"),
            r"line 1: not UTF-8 .*: save the file as UTF-8",
        ),
        (b'{"prompt": "p", "output": "o"}\n{"prompt": "\xff"}\n', "line 2: not UTF-8"),
        (b'{"prompt": "p", "output": "o"}\n' + b"[" * 100_000 + b"\n", r"line 2: expected a JSON object"),
    ],
    ids=["UTF-16", "a byte", "deep"],
)
def test_what_is_no_text_or_too_deep_is_named_by_its_line(tmp_path, data, message):
    path = tmp_path / "answers.jsonl"
    path.write_bytes(data)
    with pytest.raises(DataError, match=message):
        RecordedLM(str(path))


def test_a_byte_order_mark_is_no_part_of_the_answers(tmp_path):
    path = tmp_path / "answers.jsonl"
    path.write_text('{"prompt": "p", "output": "o"}\n', encoding="utf-8-sig")
    assert RecordedLM(str(path)).generate_until([request("p")]) == ["o"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", r"needs the file with the answers: give --model_args path=FILE"),
        ("tokenizer=x", r"needs the file"),
        ("path=a.jsonl,name=m", r"does not take name \(the model's name is model=NAME\)"),
        ("path=a.jsonl,pretrained=m,dtype=x", r"does not take dtype, pretrained: give"),
    ],
)
def test_missing_and_unknown_arguments_are_named(arguments, message):
    """As the harness makes a model; it was a TypeError."""
    with pytest.raises(OptionError, match=message):
        RecordedLM.create_from_arg_string(
            arguments, {"batch_size": 1, "max_batch_size": None, "device": None}
        )


def test_results_are_named_by_the_model(answers):
    from lm_eval.loggers.evaluation_tracker import GeneralConfigTracker

    path = answers({"prompt": "p", "output": "o"})
    RecordedLM.create_from_arg_string(f"path={path},model=lab/model-7b", {"batch_size": 1})
    for given in (f"path={path},model=lab/model-7b", {"path": path, "model": "lab/model-7b"}):
        assert GeneralConfigTracker._get_model_name(given) == "lab/model-7b"


def test_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.jsonl"):
        RecordedLM(str(tmp_path / "nowhere.jsonl"))


def test_likelihood_tasks_are_refused_by_name(answers):
    lm = RecordedLM(answers({"prompt": "p", "output": "o"}))
    with pytest.raises(OptionError, match="arc_easy"):
        lm.loglikelihood([request("p", task="arc_easy")])


def test_a_tokenizer_without_a_chat_template_is_named():
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel({"x": 0})))
    tokenizer.name_or_path = "base-model"
    with pytest.raises(OptionError, match="base-model has no chat template: leave out --apply_chat_template"):
        render_chat([{"role": "user", "content": "x"}], tokenizer)


def test_unknown_tokenizer_is_named(answers, tmp_path):
    pytest.importorskip("transformers")
    with pytest.raises(OptionError, match="no tokenizer could be loaded"):
        RecordedLM(answers({"prompt": "p", "output": "o"}), tokenizer=str(tmp_path))
