"""The jobs that live workers publish: the allow-list of what may be queued from outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from tracker.clock import now
from tracker.store.client import Client
from tracker.store.keys import Keys

WORKER_LIFE = 30.0
"""Seconds for which a worker's word counts; it renews it every ``WORKER_LIFE / 3``."""


class JobInfo(msgspec.Struct):
    """A job as its workers describe it; ``schema`` is the JSON Schema of its arguments."""

    name: str
    schema: dict[str, Any]
    queue: str
    release: str = ""
    description: str = ""
    workers: int = 0


class Jobs:
    """Reads and writes the published jobs of one namespace."""

    def __init__(self, client: Client, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    def publish(self, worker: str, jobs: Sequence[JobInfo]) -> None:
        """Say that ``worker`` is alive and runs ``jobs``; counts for ``WORKER_LIFE`` seconds."""
        with self._client.answering() as redis:
            pipe = redis.pipeline(transaction=True)
            for job in jobs:
                pipe.hset(self._keys.jobs, job.name, msgspec.json.encode(job))
            pipe.delete(self._keys.worker_jobs(worker))
            if jobs:
                pipe.sadd(self._keys.worker_jobs(worker), *[job.name for job in jobs])
            pipe.expire(self._keys.worker_jobs(worker), int(WORKER_LIFE * 2))
            pipe.zadd(self._keys.workers, {worker: now() + WORKER_LIFE})
            pipe.execute()

    def withdraw(self, worker: str) -> None:
        """``worker`` ends; its jobs stay known, with one live worker less."""
        with self._client.answering() as redis:
            redis.zrem(self._keys.workers, worker)

    def all(self) -> list[JobInfo]:
        """Every job ever published, by name, with the number of live workers that run it."""
        with self._client.answering() as redis:
            published = redis.hgetall(self._keys.jobs)
            workers = [name.decode() for name in redis.zrangebyscore(self._keys.workers, now(), "+inf")]
            running = [redis.smembers(self._keys.worker_jobs(name)) for name in workers]
        jobs = [msgspec.json.decode(value, type=JobInfo) for value in published.values()]
        for job in jobs:
            job.workers = sum(job.name.encode() in names for names in running)
        return sorted(jobs, key=lambda job: job.name)
