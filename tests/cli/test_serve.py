"""The long-running parts in the foreground: what they say, and how they end."""

from __future__ import annotations

import signal

from tests.cli.conftest import Run
from tests.support import wait_for


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


def test_parts_without_a_redis_say_so_in_one_line(tracker: Run) -> None:
    """And end with the code for no connection."""
    for part in ("worker", "web", "recorder"):
        ended = tracker(part, TRACKER_REDIS_URL="")
        assert ended.code() == 5
        assert ended.err.count("\n") == 1
        assert "tracker up" in ended.err
