"""Many live connections: what they cost, what slow ones do, and how they end and move on."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from tests.store.making import ended, started, step_event
from tests.store.revs import begun
from tests.support import free_address, wait_for
from tests.web.client import ROOT, Server, Watcher, serving
from tests.web.crowd import Crowd, connect
from tracker.model import Event, StepState, StepStatus
from tracker.store import RunBlob, Store
from web.limits import DESCRIPTORS
from web.timeliness import LATE

MANY = 1_000


@pytest.fixture
def store(redis_url: str, namespace: str) -> Iterator[Store]:
    store = Store(redis_url, namespace)
    yield store
    store.client.disconnect()


@pytest.fixture
def server(redis_url: str, namespace: str, tmp_path: Path) -> Iterator[Server]:
    """With the limits that users have."""
    with serving(redis_url, namespace, tmp_path / "log") as server:
        yield server


def worker_of(server: Server) -> int:
    """The process that serves requests."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    if not children.exists():
        pytest.skip("needs /proc")
    return int(children.read_text().split()[0])


def big_step(operation: str, seq: int) -> RunBlob:
    """A step's change of about 15 kB."""
    step = StepState(seq, "Step", StepStatus.RUNNING, detail="x" * 15_000)
    event = Event("step.start", operation, 1.0, "r1", seq, step=step)
    return RunBlob(operation, "r1", [event], "", 1.0, None, [step], step)


def flood(store: Store, operation: str) -> None:
    """More than fits between the server and a client that does not read."""
    for seq in range(2, 60):
        store.append([big_step(operation, seq)])


def test_a_thousand_sockets_hear_everything_and_requests_are_answered(server: Server, store: Store) -> None:
    """A socket holds no thread, so that others wait for none of them."""
    with Crowd(server, MANY) as crowd:
        crowd.hear(b'"snapshot"')
        store.append([started("op")])
        crowd.hear(b'"operation.start"')
        assert server.get("/healthz").status == 200
        watching = server.get("/readyz").json
        assert str(MANY) in str(watching)
        assert len(os.listdir(f"/proc/{worker_of(server)}/task")) < 100
        store.append([ended("op")])
        crowd.hear(b'"operation.complete"')
    wait_for(lambda: str(MANY) not in str(server.get("/readyz").json))


def test_a_stopping_server_says_goodbye_to_a_thousand(server: Server, store: Store) -> None:
    """Each gets ``bye`` and 1012; those that read nothing do not hold the process up."""
    store.append([started("op")])
    stalled = [connect(server, "operation:op", buffer=1) for _ in range(10)]
    flood(store, "op")
    with Crowd(server, MANY) as crowd:
        crowd.hear(b'"snapshot"')
        server.process.send_signal(signal.SIGTERM)
        crowd.hear(b'"bye"', struct.pack("!H", 1012))
        assert server.process.wait(20) == 0
        assert server.log.read_text() == ""
    for client in stalled:
        client.close()


def test_a_client_that_reads_nothing_disturbs_nobody(
    redis_url: str, namespace: str, store: Store, tmp_path: Path
) -> None:
    """The others see every change while it stalls; it is told that it is too slow should it read again, and cut."""
    with serving(redis_url, namespace, tmp_path / "log", unread=4.0, sockets=2) as server:
        store.append([started("op")])
        before = begun(store, "op")
        with connect(server, "operation:op", buffer=1) as stalled, server.watch("operations") as watcher:
            watcher.until("snapshot")
            for seq in range(2, 60):
                store.append([big_step("op", seq)])
                if seq % 20 == 0:
                    watcher.event("operations", lambda event, rev=before + seq: event["operation"]["rev"] >= rev)
            stalled_at = time.monotonic()
            # Its bounds are 4 s after the last it took, when it is told, and 4 s more.
            wait_for(lambda: time.monotonic() - stalled_at > 5.5)
            assert closing_of(stalled) == (4408, "too slow")
            wait_for(lambda: seats_free(server))


def test_a_client_that_never_reads_again_is_cut(redis_url: str, namespace: str, store: Store, tmp_path: Path) -> None:
    """Its seat is free, whether or not it was reached by what it was told."""
    with serving(redis_url, namespace, tmp_path / "log", unread=0.5, sockets=1) as server:
        store.append([started("op")])
        with connect(server, "operation:op", buffer=1):
            flood(store, "op")
            wait_for(lambda: seats_free(server))


def closing_of(client: socket.socket) -> tuple[int, str]:
    """Read to the end; the code and reason of the frame that closes."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    data = b""
    with suppress(ConnectionResetError):
        while piece := client.recv(1 << 16):
            data = (data + piece)[-1000:]
            if data.endswith(b"too slow"):
                client.sendall(b"\x88\x80\0\0\0\0")
    head, _, frame = data.rpartition(b"\x88")
    assert head, data
    return struct.unpack("!H", frame[1:3])[0], frame[3:].decode()


def seats_free(server: Server) -> bool:
    try:
        with server.watch():
            return True
    except InvalidStatus:
        return False


def test_more_sockets_than_allowed_leave_http_working(redis_url: str, namespace: str, tmp_path: Path) -> None:
    """The one too many hears 503 and when to come back; a seat that becomes free is given again."""
    with serving(redis_url, namespace, tmp_path / "log", sockets=3, threads=2, streams=1) as server:
        with server.watch("operations"), server.watch("operations"), server.watch("operations"):
            with pytest.raises(InvalidStatus) as refused, server.watch():
                pass
            assert refused.value.response.status_code == 503
            assert int(refused.value.response.headers["Retry-After"]) > 0
            assert "3 live connections" in refused.value.response.body.decode()
            started_at = time.monotonic()
            assert server.get("/healthz").status == 200
            assert time.monotonic() - started_at < 5
        wait_for(lambda: seats_free(server))


def test_no_more_sockets_are_taken_than_files_may_be_open(redis_url: str, namespace: str, tmp_path: Path) -> None:
    """Whoever limits the process gets an honest answer instead of a server that cannot accept any more."""
    command = ["sh", "-c", 'ulimit -n 300 && exec "$0" "$@"', sys.executable]
    with serving(redis_url, namespace, tmp_path / "log", command=command) as server, Crowd(server, 300 - DESCRIPTORS):
        assert not seats_free(server)
        assert server.get("/healthz").status == 200


def test_a_server_that_was_away_catches_up_with_snapshots(server: Server, store: Store) -> None:
    """What has waited for long is not told bit by bit; the page is shown how it stands, and then events again."""
    store.append([started("op")])
    with server.watch("operations") as watcher:
        watcher.until("snapshot")
        server.tell(signal.SIGSTOP)
        try:
            for seq in range(2, 50):
                store.append([step_event("op", seq)])
            stopped = time.monotonic()
            wait_for(lambda: time.monotonic() - stopped > LATE + 0.5)
        finally:
            server.tell(signal.SIGCONT)
        assert "keep up" in watcher.until("reset")["reason"]
        assert watcher.until("snapshot")["lagging"] is True
        assert watcher.until("snapshot", lambda message: not message["lagging"])["operations"][0]["id"] == "op"
        store.append([ended("op", seq=50)])
        watcher.event("operations", lambda event: event["operation"]["status"] == "complete")


def test_a_client_moves_between_two_servers_and_misses_nothing(
    redis_url: str, namespace: str, store: Store, tmp_path: Path
) -> None:
    """Each process follows on its own; a cursor of one is understood by the other."""
    store.append([started("op")])
    shown: dict[int, str] = {}
    numbers = itertools.count(2)

    def step(index: int, status: StepStatus) -> None:
        store.append([step_event("op", next(numbers), index=index, status=status)])

    with serving(redis_url, namespace, tmp_path / "one") as one, serving(redis_url, namespace, tmp_path / "two") as two:
        cursor = ""
        for index in range(1, 13):
            with (one if index % 2 else two).watch() as watcher:
                watcher.say(type="subscribe", topic="operation:op", cursor=cursor)
                step(index, StepStatus.RUNNING)
                step(index, StepStatus.COMPLETE)
                wait_for(lambda index=index, watcher=watcher: see(watcher, shown).get(index) == "complete")
                cursor = next(m["cursor"] for m in reversed(watcher.seen) if m["type"] in ("snapshot", "events"))
            # What happens while it is with neither.
            step(100 + index, StepStatus.RUNNING)
        with two.watch() as watcher:
            watcher.say(type="subscribe", topic="operation:op", cursor=cursor)
            wait_for(lambda: see(watcher, shown).get(112))
    assert shown == dict.fromkeys(range(1, 13), "complete") | dict.fromkeys(range(101, 113), "running")


def see(watcher: Watcher, shown: dict[int, str]) -> dict[int, str]:
    """The steps of the operation as a client holds them, after one more message."""
    message = watcher.read()
    steps = [step for operation in message.get("operations", []) for step in operation["steps"]]
    for step in steps + [event["step"] for event in message.get("events", []) if event["step"]]:
        shown[step["index"]] = step["status"]
    return shown


def test_two_processes_of_one_server_both_tell_everything(
    redis_url: str, namespace: str, store: Store, tmp_path: Path
) -> None:
    """Whichever of them has taken the connection."""
    with gunicorn(redis_url, namespace, tmp_path / "log", workers=2) as server, Crowd(server, 20) as crowd:
        crowd.hear(b'"snapshot"')
        store.append([started("op")])
        crowd.hear(b'"operation.start"')
        server.process.send_signal(signal.SIGTERM)
        crowd.hear(struct.pack("!H", 1012))
        assert server.process.wait(20) == 0


@contextmanager
def gunicorn(redis_url: str, namespace: str, log: Path, workers: int) -> Iterator[Server]:
    """The server as started by hand with more processes than one, on a port that was free."""
    bind = free_address()
    command = ["-m", "gunicorn", "-c", "web/gunicorn_conf.py", "-w", str(workers), "-b", bind, "web.app:create_app()"]
    environment = os.environ | {"TRACKER_REDIS_URL": redis_url, "TRACKER_NAMESPACE": namespace, "TRACKER_BIND": bind}
    with log.open("w") as output:
        process = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=environment, text=True, stderr=output)
    server = Server(process, f"http://{bind}/", log)
    try:
        wait_for(lambda: answers(server))
        yield server
    finally:
        process.terminate()
        process.wait(20)


def answers(server: Server) -> bool:
    try:
        return server.get("/healthz").status == 200
    except OSError:
        return False
