"""Watchers of a trial: one that follows the feed, one that asks again and again, and ``tracker watch --json``."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from tests.checker.history import Journal, Seen
from tracker.archive import Archive
from tracker.compose import compose
from tracker.errors import StoreUnavailable
from tracker.history import History
from tracker.model import LiveEvent, Operation, Parts
from tracker.store import Change, Reset, Store, View

ROOT = Path(__file__).parents[2]


def seen(what: str, operation: Operation, steps: dict[int, str] | None = None) -> Seen:
    """What there is to see of an operation."""
    counts: dict[str, int] = {}
    if operation.children.total:
        counts = msgspec.to_builtins(operation.children)
        del counts["version"]
    title = operation.title if operation.run else ""
    return Seen(
        what, operation.id, operation.rev, operation.run, title, str(operation.status), steps or {}, counts
    )  # fmt: skip


def state(what: str, parts: Parts) -> Seen:
    steps = {index: str(step.status) for index, step in sorted(parts.steps.items())}
    return seen(what, compose(parts), steps)


def everything(store: Store) -> Iterator[Parts]:
    """All operations that are live, children among them."""
    page: str | None = None
    while True:
        found = store.operations(page=page, limit=200)
        for parts in found.items:
            yield from _family(store, parts)
        if (page := found.next) is None:
            return


def _family(store: Store, parts: Parts) -> Iterator[Parts]:
    whole = store.operation(parts.id)
    if whole is not None:
        yield whole
    page: str | None = None
    while parts.children.total:
        found = store.children(parts.id, page=page)
        for child in found.items:
            yield from _family(store, child)
        if (page := found.next) is None:
            return


class Follower:
    """Follows the feed and keeps a view, in a thread."""

    def __init__(self, folder: Path, url: str, name: str = "follower") -> None:
        self._journal = Journal(folder / f"watcher-{name}.ndjson")
        self._store = Store(url)
        self._view = View(self._store.operation)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name=name)
        self._thread.start()

    def _follow(self) -> None:
        for item in self._store.follow(stop=self._stop):
            while not self._stop.is_set():
                try:
                    self._receive(item)
                    break
                except StoreUnavailable:  # What it could not read, it reads when Redis is back.
                    self._stop.wait(0.05)

    def _receive(self, item: Any) -> None:
        if isinstance(item, Reset):
            found = list(everything(self._store))
            self._view.clear()
            self._journal.write(Seen("reset"))
            for parts in found:
                self._view.put(parts)
                self._journal.write(state("state", parts))
        elif isinstance(item, Change):
            self._apply(item)

    def _apply(self, change: Change) -> None:
        held = self._view.parts.get(change.operation)
        follows = change.fresh or (held is not None and change.first_rev <= held.rev + 1)
        read_again = change.hole or not follows
        news = self._view.apply(change)
        parts = self._view.parts.get(change.operation)
        if read_again and news and parts is not None:
            self._journal.write(state("state", parts))
            news = [event for event in news if event.operation.id != change.operation]
        for event in news:
            begins = change.fresh and (event.operation.id, event.operation.rev) == (change.operation, change.first_rev)
            self._journal.write(_event("first" if begins else "event", event))

    @property
    def rev_sum(self) -> int:
        return sum(parts.rev for parts in list(self._view.parts.values()))

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def finish(self) -> None:
        """Stop, and write down what it shows."""
        self.stop()
        for parts in self._view.parts.values():
            self._journal.write(state("final", parts))
        self._store.client.disconnect()


def _event(what: str, event: LiveEvent) -> Seen:
    steps = {event.step.index: str(event.step.status)} if event.step is not None else {}
    return seen(what, event.operation, steps)


class Poller:
    """Reads the newest operations again and again through the facade, in a thread."""

    def __init__(self, folder: Path, url: str, archive: Archive) -> None:
        self._journal = Journal(folder / "watcher-poller.ndjson")
        self._store = Store(url)
        self._reads = History(self._store, archive).live
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="poller")
        self._thread.start()

    def _poll(self) -> None:
        while not self._stop.wait(0.2):
            with suppress(StoreUnavailable):
                for parts in self._newest(50):
                    self._journal.write(state("state", parts))

    def _newest(self, limit: int) -> list[Parts]:
        heads = self._reads.operations(limit=limit).items
        whole = [self._reads.operation(parts.id) for parts in heads]
        return [parts for parts in whole if parts is not None]

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def finish(self) -> None:
        self.stop()
        self._journal.write(Seen("reset"))
        for parts in self._newest(500):
            self._journal.write(state("state", parts))
            self._journal.write(state("final", parts))
        self._store.client.disconnect()


AWAY = 10**6
"""Revs that an operation has after a second at least in which it was not in Redis: they begin at the microseconds."""


class CommandLine:
    """``tracker watch --json`` in a process of its own."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        self._lines = (folder / "watch.json").open("wb")
        environment = os.environ | {"TRACKER_REDIS_URL": url, "TRACKER_STATE_DIR": str(folder)}
        command = [sys.executable, "-m", "tracker", "watch", "--json"]
        self._process = subprocess.Popen(command, stdout=self._lines, env=environment, cwd=ROOT)

    def began(self) -> bool:
        """Whether it has said anything; a command that finds no Redis when it begins says so, and ends."""
        return os.fstat(self._lines.fileno()).st_size > 0

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)
        self._lines.close()

    def finish(self) -> None:
        """End it, and write down what it said; what it shows at the end is the last it said of each.

        A reset is followed by all that is shown from then on, which is not all there was before.
        """
        self.stop()
        journal = Journal(self._folder / "watcher-command.ndjson")
        last: dict[str, Seen] = {}
        for line in (self._folder / "watch.json").read_bytes().split(b"\n")[:-1]:
            record = _said(msgspec.json.decode(line))
            before = last.get(record.operation)
            if before is not None and record.rev > before.rev + AWAY:
                record.what = "first"
            journal.write(record)
            if record.what == "reset":
                last.clear()
            else:
                last[record.operation] = record
        for record in last.values():
            journal.write(msgspec.structs.replace(record, what="last", steps={}))


def _said(record: dict[str, Any]) -> Seen:
    if record["type"] == "reset":
        return Seen("reset")
    operation = msgspec.convert(record["operation"], Operation)
    if record["type"] == "snapshot":
        return seen("state", operation, {step.index: str(step.status) for step in operation.steps or ()})
    step = record.get("step")
    return seen("merged", operation, {step["index"]: step["status"]} if step else {})
