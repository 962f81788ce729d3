"""Processes that begin as copies of one which has already imported what they need.

Each is a process of its own, with its own environment, folder, streams and exit code, in which a module runs as with
``python -m``. Importing takes most programs of ours longer than all that they do, and is the same every time. What is
looked for by its command line or its environment has to be started in full.
"""

from __future__ import annotations

import atexit
import fcntl
import functools
import gc
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, TextIO

OF_THE_INTERPRETER = ("PYTHON", "LANG", "LC_")
"""How the variables begin that Python reads when it starts: a copy has those of its original."""

STREAMS = 3

NUMBER = struct.Struct("i")


class Origin(NamedTuple):
    """What copies are made of: a module to run, options of Python, and what to import beforehand."""

    module: str
    options: tuple[str, ...]
    imports: tuple[str, ...]


class Forked:
    """A copy that was started; to be used as a ``subprocess.Popen``."""

    def __init__(self, news: int) -> None:
        self._news = news
        first = os.read(news, NUMBER.size)
        assert first, "what copies are made of has ended; its stderr says why"
        (self.pid,) = NUMBER.unpack(first)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, or minus the number of the signal that ended it; ``None`` while it runs."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """The same once it has ended; raises ``subprocess.TimeoutExpired``."""
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return code

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._news], [], [], timeout)[0]:
            (self.returncode,) = NUMBER.unpack(os.read(self._news, NUMBER.size))
            os.close(self._news)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Nothing is sent to one that has ended: its id may be another's by now."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def forked(
    origin: Origin,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    streams: Sequence[int],
    cwd: str | Path,
    terminal: bool = False,
) -> Forked:
    """Run the origin's module with ``streams`` as its stdin, stdout and stderr; with ``terminal`` it controls them."""
    alike = tuple(sorted(pair for pair in environment.items() if pair[0].startswith(OF_THE_INTERPRETER)))
    requests = _original(origin, alike)
    request = {"arguments": [*arguments], "environment": {**environment}, "cwd": str(cwd), "terminal": terminal}
    body = json.dumps(request).encode()
    heard, told = os.pipe()
    try:
        socket.send_fds(requests, [NUMBER.pack(len(body))], [*streams, told])
        requests.sendall(body)
    finally:
        os.close(told)
    return Forked(heard)


@functools.cache
def _original(origin: Origin, variables: tuple[tuple[str, str], ...]) -> socket.socket:
    """Start the process of which copies are made, and tell where to ask it."""
    ours, theirs = socket.socketpair()
    command = [sys.executable, *origin.options, "-m", __name__, str(theirs.fileno()), origin.module, *origin.imports]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OF_THE_INTERPRETER)}
    with theirs:
        process = subprocess.Popen(
            command, cwd="/", env=kept | dict(variables), pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
        )
    atexit.register(_end, ours, process)
    return ours


def _end(requests: socket.socket, process: subprocess.Popen[bytes]) -> None:
    """It ends when nobody can ask it any more."""
    requests.close()
    process.wait(30)


# ---- in the process that is copied ---------------------------------------------------------------


class Original:
    """Answers requests by copies of itself."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._woken, self._wake = socket.socketpair()
        self._copies: dict[int, int] = {}
        """Where to tell how each process has ended."""

    def serve(self) -> list[str] | None:
        """Until nobody asks any more: ``None``; in every copy: the arguments it is to run with."""
        self._wake.setblocking(False)
        signal.set_wakeup_fd(self._wake.fileno())
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        # Ctrl-C in a terminal is for whoever runs the tests.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        while True:
            ready, _, _ = select.select([self._requests, self._woken], [], [])
            if self._woken in ready:
                self._woken.recv(4096)
                self._tell_of_ended()
            if self._requests in ready:
                head, handles, _, _ = socket.recv_fds(self._requests, NUMBER.size, STREAMS + 1)
                if not head:
                    return None
                (length,) = NUMBER.unpack(head)
                request = json.loads(self._requests.recv(length, socket.MSG_WAITALL))
                if self._copy(handles):
                    return _become(request, handles)

    def _copy(self, handles: list[int]) -> bool:
        """Whether this is the copy."""
        pid = os.fork()
        for handle in handles[:STREAMS] if pid else self._copies.values():
            os.close(handle)
        if pid:
            self._copies[pid] = handles[STREAMS]
            _tell(handles[STREAMS], pid)
            return False
        signal.set_wakeup_fd(-1)
        for inherited in (self._requests, self._woken, self._wake):
            inherited.close()
        return True

    def _tell_of_ended(self) -> None:
        while self._copies and (ended := os.waitpid(-1, os.WNOHANG))[0]:
            news = self._copies.pop(ended[0])
            _tell(news, os.waitstatus_to_exitcode(ended[1]))
            os.close(news)


def _tell(news: int, number: int) -> None:
    with suppress(BrokenPipeError):  # Nobody wants to know.
        os.write(news, NUMBER.pack(number))


def _become(request: dict[str, Any], handles: list[int]) -> list[str]:
    """Be as a process that has just been started; gives its arguments."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, handle in enumerate(handles[:STREAMS]):
        os.dup2(handle, number)
    for handle in handles:
        os.close(handle)
    if request["terminal"]:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    sys.stdin = sys.__stdin__ = _opened(sys.__stdin__, "r")
    sys.stdout = sys.__stdout__ = _opened(sys.__stdout__, "w")
    sys.stderr = sys.__stderr__ = _opened(sys.__stderr__, "w")
    arguments: list[str] = request["arguments"]
    return arguments


def _opened(stream: TextIO | None, mode: str) -> TextIO:
    """A standard stream anew, as Python opens it when it starts."""
    assert stream is not None
    number = stream.fileno()
    by_line = mode == "w" and (number == 2 or os.isatty(number))
    return open(number, mode, 1 if by_line else -1, stream.encoding, stream.errors, closefd=False)


if __name__ == "__main__":
    handle, module, *imports = sys.argv[1:]
    for name in imports:
        import_module(name)
    gc.freeze()
    arguments = Original(socket.socket(fileno=int(handle))).serve()
    if arguments is not None:
        sys.argv[1:] = arguments
        runpy.run_module(module, run_name="__main__", alter_sys=True)
