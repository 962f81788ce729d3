"""The allow-list of jobs: what live workers publish, and how long their word counts."""

from __future__ import annotations

from tracker.store import JobInfo, Store


def job(name: str) -> JobInfo:
    return JobInfo(name, {"type": "object"}, "queue", description="Does something.")


def live(store: Store) -> dict[str, int]:
    return {info.name: info.workers for info in store.jobs()}


def test_jobs_are_listed_with_the_number_of_workers_that_run_them(store: Store) -> None:
    """Two workers may run different jobs."""
    store.publish_jobs("one", [job("a"), job("b")])
    store.publish_jobs("two", [job("b")])
    assert live(store) == {"a": 1, "b": 2}


def test_publishing_again_replaces_what_a_worker_said_before(store: Store) -> None:
    """A job it runs no longer stays known, without a worker."""
    store.publish_jobs("one", [job("a"), job("b")])
    store.publish_jobs("one", [job("a")])
    assert live(store) == {"a": 1, "b": 0}


def test_a_worker_that_withdraws_counts_no_more(store: Store) -> None:
    """At once, not when its word runs out."""
    store.publish_jobs("one", [job("a")])
    store.withdraw_worker("one")
    assert live(store) == {"a": 0}


def test_a_worker_that_says_nothing_any_more_is_forgotten(store: Store) -> None:
    """Redis lets its word run out; nobody compares clocks."""
    store.publish_jobs("one", [job("a")])
    names = store.keys.worker_jobs("one")
    assert 0 < store.client.redis.ttl(names) <= 30
    store.client.redis.pexpire(names, 0)
    assert live(store) == {"a": 0}
    assert store.client.redis.scard(store.keys.workers) == 0
