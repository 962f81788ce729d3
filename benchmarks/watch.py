"""`tracker watch` beside many live operations: its share of a core, and how soon a stored change is on the screen.

500 operations run and report progress, 1,000 changes a second in all; the board is read from a terminal of 120 by 40
cells. The same program also only follows them, as `watch --json` into nothing, for what the drawing adds. For the way
to the screen, steps with names of their own begin in an operation that is in sight.
"""

from __future__ import annotations

import fcntl
import os
import pty
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path

from tracker.embedded import ensure_server
from tracker.model import Event, EventType, RunPart, Status, StepState, StepStatus
from tracker.store import Hold, RunBlob, Store

OPERATIONS, EVENTS_PER_SECOND, SECONDS = 500, 1_000, 20.0
BLOB = 25
"""Changes that are stored in one call."""

COLUMNS, LINES = 120, 40
SIGHTS = 60
"""Changes of which the way to the screen is measured."""


class Load:
    """Operations that go on while the benchmark lasts."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.created = time.time()
        self._seqs = [1] * OPERATIONS
        for start in range(0, OPERATIONS, BLOB):
            store.append([self._begun(number) for number in range(start, start + BLOB)])

    def _begun(self, number: int) -> RunBlob:
        event = Event(EventType.OPERATION_START, _id(number), self.created, "r", 1, head=self._head(number))
        return RunBlob(_id(number), "r", [event], "", self.created, self._head(number))

    def _head(self, number: int) -> RunPart:
        # The last is the newest, and so the first in sight.
        at = self.created + number / 1000
        return RunPart("r", "bench", f"Import {number:03}", at, at, Status.RUNNING, total=4)

    def move(self, number: int, name: str = "Fetch") -> RunBlob:
        """A step of an operation has progressed, or one of another name has begun."""
        self._seqs[number] += 1
        seq, now = self._seqs[number], time.time()
        step = StepState(1, name, StepStatus.RUNNING, now, current=float(seq % 100), total=100.0, unit="rows")
        kind = EventType.STEP_PROGRESS if name == "Fetch" else EventType.STEP_START
        return RunBlob(
            _id(number), "r", [Event(kind, _id(number), now, "r", seq, step=step)], "", now, None, [step], step
        )

    def run(self, seconds: float) -> float:
        """Store changes of all but the last at the rate that is wanted; answers the rate that was reached."""
        begun, told = time.monotonic(), 0
        while (passed := time.monotonic() - begun) < seconds:
            if told > passed * EVENTS_PER_SECOND:
                time.sleep(0.002)
                continue
            self.store.append([self.move((told + place) % (OPERATIONS - 1)) for place in range(BLOB)])
            told += BLOB
        return told / seconds


def _id(number: int) -> str:
    return f"bench-{number:04}"


class Watcher:
    """A `tracker watch` in a terminal that somebody reads, or in a pipe that nobody keeps."""

    def __init__(self, url: str, folder: str, *options: str) -> None:
        environment = {**os.environ, "TRACKER_REDIS_URL": url, "TRACKER_STATE_DIR": folder, "TERM": "xterm-256color"}
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        out = subprocess.DEVNULL if "--json" in options else theirs
        command = [sys.executable, "-P", "-m", "tracker", "watch", *options]
        self.process = subprocess.Popen(command, stdin=theirs, stdout=out, stderr=theirs, env=environment)
        os.close(theirs)
        self.seen = b""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while data := os.read(self.ours, 65536):
                self.seen = (self.seen + data)[-200_000:]
        except OSError:
            pass

    def cpu(self) -> float:
        """CPU seconds so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        self.process.terminate()
        self.process.wait()
        os.close(self.ours)


def share(load: Load, watcher: Watcher) -> tuple[float, float]:
    """Of a core, while the operations go on; and the rate of changes that was reached."""
    load.run(3.0)
    before = watcher.cpu()
    rate = load.run(SECONDS)
    return (watcher.cpu() - before) / SECONDS, rate


def sights(load: Load, watcher: Watcher, kind: str) -> list[float]:
    """Milliseconds from the answer of Redis until the name of a new step has been written to the terminal."""
    found = []
    for number in range(SIGHTS):
        name = f"{kind}{number:03}"
        load.store.append([load.move(OPERATIONS - 1, name)])
        stored = time.monotonic()
        while name.encode() not in watcher.seen:
            time.sleep(0.001)
        found.append((time.monotonic() - stored) * 1e3)
        time.sleep(0.05 + number % 7 * 0.02)
    return found


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = ensure_server(Path(folder))
        store = Store(server.url)
        try:
            store.append([Hold("recorder", 3600)])
            load = Load(store)
            for name, options in (("the board", ()), ("followed only, as --json", ("--json",))):
                watcher = Watcher(server.url, folder, *options)
                used, rate = share(load, watcher)
                print(f"  {name:<26} {used:6.1%} of a core at {rate:,.0f} changes/s of {OPERATIONS} operations")
                watcher.end()
            watcher = Watcher(server.url, folder)
            load.run(5.0)
            quiet = sights(load, watcher, "quiet")
            thread = threading.Thread(target=load.run, args=(15.0,))
            thread.start()
            busy = sights(load, watcher, "busy")
            thread.join()
            watcher.end()
            for name, found in (("alone", quiet), ("among all", busy)):
                p99 = statistics.quantiles(found, n=100)[98]
                print(f"  on the screen, {name:<10} p50 {statistics.median(found):6.1f} ms   p99 {p99:6.1f} ms")
        finally:
            store.client.disconnect()
            server.stop()


if __name__ == "__main__":
    main()
