"""A recorder that is killed at the worst moments: its successor finishes, nothing is lost and nothing doubled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGKILL
from typing import NamedTuple

import msgspec
import pytest
from msgspec.structs import replace

from tests.archive.making import record, run
from tests.faults.crashing_recorder import POINTS, CrashingRecorder
from tests.history.test_archiving import done, replayed
from tests.store.making import NOW, batch_of, blob, by, ended, head, started, step_event
from tests.support import wait_for
from tracker.archive import Archive
from tracker.history import History
from tracker.model import ENDED, Status, StepState, StepStatus
from tracker.store import RunBlob, Sent, Store

DAYS = 10_000
"""For which the archive keeps operations: what is old ended in 1970."""

FAMILIES = {"family": 4, "pair": 1}

WELL = ("r1", "complete", {1: "complete"}, ["a line"])
FAILED = ("r0", "error", {1: "complete"}, ["a line"])

KEPT = ("r1", "complete", dict.fromkeys((1, 2, 3), "complete"), list[str]())


class Story(NamedTuple):
    """What is known of an operation in the end: of each run its id, its own outcome, its steps and its lines."""

    status: str
    runs: list[tuple[str, str, dict[int, str], list[str]]]


STORIES: dict[str, Story] = {
    **{f"well-{number}": Story("complete", [WELL]) for number in range(5)},
    "twice": Story("complete", [("r1", "error", {1: "complete"}, ["a line"]), ("r2", *WELL[1:])]),
    **{id: Story("complete", []) for id in FAMILIES},
    **{f"{id}.{index}": Story("complete", [WELL]) for id, size in FAMILIES.items() for index in range(1, size + 1)},
    "silent": Story("lost", [("rs", "running", {}, [])]),
    "batch": Story("error", [("rd", "error", {1: "error"}, [])]),
    "batch.1": Story("complete", [WELL]),
    "batch.2": Story("lost", []),
    "batch.3": Story("lost", []),
    "archived": Story("complete", [FAILED, KEPT]),
    "back": Story("lost", [KEPT, ("rb", "running", {}, [])]),
    "ended": Story("complete", [FAILED, WELL]),
    "late": Story("complete", [WELL]),
    "torn": Story("complete", [("r1", "complete", {1: "running"}, [])]),
    "open": Story("lost", [("ro", "running", {1: "running"}, [])]),
}

LATE = {"late", "torn", "open"}
"""Operations of which only their dead processes knew."""


class Trial:
    """One recorder after the other, and what they find."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.archive = Archive(f"sqlite:///{folder}/state/archive.sqlite3", store.keys.namespace)
        self.history = History(store, self.archive)
        self.noted = folder / "reached"
        self._state = folder / "state"
        self._state.mkdir(mode=0o700)

    @contextmanager
    def recorder(self, point: str = "") -> Iterator[CrashingRecorder]:
        running = CrashingRecorder(self.noted, point, {
            "TRACKER_REDIS_URL": self.store.client.url, "TRACKER_STATE_DIR": str(self._state),
            "TRACKER_NAMESPACE": self.store.keys.namespace, "TRACKER_ARCHIVE_DAYS": str(DAYS),
        })  # fmt: skip
        try:
            yield running
        finally:
            running.close()

    def listed(self) -> list[str]:
        """Every operation, as often as lists show it."""
        top = [operation.id for operation in self.history.operations(limit=200).items]
        return [*top, *(child.id for id in top for child in self.history.children(id, limit=200).items)]

    def at_rest(self) -> bool:
        """Nothing is in Redis any more, and nothing old in the archive."""
        here = self.store.operations().items or list(self.store.live_runs()) or self.store.leaving.late(1)
        return not here and "old" not in self.listed()

    def story(self, id: str) -> Story:
        """What the archive knows, with attempts counted from 1."""
        attempts, lines = self.archive.attempts(id), self.archive.logs(id)
        assert [attempt.number for attempt in attempts] == list(range(1, len(attempts) + 1))
        runs = [
            (
                attempt.run.run,
                str(attempt.run.status),
                {step.index: str(step.status) for step in attempt.steps},
                [line.text for line in lines if line.attempt == attempt.number],
            )
            for attempt in attempts
        ]
        return Story(str(self.history.operation(id).status), runs)


@pytest.fixture
def trial(redis_url: str, namespace: str, tmp_path: Path) -> Iterator[Trial]:
    """With something of every kind for a recorder to do."""
    store = Store(redis_url, namespace)
    trial = Trial(store, tmp_path)
    fill_redis(store)
    leave_late(store)
    trial.archive.write([record("archived"), record("back"), record("old", run(started=1.0, name="old"))])
    yield trial
    trial.archive.close()
    store.client.disconnect()


def fill_redis(store: Store) -> None:
    for number in range(5):
        store.append(done(f"well-{number}"))
    store.append([*done("twice", status=Status.ERROR), *done("twice", run="r2"), *done("ended")])
    for parent, size in FAMILIES.items():
        for id in batch_of(store, size, parent):
            store.append(done(id, parent))
    sent, *_ = batch_of(store, 3, "batch")
    failed = StepState(1, "Queue children", StepStatus.ERROR, current=1, total=3)
    store.append([Sent("batch", 1), blob("batch", head("rd", Status.ERROR), steps=[failed]), *done(sent, "batch")])
    store.append([by("gone", started("silent", "rs")), by("gone", started("back", "rb"))])


def leave_late(store: Store) -> None:
    """What waits for the recorder: earlier runs, runs that nobody knows, one with its beginning torn off, one open."""
    torn = [step_event("torn", 3), ended("torn", seq=4)]
    step = StepState(1, "Step 1", StepStatus.RUNNING)
    open_run = [by("gone", blob("open", head("ro"), seq=seq, steps=[step])) for seq in (1, 2)]
    blobs = [*earlier("archived"), *earlier("ended"), *done("late"), *torn, *open_run]
    assert {answer.kind for answer in store.append(replayed(*blobs))} == {"late"}


def earlier(id: str) -> list[RunBlob]:
    """A run that began before the one that is known."""
    return [aged(blob) for blob in done(id, status=Status.ERROR, run="r0")]


def aged(blob: RunBlob) -> RunBlob:
    return replace(blob, head=blob.head and msgspec.structs.replace(blob.head, started=NOW - 10))


def outcomes(stories: dict[str, Story]) -> Counter[str]:
    """How runs of jobs ended; the last one as was judged, and what never ran as well. Batches do not count."""
    found: Counter[str] = Counter()
    for id, story in stories.items():
        if id not in (*FAMILIES, "batch"):
            found[story.status] += 1
            found.update(status for _, status, *_ in story.runs[:-1] if status in ENDED)
    return found


def counted(archive: Archive) -> Counter[str]:
    days = archive.outcomes("job").values()
    return sum((Counter({str(status): number for status, number in day.items()}) for day in days), Counter())


@pytest.mark.parametrize("point", POINTS)
def test_a_recorder_that_is_killed(point: str, trial: Trial) -> None:
    """… is followed by one that finishes; a list shows every operation once, also in between."""
    with trial.recorder(point) as killed:
        assert (killed.end() if point == "at its end" else killed.ended()) == -SIGKILL
    assert trial.noted.read_text() == point
    listed = trial.listed()
    assert len(listed) == len(set(listed))
    assert STORIES.keys() - LATE <= set(listed)
    with trial.recorder() as after:
        wait_for(trial.at_rest)
        assert after.end() == 0, after.told()
    assert sorted(trial.listed()) == sorted(STORIES)
    assert {id: trial.story(id) for id in STORIES} == STORIES
    assert counted(trial.archive) == outcomes(STORIES)
