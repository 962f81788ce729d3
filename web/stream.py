"""Live messages as server-sent events: ``GET /api/v1/stream``, for clients that cannot speak WebSocket."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Annotated

import msgspec
from flask import Blueprint, Response, request

from tracker.ids import ID
from web import security, shim, topics
from web.limits import SOCKET_TOPICS
from web.live import leave_seat, take_seat
from web.messages import frame
from web.outlet import RETURN_AFTER, Outlet
from web.problems import invalid_query
from web.queries import Query
from web.routes import route
from web.site import Site, site

MEDIA = "text/event-stream"

CURSOR = re.compile(r'^\{"type":"[a-z]+","topic":"[^"]*","cursor":"([0-9.-]+)"')
"""Where a frame says how far a topic has been told. A heartbeat's cursor may be ahead of what waits to be sent."""

TOPIC = f"(operations|(operation|children):{ID.pattern})"

Topics = Annotated[
    str,
    msgspec.Meta(
        pattern=f"^{TOPIC}(,{TOPIC}){{0,{SOCKET_TOPICS - 1}}}$",
        description="what to watch: `operations`, `operation:<id>`, `children:<id>`, or several with commas between",
    ),
]

blueprint = Blueprint("stream", __name__)


class StreamQuery(Query, frozen=True):
    """What to watch."""

    topic: Topics = "operations"


@route(
    blueprint,
    "GET",
    "/api/v1/stream",
    query=StreamQuery,
    answer=str,
    media=(MEDIA,),
    problems=("cross-site", "stopping", "busy"),
)
def stream(query: StreamQuery) -> Response:
    """The messages of the live protocol about some topics, as server-sent events.

    Each begins with a snapshot. A single topic has none if the header ``Last-Event-ID`` says that the client has all
    there is; of several, a cursor tells of one only.
    """
    security.check_site()
    wanted = query.topic.split(",")
    if not all(map(topics.is_topic, wanted)):  # The pattern of a schema may take a line's end as well.
        raise invalid_query("topic", "a topic is operations, operation:<id> or children:<id>")
    parts = site()
    take_seat(parts)
    shim.limit_unread(request.environ, parts.limits.unread)
    cursor = request.headers.get("Last-Event-ID", "") if len(wanted) == 1 else ""
    messages = _messages(parts, wanted, cursor)
    response = Response(messages, mimetype=MEDIA, headers={"X-Accel-Buffering": "no"})
    response.call_on_close(lambda: leave_seat(parts))
    return response


def _messages(parts: Site, wanted: list[str], cursor: str) -> Iterator[str]:
    woken = threading.Event()
    outlet = Outlet(parts, woken.set)
    try:
        yield f"retry: {RETURN_AFTER * 1000:.0f}\n\n{event(frame(outlet.hello()))}"
        for topic in wanted:
            outlet.subscribe(topic, cursor)
        while not outlet.is_over:
            woken.clear()
            yield from map(event, outlet.due())
            woken.wait(outlet.pause())
        yield event(frame(outlet.bye()))
    finally:
        outlet.leave()


def event(text: str) -> str:
    """A frame as a server-sent event; its cursor is the event's id.

    >>> event('{"type":"events","topic":"operations","cursor":"1-2","events":[]}')
    'id: 1-2\\ndata: {"type":"events","topic":"operations","cursor":"1-2","events":[]}\\n\\n'
    """
    cursor = CURSOR.match(text)
    return (f"id: {cursor[1]}\n" if cursor else "") + f"data: {text}\n\n"
