"""One operation as values, from what Redis holds of it.

What is in Redis is untrusted: a record that makes no sense is ``Unreadable``, and nothing but itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter
from types import MappingProxyType
from typing import TypeVar

import msgspec

from tracker.errors import Unreadable
from tracker.model import CancelRequest, Children, LogLine, Parts, QueuePart, RunPart, Status, StepState, Verdict
from tracker.record import Attempt, Record
from tracker.redact import TEXT, line

Fields = Mapping[bytes, bytes | None]
"""Of an operation's hash; what is said of one of its runs is called ``<name>:<run>``, a step ``step:<run>:<index>``."""

SENSELESS = (msgspec.DecodeError, RecursionError, ValueError)
"""What decoding raises for a value that makes no sense."""

_queue = msgspec.json.Decoder(QueuePart).decode
_run = msgspec.json.Decoder(RunPart).decode
_cancel = msgspec.json.Decoder(CancelRequest).decode
_verdict = msgspec.json.Decoder(Verdict).decode
_children = msgspec.json.Decoder(Children).decode
_step = msgspec.json.Decoder(StepState).decode
_line = msgspec.json.Decoder(LogLine).decode

_by_index = attrgetter("index")
_by_number = attrgetter("number")


def _status(value: bytes) -> Status:
    return Status(value.decode())


STATUSES = frozenset(status.encode() for status in Status)
"""Those that there are, as they are stored."""

DECODERS: Mapping[bytes, Callable[[bytes], object]] = {
    b"rev": int,
    b"attempt": int,
    b"alive": int,
    b"children_version": int,
    b"status": _status,
    b"queue": _queue,
    b"head": _run,
    b"verdict": _verdict,
    b"cancel": _cancel,
    b"children": _children,
    b"current": _step,
    b"attempt:": int,
    b"head:": _run,
    b"verdict:": _verdict,
    b"step:": _step,
}
"""By the names of fields; with a colon, of those that are told of a run."""

NO_CHILDREN = Children()

OTHER = "something else is stored under that key"

Found = TypeVar("Found")


def parts_of(id: str, fields: Fields | None) -> Parts | None:
    """An operation; ``None`` if neither a queue part nor a run is stored: then nobody has spoken of it yet.

    Without ``fields``, its key holds something else. Raises ``Unreadable``.
    """
    try:
        if fields is None:
            raise ValueError(OTHER)
        get = fields.get
        queue, head, verdict, cancel, children = map(get, (b"queue", b"head", b"verdict", b"cancel", b"children"))
        if not queue and not head:
            return None
        run = get(b"run") or b""
        return Parts(
            id=id,
            rev=int(get(b"rev") or 0),
            attempt=int(get(b"attempt") or 0),
            queue=_queue(queue) if queue else None,
            run=_run(head) if head else None,
            verdict=_verdict(verdict) if verdict else None,
            steps=_steps(fields, run),
            children=_children(children) if children else NO_CHILDREN,
            cancel=_cancel(cancel) if cancel else None,
            quiet=run != b"" and get(b"quiet") == run,
            duplicate=int(get(b"alive") or 0) > 1,
        )
    except SENSELESS as error:
        raise _unreadable(id, error, fields) from None


def operation_of(id: str, fields: Fields | None) -> Parts | None:
    """As ``parts_of``, where all of its hash was read."""
    parts = parts_of(id, fields)
    try:
        _check(fields or {})
    except SENSELESS as error:
        raise _unreadable(id, error, fields) from None
    return parts


def record_of(
    id: str, fields: Fields | None, lines: Sequence[bytes] | None, kept: Mapping[bytes, bytes] | None
) -> Record | None:
    """Everything of one operation, from its hash, its log and its results; ``None`` if nobody has spoken of it yet.

    ``None`` of them, if there is something else under the key. Raises ``Unreadable``.
    """
    try:
        return _record(id, _given(fields), _given(lines), _given(kept))
    except SENSELESS as error:
        raise _unreadable(id, error, fields, lines, kept) from None


def lines_of(id: str, entries: Sequence[bytes] | None) -> list[LogLine]:
    """The lines of an operation's log; ``None``, if there is something else under its key. Raises ``Unreadable``."""
    try:
        return [_logged(entry) for entry in _given(entries)]
    except SENSELESS as error:
        raise _unreadable(id, error, {}, entries) from None


def named(id: bytes) -> str:
    """An id, or another name; of bytes that are no text, one that nothing in Redis has."""
    return id.decode(errors="replace")


def number(value: bytes | None) -> int:
    """A count; 0 for what is none, as if there were nothing."""
    try:
        return int(value or 0)
    except ValueError:
        return 0


def status_in(id: str, value: bytes) -> Status:
    """Where an operation stands, as it is noted beside its parts; raises ``Unreadable``."""
    try:
        return _status(value)
    except SENSELESS as error:
        raise _unreadable(id, error, {b"status": value}) from None


def _given(found: Found | None) -> Found:
    if found is None:
        raise ValueError(OTHER)
    return found


def _unreadable(
    id: str,
    error: Exception,
    fields: Fields | None,
    lines: Sequence[bytes] | None = (),
    kept: Mapping[bytes, bytes] | None = MappingProxyType({}),
) -> Unreadable:
    """What is wrong with an operation, where; for that all is looked at once more, until something makes no sense."""
    field, why = next(_faults(fields, lines, kept), ("run", error))
    return Unreadable(
        f"the record of operation {id!r} cannot be read: its `{line(field)}` makes no sense "
        f"({line(str(why), TEXT)}); `tracker doctor` says what to do",
        id,
        field,
    )


def _faults(
    fields: Fields | None, lines: Sequence[bytes] | None, kept: Mapping[bytes, bytes] | None
) -> Iterator[tuple[str, Exception]]:
    for name, value in (fields or {}).items():
        kind, colon, _ = name.partition(b":")
        yield from _fault(name.decode(errors="replace"), DECODERS.get(kind + colon), value)
    for key in kept or ():
        yield from _fault("results", bytes.decode, key)
    for entry in lines or ():
        yield from _fault("log", _logged, entry)
    for whole, found in (("record", fields), ("log", lines), ("results", kept)):
        if found is None:
            yield whole, ValueError(OTHER)


def _fault(name: str, decode: Callable[[bytes], object] | None, value: bytes | None) -> Iterator[tuple[str, Exception]]:
    try:
        if decode is not None and value:
            decode(value)
    except SENSELESS as error:
        yield name, error


def _record(id: str, fields: Fields, lines: Sequence[bytes], kept: Mapping[bytes, bytes]) -> Record | None:
    parts = parts_of(id, fields)
    if parts is None:
        return None
    _check(fields)
    results = {key.decode(): value for key, value in kept.items()}
    # Most have no other run, and it takes some time to look for what is not there.
    earlier = _earlier(fields) if parts.attempt > 1 or parts.run is None else []
    return Record(parts, earlier, [_logged(entry) for entry in lines], results)


def _check(fields: Fields) -> None:
    """What is not shown decides nevertheless which steps are, what lists show, and whether an operation may leave."""
    run, status, current = fields.get(b"run"), fields.get(b"status"), fields.get(b"current")
    if run and b"attempt:" + run not in fields:
        raise ValueError("there is no such run")
    if status and status not in STATUSES:
        _status(status)
    if current:
        _step(current)
    int(fields.get(b"children_version") or 0)


def _earlier(fields: Fields) -> list[Attempt]:
    """The runs before the newest one; of one whose head was never told there is nothing to tell."""
    heads = [(name[5:], head) for name, head in fields.items() if name.startswith(b"head:") and head]
    return sorted((_attempt(fields, run, head) for run, head in heads), key=_by_number)


def _attempt(fields: Fields, run: bytes, head: bytes) -> Attempt:
    number, verdict = fields.get(b"attempt:" + run), fields.get(b"verdict:" + run)
    steps = list(_steps_of(fields, run).values())
    return Attempt(int(number or 0), _run(head), steps, _verdict(verdict) if verdict else None)


def _logged(entry: bytes) -> LogLine:
    attempt, _, line = entry.partition(b" ")
    return msgspec.structs.replace(_line(line), attempt=int(attempt))


def _steps(fields: Fields, run: bytes) -> dict[int, StepState]:
    """All steps of a run, or where a list was read the one it shows."""
    held, current = _steps_of(fields, run), fields.get(b"current")
    if not held and current:
        step = _step(current)
        held[step.index] = step
    return held


def _steps_of(fields: Fields, run: bytes) -> dict[int, StepState]:
    prefix = b"step:%b:" % run
    steps = [_step(value) for name, value in fields.items() if name.startswith(prefix) and value]
    steps.sort(key=_by_index)
    return {step.index: step for step in steps}
