"""What two records of one operation add up to; pure functions of values.

A run that has ended stays as it is. What else is told of twice is taken from the record that knows the newer state.
"""

from __future__ import annotations

import msgspec

from tracker.model import ENDED, LogLine, Parts, Verdict
from tracker.record import Attempt, Record


def runs_of(record: Record) -> list[Attempt]:
    """All runs of a record, oldest first."""
    parts = record.parts
    if parts.run is None:
        return record.earlier
    steps = [parts.steps[index] for index in sorted(parts.steps)]
    return [*record.earlier, Attempt(max(parts.attempt, 1), parts.run, steps, _judged(parts))]


def _judged(parts: Parts) -> Verdict | None:
    """What was judged of the newest run, or of the batch that it dispatched."""
    run, verdict, queue = parts.run, parts.verdict, parts.queue
    if run is None or verdict is None:
        return None
    of_batch = not verdict.run and queue is not None and queue.batch
    return verdict if of_batch or verdict.run == run.run else None


def tidied(record: Record) -> Record:
    """``record`` with its runs in order and numbered from 1 without a number twice, as the archive holds them."""
    if not record.earlier and (record.parts.attempt > 0 or record.parts.run is None) and not record.logs:
        return record
    return merged(Record(Parts(record.parts.id, rev=record.parts.rev)), record)


def merged(stored: Record, new: Record) -> Record:
    """All that is known from both; equal to ``stored`` if ``new`` says nothing more.

    Runs that claim the same number are numbered anew in the order they started: that happens when a later attempt
    was counted by a Redis that had forgotten the earlier ones.
    """
    held = {attempt.run.run: attempt for attempt in runs_of(stored)}
    told = {attempt.run.run: attempt for attempt in runs_of(new)}
    newer = new.parts.rev >= stored.parts.rev
    chosen = {run: _fuller(held.get(run), told.get(run), newer) for run in held | told}
    attempts = _numbered(list(chosen.values()))
    numbers = {attempt.run.run: attempt.number for attempt in attempts}
    leader, other = (new, stored) if _leads(new, stored, attempts) else (stored, new)
    waits = _waits(leader.parts)
    return Record(
        parts=_parts(leader, other, attempts, waits),
        earlier=attempts if waits else attempts[:-1],
        logs=_lines(_renumbered(stored, held, numbers), _renumbered(new, told, numbers)),
        results=_results(leader, other),
    )


def _fuller(held: Attempt | None, told: Attempt | None, newer: bool) -> Attempt:
    if held is None or told is None:
        found = held or told
        assert found is not None
        return found
    if held.run.status in ENDED:
        # Children may go on after their batch has ended, and settle it anew.
        of_batch = told.verdict is not None and not told.verdict.run
        return msgspec.structs.replace(held, verdict=told.verdict) if newer and of_batch else held
    if not newer and told.run.status not in ENDED:
        return held
    # A number once given stays: people have seen it.
    return msgspec.structs.replace(told, number=held.number)


def _numbered(attempts: list[Attempt]) -> list[Attempt]:
    """The runs by number; numbers are unique afterwards, and unchanged if they were."""
    if len({attempt.number for attempt in attempts}) == len(attempts):
        return sorted(attempts, key=lambda attempt: attempt.number)
    last, found = 0, []
    for attempt in sorted(attempts, key=lambda attempt: (attempt.run.started, attempt.run.run)):
        last = max(attempt.number, last + 1)
        found.append(msgspec.structs.replace(attempt, number=last))
    return found


def _waits(parts: Parts) -> bool:
    """Whether an operation was to run again, and none of its runs has begun since."""
    return parts.run is None and parts.queue is not None and parts.queue.again is not None


def _leads(new: Record, stored: Record, attempts: list[Attempt]) -> bool:
    """Whether ``new`` knows the newer state: it has the newest run, and of two that have it, it is not older.

    A record of which no run has begun since somebody asked for one is newer than all it knows of.
    """
    for one, another in ((new, stored), (stored, new)):
        if _waits(one.parts) and one.parts.rev >= another.parts.rev:
            return one is new
    newest = attempts[-1].run.run if attempts else ""
    at_newest = [record for record in (stored, new) if record.parts.run and record.parts.run.run == newest]
    if len(at_newest) == 1:
        return at_newest[0] is new
    return new.parts.rev >= stored.parts.rev


def _parts(leader: Record, other: Record, attempts: list[Attempt], waits: bool) -> Parts:
    first, second = leader.parts, other.parts
    newest = attempts[-1] if attempts and not waits else None
    same_run = not waits and (first.run and first.run.run) == (second.run and second.run.run)
    return Parts(
        id=first.id,
        rev=max(first.rev, second.rev),
        attempt=attempts[-1].number if attempts else first.attempt,
        queue=first.queue or second.queue,
        run=newest.run if newest else None,
        # What was judged of an earlier run says nothing of this one.
        verdict=first.verdict or (second.verdict if same_run else None),
        cancel=first.cancel or (second.cancel if same_run else None),
        steps={step.index: step for step in newest.steps} if newest else {},
        children=second.children if second.children.total and not first.children.total else first.children,
        duplicate=first.duplicate,
    )


def _results(leader: Record, other: Record) -> dict[str, bytes]:
    """A new run has removed what it does not reuse; of one run, or before it, what any record has is kept."""
    if _waits(leader.parts):
        return other.results | leader.results
    mine, others = leader.parts.run, other.parts.run
    same_run = (mine and mine.run) == (others and others.run)
    return other.results | leader.results if same_run else leader.results


def _renumbered(record: Record, runs: dict[str, Attempt], numbers: dict[str, int]) -> list[LogLine]:
    """The lines of a record under the final numbers of its runs."""
    moved = {attempt.number: numbers[run] for run, attempt in runs.items() if attempt.number != numbers[run]}
    if not moved:
        return record.logs
    return [msgspec.structs.replace(line, attempt=moved.get(line.attempt, line.attempt)) for line in record.logs]


def _lines(held: list[LogLine], told: list[LogLine]) -> list[LogLine]:
    """Lines of both, each once, by attempt and number."""
    lines = {(line.attempt, line.number): line for line in [*told, *held]}
    return [lines[place] for place in sorted(lines)]
