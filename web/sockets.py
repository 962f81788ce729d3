"""All WebSockets of this process, served by one thread that never waits for any of them.

A socket costs no thread of its own, so there may be thousands, and requests are answered whatever they do. The hub's
threads only say which of them have something to send.
"""

from __future__ import annotations

import logging
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from wsproto.utilities import LocalProtocolError

from tracker.clock import elapsed
from web.connection import Connection
from web.outlet import LOOK_UP
from web.seats import Seats
from web.session import Session

if TYPE_CHECKING:
    from web.site import Site

log = logging.getLogger("tracker.web")


class Sockets:
    """Takes connections over and serves them to their end. Each has a seat, which is free again then."""

    def __init__(self, seats: Seats) -> None:
        self._seats = seats
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._selector: selectors.BaseSelector
        self._bell: socket.socket
        self._ringer: socket.socket
        self._has_rung = False
        self._arrived: deque[Session] = deque()
        self._woken: deque[Session] = deque()
        self._sessions: set[Session] = set()
        self._due: dict[Session, float] = {}
        self._tended = 0.0
        self._rests_until = 0.0

    def adopt(self, raw: socket.socket, site: Site, admitted: Callable[[], bool]) -> None:
        """Serve a connected socket from now on, while it is ``admitted``; its handshake is over. From any thread."""
        self._start()
        self._arrived.append(Session(Connection(raw), site, self._wake, admitted))
        self._ring()

    def _start(self) -> None:
        """Not before a fork: neither a thread nor a selector belongs to two processes."""
        with self._lock:
            if self._thread is None:
                self._selector = selectors.DefaultSelector()
                self._bell, self._ringer = socket.socketpair()
                self._bell.setblocking(False)
                self._ringer.setblocking(False)
                self._selector.register(self._bell, selectors.EVENT_READ)
                self._thread = threading.Thread(target=self._run, name="tracker-sockets", daemon=True)
                self._thread.start()

    def _wake(self, session: Session) -> None:
        """A session has something to tell. From any thread."""
        if not session.is_woken:
            session.is_woken = True
            self._woken.append(session)
            self._ring()

    def _ring(self) -> None:
        if not self._has_rung:
            self._has_rung = True
            self._ringer.send(b"!")

    def _run(self) -> None:
        while True:
            try:
                self._turn()
            except Exception:
                log.exception("serving live connections failed; going on")
                time.sleep(1.0)

    def _turn(self) -> None:
        for key, mask in self._selector.select(self._pause()):
            if key.data is None:
                self._bell.recv(16)
                self._has_rung = False
            else:
                self._attend(key.data, mask)
        while self._arrived:
            self._take_in(self._arrived.popleft())
        self._tell()
        if elapsed() - self._tended >= LOOK_UP:
            self._tended = elapsed()
            for session in list(self._sessions):
                self._do(session, session.tend)

    def _pause(self) -> float:
        """Seconds until something is due."""
        moment = elapsed() if self._woken else min(self._due.values(), default=elapsed() + LOOK_UP)
        return min(max(moment, self._rests_until) - elapsed(), LOOK_UP)

    def _take_in(self, session: Session) -> None:
        self._sessions.add(session)
        self._selector.register(session.connection.raw, selectors.EVENT_READ, session)
        self._do(session, session.begin)

    def _attend(self, session: Session, mask: int) -> None:
        if mask & selectors.EVENT_WRITE:
            self._do(session, session.connection.flush)
            self._wake(session)
        if mask & selectors.EVENT_READ and session in self._sessions:
            self._do(session, session.listen)

    def _tell(self) -> None:
        """Send to all for whom something is due, then rest as long as that took the processor.

        Meanwhile other threads have the processor, and what comes in is merged: the more there is to send, and the more
        there are to send it to, the more goes into one message.
        """
        begun, spent = elapsed(), time.thread_time()
        if begun < self._rests_until:
            return
        ready = {session for session, due in self._due.items() if due <= begun}
        while self._woken:
            session = self._woken.popleft()
            session.is_woken = False
            ready.add(session)
        for session in ready & self._sessions:
            self._due.pop(session, None)
            self._do(session, session.tell)
        self._rests_until = elapsed() + time.thread_time() - spent

    def _do(self, session: Session, action: Callable[[], float | bool | None]) -> None:
        """One action of a session, and the end of it if there is no more to do; a mistake ends only this one."""
        try:
            answer = action()
        except (OSError, LocalProtocolError):
            answer = False
        except Exception:
            log.exception("a live connection failed")
            answer = session.fail()
        if type(answer) is float:
            self._due[session] = answer
        if answer is False or session.connection.over:
            self._end(session)
        elif session.connection.left or session.is_blocked:
            self._wait_until_writable(session)

    def _wait_until_writable(self, session: Session) -> None:
        session.is_blocked = bool(session.connection.left)
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if session.is_blocked else 0)
        self._selector.modify(session.connection.raw, wanted, session)

    def _end(self, session: Session) -> None:
        self._selector.unregister(session.connection.raw)
        self._sessions.discard(session)
        self._due.pop(session, None)
        session.end()
        self._seats.leave()
