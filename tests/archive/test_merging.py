"""Two records of one operation: what is known never shrinks, whichever comes first."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.archive.making import records
from tracker.archive.merging import merged, runs_of, tidied
from tracker.model import ENDED
from tracker.record import Record

told = records("a").map(tidied)


@settings(max_examples=100)
@given(told, told)
def test_what_is_known_never_shrinks(stored: Record, new: Record) -> None:
    """Outcomes stay, ``rev`` grows, runs have numbers of their own in growing order."""
    known = merged(stored, new)
    runs = {attempt.run.run: attempt for attempt in runs_of(known)}
    assert set(runs) == {attempt.run.run for record in (stored, new) for attempt in runs_of(record)}
    for attempt in runs_of(stored):
        if attempt.run.status in ENDED:
            assert (runs[attempt.run.run].run, runs[attempt.run.run].steps) == (attempt.run, attempt.steps)
    numbers = [attempt.number for attempt in runs_of(known)]
    assert numbers == sorted(set(numbers))
    assert known.parts.rev == max(stored.parts.rev, new.parts.rev)
    assert known.parts.attempt == (numbers[-1] if numbers else stored.parts.attempt)


@settings(max_examples=100)
@given(told, told)
def test_hearing_it_again_changes_nothing(stored: Record, new: Record) -> None:
    """A second write of either, after both are known, finds nothing to do."""
    known = merged(stored, new)
    assert merged(known, new) == known
    assert merged(stored, stored) == stored


@given(st.lists(told, min_size=2, max_size=2), st.randoms())
def test_every_line_is_kept_once(both: list[Record], chance: object) -> None:
    """By run and number."""
    known = merged(*both)
    places = [(line.attempt, line.number) for line in known.logs]
    assert len(places) == len(set(places))
    assert len(places) >= max(len(record.logs) for record in both)
