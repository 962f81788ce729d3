"""The names of everything the store keeps in Redis; all keys of a namespace share one hash slot."""

from __future__ import annotations

import msgspec


class Keys(msgspec.Struct, frozen=True):
    """Key and channel names of one namespace.

    >>> Keys("default").operation("a1")
    'tracker:{default}:op:a1'
    """

    namespace: str

    @property
    def prefix(self) -> str:
        return f"tracker:{{{self.namespace}}}:"

    @property
    def feed(self) -> str:
        """Stream of all stored changes, bounded."""
        return self.prefix + "feed"

    @property
    def feed_last(self) -> str:
        """Id of the newest feed entry; a follower proves its continuity against it."""
        return self.prefix + "feed:last"

    def feed_copy(self, token: str = "") -> str:
        """A copy of the feed that is to take its place, or who has begun the last one; it expires."""
        return self.prefix + "feed:copy" + (f":{token}" if token else "")

    @property
    def erased(self) -> str:
        """Hash of the operations that were erased and may still be told of in the feed, with its last entry then."""
        return self.prefix + "erased"

    @property
    def index(self) -> str:
        """Sorted set of top-level operations by creation time."""
        return self.prefix + "index"

    def open(self, status: str) -> str:
        """Set of the top-level operations that wait, or of those that run."""
        return f"{self.prefix}open:{status}"

    @property
    def ended(self) -> str:
        """Sorted set of the ended operations that are below no other one here, by the time of their end."""
        return self.prefix + "ended"

    @property
    def recorder(self) -> str:
        """Token of the active recorder; it expires when that says no more."""
        return self.prefix + "recorder"

    @property
    def archive(self) -> str:
        """Where the last active recorder keeps its archive."""
        return self.prefix + "archive"

    @property
    def late(self) -> str:
        """List of replayed blobs of runs that are not known here."""
        return self.prefix + "late"

    @property
    def bytes(self) -> str:
        """How many bytes ended operations take."""
        return self.prefix + "bytes"

    @property
    def unsent(self) -> str:
        """Set of the batches that wait, of which it is not known that the broker has their dispatch."""
        return self.prefix + "unsent"

    @property
    def taken(self) -> str:
        """Hash of the operations that a worker has taken and not begun, with its name."""
        return self.prefix + "taken"

    @property
    def owed(self) -> str:
        """Hash of the operations whose message still has to be sent, with their queue part."""
        return self.prefix + "owed"

    @property
    def owed_sender(self) -> str:
        """Name of the worker that sends them; it expires when that says no more."""
        return self.prefix + "owed:sender"

    @property
    def trimmed(self) -> str:
        """How many ended operations were removed because they were too old, or took too much."""
        return self.prefix + "trimmed"

    @property
    def brief(self) -> str:
        """Hash of the executions that were counted and not kept, by day since 1970 and name."""
        return self.prefix + "brief"

    @property
    def brief_taken(self) -> str:
        """Those of them that are on their way to the archive."""
        return self.prefix + "brief:taken"

    @property
    def jobs(self) -> str:
        """Hash of published jobs by name."""
        return self.prefix + "jobs"

    @property
    def workers(self) -> str:
        """Set of the workers that have published jobs."""
        return self.prefix + "workers"

    def worker_jobs(self, worker: str) -> str:
        """Set of the job names one worker runs; it expires when the worker says no more."""
        return f"{self.prefix}worker:{worker}:jobs"

    @property
    def late_dropped(self) -> str:
        """How many of them the list had no room for."""
        return self.prefix + "late:dropped"

    @property
    def live(self) -> str:
        """Hash of the runs that are alive as far as is known, with operation and process."""
        return self.prefix + "live"

    @property
    def leases(self) -> str:
        """Sorted set of the processes that hold a lease, by Redis's time of its last renewal."""
        return self.prefix + "leases"

    def lease(self, process: str) -> str:
        """Hash with the counter of one process's renewals, when the last was, and what it said."""
        return f"{self.prefix}lease:{process}"

    def operation(self, id: str) -> str:
        """Hash with the parts, steps and numbers of one operation."""
        return f"{self.prefix}op:{id}"

    def children(self, id: str, status: str | None = None) -> str:
        """Sorted set of an operation's children in order, or the set of those with one status."""
        return f"{self.prefix}children:{id}" + (f":{status}" if status else "")

    def log(self, id: str) -> str:
        """List of an operation's last log lines, each after the attempt it belongs to."""
        return f"{self.prefix}log:{id}"

    def results(self, id: str) -> str:
        """Hash of the results that steps of an operation have kept, by key."""
        return f"{self.prefix}results:{id}"

    def barred(self, id: str) -> str:
        """That an operation that has left was cancelled, and must not begin, or when it was erased; it expires."""
        return f"{self.prefix}barred:{id}"

    def answer(self, name: str) -> str:
        """What is known of a request that may be repeated; it expires."""
        return f"{self.prefix}answer:{name}"

    def answers_of(self, operation: str) -> str:
        """Set of the requests whose answers told of an operation; it expires."""
        return f"{self.prefix}answers:{operation}"

    def at_work(self, name: str) -> str:
        """Token of whoever works on such a request; it expires."""
        return f"{self.prefix}answer:{name}:at-work"

    def channel(self, operation: str | None = None) -> str:
        """Pub/sub channel of the whole namespace, or of one operation and its children."""
        return self.prefix + "events" + (f":{operation}" if operation else "")
