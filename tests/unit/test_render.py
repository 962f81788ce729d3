"""The picture of an operation: what a person reads, in every status, width and encoding."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from rich.console import Console

from tracker.model import CancelRequest, Children, CurrentStep, Error, Operation, Status, StepState, StepStatus
from tracker.render import texts
from tracker.render.operation import most_telling, render_operation
from tracker.render.rows import bar
from tracker.render.symbols import ASCII, EMOJI, UNICODE, fitting

NOW = 1763790000.0


def an_operation(status: Status = Status.RUNNING, steps: list[StepState] | None = None, **more: object) -> Operation:
    steps = steps or []
    begun = [step for step in steps if step.status is not StepStatus.PENDING]
    current = CurrentStep(begun[-1].index, begun[-1].name, more.pop("total", None)) if begun else None  # type: ignore[arg-type]
    return Operation(
        id="1", name="n", title=str(more.pop("title", "Migrate config")), status=status, created=NOW, steps=steps,
        step=current, **more,  # type: ignore[arg-type]
    )  # fmt: skip


def drawn(operation: Operation, width: int = 100, **options: object) -> str:
    """What a terminal of this width would show, without escape codes."""
    console = Console(file=StringIO(), width=width, height=50, force_terminal=False, legacy_windows=False)
    console.print(render_operation(operation, NOW, **options))  # type: ignore[arg-type]
    file = console.file
    assert isinstance(file, StringIO)
    return file.getvalue()


def a_failed_migration() -> Operation:
    return an_operation(
        Status.ERROR,
        [
            StepState(1, "Backing up configuration", StepStatus.COMPLETE, NOW - 3, 1.0),
            StepState(2, "Validating old config", StepStatus.COMPLETE, NOW - 2, 1.0, 12, 12, "keys"),
            StepState(3, "Transforming schema", StepStatus.ERROR, NOW - 1, 0.1, error="ValueError: Invalid field"),
            StepState(4, "Validating new config"),
            StepState(5, "Writing"),
        ],
        total=5,
        duration=2.1,
        error=Error("ValueError", "Invalid field 'model_id'", ["Migrate config", "Transforming schema"], "Traceback"),
    )


def test_a_failure_says_where_how_far_how_long_and_why() -> None:
    """The sentences that people look for after a failure."""
    text = " ".join(drawn(a_failed_migration(), symbols=EMOJI).split())
    for sentence in (
        "❌ Operation Failed",
        "Failed at step 3/5: Transforming schema",
        "Completed 2/5 steps",
        "Duration: 2.1s",
        "Error: Invalid field 'model_id' (ValueError)",
        "[2/5] Validating old config ✅ complete 1.0s 12/12 keys",
        "[4/5] Validating new config ⏸ not run",
    ):
        assert sentence in text


def test_a_success_says_so() -> None:
    """All steps, and the time they took."""
    steps = [StepState(index, f"Step {index}", StepStatus.COMPLETE, NOW, 1.0) for index in (1, 2, 3, 4)]
    text = drawn(an_operation(Status.COMPLETE, steps, total=4, duration=8.3), symbols=EMOJI)
    assert "✅ Operation Complete" in text
    assert "All 4 steps completed" in text
    assert "Duration: 8.3s" in text


def test_what_a_lost_operation_was_at_is_unfinished_and_takes_no_more_time() -> None:
    """Its process has said nothing since; how long the step took, nobody knows."""
    steps = [StepState(1, "Load", StepStatus.RUNNING, NOW - 9000, None, 3, 9), StepState(2, "Write")]
    text = drawn(an_operation(Status.LOST, steps, total=2, duration=5.0))
    assert "[1/2] Load ‽ unfinished 3/9" in " ".join(text.split())
    assert "running" not in text
    assert "2h" not in text


def test_an_unknown_total_is_not_invented() -> None:
    """A running operation without a plan shows plain numbers."""
    text = drawn(an_operation(steps=[StepState(3, "Scan", StepStatus.RUNNING, NOW - 65)]))
    assert "[3] Scan" in text
    assert "[3/3]" not in text
    assert "◐ running 1m 05s" in text


def test_failures_outside_of_steps_are_placed_in_words() -> None:
    """Before the first step, or after one."""
    before = an_operation(Status.ERROR, error=Error("OSError", "gone", ["Migrate", "before the first step"]))
    assert "Failed before the first step" in texts.summary(before)
    steps = [StepState(1, "Parse", StepStatus.COMPLETE, NOW, 1.0)]
    after = an_operation(Status.ERROR, steps, error=Error("OSError", "gone", ["Migrate", "after step 1: Parse"]))
    assert "Failed after step 1: Parse" in texts.summary(after)
    assert "Completed 1 steps: Parse" in texts.summary(after)


def test_a_complete_operation_with_failed_and_skipped_steps_counts_them() -> None:
    """Green does not hide what was left out."""
    steps = [
        StepState(1, "A", StepStatus.COMPLETE, NOW, 1.0),
        StepState(2, "B", StepStatus.ERROR, NOW, 1.0),
        StepState(3, "C", StepStatus.SKIPPED, NOW, 1.0),
    ]
    assert "Completed 1/3 steps, 1 failed, 1 skipped" in texts.summary(an_operation(Status.COMPLETE, steps, total=3))


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("symbols", [EMOJI, UNICODE, ASCII])
def test_every_status_has_a_picture_with_a_word(status: Status, symbols: object) -> None:
    """No status is told by a symbol or a colour alone."""
    text = drawn(an_operation(status), symbols=symbols)
    assert status in text.lower() or "Failed" in text


def test_what_is_said_of_a_running_operation_stands_beside_its_status() -> None:
    """Also where its steps would be enough to show that it runs."""
    steps = [StepState(1, "Read", StepStatus.RUNNING, NOW)]
    flagged = an_operation(steps=steps, flags=["unresponsive", "duplicate"])
    assert "◐ running, unresponsive, duplicate" in drawn(flagged)
    assert "> running, unresponsive" in drawn(flagged, symbols=ASCII)
    assert "unresponsive" not in drawn(an_operation(steps=steps))
    asked = an_operation(steps=steps, cancel=CancelRequest("ada", NOW))
    assert "◐ running, cancel requested by ada" in drawn(asked)


def test_hostile_text_is_shown_as_it_stands() -> None:
    """Brackets and tags are characters, in every place where data appears."""
    name = "[/bold] [red]x <script>alert(1)</script>"
    steps = [StepState(1, name, StepStatus.ERROR, NOW, 1.0, detail=name, error=name)]
    text = drawn(an_operation(Status.ERROR, steps, title=name, error=Error(name, name, [name, name])), width=300)
    assert text.count(name) >= 5


def test_three_hundred_steps_fit_into_a_terminal_and_keep_what_matters() -> None:
    """Running and failed steps stay, the others are counted in one line."""
    steps = [StepState(index, f"File {index}", StepStatus.COMPLETE, NOW, 0.1) for index in range(1, 301)]
    steps[6] = StepState(7, "Broken file", StepStatus.ERROR, NOW, 0.1)
    steps[199] = StepState(200, "Busy file", StepStatus.RUNNING, NOW - 2)
    steps[200:] = [StepState(index, f"File {index}") for index in range(201, 301)]
    text = drawn(an_operation(steps=steps, total=300), height=24)
    assert len(text.splitlines()) <= 24
    assert "Broken file" in text
    assert "Busy file" in text
    assert "more:" in text
    kept = most_telling(steps, 10)
    assert [step.index for step in kept] == sorted(step.index for step in kept)


@pytest.mark.parametrize("width", [20, 40, 200])
def test_no_width_breaks_the_picture(width: int) -> None:
    """Long names are cut, lines stay within the terminal."""
    steps = [StepState(1, "A very long name " * 10, StepStatus.RUNNING, NOW - 1, None, 5, 10, "rows")]
    text = drawn(an_operation(steps=steps, title="T" * 200), width=width)
    assert all(len(line) <= width for line in text.splitlines())
    assert "…" in text


def test_children_are_counted_with_a_bar() -> None:
    """A batch shows how many of its children are where."""
    children = Children(total=50, complete=46, error=2, running=2)
    assert "46/50 complete, 2 running, 2 error" in drawn(an_operation(children=children))


def test_a_bar_is_full_only_when_everything_is_done() -> None:
    """99.9 % is not done; more than everything, or nothing to do, breaks nothing."""
    assert UNICODE.empty in bar(999, 1000, UNICODE)
    assert UNICODE.empty not in bar(1000, 1000, UNICODE)
    assert bar(5, 0, UNICODE) == UNICODE.empty * 16
    assert bar(7, 5, UNICODE) == UNICODE.full * 16


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (-1, "0.0s"), (0.04, "0.0s"), (59.9, "59.9s"), (59.99, "1m 00s"), (125, "2m 05s"), (11220, "3h 07m")],
)
def test_durations_are_written_for_people(value: float | None, text: str) -> None:
    """Seconds, then minutes, then hours."""
    assert texts.seconds(value) == text


def test_poor_encodings_get_ascii() -> None:
    """The set is replaced whole, not symbol by symbol."""
    assert fitting("cp1252", EMOJI) is ASCII
    assert fitting("no-such-encoding", EMOJI) is ASCII
    assert fitting("utf-8", EMOJI) is EMOJI
    "".join(ASCII.marks.values()).encode("ascii")


def test_the_single_cell_set_has_single_code_points_of_width_one() -> None:
    """Terminals agree on the width of these."""
    from rich.cells import cell_len

    assert all(len(mark) == cell_len(mark) == 1 for mark in UNICODE.marks.values())
    assert all(len(mark) == 1 for mark in EMOJI.marks.values())


def an_import_of_orders() -> Operation:
    order = StepState(
        1, "Read orders", StepStatus.RUNNING, NOW - 2.3, None, 500_000, 1_234_567, "rows", "orders.csv, 12 MB",
        warn_after=1.0,
    )  # fmt: skip
    steps = [order, StepState(2, "Check every field of them", StepStatus.COMPLETE, NOW - 3, 0.5), StepState(3, "Write")]
    return an_operation(steps=steps, total=3)


@pytest.mark.parametrize(
    ("width", "row"),
    [
        (
            150,
            "2.3s, over 1.0s 500,000/1,234,567 rows ━━━━━━────────── 217,391 rows/s, about 3.4s left orders.csv, 12 MB",
        ),
        (120, "2.3s, over 1.0s 500,000/1,234,567 rows ━━━━━━────────── orders.csv, 12 MB"),
        (100, "2.3s, over 1.0s 500,000/1,234,567 rows orders.csv, 12 MB"),
        (80, "2.3s 500,000/1,234,567 rows orders.c…"),
        (60, "2.3s orders.csv,…"),
    ],
)
def test_numbers_stay_when_bar_and_pace_have_to_go(width: int, row: str) -> None:
    """What is done is read from numbers; no name is cut for a bar."""
    lines = drawn(an_import_of_orders(), width).splitlines()
    assert lines[3].rstrip() == f"[1/3] Read orders               ◐ running  {row}"
    assert lines[4].startswith("[2/3] Check every field of them ✓ complete")


@pytest.mark.parametrize("width", [40, 20])
def test_a_narrow_terminal_shows_names_and_states(width: int) -> None:
    """The word of a status is never cut, and no column is left as a stump."""
    lines = drawn(an_import_of_orders(), width).splitlines()[3:]
    assert [re.findall("running|complete|pending", line) for line in lines] == [["running"], ["complete"], ["pending"]]
    assert lines[0].startswith("[1/3] Re")


def test_a_remark_is_cut_before_a_name() -> None:
    """Long errors are in the panel as well, names are nowhere else."""
    name = "Transforming the schema of orders"
    steps = [StepState(1, name, StepStatus.ERROR, NOW - 1, 0.1, error="ValueError: " + "x" * 200)]
    row = drawn(an_operation(steps=steps), 80).splitlines()[3]
    assert f"{name} ✗ error 0.1s ValueError: xx" in row
    assert row.endswith("…")


def test_those_that_run_longest_are_shown_first() -> None:
    """The stuck one is what people look for; on the screen all stand in their order."""
    steps = [StepState(index, f"Job {index}", StepStatus.RUNNING, NOW - index) for index in range(1, 41)]
    assert [step.index for step in most_telling(steps, 3)] == [38, 39, 40]


def test_steps_that_are_not_shown_and_all_alike_are_counted_once() -> None:
    """Instead of the same number twice."""
    steps = [StepState(index, f"File {index}", StepStatus.COMPLETE, NOW, 0.1) for index in range(1, 10_001)]
    assert "… 9981 more, all complete" in drawn(an_operation(steps=steps), height=24)


def test_an_operation_without_steps_has_no_empty_line_in_its_picture() -> None:
    """Header and panel touch; a missing title leaves no empty frame."""
    lines = drawn(an_operation(Status.COMPLETE, title="", duration=1.0)).splitlines()
    assert "(no title)" in lines[1]
    assert "Operation Complete" in lines[4]
    assert all(line.strip() for line in lines)


def test_a_long_message_and_long_log_lines_are_shown_in_brief() -> None:
    """The traceback follows anyway, and the panel should stay on the screen."""
    error = Error("ValueError", "\n".join(f"line {index}" for index in range(200)), ["T", "S"], log=["x" * 2000])
    text = drawn(an_operation(Status.ERROR, error=error), 80)
    assert "line 9 (ValueError)" in text
    assert "… 190 more lines" in text
    assert "line 10" not in text
    assert text.count("x") < 2 * 80


def test_a_failure_between_steps_is_no_place_on_the_path() -> None:
    """It is told after a comma."""
    steps = [StepState(1, "Import", StepStatus.ERROR, NOW, 1.0)]
    error = Error("OSError", "gone", ["Nightly", "Import", "Shard 0", "after step 1: Read"], step=1)
    assert "Path: Nightly › Import › Shard 0, after step 1: Read" in texts.summary(
        an_operation(Status.ERROR, steps, error=error)
    )
