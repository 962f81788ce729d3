"""Sends what is owed to the broker: what follows a batch, and the dispatch of one that went on nowhere.

Every worker has a thread for it, and one of them does it at a time. An entry is taken off after its message was sent,
so a worker that dies in between costs a second message, and never a second run.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from celery import Celery
from kombu.exceptions import OperationalError

from tracker.celery.again import DISPATCH_AGAIN
from tracker.celery.background import Background
from tracker.celery.queueing import DISPATCH
from tracker.celery.reports import if_reachable
from tracker.celery.sending import send
from tracker.clock import now
from tracker.ids import new_id
from tracker.model import Parts, QueuePart
from tracker.settings import Settings
from tracker.store import Paid, QueueItem, Store

EVERY = 1.0
"""Seconds between two looks."""

log = logging.getLogger("tracker")


class OwedMessages:
    """Sends what is owed, while its worker lives."""

    def __init__(self, app: Celery, settings: Settings, worker: str) -> None:
        self._app = app
        self._store = Store.of(settings)
        self._worker = worker
        self._background = Background("tracker-owed", self._look, EVERY)

    def start(self) -> None:
        """Look now, and go on looking in the background."""
        self._background.start()

    def stop(self) -> None:
        """Another worker will go on."""
        self._background.stop()

    def turn(self) -> None:
        """Send all there is; raises ``StoreUnavailable``."""
        for id, part in self._store.messages.owed(self._worker).items():
            send(self._app, *self._message(id, part), (), new_id())
            self._store.append([Paid(id)])

    def _message(self, id: str, part: QueuePart) -> tuple[Parts, str, dict[str, Any]]:
        """The operation, its task and that one's arguments. What follows a batch is stored with its first message."""
        if part.batch and part.again is not None:
            return Parts(id, queue=part), DISPATCH_AGAIN, {"batch": id}
        if part.batch:
            return Parts(id, queue=part), DISPATCH, {"batch": id, "hidden": {}}
        part = msgspec.structs.replace(part, created=now())
        self._store.append([QueueItem(id, part)])
        return Parts(id, queue=part), part.name, part.args or {}

    def _look(self) -> None:
        try:
            if_reachable(self.turn)
        except (OperationalError, OSError) as error:
            log.warning("tracker: the worker could not send what is owed: %s", error)
