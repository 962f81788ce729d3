"""Where an archive is, by the URL that names it."""

from __future__ import annotations

from pathlib import Path

PREFIX = "sqlite:///"


def path_of(url: str) -> Path | None:
    """The file that a URL names, ``None`` if it names none.

    >>> path_of("sqlite:////var/lib/tracker/archive.sqlite3")
    PosixPath('/var/lib/tracker/archive.sqlite3')
    """
    return Path(url.removeprefix(PREFIX)).expanduser().absolute() if url.startswith(PREFIX) else None
