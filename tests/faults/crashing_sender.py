"""A worker's thread that sends what is owed and kills itself at a named point: ``… FILE POINT WORKER``."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.faults.crashing import Point, Trap
from tracker.celery import owed
from tracker.celery.app import make_app
from tracker.celery.owed import OwedMessages
from tracker.settings import Settings
from tracker.store import Store

POINTS: dict[str, Point] = {
    "before the operation is stored": Point(Store, "append", "before", 1, "well"),
    "after the operation was stored": Point(Store, "append", "after", 1, "well"),
    "before its message is sent": Point(owed, "send", "before", 1, "well"),
    "after its message was sent": Point(owed, "send", "after", 1, "well"),
    "before that is noted": Point(Store, "append", "before", 2, "well"),
    "after that was noted": Point(Store, "append", "after", 2, "well"),
}

if __name__ == "__main__":
    noted, point, worker = sys.argv[1:]
    Trap(POINTS[point], lambda: Path(noted).write_text(point)).armed = True
    settings = Settings.from_env()
    OwedMessages(make_app(settings), settings, worker).turn()
