"""What can be read of the system itself: jobs, workers, statistics, notices, and the description of the API."""

from __future__ import annotations

import msgspec
from flask import Blueprint, Response

from tracker.errors import StoreUnavailable
from tracker.history import Everywhere, Summary, WorkerInfo
from tracker.store import JobInfo
from web import openapi
from web.api import READING, OnePage
from web.queries import StatsQuery, WhereaboutsQuery
from web.routes import ROUTES, reply, route
from web.site import site

blueprint = Blueprint("system", __name__)


@route(blueprint, "GET", "/api/v1/jobs", answer=OnePage[JobInfo], problems=("store-unavailable",))
def jobs() -> Response:
    """Every job that may be queued, with its argument schema and the number of its live workers."""
    return reply(OnePage(site().history.jobs()))


@route(blueprint, "GET", "/api/v1/workers", answer=OnePage[WorkerInfo], problems=("store-unavailable",))
def workers() -> Response:
    """The workers that wait for jobs, and every process that executes tracked runs now, with its last sign of life."""
    return reply(OnePage(site().history.workers()))


@route(
    blueprint,
    "GET",
    "/api/v1/whereabouts",
    query=WhereaboutsQuery,
    answer=Everywhere,
    problems=("store-unavailable",),
)
def whereabouts(query: WhereaboutsQuery) -> Response:
    """For each name, how many running operations stand at which step, as it was at most a second ago."""
    return reply(site().survey.get().everywhere(query.below))


@route(blueprint, "GET", "/api/v1/stats", query=StatsQuery, answer=OnePage[Summary], problems=READING)
def stats(query: StatsQuery) -> Response:
    """How the finished runs of each name ended, and how long they took; at most 50 names, of the last days."""
    return reply(OnePage(site().history.summaries(query.name, query.days)))


@route(blueprint, "GET", "/api/v1/notices", answer=OnePage[str], problems=READING)
def notices() -> Response:
    """What people should know about the answers they get here; empty when all is well."""
    return reply(OnePage(site().history.notices()))


@route(blueprint, "GET", "/openapi.json", answer=dict[str, msgspec.Raw])
def description() -> Response:
    """This description, with the arguments of the jobs that may be queued now."""
    try:
        published = site().history.jobs()
    except StoreUnavailable:
        published = []
    parts = site()
    base, has_tokens = parts.settings.base_path, parts.tokens is not None
    return reply(openapi.document(ROUTES, published, parts.version, base, has_tokens=has_tokens))
