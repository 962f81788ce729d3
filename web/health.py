"""Is the process alive, can work be queued and watched, and how is the system doing?"""

from __future__ import annotations

from typing import Literal

import msgspec
from flask import Blueprint, Response

from tracker.errors import StoreUnavailable
from web.metrics import MEDIA
from web.problems import not_ready
from web.routes import reply, route
from web.site import site

blueprint = Blueprint("health", __name__)

WANTED = {
    "redis": "Redis does not answer; check that it runs and that TRACKER_REDIS_URL is right",
    "following": "the live events are not being followed yet",
    "workers": "no live worker has published a job; start one with `tracker worker`",
}


class Health(msgspec.Struct):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(msgspec.Struct):
    """``workers`` run the job that has most of them; ``watching`` live connections are open."""

    redis: bool
    following: bool
    workers: int
    watching: int


@route(blueprint, "GET", "/healthz", answer=Health)
def healthz() -> Response:
    """200 as long as the process answers."""
    return reply(Health())


@route(blueprint, "GET", "/readyz", answer=Readiness, problems=("not-ready",))
def readyz() -> Response:
    """200 when Redis answers, the live events are followed and a worker runs jobs; else 503 naming what is missing."""
    hub = site().hub
    hub.start()
    workers = _workers()
    found = Readiness(workers is not None, hub.following, workers or 0, site().watching)
    missing = {name: text for name, text in WANTED.items() if not getattr(found, name)}
    if missing:
        raise not_ready(missing, msgspec.structs.asdict(found))
    return reply(found)


@route(blueprint, "GET", "/metrics", answer=str, media=("text/plain",))
def metrics() -> Response:
    """Numbers for Prometheus; what it says of Redis and the archive may be some seconds old."""
    return Response(site().metrics.text(), mimetype=MEDIA)


def _workers() -> int | None:
    """Live workers of the job that has most of them; ``None`` while Redis does not answer."""
    try:
        site().store.ping()
        return max((job.workers for job in site().history.jobs()), default=0)
    except StoreUnavailable:
        return None
