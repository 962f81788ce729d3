"""``tracker watch`` on a pseudo-terminal, as a person uses it: keys, rows that open, questions, and what stays."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.cli.commands import Command
from tests.cli.conftest import Run
from tests.store.making import NOW, batch_of, blob, ended, head, queued, started, step_event
from tests.support import state_of, wait_for
from tracker.cli.board import keys
from tracker.model import Error, Event, EventType, LogLine, Status, StepStatus
from tracker.store import RunBlob, Store

UP, DOWN, RIGHT, LEFT, ESCAPE, ENTER, BACKSPACE = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b", "\r", "\x7f"


def failed(id: str, title: str, why: str = "no", seq: int = 1) -> RunBlob:
    """An operation that has just failed."""
    error = Error("ValueError", why, path=[title])
    part = replace(head("r1", Status.ERROR, error=error), title=title)
    return blob(id, part, seq=seq, type="operation.complete")


def running(id: str, title: str, after: float = 0.0) -> RunBlob:
    return blob(id, replace(head("r1"), title=title, created=NOW + after))


def logged(id: str, number: int, text: str, seq: int) -> RunBlob:
    """A line that an operation has logged."""
    line = LogLine(number, NOW, text)
    return RunBlob(id, "r1", [Event(EventType.STEP_LOG, id, NOW, "r1", seq, log=line)], "", NOW)


def watching(tracker: Run, *arguments: str, size: tuple[int, int] = (90, 24), sees: str) -> Command:
    """A watcher whose terminal shows a text, and which hears keys."""
    command = tracker("watch", *arguments, terminal=size)
    command.displays(sees)
    wait_for(lambda: not command.echoes())
    return command


def test_enter_opens_the_chosen_operation_and_escape_goes_back(tracker: Run, store: Store) -> None:
    """A mark stands before the chosen row, and q quits without touching anything."""
    store.append([running("a", "Import a"), step_event("a", 2), running("b", "Import b", 1)])
    command = watching(tracker, sees="Import a")
    command.press(DOWN)
    assert any(line.startswith("›") and "Import b" in line for line in command.displays("›"))
    command.press("j")
    wait_for(lambda: any(line.startswith("›") and "Import a" in line for line in command.screen))
    command.press(ENTER)
    assert not any("Import b" in line for line in command.displays("┃ Import a ┃"))
    command.press(ESCAPE)
    command.displays("Import b")
    command.press("q")
    assert command.code() == 0
    assert command.screen[0].startswith("◐ 2 running")
    assert any("2 of these still run or wait" in line for line in command.screen)
    assert command.echoes()


def test_below_an_operation_stands_what_can_be_done_about_it(tracker: Run, store: Store) -> None:
    """To cancel it while it runs, to resume it once it has failed."""
    store.append([running("a", "Import a")])
    command = watching(tracker, sees="Import a")
    command.press(DOWN)
    command.displays("›")
    command.press(ENTER)
    assert "r resume" not in "".join(command.displays("c cancel"))
    store.append([ended("a", Status.ERROR)])
    assert "c cancel" not in "".join(command.displays("r resume"))


def test_failures_stand_first_and_counts_above(tracker: Run, store: Store) -> None:
    """With the time for which they are true."""
    store.append([running("a", "Import a"), failed("b", "Import b", "line 812"), queued("c")])
    screen = watching(tracker, sees="Import b").screen
    assert screen[0].startswith("✗ 1 error  ◐ 1 running  ◌ 1 queued   as of ")
    assert "Import b" in screen[1]
    assert "ValueError: line 812" in screen[1]
    assert "Import a" in screen[2]


def test_a_batch_is_one_row_that_opens_to_its_children_and_their_steps(tracker: Run, store: Store) -> None:
    """As deep as it goes; shut again, they are gone."""
    ids = batch_of(store, 3)
    store.append([started(ids[0], parent="b"), step_event(ids[0], 2)])
    command = watching(tracker, sees="0 of 3")
    assert sum("A title" in line for line in command.screen) == 1
    command.press(DOWN + " ")
    wait_for(lambda: sum("A title" in line for line in command.screen) == 4)
    command.press(DOWN + RIGHT)
    command.displays("[1] Step 1  running")
    command.press(LEFT)
    command.hides("[1] Step 1  running")
    command.press(UP + LEFT)
    wait_for(lambda: sum("A title" in line for line in command.screen) == 1)


def test_a_filter_is_typed_and_taken_back(tracker: Run, store: Store) -> None:
    """It is told above the list; letters of it are no commands meanwhile."""
    store.append([running("a", "Quick import"), running("b", "Slow export")])
    command = watching(tracker, sees="Quick import")
    command.press("/quick")
    screen = command.hides("Slow export")
    assert "only /quick: 1" in screen[0]
    command.press(BACKSPACE * 5 + "exp" + ENTER)
    command.displays("Slow export")
    command.hides("Quick import")
    command.press(ESCAPE)
    command.displays("Quick import")


def test_the_list_is_narrowed_by_status(tracker: Run, store: Store) -> None:
    """One key goes through what there is; an option begins with it."""
    store.append([running("a", "Import a"), failed("b", "Import b"), queued("c")])
    command = watching(tracker, sees="Import a")
    command.press("f")
    assert "only failed: 1" in command.hides("Import a")[0]
    command.press("f")
    command.displays("Import a")
    command.hides("Import b")
    told = tracker("watch", "--status", "error", "--json", "--timeout", "60")
    wait_for(lambda: told.objects)
    store.append([ended("a"), running("d", "Import d"), failed("d", "Import d", seq=2)])
    wait_for(lambda: any(one["operation"]["id"] == "d" for one in told.objects))
    assert {one["operation"]["id"] for one in told.objects} == {"b", "d"}


def test_cancelling_asks_and_does_nothing_without_a_yes(tracker: Run, store: Store) -> None:
    """With a yes the operation is asked to end, and who asked is told."""
    store.append([running("a", "Import a")])
    command = watching(tracker, sees="Import a")
    command.press("c")
    command.displays("choose a row first")
    command.press(DOWN + "c")
    command.displays("cancel Import a?")
    command.press("n")
    command.displays("nothing was done")
    held = store.operation("a")
    assert held is not None
    assert held.cancel is None
    command.press("cy")
    command.displays("asked Import a to end")
    command.displays("cancel requested by")
    held = store.operation("a")
    assert held is not None
    assert held.cancel is not None


def test_what_cannot_be_done_is_said_in_a_line(tracker: Run, store: Store) -> None:
    """Resuming what nobody can run, cancelling what is over."""
    store.append([failed("b", "Import b")])
    command = watching(tracker, sees="Import b")
    command.press(DOWN + "c")
    command.displays("Import b has ended")
    command.press("r")
    command.displays("resume Import b?")
    command.press("y")
    command.displays("nothing here can start b again")


def test_log_lines_of_before_and_of_now_stand_beside_the_steps(tracker: Run, store: Store) -> None:
    """Wanted with a key or from the beginning; each line once, and harmless."""
    store.append([started("a"), logged("a", 1, "first \x1b]0;title\x07 line", 2)])
    command = watching(tracker, "a", "--logs", sees="first")
    store.append([logged("a", 2, "second line", 3)])
    screen = command.displays("second line")
    assert sum("│" in line for line in screen) == 2
    command.press("l")
    command.hides("second line")
    assert "\x1b]" not in command.out


def test_the_keys_are_told(tracker: Run, store: Store) -> None:
    """And any of them goes back."""
    store.append([started("a")])
    command = watching(tracker, sees="A title")
    command.press("?")
    command.displays("quit; nothing that runs is touched")
    command.press("x")
    command.displays("A title")


def test_children_of_an_operation_are_a_tree_that_is_open_when_it_is_small(tracker: Run, store: Store) -> None:
    """What runs inside a step is seen with its own steps, also once it is complete."""
    store.append([started("a"), step_event("a", 2), started("c", parent="a"), step_event("c", 2, index=7)])
    command = watching(tracker, "a", sees="[7] Step 7  running")
    store.append([ended("c", seq=3, parent="a")])
    command.displays("✓ complete  A title")
    store.append([ended("a", seq=3)])
    assert command.code() == 0


def test_children_are_reached_on_a_low_terminal_too(tracker: Run, store: Store) -> None:
    """What is told of the operation itself gives way to one line."""
    ids = batch_of(store, 3)
    store.append([started(id, parent="b") for id in ids])
    store.append([ended(id, Status.ERROR, parent="b") for id in ids])
    command = watching(tracker, size=(80, 12), sees="3 of 3")
    command.press(DOWN + ENTER)
    command.displays("✗ A title: error")
    command.press(DOWN)
    wait_for(lambda: sum("✗ error" in line for line in command.screen) >= 3)


def test_compact_shows_only_the_steps_that_tell_something(tracker: Run, store: Store) -> None:
    """What is done and what has not begun is counted in one line."""
    done = [step_event("a", seq, index=seq, status=StepStatus.COMPLETE) for seq in range(2, 9)]
    store.append([started("a"), *done, step_event("a", 9, index=9)])
    command = watching(tracker, "a", "--compact", sees="Step 9")
    assert not any("Step 3" in line for line in command.screen)
    assert any("more" in line and "complete" in line for line in command.screen)


def test_the_last_operation_needs_no_id(tracker: Run, store: Store) -> None:
    """The one that was made last."""
    store.append([started("a"), ended("a")])
    store.append([queued("b"), failed("b", "Newest")])
    command = tracker("watch", "--last", "--exit-status")
    assert command.code() == 1
    assert "Newest: error" in command.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("a", "--last"), "not both"),
        (("--exit-status",), "need the ID"),
        (("a", "--status", "error"), "without an ID"),
        (("a", "--after", "1-1"), "needs --json"),
    ],
)
def test_options_that_do_not_go_together_are_refused(tracker: Run, arguments: tuple[str, ...], said: str) -> None:
    """Before anything is asked of Redis."""
    command = tracker("watch", *arguments, TRACKER_REDIS_URL="redis://127.0.0.1:1/0")
    assert command.code() == 2
    assert said in command.err


def test_ctrl_z_gives_the_terminal_back_and_fg_draws_it_anew(tracker: Run, store: Store) -> None:
    """As with any program; nothing of what happened meanwhile is missing."""
    store.append([running("a", "Import a")])
    command = watching(tracker, sees="Import a")
    command.process.send_signal(signal.SIGTSTP)
    wait_for(lambda: state_of(Path(f"/proc/{command.process.pid}")) == "T")
    assert command.echoes()
    wait_for(lambda: command.out.rfind("\x1b[?25h") > command.out.rfind("\x1b[?25l"))
    store.append([running("b", "Import b")])
    command.process.send_signal(signal.SIGCONT)
    command.displays("Import b")
    assert not command.echoes()
    command.press("q")
    assert command.code() == 0


def test_a_terminal_that_is_closed_ends_the_watching(tracker: Run, store: Store) -> None:
    """As its SIGHUP says, and at once."""
    store.append([running("a", "Import a")])
    command = watching(tracker, sees="Import a")
    command.hang_up()
    assert command.code() == 129


def test_keys_that_mean_nothing_are_passed_over(tracker: Run, store: Store) -> None:
    """Function keys, the mouse, pasted text: the board is still there."""
    store.append([running("a", "Import a")])
    command = watching(tracker, sees="Import a")
    command.press("\x1bOP\x1b[15~\x1b[<0;3;4M\x1b[200~zzzé\x1b[201~\t\x01")
    command.press(DOWN)
    command.displays("›")
    command.press("q")
    assert command.code() == 0


def test_a_typed_filter_never_moves_the_cursor(tracker: Run, store: Store) -> None:
    """Whatever is pasted into it."""
    store.append([running("a", "Import a")])
    command = watching(tracker, sees="Import a")
    command.press("/a\x9b31m\u202e" + ENTER)
    command.displays("only /a")
    assert "\x9b" not in command.out


@given(st.text(max_size=30))
def test_every_key_is_named_and_none_twice(text: str) -> None:
    """Whatever a terminal sends, it is read to its end, and plain letters stay what they are."""
    found = list(keys.keys_of(text))
    assert len(found) <= len(text)
    if text.isalnum():
        assert found == list(text)


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        ("\x1b[A\x1b[B", ["up", "down"]),
        ("\x1bOA", ["up"]),
        ("\x1b[5~j", ["page up", "j"]),
        ("\x1b", ["escape"]),
        ("\x1b[1;5Cq", ["q"]),
        ("\x1bxq", ["q"]),
    ],
)
def test_sequences_are_keys(sent: str, named: list[str]) -> None:
    """Known ones have names, unknown ones vanish as a whole."""
    assert list(keys.keys_of(sent)) == named
