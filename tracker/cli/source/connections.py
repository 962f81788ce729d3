"""The two ways in which live messages come, and both bring the same: a WebSocket, and where those are blocked,
server-sent events. Each is read in a thread of its own, so that nobody waits for one longer than they want to.
"""

from __future__ import annotations

import http.client
import os
import queue
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from tracker.cli.source.answers import Again, no_tracker, refused
from tracker.cli.source.http import LARGEST, Http
from tracker.errors import NotAllowed, ServerUnavailable, TrackerError
from tracker.history.topics import PROTOCOL

if TYPE_CHECKING:
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import ClientConnection

OPENING = 10.0
"""Seconds a connection may take to come about, and then to say its first word."""

SILENCE = 40.0
"""Seconds without a word (heartbeats come every 15 s) after which a connection is dead."""

FAREWELL = 0.3
"""Seconds the server has to answer the closing of a connection."""

WAITING = 64
"""Messages that may wait; beyond that the server notices a slow client."""

CALM_DOWN = 10.0
"""Seconds to stay away after the server said that it was asked too much."""


class Ended(NamedTuple):
    """A connection is over. With ``blocked`` something in between does not let this kind through; with ``error`` it
    makes no sense to come back, else that is welcome after ``pause`` seconds."""

    error: TrackerError | None = None
    blocked: bool = False
    pause: float = 0.0


class Connection(ABC):
    """Brings the messages about some topics, each from its cursor on if it has one."""

    def __init__(self, http: Http, topics: Mapping[str, str]) -> None:
        self._http = http
        self._topics = dict(topics)
        self._inbox: queue.Queue[str | bytes | Ended] = queue.Queue(WAITING)
        self._closed = threading.Event()
        threading.Thread(target=self._run, name="live", daemon=True).start()

    def next(self, timeout: float) -> str | bytes | Ended | None:
        """The next message, or the end; ``None`` if there is neither for ``timeout`` seconds."""
        with suppress(queue.Empty):
            return self._inbox.get(timeout=timeout)
        return None

    def close(self) -> None:
        """End it; returns soon."""
        self._closed.set()

    @abstractmethod
    def ask(self) -> None:
        """Have the server say whether it is well, if it can be asked."""

    def _run(self) -> None:
        try:
            end = self._read()
        except Again as again:
            end = Ended(pause=again.after)
        except ServerUnavailable:
            end = Ended(blocked=True)
        except TrackerError as error:
            end = Ended(error)
        except (OSError, http.client.HTTPException, ValueError):
            end = Ended()
        self._put(end)

    @abstractmethod
    def _read(self) -> Ended:
        """Hand over all messages, and say how it ended."""

    def _put(self, item: str | bytes | Ended) -> None:
        while not self._closed.is_set():
            with suppress(queue.Full):
                self._inbox.put(item, timeout=0.5)
                return


class WebSocket(Connection):
    """The first choice."""

    _socket: ClientConnection | None = None

    def close(self) -> None:
        super().close()
        if self._socket is not None:
            self._socket.close()

    def ask(self) -> None:
        from websockets.exceptions import ConnectionClosed

        if self._socket is not None:
            with suppress(ConnectionClosed, OSError):
                self._socket.send('{"type":"ping"}')

    def _read(self) -> Ended:
        from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
        from websockets.sync.client import connect

        address, headers = self._http.address, dict(self._http.headers)
        agent = headers.pop("User-Agent")
        try:
            # The library itself takes care that the token does not follow a redirect to another host.
            with connect(
                f"{address.live}/api/v1/ws",
                additional_headers=headers,
                user_agent_header=agent,
                proxy=None if address.is_here else True,
                compression=None,
                open_timeout=OPENING,
                ping_interval=None,
                close_timeout=FAREWELL,
                max_size=LARGEST,
            ) as self._socket:
                self._listen(self._socket)
                return Ended()
        except InvalidStatus as error:
            return self._refused(error)
        except ConnectionClosed as closed:
            return self._closed_by(closed.rcvd.code if closed.rcvd else 0)
        except TimeoutError:
            return Ended(blocked=True)
        except WebSocketException:
            return Ended()

    def _listen(self, socket: ClientConnection) -> None:
        for topic, cursor in self._topics.items():
            ask = {"type": "subscribe", "topic": topic} | ({"cursor": cursor} if cursor else {})
            socket.send(msgspec.json.encode(ask).decode())
        while not self._closed.is_set():
            self._put(socket.recv())

    def _refused(self, error: InvalidStatus) -> Ended:
        answer = error.response
        where, has_token = self._http.where, self._http.has_token
        found = refused(where, answer.status_code, answer.headers, bytes(answer.body or b""), has_token=has_token)
        if isinstance(found, NotAllowed):
            return Ended(found)
        # What the server itself says is no fault of anything in between.
        is_own = isinstance(found, Again) and not isinstance(found.error, ServerUnavailable)
        return Ended(pause=found.after) if is_own and isinstance(found, Again) else Ended(blocked=True)

    def _closed_by(self, code: int) -> Ended:
        if code in (4401, 4403):
            return Ended(NotAllowed(f"{self._http.where} no longer lets this client in; check TRACKER_TOKEN"))
        if code == 4406:
            return Ended(other_version(self._http.where))
        return Ended(pause=CALM_DOWN if code == 4429 else 0.0)


class EventStream(Connection):
    """The second choice: one answer without end."""

    _line: socket.socket | None = None

    def close(self) -> None:
        super().close()
        if self._line is not None:
            with suppress(OSError):  # The thread that reads it may be through with it.
                self._line.shutdown(socket.SHUT_RDWR)

    def ask(self) -> None:
        """This way leads from the server only."""

    def _read(self) -> Ended:
        cursors = list(self._topics.values())
        headers = {"Accept": "text/event-stream"}
        if len(cursors) == 1 and cursors[0]:
            headers["Last-Event-ID"] = cursors[0]
        with self._http.open("/api/v1/stream", {"topic": ",".join(self._topics)}, headers, SILENCE) as response:
            if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
                raise no_tracker(self._http.where)
            with _line_of(response) as self._line:
                for text in _data(response):
                    self._put(text)
                    if self._closed.is_set():
                        break
        return Ended()


def _data(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """The data of each event, which this server writes on one line."""
    while line := response.readline(LARGEST):
        if line.startswith(b"data:"):
            yield line.removeprefix(b"data:").strip()


def _line_of(response: http.client.HTTPResponse) -> socket.socket:
    """The connection of an answer, to be ended by somebody else than the thread that reads the answer and closes it."""
    if response.isclosed():
        raise ConnectionResetError("the answer is over")
    return socket.socket(fileno=os.dup(response.fileno()))


def other_version(where: str, version: int | None = None) -> TrackerError:
    """Both ends have to be of the same version."""
    theirs = "another version" if version is None else f"version {version}"
    return TrackerError(
        f"{where} speaks {theirs} of the live protocol, and this command version {PROTOCOL}; "
        "update the older of the two"
    )
