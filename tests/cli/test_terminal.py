"""The live view on a pseudo-terminal: what stays on the screen, and in which state the terminal is left."""

from __future__ import annotations

import re
import signal

import pytest

from tests.cli.conftest import Run
from tests.store.making import NOW, batch_of, blob, ended, started
from tests.store.revs import rev_of
from tests.support import wait_for
from tracker.model import Error, Event, RunPart, Status, StepState, StepStatus
from tracker.store import RunBlob, Store

SHOW_CURSOR, HIDE_CURSOR = "\x1b[?25h", "\x1b[?25l"


def test_ctrl_c_gives_the_cursor_back_and_leaves_the_operation_alone(tracker: Run, store: Store) -> None:
    """Exit code 130, no traceback, the last frame stays, typed keys are shown again."""
    store.append([started("one")])
    command = tracker("watch", "one", terminal=(80, 24))
    command.shows("A title")
    wait_for(lambda: not command.echoes())
    command.press("\x03")
    assert command.code() == 130
    assert command.out.rfind(SHOW_CURSOR) > command.out.rfind(HIDE_CURSOR) >= 0
    assert command.echoes()
    assert "Traceback" not in command.out
    assert "it goes on. Watch it again: tracker watch one" in command.text
    assert rev_of(store, "one") == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_gives_the_terminal_back(tracker: Run, store: Store, number: signal.Signals, code: int) -> None:
    """As Ctrl-C, with the exit code that shells expect."""
    store.append([started("one")])
    command = tracker("watch", terminal=(80, 24))
    command.shows("A title")
    command.process.send_signal(number)
    assert command.code() == code
    assert command.out.rfind(SHOW_CURSOR) > command.out.rfind(HIDE_CURSOR)
    assert "Traceback" not in command.out


def test_steps_appear_as_they_change(tracker: Run, store: Store) -> None:
    """A change is on the screen without a key being pressed; the outcome ends the view."""
    store.append([started("one")])
    command = tracker("watch", "one", "--exit-status", terminal=(80, 24))
    command.shows("A title")
    step = StepState(1, "Read rows", StepStatus.RUNNING, NOW, current=20, total=100, unit="rows")
    event = Event("step.progress", "one", NOW, "r1", 2, step=step)
    store.append([RunBlob("one", "r1", [event], "", NOW, None, [step], step)])
    command.shows("20/100 rows")
    store.append([ended("one", Status.ERROR, seq=3)])
    assert command.code() == 1
    assert "Operation Failed" in command.text


def test_a_batch_shows_running_and_failed_children_and_ends_with_the_failures(tracker: Run, store: Store) -> None:
    """Failures first; complete children are only counted."""
    ids = batch_of(store, 4)
    store.append([started(ids[0], parent="b"), started(ids[1], parent="b")])
    command = tracker("watch", "b", terminal=(100, 30))
    command.shows("2 queued, 2 running")
    why = Error("NotText", "it is not UTF-8", path=["Bad file", "Check encoding"])
    bad = RunPart("r1", "job", "Bad file", NOW, NOW, Status.ERROR, ended=NOW + 1, error=why)
    store.append([blob(ids[0], bad, seq=2, type="operation.complete", parent="b")])
    command.shows("NotText: it is not UTF-8")
    store.append([started(ids[2], parent="b"), started(ids[3], parent="b")])
    store.append([ended(id, parent="b") for id in ids[1:]])
    assert command.code() == 0
    assert 'Bad file: error at "Check encoding": NotText: it is not UTF-8' in command.text.rstrip().splitlines()[-1]


def test_no_line_is_wider_than_a_narrow_terminal(tracker: Run, store: Store) -> None:
    """At 20 columns, and after the window has changed its size many times."""
    store.append([started("one"), *(started(f"two-{n}") for n in range(30))])
    command = tracker("watch", terminal=(20, 10))
    command.shows("and ")
    assert max(len(line) for line in command.text.splitlines()) <= 20
    for columns in (10, 200, 3, 40, 20):
        command.resize(columns, 10)
        command.process.send_signal(signal.SIGWINCH)
    store.append([ended("one", Status.ERROR)])
    command.shows("1 error")
    command.press("\x03")
    assert command.code() == 130


def test_without_colours_the_live_view_has_none(tracker: Run, store: Store) -> None:
    """The cursor still moves, but nothing is coloured or bold; a word stands beside each symbol."""
    store.append([started("one"), ended("one", Status.ERROR)])
    command = tracker("watch", "one", "--no-color", terminal=(80, 24))
    assert command.code() == 0
    assert re.search(r"\x1b\[[0-9;]*m", command.out) is None
    assert "Operation Failed" in command.text


def test_a_dumb_terminal_gets_plain_lines(tracker: Run, store: Store) -> None:
    """Where the cursor cannot be moved, nothing is drawn."""
    store.append([started("one"), ended("one")])
    command = tracker("watch", "one", terminal=(80, 24), TERM="dumb")
    assert command.code() == 0
    assert "\x1b" not in command.out
    assert "A title: complete" in command.out


def test_many_failures_do_not_hide_what_runs(tracker: Run, store: Store) -> None:
    """Both are cut to the terminal, and what is left out is counted."""
    ids = batch_of(store, 40)
    store.append([started(id, parent="b") for id in ids])
    store.append([ended(id, Status.ERROR, parent="b") for id in ids[:35]])
    command = tracker("watch", "b", terminal=(80, 20))
    command.shows("and ")
    wait_for(lambda: "error     A title" in command.text and "running   A title" in command.text)
