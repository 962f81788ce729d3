"""Live messages as server-sent events: ``GET /api/v1/stream``, for clients that cannot speak WebSocket."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from typing import Annotated

import msgspec
from flask import Blueprint, Response, request

from tracker.history import topics
from tracker.ids import ID
from web import access, security, shim
from web.limits import SOCKET_TOPICS
from web.live import take_seat
from web.outlet import RETURN_AFTER, Outlet
from web.problems import invalid_query
from web.queries import Query
from web.routes import route
from web.site import Site, site

MEDIA = "text/event-stream"

CURSOR = re.compile(rb'^\{"type":"[a-z]+","topic":"[^"]*","cursor":"([0-9.-]+)"')
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
    take_seat(parts, parts.streams)
    shim.limit_unread_answer(request.environ, parts.limits.unread)
    cursor = request.headers.get("Last-Event-ID", "") if len(wanted) == 1 else ""
    messages = _messages(parts, wanted, cursor, access.admission())
    response = Response(messages, mimetype=MEDIA, headers={"X-Accel-Buffering": "no"})
    response.call_on_close(parts.streams.leave)
    return response


def _messages(parts: Site, wanted: list[str], cursor: str, admitted: Callable[[], bool]) -> Iterator[bytes]:
    woken = threading.Event()
    outlet = Outlet(parts, woken.set, admitted)
    try:
        yield b"retry: %d\n\n%b" % (RETURN_AFTER * 1000, event(outlet.hello().text))
        for topic in wanted:
            outlet.subscribe(topic, cursor)
        while not (outlet.is_over or outlet.is_barred):
            woken.clear()
            yield from (event(frame.text) for frame in outlet.due())
            woken.wait(outlet.pause())
        yield event(outlet.bye().text)
    finally:
        outlet.leave()


def event(text: bytes) -> bytes:
    """A message as a server-sent event; its cursor is the event's id.

    >>> event(b'{"type":"events","topic":"operations","cursor":"1-2","events":[]}')
    b'id: 1-2\\ndata: {"type":"events","topic":"operations","cursor":"1-2","events":[]}\\n\\n'
    """
    cursor = CURSOR.match(text)
    return (b"id: %b\n" % cursor[1] if cursor else b"") + b"data: %b\n\n" % text
