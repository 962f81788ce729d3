"""``workers``: who waits, who works on what, and who has fallen silent."""

from __future__ import annotations

from tests.cli.conftest import Run
from tests.store.making import NOW, blob, by, head, lease
from tracker.model import StepState, StepStatus
from tracker.store import JobInfo, Store


def system(store: Store) -> None:
    """A worker that waits for jobs, a process that works, and one of which nothing was heard for two minutes."""
    store.publish_jobs("worker-1@node-1", [JobInfo("files.process", {}, "fast", release="1.2")])
    step = StepState(2, "Check \x1b[31mencoding", StepStatus.RUNNING, NOW, current=45, total=100)
    store.append([by("p1", blob("one", head("r1"), steps=[step])), lease("p1", "r1"), lease("p2", "r2")])
    redis, key = store.client.redis, store.keys.lease("p2")
    redis.hset(key, "seen", float(redis.hget(key, "seen")) - 120)


def test_a_pipe_gets_columns_in_order(tracker: Run, store: Store) -> None:
    """Name, host, process, age, queues, jobs, release and what it runs; the silent first."""
    system(store)
    command = tracker("workers")
    assert command.code() == 0
    silent, waiting, working = [line.split("\t") for line in command.lines]
    assert (silent[0], 120 <= float(silent[3]) < 150) == ("p2", True)
    assert [waiting[at] for at in (0, 1, 2, 4, 5, 6, 7)] == [
        *("worker-1@node-1", "node-1", "", "fast", "files.process", "1.2", ""),
    ]
    assert [working[at] for at in (0, 1, 2, 4, 5, 7)] == ["p1", "node-1", "4711", "", "", "one"]
    assert float(waiting[3]) < 30


def test_a_terminal_says_who_is_silent_and_who_does_what(tracker: Run, store: Store) -> None:
    """The silent first, with how long; of who works, the operation and its step, cleaned."""
    system(store)
    command = tracker("workers", terminal=(120, 24))
    assert command.code() == 0
    silent, waiting, working = command.text.splitlines()[1:]
    assert silent.startswith("silent  node-1, process 4711")
    assert "2 min ago" in silent
    assert waiting.startswith("waits   worker-1@node-1")
    assert "files.process" in waiting
    assert working.startswith("works   node-1, process 4711")
    assert "A title: Check \ufffd[31mencoding 45 %" in working


def test_json_is_what_the_server_would_say(tracker: Run, store: Store) -> None:
    """One object for each."""
    system(store)
    command = tracker("workers", "--json")
    assert (command.code(), command.err) == (0, "")
    assert [found["name"] for found in command.objects] == ["p2", "worker-1@node-1", "p1"]
    assert command.objects[2]["running"][0]["title"] == "A title"


def test_without_anybody_it_says_what_to_start(tracker: Run, store: Store) -> None:
    """On stderr, so that a pipe stays empty."""
    command = tracker("workers")
    assert (command.code(), command.out) == (0, "")
    assert "start a worker with `tracker worker`" in command.err
