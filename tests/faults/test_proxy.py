"""Every fault of the proxy does what its name says, shown by what the client gets and what the server holds."""

from __future__ import annotations

import gc
import os
import socket
import threading
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from tests.faults.picks import AtRandom, Every, Only
from tests.faults.proxy import FaultProxy, Side
from tests.faults.resp import RequestScanner
from tests.faults.servers import BreakableServer
from tests.store.making import started
from tests.support import wait_for
from tracker.clock import elapsed
from tracker.errors import StoreUnavailable
from tracker.store import Answer, Store
from tracker.store.client import Client

PONG = b"+PONG\r\n"
SILENCE = 0.2
"""Seconds without an answer that show that none is coming, from a server that answers at once."""

Connect = Callable[[], socket.socket]


@pytest.fixture
def connect(proxy: FaultProxy) -> Iterator[Connect]:
    """Makes connections through the proxy that have said the password."""
    made: list[socket.socket] = []

    def connect() -> socket.socket:
        parts = urlsplit(proxy.url)
        wire = socket.create_connection(("127.0.0.1", parts.port or 0), timeout=10.0)
        made.append(wire)
        wire.sendall(f"AUTH {parts.password}\r\n".encode())
        return wire

    yield connect
    for wire in made:
        wire.close()


@pytest.fixture
def wire(connect: Connect) -> socket.socket:
    """One connection, with its password accepted."""
    wire = connect()
    assert wire.recv(64) == b"+OK\r\n"
    return wire


def ask(wire: socket.socket, command: bytes = b"PING") -> bytes:
    """Everything that comes back, up to the end of the line or of the connection."""
    wire.sendall(command + b"\r\n")
    return read_line(wire)


def read_line(wire: socket.socket) -> bytes:
    got = b""
    while not got.endswith(b"\n"):
        try:
            part = wire.recv(64)
        except ConnectionResetError:
            break
        if not part:
            break
        got += part
    return got


def is_silent(wire: socket.socket) -> bool:
    wire.settimeout(SILENCE)
    try:
        return not wire.recv(64)
    except TimeoutError:
        return True
    finally:
        wire.settimeout(10.0)


def test_without_a_fault_everything_passes_and_is_counted(far_store: Store, proxy: FaultProxy) -> None:
    """Password and database of the server's address hold for the proxy's too."""
    assert far_store.append([started("a")]) == [Answer("stored", 1)]
    assert far_store.operation("a") is not None
    assert proxy.connections == 1  # It is kept for what is stored and for what is read.
    assert proxy.commands["EVAL"] + proxy.commands["EVALSHA"] >= 1
    assert (proxy.replies_dropped, proxy.requests_dropped, proxy.cuts) == (0, 0, 0)


def test_a_dropped_reply_is_an_error_for_the_client_and_done_for_the_server(
    far_store: Store, store: Store, proxy: FaultProxy
) -> None:
    """Sent again, it turns out to be known."""
    store.append([started("known script")])
    proxy.drop_replies(Only(1))
    with pytest.raises(StoreUnavailable, match="did not answer"):
        far_store.append([started("a")])
    assert store.operation("a") is not None
    assert far_store.append([started("a")]) == [Answer("duplicate", 1)]
    assert proxy.replies_dropped == 1


def test_a_script_that_has_to_be_sent_first_is_one_append(
    far_store: Store, store: Store, server: BreakableServer, proxy: FaultProxy
) -> None:
    """The reply that is dropped is that of the call that stored, not the NOSCRIPT before it."""
    server.script_flush()
    proxy.drop_replies(Only(1))
    with pytest.raises(StoreUnavailable):
        far_store.append([started("a")])
    assert store.operation("a") is not None
    assert (proxy.commands["EVALSHA"], proxy.commands["EVAL"], proxy.replies_dropped) == (1, 1, 1)


def test_every_third_reply_is_dropped(far_store: Store, proxy: FaultProxy) -> None:
    """The count goes over all connections."""
    far_store.append([started("known script")])
    proxy.drop_replies(Every(3))
    failed = []
    for number in range(1, 10):
        try:
            far_store.append([started(f"op-{number}")])
        except StoreUnavailable:
            failed.append(number)
    assert failed == [3, 6, 9]


def test_a_dropped_request_never_reaches_the_server(far_store: Store, store: Store, proxy: FaultProxy) -> None:
    """Sent again, it is new."""
    far_store.append([started("known script")])
    proxy.drop_requests(Only(1))
    with pytest.raises(StoreUnavailable):
        far_store.append([started("a")])
    assert store.operation("a") is None
    assert far_store.append([started("a")]) == [Answer("stored", 1)]
    assert proxy.requests_dropped == 1


@pytest.mark.parametrize("size", range(len(PONG)))
def test_an_answer_is_cut_after_so_many_bytes(wire: socket.socket, proxy: FaultProxy, size: int) -> None:
    """The bytes before arrive, those after do not, and the connection is over."""
    proxy.cut_after(size, "client")
    assert ask(wire) == PONG[:size]
    assert proxy.cuts == 1


def test_a_cut_happens_once(connect: Connect, wire: socket.socket, proxy: FaultProxy) -> None:
    """Connections made afterwards are not touched."""
    proxy.cut_after(len(PONG) + 3, "client")
    assert [ask(wire), ask(wire)] == [PONG, PONG[:3]]
    again = connect()
    assert read_line(again) == b"+OK\r\n"
    assert ask(again) == PONG


def test_a_request_that_is_cut_does_nothing(far_store: Store, store: Store, proxy: FaultProxy) -> None:
    """The server does not run half a command."""
    far_store.append([started("known script")])
    proxy.cut_after(200, "server")
    with pytest.raises(StoreUnavailable):
        far_store.append([started("a")])
    assert store.operation("a") is None
    assert proxy.cuts == 1


def test_a_delayed_answer_comes_late(wire: socket.socket, proxy: FaultProxy) -> None:
    """Never earlier than asked, and whole."""
    proxy.delay(0.1)
    begun = elapsed()
    assert ask(wire) == PONG
    assert elapsed() - begun >= 0.1


def test_an_answer_delayed_for_too_long_is_an_error(server: BreakableServer, proxy: FaultProxy) -> None:
    """The client gives up; the server has done it."""
    client = Client(proxy.url, answer_timeout=SILENCE)
    client.redis.ping()
    proxy.delay(60.0)
    with pytest.raises(StoreUnavailable, match="Timeout"), client.answering() as redis:
        redis.incr("done")
    wait_for(lambda: server.admin.get("done") == "1")
    client.disconnect()


def test_held_answers_arrive_when_let_go(wire: socket.socket, server: BreakableServer, proxy: FaultProxy) -> None:
    """The server has done what it was asked."""
    proxy.stall("client")
    wire.sendall(b"INCR done\r\n")
    assert is_silent(wire)
    wait_for(lambda: server.admin.get("done") == "1")
    proxy.heal()
    assert read_line(wire) == b":1\r\n"


def test_held_requests_arrive_when_let_go(wire: socket.socket, server: BreakableServer, proxy: FaultProxy) -> None:
    """Until then the server has not heard of them."""
    proxy.stall("server")
    wire.sendall(b"INCR done\r\n")
    assert is_silent(wire)
    assert server.admin.get("done") is None
    proxy.heal()
    assert read_line(wire) == b":1\r\n"


def test_new_connections_are_refused_until_healed(connect: Connect, wire: socket.socket, proxy: FaultProxy) -> None:
    """A connection that stands goes on; afterwards the address is the same."""
    url = proxy.url
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        connect()
    assert ask(wire) == PONG
    proxy.heal()
    assert read_line(connect()) == b"+OK\r\n"
    assert proxy.url == url


def test_a_black_hole_takes_everything_and_gives_nothing(
    connect: Connect, wire: socket.socket, server: BreakableServer, proxy: FaultProxy
) -> None:
    """What was said into it is lost for good, on old connections and new ones, and both end when it is over."""
    proxy.swallow()
    new = connect()
    for each in (wire, new):
        each.sendall(b"INCR done\r\n")
        assert is_silent(each)
    said = len(f"AUTH {urlsplit(proxy.url).password}\r\n") + 2 * len("INCR done\r\n")
    wait_for(lambda: proxy.swallowed == said)
    proxy.heal()
    assert [read_line(wire), read_line(new)] == [b"", b""]
    assert server.admin.get("done") is None
    assert read_line(connect()) == b"+OK\r\n"


def test_a_reset_is_a_reset(wire: socket.socket, proxy: FaultProxy) -> None:
    """Not the orderly end of a connection."""
    assert proxy.reset() == 1
    with pytest.raises(ConnectionResetError):
        wire.recv(64)


def test_a_cut_may_be_an_orderly_end(server: BreakableServer, store: Store) -> None:
    """A load balancer that closes a connection is no reset, and no less of a loss."""
    store.append([started("known script")])
    with FaultProxy(server.url, ending="fin") as proxy:
        far = Store(proxy.url)
        far.append([started("a")])
        proxy.drop_replies(Only(1))
        with pytest.raises(StoreUnavailable, match="closed by server"):
            far.append([started("b")])
        far.client.disconnect()


@pytest.mark.parametrize("held", [None, "client", "server"])
def test_nothing_is_left_of_a_closed_proxy(server: BreakableServer, held: Side | None) -> None:
    """No thread and no descriptor, whatever was held at that moment."""
    gc.collect()
    before = len(os.listdir("/dev/fd"))
    proxy = FaultProxy(server.url)
    wires = [socket.create_connection(("127.0.0.1", urlsplit(proxy.url).port or 0)) for _ in range(3)]
    if held:
        proxy.stall(held)
    for wire in wires:
        wire.sendall(b"PING\r\n")
    proxy.close()
    for wire in wires:
        wire.close()
    assert [thread for thread in threading.enumerate() if thread.name == "fault-proxy"] == []
    wait_for(lambda: len(os.listdir("/dev/fd")) <= before)


def test_a_proxy_without_its_server_hangs_up(far_store: Store, server: BreakableServer) -> None:
    """It does not pretend that somebody is there."""
    server.kill()
    with pytest.raises(StoreUnavailable):
        far_store.ping()


def test_what_is_decided_by_chance_shows_its_seed(proxy: FaultProxy) -> None:
    """The same seed picks the same ones, and a failed test prints it, without the password."""
    proxy.drop_replies(AtRandom(0.5, seed=42))
    first, second = ([pick(number) for number in range(99)] for pick in (AtRandom(0.5, 42), AtRandom(0.5, 42)))
    assert first == second
    assert len(set(first)) == 2
    assert "AtRandom(chance=0.5, seed=42)" in repr(proxy)
    assert str(urlsplit(proxy.url).password) not in repr(proxy)


def test_commands_are_told_apart_however_they_are_cut() -> None:
    """Byte by byte as well as at once; binary values and line ends in them do not matter."""
    sent = b"*2\r\n$7\r\nevalsha\r\n$4\r\n\r\n\x00*\r\nPING now\r\n*1\r\n$4\r\nQUIT\r\n"
    whole, bits = RequestScanner(), RequestScanner()
    commands = whole.feed(sent)
    assert [command.name for command in commands] == ["EVALSHA", "PING", "QUIT"]
    assert [command.is_append for command in commands] == [True, False, False]
    assert b"".join(command.raw for command in commands) == sent
    assert [found for byte in sent for found in bits.feed(bytes([byte]))] == commands
