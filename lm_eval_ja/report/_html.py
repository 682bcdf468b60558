"""The report as one HTML file that loads nothing: styles, scripts, charting library and data are all in it.

Texts of the results are data. They are in JSON blocks whose markup characters are escaped, or in compressed blocks in
base64, and the page puts them into text nodes only. Its content security policy allows the two scripts and the one
style sheet by their hashes and nothing else: no network, no inline handlers, no markup from strings.
"""

import base64
import gzip
import hashlib
import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

from lm_eval_ja.analysis import Analysis
from lm_eval_ja.errors import OptionError
from lm_eval_ja.report._payload import make_payload

_SCRIPTS = ("strings.js", "base.js", "ranking.js", "charts.js", "failures.js", "questions.js", "main.js")
_PLACE = re.compile(r"@(csp|style|core|blocks|echarts|app)@")


def write_html(analysis: Analysis, path: Path) -> int:
    """Write a report.

    Args:
        analysis: What it shows.
        path: The file; its folder is made if need be.

    Returns:
        Size of the file in bytes.

    Raises:
        OptionError: The file can't be written.
    """
    page = render_html(analysis).encode("utf-8")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(page)
    except OSError as error:
        raise OptionError(f"{path} can't be written ({error}): choose another -o") from error
    return len(page)


def render_html(analysis: Analysis) -> str:
    """The report's HTML."""
    payload = make_payload(analysis)
    assets = resources.files("lm_eval_ja.report") / "assets"
    style = (assets / "report.css").read_text(encoding="utf-8")
    own = "\n".join((assets / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    app = f'"use strict";\n(() => {{\n{own}\n}})();\n'
    library = resources.files("lm_eval_ja.report") / "vendor" / "echarts.min.js"
    echarts = library.read_text(encoding="utf-8")
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash(echarts)} {_hash(app)}",
            f"style-src {_hash(style)}",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types default",
        )
    )
    parts = {
        "csp": policy,
        "style": style,
        "core": embed_json(payload.core),
        "blocks": "\n".join(
            f'<script type="text/plain" id="texts-{name}">{_pack(block)}</script>'
            for name, block in payload.blocks.items()
        ),
        "echarts": echarts,
        "app": app,
    }
    template = (assets / "template.html").read_text(encoding="utf-8")
    return _PLACE.sub(lambda place: parts[place[1]], template)


def embed_json(value: Any) -> str:
    r"""JSON that can stand in a script element: ASCII, without any character that markup knows.

    >>> print(embed_json({"a": "</script>\u2028\ud800"}))
    {"a":"\u003c/script\u003e\u2028\ud800"}
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _pack(block: Any) -> str:
    # Escapes only where needed: half the size of ASCII before compression. mtime=0 keeps the bytes reproducible.
    text = json.dumps(block, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    data = _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode("utf-8")
    return base64.b64encode(gzip.compress(data, compresslevel=9, mtime=0)).decode("ascii")


_SURROGATE = re.compile("[\ud800-\udfff]")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
