"""The two packages that M-IFEval's checkers need: janome (words) and langdetect (languages).

They come with the extra ``ifeval`` and are imported on use only.
"""

import functools
from typing import Any, NamedTuple

from lm_eval_ja.errors import OptionError


class Token(NamedTuple):
    """A word as janome finds it.

    Attributes:
        surface: The word as it stands in the text.
        part_of_speech: Its class in IPADIC's terms, comma-joined from coarse to fine (``名詞,一般,*,*``).
    """

    surface: str
    part_of_speech: str


def require_packages() -> None:
    """Make sure that both packages can be imported.

    Raises:
        OptionError: One can't; the message says how to install it.
    """
    try:
        import janome.tokenizer  # noqa: F401
        import langdetect  # noqa: F401
    except ImportError as error:
        raise OptionError(
            f'M-IFEval\'s checkers need janome and langdetect ({error}): run `pip install "lm-eval-ja[ifeval]"`'
        ) from error


@functools.lru_cache(maxsize=16)  # a response's few variants, each looked at by up to three instructions
def tokens(text: str) -> tuple[Token, ...]:
    """Cut a text into words: janome with its bundled IPADIC and default settings.

    Args:
        text: Any text that UTF-8 can encode.

    Returns:
        The tokens in their order.

    Raises:
        OptionError: janome is not installed.
        UnicodeEncodeError: The text holds lone surrogates, which janome can't look up.
    """
    return tuple(Token(token.surface, token.part_of_speech) for token in _tokenizer().tokenize(text))


@functools.cache
def _tokenizer() -> Any:
    require_packages()
    from janome.tokenizer import Tokenizer

    return Tokenizer()


def detect_language(text: str) -> str | None:
    """Detect the language of a text with langdetect.

    The package draws random numbers. The original leaves them unseeded, so that a text in several languages may get
    another verdict in another run; here the seed is 0. This is a deviation, and the only one in M-IFEval's verdicts.

    Args:
        text: Any text.

    Returns:
        langdetect's code, such as ``fr``; None if the text has nothing to go by (digits, punctuation, a URL).

    Raises:
        OptionError: langdetect is not installed.
    """
    factory = _languages()
    from langdetect import LangDetectException

    detector = factory.create()
    detector.append(text)
    try:
        return str(detector.detect())
    except LangDetectException:
        return None


@functools.cache
def _languages() -> Any:
    require_packages()
    from langdetect.detector_factory import PROFILES_DIRECTORY, DetectorFactory

    factory = DetectorFactory()  # our own: the seed of langdetect's shared one is its user's business
    factory.load_profile(PROFILES_DIRECTORY)
    factory.seed = 0
    return factory
