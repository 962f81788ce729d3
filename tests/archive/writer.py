"""A program that writes to an archive, for tests that need another process: ``python -m tests.archive.writer …``."""

from __future__ import annotations

import os
import sys

from tests.archive.making import record, run
from tracker.archive import Archive


def endlessly(archive: Archive) -> None:
    """Write groups of 50 until killed; all of a group have its number as their name."""
    group = 0
    while True:
        archive.write([record(f"{group}-{n}", run(f"{group}-{n}", name=f"group {group}")) for n in range(50)])
        group += 1


def once(archive: Archive, id: str) -> None:
    """Write one operation and say which archive it was."""
    archive.write([record(id)])
    print(archive.identity)


def with_child(archive: Archive) -> None:
    """Write before, in and after a forked child; end as the child did."""
    archive.write([record("before")])
    pid = os.fork()
    archive.write([record("parent" if pid else "child")])
    if not pid:
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    archive.write([record("after")])
    archive.close()
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    what, url, *rest = sys.argv[1:]
    {"endlessly": endlessly, "once": once, "with_child": with_child}[what](Archive(url, "tests"), *rest)
