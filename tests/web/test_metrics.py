"""Numbers for Prometheus, of a real server and what a real Redis holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from tests.docs.test_docs import first_cells, section
from tests.store.making import NOW, batch_of, blob, by, ended, head, lease, queued, started, step_event
from tests.support import Clock
from tests.web.client import Server, serving
from tracker.archive import Archive
from tracker.clock import now
from tracker.history import History
from tracker.model import QueuePart, Status, StepStatus
from tracker.store import QueueItem, Store
from web.metrics import ARCHIVED, LIVE, NAMES, Metrics
from web.seats import Seats

Sample = dict[tuple[str, ...], float]


def samples(text: str) -> dict[str, Sample]:
    found: dict[str, Sample] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


@pytest.fixture
def archive(tmp_path: Path, store: Store) -> Any:
    archive = Archive(f"sqlite:///{tmp_path}/archive.sqlite3", store.keys.namespace)
    yield archive
    archive.close()


@pytest.fixture
def unserved(redis_url: str, namespace: str) -> Iterator[Store]:
    """A store of a namespace in which no server's recorder is at work."""
    store = Store(redis_url, namespace)
    yield store
    store.client.disconnect()


def test_the_queue_and_those_who_work_are_counted(unserved: Store, archive: Archive) -> None:
    """By name and status, a batch as its children; and how long work waits, and for whom."""
    store = unserved
    store.append([queued("a"), queued("b"), started("b"), by("p", started("c")), lease("p", "r1")])
    batch_of(store, 3, "batch")
    found = samples(Metrics(History(store, archive), Seats(4)).text().decode())
    assert found["tracker_operations"] == {("job", "queued"): 4, ("job", "running"): 2}
    assert found["tracker_up"][()] == found["tracker_archive_up"][()] == 1
    assert found["tracker_oldest_queued_seconds"][()] >= 0
    assert found["tracker_queue_wait_seconds"] == {("0.5",): 0, ("0.95",): 0}
    assert (found["tracker_processes"][()], found["tracker_recorder_active"][()]) == (1, 0)


def test_what_is_to_begin_later_does_not_wait(unserved: Store, archive: Archive) -> None:
    """Neither in the queue nor, once it has begun, in hindsight; and a further attempt waits for no worker at first."""
    at = now()
    for id, eta in (("later", at + 3600), ("due", at - 50), ("begun", at - 50)):
        unserved.append([QueueItem(id, QueuePart("job", at - 7200, eta=eta))])
    again = replace(head("r2"), created=at - 7200, started=at)
    unserved.append(
        [blob("begun", replace(head("r1"), started=at - 40)), blob("again", head("r1")), blob("again", again)]
    )
    measures = History(unserved).measures()
    assert measures.oldest_queued == pytest.approx(50, abs=5)
    assert measures.waits == [pytest.approx(10, abs=1)]


def test_steps_and_outcomes_come_from_the_archive(store: Store, archive: Archive) -> None:
    """How long each takes, and how runs end."""
    store.append([started("a"), step_event("a", 2, status=StepStatus.COMPLETE), ended("a", Status.ERROR, seq=3)])
    archive.write(store.leaving.records(["a"]))
    found = samples(Metrics(History(store, archive), Seats(4)).text().decode())
    assert found["tracker_finished_runs"]["job", "error"] == 1
    assert found["tracker_finished_runs"]["job", "complete"] == 0


def test_many_names_are_added_up(store: Store, archive: Archive) -> None:
    """However many there are, the number of series is bounded."""
    names = [f"name-{number}" for number in range(NAMES + 7)]
    store.append([QueueItem(name, QueuePart(name, NOW)) for name in names])
    store.append([QueueItem(f"{name}-2", QueuePart(name, NOW)) for name in names[:NAMES]])
    operations = samples(Metrics(History(store, archive), Seats(4)).text().decode())["tracker_operations"]
    assert len(operations) == NAMES + 1
    assert operations["other", "queued"] == 7
    assert sum(operations.values()) == 2 * NAMES + 7


def test_what_was_read_a_moment_ago_is_not_read_again(store: Store, archive: Archive, clock: Clock) -> None:
    """However often it is asked for."""
    metrics = Metrics(History(store, archive), Seats(4))
    assert samples(metrics.text().decode()).get("tracker_operations", {}) == {}
    store.append([queued("a")])
    assert samples(metrics.text().decode()).get("tracker_operations", {}) == {}
    clock.time += max(LIVE, ARCHIVED)
    assert samples(metrics.text().decode())["tracker_operations"] == {("job", "queued"): 1}


def test_the_server_serves_them(server: Server) -> None:
    """In the format that Prometheus asks for."""
    answer = server.get("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert samples(answer.body.decode())["tracker_live_connections"] == {(): 0}


def test_without_redis_they_say_so(tmp_path: Path) -> None:
    """Whoever watches the system wants that number most of all."""
    with serving("redis://127.0.0.1:1/0", "nowhere", tmp_path / "log") as server:
        found = samples(server.get("/metrics").body.decode())
    assert found["tracker_up"] == {(): 0}


def test_every_metric_has_a_row(store: Store, archive: Archive) -> None:
    """What is measured can be looked up, and what is described is measured."""
    store.append([queued("a"), started("a"), ended("a")])
    archive.write(store.leaving.records(["a"]))
    text = Metrics(History(store, archive), Seats(4)).text().decode()
    told = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert told == first_cells(section("http-api.md", "Metrics"))
