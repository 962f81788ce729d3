"""Starts programs that track, talks to them line by line, and ends them after the test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from tests.support import wait_for

ROOT = Path(__file__).parents[2]

LONGEST = 60.0
"""Seconds a program may take to say or do what is waited for."""

WARNINGS = ("-W", "error", "-W", "ignore:This process:DeprecationWarning")
"""Programs that fork are told by newer Pythons that it is dangerous, which is what the tests are about."""


class Running:
    """A program under test; what it says on standard output is read in a thread, so that no wait is without end."""

    def __init__(self, arguments: Sequence[str], url: str, state: Path, **environment: str) -> None:
        variables = {"TRACKER_REDIS_URL": url, "TRACKER_STATE_DIR": str(state), **environment}
        self.errors = state.with_name(f"{state.name}-errors-{os.urandom(4).hex()}")
        self.said: deque[str] = deque()
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, *WARNINGS, *arguments], env=os.environ | variables, cwd=ROOT,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
            )  # fmt: skip
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line.rstrip("\n"))

    def says(self, word: str) -> None:
        """Wait until it says so; fail if it ends without."""
        wait_for(lambda: word in self.said or not self._reading.is_alive(), LONGEST)
        assert word in self.said, self.told()

    def go_on(self) -> None:
        """Send it a line."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> int:
        """Close its input and wait for its end; the exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.ended()

    def ended(self) -> int:
        """Wait for its end; the exit code."""
        code = self.process.wait(LONGEST)
        self._reading.join(LONGEST)
        return code

    def told(self) -> str:
        """What it has written to standard error."""
        return self.errors.read_text()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def close(self) -> None:
        """End it, whatever it is at."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(LONGEST)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None and not (pipe is self.process.stdin and pipe.closed):
                pipe.close()
