"""``/metrics``: how the system is doing, for Prometheus. Reads a bounded part of what is stored, every few seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from tracker.errors import ArchiveUnavailable, StoreUnavailable
from tracker.history import History, Measures, Summary
from tracker.model import Status
from web.lately import Lately
from web.seats import Seats

MEDIA = CONTENT_TYPE_LATEST

NAMES = 50
"""Names that have numbers of their own; all others are added up under ``OTHER``."""

OTHER = "other"

STEPS = 50
"""Most steps of a name."""

LIVE, ARCHIVED = 5.0, 60.0
"""Seconds for which what was read of Redis, and of the archive, is good enough."""

QUANTILES = (0.5, 0.95)

Family = GaugeMetricFamily | CounterMetricFamily


class Metrics(Collector):
    """The numbers of one application, in a registry of their own."""

    def __init__(self, history: History, *seats: Seats) -> None:
        self._seats = seats
        self._live = Lately(history.measures, LIVE)
        self._archived = Lately(history.summaries, ARCHIVED)
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def text(self) -> bytes:
        """All of them, in Prometheus's text format."""
        return generate_latest(self._registry)

    def describe(self) -> list[Family]:
        """Nothing in advance: that would read everything while the application is made."""
        return []

    def collect(self) -> Iterator[Family]:
        """What can be read now; ``tracker_up`` says whether Redis answered."""
        yield _gauge("live_connections", "live connections that are open", sum(seats.taken for seats in self._seats))
        try:
            found = self._live.get()
        except StoreUnavailable:
            yield _gauge("up", "whether Redis answers", 0)
        else:
            yield _gauge("up", "whether Redis answers", 1)
            yield from _live(found)
        try:
            yield from _archived(self._archived.get())
        except (ArchiveUnavailable, StoreUnavailable):
            yield _gauge("archive_up", "whether the archive can be read", 0)
        else:
            yield _gauge("archive_up", "whether the archive can be read", 1)


def _live(found: Measures) -> Iterator[Family]:
    upkeep = found.upkeep
    operations = GaugeMetricFamily(
        "tracker_operations", "newest operations in Redis; a batch counts as its children", labels=["name", "status"]
    )
    for (name, status), count in sorted(_bounded(found.operations).items()):
        operations.add_metric([name, status], count)
    yield operations
    waits = GaugeMetricFamily(
        "tracker_queue_wait_seconds", "how long the newest operations waited for a worker", labels=["quantile"]
    )
    for share in QUANTILES if found.waits else ():
        waits.add_metric([str(share)], found.waits[int(share * (len(found.waits) - 1))])
    yield waits
    yield _gauge(
        "oldest_queued_seconds",
        "for how long the longest-queued operation might have begun",
        found.oldest_queued,
    )
    yield _gauge("workers", "workers that wait for jobs", found.workers)
    yield _gauge("processes", "processes that execute tracked runs", found.processes)
    yield _gauge("spool_bytes", "what waits on the disks of these processes", found.spool)
    yield _gauge("runs_dropped", "runs of which these processes could not store the end", found.dropped)
    yield _gauge("recorder_active", "whether a recorder is active", upkeep.recorder)
    yield _gauge("recorder_lag_seconds", "since when the oldest ended operation waits to leave Redis", upkeep.oldest)
    yield _gauge("late_waiting", "replayed blobs that wait for the recorder", upkeep.late)
    yield _gauge("finished_bytes", "what ended operations take in Redis", upkeep.bytes)
    yield CounterMetricFamily("tracker_late_dropped", "replayed blobs that found no room", upkeep.dropped)
    yield CounterMetricFamily("tracker_trimmed", "ended operations removed for want of room or time", upkeep.trimmed)


def _archived(summaries: Sequence[Summary]) -> Iterator[Family]:
    runs = GaugeMetricFamily("tracker_finished_runs", "finished runs in the archive", labels=["name", "status"])
    steps = GaugeMetricFamily(
        "tracker_step_duration_seconds",
        "how long a step took in the last successful runs",
        labels=["name", "step", "quantile"],
    )
    for summary in summaries:
        for status in (Status.COMPLETE, Status.ERROR, Status.CANCELLED, Status.LOST):
            runs.add_metric([summary.name, status], getattr(summary, status))
        for step in summary.steps[:STEPS]:
            steps.add_metric([summary.name, step.name, "0.5"], step.p50)
            steps.add_metric([summary.name, step.name, "0.95"], step.p95)
    yield runs
    yield steps


def _bounded(operations: dict[tuple[str, Status], int]) -> dict[tuple[str, Status], int]:
    """Names with the most operations keep their numbers."""
    totals: Counter[str] = Counter()
    for (name, _), count in operations.items():
        totals[name] += count
    kept = {name for name, _ in totals.most_common(NAMES)}
    found: Counter[tuple[str, Status]] = Counter()
    for (name, status), count in operations.items():
        found[name if name in kept else OTHER, status] += count
    return found


def _gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"tracker_{name}", meaning, value=value)
