"""Settings of the judge, and where its requests go."""

import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Literal, get_args
from urllib.parse import urlsplit, urlunsplit

from lm_eval_ja._unicode import shown
from lm_eval_ja.errors import JudgeError, OptionError
from lm_eval_ja.judge._types import Messages

_OPENAI_URL = "https://api.openai.com/v1"
_ANTHROPIC_URL = "https://api.anthropic.com"
_DEFAULT_KEY_ENV = "OPENAI_API_KEY"
_ANTHROPIC_KEY_ENV = "ANTHROPIC_API_KEY"
_AZURE_KEY_ENVS = ("AZURE_OPENAI_AD_TOKEN", "AZURE_OPENAI_API_KEY")
KEY_VARIABLES = (_DEFAULT_KEY_ENV, *_AZURE_KEY_ENVS, _ANTHROPIC_KEY_ENV)
"""Environment variables that may hold a key, besides the configured one."""

Api = Literal["openai", "anthropic"]
"""Protocols that judges speak."""

_MAX_CONCURRENCY = 1000  # the HTTP client's own limit of open connections
_MOST_REPEATS = 1000  # the judgments of a run are all in memory
_MOST = 10**9  # 30 years in seconds; any more is a slip, which servers and clocks may not take


@dataclass(frozen=True)
class JudgeConfig:
    """How to judge. The defaults are those of Nejumi Leaderboard Neo.

    Attributes:
        model: Name of the judge at its endpoint (on Azure: of the deployment).
        base_url: Root of an OpenAI-compatible API, e.g. ``http://localhost:8000/v1``. None means what the
            ``openai`` package makes of the environment: ``OPENAI_BASE_URL``, Azure (``OPENAI_API_TYPE=azure``
            or the ``AZURE_OPENAI_*`` variables), or OpenAI.
        api: What the judge speaks: ``openai`` (any OpenAI-compatible server) or ``anthropic`` (the Messages API; then
            ``base_url`` None means ``ANTHROPIC_BASE_URL`` or Anthropic).
        api_key_env: Name of the environment variable that holds the key; empty for a server that needs none.
            The key itself is never part of the configuration. ``OPENAI_API_KEY``, the default, becomes
            ``ANTHROPIC_API_KEY`` where the judge speaks Anthropic's protocol.
        concurrency: Most requests in flight at a time.
        repeats: Judgments per item.
        strict: Treat ratings as the reference did: any number counts, a reply without one is -1, and is not
            retried.
        temperature: Sampling temperature of the judge.
        max_tokens: Most tokens of a reply.
        timeout: Seconds until a request without a complete reply is given up.
        max_retries: Further tries after rate limits, server errors, broken connections and timeouts.
        rating_retries: Further tries after a reply without a rating from 1 to 10. Not used in strict mode.
        backoff: Seconds before the first further try; doubled each time up to a minute, less a random part.
    """

    model: str = "gpt-4"
    base_url: str | None = None
    api_key_env: str = _DEFAULT_KEY_ENV
    concurrency: int = 32
    repeats: int = 1
    strict: bool = False
    temperature: float = 0.0
    max_tokens: int = 2048
    timeout: float = 180.0
    max_retries: int = 6
    rating_retries: int = 2
    backoff: float = 1.0
    api: Api = "openai"

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            OptionError: A value cannot work.
        """
        if not isinstance(self.model, str) or not self.model.strip() or not self.model.isprintable():
            raise OptionError(f"judge model: a model name is expected, not {shown(self.model)}")
        self._check_api()
        if self.base_url is not None:
            _check_url(self.base_url)
        _check_env_name(self.api_key_env)
        if not isinstance(self.strict, bool):
            raise OptionError(f"judge strict: true or false is expected, not {shown(self.strict)}")
        for name, least, most in (
            ("concurrency", 1, _MAX_CONCURRENCY),
            ("repeats", 1, _MOST_REPEATS),
            ("max_tokens", 1, _MOST),
            ("max_retries", 0, _MOST),
            ("rating_retries", 0, _MOST),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise OptionError(
                    f"judge {name}: a whole number, {least} to {most}, is expected, not {shown(value)}"
                )
        for name, lowest in (("temperature", 0.0), ("timeout", 0.001), ("backoff", 0.0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not lowest <= value <= _MOST:
                raise OptionError(
                    f"judge {name}: a number, {lowest:g} to {_MOST}, is expected, not {shown(value)}"
                )

    def _check_api(self) -> None:
        if self.api not in get_args(Api):
            raise OptionError(f"judge api: {' or '.join(get_args(Api))} is expected, not {shown(self.api)}")
        if self.api == "anthropic":
            if self.model == JudgeConfig.model:
                raise OptionError(
                    f"judge model: {self.model!r} is OpenAI's; with judge_api=anthropic name one of Anthropic's in "
                    "judge_model"
                )
            if self.api_key_env == _DEFAULT_KEY_ENV:
                object.__setattr__(self, "api_key_env", _ANTHROPIC_KEY_ENV)


@dataclass(frozen=True)
class Endpoint:
    """Where requests go.

    Attributes:
        kind: Which client talks to it.
        url: Its address without credentials; part of every judgment's key. Anthropic's ends in ``/messages``: the same
            root may serve OpenAI's protocol, too.
        base_url: What the client is given; None if it finds the address by itself.
    """

    kind: Literal["openai", "azure", "anthropic"]
    url: str
    base_url: str | None


def resolve_endpoint(config: JudgeConfig) -> Endpoint:
    """Find out where requests go, by the ``openai`` package's rules. Needs no key.

    Raises:
        JudgeError: The environment names no endpoint, or two.
    """
    if config.api == "anthropic":
        return _anthropic_endpoint(config)
    api_type = os.environ.get("OPENAI_API_TYPE") or None
    if api_type not in {None, "openai", "azure"}:
        raise JudgeError(
            f"OPENAI_API_TYPE={api_type}: the judge knows 'openai' and 'azure'; unset it, or set one of these"
        )
    url = config.base_url or os.environ.get("OPENAI_BASE_URL") or None
    if (
        api_type is None
        and url is None
        and any(os.environ.get(n) for n in (*_AZURE_KEY_ENVS, "AZURE_OPENAI_ENDPOINT"))
    ):
        # The package's rule for its module-level client, which refuses to guess as well.
        if os.environ.get(config.api_key_env):
            raise JudgeError(
                f"both {config.api_key_env} and AZURE_OPENAI_* are set: "
                "set OPENAI_API_TYPE to 'openai' or 'azure' to say which the judge is"
            )
        api_type = "azure"
    if api_type != "azure":
        _check_variable("OPENAI_BASE_URL", config)
        return Endpoint("openai", _public_url(url or _OPENAI_URL), url)
    _check_variable("AZURE_OPENAI_ENDPOINT", config)
    endpoint = config.base_url or os.environ.get("AZURE_OPENAI_ENDPOINT")
    version = os.environ.get("OPENAI_API_VERSION")
    if not endpoint or not version:
        missing = "AZURE_OPENAI_ENDPOINT" if not endpoint else "OPENAI_API_VERSION"
        raise JudgeError(
            f"the judge is on Azure, but the environment variable {missing} is not set: export it"
        )
    return Endpoint("azure", f"{_public_url(endpoint)}?api-version={version}", endpoint)


def _anthropic_endpoint(config: JudgeConfig) -> Endpoint:
    """Where Anthropic's protocol is spoken. Addresses are given with or without ``/v1``."""
    _check_variable("ANTHROPIC_BASE_URL", config)
    url = config.base_url or os.environ.get("ANTHROPIC_BASE_URL") or _ANTHROPIC_URL
    messages = f"{_public_url(url).removesuffix('/v1')}/v1/messages"
    return Endpoint("anthropic", messages, messages)


def _check_variable(name: str, config: JudgeConfig) -> None:
    value = os.environ.get(name)
    if config.base_url is None and value and (problem := _url_problem(value)) is not None:
        raise JudgeError(f"the environment variable {name} holds no judge's address: {problem}")


def read_key(config: JudgeConfig, endpoint: Endpoint) -> str | None:
    """The API key, from the environment.

    Returns:
        The key, or None on Azure where the package finds a token or key by itself.

    Raises:
        JudgeError: It is not set or cannot be a key.
    """
    if not config.api_key_env:
        return "none"  # the package insists on some value
    own = config.api_key_env != _DEFAULT_KEY_ENV
    if endpoint.kind == "azure" and not own and any(os.environ.get(name) for name in _AZURE_KEY_ENVS):
        return None
    key = os.environ.get(config.api_key_env, "").strip()
    if not key:
        names = config.api_key_env if endpoint.kind != "azure" or own else " or ".join(_AZURE_KEY_ENVS)
        raise JudgeError(
            f"the judge {config.model} at {endpoint.url} needs a key, but the environment variable {names} "
            "is not set: export it (a server that needs no key takes any value)"
        )
    if not (key.isascii() and key.isprintable()):
        raise JudgeError(
            f"the value of {config.api_key_env} is no key: it holds characters no HTTP header can carry"
        )
    return key


def judgment_keys(
    items: Iterable[Messages], config: JudgeConfig, endpoint: Endpoint
) -> Iterator[tuple[int, int, str]]:
    """Identity of every judgment asked for, item by item, repeat by repeat.

    Yields:
        Item number, repeat number, and the SHA-256 (hex) of everything that determines the judgment: judge,
        address, sampling settings, messages and repeat number. How a reply is read (``strict``) is not among
        them.
    """
    settings = {name: asdict(config)[name] for name in ("model", "temperature", "max_tokens")}
    settings["temperature"] = float(config.temperature)
    for number, messages in enumerate(items):
        content = [[message["role"], message["content"]] for message in messages]
        for repeat in range(config.repeats):
            identity = json.dumps([1, endpoint.url, settings, content, repeat], sort_keys=True)
            yield number, repeat, sha256(identity.encode()).hexdigest()


def _check_url(url: object) -> None:
    """Check the configured address.

    Raises:
        OptionError: It cannot be one, or holds what belongs elsewhere.
    """
    if isinstance(url, str) and ("@" in url.partition("//")[2].partition("/")[0] or "?" in url):
        # Not quoted: it may hold a key.
        raise OptionError(
            "judge base URL: it may hold no user, password or query; put the key into api_key_env"
        )
    if (problem := _url_problem(url)) is not None:
        raise OptionError(f"judge base URL {shown(url)}: {problem}")


def _url_problem(url: object) -> str | None:
    """Why this is no address of an API, if it is none."""
    expected = "an address such as http://localhost:8000/v1 is expected"
    if not isinstance(url, str) or re.search(r"[\s\x00-\x1f\x7f]", url):
        return expected
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # brackets of an IPv6 address, a port that is none
        return f"its host or port is none; {expected}"
    if port == 0 or parts.scheme not in {"http", "https"} or not parts.hostname:
        return expected
    return None


def _check_env_name(name: str) -> None:
    if not isinstance(name, str) or (name and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", name)):
        valid = False
    else:
        # A key pasted here would be printed by every repr; the name of a variable does not look like this.
        valid = not re.fullmatch(r"(?=.*[0-9])(?=.*[a-z]).{20,}", name)
    if not valid:  # not quoted: it may be the key
        raise OptionError("judge API key: api_key_env takes the name of an environment variable, not the key")


def _public_url(url: str) -> str:
    """The address as identity: no credentials, no query, no trailing slash."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))
