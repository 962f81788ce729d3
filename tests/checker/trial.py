"""A trial: producers work, a recorder archives, three watchers look on, and everything is broken by chance.

``python -m tests.checker.trial SECONDS SEED`` runs one in a new folder, and says what the checker found.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from tests.checker.check import Violation, check
from tests.checker.collecting import collect
from tests.checker.history import load, save
from tests.checker.watching import CommandLine, Follower, Poller
from tests.faults.proxy import FaultProxy
from tests.faults.servers import BreakableServer
from tests.support import wait_for
from tracker.archive import Archive
from tracker.clock import elapsed
from tracker.store import Store

ROOT = Path(__file__).parents[2]

RECORDER = """
from tracker.history import archiving, recorder
archiving.QUIET, recorder.EVERY = 3.0, 0.2
from tracker.cli import main
main(["recorder"])
"""

PRODUCERS = 3

_moment = threading.Event()


class Trial:
    """Everything that takes part. The first producer is never killed, so that its size can be watched."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.chance = random.Random(seed)
        self.done: list[str] = []
        self.sizes: list[tuple[int, int, int]] = []
        """Of the first producer: memory in kB, threads, open files."""
        self._started = 0
        self.server = BreakableServer(folder / "redis")
        self.proxy = FaultProxy(self.server.url)
        self.archive = Archive(f"sqlite:///{folder}/state/archive.sqlite3")
        self._recorder = self._start_recorder()
        self._producers = [self._start_producer() for _ in range(PRODUCERS)]
        self._command = CommandLine(folder, self.server.url)
        self._watchers = (
            Follower(folder, self.server.url),
            Poller(folder, self.server.url, self.archive),
            self._command,
        )

    def run(self, seconds: float) -> list[Violation]:
        """Break things for so long, let all come to rest, and check."""
        wait_for(self._command.began, 60)
        ends = elapsed() + seconds
        while elapsed() < ends:
            _moment.wait(self.chance.uniform(0.1, 0.6))
            act = self.chance.choice(self._acts())
            self.done.append(act.__name__)
            act()
            self._cancel_some()
            self._measure()
        return self._finish()

    def close(self) -> None:
        for watcher in self._watchers:
            watcher.stop()
        for process in (self._recorder, *self._producers):
            _kill(process)
        self.proxy.close()
        self.server.close()
        self.archive.close()

    # ---- what is broken --------------------------------------------------------------------------

    def _acts(self) -> list[Callable[[], object]]:
        return [
            self.kill_producer, self.kill_recorder, self.kill_redis, self.pause_redis, self.cut_connections,
            self.refuse_connections, self.swallow, self.lose_subscribers, self.forget_scripts, self.fill_redis,
        ]  # fmt: skip

    def kill_producer(self) -> None:
        place = self.chance.randrange(1, PRODUCERS)
        _kill(self._producers[place])
        self._producers[place] = self._start_producer()

    def kill_recorder(self) -> None:
        _kill(self._recorder)
        self._recorder = self._start_recorder()

    def kill_redis(self) -> None:
        self.server.kill()
        _moment.wait(self.chance.uniform(0, 1.5))
        self.server.start()

    def pause_redis(self) -> None:
        with self.server.paused():
            _moment.wait(self.chance.uniform(0, 2.5))

    def cut_connections(self) -> None:
        self.proxy.reset()

    def refuse_connections(self) -> None:
        self.proxy.refuse()
        self.proxy.reset()
        _moment.wait(self.chance.uniform(0, 2.5))
        self.proxy.heal()

    def swallow(self) -> None:
        self.proxy.swallow()
        _moment.wait(self.chance.uniform(0, 2.5))
        self.proxy.heal()

    def lose_subscribers(self) -> None:
        self.server.kill_pubsub()

    def forget_scripts(self) -> None:
        self.server.script_flush()

    def fill_redis(self) -> None:
        self.server.fill()
        _moment.wait(self.chance.uniform(0, 1.5))
        self.server.unfill()

    def _cancel_some(self) -> None:
        """Of what has begun last; most of it has ended before it hears of that."""
        store = Store(self.server.url)
        for parts in store.operations(limit=5, status="running").items:
            store.cancel(parts.id, "trial")
        store.client.disconnect()

    # ---- who takes part --------------------------------------------------------------------------

    def _environment(self, url: str) -> dict[str, str]:
        return os.environ | {"TRACKER_REDIS_URL": url, "TRACKER_STATE_DIR": str(self.folder / "state")}

    def _start_producer(self) -> subprocess.Popen[bytes]:
        self._started += 1
        name = f"p{self._started}"
        seed = str(self.chance.getrandbits(32))
        command = [sys.executable, "-m", "tests.checker.producer", str(self.folder), name, seed]
        log = (self.folder / "producers.log").open("ab")
        with log:
            environment = self._environment(self.proxy.url)
            return subprocess.Popen(command, stdin=subprocess.PIPE, stderr=log, env=environment, cwd=ROOT)

    def _start_recorder(self) -> subprocess.Popen[bytes]:
        with (self.folder / "recorder.log").open("ab") as log:
            environment = self._environment(self.server.url)
            return subprocess.Popen([sys.executable, "-c", RECORDER], stdout=log, stderr=log, env=environment, cwd=ROOT)

    def _measure(self) -> None:
        proc = Path(f"/proc/{self._producers[0].pid}")
        status = dict(line.split(":\t", 1) for line in (proc / "status").read_text().splitlines() if ":\t" in line)
        files = len(list((proc / "fd").iterdir()))
        self.sizes.append((int(status["VmRSS"].split()[0]), int(status["Threads"]), files))

    # ---- the end ---------------------------------------------------------------------------------

    def _finish(self) -> list[Violation]:
        self._leave(self._producers)
        self._leave([self._start_producer()])  # It sends what killed ones have left behind.
        store = Store(self.server.url)
        wait_for(lambda: self._at_rest(store), 180)
        for watcher in self._watchers:
            watcher.finish()
        ids = {intent.operation for journal in load(self.folder).journals.values() for intent in journal}
        save(self.folder, "stored-all", collect(store, self.archive, sorted(ids - {""})))
        store.client.disconnect()
        return check(load(self.folder))

    def _leave(self, producers: list[subprocess.Popen[bytes]]) -> None:
        for producer in producers:
            assert producer.stdin is not None
            producer.stdin.close()
        for producer in producers:
            assert producer.wait(30) == 0

    def _at_rest(self, store: Store) -> bool:
        """Nothing waits anywhere: on disk, for the recorder, or to be archived."""
        spools = list((self.folder / "state" / "spool").rglob("*.spool"))
        return not spools and not store.leaving.late(1) and not store.leaving.ended(0, 0, 1)


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    if process.stdin is not None:
        process.stdin.close()
    process.wait()


def main(seconds: float, seed: int) -> int:
    folder = Path(tempfile.mkdtemp(prefix="trial-"))
    trial = Trial(folder, seed)
    try:
        violations = trial.run(seconds)
    finally:
        trial.close()
    history = load(folder)
    runs = sum(intent.act == "start" for journal in history.journals.values() for intent in journal)
    print(f"{len(trial.done)} faults, {len(history.journals)} producers, {runs} runs, {len(history.stored)} operations")
    print("size of a producer (kB, threads, files):", trial.sizes[len(trial.sizes) // 4], "->", trial.sizes[-1])
    for violation in violations:
        print(violation)
    print(f"{len(violations)} violations; seed {seed}, {folder}")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), int(sys.argv[2])))
