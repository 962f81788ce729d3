"""A part of a system as a child process: what of it is left after it was told to end, or its parent has gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import ROOT
from tests.cli.system import processes_of
from tests.support import Clock, wait_for
from tracker.cli.part import Keeper, Kept, Log, Part

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")

STUBBORN = """
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork()
os.write(1, b"up\\n")
while True:
    signal.pause()
"""


@pytest.fixture
def stubborn(tmp_path: Path) -> list[str]:
    """A command that ignores SIGTERM, and so does the process it forks."""
    script = tmp_path / "stubborn.py"
    script.write_text(STUBBORN)
    return [sys.executable, str(script)]


def test_nothing_of_a_part_survives_its_killing(stubborn: list[str], tmp_path: Path) -> None:
    """Also what it started itself, and what does not listen to SIGTERM."""
    lines: list[tuple[str, str]] = []
    part = Part("stubborn", stubborn, os.environ, lambda name, line: lines.append((name, line)))
    wait_for(lambda: lines == [("stubborn", "up")] * 2)
    part.ask_to_end()
    assert part.exit_code is None
    assert processes_of(tmp_path)
    part.kill()
    assert processes_of(tmp_path) == {}
    assert part.exit_code == 137


@pytest.mark.parametrize(("command", "code"), [("exit 3", 3), ("kill -9 $$", 137), ("echo last words; exit 0", 0)])
def test_a_part_tells_how_it_ended_and_what_it_said_last(command: str, code: int) -> None:
    """A signal is told as shells do: 128 and its number."""
    part = Part("short", ["sh", "-c", command], os.environ, lambda name, line: None)
    wait_for(lambda: part.exit_code is not None)
    part.kill()
    assert part.exit_code == code
    assert part.last_line == ("last words" if "echo" in command else "")


def test_what_ends_again_and_again_is_started_after_ever_longer_pauses(clock: Clock) -> None:
    """1, 2, 4 seconds; after a minute in which it ran well, 1 once more."""
    said: list[str] = []
    kept = Kept(
        "short", lambda: Part("short", ["sh", "-c", "read x"], os.environ, lambda name, line: None), _said(said)
    )
    for pause in (1, 2, 4):
        end(kept)
        kept.tend()
        assert said[-1].endswith(f"exit code 137 (SIGKILL); starting it again in {pause} s")
        clock.time += pause - 0.1
        kept.tend()
        assert kept.ended
        clock.time += 0.2
        kept.tend()
        assert not kept.ended
    clock.time += 60
    end(kept)
    kept.tend()
    assert said[-1].endswith("in 1 s")
    kept.part.kill()


def end(kept: Kept) -> None:
    os.killpg(kept.part.pid, signal.SIGKILL)
    wait_for(lambda: kept.ended)


def _said(lines: list[str]) -> Log:
    return lambda name, line: lines.append(line)


PARENT = """
import os, sys
from tracker.cli.part import Keeper, Part
part = Part("stubborn", [sys.executable, sys.argv[1]], os.environ, lambda name, line: None)
keeper = Keeper()
keeper.keep(int(sys.argv[2]))
print("started", flush=True)
sys.stdin.read()
"""


def test_parts_end_when_their_parent_is_killed(stubborn: list[str], tmp_path: Path) -> None:
    """However it dies; and so does the process that the keeper was given."""
    kept = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, stubborn[1], str(kept.pid)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert parent.stdin is not None
    assert parent.stdout is not None
    with parent.stdin, parent.stdout:
        assert parent.stdout.readline() == b"started\n"
        parent.kill()
        parent.wait()
    assert kept.wait(20) == -15
    wait_for(lambda: not processes_of(tmp_path), 30)


def test_a_keeper_that_is_closed_ends_nothing() -> None:
    """After a good end the process it was given is none of its business any more."""
    kept = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    keeper = Keeper()
    keeper.keep(kept.pid)
    keeper.close()
    assert kept.poll() is None
    kept.communicate(b"\n")
    assert kept.returncode == 0
