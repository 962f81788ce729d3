"""``stats``: how runs ended and how long they took, from the archive."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.archive.making import record, run
from tests.cli.conftest import Run
from tracker.archive import Archive
from tracker.clock import now
from tracker.model import Status
from tracker.settings import Settings
from tracker.store import Store


@pytest.fixture
def archive(store: Store, environment: dict[str, str]) -> Iterator[Archive]:
    """The archive of this test's command lines, with three runs of one name and one of another."""
    archive = Archive(Settings.from_env(environment).archive, store.keys.namespace)
    statuses = (Status.COMPLETE, Status.COMPLETE, Status.ERROR)
    runs = [
        record(f"op-{n}", run(f"r{n}", status, name="files.process", started=now(), duration=2.0))
        for n, status in enumerate(statuses)
    ]
    archive.write([*runs, record("other", run("r9", name="config.migrate", started=now(), duration=0.02))])
    yield archive
    archive.close()


def test_a_pipe_gets_columns_in_order(tracker: Run, archive: Archive) -> None:
    """Name, runs, complete, error, cancelled, lost, and seconds within which half and 95 % succeeded."""
    command = tracker("stats")
    assert command.code() == 0
    rows = {line.split("\t")[0]: line.split("\t")[1:] for line in command.lines}
    assert rows["files.process"][:5] == ["3", "2", "1", "0", "0"]
    assert [float(value) for value in rows["files.process"][5:]] == pytest.approx([2.0, 2.0], rel=0.03)
    assert rows["config.migrate"][0] == "1"


def test_a_terminal_shows_one_name_by_step_and_day(tracker: Run, archive: Archive) -> None:
    """Success is rounded down; a failure is counted at the step where it was."""
    listed, one = tracker("stats", terminal=(80, 40)), tracker("stats", "files.process", terminal=(80, 40))
    assert (listed.code(), one.code()) == (0, 0)
    rows = [line.split() for line in one.text.splitlines()]
    assert ["files.process", "3", "66", "%", "1"] in [row[:5] for row in rows]
    assert ["Step", "1", "2", "0.5s", "0.5s", "0.5s", "0.5s"] in rows
    today = datetime.fromtimestamp(now(), UTC).date().isoformat()
    assert any(row[:5] == [today, "3", "66", "%", "1"] for row in rows)
    assert "20ms" in listed.text
    assert "Step 1" not in listed.text


def test_json_is_what_the_server_would_say(tracker: Run, archive: Archive) -> None:
    """With days, as many as are asked for."""
    command = tracker("stats", "files.process", "--days", "1", "--json")
    assert (command.code(), command.err) == (0, "")
    (summary,) = command.objects
    assert (summary["complete"], summary["error"], len(summary["days"])) == (2, 1, 1)


def test_an_unknown_name_says_which_was_meant(tracker: Run, archive: Archive) -> None:
    """And where nothing is archived, that."""
    command = tracker("stats", "files.proces")
    assert (command.code(), command.out) == (1, "")
    assert command.err == "tracker: no run of 'files.proces' is archived. Did you mean files.process?\n"


def test_an_empty_archive_is_no_error(tracker: Run, store: Store) -> None:
    """It says when there will be something."""
    command = tracker("stats")
    assert (command.code(), command.out) == (0, "")
    assert "no finished run is archived yet" in command.err
