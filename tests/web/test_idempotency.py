"""A repeated POST with the same key is answered as the first one was, and does nothing twice."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from tests.faults.servers import BreakableServer
from tests.store.making import ended, go, started
from tests.support import wait_for
from tests.web.client import Answer, Server, serving, working
from tests.web.conftest import messages_in
from tracker.model import Status
from tracker.store import KnownRequest, Store

OPERATIONS, BATCHES = "/api/v1/operations", "/api/v1/batches"
COPY = {"job": "copy", "args": {"path": "a.txt"}}
TWO = {"job": "copy", "items": [{"path": "a"}, {"path": "b"}]}


def post(server: Server, key: str, body: object = COPY, path: str = OPERATIONS) -> Answer:
    return server.post(path, body, **{"Idempotency-Key": key})


@pytest.mark.parametrize(("path", "body"), [(OPERATIONS, COPY), (BATCHES, TWO)])
def test_a_repetition_gets_the_first_answer(server: Server, store: Store, path: str, body: object) -> None:
    """Status, address and body, also when the operation has moved on; nothing is queued again."""
    first = post(server, "k1", body, path)
    store.append([started(first.json["id"])])
    again = post(server, "k1", body, path)
    assert (again.status, again.body) == (202, first.body)
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotency-replayed"] == "true"
    assert messages_in(store) == 1
    assert len(store.operations().items) == 1
    assert post(server, "k2", body, path).json["id"] != first.json["id"]


@pytest.mark.parametrize("action", ["", "/cancel"])
def test_a_repetition_for_what_was_erased_does_nothing_and_tells_its_id(
    server: Server, store: Store, action: str
) -> None:
    """Who erases it wants nobody to read it any more; and nobody wants it to be done again."""
    id = post(server, "k").json["id"]
    address = f"{OPERATIONS}/{id}/cancel" if action else OPERATIONS
    body: object = {} if action else COPY
    first = post(server, "k", body, address)
    assert first.json["args"] == COPY["args"]
    store.append([started(id), ended(id)])
    assert server.ask("DELETE", f"{OPERATIONS}/{id}").status == 204
    again = post(server, "k", body, address)
    assert (again.status, again.json, again.headers["location"]) == (202, {"id": id}, first.headers["location"])
    assert messages_in(store) == 1
    assert not store.client.redis.exists(store.keys.answers_of(id))


def test_a_key_belongs_to_one_body_and_one_address(server: Server, store: Store) -> None:
    """The same key with another body is refused; at another address it is another key."""
    assert post(server, "k").status == 202
    other = post(server, "k", {"job": "copy", "args": {"path": "b.txt"}})
    assert (other.status, other.json["type"]) == (422, "/problems/idempotency-mismatch")
    assert messages_in(store) == 1
    assert post(server, "k", TWO, BATCHES).status == 202


def test_what_was_refused_leaves_its_key_free(server: Server, store: Store) -> None:
    """Nothing was done, so the mended request may use it."""
    assert post(server, "k", {"job": "copy", "args": {}}).status == 422
    assert post(server, "k").status == 202
    assert messages_in(store) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "k\tk"])
def test_a_key_that_cannot_be_used_is_refused(server: Server, store: Store, key: str) -> None:
    """400 before anything is read or queued."""
    answer = post(server, key)
    assert (answer.status, answer.json["type"]) == (400, "/problems/invalid-header")
    assert messages_in(store) == 0


def test_requests_at_the_same_time_queue_once(server: Server, store: Store) -> None:
    """One of them does the work; the others are told to wait, or get its answer."""
    gate = threading.Barrier(8)

    def ask() -> Answer:
        gate.wait()
        return post(server, "k")

    with ThreadPoolExecutor(8) as pool:
        answers = [found.result() for found in [pool.submit(ask) for _ in range(8)]]
    assert {answer.status for answer in answers} <= {202, 409}
    assert len({answer.body for answer in answers if answer.status == 202}) == 1
    for answer in answers:
        if answer.status == 409:
            assert answer.json["type"] == "/problems/idempotency-in-progress"
            assert int(answer.headers["retry-after"]) > 0
    assert messages_in(store) == 1


def test_a_try_that_ended_half_way_is_made_up_for(server: Server, store: Store) -> None:
    """Whoever was killed after storing may have sent or not: what it stored is cancelled, and never begins."""
    first = post(server, "k").json["id"]
    forget_answer(store, first)
    second = post(server, "k").json["id"]
    assert second != first
    assert (store.status(first), store.status(second)) == (Status.CANCELLED, Status.QUEUED)
    go(store, first)
    assert store.status(first) is Status.CANCELLED


def test_a_try_whose_operation_has_begun_counts(server: Server, store: Store) -> None:
    """Its message did get through."""
    first = post(server, "k").json["id"]
    forget_answer(store, first)
    store.append([started(first)])
    again = post(server, "k")
    assert (again.status, again.json["id"], again.json["status"]) == (202, first, "running")
    assert messages_in(store) == 1


def test_a_batch_that_ended_half_way_is_given_up_with_its_children(server: Server, store: Store) -> None:
    """None of them stays queued for ever, nor is run beside those of the repetition."""
    first = post(server, "k", TWO, BATCHES).json["id"]
    forget_answer(store, first)
    second = post(server, "k", TWO, BATCHES).json["id"]
    assert store.status(f"{first}.1") is store.status(f"{first}.2") is Status.CANCELLED
    assert store.status(f"{second}.1") is Status.QUEUED


def forget_answer(store: Store, operation: str) -> None:
    """As if the web server had been killed between queueing and answering."""
    names = store.client.redis.scan_iter(f"{store.keys.prefix}answer:*")
    (name,) = [name for name in names if operation.encode() in store.client.redis.get(name)]
    kept = msgspec.json.decode(store.client.redis.get(name), type=KnownRequest)
    kept.status, kept.answer, kept.location = 0, "", ""
    store.client.redis.set(name, msgspec.json.encode(kept))


def test_a_broker_that_hangs_is_answered_soon_and_the_repetition_runs_once(
    redis_url: str, namespace: str, tmp_path: Path
) -> None:
    """503 within 5 s while the broker stands still; the same request afterwards gives exactly one run.

    What was sent into the standing broker comes out of it when it goes on, after the operation has left Redis.
    """
    notes = tmp_path / "notes"
    body = {"job": "test.notes", "args": {"file": str(notes)}}
    with BreakableServer(tmp_path / "broker") as broker:
        environment = {
            "TRACKER_REDIS_URL": redis_url,
            "TRACKER_BROKER_URL": broker.url,
            "TRACKER_NAMESPACE": namespace,
            "TRACKER_STATE_DIR": str(tmp_path / "state"),
        }
        store = Store(redis_url, namespace)
        with (
            working(environment, tmp_path / "worker.log", "tests.worker.app:app"),
            serving(redis_url, namespace, tmp_path / "web.log", environment) as server,
        ):
            wait_for(lambda: any(job.workers for job in store.jobs()), 60)
            assert post(server, "before", body).status == 202
            wait_for(notes.exists)
            with broker.paused():
                begun = time.monotonic()
                hung = post(server, "k", body)
                assert (hung.status, hung.json["type"]) == (503, "/problems/broker-unavailable")
                assert time.monotonic() - begun < 5
                assert int(hung.headers["retry-after"]) > 0
                (given_up,) = store.operations(status="cancelled").items
                go(store, given_up.id)
            answer = wait_for(lambda: (found := post(server, "k", body)).status == 202 and found)
            wait_for(lambda: server.get(f"{OPERATIONS}/{answer.json['id']}").json["status"] == "complete")
            assert post(server, "after", body).status == 202
            wait_for(lambda: len(notes.read_text().splitlines()) >= 3)
        assert len(notes.read_text().splitlines()) == 3
        store.client.disconnect()
