"""The picture of nested operations: what stands where, and what is counted instead."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import threading
from collections.abc import Iterator
from io import StringIO

import pytest
from rich.console import Console

from tracker import StepTracker
from tracker.display.nested import KEPT, Nested
from tracker.model import Status
from tracker.render.tree import FAILURES


@pytest.fixture
def console() -> Iterator[Console]:
    """A terminal with room for 24 rows of 80 columns and the cursor's line; what is written there is thrown away."""
    ours, theirs = pty.openpty()
    threading.Thread(target=_drain, args=(ours,), daemon=True).start()
    with os.fdopen(theirs, "w", encoding="utf-8") as file:
        yield Console(file=file, width=80, height=25, _environ={"TERM": "xterm"})


def _drain(descriptor: int) -> None:
    with contextlib.suppress(OSError):  # Linux says so when the other side is closed.
        while os.read(descriptor, 65536):
            pass
    os.close(descriptor)


def picture(tracker: StepTracker) -> list[str]:
    """What the live region shows now."""
    region = tracker._run.watcher  # type: ignore[union-attr]
    plain = Console(file=StringIO(), width=80, height=24)
    plain.print(region._frame())  # type: ignore[union-attr]
    assert isinstance(plain.file, StringIO)
    return [line.rstrip() for line in plain.file.getvalue().splitlines()][3:]


def nested(title: str, fails: bool = False) -> None:
    with contextlib.suppress(ValueError), StepTracker(title) as inner:
        inner.step("Load")
        if fails:
            raise ValueError("no such shop")


def test_a_loop_of_nested_trackers_leaves_steps_in_sight(console: Console) -> None:
    """One line per finished step, none per nested tracker; the failed one stays below its own step."""
    with StepTracker("Shops", steps=[f"Shop {index}" for index in range(1, 41)], console=console) as tracker:
        for index in range(1, 31):
            with tracker.step(f"Shop {index}"):
                nested(f"Load shop {index}", fails=index == 3)
        lines = picture(tracker)
    assert len(lines) <= 20
    assert lines[0].startswith("[3/40] Shop 3 ")
    assert lines[1].split() == ["└", "Load", "shop", "3", "❌", "error", "no", "such", "shop"]
    assert all(line.startswith("[") for line in lines[2:-1])
    assert lines[-1] == "… 22 more: 20 complete, 2 pending (20 nested complete)"


def test_every_failed_nested_operation_is_counted_under_its_step(console: Console) -> None:
    """Five by name and the others by number, for each step."""
    with StepTracker("Shops", steps=["One", "Two"], console=console) as tracker:
        for name, fails in (("One", 6), ("Two", 7)):
            with tracker.step(name):
                for index in range(fails):
                    nested(f"Load {index}", fails=True)
        lines = picture(tracker)
    assert [line.strip() for line in lines if "failed" in line] == ["└ ❌ 1 more failed", "└ ❌ 2 more failed"]
    assert sum("no such shop" in line for line in lines) == 2 * FAILURES
    assert lines.index("  └ ❌ 1 more failed") < next(at for at, line in enumerate(lines) if "[2/2]" in line)


def test_three_levels_use_the_rows_there_are(console: Console) -> None:
    """Titles hang on branches, steps stand below their title, and nothing is folded while there is room."""
    plan = ["a", "b", "c", "d"]
    with (
        StepTracker("Outer", steps=plan, console=console) as outer, outer.step("a"),
        StepTracker("Middle", steps=plan) as middle, middle.step("a"),
        StepTracker("Inner", steps=plan) as inner, inner.step("a"),
    ):  # fmt: skip
        lines = picture(outer)
    assert [line[:14].rstrip() for line in lines] == [
        "[1/4] a", "  └ Middle", "    [1/4] a", "      └ Inner", "        [1/4]", "        [2/4]", "        [3/4]",
        "        [4/4]", "    [2/4] b", "    [3/4] c", "    [4/4] d", "[2/4] b", "[3/4] c", "[4/4] d",
    ]  # fmt: skip


def test_a_folded_line_takes_the_whole_row(console: Console) -> None:
    """Inside of nested operations too, where the names are short."""
    plan = [f"Step {index}" for index in range(1, 61)]
    with (
        StepTracker("Outer", steps=plan, console=console) as outer, outer.step("Step 1"),
        StepTracker("Inner", steps=plan) as inner,
    ):  # fmt: skip
        for name in plan[:30]:
            with inner.step(name):
                pass
        lines = picture(outer)
    assert len(lines) == 20
    assert [line for line in lines if "more" in line] == [
        "    … 52 more: 25 complete, 27 pending", "… 51 more, all pending",
    ]  # fmt: skip


def test_what_runs_outside_of_steps_stands_before_them(console: Console) -> None:
    """It would seem to belong to the last step otherwise."""
    with StepTracker("Outer", steps=["One"], console=console) as outer, StepTracker("Inner"):
        lines = picture(outer)
    assert [" ".join(line.split()[:2]) for line in lines] == ["└ Inner", "[1/1] One"]


def test_a_step_with_failures_inside_is_chosen_like_a_failed_one(console: Console) -> None:
    """However many steps are complete after it."""
    with StepTracker("Many", console=console) as tracker:
        for index in range(300):
            with tracker.step(f"Step {index}"):
                nested("Part", fails=index == 7)
        digest = tracker._run.watcher._places[tracker._run.run].digest  # type: ignore[union-attr]
        assert "Step 7" in [step.name for step in digest.choice(10)]


def test_the_stuck_worker_of_many_is_chosen(console: Console) -> None:
    """Those open longest come first when not all fit."""
    with StepTracker("Workers", console=console) as tracker:
        for index in range(40):
            tracker._run.begin(f"Job {index}", owner=index)  # type: ignore[union-attr]
        lines = picture(tracker)
        assert "Job 0 " in lines[0]
        assert lines[-1].endswith(" more, all running")


def test_a_frame_costs_the_same_after_ten_thousand_nested_trackers() -> None:
    """Only what may be shown is looked at, and only numbers are kept of the rest."""
    held = Nested()
    for at in range(1, 10_001):
        held.opened(at)
        held.closed(at, "Part", Status.ERROR if at % 2 else Status.COMPLETE, "x" * 5000)
    assert +held.total == {Status.ERROR: 5000, Status.COMPLETE: 5000}
    assert len(held.failures(range(1, 10_001))) == KEPT
    assert all(len(failure.message) <= 200 for kept in held.failures([9999]).values() for failure in kept)
    assert held.failed(3) == [9999, 9997, 9995]
    assert held.outcomes([2, 9998]) == {2: {Status.COMPLETE: 1}, 9998: {Status.COMPLETE: 1}}


def test_a_nested_tracker_belongs_to_the_step_of_its_own_task(console: Console) -> None:
    """Also when a step of another task began meanwhile."""

    async def first(tracker: StepTracker, begun: asyncio.Event, done: asyncio.Event) -> None:
        async with tracker.step("One"):
            await begun.wait()
            with StepTracker("Inside One", steps=["x"]):
                shown.extend(picture(tracker))
        done.set()

    async def second(tracker: StepTracker, begun: asyncio.Event, done: asyncio.Event) -> None:
        async with tracker.step("Two"):
            begun.set()
            await done.wait()

    async def jobs(tracker: StepTracker) -> None:
        begun, done = asyncio.Event(), asyncio.Event()
        await asyncio.gather(first(tracker, begun, done), second(tracker, begun, done))

    shown: list[str] = []
    with StepTracker("Jobs", steps=["One", "Two"], console=console) as tracker:
        asyncio.run(jobs(tracker))
    assert [" ".join(line.split()[:3]) for line in shown[:2]] == ["[1/2] One ⏳", "└ Inside One"]


def test_failures_that_there_is_no_room_for_are_counted(console: Console) -> None:
    """In the line of what is left out, where the terminal is low."""
    console.height = 10
    with StepTracker("Outer", steps=["a", "b", "c"], console=console) as tracker, tracker.step("a"):
        for index in range(9):
            nested(f"Load {index}", fails=True)
        with StepTracker("Inner", steps=["x", "y", "z", "u", "v"]) as inner, inner.step("x"):
            lines = picture(tracker)
    assert len(lines) <= 6
    assert "9 nested error" in lines[-1] or any("more failed" in line for line in lines)
