"""Follows a source."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from tracker.cli.source import Source
from tracker.cli.source.items import Item


def followed(source: Source, id: str | None, stop: threading.Event, after: str = "") -> Iterator[Item]:
    """What a source tells."""
    return source.follow(id, stop)
