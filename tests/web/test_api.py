"""The HTTP API against a real server and a real Redis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.store.making import batch_of, ended, queued, started, step_event
from tests.support import wait_for
from tests.web.client import Server, serving
from tests.web.conftest import messages_in
from tracker.model import Status, StepStatus
from tracker.store import ArchiveInfo, Hold, Store

OPERATIONS, BATCHES = "/api/v1/operations", "/api/v1/batches"


def test_a_queued_operation_is_accepted_with_its_address(server: Server, store: Store) -> None:
    """202, the operation itself, where to find it, and one message for the workers."""
    answer = server.post(OPERATIONS, {"job": "copy", "args": {"path": "a.txt"}, "labels": {"tenant": "acme"}})
    assert answer.status == 202
    assert answer.headers["location"] == f"{OPERATIONS}/{answer.json['id']}"
    assert (answer.json["name"], answer.json["status"]) == ("copy", "queued")
    assert answer.json["labels"] == {"tenant": "acme"}
    assert server.get(answer.headers["location"]).json == answer.json
    assert messages_in(store) == 1


def test_a_batch_says_what_is_to_follow_it(server: Server, store: Store) -> None:
    """It waits with the batch, and is held against its own job's schema, with a pointer into the body."""
    body = {"job": "copy", "items": [{"path": "a.txt"}], "on_complete": {"job": "copy", "args": {"path": "b.txt"}}}
    id = server.post(BATCHES, body).json["id"]
    assert store.cancel(id, "ada")
    assert list(store.messages.owed("w")) == [f"{id}.after"]
    assert store.client.redis.hget(store.keys.owed, f"{id}.after").startswith(b'{"name":"copy"')
    wrong = [{"job": "copy", "args": {"path": 1}}, {"job": "none"}, {"jobs": "copy"}]
    answers = [server.post(BATCHES, body | {"on_complete": after}) for after in wrong]
    assert [answer.status for answer in answers] == [422] * 3
    pointers = [answer.json["errors"][0]["pointer"] for answer in answers]
    assert pointers == ["/on_complete/args/path", "/on_complete/job", "/on_complete/jobs"]


def test_a_queued_batch_has_a_child_for_each_item(server: Server, store: Store) -> None:
    """One operation that people watch, its children behind it, and one message that sends them."""
    answer = server.post(BATCHES, {"job": "copy", "items": [{"path": "a"}, {"path": "b"}], "title": "Two files"})
    assert answer.status == 202
    assert (answer.json["title"], answer.json["children"]["total"]) == ("Two files", 2)
    children = server.get(answer.headers["location"] + "/children").json["items"]
    assert [child["args"] for child in children] == [{"path": "a"}, {"path": "b"}]
    assert messages_in(store) == 1


REFUSED: list[tuple[str, Any, int, str | None]] = [
    (OPERATIONS, {"job": "none", "args": {}}, 422, "/job"),
    (OPERATIONS, {"job": "celery.chord", "args": {}}, 422, "/job"),
    (OPERATIONS, {"job": "idle", "args": {"path": "a"}}, 409, None),
    (OPERATIONS, {"job": "copy", "args": {}}, 422, "/args/path"),
    (OPERATIONS, {"job": "copy", "args": {"path": 3}}, 422, "/args/path"),
    (OPERATIONS, {"job": "copy", "args": {"path": "a", "mode": 1}}, 422, "/args/mode"),
    (OPERATIONS, {"job": "copy", "args": [1]}, 422, "/args"),
    (OPERATIONS, {"job": "copy", "args": {"path": "a"}, "queue": "other"}, 422, "/queue"),
    (OPERATIONS, {"job": "copy", "args": {"path": "a"}, "serializer": "pickle"}, 422, "/serializer"),
    (OPERATIONS, {"args": {"path": "a"}}, 422, "/job"),
    (OPERATIONS, {"job": ""}, 422, "/job"),
    (OPERATIONS, {"job": "x" * 201}, 422, "/job"),
    (OPERATIONS, {"job": 7}, 422, "/job"),
    (OPERATIONS, [], 422, ""),
    (OPERATIONS, {"job": "copy", "args": {"path": "a"}, "labels": {"a/b": 1}}, 422, "/labels/a~1b"),
    (OPERATIONS, {"job": "copy", "args": {"path": "a"}, "labels": {"a": "v" * 201}}, 422, "/labels/a"),
    (OPERATIONS, {"job": "copy", "args": {"path": "a"}, "labels": {"k" * 201: "v"}}, 422, "/labels"),
    (OPERATIONS, {"job": "copy", "args": {"path": "a"}, "labels": {str(n): "" for n in range(33)}}, 422, "/labels"),
    (OPERATIONS, b"{", 400, None),
    (OPERATIONS, b"", 400, None),
    (OPERATIONS, b'{"job": "\xff"}', 400, None),
    (OPERATIONS, b'{"job": "copy", "args": {"path": NaN}}', 400, None),
    (OPERATIONS, b'{"job":"copy","args":{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}}", 400, None),
    (OPERATIONS, b" " * (64 * 1024 + 1), 413, None),
    (BATCHES, {"job": "copy", "items": []}, 422, "/items"),
    (BATCHES, {"job": "copy"}, 422, "/items"),
    (BATCHES, {"job": "copy", "items": [{"path": "a"}, 3]}, 422, "/items/1"),
    (BATCHES, {"job": "copy", "items": [{"path": "a"}, {"path": 3}]}, 422, "/items/1/path"),
    (BATCHES, {"job": "copy", "items": [{"path": "a"}] * 10_001}, 422, "/items"),
    (BATCHES, {"job": "copy", "items": [{"path": "a"}], "title": "t" * 201}, 422, "/title"),
    (BATCHES, b" " * (4 * 1024 * 1024 + 1), 413, None),
]


@pytest.mark.parametrize(("path", "body", "status", "pointer"), REFUSED)
def test_a_bad_request_is_refused_and_nothing_is_queued(
    server: Server, store: Store, path: str, body: Any, status: int, pointer: str | None
) -> None:
    """The problem says what is wrong and points at the field; neither store nor broker has seen anything."""
    answer = server.post(path, body)
    assert (answer.status, answer.json["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "request_id"} <= set(answer.json)
    if pointer is not None:
        assert [fault["pointer"] for fault in answer.json["errors"]] == [pointer]
    assert (messages_in(store), store.operations().items) == (0, [])


def test_attempts_of_an_operation_come_oldest_first_with_their_steps(server: Server, store: Store) -> None:
    """Each in the shape of an operation, as it was then."""
    store.append([started("a"), step_event("a", 2, status=StepStatus.ERROR), ended("a", Status.ERROR, seq=3)])
    store.append([started("a", "r2")])
    answer = server.get(f"{OPERATIONS}/a/attempts")
    assert (answer.status, answer.json["next"]) == (200, None)
    first, second = answer.json["items"]
    assert (first["attempt"], first["status"], first["steps"][0]["name"]) == (1, "error", "Step 1")
    assert second == server.get(f"{OPERATIONS}/a").json
    assert server.get(f"{OPERATIONS}/b/attempts").status == 404
    assert server.get(f"{OPERATIONS}/a/attempts?limit=1").status == 400


def test_notices_say_what_is_wrong_with_all_answers(server: Server, store: Store) -> None:
    """A sentence each, none when all is well; another recorder than the server's keeps its archive elsewhere."""
    wait_for(lambda: server.get("/api/v1/notices").json == {"items": [], "next": None})
    other = Hold("other", 60, ArchiveInfo("another", "node-9", "/srv/archive.sqlite3"))

    def takes_the_place() -> bool:
        store.client.redis.delete(store.keys.recorder)
        return store.append([other])[0].kind == "stored"

    wait_for(takes_the_place)
    (notice,) = server.get("/api/v1/notices").json["items"]
    assert notice.startswith("finished operations are kept in /srv/archive.sqlite3 on node-9")
    store.append([Hold("other", 0)])


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_only_json_is_taken(server: Server, store: Store, kind: str) -> None:
    """A body of another type is refused, also when it holds JSON: forms of other sites can send those types."""
    body = b'{"job":"copy","args":{"path":"a"}}'
    assert server.ask("POST", OPERATIONS, body, {"Content-Type": kind}).status == 415
    assert messages_in(store) == 0


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=%D9%A3", "limit"),
        ("status=done", "status"),
        ("page=nonsense", "page"),
        ("name=", "name"),
        ("colour=red", "colour"),
        ("limit=1&limit=2", "limit"),
    ],
)
def test_a_bad_query_names_its_parameter(server: Server, query: str, parameter: str) -> None:
    """400, with the parameter's name for programs and a sentence for people."""
    answer = server.get(f"{OPERATIONS}?{query}")
    assert answer.status == 400
    assert answer.json["errors"][0]["parameter"] == parameter
    assert answer.json["detail"]


def test_pages_lead_through_all_operations_once(server: Server, store: Store) -> None:
    """Following ``next`` gives every operation once, newest first, and ends."""
    store.append([queued(f"op{number}") for number in range(5)])
    found, page = [], ""
    for _ in range(3):
        answer = server.get(f"{OPERATIONS}?limit=2{page}").json
        found += [operation["id"] for operation in answer["items"]]
        page = f"&page={answer['next']}"
    assert (found, answer["next"]) == (["op4", "op3", "op2", "op1", "op0"], None)


def test_lists_can_be_filtered(server: Server, store: Store) -> None:
    """By status and by name; a list never carries steps."""
    store.append([queued("a", name="one"), queued("b", name="two"), started("b")])
    assert [item["id"] for item in server.get(f"{OPERATIONS}?status=running").json["items"]] == ["b"]
    assert [item["id"] for item in server.get(f"{OPERATIONS}?name=one").json["items"]] == ["a"]
    assert server.get(OPERATIONS).json["items"][0]["steps"] is None


def test_one_operation_comes_with_its_steps(server: Server, store: Store) -> None:
    """The single view tells of every step."""
    store.append([started("op"), step_event("op", 2), step_event("op", 3, status=StepStatus.COMPLETE)])
    operation = server.get(f"{OPERATIONS}/op").json
    assert operation["status"] == "running"
    assert [(step["name"], step["status"]) for step in operation["steps"]] == [("Step 1", "complete")]


def test_children_can_be_filtered_by_status(server: Server, store: Store) -> None:
    """Those that failed are found without reading the others."""
    ids = batch_of(store, 3)
    store.append([started(ids[1], parent="b"), ended(ids[1], Status.ERROR, parent="b")])
    assert len(server.get(f"{OPERATIONS}/b/children").json["items"]) == 3
    failed = server.get(f"{OPERATIONS}/b/children?status=error").json["items"]
    assert [child["id"] for child in failed] == [ids[1]]


def test_jobs_say_what_may_be_queued(server: Server) -> None:
    """Name, schema and how many live workers run each."""
    jobs = {job["name"]: job for job in server.get("/api/v1/jobs").json["items"]}
    assert (jobs["copy"]["workers"], jobs["idle"]["workers"]) == (1, 0)
    assert jobs["copy"]["schema"]["required"] == ["path"]


HOSTILE = [
    "nothing-here",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "..%2f..%2fetc%2fpasswd",
    "%1b%5d52%3bc%3b",
    "%00",
    "a%0d%0aSet-Cookie:%20a=b",
    "x" * 2_000,
    "%F0%9F%92%A3",
    "%ff",
    "op:*",
]


@pytest.mark.parametrize("id", HOSTILE)
@pytest.mark.parametrize("path", [f"{OPERATIONS}/{{}}", f"{OPERATIONS}/{{}}/children"])
def test_an_id_nobody_has_is_not_found(server: Server, path: str, id: str) -> None:
    """Whatever stands in its place, the answer is a 404 problem."""
    answer = server.get(path.format(id))
    assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")
    assert "set-cookie" not in answer.headers


def test_a_wrong_method_names_the_right_ones(server: Server) -> None:
    """405 as a problem, with ``Allow``."""
    answer = server.ask("DELETE", OPERATIONS)
    assert (answer.status, answer.json["title"]) == (405, "Method Not Allowed")
    assert "POST" in answer.headers["allow"]


def test_the_system_is_ready_once_a_worker_lives(server: Server, store: Store) -> None:
    """With Redis, the followed events and a worker it is ready; without a worker it says so."""
    answer = server.get("/readyz")
    assert (answer.status, answer.json) == (200, {"redis": True, "following": True, "workers": 1, "watching": 0})
    store.withdraw_worker("alive")
    answer = server.get("/readyz")
    assert (answer.status, [fault["pointer"] for fault in answer.json["errors"]]) == (503, ["/workers"])
    assert "tracker worker" in answer.json["detail"]


def test_without_redis_the_server_lives_and_says_what_is_missing(tmp_path: Path) -> None:
    """The process is healthy, not ready; reading and queueing answer 503 and when to come back."""
    with serving("redis://:hidden@127.0.0.1:1/0", "nowhere", tmp_path / "log") as server:
        assert server.get("/healthz").status == 200
        missing = {fault["pointer"] for fault in server.get("/readyz").json["errors"]}
        assert missing == {"/redis", "/following", "/workers"}
        for answer in (server.get(OPERATIONS), server.post(OPERATIONS, {"job": "copy", "args": {}})):
            assert (answer.status, answer.json["title"]) == (503, "Redis does not answer")
            assert int(answer.headers["retry-after"]) > 0
            assert b"hidden" not in answer.body


def test_an_ended_operation_can_be_erased(server: Server, store: Store) -> None:
    """204 and it is gone; one that runs is not touched."""
    store.append([started("a"), ended("a"), started("b")])
    answer = server.ask("DELETE", f"{OPERATIONS}/a")
    assert (answer.status, answer.body) == (204, b"")
    assert server.get(f"{OPERATIONS}/a").status == 404
    assert server.ask("DELETE", f"{OPERATIONS}/a").status == 404
    refused = server.ask("DELETE", f"{OPERATIONS}/b")
    assert (refused.status, refused.json["type"]) == (409, "/problems/not-ended")
    assert server.ask("DELETE", f"{OPERATIONS}/b", headers={"Origin": "https://example.org"}).status == 403
    assert server.get(f"{OPERATIONS}/b").json["status"] == "running"
