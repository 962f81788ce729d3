"""Finds, starts and stops the embedded server of a state folder: a real Valkey or Redis on loopback.

Owns in that folder: ``redis.json`` (address with password, process id; readable by its owner only),
``redis.log``, the lock file ``redis.alive``, and one data folder per engine and major version, because engines do
not read each other's files. Knows nothing of what is stored. POSIX only; imports no Redis client.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tracker.engines import Engine, find_engine
from tracker.errors import TrackerError

PATIENCE = 30.0
"""Longest wait, in seconds, for a server to answer, whoever started it."""

PAUSE = 0.02
"""Seconds between two looks while waiting."""

LOG_LIMIT = 1024 * 1024
"""A log larger than this, in bytes, is begun anew at the next start."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers. ``started`` tells whether this call started it."""

    url: str = field(repr=False)
    pid: int
    started: bool
    state_dir: Path

    def is_alive(self) -> bool:
        """Whether a server of this state folder runs, be it this one or one that took its place."""
        return _is_alive(self.state_dir)

    def stop(self, timeout: float = 10.0) -> None:
        """Ask the server to end and wait up to ``timeout`` seconds; its data stays.

        Only a server that answers to this password is sent a signal.
        Raises ``TrackerError`` if it hangs or is still there afterwards.
        """
        # The record, not this object: another process may have restarted it under the same address.
        url, pid = _record(self.state_dir) or ("", 0)
        if url != self.url or not _is_alive(self.state_dir):
            return
        if _ask(url) is None:
            raise TrackerError(f"The embedded server does not answer; end it with: kill -9 {pid}")
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + timeout
        while _is_alive(self.state_dir):
            if time.monotonic() > deadline:
                raise TrackerError(f"The embedded server did not end within {timeout:g} s; end it with: kill -9 {pid}")
            time.sleep(PAUSE)


def ensure_server(state_dir: Path) -> Server:
    """The one embedded server of ``state_dir``: the running one, else a new one over the data kept there.

    Any number of processes may call this at once; they get the same server. A new server takes over
    address and password of the one before where it can, so that its clients find it again.
    Raises ``TrackerError`` if no server program is installed, it does not start, or the folder cannot be used.
    """
    if os.name == "nt":
        raise TrackerError("The embedded server needs Linux or macOS; set TRACKER_REDIS_URL to a Redis of yours.")
    state_dir = state_dir.expanduser().absolute()
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _join_or_start(state_dir)
    except OSError as error:
        raise TrackerError(
            f"The state folder {state_dir} cannot be used: {error}; set TRACKER_STATE_DIR to one that can."
        ) from error


def find_server(state_dir: Path) -> Server | None:
    """The embedded server of ``state_dir`` if one runs and answers; starts nothing and waits for nothing."""
    state_dir = state_dir.expanduser().absolute()
    record = _record(state_dir)
    if record is None or not _is_alive(state_dir) or _ask(record[0]) != "ready":
        return None
    return Server(*record, started=False, state_dir=state_dir)


def _join_or_start(state_dir: Path) -> Server:
    deadline = time.monotonic() + PATIENCE
    while True:
        life = _take(state_dir / "redis.alive")
        if life is not None:
            try:
                return _start(state_dir, life)
            finally:
                os.close(life)
        server = find_server(state_dir)
        if server is not None:
            return server
        if time.monotonic() > deadline:
            raise TrackerError(f"The embedded server in {state_dir} runs{_process(state_dir)} but does not answer.")
        time.sleep(PAUSE)


def _process(state_dir: Path) -> str:
    record = _record(state_dir)
    return f" (process {record[1]}; end it with: kill -9 {record[1]})" if record else ""


# ---- the lock ------------------------------------------------------------------------------------
# redis.alive is locked by whoever starts the server and then by the server itself, through a file descriptor
# it inherits, for exactly as long as it lives. So nobody starts a second one, and neither a hung server nor
# another process with the old process id is taken for what it is not.


def _take(path: Path) -> int | None:
    """An open descriptor that holds the lock, or ``None`` if somebody else holds it."""
    import fcntl

    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def _is_alive(state_dir: Path) -> bool:
    path = state_dir / "redis.alive"
    if not path.exists():
        return False
    handle = _take(path)
    if handle is None:
        return True
    os.close(handle)
    return False


# ---- starting ------------------------------------------------------------------------------------


def _start(state_dir: Path, life: int) -> Server:
    engine = find_engine()
    (state_dir / engine.folder).mkdir(mode=0o700, exist_ok=True)
    for _ in range(3):
        server = _launch(engine, _address(state_dir), state_dir, life)
        if server is not None:
            return server
        # Somebody may have taken the port between the look and the start: choose anew.
        _record_path(state_dir).unlink(missing_ok=True)
    raise TrackerError(f"The embedded server did not start: {_last_line(state_dir)} (see {_log_path(state_dir)})")


def _launch(engine: Engine, url: str, state_dir: Path, life: int) -> Server | None:
    """Start the server and wait until it answers; ``None`` if it ended instead."""
    child = _spawn(engine, state_dir, life)
    try:
        _configure(child, url)
        _write_record(state_dir, url, child.pid)
        ready = _wait_ready(child, url)
    except BaseException:
        child.kill()
        child.wait()
        raise
    # The thread collects the exit status whenever the server ends, so that no zombie is left.
    threading.Thread(target=child.wait, name="embedded-server", daemon=True).start()
    return Server(url, child.pid, True, state_dir) if ready else None


def _spawn(engine: Engine, state_dir: Path, life: int) -> subprocess.Popen[bytes]:
    """The server in a session of its own, so that Ctrl-C in the terminal is not for it."""
    path = _log_path(state_dir)
    fresh = os.O_TRUNC if path.exists() and path.stat().st_size > LOG_LIMIT else 0
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | fresh, 0o600)
    try:
        return subprocess.Popen(
            [engine.binary, "-"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=state_dir / engine.folder,
            start_new_session=True,
            pass_fds=[life],
            umask=0o077,
        )
    finally:
        os.close(log)


def _configure(child: subprocess.Popen[bytes], url: str) -> None:
    """On standard input, so that the password is in no process list and no file of its own."""
    parts = urlsplit(url)
    lines = (
        f"port {parts.port}",
        "bind 127.0.0.1",
        f"requirepass {parts.password}",
        "dir ./",
        "appendonly yes",
        "appendfsync everysec",
        'save ""',
        "maxmemory-policy noeviction",
    )
    assert child.stdin is not None
    with suppress(BrokenPipeError), child.stdin as pipe:
        pipe.write("\n".join(lines).encode() + b"\n")


def _wait_ready(child: subprocess.Popen[bytes], url: str) -> bool:
    """Whether the server came up; reading back its data may take as long as it needs."""
    deadline = time.monotonic() + PATIENCE
    while child.poll() is None:
        answer = _ask(url)
        if answer == "ready":
            return True
        if answer is None and time.monotonic() > deadline:
            raise TrackerError(f"The embedded server started but did not answer within {PATIENCE:g} s.")
        time.sleep(PAUSE)
    return False


def _address(state_dir: Path) -> str:
    """The last server's URL if its port is free, else a new port and a new password.

    A taken port may belong to somebody who listens for the old password, so both change together.
    """
    record = _record(state_dir)
    if record is not None and _is_free(urlsplit(record[0]).port or 0):
        return record[0]
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    return f"redis://:{secrets.token_urlsafe(24)}@127.0.0.1:{port}/0"


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


# ---- files and the wire --------------------------------------------------------------------------


def _record_path(state_dir: Path) -> Path:
    return state_dir / "redis.json"


def _log_path(state_dir: Path) -> Path:
    return state_dir / "redis.log"


def _record(state_dir: Path) -> tuple[str, int] | None:
    """URL and process id of the last server; ``None`` if there is no record that can be read."""
    try:
        record = json.loads(_record_path(state_dir).read_bytes())
        url, pid = str(record["url"]), int(record["pid"])
        usable = urlsplit(url).port and urlsplit(url).password and pid > 1
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (url, pid) if usable else None


def _write_record(state_dir: Path, url: str, pid: int) -> None:
    draft = state_dir / "redis.json.new"
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump({"url": url, "pid": pid}, file)
    draft.replace(_record_path(state_dir))


def _last_line(state_dir: Path) -> str:
    lines = _log_path(state_dir).read_text(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def _ask(url: str) -> str | None:
    """``ready``, ``busy`` (up, but loading its data or occupied), or ``None``: nobody there knows the password."""
    parts = urlsplit(url)
    try:
        with socket.create_connection(("127.0.0.1", parts.port or 0), timeout=1.0) as connection:
            connection.sendall(f"AUTH {parts.password}\r\nPING\r\n".encode())
            reply = b""
            while reply.count(b"\r\n") < 2 and len(reply) < 1024 and (part := connection.recv(1024)):
                reply += part
    except OSError:
        return None
    accepted, _, answer = reply.partition(b"\r\n")
    if accepted != b"+OK":
        return None
    return "ready" if answer.startswith(b"+PONG") else "busy"
