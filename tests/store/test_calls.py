"""How changes are put into calls is the sender's matter: what is stored and told is the same."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from tests.store.making import NOW, by, ended, lease, queued, started, step_event, whole
from tests.store.revs import feed
from tracker.model import LogLine, Status, Verdict
from tracker.record import Record
from tracker.store import Cancel, Change, Item, Store, VerdictItem

PARENTS = {"p": "", "c1": "p", "c2": "p", "x": ""}


def story(chance: random.Random) -> list[Item]:
    """Changes of a family and a stranger, mixed: steps above all, and of everything else a little."""
    runs = [(id, run) for id in PARENTS for run in ("r1", "r2")]
    told, seqs = list[Item](), dict.fromkeys(runs, 0)
    about = runs[0]
    for _ in range(80):
        if chance.random() < 0.4:  # Else whoever has just told something goes on.
            about = chance.choice(runs)
        seqs[about] += 1
        told.append(change(chance, *about, seqs))
        if chance.random() < 0.1:
            lost = Verdict(Status.LOST, NOW, "worker", run=about[1])
            told.append(chance.choice([*told[-3:], VerdictItem(about[0], Status.RUNNING, lost)]))
    return told


def change(chance: random.Random, id: str, run: str, seqs: dict[tuple[str, str], int]) -> Item:
    seq, kind = seqs[id, run], chance.randrange(20)
    if seq == 1:
        return by("p1", started(id, run, PARENTS[id]))
    if kind == 0:
        return by("p1", ended(id, chance.choice([Status.ERROR, Status.QUEUED]), run, seq, PARENTS[id]))
    if kind == 1:
        return whole(id, seq, run)
    if kind < 5:
        seqs[id, run] -= 1
        others: list[Item] = [queued(id), Cancel(id, "ada"), lease("p1", run)]
        return others[kind - 2]
    if kind == 5:
        seqs[id, run] += 3  # Events before this one are missing.
    blob = by("p1", step_event(id, seqs[id, run], chance.randint(1, 4)))
    blob.events[0].run = run
    if kind == 6:
        blob.events[0].log = LogLine(seq, NOW, f"line {seq}")
    return replace(blob, run=run, results=[(f"key-{seq}", b"1")] if kind == 7 else [])


def one_by_one(change: Change) -> Iterator[Change]:
    """Its events by themselves: those of one operation that follow on each other in a call are told together.

    What is told beside events is told with the first of them.
    """
    for rev, event in enumerate(change.events, change.first_rev):
        is_first = event is change.events[0]
        beside = {"children": change.children, "fresh": change.fresh, "hole": change.hole} if is_first else {}
        yield Change("", change.operation, rev, change.attempt, change.parent, [event], **beside)


def everything(store: Store) -> list[Any]:
    """What is stored and was told, but for when and with which rev it began."""
    changes = [each for change in feed(store) for each in one_by_one(change)]
    begun = {change.operation: change.rev - len(change.events) for change in changes if change.fresh}
    told = [(replace_rev(change, change.rev - begun[change.operation]), change.operation) for change in changes]
    held = [(record.parts.id, record.parts.rev - begun[record.parts.id]) for record in records(store)]
    rest = [msgspec.structs.replace(record, parts=replace_rev(record.parts, 0)) for record in records(store)]
    live = sorted((run.operation, run.run) for run in store.live_runs())
    return [without_moments(msgspec.to_builtins(each)) for each in (told, held, rest, live)]


def records(store: Store) -> list[Record]:
    return store.leaving.records(list(PARENTS))


def replace_rev(value: Any, rev: int) -> Any:
    return msgspec.structs.replace(value, rev=rev)


def without_moments(value: Any) -> Any:
    """Those that the store has noted, and its cursors; all moments that were made up here are the same."""
    if isinstance(value, dict):
        return {key: without_moments(each) for key, each in value.items() if key not in ("at", "ts", "cursor")}
    if isinstance(value, list | tuple):
        return [without_moments(each) for each in value]
    return value


@pytest.mark.parametrize("seed", range(40))
def test_it_makes_no_difference_how_many_changes_come_in_a_call(redis_url: str, namespace: str, seed: int) -> None:
    """All at once, one by one, or a few at a time."""
    stores = [Store(redis_url, f"{namespace}-{number}") for number in range(3)]
    items = story(random.Random(seed))
    answers: list[list[Any]] = [[], [], []]
    for store, size, said in zip(stores, (1, 7, len(items)), answers, strict=True):
        for begin in range(0, len(items), size):
            said += [(each.kind, each.cancelled) for each in store.append(items[begin : begin + size])]
    assert answers[0] == answers[1] == answers[2]
    singly, few, at_once = map(everything, stores)
    assert few == singly
    assert at_once == singly
    for store in stores:
        store.client.disconnect()
