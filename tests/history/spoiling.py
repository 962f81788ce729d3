"""Ways in which what is stored of an operation is spoiled: by damage, by another program, by a newer version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tracker.store import Store

Spoil = Callable[[Store, str], object]


class Way(NamedTuple):
    """How to spoil one operation, and the name of what cannot be read then."""

    spoil: Spoil
    field: str


def field(name: str, value: bytes) -> Way:
    """Another value of a field of its hash."""
    return Way(lambda store, id: store.client.redis.hset(store.keys.operation(id), name, value), name)


def logged(value: bytes) -> Way:
    """One more entry of its log."""
    return Way(lambda store, id: store.client.redis.rpush(store.keys.log(id), value), "log")


def overwritten(store: Store, id: str) -> None:
    """Another program has written a text under its key."""
    store.client.redis.set(store.keys.operation(id), b'{"theirs": 1}')


def log_overwritten(store: Store, id: str) -> None:
    store.client.redis.set(store.keys.log(id), b"theirs")


def result_named(store: Store, id: str) -> None:
    store.client.redis.hset(store.keys.results(id), b"\xff", b"1")


RUN = b'{"run":"r1","name":"job","title":"A title","created":1,"started":1'

HEADS = {
    "the queue part is no JSON": field("queue", b"{{"),
    "the queue part is another program's": field("queue", b'{"theirs":1}'),
    "the run is no text": field("head", b'{"run":"\xff"}'),
    "the run has a status of a newer version": field("head", RUN + b',"status":"exploded"}'),
    "the run has a wrong type": field("head", RUN + b',"total":"many"}'),
    "the verdict is a list": field("verdict", b"[1]"),
    "the request to cancel is a number": field("cancel", b"7"),
    "the counts of children are a list": field("children", b"[1]"),
    "the step that lists show makes no sense": field("current", b'{"index":"one"}'),
    "the rev is no number": field("rev", b"abc"),
    "the count of attempts is no number": field("attempt", b"1.5"),
    "nested without end": field("queue", b'{"args":' + b'{"a":' * 100_000),
    "its key holds something else": Way(overwritten, "record"),
}
"""What lists look at."""

PARTS = {
    "a step is no JSON": field("step:r1:1", b"{{"),
    "a step has a status of a newer version": field("step:r1:1", b'{"index":1,"name":"S","status":"paused"}'),
    "its run is another one": field("run", b"abc"),
    "its status is one of a newer version": field("status", b"exploded"),
    "the version of its counts is no number": field("children_version", b"abc"),
}
"""What only those look at who ask for the one operation."""

BESIDE = {
    "a line is no JSON": logged(b"1 rubbish"),
    "a line is of no attempt": logged(b'x {"number":1,"ts":1,"text":"a"}'),
    "a line is no text": logged(b'1 {"number":1,"ts":1,"text":"\xff"}'),
    "its log is something else": Way(log_overwritten, "log"),
    "a kept result has a name that is no text": Way(result_named, "results"),
}
"""What lies beside its hash."""

WAYS: dict[str, Way] = HEADS | PARTS | BESIDE


def params(ways: dict[str, Way]) -> dict[str, Any]:
    """For ``pytest.mark.parametrize("way", **params(...))``."""
    return {"argvalues": list(ways.values()), "ids": list(ways)}
