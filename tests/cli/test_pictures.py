"""Rows, lines and words as pure functions: widths, order, numbers."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len

from tracker.model import CancelRequest, Children, CurrentStep, Error, Operation, Status, StepState, StepStatus
from tracker.render.overview import counted, fitted, no_answer, row, rows
from tracker.render.pace import pace, pace_lines
from tracker.render.symbols import ASCII
from tracker.render.transitions import attempt_line, counts_line, error_lines, operation_line, step_line
from tracker.render.words import ago, clean, clock_time, progress_words

NOW = 1_800_000_000.0


def operation(status: Status = Status.RUNNING, **fields: object) -> Operation:
    return Operation("id", "job", "A title", status, NOW, started=NOW, **fields)  # type: ignore[arg-type]


texts = st.text(max_size=60)
operations = st.builds(
    Operation,
    id=st.just("id"), name=texts, title=texts, status=st.sampled_from(Status), created=st.just(NOW),
    flags=st.lists(texts, max_size=2),
    started=st.none() | st.just(NOW), duration=st.none() | st.floats(0, 1e6),
    step=st.none() | st.builds(CurrentStep, st.integers(1, 9), texts, st.none() | st.just(9), st.none() | st.just(3.0)),
    error=st.none() | st.builds(Error, type=texts, message=texts),
    children=st.just(Children()) | st.just(Children(total=9, complete=5, error=2, running=2)),
)  # fmt: skip


@given(st.lists(operations, max_size=8), st.integers(1, 200), st.integers(1, 12))
def test_a_table_never_leaves_its_box(items: list[Operation], width: int, height: int) -> None:
    """Whatever the texts hold: wide, combining, control or right-to-left characters."""
    head = fitted(counted(Counter(item.status for item in items)), width)
    lines = [head, no_answer("Redis", NOW, width), *rows(items, now=NOW, width=width, height=height)]
    assert len(lines) <= 2 + height
    assert all(cell_len(line.plain) <= width for line in lines)
    assert not {"\x1b", "\n", "\r", "\x07"} & set("".join(line.plain for line in lines))


def test_what_does_not_fit_is_counted() -> None:
    """The last line says how many are not shown."""
    lines = rows([operation()] * 30, now=NOW, width=80, height=10)
    assert len(lines) == 10
    assert lines[-1].plain == "  and 21 more"


def test_a_row_tells_status_title_place_and_time() -> None:
    """A word stands beside the symbol; a batch shows its counts, a failure its error."""
    at_step = operation(step=CurrentStep(2, "Check", 4, 45.0, 100.0, "rows"))
    batch = operation(children=Children(total=50, complete=40, error=2, running=8))
    failed = operation(Status.ERROR, duration=3.2, error=Error("ValueError", "no"), step=CurrentStep(1, "Read", 2))
    assert row(at_step, now=NOW + 5, width=100).plain.split() == [
        "◐",
        "running",
        "A",
        "title",
        "2/4",
        "Check",
        "45",
        "%",
        "5.0s",
    ]
    assert "42 of 50, 2 failed" in row(batch, now=NOW, width=100).plain
    assert "Read: ValueError: no" in row(failed, now=NOW, width=100).plain
    assert row(failed, now=NOW, width=100, symbols=ASCII).plain.startswith("x error")
    assert row(failed, now=NOW, width=20).plain == "✗ A title"


def test_flags_stand_before_the_place() -> None:
    """In words, and they are the last of a row's remarks to be cut."""
    flagged = operation(step=CurrentStep(2, "Check", 4), flags=["unresponsive", "duplicate"])
    assert "unresponsive, duplicate  2/4 Check" in row(flagged, now=NOW + 5, width=120).plain
    assert "unresponsive" in row(flagged, now=NOW + 5, width=60).plain
    assert operation_line(flagged) == "A title: running, unresponsive, duplicate"


def test_a_running_operation_that_is_to_end_says_so() -> None:
    """With who wants that; once it has ended, its status says enough."""
    asked = operation(cancel=CancelRequest("ada", NOW))
    assert "cancel requested by ada" in row(asked, now=NOW + 5, width=120).plain
    assert operation_line(asked) == "A title: running, cancel requested by ada"
    assert operation_line(replace(asked, status=Status.CANCELLED)) == "A title: cancelled"
    assert operation_line(replace(asked, cancel=CancelRequest("", NOW))).endswith("requested by somebody")


def test_what_waits_for_its_time_says_when_that_is_and_why() -> None:
    """With the date, if that is another one than today's."""
    why = Error("ConnectionError", "timed out", ["A title", "Capture"])
    waits = operation(Status.QUEUED, next_at=NOW, error=why, attempt=1)
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(NOW))
    failed = 'at "Capture": ConnectionError: timed out'
    assert operation_line(waits).startswith(f"A title: queued, due {when} (failed {failed})")
    assert attempt_line(replace(waits, duration=2.0)) == f"attempt 1: asked to be run again after 2.0s {failed}"
    assert f"due {when}  ConnectionError: timed out" in row(waits, now=NOW + 5, width=160).plain
    assert operation_line(operation(Status.QUEUED, next_at=1e300)) == "A title: queued, due at no time there is"
    soon = operation(Status.QUEUED, next_at=time.time())
    assert operation_line(soon) == f"A title: queued, due {clock_time(soon.next_at or 0)}"


def test_silence_is_said() -> None:
    """A view that may be old says since when."""
    assert no_answer("Redis", NOW, 80).plain.startswith("no answer from Redis since")


@pytest.mark.parametrize(
    ("done", "total", "passed", "said"),
    [
        (50, 200, 10, "5 rows/s, about 30.0s left"),
        (5, 20, 100, "3 rows/min, about 5m 00s left"),
        (50, None, 10, "5 rows/s"),
        (200, 200, 10, "20 rows/s"),
        (0, 200, 10, ""),
        (50, 200, 1, ""),
    ],
)
def test_rate_and_time_left(done: float, total: float | None, passed: float, said: str) -> None:
    """From the average since the start, once there is enough to tell from."""
    assert pace(done, total, NOW, NOW + passed, "rows") == said


def test_pace_is_told_of_what_runs_only() -> None:
    """Steps with progress, or the children of a batch."""
    step = StepState(1, "Read", StepStatus.RUNNING, NOW, current=10, total=20, unit="rows")
    batch = operation(children=Children(total=20, complete=8, error=2, queued=10))
    assert pace_lines(operation(steps=[step]), NOW + 5) == ["Read: 2 rows/s, about 5.0s left"]
    assert pace_lines(batch, NOW + 5) == ["2 operations/s, about 5.0s left"]
    assert pace_lines(operation(Status.COMPLETE, steps=[step]), NOW + 5) == []


def test_lines_of_a_batch() -> None:
    """Only statuses that occur are counted, and no more than ten failures are named."""
    batch = operation(Status.ERROR, children=Children(total=30, complete=10, error=20))
    child = operation(Status.ERROR, error=Error("ValueError", "no"))
    assert counts_line(batch) == "A title: 30 of 30 ended (10 complete, 20 error)"
    lines = error_lines(batch, [child] * 20)
    assert lines[0] == "  A title: error: ValueError: no"
    assert (len(lines), lines[-1]) == (11, "  and 10 more")


def test_a_second_attempt_is_told() -> None:
    """So that a running operation which ran before is not mistaken for a new one."""
    assert operation_line(operation(attempt=2)) == "A title: running (attempt 2)"


def test_a_step_s_line_has_its_detail_or_error() -> None:
    """With its place and how long it took."""
    assert step_line(StepState(2, "Read", StepStatus.COMPLETE, duration=1.5, detail="ok"), 3) == (
        "[2/3] Read: complete in 1.5s: ok"
    )
    assert step_line(StepState(2, "Read", StepStatus.ERROR, error="no"), None, "T") == "T  [2] Read: error: no"


@given(st.text())
def test_clean_text_moves_nothing(text: str) -> None:
    """One line, no control or direction characters, and text without any stays as it is."""
    cleaned = clean(text)
    assert not {"\x1b", "\n", "\r", "\x07", "\x9b", "\u202e"} & set(cleaned)
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize(("passed", "said"), [(-3, "now"), (4, "4 s ago"), (90, "1 min ago"), (7300, "2 h ago")])
def test_ages(passed: float, said: str) -> None:
    """Clocks that differ a little never give a future."""
    assert ago(NOW - passed, NOW) == said


def test_percent_is_full_only_when_done() -> None:
    """It rounds down."""
    assert progress_words(999, 1000, "") == "99 %"
    assert progress_words(1500, None, "rows") == "1,500 rows"
