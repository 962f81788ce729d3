"""``tracker up``: a whole real system with one command, and nothing left of it afterwards, however it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.commands import ROOT, TRACKER, Command
from tests.cli.conftest import Run
from tests.cli.system import processes_of
from tests.support import free_address, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")

Up = Callable[..., Command]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The state folder of the system."""
    return tmp_path / "state of it"


@pytest.fixture
def up(tracker: Run, folder: Path) -> Up:
    """Start ``tracker up`` with an embedded server in ``folder``, on a free port."""
    address = free_address()

    def start(*arguments: str, terminal: tuple[int, int] | None = None, cwd: str = "/", **variables: str) -> Command:
        own = {"TRACKER_REDIS_URL": "", "TRACKER_STATE_DIR": str(folder), "TRACKER_BIND": address}
        return tracker("up", *arguments, terminal=terminal, cwd=cwd, **{**own, **variables})

    return start


def nothing_left(folder: Path) -> None:
    wait_for(lambda: not processes_of(folder), 30)
    assert not (folder / "up.json").exists()


def test_it_is_ready_when_it_says_so_and_leaves_nothing_behind(up: Up, folder: Path) -> None:
    """The dashboard's URL answers; Ctrl-C on a terminal ends worker, web server and embedded server."""
    command = up(terminal=(120, 30))
    command.shows("(Ctrl-C stops everything)", 60)
    running = json.loads((folder / "up.json").read_bytes())
    with urllib.request.urlopen(running["url"] + "readyz", timeout=10) as answer:
        assert answer.status == 200
    names = " ".join(processes_of(folder).values())
    assert all(part in names for part in ("tracker worker", "tracker web", "-server"))
    command.press("\x03")
    assert command.code() == 130
    nothing_left(folder)


def test_a_second_call_joins_the_first(up: Up, folder: Path) -> None:
    """It says where the first one is and succeeds; the first one goes on."""
    first = up("--json")
    wait_for(lambda: (folder / "up.lock").exists() and (folder / "up.lock").read_text() == str(first.process.pid))
    second = up()
    assert second.code(90) == 0
    running = first.objects[0]
    assert second.out == f"already running at {running['url']} (pid {running['pid']})\n"
    assert running["pid"] == first.process.pid
    assert first.process.poll() is None
    first.process.send_signal(signal.SIGTERM)
    assert first.code() == 143
    nothing_left(folder)


def test_a_taken_port_is_one_line(up: Up, folder: Path) -> None:
    """Nothing was started, so nothing has to be ended."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        bind = f"127.0.0.1:{listener.getsockname()[1]}"
        command = up(TRACKER_BIND=bind)
        assert command.code() == 1
    assert command.err == f"tracker: {bind} is taken by another program; set TRACKER_BIND to another HOST:PORT\n"
    nothing_left(folder)


@pytest.mark.parametrize("moment", ["-server", "guard.py run", "tracker web", "tracker worker"])
def test_ctrl_c_while_it_starts_leaves_nothing_behind(up: Up, folder: Path, moment: str) -> None:
    """Whatever was started by then is ended."""
    command = up()
    wait_for(lambda: [text for text in processes_of(folder).values() if moment in text], 60)
    command.process.send_signal(signal.SIGINT)
    assert command.code() == 130
    nothing_left(folder)


def test_a_killed_supervisor_leaves_nothing_behind(up: Up, folder: Path) -> None:
    """``kill -9`` gives it no chance to tidy up: the guards do, and the next call starts anew."""
    command = up()
    command.shows("(Ctrl-C stops everything)", 60)
    command.process.kill()
    wait_for(lambda: not processes_of(folder), 30)
    again = up()
    again.shows("(Ctrl-C stops everything)", 60)


@pytest.mark.parametrize("part", ["worker", "web"])
def test_a_part_that_is_killed_is_started_again(up: Up, folder: Path, part: str) -> None:
    """It says so, with the exit code, and the system is whole again without anybody's help."""
    command = up()
    command.shows("(Ctrl-C stops everything)", 60)
    running = json.loads((folder / "up.json").read_bytes())
    main = main_of(folder, part)
    os.kill(main, signal.SIGKILL)
    command.shows(f"the {part} ended unexpectedly with exit code 137 (SIGKILL)")
    wait_for(lambda: main_of(folder, part) not in (0, main))
    wait_for(lambda: is_ready(running["url"]))
    command.process.send_signal(signal.SIGINT)
    assert command.code() == 130
    nothing_left(folder)


def main_of(folder: Path, part: str) -> int:
    """The process of a part, not those that it has started; 0 if there is none."""
    found = [pid for pid, text in processes_of(folder).items() if f"-m tracker {part}" in text and "guard" not in text]
    return min(found, default=0)


def is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url + "readyz", timeout=10) as answer:
            return answer.status == 200
    except OSError:
        return False


def test_a_part_that_cannot_begin_ends_everything_and_is_named(up: Up, folder: Path) -> None:
    """Half a system helps nobody, and trying again would not help it."""
    command = up(TRACKER_BROKER_URL="nonsense://localhost")
    assert command.code(90) == 1
    assert "the worker ended unexpectedly with exit code" in command.err.splitlines()[-1]
    nothing_left(folder)


def test_it_works_in_a_folder_with_packages_of_the_same_names(up: Up, folder: Path, tmp_path: Path) -> None:
    """A project's own ``web`` and ``workers`` are not mistaken for the system's."""
    for name in ("web", "workers", "tracker"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('not this one')\n")
    command = up(cwd=str(tmp_path))
    command.shows("(Ctrl-C stops everything)", 60)


def test_a_log_nobody_reads_does_not_stop_the_system(folder: Path, environment: dict[str, str]) -> None:
    """With the reader of stderr gone the parts still start, run, and end in good order."""
    own = {"TRACKER_REDIS_URL": "", "TRACKER_STATE_DIR": str(folder), "TRACKER_BIND": free_address()}
    reading, writing = os.pipe()
    os.close(reading)
    variables = {**environment, **own, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([*TRACKER, "up", "--json"], env=variables, stdout=subprocess.PIPE, stderr=writing) as command:
        os.close(writing)
        assert command.stdout is not None
        assert json.loads(command.stdout.readline())["pid"] == command.pid
        command.send_signal(signal.SIGINT)
        assert command.wait(30) == 130
    nothing_left(folder)


def test_a_killed_embedded_server_is_started_again_with_its_data(up: Up, tracker: Run, folder: Path) -> None:
    """Web and worker find it at its old address; what was stored is there, and work goes on."""
    command = up()
    wait_for(lambda: (folder / "up.json").exists(), 60)
    own = {"TRACKER_REDIS_URL": "", "TRACKER_STATE_DIR": str(folder)}
    queue = ("submit", "config.migrate", "--arg", "path=none.yaml", "--wait", "--json")
    first = tracker(*queue, **own)
    assert first.code(60) == 0
    os.kill(json.loads((folder / "redis.json").read_text())["pid"], signal.SIGKILL)
    wait_for(lambda: "started again" in command.err)
    second = tracker(*queue, **own)
    assert second.code(60) == 0, second.err
    listed = tracker("ls", "--json", **own)
    assert listed.code() == 0
    assert [operation["status"] for operation in listed.objects] == ["error", "error"]
    command.process.send_signal(signal.SIGTERM)
    assert command.code() == 143
    nothing_left(folder)
