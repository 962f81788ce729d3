"""One real server for all tests of this folder that do not stop it or spoil its Redis."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.web.client import Server, serving
from tests.web.guarded import Guarded, guarding
from tracker.store import JobInfo, Store

SCHEMA = {
    "type": "object",
    "properties": {"path": {"type": "string"}},
    "required": ["path"],
    "additionalProperties": False,
}


@pytest.fixture(scope="session")
def shared_namespace() -> str:
    return f"web-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def shared_server(redis_url: str, shared_namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("web") / "server.log"
    with serving(redis_url, shared_namespace, log, heartbeat=0.3) as server:
        yield server


@pytest.fixture(scope="session")
def guarded(redis_url: str, shared_namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """The same with a server that wants tokens."""
    with guarding(redis_url, shared_namespace, tmp_path_factory.mktemp("guarded")) as guarded:
        yield guarded


@pytest.fixture
def store(redis_url: str, shared_namespace: str) -> Iterator[Store]:
    """The store that the server reads; its namespace is empty at the start of every test."""
    store = Store(redis_url, shared_namespace)
    redis = store.client.redis
    yield store
    for key in redis.scan_iter(f"tracker:{{{shared_namespace}}}:*"):
        # Without its feed the server would rightly say that the history is lost.
        if b":feed" not in key:
            redis.delete(key)
    redis.delete(queue_of(shared_namespace))
    store.client.disconnect()


@pytest.fixture
def server(shared_server: Server, store: Store, shared_namespace: str) -> Server:
    """The server, with a live worker that runs the job ``copy`` and a job ``idle`` that no worker runs."""
    queue = queue_of(shared_namespace)
    store.publish_jobs("gone", [JobInfo("idle", SCHEMA, queue)])
    store.withdraw_worker("gone")
    store.publish_jobs("alive", [JobInfo("copy", SCHEMA, queue, description="Copy a file.")])
    return shared_server


def queue_of(namespace: str) -> str:
    return f"queue-{namespace}"


def messages_in(store: Store) -> int:
    """Messages that wait in the broker for the jobs of these tests."""
    return int(store.client.redis.llen(queue_of(store.keys.namespace)))
