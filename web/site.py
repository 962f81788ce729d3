"""What the routes of one application share: made once by ``create_app``, found with ``site()``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from flask import current_app

from tracker.celery.again import Repeating
from tracker.celery.cancelling import Cancelling
from tracker.celery.queueing import Queueing
from tracker.history import History, Survey
from tracker.settings import Settings
from tracker.store import Store
from tracker.tokens import Tokens
from web.hub import Hub
from web.lately import Lately
from web.limits import Limits
from web.metrics import Metrics
from web.seats import Seats
from web.sockets import Sockets


@dataclass(frozen=True, slots=True)
class Site:
    """The parts behind the routes. Nothing here connects before it is asked for something."""

    settings: Settings
    tokens: Tokens | None
    """Who may use it; ``None``: everybody who reaches it."""
    limits: Limits
    store: Store
    history: History
    queueing: Queueing
    repeating: Repeating
    cancelling: Cancelling
    hub: Hub
    sockets: Sockets
    seats: Seats
    """For the WebSockets that may be open at the same time."""
    streams: Seats
    """For the streams that may be open at the same time."""
    exports: Seats
    """For the exports that are made at the same time."""
    metrics: Metrics
    survey: Lately[Survey]
    """What runs: read once for all pages that show where everything is."""
    version: str
    assets: str
    """Path segment of the static files; changes whenever one of them does."""

    @property
    def watching(self) -> int:
        """Live connections that are open, of either kind."""
        return self.seats.taken + self.streams.taken


def site() -> Site:
    """The parts of the application that serves the current request."""
    return cast(Site, current_app.extensions["tracker"])
