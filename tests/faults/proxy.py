"""A proxy that stands between a client and its Redis and breaks what goes through it, by count and on demand."""

from __future__ import annotations

import socket
import struct
import threading
from collections import Counter
from contextlib import suppress
from typing import Literal, Self
from urllib.parse import urlsplit

from tests.faults.picks import Pick
from tests.faults.resp import AnyBytes, Command, RequestScanner

Side = Literal["client", "server"]

LOOK = 0.05
"""Seconds after which a thread that is blocked in a socket looks whether its connection was ended."""

RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""For SO_LINGER: closing sends RST in place of FIN."""


class _Link:
    """One client's connection and the one to the server that belongs to it."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client
        self.server: socket.socket | None = None
        self.ended = threading.Event()
        self.spoilt = False
        self.append_is_open = False
        self.thread: threading.Thread | None = None

    def read(self, source: socket.socket) -> bytes:
        """What arrives next, nothing once the connection is over."""
        while not self.ended.is_set():
            try:
                return source.recv(1 << 18)
            except TimeoutError:
                continue
            except OSError:
                break
        return b""

    def write(self, target: socket.socket, data: bytes) -> bool:
        """Send all of it, however slowly it is taken; whether that went well."""
        rest = memoryview(data)
        while rest and not self.ended.is_set():
            try:
                rest = rest[target.send(rest) :]
            except TimeoutError:
                continue
            except OSError:
                return False
        return not rest

    def end(self, reset: bool = False) -> None:
        """Make both threads leave; the one that began the connection closes it."""
        if reset:
            with suppress(OSError):
                self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.ended.set()
        for end in filter(None, (self.client, self.server)):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RD)  # Wakes a thread that waits for data, and tells the other side nothing.

    def close(self) -> None:
        self.client.close()
        if self.server is not None:
            self.server.close()


class FaultProxy:
    """Passes everything between clients and the Redis, or web server, of ``target`` until told to break something.

    The methods named after faults may be called at any time, from any thread; each holds until ``heal()``.
    A client is expected to wait for the answer to an append before it sends the next one on that connection.
    A connection that is cut ends with RST, or in the orderly way with ``ending="fin"``.
    """

    def __init__(self, target: str, ending: Literal["reset", "fin"] = "reset") -> None:
        self.ending = ending
        self._scanner = AnyBytes if target.startswith("http") else RequestScanner
        self.connections = 0
        self.commands: Counter[str] = Counter()
        self.replies_dropped = 0
        self.requests_dropped = 0
        self.cuts = 0
        self.swallowed = 0
        self.lead_to(target)
        self._changed = threading.Condition()
        self._links: set[_Link] = set()
        self._clear()
        self._listener: socket.socket | None = None
        self._accepting: threading.Thread | None = None
        self._port = 0
        self._listen()
        parts = urlsplit(target)
        login = parts.netloc.rpartition("@")[0]
        self.url = parts._replace(netloc=f"{login}@127.0.0.1:{self._port}".lstrip("@")).geturl()

    def __repr__(self) -> str:
        """Without the password; with the seed of what is decided by chance."""
        faults = {name: value for name, value in self._faults().items() if value}
        return f"FaultProxy(127.0.0.1:{self._port} -> {self._target}, {faults}, {dict(self.commands)})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # ---- the faults ------------------------------------------------------------------------------

    def heal(self) -> None:
        """Pass everything again: what was held goes on, and who lost bytes to a black hole has to connect anew."""
        with self._changed:
            self._clear()
            self._changed.notify_all()
        self._end([link for link in self._open() if link.spoilt])
        if self._listener is None:
            self._listen()

    def delay(self, seconds: float) -> None:
        """Hold each piece of an answer for so long."""
        self._set(_delay=seconds)

    def cut_after(self, size: int, towards: Side) -> None:
        """Let so many bytes through to that side, counted from now on over all connections, and cut there; once."""
        self._set(_budget=size, _towards=towards)

    def drop_replies(self, pick: Pick) -> None:
        """Cut the connection when the server answers the n-th append from now on: it is done, and nobody hears so."""
        self._set(_lost_reply=pick, _replies=0)

    def drop_requests(self, pick: Pick) -> None:
        """Cut the connection when the client sends the n-th append from now on: the server never sees it."""
        self._set(_lost_request=pick, _requests=0)

    def stall(self, towards: Side) -> None:
        """Hold what goes to that side. What a client sent before it gave up still arrives when it is let go."""
        self._set(_stalled=towards)

    def swallow(self) -> None:
        """Be a black hole: take connections and bytes, pass and answer nothing."""
        self._set(_black_hole=True)

    def refuse(self) -> None:
        """Refuse new connections, on the same port as before; those that stand are not touched."""
        listener, self._listener = self._listener, None
        if listener is not None and self._accepting is not None:
            self._accepting.join()
            listener.close()

    def reset(self) -> int:
        """End the connections that stand with RST; their number."""
        return self._end(self._open(), reset=True)

    def lead_to(self, target: str) -> None:
        """Be the address of another server from now on, for new connections; it has to take the same password."""
        parts = urlsplit(target)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 6379)

    def close(self) -> None:
        """End everything: afterwards no thread and no socket is left."""
        self.refuse()
        self._end(self._open())

    # ---- what is broken now ----------------------------------------------------------------------

    def _clear(self) -> None:
        self._delay = 0.0
        self._budget, self._towards = 0, ""
        self._lost_reply: Pick | None = None
        self._lost_request: Pick | None = None
        self._replies = self._requests = 0
        self._stalled = ""
        self._black_hole = False

    def _faults(self) -> dict[str, object]:
        return {
            "delay": self._delay,
            "cut_after": self._towards and (self._budget, self._towards),
            "drop_replies": self._lost_reply,
            "drop_requests": self._lost_request,
            "stall": self._stalled,
            "swallow": self._black_hole,
            "refuse": self._listener is None,
        }

    def _set(self, **changes: object) -> None:
        with self._changed:
            for name, value in changes.items():
                setattr(self, name, value)
            self._changed.notify_all()

    def _open(self) -> list[_Link]:
        with self._changed:
            return list(self._links)

    def _end(self, links: list[_Link], reset: bool = False) -> int:
        for link in links:
            link.end(reset)
        with self._changed:
            self._changed.notify_all()
        for link in links:
            if link.thread is not None:
                link.thread.join()
        return len(links)

    # ---- connections -----------------------------------------------------------------------------

    def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._listener.settimeout(LOOK)
        self._port = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, args=(self._listener,), name="fault-proxy", daemon=True)
        self._accepting.start()

    def _accept(self, listener: socket.socket) -> None:
        while self._listener is listener:
            try:
                client, _ = listener.accept()
            except TimeoutError:
                continue
            link = _Link(client)
            client.settimeout(LOOK)
            link.thread = threading.Thread(target=self._serve, args=(link,), name="fault-proxy", daemon=True)
            with self._changed:
                self.connections += 1
                self._links.add(link)
                link.thread.start()  # Before anybody who ends all links could wait for it.

    def _serve(self, link: _Link) -> None:
        """From a connection's first byte to its last; the only place that closes its sockets."""
        try:
            if self._black_hole:
                link.spoilt = True
                self._drain(link)
            elif self._dial(link):
                self._relay(link)
        finally:
            with self._changed:
                self._links.discard(link)
            link.close()

    def _dial(self, link: _Link) -> bool:
        """Whether the server took the connection; if not, the client's is cut."""
        try:
            link.server = socket.create_connection(self._target, timeout=5.0)
        except OSError:
            link.end(reset=True)
            return False
        link.server.settimeout(LOOK)
        for end in (link.client, link.server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return True

    def _drain(self, link: _Link) -> None:
        while data := link.read(link.client):
            with self._changed:
                self._lose(link, data)

    def _relay(self, link: _Link) -> None:
        answers = threading.Thread(target=self._pass_answers, args=(link,), name="fault-proxy", daemon=True)
        answers.start()
        self._pass_requests(link)
        answers.join()

    # ---- the two ways ----------------------------------------------------------------------------

    def _pass_requests(self, link: _Link) -> None:
        assert link.server is not None
        scanner, going = self._scanner(), True
        while going and (data := link.read(link.client)):
            for command in scanner.feed(data):
                going = going and self._pass_request(link, command)
        link.end()

    def _pass_request(self, link: _Link, command: Command) -> bool:
        with self._changed:
            self.commands[command.name] += 1
            lost = command.is_append and self._loses_request()
        if lost:
            return self._cut(link)
        link.append_is_open = link.append_is_open or command.is_append
        return self._pass(link, link.server, command.raw, "server")

    def _pass_answers(self, link: _Link) -> None:
        assert link.server is not None
        going = True
        while going and (data := link.read(link.server)):
            # A server that does not know the script has not done anything: the append is still to come.
            answers_append = link.append_is_open and not data.startswith(b"-NOSCRIPT")
            link.append_is_open = False
            with self._changed:
                lost = answers_append and self._loses_reply()
            going = self._cut(link) if lost else self._pass(link, link.client, data, "client")
        link.end()

    def _pass(self, link: _Link, target: socket.socket | None, data: bytes, side: Side) -> bool:
        """Send on, unless a fault is in the way; whether the connection goes on."""
        assert target is not None
        with self._changed:
            if side == "client" and self._delay:
                self._changed.wait_for(link.ended.is_set, self._delay)
            self._changed.wait_for(lambda: self._stalled != side or link.ended.is_set())
            if self._black_hole:
                self._lose(link, data)
                return True
            allowed = self._take_budget(len(data), side)
        if not link.write(target, data[:allowed]):
            return False
        return allowed == len(data) or self._cut(link)

    def _cut(self, link: _Link) -> bool:
        with self._changed:
            self.cuts += 1
        link.end(reset=self.ending == "reset")
        return False

    def _lose(self, link: _Link, data: bytes) -> None:
        link.spoilt = True
        self.swallowed += len(data)

    def _take_budget(self, size: int, side: Side) -> int:
        """How many of so many bytes may pass; the cut itself ends the fault."""
        if self._towards != side:
            return size
        if size <= self._budget:
            self._budget -= size
            return size
        allowed, self._towards = self._budget, ""
        return allowed

    def _loses_request(self) -> bool:
        self._requests += 1
        lost = self._lost_request is not None and self._lost_request(self._requests)
        self.requests_dropped += lost
        return lost

    def _loses_reply(self) -> bool:
        self._replies += 1
        lost = self._lost_reply is not None and self._lost_reply(self._replies)
        self.replies_dropped += lost
        return lost
