"""Where raw files come from and where results are kept: environment variables, or explicit values."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from lm_eval_ja.errors import OptionError

_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"", "0", "false", "no", "off"})
_SHOWN = 80
OWN_DATA_VARIABLE = "LM_EVAL_JA_LLM_JP_EVAL_DATA"
OWN_DATA_OPTION = "own_data"
"""The same for one run, in ``--metadata``."""


@dataclass(frozen=True)
class Retry:
    """How patiently a download is tried again.

    Attributes:
        attempts: Requests per file, the first included.
        backoff: Seconds before the second attempt, doubled from attempt to attempt, with jitter.
        longest_wait: Seconds; a server that asks for more (``Retry-After``) ends the download with an error.
        connect_timeout: Seconds until a connection must stand.
        read_timeout: Seconds without a single byte after which a connection counts as broken.
    """

    attempts: int = 5
    backoff: float = 1.0
    longest_wait: float = 120.0
    connect_timeout: float = 15.0
    read_timeout: float = 60.0


@dataclass(frozen=True)
class Settings:
    """Where data is looked for and kept.

    Attributes:
        cache: Folder for downloads and converted datasets; made on first use.
        mirror: Replaces the network: a folder or the base URL of a server, laid out ``<host>/<path>``.
        offline: Forbids network use.
        own_data: Folder of files that llm-jp-eval itself has converted, read in place of our conversion.
        retry: Patience with downloads.
    """

    cache: Path
    mirror: str | Path | None = field(default=None, repr=False)
    offline: bool = False
    own_data: Path | None = None
    retry: Retry = field(default_factory=Retry)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read the environment variables of docs/offline.md; empty counts as unset.

        Raises:
            OptionError: ``LM_EVAL_JA_OFFLINE`` is neither a yes nor a no, or a folder cannot be one.
        """
        offline = environ.get("LM_EVAL_JA_OFFLINE", "").strip().lower()
        if offline not in _YES | _NO:
            raise OptionError(f"LM_EVAL_JA_OFFLINE={offline!r} is not understood: use 1 (no network) or 0.")
        cache = environ.get("LM_EVAL_JA_CACHE")
        mirror = environ.get("LM_EVAL_JA_MIRROR") or None
        settings = cls(
            cache=_folder("LM_EVAL_JA_CACHE", cache) if cache else _default_cache(),
            mirror=mirror,
            offline=offline in _YES,
        )
        own = environ.get(OWN_DATA_VARIABLE)
        if own:
            settings = settings.with_own_data(OWN_DATA_VARIABLE, own)
        if mirror and settings.mirror_url is None:
            settings = replace(settings, mirror=_folder("LM_EVAL_JA_MIRROR", mirror))
        return settings

    def with_own_data(self, name: str, folder: str) -> "Settings":
        """The same settings with another folder of the user's own files.

        Args:
            name: The variable or option that names it, for messages.
            folder: Its path.

        Raises:
            OptionError: There is no such folder, or it may not be read.
        """
        path = _folder(name, folder)
        if not path.is_dir():
            raise _unusable(name, folder, "no such folder")
        if not os.access(path, os.R_OK | os.X_OK):  # or what is in it would silently not count
            raise _unusable(name, folder, "it may not be read")
        return replace(self, own_data=path)

    @property
    def mirror_url(self) -> str | None:
        """Base URL of the mirror, without a slash at the end, if the mirror is a server."""
        mirror = str(self.mirror or "")
        return mirror.rstrip("/") if mirror.startswith(("http://", "https://")) else None

    @property
    def mirror_shown(self) -> str:
        """The mirror as it may be printed (see ``without_secret``)."""
        return without_secret(str(self.mirror or ""))

    @property
    def mirror_folder(self) -> Path | None:
        """The mirror if it is a folder."""
        if not self.mirror or self.mirror_url is not None:
            return None
        return Path(self.mirror).expanduser().absolute()

    @property
    def may_download(self) -> bool:
        """Whether a file that is not on this machine may be asked from a server."""
        return not self.offline and self.mirror_folder is None


def without_secret(url: str) -> str:
    """Take out of a URL what may be a secret: name, password and query."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    rest, query, _ = rest.partition("?")
    _, at, host = rest.rpartition("@")
    return f"{scheme}://{'***@' if at else ''}{host}{'?***' if query else ''}"


def _folder(variable: str, value: str) -> Path:
    """Read a folder's name.

    Raises:
        OptionError: No file system takes such a name, or it is relative to a working directory that is gone.
    """
    try:
        path = Path(value).expanduser().absolute()
        with suppress(NotADirectoryError, PermissionError):  # told by what is to be read or written there
            path.lstat()
    except FileNotFoundError as error:
        if (
            error.filename is not None
        ):  # not there yet; without a name it is the working directory that is gone
            return path
        raise _unusable(variable, value, "a relative path, and the working directory is gone") from error
    except (OSError, ValueError, RuntimeError) as error:
        raise _unusable(variable, value, _text_of(error)) from error
    return path


def _unusable(variable: str, value: str, why: str) -> OptionError:
    shown = value if len(value) <= _SHOWN else f"{value[:_SHOWN]}… ({len(value)} characters)"
    return OptionError(
        f"{variable}={shown!r} cannot be used ({why}): set it to the absolute path of a folder, or unset it."
    )


def _text_of(error: Exception) -> str:
    """Say what happened without the path again."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _default_cache() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("lm-eval-ja", appauthor=False))
