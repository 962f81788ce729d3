"""Leases, and what the append script makes of silence and of life, on a real server."""

from __future__ import annotations

import random

import pytest
from msgspec.structs import replace

from tests.store.making import NOW, batch_of, by, ended, lease, queued, started, step_event
from tests.store.revs import begun, feed
from tracker.compose import apply, compose
from tracker.model import Children, Operation, Parts, Status, Verdict
from tracker.store import Answer, Lease, LiveRun, RunBlob, Silence, Store, VerdictItem


def operation(store: Store, id: str) -> Operation:
    parts = store.operation(id)
    assert parts is not None
    return compose(parts)


def seen(store: Store, id: str) -> tuple[Status, list[str]]:
    found = operation(store, id)
    return found.status, found.flags


def silence(id: str, run: str, *, process: str = "p", count: int | None = 1, lost: bool = False) -> Silence:
    """What the recorder makes of a run that is silent."""
    status, flags = (Status.LOST, []) if lost else (Status.RUNNING, ["unresponsive"])
    return Silence(process, count, id, Verdict(status, NOW, "recorder", run=run, reason="silent", flags=flags))


def lost(id: str, run: str, process: str = "p") -> Silence:
    return silence(id, run, process=process, lost=True)


def open_run(store: Store, id: str = "a", run: str = "r1", process: str = "p", parent: str = "") -> None:
    """A run that its process lists in its lease."""
    store.append([by(process, started(id, run, parent=parent)), lease(process, run)])


def watched(store: Store, id: str) -> Operation:
    """The operation as somebody sees it who heard every change and never read it."""
    parts = Parts(id, begun(store, id))
    for change in feed(store):
        if change.operation == id:
            assert change.first_rev == parts.rev + 1, "rev has a hole"
            for rev, event in enumerate(change.events, change.first_rev):
                apply(parts, event, rev, change.attempt)
        if change.parent == id and change.children is not None:
            parts.children = change.children
    return compose(parts)


# ---- leases --------------------------------------------------------------------------------------


def test_a_renewal_is_counted_and_seen_by_the_clock_of_redis(store: Store) -> None:
    """The answer tells the process what time it is there."""
    store.append([lease("p", "r1")])
    (answer,) = store.append([lease("p", "r1", "r2")])
    (held,) = store.leases()
    seconds, _ = store.client.redis.time()
    assert (held.process, held.count, held.runs) == ("p", 2, ["r1", "r2"])
    assert (held.about.host, held.about.pid) == ("node-1", 4711)
    assert held.seen == pytest.approx(answer.number / 1e6, abs=1e-3)
    assert answer.kind == "stored"
    assert 0 <= seconds - int(held.seen) <= 60
    assert 0 <= held.age <= 60


def test_a_lease_that_is_given_back_is_gone(store: Store) -> None:
    """And nothing of it is left."""
    store.append([lease("p", "r1"), lease("q", "r2"), lease("p")])
    assert [held.process for held in store.leases()] == ["q"]
    assert not store.client.redis.exists(store.keys.lease("p"))


def test_a_lease_nobody_renews_leaves_by_itself(store: Store) -> None:
    """Also from the list of all, which any other process's renewal keeps."""
    redis = store.client.redis
    store.append([lease("dead", "r1")])
    assert 0 < redis.ttl(store.keys.lease("dead")) <= 86400
    assert 0 < redis.ttl(store.keys.leases) <= 86400
    redis.zincrby(store.keys.leases, -86401, "dead")
    store.append([lease("p", "r2")])
    assert redis.zrange(store.keys.leases, 0, -1) == [b"p"]


def test_leases_come_with_the_longest_silent_first(store: Store) -> None:
    """However many there are."""
    names = [f"p{index:04}" for index in range(1_200)]
    store.append([lease(name, "r") for name in names])
    assert {held.process for held in store.leases()} == set(names)
    seen = [held.seen for held in store.leases()]
    assert seen == sorted(seen)


def calls(store: Store) -> int:
    """Commands that the server has executed, also inside of scripts."""
    stats = store.client.redis.info("commandstats")
    return sum(stat["calls"] for name, stat in stats.items() if name != "cmdstat_info")


def test_a_renewal_costs_at_most_two_reads_for_each_run(store: Store) -> None:
    """As long as none of them was judged; nothing is written for them."""
    store.append([lease("p", "r")])
    costs = []
    for number in (1, 1_000):
        before = calls(store)
        store.append([lease("p", *(f"r{index}" for index in range(number)))])
        costs.append(calls(store) - before)
    assert costs[1] - costs[0] <= 2 * 999


def test_a_renewal_says_of_which_runs_less_is_stored_than_was(store: Store) -> None:
    """All of them are alive; one was never heard of here, of one the last events are missing."""
    open_run(store, "a", "whole")
    open_run(store, "b", "behind")
    about = lease("p").about
    (answer,) = store.append([Lease("p", {"whole": 1, "behind": 5, "unknown": 1, "new": 0}, about)])
    assert answer.runs == ("behind", "unknown")


# ---- live runs -----------------------------------------------------------------------------------


def test_a_run_is_live_from_its_first_blob_to_its_end(store: Store) -> None:
    """Whatever the end; a run that will be run again has ended too."""
    for id, status in (("a", Status.ERROR), ("b", Status.QUEUED)):
        open_run(store, id, f"{id}1")
        assert list(store.live_runs()) == [LiveRun(f"{id}1", id, "p")]
        store.append([by("p", ended(id, status, f"{id}1"))])
        assert list(store.live_runs()) == []


def test_a_run_without_a_process_is_never_judged(store: Store) -> None:
    """Nothing could say when it is alive no more."""
    store.append([started("a")])
    assert list(store.live_runs()) == []
    assert store.append([silence("a", "r1", process="", count=None)]) == [Answer("ignored", 0)]


def test_a_live_run_leaves_with_its_operation(redis_url: str, namespace: str) -> None:
    """Also an older one that is still alive while the newest has ended."""
    store = Store(redis_url, namespace, live_days=1)
    open_run(store)
    store.append([by("q", started("a", "r2")), by("q", ended("a", run="r2"))])
    store.client.redis.zincrby(store.keys.prefix + "ended", -2 * 86400, "a")
    store.append([started("b")])
    assert store.operation("a") is None
    assert list(store.live_runs()) == []
    store.client.disconnect()


def test_a_live_run_whose_operation_is_gone_is_forgotten(store: Store) -> None:
    """Judging it makes nothing up."""
    open_run(store)
    store.client.redis.delete(store.keys.operation("a"))
    assert store.append([lost("a", "r1")]) == [Answer("ignored", 0)]
    assert list(store.live_runs()) == []
    assert store.operation("a") is None
    assert not store.client.redis.exists(store.keys.operation("a"))


# ---- judgements ----------------------------------------------------------------------------------


def test_silence_is_shown_first_as_a_flag_then_as_lost(store: Store) -> None:
    """With the reason, and told to whoever watches."""
    open_run(store)
    assert store.append([silence("a", "r1")]) == [Answer("stored", 1)]
    assert seen(store, "a") == (Status.RUNNING, ["unresponsive"])
    assert watched(store, "a") == operation(store, "a")
    assert store.append([silence("a", "r1")]) == [Answer("duplicate", 0)]
    assert store.append([lost("a", "r1")]) == [Answer("stored", 1)]
    found = operation(store, "a")
    assert (found.status, found.flags, found.ended) == (Status.LOST, [], NOW)
    assert found.error is not None
    assert (found.error.type, found.error.message) == ("lost", "silent")
    assert watched(store, "a") == found
    assert list(store.live_runs()) == []


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_judgement_is_refused_when_the_process_has_been_heard_since(store: Store, is_lost: bool) -> None:
    """Whether it was renewed, given back or made for the first time."""
    open_run(store)
    for stale in (0, 2, None):
        assert store.append([silence("a", "r1", count=stale, lost=is_lost)]) == [Answer("ignored", 0)]
    store.append([lease("p")])
    assert store.append([silence("a", "r1", count=1, lost=is_lost)]) == [Answer("ignored", 0)]
    assert seen(store, "a") == (Status.RUNNING, [])


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_judgement_is_refused_when_the_run_has_ended_or_is_another_process_s(store: Store, is_lost: bool) -> None:
    """It came too late."""
    open_run(store)
    store.append([lease("q", "r1")])
    assert store.append([silence("a", "r1", process="q", lost=is_lost)]) == [Answer("ignored", 0)]
    assert store.append([silence("b", "r1", lost=is_lost)]) == [Answer("ignored", 0)]
    store.append([by("p", ended("a"))])
    assert store.append([silence("a", "r1", lost=is_lost)]) == [Answer("ignored", 0)]
    assert seen(store, "a") == (Status.COMPLETE, [])


def test_what_somebody_else_has_judged_is_not_judged_over(store: Store) -> None:
    """A run of a cancelled operation that falls silent is alive no more, and that is all."""
    open_run(store)
    store.append([VerdictItem("a", Status.RUNNING, Verdict(Status.CANCELLED, NOW, "api", run="r1"))])
    assert store.append([silence("a", "r1")]) == [Answer("ignored", 0)]
    assert store.append([lost("a", "r1")]) == [Answer("stored", 1)]
    assert seen(store, "a") == (Status.CANCELLED, [])
    assert list(store.live_runs()) == []
    store.append([lease("p", "r1")])
    assert seen(store, "a") == (Status.CANCELLED, [])


def test_a_run_whose_message_went_back_is_over_and_its_operation_queued(store: Store) -> None:
    """The next one is no duplicate of it."""
    open_run(store)
    store.append([VerdictItem("a", Status.RUNNING, Verdict(Status.QUEUED, NOW, "worker", run="r1"))])
    assert (seen(store, "a"), list(store.live_runs())) == ((Status.QUEUED, []), [])
    open_run(store, "a", "r2", "q")
    assert seen(store, "a") == (Status.RUNNING, [])


# ---- withdrawn by life ---------------------------------------------------------------------------


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_renewal_that_lists_the_run_withdraws_the_judgement(store: Store, is_lost: bool) -> None:
    """Watchers are told; one that does not list it changes nothing."""
    open_run(store)
    store.append([silence("a", "r1", lost=is_lost)])
    judged = seen(store, "a")
    store.append([lease("p", "another")])
    assert seen(store, "a") == judged
    store.append([lease("p", "another", "r1")])
    assert seen(store, "a") == (Status.RUNNING, [])
    assert watched(store, "a") == operation(store, "a")
    assert list(store.live_runs()) == [LiveRun("r1", "a", "p")]
    rev = operation(store, "a").rev
    store.append([lease("p", "another", "r1")])
    assert operation(store, "a").rev == rev
    assert store.append([silence("a", "r1", count=4)]) == [Answer("stored", 1)]


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_live_blob_withdraws_the_judgement_and_a_replayed_one_does_not(store: Store, is_lost: bool) -> None:
    """What a dead process left on its disk is no sign of life."""
    open_run(store)
    store.append([silence("a", "r1", lost=is_lost)])
    judged = seen(store, "a")
    store.append([replace(by("p", step_event("a", 2)), replay=True)])
    assert seen(store, "a") == judged
    store.append([by("p", step_event("a", 3))])
    assert seen(store, "a") == (Status.RUNNING, [])
    assert watched(store, "a").status is Status.RUNNING
    assert list(store.live_runs()) == [LiveRun("r1", "a", "p")]


@pytest.mark.parametrize("replay", [False, True])
@pytest.mark.parametrize("is_lost", [False, True])
def test_an_outcome_decides_whatever_was_judged_before(store: Store, is_lost: bool, replay: bool) -> None:
    """Also one from the disk of a dead process; nothing of the judgement is left."""
    open_run(store)
    store.append([silence("a", "r1", lost=is_lost)])
    store.append([replace(by("p", ended("a")), replay=replay)])
    assert seen(store, "a") == (Status.COMPLETE, [])
    assert watched(store, "a").status is Status.COMPLETE
    assert list(store.live_runs()) == []
    assert not store.client.redis.exists(store.keys.prefix + "judged:p")
    rev = operation(store, "a").rev
    store.append([lease("p", "r1")])
    assert operation(store, "a").rev == rev


def test_a_death_that_was_reported_is_not_withdrawn(store: Store) -> None:
    """The worker has seen it; what was still on its way is no sign of life."""
    open_run(store)
    store.append([silence("a", "r1"), VerdictItem("a", Status.RUNNING, Verdict(Status.LOST, NOW, "worker", run="r1"))])
    assert list(store.live_runs()) == []
    store.append([by("p", step_event("a", 2)), lease("p", "r1")])
    assert seen(store, "a") == (Status.LOST, [])


def test_an_operation_that_is_gone_is_not_brought_back_by_life(store: Store) -> None:
    """Not even as an empty shell."""
    open_run(store)
    store.append([lost("a", "r1")])
    store.client.redis.delete(store.keys.operation("a"))
    store.append([lease("p", "r1")])
    assert not store.client.redis.exists(store.keys.operation("a"))
    assert not store.client.redis.exists(store.keys.prefix + "judged:p")


def test_what_was_lost_leaves_redis_later_and_what_lives_again_does_not(store: Store) -> None:
    """It is listed as ended while it is lost; the mark of what was judged goes by itself."""
    redis = store.client.redis
    open_run(store)
    store.append([lost("a", "r1")])
    assert redis.zscore(store.keys.prefix + "ended", "a") is not None
    assert redis.ttl(store.keys.prefix + "judged:p") > 0
    store.append([lease("p", "r1")])
    assert redis.zscore(store.keys.prefix + "ended", "a") is None


# ---- two runs at once ----------------------------------------------------------------------------


def two_runs(store: Store) -> None:
    open_run(store, "a", "r1", "p")
    open_run(store, "a", "r2", "q")


def test_two_live_runs_of_an_operation_are_flagged_until_one_has_ended(store: Store) -> None:
    """Whichever it is; the older one decides nothing."""
    for first in ("r1", "r2"):
        id = f"op-{first}"
        open_run(store, id, f"{id}.r1", "p")
        assert seen(store, id) == (Status.RUNNING, [])
        open_run(store, id, f"{id}.r2", "q")
        assert seen(store, id) == (Status.RUNNING, ["duplicate"])
        assert watched(store, id) == operation(store, id)
        store.append([ended(id, run=f"{id}.{first}")])
        assert seen(store, id) == ((Status.RUNNING if first == "r1" else Status.COMPLETE), [])
        assert watched(store, id) == operation(store, id)


def test_runs_that_are_not_alive_are_not_counted_when_they_end(store: Store) -> None:
    """Those without a process, those whose end comes twice, and those that were lost."""
    store.append([started("a", "r0"), ended("a", Status.QUEUED, "r0")])
    open_run(store, "a", "rl")
    store.append([lost("a", "rl"), by("p", ended("a", Status.QUEUED, "rl")), by("p", ended("a", run="rl", seq=3))])
    store.append([by("p", started("a", "r1")), by("q", started("a", "r2"))])
    assert seen(store, "a") == (Status.RUNNING, ["duplicate"])


def test_the_flag_goes_when_one_of_two_runs_is_lost_and_comes_back_when_it_lives(store: Store) -> None:
    """The loss of an older run is not the operation's."""
    two_runs(store)
    assert store.append([silence("a", "r1")]) == [Answer("ignored", 0)]
    store.append([lost("a", "r1")])
    assert seen(store, "a") == (Status.RUNNING, [])
    assert watched(store, "a") == operation(store, "a")
    store.append([lease("p", "r1")])
    assert seen(store, "a") == (Status.RUNNING, ["duplicate"])
    assert watched(store, "a") == operation(store, "a")


def test_the_newest_of_two_runs_may_be_unresponsive_as_well(store: Store) -> None:
    """Both are said."""
    two_runs(store)
    store.append([silence("a", "r2", process="q")])
    assert seen(store, "a") == (Status.RUNNING, ["unresponsive", "duplicate"])


def test_an_older_run_that_lives_again_says_nothing_of_the_newest(store: Store) -> None:
    """Which stays as unresponsive as it was."""
    two_runs(store)
    store.append([lost("a", "r1"), silence("a", "r2", process="q"), lease("p", "r1")])
    assert seen(store, "a") == (Status.RUNNING, ["unresponsive", "duplicate"])


def test_a_new_run_of_a_silent_operation_is_not_called_unresponsive(store: Store) -> None:
    """The flag is about the run before."""
    open_run(store)
    store.append([silence("a", "r1")])
    store.append([by("q", started("a", "r2"))])
    assert seen(store, "a") == (Status.RUNNING, ["duplicate"])


def test_two_runs_one_after_the_other_are_no_duplicate(store: Store) -> None:
    """A repeated run begins when the one before has ended, or was lost."""
    open_run(store)
    store.append([by("p", ended("a", Status.QUEUED)), by("q", started("a", "r2"))])
    assert seen(store, "a") == (Status.RUNNING, [])
    store.append([silence("a", "r2", process="q", count=None, lost=True), by("p", started("a", "r3"))])
    assert seen(store, "a") == (Status.RUNNING, [])


# ---- batches -------------------------------------------------------------------------------------


def added(counts: Children) -> int:
    return counts.queued + counts.running + counts.complete + counts.error + counts.cancelled + counts.lost


def begin_all(store: Store, ids: list[str]) -> None:
    store.append([by("p", started(id, f"run-{id}", parent="b")) for id in ids])
    store.append([lease("p", *(f"run-{id}" for id in ids))])


def test_a_batch_settled_by_a_lost_child_goes_on_when_the_child_lives(store: Store) -> None:
    """And is complete in the end, if every child is."""
    ids = batch_of(store, 2)
    begin_all(store, ids)
    store.append([ended(ids[0], run=f"run-{ids[0]}", parent="b"), lost(ids[1], f"run-{ids[1]}")])
    batch = operation(store, "b")
    assert (batch.status, batch.children.lost) == (Status.ERROR, 1)
    store.append([lease("p", f"run-{ids[1]}")])
    batch = operation(store, "b")
    assert batch.status not in (Status.ERROR, Status.COMPLETE)
    assert (batch.children.running, batch.children.lost, batch.error, batch.ended) == (1, 0, None, None)
    assert store.client.redis.zscore(store.keys.prefix + "ended", "b") is None
    assert watched(store, "b") == batch
    store.append([ended(ids[1], run=f"run-{ids[1]}", parent="b")])
    batch = operation(store, "b")
    assert (batch.status, batch.children.complete) == (Status.COMPLETE, 2)
    assert watched(store, "b") == batch


def test_a_settled_batch_is_judged_anew_when_a_lost_child_s_outcome_arrives(store: Store) -> None:
    """The child goes from lost to complete at once, and nothing runs in between."""
    ids = batch_of(store, 3)
    begin_all(store, ids)
    store.append([lost(id, f"run-{id}") for id in ids])
    messages = []
    for id in ids:
        error = operation(store, "b").error
        messages.append(error and error.message)
        store.append([replace(ended(id, run=f"run-{id}", parent="b"), replay=True)])
    assert messages == [f"{number} of 3 did not complete" for number in (3, 2, 1)]
    assert operation(store, "b").status is Status.COMPLETE
    assert watched(store, "b") == operation(store, "b")


def test_a_settled_batch_stays_as_it_is_when_a_lost_child_has_failed(store: Store) -> None:
    """Nothing has changed for it: it ended when it ended."""
    (child,) = batch_of(store, 1)
    begin_all(store, [child])
    store.append([lost(child, f"run-{child}")])
    before = store.operation("b")
    store.append([ended(child, Status.ERROR, f"run-{child}", parent="b")])
    after = store.operation("b")
    assert before is not None
    assert after is not None
    assert (after.verdict, after.rev) == (before.verdict, before.rev)
    assert (after.children.lost, after.children.error) == (0, 1)


def test_a_batch_whose_dispatch_is_silent_is_still_settled_by_its_children(store: Store) -> None:
    """The flag is about the dispatch, and goes with it."""
    (child,) = batch_of(store, 1)
    store.append([by("p", started("b", "rb")), lease("p", "rb"), silence("b", "rb")])
    assert seen(store, "b") == (Status.RUNNING, ["unresponsive"])
    store.append([started(child, "rc", parent="b"), ended(child, run="rc", parent="b")])
    assert seen(store, "b") == (Status.COMPLETE, [])


def test_a_batch_whose_first_dispatch_was_lost_goes_on_when_it_lives(store: Store) -> None:
    """Also if a second one has begun."""
    batch_of(store, 1)
    store.append([by("p", started("b", "rb")), lease("p", "rb"), lost("b", "rb"), by("q", started("b", "rc"))])
    assert seen(store, "b") == (Status.RUNNING, [])
    store.append([lease("p", "rb")])
    assert seen(store, "b") == (Status.RUNNING, ["duplicate"])


def test_a_dispatch_that_fails_after_it_was_silent_fails_its_batch(store: Store) -> None:
    """What was judged before does not hide it."""
    batch_of(store, 1)
    store.append([by("p", started("b", "rb")), lease("p", "rb"), silence("b", "rb")])
    store.append([by("p", ended("b", Status.ERROR, "rb"))])
    assert seen(store, "b") == (Status.ERROR, [])
    assert store.client.redis.hget(store.keys.operation("b"), "status") == b"error"


def test_the_counts_of_a_batch_add_up_through_lost_and_back(store: Store) -> None:
    """At every look, whatever the order in which children are lost, live again and end."""
    seed = random.randrange(10**6)
    rng = random.Random(seed)
    ids = batch_of(store, 8)
    begin_all(store, ids)
    going = set(ids)
    while going:
        id = rng.choice(sorted(going))
        run = f"run-{id}"
        (held,) = store.leases()
        item: RunBlob | Silence = silence(id, run, count=held.count, lost=True)
        if rng.random() < 0.3:
            item = ended(id, rng.choice([Status.COMPLETE, Status.ERROR]), run, parent="b")
            going.remove(id)
        store.append([item if rng.random() < 0.7 or id not in going else lease("p", *(f"run-{id}" for id in going))])
        batch = operation(store, "b")
        open_ones = batch.children.queued + batch.children.running
        assert batch.children.total == added(batch.children) == 8, f"seed {seed}"
        assert (batch.ended is None) == (open_ones > 0), f"seed {seed}"
    assert watched(store, "b") == operation(store, "b")
    assert list(store.live_runs()) == []


def test_a_child_that_is_only_queued_is_not_judged(store: Store) -> None:
    """It has no run yet."""
    store.append([queued("a")])
    assert store.append([silence("a", "", count=None)]) == [Answer("ignored", 0)]
