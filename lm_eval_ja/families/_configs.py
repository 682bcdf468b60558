"""Files for ``lm_eval run --config``: what is set for a model, and why."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from lm_eval_ja.families._known import Family
from lm_eval_ja.families._look import Model

BACKENDS = ("hf", "vllm", "server")

ROOM = 4096
"""Tokens that hold the longest prompt and answer of either benchmark without shots (1,383 characters in jaster; in
MT-Bench two answers of 1,024 tokens and their questions)."""

THOUGHTS = 4096
"""Tokens for thoughts, on top of each limit. A suggestion: what does not fit is counted as unfinished."""

FIXED_DAY = "26 Jul 2024"
"""What Llama's templates themselves take where they cannot know the day."""

_TAGS = {"<think>": "think", "[THINK]": "mistral", "<reasoning>": "reasoning"}
_SAMPLING = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")


@dataclass(frozen=True)
class Config:
    """One file.

    Attributes:
        name: Its name.
        summary: What it is for, in one line.
        text: What it holds.
    """

    name: str
    summary: str
    text: str


@dataclass(frozen=True)
class _Way:
    """A way to ask: as published, as a chat, or as a chat with thoughts."""

    chat: bool
    thoughts: str  # the option; empty: without


def write_configs(
    model: Model, known: Sequence[Family], *, backend: str = "hf", base_url: str = "http://localhost:8000/v1"
) -> list[Config]:
    """Write the files that make sense for a model.

    Args:
        model: The model's directory.
        known: Its families.
        backend: One of `BACKENDS`; ``server`` is any OpenAI-compatible one.
        base_url: Where the server is.

    Returns:
        For jaster and for MT-Bench: as published; for chat models also as a chat; for models that think also with
        thoughts, which are then the only chat for those that cannot do without.
    """
    ways = [_Way(chat=False, thoughts="")]
    thoughts = thoughts_of(model, known)
    if is_chat(model):
        assert model.template is not None  # noqa: S101  # is_chat
        if not thoughts or model.template.switch:
            ways.append(_Way(chat=True, thoughts=""))
        if thoughts:
            ways.append(_Way(chat=True, thoughts=thoughts))
    return [
        _config(benchmark, way, model, known, backend, base_url)
        for benchmark in ("jaster", "mtbench")
        for way in ways
    ]


def is_chat(model: Model) -> bool:
    """Whether a model can be asked as a chat: it has a template that works, and is not named a base model."""
    return model.template is not None and not model.template.error and not model.named_base


def thoughts_of(model: Model, known: Sequence[Family]) -> str:
    """The option ``thoughts`` for a model that thinks where nothing else is said; empty if it does not."""
    always = next((tags for family in known if (tags := family.thoughts_of(model))), "")
    if always or model.template is None:
        return always
    return _TAGS.get(model.template.opens, "think" if model.template.thinks else "")


def _config(
    benchmark: str, way: _Way, model: Model, known: Sequence[Family], backend: str, base_url: str
) -> Config:
    name = f"{benchmark}{'-thinking' if way.thoughts else '-chat' if way.chat else ''}.yaml"
    summary = _summary(benchmark, way)
    blocks = [
        _comment(f"lm_eval run --config {name}"),
        _comment(f"{summary}."),
        _comment(_consequence(benchmark, way)),
        *(["\n".join(_notes(model, known))] if way.chat or _notes(model, known) else []),
        "\n".join(_settings(benchmark, way, model, known, backend, base_url)),
    ]
    return Config(name, summary, "\n\n".join(filter(None, blocks)) + "\n")


def _summary(benchmark: str, way: _Way) -> str:
    what = {"jaster": "jaster (Nejumi Leaderboard Neo, 1,200 questions)", "mtbench": "Japanese MT-Bench"}[
        benchmark
    ]
    if way.thoughts:
        return f"{what} as a chat with a model that thinks"
    return (
        f"{what} as a chat"
        if way.chat
        else f"{what} as published: the Alpaca prompt as text, no chat template"
    )


def _consequence(benchmark: str, way: _Way) -> str:
    """What the way of asking means for who may be compared with whom."""
    if not way.chat:
        return (
            "Neo asked local models so, base and instruct alike. A chat model may do better as a chat: say which "
            "of the two a score is."
        )
    style = "style:alpaca+chat_template" if benchmark == "jaster" else "style:chat_template"
    text = (
        f"Neo asked API models so, and ranked them with the others. The signature says {style}; reports rank both ways "
        "together and show which it was."
    )
    if way.thoughts:
        text += (
            f" Thoughts are separated from the answer, never scored or judged, and get {THOUGHTS:,} tokens on top of "
            "the protocol's limit. That is not the published protocol: such runs stand in a table of their own. "
            "Thoughts that do not end are counted: raise token_budget if there are many."
        )
    return text


def _notes(model: Model, known: Sequence[Family]) -> list[str]:
    lines = []
    for family in known:
        for note in family.notes:
            lines += [_comment(f"{family.title}: {note.text}"), f"#   {note.source}"]
    if not known:
        lines.append(
            _comment(
                f"This model's family is not known ({model.architecture or 'no architecture'}, model_type "
                f"{model.model_type or 'not given'}): what follows is read from its directory. Its card may say more, "
                "about thoughts for example."
            )
        )
    return lines


def _settings(
    benchmark: str, way: _Way, model: Model, known: Sequence[Family], backend: str, base_url: str
) -> Iterator[str]:
    if backend == "server":
        yield f"model: {'local-chat-completions' if way.chat else 'local-completions'}"
        yield "model_args:"
        yield _entry(
            "model",
            model.folder.name,
            "The name under which the server serves the model (--served-model-name).",
        )
        route = "chat/completions" if way.chat else "completions"
        yield _entry("base_url", f"{base_url.rstrip('/')}/{route}")
        if not way.chat:
            yield _entry(
                "tokenizer",
                str(model.folder),
                "Prompts go out as tokens, so that no BOS is added on the way.",
            )
            yield _entry("tokenizer_backend", "huggingface")
        yield _entry("max_length", model.context or ROOM, "lm-eval's API backends would take 2048 otherwise.")
        yield _entry("num_concurrent", 32)
    else:
        yield f"model: {backend}"
        yield "model_args:"
        yield _entry("pretrained", str(model.folder))
        if model.custom_code:
            yield _entry(
                "trust_remote_code",
                True,
                "The directory brings its own code, which this lets run: look at it first.",
            )
        yield from _bos(way, model, known)
        room = ROOM + (THOUGHTS if way.thoughts else 0)
        if model.context is None or model.context > room:
            why = f"; the model's own {model.context:,} only costs memory and time" if model.context else ""
            yield _entry(
                "max_length" if backend == "hf" else "max_model_len",
                room,
                f"Holds the longest prompt and answer{why}.",
            )
        for name, value in _template_arguments(way, model).items():
            yield _entry(name, value, _WHY[name])
    yield f"tasks: {'nejumi_jaster' if benchmark == 'jaster' else 'nejumi_mtbench'}"
    if way.chat:
        yield "apply_chat_template: true"
        yield from _chat_facts(model, known)
    yield from _metadata(benchmark, way, backend)
    yield from _generation(way, model, backend)
    if backend != "server":
        yield "batch_size: auto"
    yield "output_path: out"
    yield "log_samples: true"


_WHY = {
    "enable_thinking": "Off: the protocol's limits have no room for thoughts. The signature has it in template:…",
    "chat_template_args": "For the chat template, whose prompts depend on them. The signature has them as template:…",
}


def _bos(way: _Way, model: Model, known: Sequence[Family]) -> Iterator[str]:
    needed = not way.chat and any(family.bos == "needed" for family in known)
    if needed:
        yield _entry(
            "add_bos_token",
            True,
            "The reference adds no BOS, but this family fails without. The signature says bos:on.",
        )
    elif way.chat:
        has = (
            "The template writes the BOS token itself"
            if _template(model).adds_bos
            else "The template writes no BOS token"
        )
        yield _entry("add_bos_token", False, f"{has}; nothing is added to what it writes.")
    else:
        yield _entry(
            "add_bos_token",
            False,
            "The reference adds no BOS, whatever the tokenizer would do. The signature says bos:off.",
        )


def _template(model: Model) -> Any:
    assert model.template is not None  # noqa: S101  # asked for chats only
    return model.template


def _template_arguments(way: _Way, model: Model) -> dict[str, Any]:
    """Arguments of the hf and vllm backends that reach the chat template."""
    extra = _template_variables(way, model)
    # An argument of both backends; vllm drops it from chat_template_args.
    found = {name: extra.pop(name) for name in ("enable_thinking",) if name in extra}
    return {**found, **({"chat_template_args": extra} if extra else {})}


def _template_variables(way: _Way, model: Model) -> dict[str, Any]:
    if not way.chat:
        return {}
    template = _template(model)
    found: dict[str, Any] = {}
    if template.switch and not way.thoughts:
        found[template.switch] = False
    if template.dated and template.date_argument:
        found["date_string"] = FIXED_DAY
    if template.effort and way.thoughts:
        found["reasoning_effort"] = "medium"
    return found


def _chat_facts(model: Model, known: Sequence[Family]) -> Iterator[str]:
    template = _template(model)
    yield _comment("A question goes out as")
    yield f"#   {template.prompt!r}"
    if template.dated and not template.date_argument:
        yield _comment("The template writes today's date into it: runs of two days ask different prompts.")
    system = next((family.system for family in known if family.system), "")
    if system and template.system == "kept":
        yield _comment("The card sends a system message; neo sent none. With it the signature has sys:…")
        yield f"# system_instruction: {_scalar(system)}"
    elif template.system == "refused":
        yield _comment(
            "The template refuses system messages: lm-eval would drop a system_instruction, with a warning."
        )
    elif template.system == "dropped":
        yield _comment(
            "The template ignores what a system message says: a system_instruction would not reach the model."
        )
    if not template.second_turn:
        yield _comment("The template refuses a second turn: MT-Bench cannot be run as a chat.")


def _metadata(benchmark: str, way: _Way, backend: str) -> Iterator[str]:
    options: list[str] = []
    if way.thoughts:
        why = "How the thoughts are marked."
        if way.thoughts == "mistral" and backend == "hf":
            why += " On hf such marks are not in the text if they are special tokens: see docs/thoughts.md."
        options += [
            _entry("thoughts", way.thoughts, why),
            _entry("token_budget", f"+{THOUGHTS}", "Tokens for thoughts, on top of each limit."),
        ]
    if benchmark == "mtbench":
        options.append(
            _entry(
                "judge_model",
                "gpt-4",
                "The judge; OPENAI_API_KEY holds its key. `none` only generates, `lm-eval-ja judge` judges later.",
            )
        )
    if options:
        yield "metadata:"
        yield from options


def _generation(way: _Way, model: Model, backend: str) -> Iterator[str]:
    variables = _template_variables(way, model) if backend == "server" else {}
    if variables:
        yield _comment(
            "For the server's chat template. vLLM, SGLang and llama.cpp take them so; the signature says gen:deviates."
        )
        yield f"gen_kwargs: {_scalar({'chat_template_kwargs': variables})}"
    own = {
        name: model.generation[name]
        for name in _SAMPLING
        if isinstance(model.generation.get(name), (int, float))
    }
    listed = ", ".join(f"{name} {value}" for name, value in own.items())
    always = ", ".join(f"{name} {value}" for name, value in own.items() if name != "temperature")
    if always and backend == "hf":
        yield _comment(
            f"hf applies the checkpoint's generation_config.json as well ({always}); vllm does not."
        )
    if own and way.thoughts:
        yield _comment(
            f"The protocols decode greedily (MT-Bench: by category). The checkpoint's own settings "
            f"({listed}), which cards of models that think ask for, are below; the signature then says gen:deviates."
        )
        yield f"# gen_kwargs: {_scalar(own)}"


def _entry(name: str, value: Any, why: str = "") -> str:
    """An entry of a mapping, after the reason for it."""
    lines = [*([_comment(why, indent="  ")] if why else []), f"  {name}: {_scalar(value)}"]
    return "\n".join(lines)


def _scalar(value: Any) -> str:
    """A value in one line of YAML."""
    text = yaml.safe_dump(value, allow_unicode=True, width=2**20, default_flow_style=True, sort_keys=False)
    return str(text).removesuffix("...\n").strip()


def _comment(text: str, indent: str = "") -> str:
    return "\n".join(
        textwrap.wrap(
            text,
            width=100,
            initial_indent=f"{indent}# ",
            subsequent_indent=f"{indent}# ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    )
