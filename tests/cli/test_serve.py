"""The long-running parts in the foreground: what they say, and how they end."""

from __future__ import annotations

import signal

from tests.cli.conftest import Run
from tests.history.test_archiving import done
from tests.support import wait_for
from tracker.clock import now
from tracker.store import Store


def test_one_recorder_is_active_and_the_next_takes_over(tracker: Run) -> None:
    """Each says where it stands; told to stop, it makes place and ends well."""
    first = tracker("recorder")
    wait_for(lambda: "the recorder is active" in first.text)
    second = tracker("recorder")
    wait_for(lambda: "standing by" in second.text)
    first.process.send_signal(signal.SIGTERM)
    assert first.code() == 0
    wait_for(lambda: "the recorder is active" in second.text)
    second.process.send_signal(signal.SIGINT)
    assert second.code() == 0


def test_a_recorder_archives_all_others_and_names_what_it_cannot_read(tracker: Run, store: Store) -> None:
    """Lists and exports go on as well, and each says in one line what they leave out."""
    store.append([*done("a"), *done("bad"), *done("z")])
    redis = store.client.redis
    redis.hset(store.keys.operation("bad"), "head", b"\xff")
    listed, exported = tracker("ls", "-q"), tracker("export", "--format", "jsonl")
    assert (listed.code(), listed.lines) == (0, ["z", "a"])
    assert (exported.code(), [operation["id"] for operation in exported.objects]) == (0, ["z", "a"])
    for command in (listed, exported):
        assert command.err.count("\n") == 1
        assert "left out of lists: the record of operation 'bad' cannot be read: its `head` " in command.err
    redis.delete(store.keys.recorder)
    redis.zadd(store.keys.ended, dict.fromkeys(("a", "bad", "z"), now() - 60))
    recorder = tracker("recorder")
    wait_for(lambda: store.operation("a") is None and store.operation("z") is None)
    wait_for(lambda: "its `head` makes no sense" in recorder.text + recorder.err)
    assert redis.exists(store.keys.operation("bad"))
    examined = tracker("doctor", "--json")
    assert examined.code() == 1
    assert [finding["check"] for finding in examined.objects if finding["level"] == "problem"] == ["records"]


def test_parts_without_a_redis_say_so_in_one_line(tracker: Run) -> None:
    """And end with the code for no connection."""
    for part in ("worker", "web", "recorder"):
        ended = tracker(part, TRACKER_REDIS_URL="")
        assert ended.code() == 5
        assert ended.err.count("\n") == 1
        assert "tracker up" in ended.err
