"""What a look costs: whole processes of the command line, in turns with what they cannot do without. Processor time.

``export`` is measured over 200,000 archived operations, or as many as are named.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks._measure import in_turns, show
from benchmarks.archive import AT_ONCE, typical
from tracker.archive import Archive
from tracker.clock import elapsed
from tracker.embedded import ensure_server
from tracker.model import QueuePart
from tracker.store import Hold, QueueItem, Store

COUNT = 200_000
FEW = 20

LIMIT = 1.5
"""How much more ``tracker ls`` may take than importing what it needs."""

LIBRARIES = "import redis, rich, click"


def run(environment: dict[str, str], *words: str) -> None:
    subprocess.run([sys.executable, *words], check=True, env=environment, stdout=subprocess.DEVNULL)


def worked() -> float:
    """Seconds of processor time that ended processes took: what others do on this machine does not count."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def looks(environment: dict[str, str]) -> dict[str, float]:
    """The libraries alone, and each command, in milliseconds per process."""
    tracker = ("-P", "-m", "tracker")
    works = {
        LIBRARIES: ("-c", LIBRARIES),
        "tracker ls": (*tracker, "ls"),
        "tracker show": (*tracker, "show", "op-1"),
        "tracker --help": (*tracker, "--help"),
    }
    for words in works.values():
        run(environment, *words)
    turns = {name: (partial(run, environment, *words), 1000) for name, words in works.items()}
    return in_turns(turns, clock=worked)


def fill(url: str, count: int) -> None:
    archive = Archive(url)
    for first in range(0, count, AT_ONCE):
        archive.write([typical(n) for n in range(first, min(first + AT_ONCE, count))])
    archive.close()


def export(environment: dict[str, str], folder: Path, count: int) -> None:
    path = folder / "all.csv"
    begun = elapsed()
    words = [sys.executable, "-P", "-m", "tracker", "export", "-o", str(path)]
    _, status, usage = os.wait4(os.spawnve(os.P_NOWAIT, sys.executable, words, environment), 0)
    seconds, size, held = elapsed() - begun, path.stat().st_size / 2**20, usage.ru_maxrss / 1024
    assert status == 0
    print(f"  export of {count:,}: {seconds:.1f} s, {size:.0f} MiB written, at most {held:.0f} MiB held")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = ensure_server(folder)
        kept = {key: value for key, value in os.environ.items() if not key.startswith("TRACKER_")}
        own = {"TRACKER_REDIS_URL": server.url, "TRACKER_STATE_DIR": name, "PYTHONPYCACHEPREFIX": f"{name}/cache"}
        environment = kept | own
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        try:
            store = Store(server.url)
            store.append([Hold("recorder", 3600)])
            store.append([QueueItem(f"op-{n}", QueuePart("job", 1e9 + n, title=f"File {n}")) for n in range(FEW)])
            show(costs := looks(environment), LIBRARIES, "ms")
            ratio = costs["tracker ls"] / costs[LIBRARIES]
            print(f"  tracker ls takes {ratio:.2f} times what its libraries take (allowed: {LIMIT})")
            with_archive = environment | {"TRACKER_ARCHIVE_URL": f"sqlite:///{name}/kept.sqlite3"}
            fill(with_archive["TRACKER_ARCHIVE_URL"], count)
            export(with_archive, folder, count)
            show(looks(with_archive), LIBRARIES, "ms")
        finally:
            server.stop()


if __name__ == "__main__":
    main()
