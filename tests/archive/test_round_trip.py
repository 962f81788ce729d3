"""What is read back is what was written, whatever it is."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.archive.making import more_ids, records, shown, times
from tracker.archive import Archive
from tracker.archive.merging import runs_of
from tracker.archive.packing import end_of, pack_id, pack_time, unpack_id, unpack_time
from tracker.record import Record


def read_back(archive: Archive, id: str) -> tuple[object, ...]:
    """Everything there is of an operation."""
    return archive.operation(id), archive.attempts(id), archive.logs(id), archive.results(id)


def test_any_record_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    """Odd numbers, odd texts, missing parts: parts, runs, lines and results are equal to what went in."""
    url = f"sqlite:///{tmp_path / 'archive.sqlite3'}"

    @settings(max_examples=80)
    @given(st.lists(records(), max_size=4, unique_by=lambda record: record.parts.id))
    def check(told: list[Record]) -> None:
        with closing(Archive(url)) as archive:
            archive.write(told)
        # A second reader has learned nothing while writing.
        with closing(Archive(url)) as archive:
            found = [read_back(archive, record.parts.id) for record in told]
            assert archive.heads([record.parts.id for record in told]) == {
                record.parts.id: shown(record.parts) for record in told
            }
            for record in told:
                archive.erase(record.parts.id)
        assert found == [(record.parts, runs_of(record), record.logs, record.results) for record in told]

    check()


@given(more_ids)
def test_ids_are_packed_without_loss(id: str) -> None:
    """UUIDs take 16 bytes, and nothing is taken for one that is none."""
    assert unpack_id(pack_id(id)) == id
    assert len(pack_id(id)) <= len(id)


@given(times | st.floats(allow_nan=False), times | st.floats(0, 1e10))
def test_times_are_packed_without_loss(time: float, base: float) -> None:
    """Whether or not they are a whole number of units away from the base."""
    assert unpack_time(pack_time(time, base), base) == time


@given(times, st.none() | st.floats(0, 1e300))
def test_what_happens_next_has_a_base_of_whole_units(started: float, duration: float | None) -> None:
    """Otherwise no time near it would be a whole number of units away, and rows would be twice as long."""
    base = end_of(started, duration, 0.0)
    assert base == started or (base * 2**22).is_integer()
