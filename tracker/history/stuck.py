"""Ends what waits for a message that nobody can have any more.

Two processes may die at a moment at which nobody else knows enough: whoever queues a batch, before its dispatch is with
the broker; and a worker, after it has taken a message and before it could tell of it.
"""

from __future__ import annotations

from contextlib import suppress

from tracker import clock
from tracker.clock import now
from tracker.errors import Unreadable
from tracker.history.batches import lose, untold_run
from tracker.ids import new_run
from tracker.model import Error, Status, Verdict
from tracker.store import Follow, Silence, Store

GRACE = 60.0
"""Seconds of a recorder's observation after which it is believed."""

NEVER_SENT = "the recorder, as whoever queued it ended before it was sent"

GONE = Error("WorkerGone", "the worker that had taken it ended before it began")


class Stuck:
    """Looks at one namespace for its recorder, by the recorder's own monotonic clock."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._since: dict[str, float] = {}

    def forget(self) -> None:
        """Nothing was observed for a while: everybody has the whole time again."""
        self._since.clear()

    def turn(self) -> None:
        """Look once; raises ``StoreUnavailable``."""
        unsent, begun = set(self._store.messages.unsent()), clock.elapsed()
        taken = self._without_worker()
        self._since = {id: self._since.get(id, begun) for id in unsent | taken}
        due = {id for id, since in self._since.items() if begun - since >= GRACE}
        for batch in sorted(due & unsent):
            self._store.append([Follow(batch)])
            self._store.cancel(batch, NEVER_SENT)
        if gone := [id for id in sorted(due & taken) if not self._went_on(id)]:
            lose(self._store, gone, GONE, "recorder")

    def _went_on(self, id: str) -> bool:
        """Whether it is a batch, of which the dispatch was taken: another worker is to go on with it."""
        with suppress(Unreadable):
            parts = self._store.operation(id)
            if parts is not None and parts.queue is not None and parts.queue.batch:
                nobody = new_run()
                run = untold_run(id, parts.queue, nobody)
                verdict = Verdict(Status.LOST, now(), "recorder", run=run.run, error=GONE)
                self._store.append([run, Silence(nobody, None, id, verdict)])
                return True
        return False

    def _without_worker(self) -> set[str]:
        taken = self._store.messages.taken()
        alive = {worker for worker in set(taken.values()) if self._store.is_alive(worker)}
        return {id for id, worker in taken.items() if worker not in alive}
