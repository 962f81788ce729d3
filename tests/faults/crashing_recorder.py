"""A recorder in a process of its own that kills itself at a named point, which it notes in a file."""

from __future__ import annotations

import multiprocessing
import os
import sys
import warnings
from multiprocessing.connection import Connection
from pathlib import Path

from tests.faults.crashing import Point, Trap
from tracker.archive import Archive
from tracker.archive.writing import Rowset
from tracker.history import archiving, batches, late, liveness, recorder
from tracker.history.archiving import Archiving
from tracker.history.late import Late
from tracker.history.liveness import Liveness
from tracker.history.recorder import Recorder
from tracker.history.returned import Returned
from tracker.settings import Settings
from tracker.store import Leave, Store, VerdictItem, leaving
from tracker.store.leaving import Leaving

POINTS: dict[str, Point] = {
    "before it takes its place": Point(Store, "append", "before", 1, "well"),
    "when it has its place": Point(Store, "append", "after", 1, "well"),
    "with late blobs read": Point(Leaving, "late", "after", 1, "well"),
    "before a late run goes to the archive": Point(Late, "_record", "after", 1, "well"),
    "after a late run went to the archive": Point(Archive, "write", "after", 1, "well"),
    "after a late run went to Redis": Point(Late, "_tell", "after", 1, "well"),
    "in the middle of a late run": Point(Late, "_tell", "after", 2, "well"),
    "before late blobs are noted": Point(Leaving, "drop_late", "before", 1, "well"),
    "after some late blobs were noted": Point(Leaving, "drop_late", "after", 2, "well"),
    "before what late runs left open is lost": Point(Late, "_end_open", "before", 1, "well"),
    "after what late runs left open was lost": Point(Late, "_end_open", "after", 1, "well"),
    "before ended operations are written": Point(Archiving, "_read_and_write", "before", 1, "well"),
    "in the middle of writing": Point(Rowset, "save", "after", 3, "well"),
    "after ended operations were written, before they are kept": Point(Leaving, "erased", "before", 1, "well"),
    "after ended operations were kept, before they leave": Point(Archiving, "_read_and_write", "after", 1, "well"),
    "when some operations have left": Point(Leave, "change", "before", 3, "well"),
    "when operations were told to leave, before it is known that they have": Point(
        Leaving, "_answers", "before", 1, "well"
    ),
    "after ended operations have left, with the next ones read": Point(Archiving, "_move", "after", 2, "well"),
    "after a child of a small family has left": Point(Leave, "change", "before", 8, "well"),
    "after some of a large family were written": Point(Archiving, "_write", "after", 4, "well"),
    "after a large family was written, before it leaves": Point(Leave, "change", "before", 9, "well"),
    "when some of a large family have left": Point(Leave, "change", "before", 11, "well"),
    "after its children have left, before their parent": Point(Leave, "change", "before", 13, "well"),
    "before what is old is removed": Point(Archive, "remove", "before", 1, "well"),
    "after what is old was removed": Point(Archive, "remove", "after", 1, "well"),
    "before attempts that came back are numbered": Point(Returned, "turn", "before", 1, "well"),
    "after attempts that came back were numbered": Point(Returned, "turn", "after", 1, "well"),
    "before silent runs are unresponsive": Point(Liveness, "_judge", "before", 1, "well"),
    "after silent runs were unresponsive": Point(Liveness, "_judge", "after", 1, "well"),
    "when a dispatch has failed, before its children are lost": Point(archiving, "give_up_rest", "before", 1, "well"),
    "when a dispatch has failed, and some of its children are lost": Point(VerdictItem, "change", "before", 3, "well"),
    "when a dispatch has failed, and its children are lost": Point(archiving, "give_up_rest", "after", 1, "well"),
    "at its end": Point(Recorder, "_let_go", "before", 1, "well"),
}


LONGEST = 60.0
"""Seconds a recorder may take to say or do what is waited for."""

_forks = multiprocessing.get_context("forkserver")
# Whatever a recorder needs takes a second to load: it is loaded once, in a process of which each recorder is a fork.
_forks.set_forkserver_preload([__name__])


def in_a_hurry() -> None:
    """Small numbers, so that every point is reached soon, and in the middle of something."""
    recorder.EVERY, recorder.SILENCE = 0.05, 1.0
    liveness.UNRESPONSIVE_AFTER, liveness.LOST_AFTER = 0.2, 0.4
    archiving.QUIET, archiving.AT_ONCE = 0.0, 3
    late.AT_ONCE, leaving.AT_ONCE, leaving.PAGE, leaving.FEW = 2, 2, 2, 3
    batches.PAGE = 1


def work(noted: Path, point: str, environment: dict[str, str], errors: Path, line: Connection) -> None:
    """Say ``works`` and work, until the other end of the line is closed or the point is reached."""
    with errors.open("wb") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
    warnings.simplefilter("error")
    os.environ.update(environment)
    in_a_hurry()
    if point:
        Trap(POINTS[point], lambda: noted.write_text(point)).armed = True
    settings = Settings.from_env()
    line.send("works")
    Recorder.of(settings, Store.of(settings)).run(line.poll)


class CrashingRecorder:
    """One such process, which works."""

    def __init__(self, noted: Path, point: str, environment: dict[str, str]) -> None:
        self._errors = noted.with_name(f"errors-{os.urandom(4).hex()}")
        self._line, line = _forks.Pipe()
        self._process = _forks.Process(target=work, args=(noted, point, environment, self._errors, line))
        self._process.start()
        line.close()
        assert self._line.poll(LONGEST), self.told()
        assert self._line.recv() == "works"

    def end(self) -> int | None:
        """Tell it to end and wait for that; the exit code."""
        self._line.close()
        return self.ended()

    def ended(self) -> int | None:
        """Wait for its end; the exit code."""
        self._process.join(LONGEST)
        return self._process.exitcode

    def told(self) -> str:
        """What it has written to standard error."""
        return self._errors.read_text()

    def close(self) -> None:
        """End it, whatever it is at."""
        self._process.kill()
        self._process.join(LONGEST)
        self._line.close()
