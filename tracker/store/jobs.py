"""The jobs that live workers publish: the allow-list of what may be queued from outside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from tracker.complaints import Complaints
from tracker.store.client import Client
from tracker.store.decoding import SENSELESS, named
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


class JobWorker(msgspec.Struct):
    """A worker that waits for jobs: its name, ``age`` in seconds since its last sign of life, and the jobs it runs."""

    name: str
    age: float
    jobs: list[str]


_job = msgspec.json.Decoder(JobInfo).decode


class Jobs:
    """Reads and writes the published jobs of one namespace."""

    def __init__(self, client: Client, keys: Keys, complaints: Complaints) -> None:
        self._client = client
        self._keys = keys
        self._complaints = complaints

    def publish(self, worker: str, jobs: Sequence[JobInfo]) -> None:
        """Say that ``worker`` is alive and runs ``jobs``; counts for ``WORKER_LIFE`` seconds.

        Redis counts them, so no two machines' clocks are compared.
        """
        names, life = self._keys.worker_jobs(worker), int(WORKER_LIFE)
        with self._client.answering() as redis:
            pipe = redis.pipeline(transaction=True)
            pipe.delete(names)
            for job in jobs:
                pipe.hset(self._keys.jobs, job.name, msgspec.json.encode(job))
                pipe.sadd(names, job.name)
            pipe.expire(names, life)
            pipe.sadd(self._keys.workers, worker)
            pipe.execute()

    def is_alive(self, worker: str) -> bool:
        """Whether the last word of ``worker`` counts."""
        with self._client.answering() as redis:
            return bool(redis.exists(self._keys.worker_jobs(worker)))

    def withdraw(self, worker: str) -> None:
        """``worker`` ends; its jobs stay known, with one live worker less."""
        with self._client.answering() as redis:
            redis.delete(self._keys.worker_jobs(worker))
            redis.srem(self._keys.workers, worker)

    def all(self) -> list[JobInfo]:
        """Every job ever published, by name, with the number of live workers that run it."""
        with self._client.answering() as redis:
            published = redis.hgetall(self._keys.jobs)
            running = self._running(redis)
        jobs = [job for name, value in published.items() for job in self._read(named(name), value)]
        for job in jobs:
            job.workers = sum(job.name.encode() in names for names in running)
        return sorted(jobs, key=lambda job: job.name)

    def _read(self, name: str, value: bytes) -> Iterator[JobInfo]:
        try:
            yield _job(value)
        except SENSELESS as error:
            self._complaints.say("job", f"what is published of the job {name!r} cannot be read: {error}")

    def workers(self) -> list[JobWorker]:
        """Every live worker by name."""
        with self._client.answering() as redis:
            names = sorted(named(name) for name in redis.smembers(self._keys.workers))
            pipe = redis.pipeline(transaction=False)
            for name in names:
                pipe.pttl(self._keys.worker_jobs(name))
                pipe.smembers(self._keys.worker_jobs(name))
            rows = pipe.execute() if names else []
        lives = zip(names, rows[::2], rows[1::2], strict=True)
        return [
            JobWorker(name, max(0.0, WORKER_LIFE - left / 1000), sorted(named(job) for job in jobs))
            for name, left, jobs in lives
            if left > 0
        ]

    def _running(self, redis: Any) -> list[set[bytes]]:
        """What each live worker runs; workers whose word has run out are forgotten."""
        workers = [named(name) for name in redis.smembers(self._keys.workers)]
        pipe = redis.pipeline(transaction=False)
        for worker in workers:
            pipe.smembers(self._keys.worker_jobs(worker))
        running: list[set[bytes]] = pipe.execute() if workers else []
        silent = [worker for worker, names in zip(workers, running, strict=True) if not names]
        if silent:
            redis.srem(self._keys.workers, *silent)
        return running
