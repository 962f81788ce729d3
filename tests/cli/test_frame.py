"""The rows of the board as pure functions: what is in sight, what is counted, and that nothing leaves its place."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from tests.cli.test_pictures import NOW, operation, operations, texts
from tracker.cli.board import frame
from tracker.cli.board.branch import Branch
from tracker.cli.board.frame import Look
from tracker.cli.board.panes import Filter
from tracker.cli.board.tree import OperationRow, RestRow, StepRow, Tree, TreeRow
from tracker.cli.subjects import One
from tracker.model import LogLine, Operation, Status, StepState, StepStatus, Worker
from tracker.render.symbols import ASCII, UNICODE

steps = st.builds(
    StepState, index=st.integers(1, 99), name=texts, status=st.sampled_from(StepStatus),
    started=st.none() | st.just(NOW), current=st.none() | st.just(3.0),
    total=st.none() | st.just(9.0), unit=texts, detail=texts, error=texts,
)  # fmt: skip
rows = st.lists(
    st.builds(OperationRow, operations, st.integers(0, 6), st.booleans())
    | st.builds(StepRow, steps, operations, st.integers(1, 6))
    | st.builds(RestRow, st.integers(1, 99), st.integers(0, 6)),
    max_size=12,
)


def look(width: int = 100) -> Look:
    return Look(NOW, width, UNICODE if width % 2 else ASCII, "Redis")


def several(number: int, status: Status, prefix: str) -> list[OperationRow]:
    return [OperationRow(Operation(f"{prefix}{n}", "job", "T", status, NOW), 0, False) for n in range(number)]


@given(rows, st.integers(1, 150), st.integers(0, 15), st.integers(0, 20))
def test_rows_never_leave_their_box(found: Sequence[TreeRow], width: int, room: int, top: int) -> None:
    """Whatever the texts hold, and however small the terminal is."""
    top = frame.window(found, top, "id", room)
    lines = frame.tree_lines(found, top, "id", room, look(width))
    assert len(lines) <= room
    assert all(line.cell_len <= width for line in lines)
    assert not {"\x1b", "\n", "\r", "\x9b"} & set("".join(line.plain for line in lines))


@given(st.integers(0, 30), st.integers(0, 30), st.integers(2, 20))
def test_failures_do_not_hide_what_runs_and_none_is_uncounted(failed: int, running: int, room: int) -> None:
    """Half of the room at most is theirs while others want it; all that is left out is counted."""
    found: list[TreeRow] = [*several(failed, Status.ERROR, "f"), *several(running, Status.RUNNING, "r")]
    seen = frame.glance(found, room)
    counted = sum(one.number for one in seen if isinstance(one, RestRow))
    assert sum(isinstance(one, OperationRow) for one in seen) + counted == failed + running
    runs = sum(isinstance(one, OperationRow) and one.operation.status is Status.RUNNING for one in seen[:room])
    assert runs >= min(running, room // 2)


@given(st.integers(1, 60), st.integers(0, 59), st.integers(0, 59), st.integers(1, 20))
def test_the_chosen_row_is_in_sight(number: int, chosen: int, top: int, room: int) -> None:
    """However the list was moved before, and whatever has come or gone since."""
    found: list[TreeRow] = [*several(number, Status.RUNNING, "r")]
    chosen = min(chosen, number - 1)
    top = frame.window(found, top, f"r{chosen}", room)
    assert 0 <= top <= chosen < top + room


def test_a_wide_row_tells_the_machine() -> None:
    """At the end, where it is not in the way."""
    one = OperationRow(operation(worker=Worker("node-3", 7)), 0, False)
    assert frame.tree_line(one, "", 10, look(121)).plain.rstrip().endswith("node-3")
    assert "node-3" not in frame.tree_line(one, "", 10, look(101)).plain


def test_a_step_row_tells_place_progress_and_rate() -> None:
    """As the operation's own picture does, on one line."""
    step = StepState(2, "Fetch", StepStatus.RUNNING, NOW - 10, current=20, total=100, unit="rows")
    told = frame.tree_line(StepRow(step, operation(), 0), "", 0, look(101)).plain.strip()
    assert told == "◐ [2] Fetch  running  10.0s  20/100 rows  2 rows/s, about 40.0s left"
    told = frame.tree_line(StepRow(step, operation(status=Status.LOST), 0), "", 0, look(101)).plain.strip()
    assert told == "‽ [2] Fetch  unfinished  20/100 rows"


def test_log_lines_that_are_missing_are_counted_between_the_others() -> None:
    """Also where that leaves less room for them; another attempt begins anew."""
    lines = [LogLine(number, NOW, f"line {number}", attempt=attempt) for number, attempt in ((1, 1), (4, 1), (2, 2))]
    told = [line.plain for line in frame.log_lines(lines, 3, look(60))]
    assert told[0] == "2 lines are not kept"
    assert [line[-6:] for line in told[1:]] == ["line 4", "line 2"]


def test_warnings_stand_out_among_log_lines() -> None:
    """And only the last lines are shown."""
    lines = [LogLine(number, NOW, f"line {number}", level="warning" if number == 9 else "") for number in range(1, 11)]
    shown = frame.log_lines(lines, 3, look(101))
    assert [line.plain.split("│ ")[1] for line in shown] == ["line 8", "warning: line 9", "line 10"]


def test_a_filter_looks_at_all_that_people_know_of_an_operation() -> None:
    """Its id, name, title, status and machine, in any case."""
    one = operation(worker=Worker("Node-3", 7))
    for text in ("ID", "jo", "a TITLE", "runn", "node-3"):
        assert Filter(text).fits(one)
    assert not Filter("node-4").fits(one)
    assert Filter().next().words == "failed"
    assert not Filter().next().fits(one)


def test_the_choice_stays_on_its_operation_and_near_its_place_when_that_has_gone() -> None:
    """Rows that come and go above it do not move it to another operation."""
    tree = Tree(_nothing_grows)
    one, two, three = [row.operation for row in several(3, Status.RUNNING, "r")]
    tree.rows([one, two, three])
    tree.move(["r0", "r1", "r2"], 1)
    tree.move(["r0", "r1", "r2"], 1)
    tree.rows([three, one, two])
    assert tree.chosen == "r1"
    tree.rows([three, one])
    assert tree.chosen == "r0"
    tree.rows([])
    assert tree.chosen == ""


def _nothing_grows(id: str) -> Branch[One]:
    raise AssertionError(id)
