"""The dashboard's files as they are sent: what a browser needs of them, in as few bytes as that takes."""

from __future__ import annotations

import gzip
import hashlib
import re
from functools import cache
from pathlib import Path

STATIC = Path(__file__).parent / "static"

TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
"""Types that must not depend on what the machine's own table says: browsers refuse modules of another type."""

FILES = sorted(path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*.*") if path.suffix in TYPES)

STYLE = "style.css"
"""What all pages share; the sheets of single views are sent behind it as one."""

LATER = ("app.js", "login.js", "theme.js", "vendor/uplot.js")

MODULES = [name for name in FILES if name.endswith(".js") and name not in LATER]
"""What the page needs at once, told to the browser before it finds out import by import."""

COMMENT = re.compile(r"^[ \t]*(?:/\*(?:.|\n)*?\*/[ \t]*|//[^\n]*)$", re.MULTILINE)
"""A comment that has its lines for itself."""


def is_sent(name: str) -> bool:
    """Whether there is such a file for browsers."""
    return name in FILES and (not name.endswith(".css") or name == STYLE)


@cache
def content(name: str) -> bytes:
    """What is sent of a file: our own without comments, in the same lines as in the source."""
    if name == STYLE:
        sheets = [STYLE, *(other for other in FILES if other.endswith(".css") and other != STYLE)]
        return b"\n".join(_bare(sheet) for sheet in sheets)
    return _bare(name)


@cache
def packed(name: str) -> bytes:
    """The same, compressed."""
    return gzip.compress(content(name), mtime=0)


def _bare(name: str) -> bytes:
    text = (STATIC / name).read_text()
    if name.startswith("vendor/"):
        return text.encode()
    return COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), text).encode()


def address_of(version: str) -> str:
    """The path segment of these files: the version, and a digest of what is sent."""
    digest = hashlib.sha256()
    for name in filter(is_sent, FILES):
        digest.update(f"{name}\0".encode() + content(name))
    return f"{version}+{digest.hexdigest()[:10]}"
