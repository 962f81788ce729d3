"""The server's process: how it starts, what it refuses, how it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from tests.support import wait_for
from tests.web.client import ROOT, serving
from tracker.errors import SettingsError
from tracker.settings import Settings
from web.app import create_app


def start(**settings: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"TRACKER_REDIS_URL": "redis://127.0.0.1:1/0"} | settings
    return subprocess.run(
        [sys.executable, "-m", "web"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30
    )


def test_a_taken_port_is_one_line_that_says_what_to_do() -> None:
    """Exit code 1, the address, and no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = start(TRACKER_BIND=bind)
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert bind in ended.stderr
    assert "TRACKER_BIND" in ended.stderr


@pytest.mark.parametrize("bind", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "example.org:0"])
def test_an_address_others_can_reach_is_refused(bind: str) -> None:
    """Exit code 2, and why: nobody would have to log in."""
    ended = start(TRACKER_BIND=bind)
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert "log-in" in ended.stderr


def test_gunicorn_itself_refuses_such_an_address_too() -> None:
    """Whoever starts gunicorn with this configuration by hand is not less safe."""
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "-c",
        "web/gunicorn_conf.py",
        "-b",
        "0.0.0.0:0",
        "web.app:create_app()",
    ]
    environment = os.environ | {"TRACKER_REDIS_URL": "redis://127.0.0.1:1/0"}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30)
    assert ended.returncode != 0
    assert "log-in" in ended.stderr


def test_without_a_redis_url_it_does_not_start() -> None:
    """The sentence names the variable."""
    with pytest.raises(SettingsError, match="TRACKER_REDIS_URL"):
        create_app(Settings())
    ended = start(TRACKER_REDIS_URL="", TRACKER_BIND="127.0.0.1:0")
    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopping_server_says_goodbye(redis_url: str, namespace: str, tmp_path: Path, number: int) -> None:
    """Every client gets ``bye`` and close code 1012, and the process ends soon, with code 0 and in silence."""
    with (
        serving(redis_url, namespace, tmp_path / "log") as server,
        server.watch("operations") as one,
        server.watch("operations") as two,
    ):
        one.until("snapshot")
        two.until("snapshot")
        server.process.send_signal(number)
        for watcher in (one, two):
            assert watcher.until("bye")["retry_after"] > 0
            with pytest.raises(ConnectionClosed) as closed:
                watcher.socket.recv(timeout=20)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012
        assert server.stop(number) < 5
        assert server.process.returncode == 0
        assert server.log.read_text() == ""


def test_a_killed_worker_process_is_replaced(redis_url: str, namespace: str, tmp_path: Path) -> None:
    """The server answers again by itself, and follows the events again."""
    with serving(redis_url, namespace, tmp_path / "log") as server:
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
        if not children.exists():
            pytest.skip("needs /proc")
        os.kill(int(children.read_text().split()[0]), signal.SIGKILL)

        def is_back() -> bool:
            try:
                return "/following" not in server.get("/readyz").body.decode()
            except OSError:
                return False

        wait_for(is_back)
        with server.watch("operations") as watcher:
            watcher.until("snapshot")


def test_everything_moves_under_a_base_path(tmp_path: Path) -> None:
    """Pages, files, API and addresses in answers; nothing is left at the root."""
    app = create_app(Settings(redis_url="redis://127.0.0.1:1/0", base_path="/tracker"))
    client = app.test_client()
    page = client.get("/tracker/", headers={"Host": "localhost"})
    assert page.status_code == 200
    links = [part.split('"')[0] for part in page.text.split('href="')[1:]]
    assert links
    assert all(link.startswith("/tracker/static/") for link in links)
    for path, status in ((links[0], 200), ("/tracker/healthz", 200), ("/healthz", 404)):
        with client.get(path, headers={"Host": "localhost"}) as answer:
            assert answer.status_code == status


def test_starting_tells_the_address(redis_url: str, namespace: str, tmp_path: Path) -> None:
    """With port 0 it is the port that was free, and the page is there."""
    with serving(redis_url, namespace, tmp_path / "log") as server:
        with urllib.request.urlopen(server.url, timeout=10) as page:
            assert b"<html" in page.read()
        assert not server.url.endswith(":0/")
