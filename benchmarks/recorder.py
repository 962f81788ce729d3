"""How many ended operations a second the recorder moves from Redis to the archive, beside writing them alone.

And how long Redis does nothing else in a call in which operations leave, or are removed because they take too much.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from benchmarks.archive import bare
from tracker.archive import Archive
from tracker.embedded import ensure_server
from tracker.history import archiving
from tracker.history.archiving import Archiving
from tracker.model import Event, EventType
from tracker.process import settle_in
from tracker.record import Record
from tracker.store import RunBlob, Store, Trim

COUNT = 20_000
AT_ONCE = 50
TRIMMED = 200


def blob(record: Record) -> RunBlob:
    """The whole of an operation in one blob."""
    parts = record.parts
    assert parts.run is not None
    run, steps = parts.run, list(parts.steps.values())
    event = Event(EventType.OPERATION_COMPLETE, parts.id, run.started, run.run, 1, head=run)
    return RunBlob(parts.id, run.run, [event], "", run.created, run, steps, steps[-1], rebase=True)


def trimming(url: str, records: list[Record]) -> float:
    """Milliseconds of a call that removes as many operations as one does at most."""
    store = Store(url, "trimming")
    ids = [record.parts.id for record in records]
    store.append([blob(record) for record in records])
    store.client.redis.zadd(store.keys.ended, dict.fromkeys(ids, 1))
    store.client.redis.config_resetstat()
    while store.append([Trim()])[0].number:
        pass
    return a_call(store)


def a_call(store: Store) -> float:
    """Milliseconds of a call of the script."""
    return float(store.client.redis.info("commandstats")["cmdstat_evalsha"]["usec_per_call"]) / 1000


def main(count: int) -> None:
    archiving.QUIET = 0.0
    records = [bare(number) for number in range(count)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = ensure_server(folder / "redis")
        store, alone = Store(server.url, budget=2**33), Archive(f"sqlite:///{folder / 'alone.sqlite3'}")
        for begin in range(0, count, AT_ONCE):
            store.append([blob(record) for record in records[begin : begin + AT_ONCE]])
        begun = time.perf_counter()
        for begin in range(0, count, archiving.AT_ONCE):
            alone.write(records[begin : begin + archiving.AT_ONCE])
        written = time.perf_counter() - begun
        del records[TRIMMED:]  # A recorder does not hold them either.
        archive = Archive(f"sqlite:///{folder / 'archive.sqlite3'}")
        recorder = Archiving(store, archive, 0)
        settle_in()
        store.client.redis.config_resetstat()
        begun = time.perf_counter()
        while recorder.turn():
            pass
        moved = time.perf_counter() - begun
        assert recorder.archived == count, recorder.archived
        print(f"  written alone {count / written:10,.0f} operations/s")
        print(f"  moved from Redis {count / moved:7,.0f} operations/s, {moved / written:.1f} × the time")
        print(f"  a call to leave {a_call(store):9.2f} ms in Redis")
        print(f"  a call that trims {trimming(server.url, records):7.2f} ms in Redis")
        alone.close()
        archive.close()
        server.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else COUNT)
