"""Cancel, resume and rerun over HTTP, against a real server and a real Redis."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.store.making import batch_of, ended, queued, started
from tests.web.client import Server
from tests.web.conftest import SCHEMA, messages_in, queue_of
from tracker.model import Status
from tracker.store import JobInfo, QueueItem, Seal, Store

OPERATIONS = "/api/v1/operations"


def a_job(id: str, **fields: object) -> QueueItem:
    """An operation of the job that a worker runs, queued as the server does."""
    part = queued(id, name="copy").part
    return QueueItem(id, msgspec.structs.replace(part, **{"args": {"path": "a"}, "whole": True, **fields}))


def failed(store: Store, id: str = "a", **fields: object) -> None:
    store.append([a_job(id, **fields), started(id), ended(id, Status.ERROR)])


def test_what_waits_is_cancelled_at_once(server: Server, store: Store) -> None:
    """202 with the operation, and who asked is kept; asking again is refused, for there is nothing left to cancel."""
    store.append([a_job("a")])
    answer = server.ask("POST", f"{OPERATIONS}/a/cancel")
    assert (answer.status, answer.headers["location"]) == (202, f"{OPERATIONS}/a")
    assert (answer.json["status"], answer.json["cancel"]["by"]) == ("cancelled", "http 127.0.0.1")
    again = server.post(f"{OPERATIONS}/a/cancel", {"terminate": True})
    assert (again.status, again.json["type"]) == (409, "/problems/already-ended")
    assert "has ended already (cancelled)" in again.json["detail"]


def test_what_runs_is_asked_with_all_that_is_below(server: Server, store: Store) -> None:
    """With a body or without; asked twice it stays as it was."""
    first, _ = batch_of(store, 2)
    store.append([started("b", "rb"), started(first, "r1", "b")])
    for body in (b"", {}, {"terminate": False}, {"terminate": True}):
        answer = server.post(f"{OPERATIONS}/b/cancel", body)
        assert (answer.status, answer.json["status"]) == (202, "running")
    children = server.get(f"{OPERATIONS}/b/children").json["items"]
    assert [(child["status"], child["cancel"]["by"]) for child in children] == [
        ("running", "http 127.0.0.1"),
        ("cancelled", "http 127.0.0.1"),
    ]


def test_what_has_failed_is_queued_once_more(server: Server, store: Store) -> None:
    """With its address, one message, and for who resumes, what is expected of it."""
    failed(store)
    answer = server.ask("POST", f"{OPERATIONS}/a/resume")
    assert (answer.status, answer.headers["location"]) == (202, f"{OPERATIONS}/a")
    assert (answer.json["id"], answer.json["status"], answer.json["attempt"]) == ("a", "queued", 1)
    assert answer.json["expected"]["summary"] == "nothing can be reused, so every step runs"
    assert messages_in(store) == 1
    failed(store, "c")
    answer = server.post(f"{OPERATIONS}/c/rerun", {})
    assert (answer.status, answer.json["status"], messages_in(store)) == (202, "queued", 2)
    assert "expected" not in answer.json
    assert [found["status"] for found in server.get(f"{OPERATIONS}/c/attempts").json["items"]] == ["error"]


@pytest.mark.parametrize("verb", ["resume", "rerun"])
def test_what_cannot_run_again_is_refused_with_the_reason(server: Server, store: Store, verb: str) -> None:
    """409, and nothing is stored or sent."""
    store.append([a_job("waits"), started("script", "rs"), ended("script", Status.ERROR, "rs")])
    failed(store, "masked", whole=False)
    failed(store, "gone", name="gone")
    failed(store, "idle", name="idle")
    reasons = {"waits": "is queued", "script": "nothing here", "masked": "masked", "gone": "no worker has published"}
    before = store.client.redis.xlen(store.keys.feed)
    for id, why in reasons.items():
        answer = server.ask("POST", f"{OPERATIONS}/{id}/{verb}")
        assert (answer.status, answer.json["type"]) == (409, "/problems/cannot-run-again")
        assert why in answer.json["detail"]
    assert server.ask("POST", f"{OPERATIONS}/idle/{verb}").json["type"] == "/problems/no-worker"
    assert server.ask("POST", f"{OPERATIONS}/never/{verb}").status == 404
    assert (messages_in(store), store.client.redis.xlen(store.keys.feed)) == (0, before)


def test_other_code_resumes_only_by_force(server: Server, store: Store) -> None:
    """What was kept is of the release before; starting over needs no word about it."""
    store.publish_jobs("alive", [JobInfo("copy", SCHEMA, queue_of(store.keys.namespace), "2.0")])
    for id in "abc":
        failed(store, id)
    refused = server.ask("POST", f"{OPERATIONS}/a/resume")
    assert (refused.status, "now run '2.0'" in refused.json["detail"]) == (409, True)
    forced = server.post(f"{OPERATIONS}/b/resume", {"force": True})
    assert (forced.status, server.ask("POST", f"{OPERATIONS}/c/rerun").status) == (202, 202)


def test_what_resuming_would_do_is_told_before(server: Server, store: Store) -> None:
    """As the POST says it, the refusal too, and nothing is stored or sent."""
    failed(store)
    failed(store, "masked", whole=False)
    store.append([a_job("b", batch=True), *(a_job(f"b.{n}", parent="b", index=n) for n in (1, 2)), Seal("b", 2)])
    store.append([started("b", "rb"), ended("b", run="rb"), started("b.1", "r1", "b"), started("b.2", "r2", "b")])
    store.append([ended("b.1", Status.ERROR, "r1", parent="b"), ended("b.2", run="r2", parent="b")])
    before = store.client.redis.xlen(store.keys.feed)
    for id in ("a", "b"):
        told = server.get(f"{OPERATIONS}/{id}/resume")
        assert (told.status, messages_in(store), store.client.redis.xlen(store.keys.feed)) == (200, 0, before)
    assert told.json["expected"] == {
        "summary": "1 child runs again",
        "step": 0,
        "name": "",
        "reused": 0,
        "children": 1,
    }
    refused = server.get(f"{OPERATIONS}/masked/resume")
    assert (refused.status, refused.json["type"]) == (409, "/problems/cannot-run-again")
    assert refused.json["detail"] == server.ask("POST", f"{OPERATIONS}/masked/resume").json["detail"]
    told = server.get(f"{OPERATIONS}/a/resume").json["expected"]
    assert server.ask("POST", f"{OPERATIONS}/a/resume").json["expected"] == told
    assert server.get(f"{OPERATIONS}/never/resume").status == 404


BODIES: list[tuple[str, Any, int]] = [
    ("cancel", {"terminate": 1}, 422),
    ("cancel", {"force": True}, 422),
    ("resume", {"force": "yes"}, 422),
    ("resume", {"terminate": True}, 422),
    ("rerun", {"force": True}, 422),
    ("rerun", [], 422),
    ("cancel", b"{", 400),
    ("cancel", b" " * 20_000, 413),
]


@pytest.mark.parametrize(("verb", "body", "status"), BODIES)
def test_a_bad_body_is_refused_and_nothing_is_done(
    server: Server, store: Store, verb: str, body: Any, status: int
) -> None:
    """And so is a parameter, and a page of another site."""
    store.append([a_job("a")])
    assert server.post(f"{OPERATIONS}/a/{verb}", body).status == status
    assert server.ask("POST", f"{OPERATIONS}/a/{verb}?force=1").status == 400
    assert server.ask("POST", f"{OPERATIONS}/a/{verb}", headers={"Origin": "http://evil.example"}).status == 403
    assert server.ask("POST", f"{OPERATIONS}/a/{verb}", b"{}", {"Content-Type": "text/plain"}).status == 415
    assert store.status("a") is Status.QUEUED
