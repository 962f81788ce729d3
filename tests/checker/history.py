"""What a trial leaves behind, as files: each producer's own journal, what is stored, and what each watcher saw.

A producer writes down what it is about to do before it does it, with no help of the tracker. So whatever is stored was
written down before, and of a producer that ended well everything written down must be stored.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

STEP_ENDS = frozenset({"complete", "error", "skipped", "cancelled"})
RUN_ENDS = frozenset({"complete", "error", "cancelled"})
STATUSES = ("queued", "running", "complete", "error", "cancelled", "lost")


class Intent(msgspec.Struct, omit_defaults=True):
    """What a producer is about to do: start a run, bring a step into a state, end the run. A step that was not to begin
    after all is ``pending``.

    A run is known by its ``title``, which nobody else gives. ``safe`` says that all before is stored or spooled,
    ``left`` that the producer is about to end well.
    """

    act: str
    title: str = ""
    operation: str = ""
    step: int = 0
    status: str = ""


class StoredRun(msgspec.Struct, omit_defaults=True):
    """One run as it is stored; ``status`` is its own outcome, whatever was judged about it."""

    run: str
    title: str
    attempt: int
    status: str
    steps: dict[int, str] = {}


class Stored(msgspec.Struct, omit_defaults=True):
    """One operation as it is stored; ``where`` is ``redis`` or ``archive``."""

    operation: str
    where: str
    status: str
    runs: list[StoredRun] = []
    parent: str = ""
    children: dict[str, int] = {}


class Seen(msgspec.Struct, omit_defaults=True):
    """One thing a watcher saw: ``reset``, ``event``, ``state`` (read whole) or ``final`` (what it shows at the end).

    The event with which the store began to count an operation's revs is its ``first``, whatever was seen of it before.
    A watcher whose events may be merged on the way writes them down as ``merged``, and one that shows no steps ends
    with ``last`` in place of ``final``. ``steps`` is what it learned of steps: all of them in a state, the changed one
    in an event.
    """

    what: str
    operation: str = ""
    rev: int = 0
    run: str = ""
    title: str = ""
    status: str = ""
    steps: dict[int, str] = {}
    children: dict[str, int] = {}


class History(msgspec.Struct):
    """All of a trial."""

    journals: dict[str, list[Intent]] = {}
    stored: list[Stored] = []
    watchers: dict[str, list[Seen]] = {}


Record = TypeVar("Record", Intent, Stored, Seen)


class Journal:
    """Writes one record a line; what is written outlives the death of the process that wrote it."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, record: msgspec.Struct) -> None:
        os.write(self._file, msgspec.json.encode(record) + b"\n")

    def close(self) -> None:
        os.close(self._file)


def save(folder: Path, name: str, records: Iterable[Any]) -> None:
    """Write a file of records."""
    journal = Journal(folder / f"{name}.ndjson")
    for record in records:
        journal.write(record)
    journal.close()


def load(folder: Path) -> History:
    """Read a trial's folder; a last line that a kill cut short was never an intent carried out."""
    return History(
        journals={path.stem: list(_lines(path, Intent)) for path in sorted(folder.glob("journal-*.ndjson"))},
        stored=[record for path in sorted(folder.glob("stored-*.ndjson")) for record in _lines(path, Stored)],
        watchers={path.stem: list(_lines(path, Seen)) for path in sorted(folder.glob("watcher-*.ndjson"))},
    )


def _lines(path: Path, kind: type[Record]) -> Iterator[Record]:
    for line in path.read_bytes().split(b"\n")[:-1]:
        yield msgspec.json.decode(line, type=kind)
