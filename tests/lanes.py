"""What would be sent of the runs of a test, without sending it."""

from __future__ import annotations

from collections.abc import Iterator

from tracker.model import Event
from tracker.publish.lane import Lane
from tracker.run import RunWriter
from tracker.step import Step
from tracker.store import RunBlob


class Lanes:
    """A sink that gives each run a lane and sends nothing."""

    def __init__(self) -> None:
        self.lanes: dict[str, Lane] = {}

    def _lane(self, run: RunWriter) -> Lane:
        return self.lanes.setdefault(run.run, Lane(run))

    def put(self, run: RunWriter, event: Event) -> None:
        self._lane(run).add(event)

    def step(self, step: Step) -> None:
        self._lane(step._run).add(step)

    def flush(self, timeout: float) -> bool:
        return True

    settle = flush

    def only(self) -> Lane:
        (lane,) = self.lanes.values()
        return lane


def blobs(lane: Lane) -> Iterator[RunBlob]:
    """Everything that waits, each blob answered with ``stored``."""
    while cut := lane.cut():
        yield from cut
        lane.stored()
