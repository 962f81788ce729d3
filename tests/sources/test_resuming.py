"""A source that is interrupted anywhere, in front of a real feed: what comes out is whole, or says that it is not."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sources import scripts
from tests.sources.telling import by_operation, lines, turns
from tests.store.making import batch_of, ended, started
from tracker.cli.source import Source
from tracker.cli.source.direct import Direct
from tracker.cli.source.items import Events, Item, Reset, Snapshot, Tick
from tracker.cli.source.replay import LIMIT, place, read
from tracker.cli.source.resuming import followed
from tracker.errors import EventsGone, StoreUnavailable
from tracker.history import History, topics
from tracker.settings import Settings
from tracker.store import Changes, Store, View


class Interrupted(Direct):
    """Follows what was stored one change after the other, and is cut off behind some of them.

    Cut off, it hears nothing of so many changes, and then begins anew.
    """

    def __init__(self, settings: Settings, changes: Iterator[object], cuts: set[int], away: int) -> None:
        super().__init__(settings)
        self._happen = changes
        self._cuts = cuts
        self._away = away

    def follow(self, id: str | None, stop: threading.Event) -> Iterator[Item]:
        assert id is not None
        yield from self._shown(id)
        view, cursor = self._held(id), self._store.cursor()
        for number, _ in enumerate(self._happen):
            if number in self._cuts:
                for _ in range(self._away):
                    next(self._happen, None)
                yield Reset("cut off")
                yield from self._shown(id)
                view, cursor = self._held(id), self._store.cursor()
                continue
            found = self._store.events(id, cursor, 500, below=True)
            cursor = found.cursor
            for change in found.items:
                for event in view.apply(change):
                    yield Events(topics.below(id, event.operation.id), change.cursor, [event])
            yield Tick()
        yield Tick()

    def _held(self, id: str) -> View:
        view = View(self._store.operation)
        for topic in topics.of_subject(id):
            for parts in topics.read(self._history.live, topic):
                view.put(parts)
        return view

    def _shown(self, id: str) -> Iterator[Item]:
        cursor = self._store.cursor()
        for topic in topics.of_subject(id):
            yield Snapshot(topic, cursor, topics.composed(topic, topics.read(self._history.live, topic)))


def happening(store: Store, items: list[scripts.RunBlob]) -> Iterator[object]:
    for item in items:
        yield store.append([item])


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**16),
    size=st.integers(0, 4),
    number=st.integers(1, 5),
    cuts=st.sets(st.integers(0, 30), max_size=6),
    away=st.integers(0, 5),
)
def test_interruptions_cannot_be_seen(
    store: Store, shared: dict[str, str], seed: int, size: int, number: int, cuts: set[int], away: int
) -> None:
    """Random runs, cut off at random: whatever came of them is told as if nobody had been away."""
    chance = random.Random(seed)
    id = f"id-{chance.getrandbits(64):016x}-{store.cursor()}"
    children = batch_of(store, size, id) if size else []
    if not size:
        scripts.waits(store, id)
    runs = [scripts.child(child, id) for child in children] or [scripts.steps(id, number)]
    mixed = []
    while runs:
        run = chance.choice(runs)
        mixed.append(run.pop(0))
        runs = [rest for rest in runs if rest]
    source = Interrupted(Settings.from_env(shared), happening(store, mixed), cuts, away)
    told = list(followed(source, id, threading.Event()))
    expected = {child: scripts.child_seen(child) for child in children} or {id: scripts.steps_seen(id, number)}
    found = by_operation(turns(lines(told)))
    assert {one: found[one] for one in expected} == expected
    assert not any(isinstance(item, Reset) for item in told)


class Refusing(Direct):
    """Does not know what has happened: ``errors`` are raised, one each time somebody asks."""

    def __init__(self, settings: Settings, items: Iterable[Item], errors: list[Exception]) -> None:
        super().__init__(settings)
        self._items = items
        self._errors = errors

    def follow(self, id: str | None, stop: threading.Event) -> Iterator[Item]:
        yield from self._items
        for _ in range(8):
            stop.wait(0.3)
            yield Tick()

    def changes(self, id: str, after: str) -> Changes:
        if self._errors:
            raise self._errors.pop(0)
        return super().changes(id, after)


def shown(source: Source, id: str, cursor: str) -> list[Item]:
    own, below = topics.of_subject(id)
    return [Snapshot(own, cursor, [source.operation(id)]), Snapshot(below, cursor, source.children(id).items)]


def test_what_cannot_be_proved_is_one_reset_and_all_snapshots(store: Store, shared: dict[str, str], id: str) -> None:
    """Whichever topics had one, there is one reset for the watcher, in the words of the source."""
    found = Settings.from_env(shared)
    store.append([started(id)])
    before = shown(Direct(found), id, store.cursor())
    store.append([ended(id)])
    after = shown(Direct(found), id, store.cursor())
    items = [*before, Reset("lost", "a"), after[0], Reset("lost", "b"), after[1]]
    told = list(followed(Refusing(found, items, [EventsGone("gone")]), id, threading.Event()))
    assert [item for item in told if not isinstance(item, Tick)] == [*before, Reset("lost"), *after]


def test_what_cannot_be_read_at_once_is_read_later(store: Store, shared: dict[str, str], id: str) -> None:
    """There are signs of life meanwhile, and then what was missing."""
    found = Settings.from_env(shared)
    scripts.waits(store, id)
    before = shown(Direct(found), id, store.cursor())
    scripts.one_by_one(store, scripts.steps(id, 1))
    items = [*before, Reset("lost"), *shown(Direct(found), id, store.cursor())]
    source = Refusing(found, items, [StoreUnavailable("away"), StoreUnavailable("away")])
    told = list(followed(source, id, threading.Event()))
    assert by_operation(turns(lines(told))) == {id: scripts.steps_seen(id, 1)}
    assert not any(isinstance(item, Reset) for item in told)


def test_a_child_that_was_born_and_has_ended_meanwhile_is_told(store: Store, shared: dict[str, str], id: str) -> None:
    """Nobody has seen it before, and its end would be in no later change."""
    found = Settings.from_env(shared)
    store.append([started(id)])
    before = shown(Direct(found), id, store.cursor())
    scripts.one_by_one(store, scripts.child(f"{id}-child", id))
    items = [*before, Reset("lost"), *shown(Direct(found), id, store.cursor())]
    told = list(followed(Refusing(found, items, []), id, threading.Event()))
    assert by_operation(turns(lines(told)))[f"{id}-child"] == scripts.child_seen(f"{id}-child")


def test_what_has_not_moved_needs_no_proof(store: Store, shared: dict[str, str], id: str) -> None:
    """Also if the feed has let go of it long ago: nothing has happened that could be missing."""
    found = Settings.from_env(shared)
    store.append([started(id)])
    before = shown(Direct(found), id, store.cursor())
    items = [*before, Reset("lost"), *shown(Direct(found), id, store.cursor())]
    told = list(followed(Refusing(found, items, [EventsGone("gone")] * 9), id, threading.Event()))
    assert [item for item in told if not isinstance(item, Tick)] == before


def test_a_history_that_was_taken_back_is_not_mixed_with_another(store: Store, shared: dict[str, str], id: str) -> None:
    """A Redis that has lost what was told already is told as a reset."""
    found = Settings.from_env(shared)
    store.append([started(id)])
    then = shown(Direct(found), id, store.cursor())
    store.append([ended(id)])
    seen = shown(Direct(found), id, "9999999999999-0")
    told = list(followed(Refusing(found, [*seen, Reset("lost"), *then], []), id, threading.Event()))
    assert [item for item in told if not isinstance(item, Tick)] == [*seen, Reset("lost"), *then]


def test_too_much_is_not_told_again(
    store: Store, shared: dict[str, str], id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A snapshot is cheaper."""
    assert LIMIT == 5_000
    monkeypatch.setattr("tracker.cli.source.replay.LIMIT", 3)
    store.append(list(scripts.steps(id, 1)[:1]))
    scripts.one_by_one(store, scripts.steps(id, 1)[1:])
    with pytest.raises(EventsGone, match="too much to tell again"):
        read(Direct(Settings.from_env(shared)), id, "")


def test_cursors_have_an_order(store: Store, shared: dict[str, str], id: str) -> None:
    """Also within one entry of the feed, where those with a number come before the whole."""
    batch_of(store, 3, id)
    changes = History.of(Settings.from_env(shared), store).events(id, "0-0", below=True).items
    assert len(changes) == 4
    assert sorted(changes, key=lambda change: place(change.cursor)) == changes


def test_a_history_that_is_taken_back_later_is_told_as_a_reset(store: Store, shared: dict[str, str], id: str) -> None:
    """Also after something was read again that went further than what is there now."""
    found = Settings.from_env(shared)
    store.append([started(id)])
    early = shown(Direct(found), id, store.cursor())
    store.append([ended(id)])
    late = shown(Direct(found), id, store.cursor())

    def happens() -> Iterator[Item]:
        yield from [*early, Reset("cut off"), *late, Tick()]
        store.client.redis.delete(store.keys.operation(id))
        yield from [Reset("taken back"), *early]

    told = list(followed(Refusing(found, happens(), []), id, threading.Event()))
    resets = [at for at, item in enumerate(told) if isinstance(item, Reset)]
    assert [told[at] for at in resets] == [Reset("taken back")]
    assert told[resets[0] + 1 : resets[0] + 3] == early
