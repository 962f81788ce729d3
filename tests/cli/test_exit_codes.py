"""Which exit code a command ends with, and the one line that says why."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Run
from tests.store.making import ended, queued, started
from tracker.clock import now
from tracker.model import Status, Verdict
from tracker.store import Store, VerdictItem

OUTCOMES = {Status.COMPLETE: 0, Status.ERROR: 1, Status.CANCELLED: 3, Status.LOST: 4}


def end(store: Store, id: str, status: Status) -> None:
    """Bring the running operation ``id`` to its end."""
    if status is Status.LOST:
        store.append([VerdictItem(id, Status.RUNNING, Verdict(Status.LOST, now(), "test", run="r1"))])
    else:
        store.append([ended(id, status)])


@pytest.mark.parametrize(("status", "code"), OUTCOMES.items())
def test_watch_gives_the_outcome_only_when_asked(tracker: Run, store: Store, status: Status, code: int) -> None:
    """``--exit-status`` turns the operation's outcome into the exit code; without it watching was a success."""
    store.append([started("one")])
    end(store, "one", status)
    asked, unasked = tracker("watch", "one", "--exit-status"), tracker("watch", "one")
    assert (asked.code(), unasked.code()) == (code, 0)


@pytest.mark.parametrize(
    "arguments", [["lsx"], ["ls", "--nope"], ["watch", "--wait"], ["batch", "files.process"], ["ls", "x"]]
)
def test_misuse_is_one_line_and_exit_code_2(tracker: Run, arguments: list[str]) -> None:
    """A usage error names what is wrong and where the help is, without a traceback."""
    command = tracker(*arguments)
    assert command.code() == 2
    assert command.out == ""
    assert command.err.startswith("tracker: ")
    assert command.err.count("\n") == 1


def test_a_setting_that_cannot_be_used_is_exit_code_2(tracker: Run) -> None:
    """The message names the variable."""
    command = tracker("ls", TRACKER_REDIS_URL="http://localhost")
    assert (command.code(), "TRACKER_REDIS_URL" in command.err) == (2, True)


@pytest.mark.parametrize(
    "verb",
    [
        *(["ls"], ["show", "x"], ["watch"], ["jobs"], ["submit", "x"], ["batch", "x", "y"], ["worker"], ["web"]),
        *(["logs", "x"], ["workers"], ["stats"], ["export"], ["cancel", "x"], ["resume", "x"], ["rerun", "x"]),
    ],
    ids=lambda verb: verb[0],
)
def test_without_any_redis_it_says_what_to_start(tracker: Run, verb: list[str]) -> None:
    """Neither a setting nor a running embedded server: exit code 5 and the way out, in one line."""
    command = tracker(*verb, TRACKER_REDIS_URL="")
    assert command.code() == 5
    assert command.err == "tracker: no Redis: set TRACKER_REDIS_URL or start `tracker up`\n"


@pytest.mark.parametrize(
    "verb", [["ls"], ["watch"], ["show", "x"], ["jobs"], ["logs", "x"], ["export"], ["cancel", "x"]]
)
def test_a_redis_that_does_not_answer_is_exit_code_5(tracker: Run, verb: list[str]) -> None:
    """The address that was tried is named, its password is not."""
    command = tracker(*verb, TRACKER_REDIS_URL="redis://:secret@127.0.0.1:9/0")
    assert command.code() == 5
    assert "127.0.0.1:9" in command.err
    assert "secret" not in command.err
    assert command.err.count("\n") == 1


@pytest.mark.parametrize("verb", ["show", "watch"])
def test_an_unknown_id_is_one_line(tracker: Run, verb: str) -> None:
    """It says where to look."""
    command = tracker(verb, "nowhere")
    assert command.code() == 1
    assert command.err == "tracker: there is no operation 'nowhere'; `tracker ls` lists those there are\n"


def test_a_time_limit_is_exit_code_124_and_leaves_the_operation_alone(tracker: Run, store: Store) -> None:
    """Only the watching ends."""
    store.append([started("slow")])
    command = tracker("watch", "slow", "--timeout", "0.2", "--exit-status")
    assert command.code() == 124
    assert "not over after 0.2 s" in command.err
    parts = store.operation("slow")
    assert parts is not None
    assert parts.run is not None
    assert parts.run.status is Status.RUNNING


def test_a_beginning_that_fits_several_ids_is_refused(tracker: Run, store: Store) -> None:
    """Nobody wants the wrong one shown."""
    store.append([queued("abc-1"), queued("abc-2")])
    command = tracker("show", "abc")
    assert command.code() == 1
    assert "2 operations" in command.err
