"""One part of a running system as a child process: started under a guard, its output read, stopped within a bound.

Owns processes; knows nothing of what they do.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tracker import clock

GUARD = [sys.executable, "-I", "-S", str(Path(__file__).with_name("guard.py"))]

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds before a part is started again: after it ran well for a while, and after it has ended many times."""

STEADY = 60.0
"""Seconds after which a part counts as having run well."""

Log = Callable[[str, str], None]
"""Takes the name of a part and one line that it wrote."""


class Part:
    """A child process in a process group of its own, which ends when this process ends, whatever the reason."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Log) -> None:
        self.name = name
        self.last_line = ""
        self._log = log
        self._process = subprocess.Popen(
            [*GUARD, "run", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            process_group=0,
        )
        self._reader = threading.Thread(target=self._read, name=f"log of {name}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Its process group."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended, ``None`` while it runs; 128 + n after signal n."""
        code = self._process.poll()
        return code if code is None or code >= 0 else 128 - code

    def ask_to_end(self) -> None:
        """Ask it, and not its own children, to end in good order."""
        self._process.terminate()

    def kill(self) -> None:
        """End whatever is left of its whole group, now; returns when nothing is."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join(timeout=2.0)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError):
            for line in self._process.stdout:
                text = line.decode(errors="replace").rstrip()
                self.last_line = text or self.last_line
                # A log that cannot be written must not stop the reading: the child would wait for ever.
                with contextlib.suppress(OSError):
                    self._log(self.name, text)


class Kept:
    """A part that is started again whenever it has ended, after a pause that grows while it does so again and again."""

    def __init__(self, name: str, start: Callable[[], Part], log: Log) -> None:
        self.name = name
        self.part = start()
        self._start = start
        self._log = log
        self._begun = clock.elapsed()
        self._again = 0.0
        self._pause = 0.0

    @property
    def ended(self) -> str:
        """How it ended and what it said last; empty while it runs."""
        code = self.part.exit_code
        if code is None:
            return ""
        last = f"; its last line: {self.part.last_line}" if self.part.last_line else ""
        return f"the {self.name} ended unexpectedly with exit code {_named(code)}{last}"

    def tend(self) -> None:
        """Start it again if it is time to."""
        moment = clock.elapsed()
        if self._again and moment >= self._again:
            self._again, self._begun = 0.0, moment
            self.part.kill()  # What is left of its children.
            self.part = self._start()
        elif not self._again and self.ended:
            is_steady = moment - self._begun >= STEADY
            self._pause = FIRST_PAUSE if is_steady or not self._pause else min(LONGEST_PAUSE, 2 * self._pause)
            self._again = moment + self._pause
            self._log(self.name, f"{self.ended}; starting it again in {self._pause:.0f} s")


def _named(code: int) -> str:
    try:
        return f"{code} ({signal.Signals(code - 128).name})" if code > 128 else str(code)
    except ValueError:
        return str(code)


class Keeper:
    """Sees to it that a process which is not a child (the embedded server) ends with this one.

    Started before that process, so that there is no moment at which it could be left behind unseen.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen([*GUARD, "watch"], stdin=subprocess.PIPE, process_group=0)

    def keep(self, pid: int) -> None:
        """From now on ``pid`` ends when this process ends; 0 means none."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{pid}\n".encode())
        self._process.stdin.flush()

    def close(self) -> None:
        """Nothing has to be kept any more."""
        self.keep(0)
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
