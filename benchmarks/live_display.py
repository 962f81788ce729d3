"""What drawing costs while ten thousand steps go by in a terminal: CPU time of the whole process, drawn and not drawn.

The steps are paced over some seconds, as a program's steps are; both processes do exactly the same.
"""

from __future__ import annotations

import os
import pty
import resource
import subprocess
import sys
import threading

STEPS, SECONDS = 10_000, 10.0

PROGRAM = f"""
import time
from tracker import StepTracker
with StepTracker("Benchmark", steps=[f"File {{index}}" for index in range({STEPS})]) as tracker:
    for index in range({STEPS}):
        with tracker.step(f"File {{index}}") as step:
            step.advance()
        if index % 100 == 99:
            time.sleep({SECONDS} * 100 / {STEPS})
"""


def cpu_seconds(display: str) -> float:
    """CPU time of the program with that display, in a terminal of its own that somebody reads."""
    ours, theirs = pty.openpty()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = PROGRAM.replace("for index in range(10000)])", f'for index in range(10000)], display="{display}")')
    process = subprocess.Popen([sys.executable, "-c", code], stderr=theirs, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    threading.Thread(target=drain, args=(ours,), daemon=True).start()
    process.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def drain(terminal: int) -> None:
    try:
        while os.read(terminal, 65536):
            pass
    except OSError:
        os.close(terminal)


def main() -> None:
    quiet, live = cpu_seconds("quiet"), cpu_seconds("live")
    print(f"  {STEPS:,} steps in {SECONDS:.0f} s: {quiet:.2f} s CPU quiet, {live:.2f} s live")
    print(f"  drawing takes {(live - quiet) / SECONDS:.1%} of a core")


if __name__ == "__main__":
    main()
