"""``--model recorded``: answers that were generated elsewhere, looked up by prompt.

``lm-eval-ja prompts`` writes the prompts; whatever can complete text (an engine on another machine, an API batch) adds
``output`` to each line (a text, or a list of texts where every prompt was answered several times); this model hands the
outputs to the tasks. The harness scores them as if it had generated them.
"""

import gzip
import json
import logging
import reprlib
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM

from lm_eval_ja.errors import DataError, OptionError

_log = logging.getLogger(__name__)

_SHOWN = 10


def render_chat(
    messages: Sequence[dict[str, str]], tokenizer: Any = None, *, add_generation_prompt: bool = True
) -> str:
    """Turn chat messages into the text that identifies a prompt.

    Args:
        messages: ``role`` and ``content`` of each.
        tokenizer: A transformers tokenizer with a chat template; without one the text is the messages' JSON.
        add_generation_prompt: Whether the template opens the assistant's turn.

    Raises:
        OptionError: The tokenizer has no chat template.
    """
    if tokenizer is None:
        return json.dumps(list(messages), ensure_ascii=False)
    if not getattr(tokenizer, "chat_template", None):
        raise OptionError(
            f"the tokenizer {tokenizer.name_or_path} has no chat template: leave out --apply_chat_template, or name "
            "the tokenizer of a chat-tuned model"
        )
    return str(
        tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=add_generation_prompt
        )
    )


def load_tokenizer(name: str) -> Any:
    """Load a tokenizer from a directory or the hub.

    Raises:
        OptionError: transformers is missing, or the tokenizer can't be loaded.
    """
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise OptionError(f'tokenizer={name} needs transformers: pip install "lm-eval-ja[hf]"') from error
    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
    except Exception as error:  # a broken file or a missing package shows itself in many ways
        raise OptionError(f"no tokenizer could be loaded from {name!r}: {error}") from error
    return tokenizer


class RecordedLM(LM):
    """Answers from a file of JSON lines, plain or gzip.

    Each line is an object with ``prompt`` (a text), ``output`` (a text, or a list of several answers to the prompt)
    and, as ``lm-eval-ja prompts`` writes it, ``id``. Several lines may share a prompt: the ids then tell their outputs
    apart.

    Attributes:
        samples_differ: Whatever the generation settings say, several answers to a prompt are what the file holds.
    """

    samples_differ = True

    def __init__(
        self,
        path: str | None = None,
        model: str | None = None,  # noqa: ARG002  # read by the harness, which names results by this argument
        tokenizer: str | None = None,
        batch_size: int | str | None = None,  # noqa: ARG002  # the harness passes these to every model
        max_batch_size: int | None = None,  # noqa: ARG002
        device: str | None = None,  # noqa: ARG002
        **unknown: Any,
    ) -> None:
        """Read the answers.

        Args:
            path: The file.
            model: Name of the model that gave the answers; results are named by the file without it.
            tokenizer: Tokenizer whose chat template rendered the prompts, if one did.
            batch_size: Not used.
            max_batch_size: Not used.
            device: Not used.
            unknown: Refused.

        Raises:
            DataError: The file is missing or a line can't be used; all ids that occur twice are named.
            OptionError: An argument is missing or unknown, or the tokenizer can't be loaded.
        """
        super().__init__()
        if unknown:
            hint = " (the model's name is model=NAME)" if "name" in unknown else ""
            raise OptionError(
                f"--model recorded does not take {', '.join(sorted(unknown))}{hint}: give --model_args "
                "path=FILE, and model=NAME or tokenizer=DIR_OR_ID where needed"
            )
        if not path:
            raise OptionError(
                "--model recorded needs the file with the answers: give --model_args path=FILE (see "
                "`lm-eval-ja prompts --help`)"
            )
        self._path = Path(path)
        self._answers = _read(self._path)
        self._tokenizer_name = tokenizer or ""
        self._tokenizer = load_tokenizer(tokenizer) if tokenizer else None

    @property
    def tokenizer_name(self) -> str:
        """What the prompts were rendered with."""
        return self._tokenizer_name.replace("/", "__")

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """Render as ``lm-eval-ja prompts`` did."""
        return render_chat(chat_history, self._tokenizer, add_generation_prompt=add_generation_prompt)

    def chat_template(self, chat_template: bool | str = False) -> str:  # noqa: ARG002  # upstream's signature
        """The tokenizer's template, for the results file."""
        return str(getattr(self._tokenizer, "chat_template", None) or "")

    def generate_until(self, requests: list[Instance]) -> list[str]:
        """Look every request up. A request that comes several times gets the answers to its prompt one by one.

        Raises:
            DataError: Answers are missing, or two answers to one prompt can't be told apart; their ids are named.
        """
        outputs: list[str] = []
        missing: list[str] = []
        asked: Counter[int] = Counter()
        few: dict[str, int] = {}
        unused = 0
        for request in requests:
            samples = self._find(request)
            own = request_id(request)
            if samples is None:
                missing.append(own)
                continue
            number = request.idx + asked[id(request)]  # one request several times, or one for each sample
            asked[id(request)] += 1
            unused = max(unused, len(samples) - max(request.repeats or 1, 1))
            if number < len(samples):
                outputs.append(samples[number])
            else:
                few[own] = len(samples)
        if missing:
            raise DataError(
                f"{self._path} has no answer for {len(missing)} of {len(requests)} prompts: {_some(missing)}. Write "
                "the prompts again with `lm-eval-ja prompts` and the same options (tasks, shots, templates, metadata), "
                "and answer all of them."
            )
        if few:
            raise DataError(
                f"{self._path} has fewer answers than are asked for to {len(few)} prompts: {_some(few)} "
                f"({min(few.values())} or more each). Set repeats to that number, or make `output` a list of more"
            )
        if unused > 0:
            _log.warning(
                "%s has up to %d more answers to a prompt than are scored: only the first ones count. "
                "Set --metadata '{\"repeats\": N}' to score N of them",
                self._path,
                unused,
            )
        return outputs

    def _find(self, request: Instance) -> tuple[str, ...] | None:
        answers = self._answers.get(str(request.args[0]))
        if answers is None:
            return None
        if len(set(answers.values())) == 1:
            return next(iter(answers.values()))
        own = request_id(request)
        if own not in answers:
            raise DataError(
                f"{self._path} answers the prompt of {own} differently under the ids {_some(answers)}: keep one of them"
            )
        return answers[own]

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """Not possible.

        Raises:
            OptionError: Always.
        """
        raise OptionError(_no_likelihood(requests))

    def loglikelihood_rolling(self, requests: list[Instance]) -> list[float]:
        """Not possible.

        Raises:
            OptionError: Always.
        """
        raise OptionError(_no_likelihood(requests))


def request_id(request: Instance) -> str:
    """Name of a request: its task and its question's own id (or the harness's number where a task has none)."""
    doc = request.doc
    own = doc.get("id") if isinstance(doc, dict) else None
    return f"{request.task_name}:{request.doc_id if own is None else own}"


def _no_likelihood(requests: Iterable[Instance]) -> str:
    tasks = sorted({str(request.task_name) for request in requests})
    return f"recorded answers are generated text, but {_some(tasks)} need log-likelihoods: run them with the model"


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The file's lines with their numbers, unpacked if it is gzip, whatever its name is.

    Raises:
        DataError: It can't be read; the message names the line.
    """
    number = 0
    try:
        with path.open("rb") as plain:
            packed = plain.peek(2)[:2] == b"\x1f\x8b"
            with gzip.open(plain) if packed else plain as file:
                for number, line in enumerate(file, 1):  # also in the messages below
                    yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}, line {number}: not UTF-8 ({error.reason}): save the file as UTF-8"
        ) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{path}, after line {number}: damaged gzip ({error}): copy the file again"
        ) from error
    except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
        raise DataError(
            f"the recorded answers can't be read ({error}): give --model_args path=FILE"
        ) from error


def _read(path: Path) -> dict[str, dict[str, tuple[str, ...]]]:
    """Read the file into prompt -> id -> outputs."""
    answers: dict[str, dict[str, tuple[str, ...]]] = {}
    seen: set[str] = set()
    twice: list[str] = []
    for number, line in _lines(path):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            prompt, output = record["prompt"], record["output"]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise DataError(
                f"{path}, line {number}: expected a JSON object with `prompt` and `output`, got "
                f"{line.strip()[:80]!r} ({type(error).__name__}: {error})"
            ) from error
        samples = [output] if isinstance(output, str) else output
        if (
            not isinstance(prompt, str)
            or not isinstance(samples, list)
            or not samples
            or not all(isinstance(text, str) for text in samples)
        ):
            raise DataError(
                f"{path}, line {number} (id {reprlib.repr(record.get('id'))}): `prompt` must be a text and `output` a "
                'text or a list of texts; write an empty answer as ""'
            )
        own = str(record.get("id", f"line {number}"))
        if own in seen:
            twice.append(own)
        seen.add(own)
        answers.setdefault(prompt, {})[own] = tuple(samples)
    if twice:
        raise DataError(f"{path} has more than one answer with the same id: {_some(twice)}. Keep one each.")
    if not answers:
        raise DataError(f"{path} holds no answers")
    return answers
