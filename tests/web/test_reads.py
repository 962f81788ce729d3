"""What can be read beside operations and lists: searches, logs, changes, workers, statistics, the description."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.archive.making import record, run
from tests.docs.test_docs import routes
from tests.history.spoiling import HEADS, Way, params
from tests.store.making import NOW, batch_of, blob, by, ended, head, lease, started, step_event
from tests.web.client import Server
from tracker.archive import Archive
from tracker.clock import now
from tracker.history import History, Search
from tracker.model import Error, Event, LogLine, Parts, QueuePart, Status, StepState, StepStatus, Worker
from tracker.record import Record
from tracker.store import QueueItem, RunBlob, Store

OPERATIONS = "/api/v1/operations"


def ids(answer: Any) -> list[str]:
    return [operation["id"] for operation in answer.json["items"]]


def made(id: str, created: float, **fields: Any) -> QueueItem:
    return QueueItem(id, QueuePart("job", created, title=f"Title of {id}", **fields))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("label=tenant:acme", ["b"]),
        ("label=tenant:", []),
        ("label=part:a:b", ["a"]),
        ("worker=node-3", ["c"]),
        ("error=ValueError", ["c"]),
        ("error=valueerror:%20NO", ["c"]),
        ("error=nothing", []),
        ("release=1.2", ["c"]),
        ("step=Step%201", ["d"]),
        ("q=TITLE%20OF%20A", ["a"]),
        ("q=job", ["d", "c", "b", "a"]),
        (f"since={NOW}", ["d", "c", "b"]),
        (f"until={NOW - 10}", ["a"]),
        (f"since={NOW - 10}&until={NOW - 10}", ["a"]),
        (f"since={NOW - 9}&q=title", ["d", "c", "b"]),
        ("status=error&worker=node-3&name=job", ["c"]),
        ("status=complete&worker=node-3", []),
    ],
)
def test_a_search_gives_what_fits_all_that_is_given(server: Server, store: Store, query: str, found: list[str]) -> None:
    """Among operations that differ in one thing each, the right ones are found."""
    store.append([made("a", NOW - 10, labels={"part": "a:b"}), made("b", NOW, labels={"tenant": "acme"})])
    failed = head("r1", Status.ERROR, worker=Worker("node-3", 7), error=Error("ValueError", "no"), release="1.2")
    store.append([made("c", NOW + 1), blob("c", failed)])
    store.append([made("d", NOW + 2), started("d"), step_event("d", 2)])
    answer = server.get(f"{OPERATIONS}?{query}")
    assert (answer.status, ids(answer), answer.json["next"]) == (200, found, None)


def test_a_search_looks_into_the_archive_too_and_page_by_page(tmp_path: Path, store: Store) -> None:
    """What has left Redis is found behind what has not, each once."""
    archive = Archive(f"sqlite:///{tmp_path}/archive.sqlite3", store.keys.namespace)
    parts = [QueuePart("job", NOW - number, title="x", labels={"odd": str(number % 2)}) for number in range(1, 8)]
    archive.write([Record(Parts(f"old{part.created:.0f}", rev=1, queue=part)) for part in parts])
    store.append([made("new", NOW, labels={"odd": "1"})])
    history, search = History(store, archive), Search(label=("odd", "1"))
    found, page = [], None
    for _ in range(9):
        answer = history.operations(search=search, page=page, limit=2)
        found += [operation.id for operation in answer.items]
        page = answer.next
        if page is None:
            break
    assert found == ["new", *(f"old{NOW - number:.0f}" for number in (1, 3, 5, 7))]
    late = history.operations(search=Search(label=("odd", "1"), since=NOW - 3), limit=50)
    assert ([operation.id for operation in late.items], late.next) == (found[:3], None)
    archive.close()


def logged(operation: str, seq: int, *lines: LogLine) -> RunBlob:
    events = [Event("step.log", operation, NOW, "r1", seq + at, log=line) for at, line in enumerate(lines)]
    return RunBlob(operation, "r1", events, "", NOW)


def test_the_log_of_an_operation_comes_in_pages_and_by_step(server: Server, store: Store) -> None:
    """Every line once, oldest first; those of a step alone on request."""
    lines = [LogLine(number, NOW, f"line {number}", step=number % 2) for number in range(1, 6)]
    store.append([started("a"), logged("a", 2, *lines)])
    found, page = [], ""
    for _ in range(3):
        answer = server.get(f"{OPERATIONS}/a/logs?limit=2{page}").json
        found += [line["text"] for line in answer["items"]]
        page = f"&page={answer['next']}"
    assert (found, answer["next"]) == ([f"line {number}" for number in range(1, 6)], None)
    of_step = server.get(f"{OPERATIONS}/a/logs?step=1").json
    assert [line["number"] for line in of_step["items"]] == [1, 3, 5]
    assert server.get(f"{OPERATIONS}/a/logs?page=x").json["errors"][0]["parameter"] == "page"
    assert server.get(f"{OPERATIONS}/b/logs").status == 404


@pytest.mark.parametrize("way", **params(HEADS))
def test_an_operation_that_cannot_be_read_is_one_problem_and_no_other(server: Server, store: Store, way: Way) -> None:
    """Of whoever asks for it; lists, numbers and exports leave it out."""
    store.append([by("p", started(id, f"run-{id}")) for id in ("a", "bad", "z")])
    store.append([lease("p", "run-a", "run-bad", "run-z")])
    way.spoil(store, "bad")
    listed = server.get(OPERATIONS)
    assert (listed.status, ids(listed)) == (200, ["z", "a"])
    assert ids(server.get(f"{OPERATIONS}?status=running&q=title")) == ["z", "a"]
    assert server.get("/api/v1/export?format=jsonl").body.count(b"\n") == 2
    for path in ("/metrics", "/api/v1/workers", "/api/v1/notices"):
        assert server.get(path).status == 200
    below = [f"{OPERATIONS}/bad{part}" for part in ("", "/attempts", "/logs", "/children", "/failures", "/resume")]
    answers = [*map(server.get, below), server.ask("DELETE", below[0]), server.post(f"{below[0]}/cancel", {})]
    assert {(answer.status, answer.json["type"]) for answer in answers} == {(409, "/problems/unreadable")}
    assert f"its `{way.field}` makes no sense" in answers[0].json["detail"]
    assert server.get(f"{OPERATIONS}/a").status == 200


def test_events_are_read_on_from_a_cursor(server: Server, store: Store) -> None:
    """Each change once, in order, and from the last cursor on only what is new, however many others were told."""
    store.append([started("told"), started("b"), step_event("told", 2), step_event("told", 3)])
    first = server.get(f"{OPERATIONS}/told/events?limit=2").json
    second = server.get(f"{OPERATIONS}/told/events?after={first['cursor']}").json
    told = [event["seq"] for change in [*first["items"], *second["items"]] for event in change["events"]]
    assert told == [1, 2, 3]
    nothing = server.get(f"{OPERATIONS}/told/events?after={second['cursor']}").json
    assert nothing == {"items": [], "cursor": second["cursor"]}
    store.append([started("c"), step_event("told", 4)])
    (change,) = server.get(f"{OPERATIONS}/told/events?after={nothing['cursor']}").json["items"]
    assert change["events"][0]["seq"] == 4
    assert server.get(f"{OPERATIONS}/told/events?after=x").json["errors"][0]["parameter"] == "after"


def test_events_of_an_operation_and_its_children_are_read_together(server: Server, store: Store) -> None:
    """In the order they were stored, with ``below``; without it, only its own."""
    children = batch_of(store, 2, "family")
    store.append([started(children[0], parent="family"), started("other", "r2")])
    store.append([ended(children[0], parent="family")])
    first = server.get(f"{OPERATIONS}/family/events?below=true&limit=4").json
    second = server.get(f"{OPERATIONS}/family/events?below=true&after={first['cursor']}").json
    assert [change["operation"] for change in first["items"]] == ["family", *children, children[0]]
    assert [(change["operation"], change["parent"]) for change in second["items"]] == [(children[0], "family")]
    alone = server.get(f"{OPERATIONS}/family/events").json
    assert [change["operation"] for change in alone["items"]] == ["family"]


def test_events_that_are_gone_come_with_a_way_to_go_on(server: Server, store: Store) -> None:
    """410 with the operation as it is, and a cursor behind which nothing is missed."""
    store.append([started("a"), step_event("a", 2)])
    gone = server.get(f"{OPERATIONS}/a/events?after=1-1")
    assert (gone.status, gone.json["type"]) == (410, "/problems/events-gone")
    assert gone.json["operation"]["steps"][0]["name"] == "Step 1"
    store.append([step_event("a", 3, status=StepStatus.COMPLETE)])
    (change,) = server.get(f"{OPERATIONS}/a/events?after={gone.json['cursor']}").json["items"]
    assert change["events"][0]["step"]["status"] == "complete"


def test_workers_show_what_they_run_and_when_they_were_heard(server: Server, store: Store) -> None:
    """Those that wait for jobs by their queue, those that work by their runs."""
    store.append([by("p", started("a")), lease("p", "r1")])
    waiting, working = server.get("/api/v1/workers").json["items"]
    assert (waiting["name"], waiting["jobs"], waiting["pid"]) == ("alive", ["copy"], None)
    assert waiting["queues"] == [server.get("/api/v1/jobs").json["items"][0]["queue"]]
    assert (working["host"], working["pid"], working["runs"]) == ("node-1", 4711, ["r1"])
    (running,) = working["running"]
    assert (running["id"], running["run"], running["title"], running["step"]) == ("a", "r1", "A title", None)
    store.append([step_event("a", 2, index=3)])
    assert server.get("/api/v1/workers").json["items"][1]["running"][0]["step"]["name"] == "Step 3"
    assert 0 <= working["age"] < 20
    assert 0 <= waiting["age"] < 20


def test_where_everything_is_tells_steps_of_children_too(server: Server, store: Store) -> None:
    """And what they are below."""
    (child,) = batch_of(store, 1)
    store.append([by("p", started(child, parent="b")), by("p", step_event(child, 2, index=3))])
    answer = server.get("/api/v1/whereabouts")
    assert answer.json["more"] is False
    (found,) = answer.json["items"]
    assert (found["name"], found["running"], found["below"]) == ("job", 1, "b")
    assert found["places"] == [{"index": 3, "name": "Step 3", "count": 1, "since": NOW}]
    assert server.get("/api/v1/whereabouts?below=b").json["items"] == [found]
    assert server.get("/api/v1/whereabouts?below=another").json["items"] == []


def test_statistics_of_a_name_nobody_has_run_are_empty(server: Server) -> None:
    """Nothing is made up: there is no share of nothing."""
    answer = server.get("/api/v1/stats?name=nothing")
    assert answer.status == 200
    assert all(item["success"] is None and item["steps"] == [] for item in answer.json["items"])


def test_statistics_count_runs_and_measure_steps(tmp_path: Path, store: Store) -> None:
    """By name, with the share of those that succeeded."""
    archive = Archive(f"sqlite:///{tmp_path}/archive.sqlite3", store.keys.namespace)
    store.append([started("a"), step_event("a", 2, status=StepStatus.COMPLETE), ended("a", seq=3)])
    store.append([started("b", "r2"), ended("b", Status.ERROR, "r2")])
    archive.write(store.leaving.records(["a", "b"]))
    (summary,) = History(store, archive).summaries()
    assert (summary.name, summary.complete, summary.error, summary.success) == ("job", 1, 1, 0.5)
    archive.close()


def test_the_description_is_valid_and_names_every_route(server: Server, store: Store) -> None:
    """Whatever is served as data is described, with the arguments of the jobs that may be queued."""
    document = server.get("/openapi.json").json
    described = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    shells = {f"GET /{page}" for page in ("", "history", "statistics", "workers", "queue", "login", "operations/{id}")}
    assert described == routes() - shells - {"GET /static/{address}/{name}", "GET /api/v1/ws"}
    bodies = document["components"]["schemas"]
    for schema in bodies.values():
        Draft202012Validator.check_schema(schema)
    queueing = bodies["OperationBody.copy"]
    assert queueing["properties"]["args"]["required"] == ["path"]
    assert Draft202012Validator(queueing).is_valid({"job": "copy", "args": {"path": "a"}})
    assert not Draft202012Validator(queueing).is_valid({"job": "copy", "args": {}})


def test_statistics_tell_the_last_days_one_by_one(tmp_path: Path, store: Store) -> None:
    """As many as asked for, with how long whole runs took and where others failed."""
    archive = Archive(f"sqlite:///{tmp_path}/archive.sqlite3", store.keys.namespace)
    today = now()
    step = StepState(1, "Write", StepStatus.ERROR)
    failed = run("f", Status.ERROR, started=today - 9, ended=today)
    archive.write([record("f", failed, steps={1: step})])
    for days, seconds in ((0, 4.0), (2, 8.0), (40, 16.0)):
        end = today - days * 86400
        archive.write([record(f"a{days}", run(f"a{days}", started=end - seconds, ended=end), steps={})])
    history = History(store, archive)
    (summary,) = history.summaries("job", 3)
    assert [(day.complete, day.error, day.p50) for day in summary.days] == [(1, 0, 8.0), (1, 1, 4.0)]
    assert summary.days[1].day == datetime.fromtimestamp(today, UTC).date().isoformat()
    assert summary.took is not None
    assert (summary.took.count, summary.took.p50, summary.took.p95) == (2, 4.0, 8.0)
    assert [(failure.name, failure.count) for failure in summary.failures] == [("Write", 1)]
    assert summary.complete == 3
    assert len(history.summaries("job", 1)[0].days) == 1
    assert len(history.summaries("job", 60)[0].days) == 3
    archive.close()


@pytest.mark.parametrize("days", ["0", "367", "x", "null"])
def test_an_odd_number_of_days_is_refused(server: Server, days: str) -> None:
    """Naming the parameter."""
    answer = server.get(f"/api/v1/stats?days={days}")
    assert (answer.status, answer.json["errors"][0]["parameter"]) == (400, "days")
